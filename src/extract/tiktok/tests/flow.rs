//! Whole conversations about one page: a challenge, refusals, further attempts, the app.

use super::*;
use crate::extract::Block;
use crate::extract::upstream::{Answer, Asked, Upstream};
use crate::net::NetError;

/// Post of `page_video.html`.
pub(super) const ID: &str = "7520000000000000001";

fn own(name: &str) -> String {
    read_text(&own_folder().join(name))
}

/// The site with these variables, and without any cookie file that may lie around.
pub(super) fn site(pairs: &[(&str, &str)]) -> TikTok {
    let mut variables = vec![("COOKIES_PATH", "/nonexistent/cookies.txt")];
    variables.extend(pairs);
    let mut env = Env::from_pairs(variables);
    let site = TikTok::from_env(&mut env);
    env.finish().unwrap();
    site
}

async fn extract_with(site: &TikTok, upstream: &Upstream) -> Result<Extraction, ExtractError> {
    let post = site.source(ID).unwrap();
    site.extract(&upstream.client(), &post).await
}

async fn extract(upstream: &Upstream) -> Result<Extraction, ExtractError> {
    extract_with(&site(&[]), upstream).await
}

fn user_agents(asked: &[Asked]) -> Vec<&str> {
    asked
        .iter()
        .map(|asked| asked.header("user-agent"))
        .collect()
}

#[tokio::test]
async fn challenge_is_answered_once_and_its_cookies_are_forgotten() {
    let upstream = Upstream::start(|asked, _| {
        if asked.header("cookie").contains("_wafchallengeid=") {
            return Answer::page(own("page_video.html"));
        }
        Answer::page(own("challenge.html")).with(
            "set-cookie",
            "tt_chain_token=a/b+c==; Domain=.tiktok.com; Path=/; Secure",
        )
    })
    .await;
    let extraction = extract(&upstream).await.unwrap();
    assert_eq!(extraction.id, ID);
    let asked = upstream.asked();
    assert_eq!(asked.len(), 2);
    assert!(asked[1].header("cookie").contains("tt_chain_token=a/b+c=="));
    assert!(
        asked[1]
            .header("cookie")
            .contains("waforiginalreid=2026invented")
    );
    let cookies: Vec<_> = extraction
        .session
        .cookies
        .iter()
        .map(|cookie| (cookie.name.as_str(), cookie.value.as_str()))
        .collect();
    assert_eq!(cookies, [("tt_chain_token", "a/b+c==")]);
}

#[tokio::test]
async fn page_is_asked_as_a_browser_and_media_as_the_same() {
    let upstream = Upstream::start(|_, _| Answer::page(own("page_video.html"))).await;
    let extraction = extract(&upstream).await.unwrap();
    let asked = &upstream.asked()[0];
    assert_eq!(
        (asked.method.as_str(), asked.url.as_str()),
        (
            "GET",
            format!("https://www.tiktok.com/@_/video/{ID}").as_str()
        )
    );
    assert_eq!(asked.header("referer"), "https://www.tiktok.com/");
    assert_eq!(asked.header("sec-fetch-mode"), "navigate");
    assert_eq!(asked.header("x-forwarded-for"), "");
    let headers = &extraction.session.headers;
    assert_eq!(
        headers[0],
        (
            "user-agent".to_owned(),
            asked.header("user-agent").to_owned()
        )
    );
    assert!(headers.contains(&("referer".to_owned(), "https://www.tiktok.com/".to_owned())));
}

#[tokio::test]
async fn page_that_moves_to_its_real_name_is_followed() {
    let upstream = Upstream::start(|asked, _| {
        if asked.url.contains("@_") {
            return Answer::moved(&format!("/@demo.potter/video/{ID}"));
        }
        Answer::page(own("page_video.html"))
    })
    .await;
    assert!(extract(&upstream).await.is_ok());
    assert_eq!(upstream.asked().len(), 2);
}

#[tokio::test]
async fn page_without_data_is_asked_again_as_somebody_else() {
    let upstream = Upstream::start(|_, number| match number {
        0 => Answer::page("<html></html>").with("set-cookie", "ttwid=old; Path=/"),
        1 => Answer::page(own("captcha.html")),
        _ => Answer::page(own("page_video.html")),
    })
    .await;
    let extraction = extract(&upstream).await.unwrap();
    let asked = upstream.asked();
    let agents = user_agents(&asked);
    assert!(agents[0] != agents[1] && agents[1] != agents[2] && agents[0] != agents[2]);
    assert!(
        asked.iter().all(|asked| asked.header("cookie").is_empty()),
        "fresh jars"
    );
    assert!(asked[1].header_count() > asked[0].header_count(), "padding");
    assert_eq!(extraction.session.headers[0].1, agents[2]);
}

#[tokio::test]
async fn attempts_end_with_the_reason_of_the_last_one() {
    for (page, attempts, is_expected) in [
        (
            Answer::page(own("captcha.html")),
            3,
            is_captcha as fn(&ExtractError) -> bool,
        ),
        (Answer::page(own("maintenance.html")), 3, is_maintenance),
        (Answer::page(""), 3, is_shape),
        (Answer::status(503, ""), 2, is_upstream),
        (Answer::page(own("page_trouble.html")), 2, is_upstream),
        (Answer::status(403, "no"), 1, is_forbidden),
        (Answer::page(own("page_deleted.html")), 1, is_unavailable),
        (Answer::page(own("page_private.html")), 1, is_unavailable),
        (Answer::moved("/login?redirect_url=x"), 1, is_unavailable),
        (Answer::moved("https://evil.example/"), 1, is_guarded),
        (Answer::page(own("challenge.html")), 2, is_challenge),
        (
            Answer::page(own("challenge_unsolvable.html")),
            1,
            is_challenge,
        ),
        (
            Answer::page(own("page_video.html").replace(ID, "7520000000000000009")),
            3,
            is_shape,
        ),
    ] {
        let answer = page.clone();
        let upstream = Upstream::start(move |_, _| answer.clone()).await;
        let error = extract(&upstream).await.unwrap_err();
        assert!(is_expected(&error), "{page:?}: {error:?}");
        assert_eq!(upstream.asked().len(), attempts, "{page:?}");
    }
}

