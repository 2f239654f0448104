//! On air by a schedule.

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{SMALL, Studio, until};
use crate::broadcasts::{TOKEN, ask, get, route};
use crate::harness::Builder;
use crate::harness::ingest::Manner;

#[tokio::test]
async fn time_on_air_begins_and_ends_by_itself() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    studio.list(&[(SMALL, 60)]).await;
    let now = Timestamp::now();
    let stop = now + SignedDuration::from_secs(15);
    let schedule = json!({"tz": "UTC", "start_at": now.to_string(), "stop_at": stop.to_string()});
    let record = studio.make(json!({ "schedule": schedule })).await;
    studio
        .until(&record, "on air", |status| status["status"] == "running")
        .await;
    let shown = get(studio.server(), &route(&record)).await;
    assert_eq!(shown["next_stop_at"], stop.to_string());
    studio
        .until(&record, "off air", |status| status["status"] == "stopped")
        .await;
    assert!(Timestamp::now() >= stop);
    let shown = get(studio.server(), &route(&record)).await;
    let times = (&shown["next_start_at"], &shown["next_stop_at"]);
    assert_eq!(times, (&Value::Null, &Value::Null));
    assert_eq!(shown["last_error"], Value::Null);
}

#[tokio::test]
async fn what_was_cut_off_goes_on_and_what_was_ended_by_hand_does_not() {
    let dir = tempfile::TempDir::new().unwrap();
    let database = dir.path().join("db").to_string_lossy().into_owned();
    let keep = |builder: Builder| builder.env("BROADCAST_DB", &database);
    let Some(studio) = Studio::with([Manner::Keep], keep).await else {
        return;
    };
    studio.list(&[(SMALL, 60)]).await;
    let always = json!({"tz": "Europe/Vienna", "windows": [{"from": "00:00", "to": "24:00"}],
        "stop_at": "2090-01-01T00:00:00Z"});
    let record = studio.make(json!({ "schedule": always })).await;
    studio
        .until(&record, "on air", |status| {
            status["now"]["position_ms"].as_u64() > Some(1_000)
        })
        .await;
    studio.server().signal("KILL").await;
    let ports = format!("127.0.0.1:{}", studio.ingest.port);
    let server = async || {
        Builder::new(&studio.stage.upstream)
            .env("BROADCAST_API_TOKEN", TOKEN)
            .env("BROADCAST_ALLOW_PRIVATE_TARGETS", &ports)
            .env("BROADCAST_DB", &database)
            .start()
            .await
    };
    let second = server().await;
    until(&second, &record, "on air again", |status| {
        status["status"] == "running"
    })
    .await;
    // An orderly end of the server is no end by hand.
    second.stop().await;
    let third = server().await;
    until(&third, &record, "on air once more", |status| {
        status["status"] == "running"
    })
    .await;
    let path = format!("{}/stop?wait=30", route(&record));
    let ended = ask(&third, Method::POST, &path, None).await.json();
    assert_eq!(ended["status"], "stopped");
    third.stop().await;
    let fourth = server().await;
    let kept = get(&fourth, &route(&record)).await;
    // Nothing is due: the only time on air is the one that lasts.
    let times = (&kept["next_start_at"], &kept["next_stop_at"]);
    assert_eq!(
        (&kept["status"], times),
        (&json!("stopped"), (&Value::Null, &Value::Null))
    );
}
