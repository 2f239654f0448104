//! Schedules as records tell them, and starts that come by themselves. Without FFmpeg, so that a start is seen by its
//! failing.

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{CANARY, ask, assert_error, builder, get, made, route};
use crate::harness::{Builder, TestServer, eventually};

/// A record that could be started.
fn ready(schedule: Value) -> Value {
    let mut fields = json!({
        "target_url": "rtmp://127.0.0.1:9/live", "stream_key": CANARY, "stream_source": "playlist_direct",
    });
    fields["schedule"] = schedule;
    fields
}

fn without_ffmpeg(builder: Builder) -> Builder {
    builder
        .env("FFMPEG_PATH", "/nonexistent/ffmpeg")
        .env("BROADCAST_ALLOW_PRIVATE_TARGETS", "127.0.0.1:9")
}

fn in_seconds(seconds: i64) -> String {
    (Timestamp::now() + SignedDuration::from_secs(seconds)).to_string()
}

fn time(value: &Value) -> Timestamp {
    let text = value.as_str().expect("a time");
    text.parse().expect("RFC 3339")
}

/// Waits until it was started and failed.
async fn until_tried(server: &TestServer, record: &Value) {
    let record = eventually("its start", async || {
        let now = get(server, &route(record)).await;
        (now["status"] == "failed").then_some(now)
    })
    .await;
    assert_eq!(record["last_error"]["code"], "ffmpeg_missing");
    let logs = get(server, &format!("{}/logs?limit=100", route(&record))).await;
    assert!(
        logs.to_string().contains("its time on air has come"),
        "{logs}"
    );
}

#[tokio::test]
async fn times_are_told_and_follow_changes() {
    let server = without_ffmpeg(builder()).start().await;
    let day = json!({"tz": "America/St_Johns", "start_at": "2090-07-01T12:00:00", "stop_at": "2090-07-02T12:00:00Z"});
    let record = made(&server, ready(day.clone())).await;
    assert_eq!(record["status"], "created");
    assert_eq!(record["next_start_at"], "2090-07-01T14:30:00Z");
    assert_eq!(record["next_stop_at"], Value::Null);
    assert_eq!(record["schedule"]["tz"], day["tz"]);
    assert_eq!(get(&server, &route(&record)).await, record);
    let patch = async |schedule: Value| {
        let body = json!({ "schedule": schedule });
        ask(&server, Method::PATCH, &route(&record), Some(body)).await
    };
    for (schedule, said) in [
        (json!({"tz": "Europe/Atlantis"}), "`tz`"),
        (json!({"start_at": "soon"}), "`start_at`"),
        (json!({"windows": [{"from": "18", "to": "19:00"}]}), "18:00"),
        (
            json!({"prefetch": {"from": "03:00", "to": "04:00", "items": 0}}),
            "prefetch",
        ),
    ] {
        let answer = patch(schedule).await;
        assert_error(&answer, 422, "invalid_field");
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(said), "{message}");
    }
    assert_eq!(get(&server, &route(&record)).await, record);
    // Two days a week, of which neither is today or tomorrow: it can't be due while this runs.
    let today = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let days = [3, 4].map(|ahead| {
        let day = today.checked_add(jiff::Span::new().days(ahead)).unwrap();
        format!("{:?}", day.weekday()).to_lowercase()[..3].to_owned()
    });
    let windows = json!([{"days": days, "from": "10:00", "to": "09:00"}]);
    let changed =
        patch(json!({"tz": "UTC", "start_at": null, "stop_at": null, "windows": windows})).await;
    assert_eq!(changed.status, 200, "{}", changed.json());
    let next = time(&changed.json()["next_start_at"]) - Timestamp::now();
    let hours = next.total(jiff::Unit::Hour).unwrap();
    assert!((48.0..96.0).contains(&hours), "{hours}");
    let cleared = patch(Value::Null).await.json();
    assert_eq!(
        (&cleared["next_start_at"], &cleared["schedule"]),
        (&Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn start_comes_by_itself_once() {
    let server = without_ffmpeg(builder()).start().await;
    let record = made(
        &server,
        ready(json!({"tz": "UTC", "start_at": in_seconds(1)})),
    )
    .await;
    until_tried(&server, &record).await;
    // What failed stays so until its next time on air, of which there is none.
    let after = eventually("the note", async || {
        let now = get(&server, &route(&record)).await;
        let times = [&now["next_start_at"], &now["next_stop_at"]];
        times.iter().all(|time| time.is_null()).then_some(now)
    })
    .await;
    assert_eq!(after["status"], "failed");
}

#[tokio::test]
async fn start_that_was_missed_is_made_up_for_while_its_time_lasts() {
    let dir = tempfile::TempDir::new().unwrap();
    let database = dir.path().join("db").to_string_lossy().into_owned();
    let server = async || {
        without_ffmpeg(builder())
            .env("BROADCAST_DB", &database)
            .start()
            .await
    };
    let first = server().await;
    let until = in_seconds(2);
    let (open, over) = (
        made(&first, ready(json!({"tz": "UTC", "start_at": until}))).await,
        made(
            &first,
            ready(json!({"tz": "UTC", "start_at": until, "stop_at": in_seconds(3)})),
        )
        .await,
    );
    first.signal("KILL").await;
    drop(first);
    eventually("both times", async || {
        let stop = time(&over["schedule"]["stop_at"]);
        (Timestamp::now() > stop).then_some(())
    })
    .await;
    let second = server().await;
    until_tried(&second, &open).await;
    let passed = eventually("the note", async || {
        let now = get(&second, &route(&over)).await;
        now["next_start_at"].is_null().then_some(now)
    })
    .await;
    assert_eq!(passed["status"], "created");
}

#[tokio::test]
async fn start_by_schedule_that_is_refused_is_told_and_tried_while_its_time_lasts() {
    let server = without_ffmpeg(builder()).start().await;
    let start = in_seconds(0);
    let fields = json!({"schedule": {"tz": "UTC", "start_at": start}});
    // There is no target.
    let record = made(&server, fields).await;
    let logs = eventually("the refusal", async || {
        let logs = get(&server, &format!("{}/logs", route(&record))).await;
        logs.to_string().contains("not started").then_some(logs)
    })
    .await;
    assert!(logs.to_string().contains("target_url"), "{logs}");
    let now = get(&server, &route(&record)).await;
    assert!(time(&now["next_start_at"]) <= Timestamp::now(), "{now}");
    // A stop by hand is taken at its word.
    let stop = ask(
        &server,
        Method::POST,
        &format!("{}/stop", route(&record)),
        None,
    )
    .await;
    assert_eq!(
        (stop.status.as_u16(), &stop.json()["next_start_at"]),
        (200, &Value::Null)
    );
}
