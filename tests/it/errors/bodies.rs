//! Bodies of `POST /tiktok` that hold no address.

use http::Method;

use crate::harness::{Fetched, Stage, assert_refusal, fetch};

async fn post(stage: &Stage, body: &[u8], content_type: &str) -> Fetched {
    let request = stage.api().request(Method::POST, "/tiktok");
    fetch(
        request
            .header("content-type", content_type)
            .body(body.to_vec()),
    )
    .await
}

#[tokio::test]
async fn body_that_is_no_object_is_invalid_json() {
    let stage = Stage::new().await;
    let deep = format!("{{\"url\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    for body in [
        &b""[..],
        b"   ",
        b"[]",
        b"null",
        b"7",
        b"\"https://www.tiktok.com\"",
        b"{",
        b"{\"url\":",
        b"{'url':'x'}",
        b"{\"url\":\"x\"} trailing",
        b"{\"url\":\"\xff\xfe\"}",
        b"\x00\x01",
        b"<html>",
        deep.as_bytes(),
    ] {
        let refused = assert_refusal(
            &post(&stage, body, "application/json").await,
            422,
            "invalid_json",
        );
        assert_eq!(refused["message"], "Invalid JSON body");
    }
    stage.assert_well().await;
}

#[tokio::test]
async fn missing_and_mistyped_url_have_fastapi_details() {
    let stage = Stage::new().await;
    for body in [
        "{}",
        "{\"url\":null}",
        "{\"URL\":\"x\"}",
        "{\"data\":{\"url\":\"x\"}}",
    ] {
        let refused = assert_refusal(
            &post(&stage, body.as_bytes(), "application/json").await,
            422,
            "missing_field",
        );
        assert_eq!(refused["message"], "URL parameter is required");
        let detail = serde_json::json!([{ "type": "missing", "loc": ["body", "url"], "msg": "Field required" }]);
        assert_eq!(refused["detail"], detail);
    }
    for body in [
        "{\"url\":7}",
        "{\"url\":[]}",
        "{\"url\":{}}",
        "{\"url\":true}",
    ] {
        let refused = assert_refusal(
            &post(&stage, body.as_bytes(), "application/json").await,
            422,
            "invalid_field",
        );
        assert_eq!(
            refused["detail"][0]["loc"],
            serde_json::json!(["body", "url"])
        );
    }
    let form = post(&stage, b"link=x", "application/x-www-form-urlencoded").await;
    assert_refusal(&form, 422, "missing_field");
    stage.assert_well().await;
}

#[tokio::test]
async fn empty_url_is_missing_by_another_status() {
    let stage = Stage::new().await;
    for body in ["{\"url\":\"\"}", "{\"url\":\" \\n\\t\"}"] {
        let refused = assert_refusal(
            &post(&stage, body.as_bytes(), "application/json").await,
            400,
            "missing_field",
        );
        assert_eq!(refused["message"], "URL parameter is required");
    }
    let form = post(&stage, b"url=", "application/x-www-form-urlencoded").await;
    assert_refusal(&form, 400, "missing_field");
    stage.assert_well().await;
}

#[tokio::test]
async fn body_over_64_kib_is_too_large() {
    let stage = Stage::new().await;
    let large = " ".repeat(64 * 1024 + 1);
    assert_refusal(
        &post(&stage, large.as_bytes(), "application/json").await,
        413,
        "body_too_large",
    );
    let chunks =
        futures_util::stream::iter((0..500).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1024])));
    let request = stage
        .api()
        .request(Method::POST, "/resolve")
        .body(reqwest::Body::wrap_stream(chunks));
    assert_refusal(&fetch(request).await, 413, "body_too_large");
    stage.assert_well().await;
}