fn is_captcha(error: &ExtractError) -> bool {
    matches!(
        error,
        ExtractError::Blocked {
            block: Block::Captcha,
            ..
        }
    )
}

fn is_maintenance(error: &ExtractError) -> bool {
    matches!(
        error,
        ExtractError::Blocked {
            block: Block::Maintenance,
            ..
        }
    )
}

fn is_forbidden(error: &ExtractError) -> bool {
    matches!(
        error,
        ExtractError::Blocked {
            block: Block::Forbidden,
            ..
        }
    )
}

fn is_shape(error: &ExtractError) -> bool {
    matches!(error, ExtractError::Shape { .. })
}

pub(super) fn is_upstream(error: &ExtractError) -> bool {
    matches!(error, ExtractError::Upstream { .. })
}

pub(super) fn is_unavailable(error: &ExtractError) -> bool {
    matches!(error, ExtractError::Unavailable { .. })
}

fn is_challenge(error: &ExtractError) -> bool {
    matches!(error, ExtractError::Challenge { .. })
}

pub(super) fn is_guarded(error: &ExtractError) -> bool {
    matches!(error, ExtractError::Net(NetError::Guard(_)))
}

#[tokio::test]
async fn operator_cookies_are_sent_and_stay_here() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let line =
        "# Netscape HTTP Cookie File\n.tiktok.com\tTRUE\t/\tTRUE\t0\tsessionid\toperator-secret\n";
    std::fs::write(file.path(), line).unwrap();
    let upstream = Upstream::start(|_, _| {
        Answer::page(own("page_video.html"))
            .with("set-cookie", "ttwid=guest; Domain=tiktok.com; Path=/")
    })
    .await;
    let site = site(&[("COOKIES_PATH", file.path().to_str().unwrap())]);
    let extraction = extract_with(&site, &upstream).await.unwrap();
    assert!(
        upstream.asked()[0]
            .header("cookie")
            .contains("sessionid=operator-secret")
    );
    let session = serde_json::to_string(&extraction).unwrap();
    assert!(session.contains("ttwid") && !session.contains("operator-secret"));
    assert!(site.operator_cookies().is_some());
}

#[tokio::test]
async fn app_is_asked_after_the_page_when_there_is_a_device() {
    let upstream = Upstream::start(|asked, _| match asked.method.as_str() {
        "POST" => Answer::page(own("app_video.json")),
        _ => Answer::status(403, ""),
    })
    .await;
    let site = site(&[("TIKTOK_DEVICE_ID", "7250000000000000001")]);
    let extraction = extract_with(&site, &upstream).await.unwrap();
    assert_eq!(formats(&extraction)[0].id, "bytevc1_720p_563046");
    let asked = &upstream.asked()[1];
    assert!(
        asked.url.contains("&device_id=7250000000000000001&"),
        "{}",
        asked.url
    );
    assert!(
        asked
            .header("user-agent")
            .starts_with("com.zhiliaoapp.musically/")
    );
    assert!(asked.header("cookie").starts_with("odin_tt="));
    assert_eq!(asked.body, format!("aweme_ids=%5B{ID}%5D&request_source=0"));
    assert!(extraction.session.cookies.is_empty());
    assert!(extraction.session.headers[0].1.starts_with("Mozilla/5.0"));
}

#[tokio::test]
async fn app_that_refuses_leaves_the_reason_of_the_page() {
    let upstream = Upstream::start(|asked, _| match asked.method.as_str() {
        "POST" => Answer::page(""),
        _ => Answer::status(403, ""),
    })
    .await;
    let site = site(&[("TIKTOK_APP_INFO", "1,2/trill")]);
    let error = extract_with(&site, &upstream).await.unwrap_err();
    assert!(is_forbidden(&error), "{error:?}");
    assert_eq!(upstream.asked().len(), 3, "the page, and both apps");
}

#[tokio::test]
async fn deleted_post_is_not_asked_of_the_app() {
    let upstream = Upstream::start(|_, _| Answer::page(own("page_deleted.html"))).await;
    let site = site(&[("TIKTOK_DEVICE_ID", "7250000000000000001")]);
    assert!(extract_with(&site, &upstream).await.is_err());
    assert_eq!(upstream.asked().len(), 1);
}

#[tokio::test]
async fn own_user_agent_is_used_for_pages_and_media() {
    let upstream = Upstream::start(|_, _| Answer::page(own("page_video.html"))).await;
    let site = site(&[("USER_AGENT", "mine/1.0")]);
    let extraction = extract_with(&site, &upstream).await.unwrap();
    assert_eq!(user_agents(&upstream.asked()), ["mine/1.0"]);
    assert_eq!(extraction.session.headers[0].1, "mine/1.0");
}

#[test]
fn site_names_what_it_needs() {
    let site = site(&[]);
    assert_eq!(
        (site.site(), site.media_cookie()),
        ("tiktok", Some("tt_chain_token"))
    );
    for host in [
        "v16-webapp-prime.tiktok.com",
        "p16-sign-va.tiktokcdn.com",
        "v16m-default.akamaized.net",
    ] {
        assert!(site.media_hosts().contains(host), "{host}");
    }
    for host in ["evil.akamaized.net", "nottiktok.com"] {
        assert!(!site.media_hosts().contains(host), "{host}");
    }
}
