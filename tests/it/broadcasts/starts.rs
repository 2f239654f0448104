//! Starts that come together, break off, or are refused. Without FFmpeg, so that what starts fails at once.

use std::time::Duration;

use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};

use super::{CANARY, LIST, ask, assert_error, builder, get, made, route};
use crate::harness::TestServer;

async fn server() -> TestServer {
    builder()
        .env("FFMPEG_PATH", "/nonexistent/ffmpeg")
        .start()
        .await
}

fn ready() -> Value {
    json!({
        "target_url": "rtmp://a.example/live", "stream_key": CANARY, "stream_source": "playlist_direct",
    })
}

#[tokio::test]
async fn start_whose_client_has_gone_leaves_nothing_half_done() {
    let server = server().await;
    let record = made(&server, ready()).await;
    let path = format!("{}/start", route(&record));
    for pause in (0..40).map(Duration::from_micros).map(|pause| pause * 100) {
        // The connection is cut somewhere on the way.
        let _ = tokio::time::timeout(pause, ask(&server, Method::POST, &path, None)).await;
    }
    for _ in 0..3 {
        let answer = ask(&server, Method::POST, &path, None).await;
        assert!(
            matches!(answer.status.as_u16(), 200 | 202),
            "{}",
            answer.json()
        );
        let path = format!("{}/stop?wait=30", route(&record));
        let ended = ask(&server, Method::POST, &path, None).await.json();
        assert!(
            ["failed", "stopped"].contains(&ended["status"].as_str().unwrap()),
            "{ended}"
        );
    }
    let health = server.api().get("/health").await.json();
    assert_eq!(health["broadcast"]["running"], 0);
}

#[tokio::test]
async fn broadcast_that_can_not_be_started_with_its_making_is_not_made() {
    let server = server().await;
    for (fields, code) in [
        (json!({}), "invalid_field"),
        (
            json!({ "target_url": "rtmp://a.example/live" }),
            "invalid_field",
        ),
    ] {
        let mut all = json!({ "title": "T", "playlist_id": LIST });
        all.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let answer = ask(&server, Method::POST, "/broadcasts?start=true", Some(all)).await;
        assert_error(&answer, 422, code);
    }
    assert_eq!(get(&server, "/broadcasts").await["broadcasts"], json!([]));
}

