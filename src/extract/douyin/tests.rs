//! Whole conversations with Douyin, played on loopback.

use super::*;
use crate::extract::upstream::{Answer, Upstream};
use crate::extract::{Content, Unavailable};

const ID: &str = "7570000000000000005";

fn own(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tiktok/");
    std::fs::read_to_string(format!("{folder}{name}")).unwrap()
}

async fn extract(upstream: &Upstream, cookies: &str) -> Result<Extraction, ExtractError> {
    let site = Douyin::from_env(&mut Env::from_pairs([("DOUYIN_COOKIES_PATH", cookies)]));
    let post = site.source(ID).unwrap();
    site.extract(&upstream.client(), &post).await
}

const NO_COOKIES: &str = "/nonexistent/cookies.txt";

#[tokio::test]
async fn unsigned_call_is_tried_first() {
    let upstream = Upstream::start(|_, _| Answer::page(own("douyin_detail.json"))).await;
    let extraction = extract(&upstream, NO_COOKIES).await.unwrap();
    let asked = upstream.asked();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].url.ends_with(&format!("?aweme_id={ID}&aid=6383")));
    assert_eq!(asked[0].header("referer"), "https://open.douyin.com/");
    assert_eq!(asked[0].header("origin"), "https://open.douyin.com");
    assert_eq!(extraction.author.handle, "2077680163");
    assert_eq!(extraction.session.headers[3].1, "https://www.douyin.com/");
}

#[tokio::test]
async fn share_page_is_second() {
    let upstream = Upstream::start(|asked, _| {
        let is_share = asked.url.contains("/share/video/");
        Answer::page(if is_share {
            own("douyin_share.html")
        } else {
            String::new()
        })
    })
    .await;
    let extraction = extract(&upstream, NO_COOKIES).await.unwrap();
    let Content::Slideshow { images, .. } = extraction.content else {
        panic!("a video");
    };
    assert!(images.iter().all(|image| image.urls[0].contains(".jpeg")));
    assert!(upstream.asked()[1].header("user-agent").contains("iPhone"));
}

#[tokio::test]
async fn operator_cookies_are_the_last_way_and_stay_here() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let line = "# Netscape HTTP Cookie File\n.douyin.com\tTRUE\t/\tFALSE\t0\ts_v_web_id\toperator-secret\n";
    std::fs::write(file.path(), line).unwrap();
    let upstream = Upstream::start(|asked, _| match asked.header("cookie") {
        "s_v_web_id=operator-secret" => Answer::page(own("douyin_detail.json")),
        _ => Answer::page(""),
    })
    .await;
    let extraction = extract(&upstream, file.path().to_str().unwrap())
        .await
        .unwrap();
    assert_eq!(upstream.asked().len(), 3);
    assert!(
        !serde_json::to_string(&extraction)
            .unwrap()
            .contains("operator-secret")
    );
}

#[tokio::test]
async fn empty_answers_ask_for_cookies_by_the_name_of_their_file() {
    let upstream = Upstream::start(|_, _| Answer::page("")).await;
    let error = extract(&upstream, NO_COOKIES).await.unwrap_err();
    assert!(
        matches!(error, ExtractError::CookiesNeeded { .. }),
        "{error:?}"
    );
    let text = error.to_string();
    assert!(text.contains("DOUYIN_COOKIES_PATH") && text.contains("www.douyin.com_cookies.txt"));
    assert_eq!(upstream.asked().len(), 2);
}

#[tokio::test]
async fn reason_of_a_gone_post_ends_the_search() {
    let upstream = Upstream::start(|_, _| Answer::page(own("douyin_gone.json"))).await;
    let error = extract(&upstream, NO_COOKIES).await.unwrap_err();
    assert!(matches!(
        error,
        ExtractError::Unavailable {
            reason: Unavailable::Private,
            ..
        }
    ));
    assert_eq!(upstream.asked().len(), 1);
}

#[tokio::test]
async fn challenge_is_answered_for_the_domain_that_asked() {
    let upstream = Upstream::start(|asked, _| {
        let is_share = asked.url.contains("/share/video/");
        let is_answered = asked.header("cookie").contains("_wafchallengeid=");
        Answer::page(match (is_share, is_answered) {
            (true, true) => own("douyin_share.html"),
            (true, false) => own("challenge.html"),
            (false, _) => String::new(),
        })
    })
    .await;
    let extraction = extract(&upstream, NO_COOKIES).await.unwrap();
    assert_eq!(upstream.asked().len(), 3);
    assert!(extraction.session.cookies.is_empty());
}

#[tokio::test]
async fn failures_alone_keep_their_own_reason() {
    let upstream = Upstream::start(|_, _| Answer::status(503, "")).await;
    let error = extract(&upstream, NO_COOKIES).await.unwrap_err();
    assert!(matches!(error, ExtractError::Upstream { code: 503, .. }));
}

#[tokio::test]
async fn short_link_is_followed() {
    let upstream = Upstream::start(|_, _| {
        Answer::moved(&format!(
            "https://www.iesdouyin.com/share/video/{ID}/?region=CN&mid=1"
        ))
    })
    .await;
    let site = Douyin::from_env(&mut Env::from_pairs([("DOUYIN_COOKIES_PATH", NO_COOKIES)]));
    let address = Url::parse("https://v.douyin.com/iRNBho6u/").unwrap();
    let Classified::Source(short) = site.classify(&address) else {
        panic!("no source");
    };
    let source = site.locate(&upstream.client(), &short).await.unwrap();
    assert_eq!(source.key, SourceKey::Post(ID.to_owned()));
}
