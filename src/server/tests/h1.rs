//! HTTP/1.1 on the wire: names, sizes, counts, panics.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

async fn answer_to(head: &str) -> String {
    let server = start(config(), hello());
    let mut client = Client::connect(&server).await;
    client.send(head).await;
    client.read_until("\r\n\r\n").await
}

#[tokio::test]
async fn header_names_are_title_case() {
    let head = answer_to(GET).await;
    assert!(head.contains("\r\nContent-Type: text/plain"), "{head}");
    assert!(head.contains("\r\nContent-Length: 5\r\n"), "{head}");
}

#[tokio::test]
async fn peer_address_is_an_extension() {
    let server = start(config(), hello());
    let mut client = Client::connect(&server).await;
    let own = client.0.local_addr().unwrap().to_string();
    client
        .send("GET /addr HTTP/1.1\r\nHost: test\r\n\r\n")
        .await;
    client.read_until(&own).await;
}

#[tokio::test]
async fn target_over_16_kib_reaches_the_router() {
    let target = "a".repeat(17 * 1024);
    let head = answer_to(&format!("GET /{target} HTTP/1.1\r\nHost: test\r\n\r\n")).await;
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
}

#[tokio::test]
async fn head_over_its_limit_is_431() {
    let head = answer_to(&format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(33 * 1024))).await;
    assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
}

#[tokio::test]
async fn fields_over_their_limit_are_431() {
    let fields = "X: 1\r\n".repeat(64);
    let head = answer_to(&format!("GET / HTTP/1.1\r\nHost: test\r\n{fields}\r\n")).await;
    assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_turn() {
    let server = start(config(), hello());
    let mut client = Client::connect(&server).await;
    let last = "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    client.send(format!("{GET}{GET}{last}")).await;
    let answers = client.read_to_end().await.unwrap();
    assert_eq!(answers.matches("hello").count(), 3);
}

#[tokio::test]
async fn panic_ends_its_own_connection_only() {
    let panicking = Router::new().route("/", get(async || "hello")).route(
        "/panic",
        get(async || -> &'static str { panic!("on purpose") }),
    );
    let server = start(config(), panicking);
    let mut other = Client::connect(&server).await;
    other.say_hello().await;
    let mut client = Client::connect(&server).await;
    client
        .send("GET /panic HTTP/1.1\r\nHost: test\r\n\r\n")
        .await;
    assert_eq!(client.read_to_end().await.unwrap(), "");
    other.say_hello().await;
}

#[tokio::test]
async fn client_over_its_connections_is_closed_until_one_ends() {
    let mut config = config();
    config.max_connections_per_client = 2;
    let server = start(config, hello());
    let mut first = Client::connect(&server).await;
    let mut second = Client::connect(&server).await;
    first.say_hello().await;
    second.say_hello().await;
    let mut third = Client::connect(&server).await;
    assert_eq!(third.read_to_end().await.unwrap(), "");
    drop(first);
    let served = async {
        loop {
            let mut next = Client::connect(&server).await;
            // A refused connection may already be reset when the request is written.
            let _ = next.0.write_all(GET.as_bytes()).await;
            let mut byte = [0];
            if matches!(next.0.read(&mut byte).await, Ok(1)) {
                break;
            }
        }
    };
    timeout(PATIENCE, served).await.unwrap();
    second.say_hello().await;
}

#[tokio::test]
async fn trusted_proxy_is_not_counted() {
    let mut config = config();
    config.max_connections_per_client = 1;
    config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let server = start(config, hello());
    let mut first = Client::connect(&server).await;
    first.say_hello().await;
    Client::connect(&server).await.say_hello().await;
}

#[tokio::test]
async fn connection_over_the_total_waits_for_its_turn() {
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&requests);
    let count = async move || {
        counter.fetch_add(1, Ordering::SeqCst);
        "hello"
    };
    let mut config = config();
    config.max_connections = 1;
    let server = start(config, Router::new().route("/", get(count)));
    let mut first = Client::connect(&server).await;
    first.say_hello().await;
    let mut second = Client::connect(&server).await;
    second.send(GET).await;
    first.say_hello().await;
    assert_eq!(requests.load(Ordering::SeqCst), 2);
    drop(first);
    second.read_until("hello").await;
    assert_eq!(requests.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn client_that_leaves_ends_the_body() {
    let (router, feed) = fed();
    let server = start(config(), router);
    let mut client = Client::connect(&server).await;
    client.send(GET).await;
    feed.send(Bytes::from_static(b"piece")).await.unwrap();
    client.read_until("piece").await;
    drop(client);
    timeout(PATIENCE, feed.closed()).await.unwrap();
}
