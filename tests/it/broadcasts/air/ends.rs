//! The end of the server, orderly and not.

use std::time::Duration;

use serde_json::json;

use super::{SMALL, Studio, successor, until};
use crate::broadcasts::followers::{Following, LONG_GRACE};
use crate::broadcasts::{get, route};
use crate::harness::ingest::Manner;
use crate::harness::{Builder, eventually};

pub(super) fn is_alive(pid: u64) -> bool {
    // A zombie has no command line.
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

#[tokio::test]
async fn killed_server_leaves_no_encoder_and_goes_on_at_its_place() {
    let Some(studio) = Studio::lasting([Manner::Keep]).await else {
        return;
    };
    studio.list(&[(SMALL, 60)]).await;
    let record = studio.start(json!({ "autostart": true })).await;
    let running = studio.until(&record, "some seconds", |status| {
        status["now"]["position_ms"].as_u64() > Some(7_000) && status["pid"].is_u64()
    });
    let pid = running.await["pid"].as_u64().unwrap();
    studio.server().signal("KILL").await;
    eventually("the encoder's end", async || (!is_alive(pid)).then_some(())).await;
    let server = studio.successor().await;
    let again = until(&server, &record, "on air again", |status| {
        status["now"]["position_ms"].is_u64()
    })
    .await;
    let position = again["now"]["position_ms"].as_u64().unwrap();
    assert!(position >= 1_000, "it began again at {position} ms");
    let logs = get(&server, &format!("{}/logs?limit=100", route(&record)))
        .await
        .to_string();
    assert!(logs.contains("interrupted"), "{logs}");
}

#[tokio::test]
async fn stopped_server_says_good_bye_and_keeps_the_place() {
    let Some(studio) = Studio::lasting([Manner::Keep]).await else {
        return;
    };
    studio.list(&[(SMALL, 60)]).await;
    let record = studio.start(json!({})).await;
    studio
        .until(&record, "two seconds", |status| {
            status["now"]["position_ms"].as_u64() > Some(2_000)
        })
        .await;
    let Studio {
        stage, ingest, dir, ..
    } = studio;
    let (status, _) = tokio::time::timeout(Duration::from_secs(20), stage.server.stop())
        .await
        .unwrap();
    assert_eq!(status.code(), Some(0));
    ingest.until("the good-bye", |all| all[0].is_closed).await;
    assert!(
        ingest.publications()[0]
            .commands
            .iter()
            .any(|name| name == "deleteStream")
    );
    let server = successor(&stage.upstream, &ingest, dir.path()).await;
    let kept = get(&server, &route(&record)).await;
    assert_eq!(
        (&kept["status"], &kept["last_error"]),
        (&json!("stopped"), &serde_json::Value::Null)
    );
    assert!(
        kept["position"]["offset_ms"].as_u64() >= Some(1_000),
        "{}",
        kept["position"]
    );
}

#[tokio::test]
async fn followers_hear_that_it_goes_off_air_and_do_not_delay_the_end() {
    let (name, value) = LONG_GRACE;
    let patient = |builder: Builder| builder.env(name, value);
    let Some(studio) = Studio::with([Manner::Keep], patient).await else {
        return;
    };
    studio.list(&[(SMALL, 60)]).await;
    let record = studio.start(json!({})).await;
    studio
        .until(&record, "on air", |status| status["status"] == "running")
        .await;
    let events = Following::of(studio.server(), &record, "events?stats_interval=60").await;
    let logs = Following::of(studio.server(), &record, "logs?follow=true").await;
    let (status, _) = studio.stage.server.stop().await;
    assert_eq!(status.code(), Some(0));
    let seen = events.rest().await;
    let place = |status: &str| seen.find(&format!(r#"data: {{"status":"{status}""#));
    let (stopping, stopped) = (place("stopping"), place("stopped"));
    assert!(stopping.is_some() && stopping < stopped, "{seen}");
    let seen = logs.rest().await;
    assert!(seen.contains(r#""message":"stopped""#), "{seen}");
}
