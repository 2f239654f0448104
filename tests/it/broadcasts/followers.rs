//! Followers of a broadcast when the server ends: they hear the last of it, and keep nobody waiting.

use http::Method;
use reqwest::Response;
use serde_json::{Value, json};

use super::{TOKEN, builder, made, route};
use crate::harness::TestServer;

/// Longer than a test waits for the end of a server.
pub(super) const LONG_GRACE: (&str, &str) = ("SHUTDOWN_GRACE", "600");

/// An answer of events that has begun to come.
pub(super) struct Following {
    answer: Response,
    seen: String,
}

impl Following {
    pub(super) async fn of(server: &TestServer, record: &Value, what: &str) -> Self {
        let path = format!("{}/{what}", route(record));
        let request = server.api().request(Method::GET, &path);
        let request = request.header("authorization", format!("Bearer {TOKEN}"));
        let mut answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let first = answer.chunk().await.unwrap().expect("a beginning");
        let seen = String::from_utf8_lossy(&first).into_owned();
        Self { answer, seen }
    }

    /// All that came, which must have ended as HTTP says it should.
    pub(super) async fn rest(mut self) -> String {
        while let Some(piece) = self.answer.chunk().await.expect("a good end") {
            self.seen += &String::from_utf8_lossy(&piece);
        }
        self.seen
    }
}

#[tokio::test]
async fn server_ends_though_a_broadcast_that_is_not_on_air_is_followed() {
    let (name, value) = LONG_GRACE;
    let server = builder().env(name, value).start().await;
    let record = made(&server, json!({})).await;
    let events = Following::of(&server, &record, "events?stats_interval=60").await;
    let logs = Following::of(&server, &record, "logs?follow=true").await;
    let (status, _) = server.stop().await;
    assert_eq!(status.code(), Some(0));
    let seen = events.rest().await;
    assert!(seen.contains("event: stats\n"), "{seen}");
    logs.rest().await;
}
