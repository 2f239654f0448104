//! On air by a schedule.

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::kept::files_below;
use super::{LIST, SMALL, Studio, UPRIGHT, WIDE, assert_smooth, keeping_stage, until, video};
use crate::broadcasts::{ask, get, made, route};
use crate::harness::ingest::Manner;
use crate::harness::upstream::youtube::{Layout, Playlist, YouTube};
use crate::harness::upstream::{Fault, Gate, Rule};
use crate::harness::{Stage, TestServer, eventually};

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
    let Some(studio) = Studio::lasting([Manner::Keep]).await else {
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
    let second = studio.successor().await;
    until(&second, &record, "on air again", |status| {
        status["status"] == "running"
    })
    .await;
    // An orderly end of the server is no end by hand.
    second.stop().await;
    let third = studio.successor().await;
    until(&third, &record, "on air once more", |status| {
        status["status"] == "running"
    })
    .await;
    let path = format!("{}/stop?wait=30", route(&record));
    let ended = ask(&third, Method::POST, &path, None).await.json();
    assert_eq!(ended["status"], "stopped");
    third.stop().await;
    let fourth = studio.successor().await;
    let kept = get(&fourth, &route(&record)).await;
    // Nothing is due: the only time on air is the one that lasts.
    let times = (&kept["next_start_at"], &kept["next_stop_at"]);
    assert_eq!(
        (&kept["status"], times),
        (&json!("stopped"), (&Value::Null, &Value::Null))
    );
}

/// A schedule with a time on air in an hour, before which two items are fetched, from now on.
pub(super) fn fetching() -> Value {
    let now = Timestamp::now();
    let hour = |ahead: i64| {
        let time = now + SignedDuration::from_hours(ahead);
        time.strftime("%H:%M").to_string()
    };
    let start = now + SignedDuration::from_hours(1);
    json!({"tz": "UTC", "start_at": start.to_string(),
        "prefetch": {"from": hour(-1), "to": hour(3), "items": 2}})
}

/// Files below `STREAM_TEMP_DIR`.
fn files(server: &TestServer) -> usize {
    files_below(&server.dir().join("streams")).len()
}

#[tokio::test]
async fn items_are_fetched_before_the_time_on_air_and_played_from_disk() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    studio.list(&[(WIDE, 4), (SMALL, 3), (UPRIGHT, 3)]).await;
    let fields = json!({ "schedule": fetching(), "stream_source": "playlist" });
    let record = studio.make(fields).await;
    eventually("two items", async || {
        let said = studio.messages(&record).await;
        (said.matches("fetched ahead").count() == 2).then_some(())
    })
    .await;
    assert_eq!(files(studio.server()), 2);
    let shown = get(studio.server(), &route(&record)).await;
    let next: Timestamp = shown["next_prefetch_at"].as_str().unwrap().parse().unwrap();
    assert!(
        next > Timestamp::now() + SignedDuration::from_hours(20),
        "{next}"
    );
    // Those two are given no more.
    let world = studio.stage.world();
    for length in ["4.040", "3.040"] {
        world.fault(Rule::parameter("dur", length, Fault::Status(403)));
    }
    studio.post(&record, "start").await;
    let first = studio.until(&record, "the first item", |status| {
        status["now"]["index"] == 0
    });
    assert_eq!(first.await["now"]["source"], "cache");
    let second = studio.until(&record, "the second item", |status| {
        status["now"]["index"] == 1
    });
    assert_eq!(second.await["now"]["source"], "cache");
    studio.post(&record, "stop?wait=30").await;
    let got = studio.only();
    assert_smooth(&got);
    assert_eq!(files(studio.server()), 0);
}

/// A server, and a list of three files that can be fetched and not played.
async fn stage() -> Stage {
    let stage = keeping_stage().await;
    let youtube = YouTube::open(stage.world());
    let list = Playlist::new(LIST, Layout::Classic, 3);
    for entry in &list.entries {
        let film = vec![7; 100_000];
        youtube.video(video(&entry.id, film.into(), 5));
    }
    youtube.playlist(list);
    stage
}

