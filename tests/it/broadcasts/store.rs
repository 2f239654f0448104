//! The database: what survives, and what happens when it can't be used.

use http::Method;
use serde_json::{Value, json};

use super::{CANARY, ask, assert_error, builder, get, made, route};
use crate::harness::{Builder, KEY};

#[tokio::test]
async fn records_survive_a_restart_and_only_their_user_reads_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::TempDir::new().unwrap();
    let file = dir.path().join("deep/er/db");
    let path = file.to_string_lossy().into_owned();
    let started = || builder().env("BROADCAST_DB", &path).start();
    let server = started().await;
    let record = made(&server, json!({ "stream_key": CANARY })).await;
    let logs = get(&server, &format!("{}/logs", route(&record))).await;
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    // Without a chance to tidy up.
    server.signal("KILL").await;
    drop(server);
    let server = started().await;
    assert_eq!(get(&server, &route(&record)).await, record);
    assert_eq!(
        get(&server, &format!("{}/logs", route(&record))).await,
        logs
    );
    let (status, _) = server.stop().await;
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn unusable_database_takes_broadcasts_with_it_and_nothing_else() {
    let dir = tempfile::TempDir::new().unwrap();
    let broken = dir.path().join("broken");
    std::fs::write(
        &broken,
        "SQLite format 3\0 and then nothing of it".repeat(100),
    )
    .unwrap();
    let newer = dir.path().join("newer");
    rusqlite::Connection::open(&newer)
        .unwrap()
        .pragma_update(None, "user_version", 9999)
        .unwrap();
    let impossible = dir.path().join("broken/below");
    for (path, reason) in [
        (&broken, "file is not a database"),
        (&newer, "newer server"),
        (&impossible, "BROADCAST_DB"),
    ] {
        let before = std::fs::read(path).ok();
        let mut server = builder()
            .env("BROADCAST_DB", &path.to_string_lossy())
            .start()
            .await;
        server.wait_for_log("no broadcasts").await;
        for (method, body) in [
            (Method::GET, None),
            (
                Method::POST,
                Some(json!({ "title": "T", "playlist_id": super::LIST })),
            ),
        ] {
            let answer = ask(&server, method, "/broadcasts", body).await;
            assert_error(&answer, 503, "broadcast_unavailable");
            assert!(
                answer.json()["message"].as_str().unwrap().contains(reason),
                "{}",
                answer.json()
            );
        }
        let health = server.api().get("/health").await.json();
        assert_eq!(
            (&health["status"], lost(&health)),
            (&"ok".into(), vec!["broadcasts"])
        );
        assert!(
            std::fs::read(path).ok() == before,
            "{} was changed",
            path.display()
        );
    }
}

/// What `/health` says to be missing of broadcasts.
fn lost(health: &Value) -> Vec<&str> {
    let words = health["degraded"].as_array().expect("words").iter();
    let words = words.filter_map(Value::as_str);
    words
        .filter(|word| ["broadcasts", "stream_temp"].contains(word))
        .collect()
}

#[tokio::test]
async fn health_tells_of_an_unusable_directory_where_broadcasts_are_allowed() {
    let unusable = |builder: Builder| {
        builder
            .file("in-the-way", "a file")
            .env("STREAM_TEMP_DIR", "in-the-way/streams")
    };
    for (builder, expected) in [
        (builder(), &[][..]),
        (unusable(builder()), &["stream_temp"]),
        (unusable(Builder::offline()), &[]),
    ] {
        let server = builder.start().await;
        let health = server.api().get("/health").await.json();
        assert_eq!(lost(&health), expected, "{health:#}");
    }
}

#[tokio::test]
async fn keys_are_kept_only_where_they_can_be_read_again() {
    let dir = tempfile::TempDir::new().unwrap();
    let path = dir.path().join("db").to_string_lossy().into_owned();
    let server = builder()
        .env("BROADCAST_DB", &path)
        .without("ENCRYPTION_KEY")
        .start()
        .await;
    let body = json!({ "title": "T", "playlist_id": super::LIST, "stream_key": CANARY });
    let answer = ask(&server, Method::POST, "/broadcasts", Some(body.clone())).await;
    assert_error(&answer, 409, "encryption_key_missing");
    made(&server, json!({})).await;
    drop(server);
    let server = builder()
        .env("BROADCAST_DB", &path)
        .env("ENCRYPTION_KEY", KEY)
        .start()
        .await;
    assert_eq!(
        ask(&server, Method::POST, "/broadcasts", Some(body))
            .await
            .status,
        201
    );
    drop(server);
    let server = builder()
        .env("BROADCAST_DB", &path)
        .without("ENCRYPTION_KEY")
        .start()
        .await;
    let answer = ask(&server, Method::GET, "/broadcasts", None).await;
    assert_error(&answer, 409, "encryption_key_missing");
}
