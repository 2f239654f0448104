//! Broadcasts through the shipped binary.

mod abroad;
mod accounts;
mod air;
mod followers;
mod gates;
mod lists;
mod live;
mod orphans;
mod races;
mod records;
mod schedule;
mod starts;
mod store;

use http::Method;
use serde_json::{Value, json};

pub(crate) use air::srt::has_srt;
pub(crate) use air::{has_ffmpeg, until};

use crate::harness::{Builder, Fetched, TestServer, fetch};

/// The token of the family.
pub(crate) const TOKEN: &str = "a-token-of-tests-7f3c";
/// A list that exists nowhere.
pub(crate) const LIST: &str = "PLharbour00000000000000";
/// A stream key that must be found nowhere.
pub(crate) const CANARY: &str = "canary-key-5d0c1f-9b+/~ü";

/// A server whose broadcasts may be used.
fn builder() -> Builder {
    Builder::offline()
        .env("BROADCAST_API_TOKEN", TOKEN)
        .env("STREAM_TEMP_DIR", "streams")
}

/// Asks with the token.
pub(crate) async fn ask(
    server: &TestServer,
    method: Method,
    route: &str,
    body: Option<Value>,
) -> Fetched {
    let request = server
        .api()
        .request(method, route)
        .header("authorization", format!("Bearer {TOKEN}"));
    let request = match body {
        Some(body) => request.body(body.to_string()),
        None => request,
    };
    fetch(request).await
}

/// What a route answers, which must be good.
pub(crate) async fn get(server: &TestServer, route: &str) -> Value {
    let answer = ask(server, Method::GET, route, None).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()
}

/// Makes a broadcast with these fields besides those that are needed; returns the record.
pub(crate) async fn made(server: &TestServer, fields: Value) -> Value {
    let mut all = json!({ "title": "Harbour", "playlist_id": LIST });
    let all_fields = all.as_object_mut().expect("an object");
    all_fields.extend(fields.as_object().expect("an object").clone());
    all_fields.retain(|_, value| !value.is_null());
    let answer = ask(server, Method::POST, "/broadcasts", Some(all)).await;
    assert_eq!(answer.status, 201, "{}", answer.json());
    answer.json()
}

/// Where a record lies.
pub(crate) fn route(record: &Value) -> String {
    format!("/broadcasts/{}", record["id"].as_str().expect("an id"))
}

/// The answer is an error of the one shape.
#[track_caller]
fn assert_error(answer: &Fetched, status: u16, code: &str) {
    let body = answer.json();
    assert_eq!(
        (answer.status.as_u16(), &body["error_code"]),
        (status, &json!(code)),
        "{body}"
    );
    assert_eq!(
        (&body["status"], &body["code"]),
        (&json!("error"), &json!(status))
    );
    assert!(body["request_id"].is_string() && body["message"].is_string());
    assert_eq!(answer.header("cache-control"), "no-store");
}
