//! More clients than places: they wait in turn, and what can't wait is told when to come back.

use std::time::{Duration, Instant};

use http::StatusCode;

use crate::harness::upstream::{Fault, Gate, Rule};
use crate::harness::{Builder, Fetched, TestServer};
use crate::raw::Stage;
use crate::raw::h1::{End, Raw};

/// A stage with one place, taken by a client whose upstream waits for the gate.
async fn full(settings: &[(&str, &str)]) -> (Stage, Raw, Gate) {
    let one_place = [settings, &[("MAX_STREAMS", "1")]].concat();
    let stage = Stage::new(100_003, &one_place).await;
    let gate = Gate::new();
    let stall = Fault::Stall {
        at: 1,
        gate: gate.clone(),
    };
    let rule = Rule::address(&stage.file.address, stall).besides_tail();
    stage.upstream.world.fault(rule.nth(1));
    let client = stage.begun(stage.connect().await).await;
    stage.streams(1).await;
    (stage, client, gate)
}

fn assert_busy(fetched: &Fetched) {
    assert_eq!(fetched.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(fetched.json()["error_code"], "busy");
    let seconds: u64 = fetched.header("retry-after").parse().expect("seconds");
    assert!((1..=30).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn second_client_waits_for_its_time_and_is_told_to_come_back() {
    let (stage, _client, _gate) = full(&[("QUEUE_TIMEOUT", "1")]).await;
    let asked = Instant::now();
    let fetched = stage.server.api().get(&stage.file.link).await;
    assert_busy(&fetched);
    assert!(asked.elapsed() >= Duration::from_secs(1));
    // What is not a transfer does not queue.
    assert_eq!(stage.health().await["streams"]["active"], 1);
}

#[tokio::test]
async fn client_that_finds_the_queue_full_is_told_at_once() {
    let (stage, _client, _gate) = full(&[("QUEUE_TIMEOUT", "600"), ("MAX_QUEUE", "1")]).await;
    let mut waiting = stage.connect().await;
    waiting.get(&stage.file.link).await;
    while stage.health().await["queue"]["waiting"] != 1 {}
    assert_busy(&stage.server.api().get(&stage.file.link).await);
    drop(waiting);
    while stage.health().await["queue"]["waiting"] != 0 {}
}

#[tokio::test]
async fn waiting_client_is_served_when_the_place_becomes_free() {
    let (stage, mut client, gate) = full(&[("QUEUE_TIMEOUT", "600")]).await;
    let mut waiting = stage.connect().await;
    waiting.get(&stage.file.link).await;
    while stage.health().await["queue"]["waiting"] != 1 {}
    gate.open();
    let owed = stage.file.media.payload.whole();
    assert_eq!(client.take(owed.len()).await, owed);
    assert!(waiting.head().await.starts_with("HTTP/1.1 200 "));
    assert_eq!(waiting.take(owed.len()).await, owed);
    stage.streams(0).await;
}

/// A server with one more setting, to which nothing is connected.
async fn limited(name: &str, value: &str) -> TestServer {
    Builder::offline().env(name, value).start().await
}

/// A connection that has had an answer.
async fn answered(server: &TestServer) -> Raw {
    let mut client = Raw::connect(server.base()).await;
    client.get("/health").await;
    assert_eq!(client.answer().await, "HTTP/1.1 200 OK");
    client
}

/// Whether a further connection is answered, and not closed before it is read.
async fn is_admitted(server: &TestServer) -> bool {
    let mut client = Raw::connect(server.base()).await;
    let sent = client
        .send("GET /health HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        .await;
    let (answer, _) = client.until_end().await;
    sent.is_ok() && answer.starts_with(b"HTTP/1.1 200 OK\r\n")
}

#[tokio::test]
async fn connection_over_the_limit_of_its_client_is_closed_without_a_word() {
    let server = limited("MAX_CONNECTIONS_PER_CLIENT", "2").await;
    let (mut first, second) = (answered(&server).await, answered(&server).await);
    let third = Raw::connect(server.base()).await;
    assert_eq!(third.until_end().await, (Vec::new(), End::Closed));
    first.get("/health").await;
    assert_eq!(first.answer().await, "HTTP/1.1 200 OK");
    // Its place is free a moment after the client has seen the end.
    second.close().await;
    while !is_admitted(&server).await {}
}

#[tokio::test]
async fn connection_over_the_total_waits_until_one_ends() {
    let server = limited("MAX_CONNECTIONS", "2").await;
    let (mut first, second) = (answered(&server).await, answered(&server).await);
    let mut third = Raw::connect(server.base()).await;
    third.get("/health").await;
    first.get("/health").await;
    first.answer().await;
    assert!(third.is_silent());
    drop(second);
    assert_eq!(third.answer().await, "HTTP/1.1 200 OK");
}
