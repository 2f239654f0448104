//! Starts that come together, and lists that have nothing to start with.

use futures_util::future::join_all;
use http::Method;
use serde_json::json;

use super::{LIST, SMALL, Studio, ask, route};
use crate::harness::ingest::Manner;
use crate::harness::upstream::youtube::{Layout, Playlist};

#[tokio::test]
async fn starts_at_the_same_time_are_one() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    studio.list(&[(SMALL, 20)]).await;
    let record = studio.make(json!({})).await;
    let path = format!("{}/start", route(&record));
    let asking = (0..8).map(|_| ask(studio.server(), Method::POST, &path, None));
    let mut answers: Vec<u16> = join_all(asking)
        .await
        .iter()
        .map(|answer| answer.status.as_u16())
        .collect();
    answers.sort_unstable();
    // The first one starts it; to those that come while it begins, it may be as good as started by them.
    assert!(
        answers.iter().all(|status| [200, 202].contains(status)),
        "{answers:?}"
    );
    studio
        .until(&record, "on air", |status| status["status"] == "running")
        .await;
    let health = studio.server().api().get("/health").await.json();
    assert_eq!(health["broadcast"]["running"], 1);
    let again = ask(studio.server(), Method::POST, &path, None).await;
    assert_eq!(
        (again.status.as_u16(), &again.json()["status"]),
        (200, &json!("running"))
    );
    studio.post(&record, "stop?wait=30").await;
    assert_eq!(studio.ingest.publications().len(), 1, "connections");
}

#[tokio::test]
async fn empty_list_is_no_broadcast() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    studio
        .youtube
        .playlist(Playlist::new(LIST, Layout::Classic, 0));
    let record = studio.start(json!({})).await;
    let failed = studio
        .until(&record, "the failure", |status| {
            status["status"] == "failed"
        })
        .await;
    assert_eq!(failed["last_error"]["code"], "no_playable_items");
    let message = failed["last_error"]["message"].as_str().unwrap();
    assert!(message.starts_with("Failed to extract"), "{message}");
    assert_eq!(failed["pids"], json!([]));
}
