//! Routes, methods, limits of a request, and pages of other origins.

use http::Method;

use crate::harness::{Builder, Stage, assert_bare_refusal, assert_refusal, fetch, raw};

#[tokio::test]
async fn unknown_route_is_named_as_such() {
    let stage = Stage::new().await;
    for path in [
        "/nope",
        "/tiktok/",
        "/stream/x",
        "/..%2f..%2fetc/passwd",
        "//",
        "/%00",
        "/index.html",
        "/.env",
    ] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let answer = fetch(stage.api().request(method, path)).await;
            assert_refusal(&answer, 404, "route_not_found");
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(
                text.contains("\"error\":\"Route not found\""),
                "scripts grep for it: {text}"
            );
        }
        assert_bare_refusal(&stage.api().head(path).await, 404);
    }
    stage.assert_well().await;
}

#[tokio::test]
async fn wrong_method_names_the_right_ones() {
    let stage = Stage::new().await;
    for (path, wrong, right) in [
        (
            "/tiktok",
            vec![Method::GET, Method::PUT, Method::DELETE, Method::PATCH],
            vec!["POST"],
        ),
        ("/resolve", vec![Method::GET], vec!["POST"]),
        (
            "/stream",
            vec![Method::POST, Method::PUT],
            vec!["GET", "HEAD"],
        ),
        ("/download", vec![Method::POST], vec!["GET", "HEAD"]),
        (
            "/health",
            vec![Method::POST, Method::DELETE],
            vec!["GET", "HEAD"],
        ),
        ("/", vec![Method::POST], vec!["GET", "HEAD"]),
    ] {
        for method in wrong {
            let answer = fetch(stage.api().request(method.clone(), path)).await;
            let body = assert_refusal(&answer, 405, "method_not_allowed");
            assert_eq!(body["message"], "Method Not Allowed");
            let mut allowed: Vec<_> = answer.header("allow").split(',').map(str::trim).collect();
            allowed.sort_unstable();
            assert_eq!(allowed, right, "{method} {path}");
        }
    }
    assert_bare_refusal(&stage.api().head("/tiktok").await, 405);
    stage.assert_well().await;
}

#[tokio::test]
async fn target_over_16_kib_is_too_long() {
    let stage = Stage::new().await;
    let longest = format!("/health?{}", "a".repeat(16 * 1024 - "/health?".len()));
    assert_eq!(stage.api().get(&longest).await.status, 200);
    for path in [
        format!("{longest}a"),
        format!("/stream?data={}", "A".repeat(20_000)),
        format!("/{}", "x".repeat(17_000)),
    ] {
        assert_refusal(&stage.api().get(&path).await, 414, "target_too_long");
    }
    stage.assert_well().await;
}

#[tokio::test]
async fn body_that_does_not_come_is_given_up() {
    let server = Builder::offline().env("BODY_TIMEOUT", "1").start().await;
    let request = "POST /tiktok HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"url\":";
    let answer = raw(server.base(), request).await;
    assert_eq!(answer.status_line, "HTTP/1.1 408 Request Timeout");
    assert!(
        answer
            .headers
            .contains(&"Access-Control-Allow-Origin: *".to_owned()),
        "{:?}",
        answer.headers
    );
    let body: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(
        (&body["error_code"], &body["code"]),
        (&"body_timeout".into(), &408.into())
    );
    assert_eq!(server.api().get("/health").await.status, 200);
}

#[tokio::test]
async fn requests_that_are_no_http_end_their_connection_and_nothing_else() {
    let server = Builder::offline().start().await;
    for request in [
        "GARBAGE\r\n\r\n",
        "GET /health HTTP/9.9\r\nHost: x\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST /tiktok HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        "GET /health HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n",
        "GET /\u{e9} HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n",
    ] {
        let answer = raw(server.base(), request).await;
        assert!(
            answer.status_line.starts_with("HTTP/1.1 4"),
            "{request:?}: {}",
            answer.status_line
        );
        assert_eq!(server.api().get("/health").await.status, 200);
    }
}

#[tokio::test]
async fn pages_of_any_origin_may_ask_and_read() {
    let stage = Stage::new().await;
    for path in [
        "/",
        "/tiktok",
        "/resolve",
        "/stream",
        "/download",
        "/health",
        "/nope",
    ] {
        let preflight = stage
            .api()
            .request(Method::OPTIONS, path)
            .header("origin", "https://page.example")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type,range");
        let answer = fetch(preflight).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.status);
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert_eq!(answer.header("access-control-max-age"), "600");
        assert!(
            !answer
                .headers
                .contains_key("access-control-allow-credentials")
        );
        for method in ["GET", "POST", "HEAD", "OPTIONS"] {
            assert!(
                answer
                    .header("access-control-allow-methods")
                    .contains(method),
                "{method}"
            );
        }
        for name in [
            "origin",
            "content-type",
            "content-length",
            "accept-encoding",
            "authorization",
            "range",
            "x-api-key",
        ] {
            let allowed = answer
                .header("access-control-allow-headers")
                .to_ascii_lowercase();
            assert!(
                allowed.split(',').any(|allowed| allowed.trim() == name),
                "{name} is not in {allowed}"
            );
        }
    }
}

#[tokio::test]
async fn origins_can_be_restricted() {
    let stage = Stage::with(|builder| {
        builder.env("CORS_ORIGINS", "https://one.example, https://two.example/")
    })
    .await;
    for (origin, allowed) in [
        ("https://one.example", "https://one.example"),
        ("https://two.example", "https://two.example"),
        ("https://three.example", ""),
    ] {
        for path in ["/health", "/nope"] {
            let answer = fetch(
                stage
                    .api()
                    .request(Method::GET, path)
                    .header("origin", origin),
            )
            .await;
            assert_eq!(
                answer.header("access-control-allow-origin"),
                allowed,
                "{origin} {path}"
            );
        }
    }
}