#[tokio::test]
async fn records_that_are_made_together_are_all_there_once() {
    let server = server().await;
    let made = join_all((0..16).map(|number| {
        let fields = json!({ "title": format!("No {number}") });
        made(&server, fields)
    }))
    .await;
    let list = get(&server, "/broadcasts?limit=200").await;
    let mut ids: Vec<&str> = made
        .iter()
        .map(|record| record["id"].as_str().unwrap())
        .collect();
    ids.sort_unstable();
    let listed: Vec<&str> = list["broadcasts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| record["id"].as_str().unwrap())
        .collect();
    assert_eq!(listed, ids);
}

#[tokio::test]
async fn targets_are_those_that_the_operator_lists() {
    let server = builder()
        .env("BROADCAST_TARGET_ALLOW", "ingest.example, .live.example")
        .start()
        .await;
    let record = made(
        &server,
        json!({ "target_url": "rtmp://ingest.example/app" }),
    )
    .await;
    for (target, is_listed) in [
        ("rtmps://eu.ingest.example:443/app", true),
        ("rtmp://INGEST.example./app", true),
        ("rtmp://a.live.example/app", true),
        ("rtmp://evilingest.example/app", false),
        ("rtmp://ingest.example.evil.example/app", false),
        ("rtmp://93.184.216.34/app", false),
    ] {
        let patch = json!({ "target_url": target });
        let answer = ask(&server, Method::PATCH, &route(&record), Some(patch)).await;
        if is_listed {
            assert_eq!(answer.status, 200, "{target}: {}", answer.json());
        } else {
            assert_error(&answer, 422, "target_forbidden");
        }
    }
}

#[tokio::test]
async fn targets_and_keys_that_are_none_are_refused_by_name() {
    let server = server().await;
    for (fields, field) in [
        (
            json!({ "target_url": "http://a.example/live" }),
            "target_url",
        ),
        (json!({ "target_url": "file:///etc/passwd" }), "target_url"),
        (
            json!({ "target_url": "rtmp://user:pass@a.example/live" }),
            "target_url",
        ),
        (
            json!({ "target_url": "rtmp://a.example/live#x" }),
            "target_url",
        ),
        (json!({ "target_url": "rtmp://a.example" }), "target_url"),
        (
            json!({ "target_url": "rtmp://a.example:0/live" }),
            "target_url",
        ),
        (
            json!({ "target_url": "rtmp://a.example:65536/live" }),
            "target_url",
        ),
        (
            json!({ "target_url": "rtmp://a.example/li\nve" }),
            "target_url",
        ),
        (
            json!({ "target_url": format!("rtmp://a.example/{}", "x".repeat(1024)) }),
            "target_url",
        ),
        (
            json!({ "stream_key": format!("{CANARY}\u{0}") }),
            "stream_key",
        ),
        (json!({ "stream_key": CANARY.repeat(64) }), "stream_key"),
        (json!({ "stream_key": [CANARY] }), "stream_key"),
    ] {
        let mut all = json!({ "title": "T", "playlist_id": LIST });
        all.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let answer = ask(&server, Method::POST, "/broadcasts", Some(all)).await;
        assert_error(&answer, 422, "invalid_field");
        assert_eq!(answer.json()["detail"][0]["loc"][1], field, "{fields}");
    }
    for key in [
        "k",
        "-1",
        "../..",
        "a b",
        "%00",
        "ключ",
        "a/b?c=d&e#f",
        "'\"`$(id)",
    ] {
        // The second one would be found where it must not be.
        for key in [key.to_owned(), format!("{key}{CANARY}")] {
            let fields = json!({ "target_url": "rtmp://a.example/live", "stream_key": key });
            let record = made(&server, fields).await;
            assert_eq!(record["stream_key_set"], true, "{key}");
        }
    }
}

#[tokio::test]
async fn slip_in_the_body_of_a_start_is_refused_and_starts_nothing() {
    let server = server().await;
    let record = made(&server, ready()).await;
    for (what, body, field) in [
        ("start", json!({ "from_place": true }), "from_place"),
        ("start", json!({ "from_start": true }), "from_start"),
        ("start", json!({ "from_position": "yes" }), "from_position"),
        ("start", json!({ "from_position": 1 }), "from_position"),
        ("start", json!({ "index": -1 }), "index"),
        ("start", json!({ "index": "3" }), "index"),
        ("start", json!({ "index": 3, "place": 3 }), "place"),
        ("restart", json!({ "from_first": true }), "from_first"),
        ("restart", json!({ "from_start": "true" }), "from_start"),
        ("restart", json!({ "index": 3 }), "index"),
    ] {
        let path = format!("{}/{what}", route(&record));
        let answer = ask(&server, Method::POST, &path, Some(body)).await;
        assert_error(&answer, 422, "invalid_field");
        let told = answer.json();
        assert_eq!(told["detail"][0]["loc"], json!(["body", field]), "{told}");
        let message = told["message"].as_str().unwrap();
        assert!(message.contains(&format!("`{field}`")), "{message}");
    }
    assert_eq!(get(&server, &route(&record)).await["status"], "created");
    for body in [
        None,
        Some(json!({})),
        Some(json!({ "index": null, "from_position": null })),
        Some(json!({ "index": 0, "from_position": true })),
    ] {
        let path = format!("{}/start", route(&record));
        let answer = ask(&server, Method::POST, &path, body).await;
        assert_eq!(answer.status, 202, "{}", answer.json());
        let path = format!("{}/stop?wait=30", route(&record));
        ask(&server, Method::POST, &path, None).await;
    }
}
