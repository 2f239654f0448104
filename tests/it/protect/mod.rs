//! Keys, limits, and whom the server takes for its client.

mod limits;

use http::Method;
use serde_json::{Value, json};

use crate::harness::upstream::sha256_hex;
use crate::harness::upstream::tiktok::Item;
use crate::harness::{Builder, Fetched, Stage, TestServer, eventually, fetch, link};
use crate::observe::{figure, metrics};

const ID: &str = "7524919459643919921";
const PLAY: &str = "h264_720p_1490112";
const KEY: &str = "key-of-alice-0123456789";
const OTHER: &str = "key-of-bob-9876543210";

/// A request with further headers. The address is one that no site is asked about.
async fn ask(
    server: &TestServer,
    method: Method,
    route: &str,
    headers: &[(&str, &str)],
) -> Fetched {
    let mut request = server.api().request(method.clone(), route);
    if method == Method::POST {
        request = request.body(r#"{"url":"https://example.com/"}"#);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    fetch(request).await
}

/// Posts with one more header; returns status and error code.
async fn post(server: &TestServer, name: &str, value: &str) -> (u16, String) {
    let answer = ask(server, Method::POST, "/resolve", &[(name, value)]).await;
    let code = answer.json()["error_code"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    (answer.status.as_u16(), code)
}

/// The answer to a request that was let in: the address is of no site.
fn let_in() -> (u16, String) {
    (400, "unsupported_host".to_owned())
}

fn turned_away() -> (u16, String) {
    (401, "unauthorized".to_owned())
}

/// What every refusal has.
fn assert_shape(answer: &Fetched, status: u16, code: &str) {
    assert_eq!(answer.status.as_u16(), status);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    let body = answer.json();
    assert_eq!(
        (
            &body["status"],
            &body["code"],
            &body["error_code"],
            &body["success"]
        ),
        (&json!("error"), &json!(status), &json!(code), &json!(false))
    );
    for name in ["error", "message", "detail"] {
        assert_eq!(body[name], body["message"], "{name}");
    }
    assert_eq!(body["request_id"], answer.header("x-request-id"));
}

#[tokio::test]
async fn key_is_asked_for_where_sites_are_asked_and_nowhere_else() {
    let server = Builder::offline()
        .env("API_KEY", &format!("{KEY}, {OTHER}"))
        .start()
        .await;
    for route in ["/resolve", "/tiktok", "/playlist"] {
        let refused = ask(&server, Method::POST, route, &[]).await;
        assert_shape(&refused, 401, "unauthorized");
        assert_eq!(
            refused.header("www-authenticate"),
            "Bearer realm=\"serverrs\""
        );
        let accepted = ask(&server, Method::POST, route, &[("x-api-key", KEY)]).await;
        assert_eq!(accepted.status, 400, "{route}");
    }
    let bearer = format!("bearer {OTHER}");
    assert_eq!(post(&server, "authorization", &bearer).await, let_in());
    for (name, value) in [
        ("x-api-key", ""),
        ("x-api-key", "key-of-alice-012345678"),
        ("x-api-key", "key-of-alice-01234567890"),
        (
            "x-api-key",
            "key-of-alice-0123456789, key-of-bob-9876543210",
        ),
        ("authorization", KEY),
        ("authorization", "Basic a2V5"),
    ] {
        assert_eq!(
            post(&server, name, value).await,
            turned_away(),
            "{name}: {value}"
        );
    }
    for route in ["/", "/health", "/livez", "/readyz", "/metrics"] {
        assert_eq!(server.api().get(route).await.status, 200, "{route}");
    }
    // The link is the permission, and this one is none.
    let media = server.api().get("/stream?data=x").await;
    assert_shape(&media, 400, "link_invalid");
    let page = metrics(server.api()).await;
    let series = "serverrs_http_refused_total{class=\"resolve\",reason=\"unauthorized\"}";
    assert!((figure(&page, series) - 9.0).abs() < 0.5, "{page}");
    assert!(
        !server.logs().contains("key-of-"),
        "a key stands in the log"
    );
}

#[tokio::test]
async fn media_need_a_key_when_told_so() {
    let stage = Stage::with(|builder| builder.env("API_KEY", KEY).env("API_KEY_MEDIA", "1")).await;
    let url = stage.serve(&Item::video(ID));
    let asked = stage
        .api()
        .request(Method::POST, "/tiktok")
        .header("x-api-key", KEY);
    let body = fetch(asked.body(json!({ "url": url }).to_string()))
        .await
        .json();
    let link = link(&body, PLAY);
    assert_shape(&stage.api().get(&link).await, 401, "unauthorized");
    let head = stage.api().head(&link).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (401, 0));
    assert!(head.headers.contains_key("content-length"));
    let with_key = fetch(
        stage
            .api()
            .request(Method::GET, &link)
            .header("x-api-key", KEY),
    )
    .await;
    assert!(with_key.status == 200 && with_key.is_whole);
    let preflight = stage
        .api()
        .request(Method::OPTIONS, "/resolve")
        .header("origin", "https://page.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "x-api-key");
    let preflight = fetch(preflight).await;
    assert_eq!(preflight.status, 200);
    let allowed = preflight
        .header("access-control-allow-headers")
        .to_lowercase();
    assert!(allowed.contains("x-api-key") && allowed.contains("authorization"));
}

fn entry(id: &str, key: &str) -> Value {
    json!({ "id": id, "sha256": sha256_hex(key.as_bytes()) })
}

fn file(entries: &[Value]) -> String {
    Value::from(entries.to_vec()).to_string()
}

/// The keys that tests show, of which files hold the sums alone.
fn knowing_keys(builder: Builder) -> Builder {
    let names = ["1", "2", "3", "a", "b", "c"];
    names.iter().fold(builder, |builder, name| {
        builder.secret(&format!("key-number-{name}"))
    })
}

async fn with_keys(entries: &[Value]) -> TestServer {
    knowing_keys(Builder::offline())
        .file("keys.json", &file(entries))
        .env("API_KEYS_FILE", "keys.json")
        .start()
        .await
}

#[tokio::test]
async fn keys_of_the_file_have_routes_and_an_end() {
    let mut bound = entry("bound", "key-number-1");
    bound["routes"] = json!(["/playlist"]);
    let mut dead = entry("dead", "key-number-2");
    dead["expires"] = json!("2020-01-01T00:00:00Z");
    let mut alive = entry("alive", "key-number-3");
    // The year 2100.
    alive["expires"] = json!(4_102_444_800_u64);
    let server = with_keys(&[bound, dead, alive]).await;
    let bound = ask(
        &server,
        Method::POST,
        "/resolve",
        &[("x-api-key", "key-number-1")],
    )
    .await;
    assert_shape(&bound, 403, "forbidden");
    let listed = ask(
        &server,
        Method::POST,
        "/playlist",
        &[("x-api-key", "key-number-1")],
    )
    .await;
    assert_eq!(listed.status, 400);
    assert_eq!(
        post(&server, "x-api-key", "key-number-2").await,
        turned_away()
    );
    assert_eq!(post(&server, "x-api-key", "key-number-3").await, let_in());
}

#[tokio::test]
async fn file_of_keys_is_read_again_and_a_broken_one_changes_nothing() {
    let mut server = with_keys(&[entry("a", "key-number-a")]).await;
    let path = server.dir().join("keys.json");
    let whole = file(&[entry("b", "key-number-b"), entry("c", "key-number-c")]);
    std::fs::write(&path, &whole[..whole.len() / 2]).expect("half a file");
    eventually("the half is seen", async || {
        assert_eq!(post(&server, "x-api-key", "key-number-a").await, let_in());
        server.logs().contains("API keys not renewed").then_some(())
    })
    .await;
    std::fs::remove_file(&path).expect("no file");
    assert_eq!(post(&server, "x-api-key", "key-number-a").await, let_in());
    std::fs::write(&path, &whole).expect("a whole file");
    eventually("the whole is seen", async || {
        (post(&server, "x-api-key", "key-number-b").await == let_in()).then_some(())
    })
    .await;
    assert_eq!(
        post(&server, "x-api-key", "key-number-a").await,
        turned_away()
    );
    server.wait_for_log("API keys renewed").await;
}

#[tokio::test]
async fn settings_that_can_not_be_used_are_all_named() {
    let twice = file(&[entry("a", "k"), entry("a", "l")]);
    let (status, output) = Builder::offline()
        .file("keys.json", &twice)
        .env("API_KEY", "canary-canary-canary,canary-canary-canary")
        .env("API_KEYS_FILE", "keys.json")
        .env("API_KEY_MEDIA", "maybe")
        .env("RATE_LIMIT_PER_MINUTE", "1.5")
        .env("RATE_LIMIT_MEDIA_PER_MINUTE", "-1")
        .env("TRUSTED_PROXIES", "proxy.example")
        .env("METRICS_TOKEN_FILE", "nowhere")
        .run_to_end()
        .await;
    assert_eq!(status.code(), Some(78), "{output}");
    for name in [
        "API_KEY",
        "API_KEYS_FILE",
        "API_KEY_MEDIA",
        "RATE_LIMIT_PER_MINUTE",
        "RATE_LIMIT_MEDIA_PER_MINUTE",
        "TRUSTED_PROXIES",
        "METRICS_TOKEN_FILE",
    ] {
        assert!(output.contains(&format!("  {name}: ")), "{name}: {output}");
    }
    assert!(!output.contains("canary"), "{output}");
}

#[tokio::test]
async fn key_for_a_route_that_there_is_not_keeps_the_server_from_starting() {
    let mut wrong = entry("a", "key-number-a");
    wrong["routes"] = json!(["/resolve", "/facts"]);
    let (status, output) = knowing_keys(Builder::offline())
        .file("keys.json", &file(&[wrong]))
        .env("API_KEYS_FILE", "keys.json")
        .run_to_end()
        .await;
    assert_eq!(status.code(), Some(78), "{output}");
    assert!(output.contains("  API_KEYS_FILE: "), "{output}");
    assert!(output.contains("\"/facts\" asks for no key"), "{output}");
}

#[tokio::test]
async fn secrets_come_from_files_without_the_line_end() {
    let server = Builder::offline()
        .file("key", &format!("{KEY}\r\n"))
        .file("token", "token-of-metrics\n")
        .env("API_KEY_FILE", "key")
        .env("METRICS_TOKEN_FILE", "token")
        .start()
        .await;
    assert_eq!(post(&server, "x-api-key", KEY).await, let_in());
    let closed = server.api().get("/metrics").await;
    assert_shape(&closed, 401, "unauthorized");
    for (token, status) in [
        ("token-of-metrics", 200),
        ("token-of-metricz", 401),
        (KEY, 401),
    ] {
        let bearer = format!("Bearer {token}");
        let answer = ask(
            &server,
            Method::GET,
            "/metrics",
            &[("authorization", &bearer)],
        )
        .await;
        assert_eq!(answer.status.as_u16(), status, "{token}");
    }
}

#[tokio::test]
async fn only_named_origins_may_read() {
    let server = Builder::offline()
        .env("CORS_ORIGINS", "https://a.example, https://b.example/")
        .env("API_KEY", KEY)
        .start()
        .await;
    for (origin, allowed) in [
        ("https://a.example", "https://a.example"),
        ("https://b.example", "https://b.example"),
        ("https://c.example", ""),
        ("null", ""),
    ] {
        let answer = ask(&server, Method::POST, "/resolve", &[("origin", origin)]).await;
        assert_eq!(answer.status, 401);
        assert_eq!(
            answer.header("access-control-allow-origin"),
            allowed,
            "{origin}"
        );
        assert!(answer.header("vary").to_lowercase().contains("origin"));
    }
}
