//! How an address may be posted: content types, forms, share texts.

use http::Method;
use serde_json::json;

use crate::harness::upstream::tiktok::{Item, serve_short_link};
use crate::harness::{Fetched, Stage, fetch};

const ID: &str = "7524919459643919621";

async fn post(stage: &Stage, content_type: Option<&str>, body: &[u8]) -> Fetched {
    let mut request = stage
        .api()
        .request(Method::POST, "/tiktok")
        .body(body.to_vec());
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    fetch(request).await
}

#[tokio::test]
async fn json_is_read_under_any_content_type() {
    let stage = Stage::new().await;
    let url = stage.serve(&Item::video(ID));
    let body = format!("\n {{ \"url\" : \" {url}\\n\", \"unknown\": [1, {{}}], \"lang\": 7 }}\r\n");
    for content_type in [
        None,
        Some("application/json"),
        Some("application/json; charset=utf-8"),
        Some("text/plain;charset=UTF-8"),
        Some("application/octet-stream"),
        Some("application/x-www-form-urlencoded"),
        Some("no/such; thing=\"x"),
    ] {
        let answer = post(&stage, content_type, body.as_bytes()).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["id"]),
            (200, &ID.into()),
            "{content_type:?}"
        );
    }
    stage.assert_well().await;
}

#[tokio::test]
async fn form_is_read_too() {
    let stage = Stage::new().await;
    let url = stage.serve(&Item::video(ID));
    let coded: String = url::form_urlencoded::byte_serialize(url.as_bytes()).collect();
    for content_type in [
        "application/x-www-form-urlencoded",
        "Application/X-WWW-Form-Urlencoded; charset=utf-8",
    ] {
        let body = format!("lang=en&url={coded}&max_height=576");
        let answer = post(&stage, Some(content_type), body.as_bytes()).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["id"]),
            (200, &ID.into())
        );
    }
}

#[tokio::test]
async fn address_is_found_in_a_share_text() {
    let stage = Stage::new().await;
    let url = stage.serve(&Item::video(ID));
    serve_short_link(stage.world(), &["https://vm.tiktok.com/ZMshare01/", &url]);
    for shared in [
        "Check this out! https://vm.tiktok.com/ZMshare01/ and tell me https://example.com"
            .to_owned(),
        format!("看看这个\u{3000}{url}?_t=8abc&_r=1\n复制此链接"),
        format!("(see {url})."),
        format!("<{url}>"),
        format!("„{url}“, she said"),
        format!("{url}，快看！"),
        url.replace("https://", "HTTPS://"),
        url.replace("https://www.", ""),
    ] {
        let answer = stage.post(&shared).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["id"]),
            (200, &ID.into()),
            "{shared}"
        );
    }
    stage.assert_well().await;
}

#[tokio::test]
async fn resolve_is_the_same_route_by_a_neutral_name() {
    let stage = Stage::new().await;
    let url = stage.serve(&Item::video(ID));
    let request = json!({ "url": url }).to_string();
    let mut bodies = Vec::new();
    for route in ["/tiktok", "/resolve"] {
        let answer = stage.api().post(route, &request).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("cache-control"), "no-store");
        bodies.push(answer);
    }
    let keys = |answer: &Fetched| {
        answer
            .json()
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(&bodies[0]), keys(&bodies[1]));
    let text = String::from_utf8_lossy(&bodies[0].body).into_owned();
    assert!(
        text.starts_with("{\"status\":\"tunnel\",\"code\":0,"),
        "scripts grep for it: {text}"
    );
}

#[tokio::test]
async fn body_may_have_64_kib() {
    let stage = Stage::new().await;
    let url = stage.serve(&Item::video(ID));
    let mut body = json!({ "url": url }).to_string();
    body.push_str(&" ".repeat(64 * 1024 - body.len()));
    assert_eq!(stage.api().post("/tiktok", &body).await.status, 200);
}
