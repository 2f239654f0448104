//! Broadcasts as records, and who may see them.

use http::Method;
use serde_json::{Value, json};

use super::{CANARY, LIST, TOKEN, ask, assert_error, builder, get, made, route};
use crate::harness::{Builder, fetch};

#[tokio::test]
async fn family_is_off_without_a_token() {
    let server = Builder::offline().start().await;
    for path in ["/broadcasts", "/broadcasts/x", "/broadcasts/x/logs"] {
        let answer = ask(&server, Method::GET, path, None).await;
        assert_error(&answer, 403, "broadcast_disabled");
    }
    assert!(!server.dir().join("data").exists(), "a database was made");
}

#[tokio::test]
async fn family_is_closed_without_the_token_and_to_other_origins() {
    let server = builder().start().await;
    for shown in ["", "Bearer", "Bearer wrong", "Basic YTpi"] {
        let request = server.api().request(Method::GET, "/broadcasts");
        let answer = fetch(
            request
                .header("authorization", shown)
                .header("origin", "https://a.example"),
        )
        .await;
        assert_error(&answer, 401, "unauthorized");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
    let server = builder()
        .env("BROADCAST_API_CORS", "https://a.example")
        .start()
        .await;
    let request = server.api().request(Method::OPTIONS, "/broadcasts/x");
    let request = request.header("origin", "https://a.example");
    let answer = fetch(request.header("access-control-request-method", "PATCH")).await;
    assert_eq!(
        answer.header("access-control-allow-origin"),
        "https://a.example"
    );
    assert!(
        answer
            .header("access-control-allow-methods")
            .contains("PATCH")
    );
}

#[tokio::test]
async fn record_is_made_shown_changed_and_deleted() {
    let server = builder().start().await;
    // Null says as little as a field that is left out.
    let body = json!({ "title": " Harbour ", "owner": null, "profile": null, "stream_key": null, "playlist_id": format!("https://www.youtube.com/playlist?list={LIST}") });
    let answer = ask(&server, Method::POST, "/broadcasts", Some(body)).await;
    assert_eq!(answer.status, 201);
    let record = answer.json();
    assert_eq!(answer.header("location"), route(&record));
    for (field, expected) in [
        ("title", json!("Harbour")),
        ("playlist_id", json!(LIST)),
        ("status", json!("created")),
        ("stream_source", json!("playlist")),
        ("playlist_serve_mode", json!("download")),
        ("cache_first", json!(3)),
        ("format", json!("best[height<=720]/best")),
        ("stream_key_set", json!(false)),
        ("position", Value::Null),
        ("last_error", Value::Null),
    ] {
        assert_eq!(record[field], expected, "{field}");
    }
    assert_eq!(
        record["profile"],
        json!({"width": 1280, "height": 720, "fps": 30, "video_kbps": 2500,
        "audio_kbps": 128, "preset": "veryfast", "gop_s": 2})
    );
    assert!(record["shuffle_seed"].is_u64());
    assert_eq!(get(&server, &route(&record)).await, record);
    let patch = json!({ "loop_enabled": true, "profile": { "fps": 25 }, "format": null, "shuffle_seed": u64::MAX });
    let answer = ask(&server, Method::PATCH, &route(&record), Some(patch)).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    let changed = answer.json();
    assert_eq!(
        (&changed["loop_enabled"], &changed["profile"]["fps"]),
        (&json!(true), &json!(25))
    );
    assert_eq!(
        (&changed["profile"]["width"], &changed["shuffle_seed"]),
        (&json!(1280), &json!(u64::MAX))
    );
    assert_eq!(get(&server, &route(&record)).await, changed);
    let logs = get(&server, &format!("{}/logs", route(&record))).await;
    let messages: Vec<&str> = logs["logs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["message"].as_str().unwrap())
        .collect();
    assert_eq!(messages, ["changed", "created"]);
    assert_eq!(
        get(&server, &format!("{}/items", route(&record))).await,
        json!({ "items": [] })
    );
    let answer = ask(&server, Method::DELETE, &route(&record), None).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (204, 0));
    for method in [Method::GET, Method::PATCH, Method::DELETE] {
        let answer = ask(&server, method, &route(&record), None).await;
        assert_error(&answer, 404, "broadcast_not_found");
    }
    for id in ["%FF", "%2F", "..%2f..", &"x".repeat(1000)] {
        let answer = ask(&server, Method::GET, &format!("/broadcasts/{id}"), None).await;
        assert_error(&answer, 404, "broadcast_not_found");
    }
}

#[tokio::test]
async fn fields_that_cannot_be_used_are_all_named() {
    let server = builder().start().await;
    let body = json!({ "title": "", "playlist_id": LIST, "cache_first": 200, "target_url": "http://a.example/x" });
    let answer = ask(&server, Method::POST, "/broadcasts", Some(body)).await;
    assert_error(&answer, 422, "invalid_field");
    let detail = answer.json()["detail"].clone();
    let fields: Vec<&str> = detail
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["loc"][1].as_str().unwrap())
        .collect();
    assert_eq!(fields, ["title", "cache_first", "target_url"]);
    for (body, status, code) in [
        (
            json!({ "title": "T", "playlist_id": LIST, "colour": 1 }),
            422,
            "invalid_field",
        ),
        (
            json!({ "title": "T", "playlist_id": LIST, "stream_key": 7 }),
            422,
            "invalid_field",
        ),
        (
            json!({ "title": "T", "playlist_id": LIST, "stream_key": format!("{CANARY}\n") }),
            422,
            "invalid_field",
        ),
        (
            json!({ "title": "T", "playlist_id": LIST, "stream_key": "", "target_url": "rtmp://a.example/app" }),
            422,
            "invalid_field",
        ),
        (
            json!({ "title": "T", "playlist_id": "https://evil.example/list" }),
            400,
            "unsupported_host",
        ),
        (
            json!({ "title": "T", "playlist_id": "../../etc" }),
            400,
            "unsupported_host",
        ),
    ] {
        let answer = ask(&server, Method::POST, "/broadcasts", Some(body.clone())).await;
        assert_error(&answer, status, code);
    }
    let answer = ask(&server, Method::GET, "/broadcasts?status=radio", None).await;
    assert_error(&answer, 422, "invalid_field");
    let request = server.api().request(Method::POST, "/broadcasts");
    let request = request.header("authorization", format!("Bearer {TOKEN}"));
    assert_error(&fetch(request.body("[1]")).await, 422, "invalid_json");
    let long = json!({ "title": "x".repeat(300_000) });
    let answer = ask(&server, Method::POST, "/broadcasts", Some(long)).await;
    assert_error(&answer, 413, "body_too_large");
    assert_eq!(get(&server, "/broadcasts").await["broadcasts"], json!([]));
}

