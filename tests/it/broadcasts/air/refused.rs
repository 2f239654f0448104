//! What is not put on air, and what is told of it.

use http::Method;
use serde_json::json;

use super::{LIST, SMALL, Studio};
use crate::broadcasts::{ask, assert_error, builder, get, made, route};
use crate::harness::ingest::Manner;
use crate::harness::upstream::youtube::{Layout, Playlist, Refusal, Video};

#[tokio::test]
async fn private_targets_are_refused_before_anything_runs() {
    let server = builder().start().await;
    for target in [
        "rtmp://127.0.0.1/live",
        "rtmp://localhost/live",
        "rtmp://2130706433/live",
        "rtmp://[::1]/live",
        "rtmp://10.0.0.1:1935/live",
        "rtmp://169.254.169.254/latest",
        "rtmps://nas.local/live",
    ] {
        let body = json!({ "title": "T", "playlist_id": LIST, "target_url": target });
        for path in ["/broadcasts", "/broadcasts/validate"] {
            let answer = ask(&server, Method::POST, path, Some(body.clone())).await;
            assert_error(&answer, 422, "target_forbidden");
        }
    }
}

#[tokio::test]
async fn start_wants_what_it_needs() {
    let server = builder().start().await;
    for (fields, status, code) in [
        (json!({}), 422, "invalid_field"),
        (
            json!({ "target_url": "rtmp://a.example/live" }),
            422,
            "invalid_field",
        ),
    ] {
        let record = made(&server, fields).await;
        let answer = ask(
            &server,
            Method::POST,
            &format!("{}/start", route(&record)),
            None,
        )
        .await;
        assert_error(&answer, status, code);
        assert_eq!(get(&server, &route(&record)).await["status"], "created");
        let answer = ask(
            &server,
            Method::POST,
            &format!("{}/skip", route(&record)),
            None,
        )
        .await;
        assert_error(&answer, 409, "broadcast_not_running");
        let answer = ask(
            &server,
            Method::POST,
            &format!("{}/stop", route(&record)),
            None,
        )
        .await;
        assert_eq!(answer.status, 200);
    }
}

#[tokio::test]
async fn lists_that_give_nothing_fail_with_the_words_of_old() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let private = Playlist::new(LIST, Layout::Classic, 1).alerting("This playlist is private.");
    studio.youtube.playlist(private);
    let dead = Playlist::new("PLdead0000000000000000", Layout::Classic, 2);
    for entry in &dead.entries {
        studio
            .youtube
            .video(Video::new(&entry.id).refusing(Refusal::NotAvailable));
    }
    let dead_id = dead.id.clone();
    studio.youtube.playlist(dead);
    for (list, words) in [
        (LIST, "Failed to extract playlist videos"),
        (dead_id.as_str(), "Failed to extract any video URLs"),
    ] {
        let record = studio.start(json!({ "playlist_id": list })).await;
        let failed = studio
            .until(&record, "the failure", |status| {
                status["status"] == "failed"
            })
            .await;
        assert_eq!(failed["last_error"]["code"], "no_playable_items");
        let message = failed["last_error"]["message"].as_str().unwrap();
        assert!(message.starts_with(words), "{message}");
        assert_eq!(failed["pids"], json!([]));
    }
}

#[tokio::test]
async fn missing_ffmpeg_is_named() {
    let with = |builder: crate::harness::Builder| builder.env("FFMPEG_PATH", "/nonexistent/ffmpeg");
    let Some(studio) = Studio::with([Manner::Keep], with).await else {
        return;
    };
    let record = studio.start(json!({})).await;
    let failed = studio
        .until(&record, "the failure", |status| {
            status["status"] == "failed"
        })
        .await;
    assert_eq!(failed["last_error"]["code"], "ffmpeg_missing");
    assert_eq!(studio.ingest.publications().len(), 0);
}

#[tokio::test]
async fn as_many_run_as_are_allowed() {
    let with = |builder: crate::harness::Builder| builder.env("BROADCAST_MAX_RUNNING", "1");
    let Some(studio) = Studio::with([Manner::Keep], with).await else {
        return;
    };
    studio.list(&[(SMALL, 30)]).await;
    let first = studio.start(json!({})).await;
    let second = studio.make(json!({})).await;
    let path = format!("{}/start", route(&second));
    let answer = ask(studio.server(), Method::POST, &path, None).await;
    assert_error(&answer, 409, "too_many_broadcasts");
    studio.post(&first, "stop?wait=30").await;
    let answer = ask(studio.server(), Method::POST, &path, None).await;
    assert_eq!(answer.status, 202);
    let answer = ask(
        studio.server(),
        Method::DELETE,
        &format!("{}?force=true", route(&second)),
        None,
    )
    .await;
    assert_eq!(answer.status, 204);
}