#[tokio::test]
async fn items_fetched_the_day_before_go_when_others_come_first() {
    let stage = stage().await;
    let server = &stage.server;
    let record = made(server, json!({ "schedule": fetching() })).await;
    let said = async |what: &str, count: usize| {
        eventually(what, async || {
            let path = format!("{}/logs?limit=500", route(&record));
            let said = get(server, &path).await.to_string();
            (said.matches(what).count() == count).then_some(())
        })
        .await;
    };
    said("fetched ahead", 2).await;
    let one = json!({ "schedule": { "prefetch": { "items": 1 } } });
    let answer = ask(server, Method::PATCH, &route(&record), Some(one)).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    said("its first items are fetched", 2).await;
    eventually("one file", async || (files(server) == 1).then_some(())).await;
    said("fetched ahead", 2).await;
}

/// Names that make it a while's work to look through a directory.
const MANY: usize = 20_000;

#[tokio::test]
async fn start_beside_the_beginning_of_a_fetch_takes_it_over() {
    let Some(studio) = Studio::new([Manner::Keep, Manner::Keep]).await else {
        return;
    };
    studio.list(&[(UPRIGHT, 3)]).await;
    // It makes the slate, so that the next start takes no time.
    let first = studio.start(json!({})).await;
    studio.to_the_end(&first).await;
    let fields = json!({ "stream_source": "playlist", "playlist_serve_mode": "hybrid" });
    let record = studio.make(fields).await;
    let dir = studio.server().dir().join("streams");
    let dir = dir.join(record["id"].as_str().unwrap());
    std::fs::create_dir(&dir).unwrap();
    let foreign = dir.join("foreign");
    std::fs::write(&foreign, "").unwrap();
    for number in 0..MANY {
        std::fs::hard_link(&foreign, dir.join(number.to_string())).unwrap();
    }
    let gate = Gate::new();
    let world = studio.stage.world();
    let held = Fault::StallBeforeHead(gate.clone());
    world.fault(Rule::path_prefix("/videoplayback", held));
    let patch = json!({ "schedule": fetching() });
    let answer = ask(studio.server(), Method::PATCH, &route(&record), Some(patch)).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    eventually("the beginning", async || {
        let said = studio.messages(&record).await;
        said.contains("its first items are fetched").then_some(())
    })
    .await;
    studio.post(&record, "start").await;
    eventually("the list", async || {
        (!studio.items(&record).await.is_empty()).then_some(())
    })
    .await;
    world.clear_faults();
    gate.open();
    studio.to_the_end(&record).await;
    // The run has the item from what it read itself.
    let said = studio.messages(&record).await;
    assert!(
        said.contains("kept") && !said.contains("fetched ahead"),
        "{said}"
    );
    assert_eq!(files_below(&dir).len(), 1);
}

#[tokio::test]
async fn items_fetched_before_go_when_they_are_not_wanted_any_more() {
    let stage = stage().await;
    let server = &stage.server;
    let record = made(server, json!({ "schedule": fetching() })).await;
    let fetched = async |count: usize| {
        eventually("so many items", async || {
            let path = format!("{}/logs?limit=500", route(&record));
            let said = get(server, &path).await.to_string();
            (said.matches("fetched ahead").count() == count).then_some(())
        })
        .await;
    };
    let patch = async |fields: Value| {
        let answer = ask(server, Method::PATCH, &route(&record), Some(fields)).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        answer.json()
    };
    fetched(2).await;
    assert_eq!(files(server), 2);
    // Another title changes nothing, another beginning does.
    patch(json!({ "title": "Quay" })).await;
    assert_eq!(files(server), 2);
    patch(json!({ "start_index": 2 })).await;
    fetched(3).await;
    assert_eq!(files(server), 1);
    let shown = patch(json!({ "schedule": { "prefetch": null } })).await;
    assert_eq!(
        (files(server), &shown["next_prefetch_at"]),
        (0, &Value::Null)
    );
    patch(json!({ "schedule": fetching() })).await;
    fetched(4).await;
    assert_eq!(files(server), 1);
    let answer = ask(server, Method::DELETE, &route(&record), None).await;
    assert_eq!((answer.status.as_u16(), files(server)), (204, 0));
}
