//! Whole conversations about short links.

use super::flow::{ID, is_guarded, is_unavailable, is_upstream, site};
use super::*;
use crate::extract::Refusal;
use crate::extract::upstream::{Answer, Upstream};
use crate::net::NetError;

async fn locate(upstream: &Upstream, address: &str) -> Result<Source, ExtractError> {
    let site = site(&[]);
    let Classified::Source(short) = site.classify(&Url::parse(address).unwrap()) else {
        panic!("{address} is no source");
    };
    site.locate(&upstream.client(), &short).await
}

#[tokio::test]
async fn short_link_is_followed_to_the_post_and_no_further() {
    let upstream = Upstream::start(|asked, _| match asked.url.as_str() {
        "https://vm.tiktok.com/ZMabc/" => Answer::moved("https://m.tiktok.com/hop?_t=1"),
        _ => Answer::moved(&format!(
            "https://www.tiktok.com/@demo.potter/video/{ID}?_t=1&_r=1"
        )),
    })
    .await;
    let source = locate(&upstream, "https://vm.tiktok.com/ZMabc")
        .await
        .unwrap();
    assert_eq!(source.key, SourceKey::Post(ID.to_owned()));
    assert_eq!(
        source.url.as_str(),
        format!("https://www.tiktok.com/@demo.potter/video/{ID}")
    );
    let asked = upstream.asked();
    assert_eq!(asked.len(), 2, "the page behind the post is not asked for");
    assert!(asked.iter().all(|asked| asked.method == "HEAD"));
    assert!(asked.iter().all(|asked| asked.header("cookie").is_empty()));
}

#[tokio::test]
async fn short_link_with_a_body_of_one_link_is_followed() {
    let upstream = Upstream::start(|_, _| {
        Answer::page(format!(
            r#"<a href="https://www.tiktok.com/@u/photo/{ID}?a=1&amp;b=2">Moved</a>."#
        ))
    })
    .await;
    let source = locate(&upstream, "https://www.tiktok.com/t/ZTabc/")
        .await
        .unwrap();
    assert_eq!(source.key, SourceKey::Post(ID.to_owned()));
    let methods: Vec<_> = upstream
        .asked()
        .into_iter()
        .map(|asked| asked.method)
        .collect();
    assert_eq!(methods, ["HEAD", "GET"]);
}

#[tokio::test]
async fn short_links_that_lead_to_no_post_are_told_apart() {
    for (answer, requests, is_expected) in [
        (
            Answer::moved("https://www.tiktok.com/"),
            1,
            is_unavailable as fn(&ExtractError) -> bool,
        ),
        (
            Answer::moved("https://www.tiktok.com/login?x"),
            1,
            is_unavailable,
        ),
        (Answer::status(404, ""), 2, is_unavailable),
        (
            Answer::moved("https://www.tiktok.com/@someone"),
            1,
            is_refused,
        ),
        (
            Answer::moved("https://www.tiktok.com/@someone/live"),
            1,
            is_refused,
        ),
        (
            Answer::moved("https://evil.example/@u/video/7520000000000000001"),
            1,
            is_guarded,
        ),
        (
            Answer::moved("https://www.douyin.com/video/7520000000000000001"),
            1,
            is_guarded,
        ),
        (Answer::moved("http://127.0.0.1/"), 1, is_guarded),
        (
            Answer::moved("https://vm.tiktok.com/again/"),
            5,
            is_redirect,
        ),
        // Never asked in the clear.
        (Answer::moved("http://vm.tiktok.com/again/"), 5, is_redirect),
        (Answer::status(503, ""), 2, is_upstream),
    ] {
        let script = answer.clone();
        let upstream = Upstream::start(move |_, _| script.clone()).await;
        let error = locate(&upstream, "https://vm.tiktok.com/ZMabc/")
            .await
            .unwrap_err();
        assert!(is_expected(&error), "{answer:?}: {error:?}");
        let asked = upstream.asked();
        assert_eq!(asked.len(), requests, "{answer:?}");
        assert!(
            asked
                .iter()
                .all(|asked| asked.url.starts_with("https://vm.tiktok.com/"))
        );
    }
}

fn is_refused(error: &ExtractError) -> bool {
    matches!(
        error,
        ExtractError::Refused(Refusal::NotAPost | Refusal::Live)
    )
}

fn is_redirect(error: &ExtractError) -> bool {
    matches!(error, ExtractError::Net(NetError::Redirect { .. }))
}
