//! How often a client may ask, and whom the server takes for its client.

use http::{Method, StatusCode};
use serde_json::json;

use super::{ask, assert_shape, entry, file, knowing_keys, let_in, post};
use crate::harness::{Builder, TestServer, eventually};
use crate::observe::{figure, metrics};

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
    server.assert_logged("client=2001:db8:0:7:ffff::2").await;
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
