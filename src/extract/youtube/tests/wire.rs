//! The whole way over the network: requests as the site sees them, cookies included.

use serde_json::json;

use super::script::{VISITOR, playable, site};
use crate::extract::upstream::{Answer, Asked, Upstream};
use crate::extract::{Block, ExtractError, Extractor, Refusal, SourceKey};

const ID: &str = "dQw4w9WgXcQ";
const HOME: &str = "https://www.youtube.com/";

/// The interface, for one video.
fn interface(asked: &Asked) -> Answer {
    let body = match asked.url.split(['?']).next().unwrap_or_default() {
        path if path.ends_with("/visitor_id") => {
            json!({"responseContext": {"visitorData": VISITOR}})
        }
        path if path.ends_with("/player") => playable(ID, 18),
        HOME => {
            let settings = json!({"DATASYNC_ID": "77||123", "SESSION_INDEX": "2"});
            return Answer::page(format!("<script>ytcfg.set({settings});</script>"));
        }
        _ => return Answer::status(404, "{}"),
    };
    Answer::page(body.to_string())
}

/// A cookie file of a login.
fn cookie_file() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let line = |name: &str, value: &str| {
        format!(".youtube.com\tTRUE\t/\tTRUE\t4102444800\t{name}\t{value}\n")
    };
    let text = format!(
        "# Netscape HTTP Cookie File\n{}{}",
        line("LOGIN_INFO", "info"),
        line("SAPISID", "sid")
    );
    std::fs::write(file.path(), text).unwrap();
    file
}

#[tokio::test]
async fn video_is_extracted_over_the_network() {
    let upstream = Upstream::start(|asked, _| interface(asked)).await;
    let site = site(&[("YOUTUBE_COOKIES_PATH", "/nonexistent")]);
    let source = site.source(ID).unwrap();
    let extraction = site.extract(&upstream.client(), &source).await.unwrap();
    assert_eq!(extraction.id, ID);
    let asked = upstream.asked();
    assert!(
        asked.len() <= 4,
        "two visitor ids and two players: {}",
        asked.len()
    );
    for one in asked {
        let is_web = one.header("x-youtube-client-name") == "1";
        let cookies = one.header("cookie");
        assert_eq!(cookies.contains("SOCS=CAI"), is_web, "{}", one.url);
        assert_eq!(one.method, "POST");
        assert_eq!(one.header("authorization"), "");
    }
}

#[tokio::test]
async fn operator_cookies_go_to_web_clients_alone_and_stay_out_of_the_session() {
    let upstream = Upstream::start(|asked, _| interface(asked)).await;
    let file = cookie_file();
    let site = site(&[("YOUTUBE_COOKIES_PATH", file.path().to_str().unwrap())]);
    let source = site.source(ID).unwrap();
    let extraction = site.extract(&upstream.client(), &source).await.unwrap();
    assert!(extraction.session.cookies.is_empty());
    let asked = upstream.asked();
    let is_web = |one: &&Asked| one.header("x-youtube-client-name") == "1";
    assert!(asked.iter().any(|one| is_web(&one)));
    for one in &asked {
        let is_page = one.url == HOME || one.url.contains("/embed/");
        let has_login = one.header("cookie").contains("SAPISID=sid");
        assert_eq!(has_login, is_web(&one) || is_page, "{}", one.url);
        let proof = one.header("authorization");
        assert_eq!(
            proof.starts_with("SAPISIDHASH "),
            is_web(&one),
            "{}",
            one.url
        );
        if is_web(&one) {
            assert!(proof.ends_with("_u"), "{proof}");
            assert_eq!(one.header("x-goog-authuser"), "2");
            assert_eq!(one.header("x-goog-pageid"), "77");
        }
    }
    let homes = asked.iter().filter(|one| one.url == HOME);
    assert_eq!(homes.count(), 1, "who is logged in is asked once");
}

#[tokio::test]
async fn throttling_and_wrong_sources_are_errors() {
    let upstream =
        Upstream::start(|_, _| Answer::status(429, "{}").with("retry-after", "77")).await;
    let site = site(&[]);
    let mut source = site.source(ID).unwrap();
    let error = site.extract(&upstream.client(), &source).await.unwrap_err();
    let ExtractError::Blocked {
        block: Block::RateLimited,
        retry_after,
        ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!(retry_after.map(|wait| wait.as_secs()), Some(77));
    source.key = SourceKey::Short("x".to_owned());
    let error = site.extract(&upstream.client(), &source).await.unwrap_err();
    assert!(matches!(error, ExtractError::Refused(Refusal::BadUrl)));
}