#[tokio::test]
async fn list_is_paged_in_order_and_filtered() {
    let server = builder().start().await;
    let mut ids = Vec::new();
    for number in 0..5 {
        let record = made(&server, json!({ "title": format!("No {number}") })).await;
        ids.push(record["id"].clone());
    }
    ids.sort_by_key(|id| id.as_str().unwrap().to_owned());
    let (mut found, mut cursor) = (Vec::new(), String::new());
    for expected in [2, 2, 1] {
        let page = get(&server, &format!("/broadcasts?limit=2{cursor}")).await;
        let broadcasts = page["broadcasts"].as_array().unwrap();
        assert_eq!(broadcasts.len(), expected);
        found.extend(broadcasts.iter().map(|one| one["id"].clone()));
        cursor = format!(
            "&cursor={}",
            page["next_cursor"].as_str().unwrap_or_default()
        );
    }
    assert_eq!((found, cursor.as_str()), (ids, "&cursor="));
    assert_eq!(
        get(&server, "/broadcasts?status=running").await["broadcasts"],
        json!([])
    );
    assert_eq!(
        get(&server, "/broadcasts?status=created").await["broadcasts"]
            .as_array()
            .unwrap()
            .len(),
        5
    );
}

#[tokio::test]
async fn stream_key_goes_in_and_never_comes_out() {
    let others = ["canary-key-in-address", "canary-key5"];
    let builder = others.iter().fold(builder(), |all, key| all.secret(key));
    let server = builder.start().await;
    let key = format!("{CANARY}?a=b&c=%2F");
    let direct = made(
        &server,
        json!({ "stream_key": key, "target_url": "rtmp://a.example/app" }),
    )
    .await;
    let inside = made(
        &server,
        json!({ "target_url": format!("rtmp://a.example/app/{}", others[0]) }),
    )
    .await;
    assert_eq!(
        (&direct["stream_key_set"], &direct["stream_key_hint"]),
        (&json!(true), &json!("=%2F"))
    );
    assert_eq!(
        (&inside["stream_key_set"], &inside["target_url"]),
        (&json!(true), &json!("rtmp://a.example/app"))
    );
    let short = made(&server, json!({ "stream_key": others[1] })).await;
    assert_eq!(short["stream_key_hint"], Value::Null);
    let mut seen = format!(
        "{direct}{inside}{short}{}",
        get(&server, "/broadcasts").await
    );
    for record in [&direct, &inside] {
        seen += &get(&server, &format!("{}/logs", route(record)))
            .await
            .to_string();
    }
    let answer = ask(
        &server,
        Method::PATCH,
        &route(&short),
        Some(json!({ "stream_key": null })),
    )
    .await;
    assert_eq!(answer.json()["stream_key_set"], json!(false));
    let dir = server.dir().join("data");
    let files = std::fs::read_dir(&dir)
        .unwrap()
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    let kept: Vec<u8> = files.flatten().collect();
    assert!(!kept.is_empty());
    let (_, logs) = server.stop().await;
    for (place, text) in [
        ("answers", seen),
        ("log", logs),
        ("database", String::from_utf8_lossy(&kept).into_owned()),
    ] {
        assert!(!text.contains("canary-key"), "the key is in the {place}");
    }
}

#[tokio::test]
async fn followers_get_what_they_missed_and_what_comes() {
    let server = builder().start().await;
    let record = made(&server, json!({})).await;
    let path = format!("{}/logs", route(&record));
    let first = get(&server, &path).await["logs"][0]["id"].as_i64().unwrap();
    ask(
        &server,
        Method::PATCH,
        &route(&record),
        Some(json!({ "owner": "a" })),
    )
    .await;
    let request = server
        .api()
        .request(Method::GET, &format!("{path}?follow=true"));
    let request = request.header("authorization", format!("Bearer {TOKEN}"));
    let mut answer = request
        .header("last-event-id", first.to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    assert_eq!(answer.headers()["x-accel-buffering"], "no");
    let mut seen = String::new();
    while !seen.contains("\"changed\"") {
        seen += &String::from_utf8_lossy(&answer.chunk().await.unwrap().unwrap());
    }
    assert!(
        seen.contains(&format!("id: {}\nevent: log\n", first + 1)),
        "{seen}"
    );
    assert!(!seen.contains("\"created\""), "{seen}");
    ask(
        &server,
        Method::PATCH,
        &route(&record),
        Some(json!({ "owner": "b" })),
    )
    .await;
    while seen.matches("\"changed\"").count() < 2 {
        seen += &String::from_utf8_lossy(&answer.chunk().await.unwrap().unwrap());
    }
    ask(&server, Method::DELETE, &route(&record), None).await;
    while answer.chunk().await.unwrap().is_some() {}
}
