//! What every error answer must be: the one JSON shape, readable by pages of any origin, without anything internal.

use serde_json::Value;

use super::api::Fetched;
use super::server::KEY;

/// Nothing of this may reach a client: names and addresses of upstreams, cookies, keys, paths, words of libraries.
/// `canary` marks what tests hide in cookies and proxies.
const INTERNAL: &[&str] = &[
    "canary",
    "127.0.0.1",
    "://",
    ".tiktok.com",
    "tiktokcdn",
    "webapp-prime",
    "tiktokv",
    "evil.example",
    "tt_chain_token",
    "signature",
    "/tmp/",
    "/root",
    "/home",
    "/src/",
    ".rs",
    "panicked",
    "stack",
    "reqwest",
    "hyper",
    "rustls",
    "serde",
    "tokio",
    "os error",
    "expected value",
];

/// Checks an error answer with a body; returns the body.
///
/// # Panics
/// It is not what api.md §7 says.
pub(crate) fn assert_refusal(answer: &Fetched, status: u16, code: &str) -> Value {
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, status, "{text}");
    assert_common_headers(answer);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(
        answer.header("content-length"),
        answer.body.len().to_string()
    );
    let body = answer.json();
    assert_eq!(body["error_code"], code, "{text}");
    assert_shape(&body, status, answer);
    assert_nothing_internal(answer, &text);
    body
}

/// Checks the answer to a HEAD that was refused: the headers of the error, no body.
pub(crate) fn assert_bare_refusal(answer: &Fetched, status: u16) {
    assert_eq!(answer.status, status);
    assert_common_headers(answer);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_ne!(answer.header("content-length"), "0");
    assert!(answer.body.is_empty() && answer.is_whole);
}

fn assert_common_headers(answer: &Fetched) {
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(
        answer.header("cross-origin-resource-policy"),
        "cross-origin"
    );
    assert!(!answer.header("x-request-id").is_empty());
    assert!(
        answer
            .header("access-control-expose-headers")
            .contains("retry-after")
    );
}

fn assert_shape(body: &Value, status: u16, answer: &Fetched) {
    let mut keys = vec![
        "status",
        "code",
        "error",
        "message",
        "detail",
        "error_code",
        "success",
        "request_id",
    ];
    if answer.headers.contains_key("retry-after") {
        keys.push("retry_after");
        assert_eq!(
            body["retry_after"].to_string(),
            answer.header("retry-after")
        );
    }
    if body["error_code"] == "region_blocked" && body.get("available_countries").is_some() {
        keys.push("available_countries");
    }
    let fields = body.as_object().expect("an object");
    assert_eq!(fields.keys().collect::<Vec<_>>(), keys, "{body:#}");
    assert_eq!(
        (&body["status"], &body["success"]),
        (&"error".into(), &false.into())
    );
    assert_eq!(body["code"], status);
    assert_eq!(body["error"], body["message"]);
    assert!(
        body["error"]
            .as_str()
            .is_some_and(|message| !message.is_empty())
    );
    assert_eq!(body["request_id"], answer.header("x-request-id"));
    if status == 422 && body["error_code"] != "invalid_json" {
        let detail = &body["detail"][0];
        assert!(
            detail["type"].is_string() && detail["loc"].is_array() && detail["msg"].is_string(),
            "{body:#}"
        );
    } else {
        assert_eq!(body["detail"], body["message"]);
    }
}

fn assert_nothing_internal(answer: &Fetched, text: &str) {
    let told = format!("{text}\n{:?}", answer.headers);
    let leaked: Vec<_> = INTERNAL
        .iter()
        .filter(|word| told.contains(**word))
        .collect();
    assert!(
        leaked.is_empty() && !told.contains(KEY),
        "{leaked:?} in {told}"
    );
}

/// What two refusals must have in common so that nothing can be learned from the difference.
pub(crate) fn without_request_id(answer: &Fetched) -> Value {
    let mut body = answer.json();
    body.as_object_mut()
        .expect("an object")
        .shift_remove("request_id");
    body
}
