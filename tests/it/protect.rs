//! Keys, limits, and whom the server takes for its client.

use http::{Method, StatusCode};
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

/// A server with a limit of so many requests a minute and further settings.
async fn limited(limit: u32, settings: &[(&str, &str)]) -> TestServer {
    let builder = Builder::offline().env("RATE_LIMIT_PER_MINUTE", &limit.to_string());
    let builder = settings
        .iter()
        .fold(builder, |builder, (name, value)| builder.env(name, value));
    builder.start().await
}

#[tokio::test]
async fn client_over_its_limit_is_told_when_to_come_back() {
    let server = limited(3, &[]).await;
    for remaining in ["2", "1", "0"] {
        let answer = ask(&server, Method::POST, "/resolve", &[]).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.header("ratelimit-limit"), "3");
        assert_eq!(answer.header("ratelimit-remaining"), remaining);
        let exposed = answer.header("access-control-expose-headers");
        assert!(exposed.contains("ratelimit-remaining"), "{exposed}");
    }
    let refused = ask(&server, Method::POST, "/tiktok", &[]).await;
    assert_shape(&refused, 429, "rate_limited");
    let wait: u64 = refused.header("retry-after").parse().expect("seconds");
    assert!((1..=20).contains(&wait), "{wait}");
    assert_eq!(refused.json()["retry_after"], wait);
    assert_eq!(refused.header("ratelimit-remaining"), "0");
    let reset: u64 = refused.header("ratelimit-reset").parse().expect("seconds");
    assert!((41..=60).contains(&reset), "{reset}");
    // Another class is counted apart, and what costs nothing is not counted.
    for _ in 0..3 {
        assert_eq!(server.api().get("/stream?data=x").await.status, 400);
    }
    let head = server.api().head("/stream?data=x").await;
    assert_eq!((head.status.as_u16(), head.body.len()), (429, 0));
    for _ in 0..20 {
        let health = server.api().get("/health").await;
        assert_eq!(health.status, 200);
        assert!(!health.headers.contains_key("ratelimit-limit"));
    }
    let page = metrics(server.api()).await;
    for class in ["resolve", "media"] {
        let series =
            format!("serverrs_http_refused_total{{class=\"{class}\",reason=\"rate_limited\"}}");
        assert!((figure(&page, &series) - 1.0).abs() < 0.5, "{page}");
    }
}

#[tokio::test]
async fn invented_addresses_of_a_stranger_do_not_count() {
    let server = limited(2, &[]).await;
    for number in 0..5_u16 {
        let invented = format!("198.51.100.{number}");
        let headers = [
            ("x-forwarded-for", invented.as_str()),
            ("x-real-ip", &invented),
            ("forwarded", &format!("for={invented}")),
        ];
        let answer = ask(&server, Method::POST, "/resolve", &headers).await;
        let expected = if number < 2 { 400 } else { 429 };
        assert_eq!(answer.status.as_u16(), expected, "{number}");
    }
}

#[tokio::test]
async fn client_behind_a_trusted_proxy_is_the_one_it_names() {
    let server = limited(1, &[("TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8")]).await;
    for (forwarded, expected) in [
        ("192.0.2.1", 400),
        ("192.0.2.1", 429),
        ("192.0.2.2", 400),
        // The client writes what stands to the left.
        ("192.0.2.9, 192.0.2.1", 429),
        ("192.0.2.1, 10.1.1.1", 429),
        ("2001:db8:0:7::1", 400),
        // The same /64.
        ("2001:db8:0:7:ffff::2", 429),
        ("2001:db8:0:8::1", 400),
    ] {
        let answer = ask(
            &server,
            Method::POST,
            "/resolve",
            &[("x-forwarded-for", forwarded)],
        )
        .await;
        assert_eq!(answer.status.as_u16(), expected, "{forwarded}");
    }
    assert!(server.logs().contains("client=2001:db8:0:7:ffff::2"));
}

#[tokio::test]
async fn key_has_a_limit_of_its_own() {
    let mut small = entry("small", "key-number-1");
    small["limit_per_minute"] = json!(1);
    let mut free = entry("free", "key-number-2");
    free["limit_per_minute"] = json!(0);
    let server = knowing_keys(Builder::offline())
        .file(
            "keys.json",
            &file(&[small, free, entry("plain", "key-number-3")]),
        )
        .env("API_KEYS_FILE", "keys.json")
        .env("RATE_LIMIT_PER_MINUTE", "2")
        .start()
        .await;
    let mut statuses = Vec::new();
    for key in [
        "key-number-1",
        "key-number-1",
        "key-number-2",
        "key-number-2",
        "key-number-2",
        "key-number-3",
        "key-number-3",
        "key-number-3",
    ] {
        statuses.push(post(&server, "x-api-key", key).await.0);
    }
    assert_eq!(statuses, [400, 429, 400, 400, 400, 400, 400, 429]);
    // Keys can't be tried out without end, and that costs those with a key nothing.
    let mut tries = Vec::new();
    for number in 0..4 {
        tries.push(post(&server, "x-api-key", &format!("try-{number}")).await.0);
    }
    assert_eq!(tries, [401, 401, 429, 429]);
    assert_eq!(post(&server, "x-api-key", "key-number-2").await, let_in());
}

#[tokio::test]
async fn flood_from_one_network_leaves_the_others_alone() {
    let server = limited(30, &[("TRUSTED_PROXIES", "127.0.0.1")]).await;
    let flood = (0..300).map(|number| {
        let host = format!("2001:db8:bad:1::{number:x}");
        let server = &server;
        async move {
            let headers = [("x-forwarded-for", host.as_str())];
            ask(server, Method::POST, "/resolve", &headers).await.status
        }
    });
    let (statuses, other) = tokio::join!(futures_util::future::join_all(flood), async {
        let headers = [("x-forwarded-for", "2001:db8:900d:1::1")];
        ask(&server, Method::POST, "/resolve", &headers)
            .await
            .status
    });
    assert_eq!(other, StatusCode::BAD_REQUEST);
    let served = statuses
        .iter()
        .filter(|status| **status == StatusCode::BAD_REQUEST);
    let served = served.count();
    // A few are earned back while the flood runs.
    assert!((30..=60).contains(&served), "{served}");
    let refused = statuses
        .iter()
        .filter(|status| **status == StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.count(), 300 - served);
    assert!(
        eventually("it is well", async || {
            Some(server.api().get("/health").await.status == 200)
        })
        .await
    );
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
