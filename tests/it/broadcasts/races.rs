//! Requests that come together: whatever order they are taken in, each answer is true.

use http::Method;
use serde_json::{Value, json};

use super::air::{SMALL, Studio};
use super::{ask, builder, get, made, route};
use crate::harness::ingest::Manner;
use crate::harness::{Fetched, eventually};

/// Rounds of each race: without the lock a deletion beside a start was lost in 9 rounds of 36, the others in most.
const ROUNDS: usize = 24;

/// A studio with something to play; `None` when there is no FFmpeg here.
async fn studio() -> Option<Studio> {
    let studio = Studio::new([Manner::Keep]).await?;
    studio.list(&[(SMALL, 20)]).await;
    Some(studio)
}

/// Starts a new broadcast while another request is made of it; the record, and both answers.
async fn start_beside(
    studio: &Studio,
    method: Method,
    body: Option<Value>,
) -> (Value, Fetched, Fetched) {
    let server = studio.server();
    let record = studio.make(json!({})).await;
    let (path, start) = (route(&record), format!("{}/start", route(&record)));
    let (started, answered) = tokio::join!(
        ask(server, Method::POST, &start, None),
        ask(server, method, &path, body),
    );
    (record, started, answered)
}

#[tokio::test]
async fn broadcast_that_is_deleted_does_not_run() {
    let Some(studio) = studio().await else {
        return;
    };
    let server = studio.server();
    for round in 0..ROUNDS {
        let (record, started, deleted) = start_beside(&studio, Method::DELETE, None).await;
        let answers = (started.status.as_u16(), deleted.status.as_u16());
        assert!(
            matches!(answers, (202, 409) | (404, 204)),
            "round {round}: {answers:?}"
        );
        let path = format!("{}?force=true", route(&record));
        let gone = ask(server, Method::DELETE, &path, None).await;
        assert!(matches!(gone.status.as_u16(), 204 | 404), "round {round}");
    }
    eventually("the end of all programs", async || {
        let health = server.api().get("/health").await.json();
        let broadcast = &health["broadcast"];
        (broadcast["running"] == 0 && broadcast["children"] == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn broadcast_is_sent_where_its_record_says() {
    let Some(studio) = studio().await else {
        return;
    };
    let server = studio.server();
    let other = format!("rtmp://127.0.0.1:{}/other", studio.ingest.port);
    for round in 0..ROUNDS {
        let patch = json!({ "target_url": other });
        let (record, started, changed) = start_beside(&studio, Method::PATCH, Some(patch)).await;
        let path = route(&record);
        assert_eq!(started.status, 202, "round {round}: {}", started.json());
        let is_changed = changed.status == 200;
        assert!(is_changed || changed.status == 409, "round {round}");
        let status = studio
            .until(&record, "the output", |status| {
                status["output"]["target"].is_string()
            })
            .await;
        let record = get(server, &path).await;
        let target = record["target_url"].as_str().unwrap();
        assert_eq!(
            status["output"]["target"],
            format!("{target}/***"),
            "round {round}"
        );
        assert_eq!(target == other, is_changed, "round {round}");
        let path = format!("{path}?force=true");
        let gone = ask(server, Method::DELETE, &path, None).await;
        assert_eq!(gone.status, 204, "round {round}");
    }
}

#[tokio::test]
async fn changes_that_come_together_are_all_kept() {
    let server = builder().start().await;
    let record = made(&server, json!({})).await;
    let path = route(&record);
    for round in 0..ROUNDS {
        let (title, description) = (format!("title {round}"), format!("description {round}"));
        let change = |patch| ask(&server, Method::PATCH, &path, Some(patch));
        let (one, other) = tokio::join!(
            change(json!({ "title": title })),
            change(json!({ "description": description })),
        );
        assert_eq!((one.status.as_u16(), other.status.as_u16()), (200, 200));
        let record = get(&server, &path).await;
        assert_eq!(record["title"], title, "round {round}");
        assert_eq!(record["description"], description, "round {round}");
    }
}
