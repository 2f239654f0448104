//! The serve mode `download`: what is saved while it is played, what waits for room, and what outlives the server.

use std::path::PathBuf;

use http::Method;
use serde_json::{Value, json};

use super::kept::{asked_for, files_below, nothing_is_left};
use super::scheduled::fetching;
use super::{
    LIST, SMALL, Studio, UPRIGHT, WIDE, assert_smooth, film, grainy_film, has_ffmpeg, until, video,
};
use crate::broadcasts::{TOKEN, ask, get, route};
use crate::harness::ingest::Manner;
use crate::harness::upstream::youtube::{Layout, Playlist};
use crate::harness::upstream::{Fault, Gate, Progress, Rule, Traffic};
use crate::harness::{Builder, eventually, skip};

/// Where a broadcast has its items.
fn dir_of(studio: &Studio, record: &Value) -> PathBuf {
    let id = record["id"].as_str().unwrap();
    studio.server().dir().join("streams").join(id)
}

/// These fields, of a broadcast whose items are fetched.
fn downloaded(mut fields: Value) -> Value {
    fields["stream_source"] = json!("playlist");
    fields["playlist_serve_mode"] = json!("download");
    fields
}

#[tokio::test]
async fn first_item_is_saved_by_what_is_read_to_play_it() {
    let Some(studio) = Studio::new([Manner::Keep, Manner::Keep]).await else {
        return;
    };
    studio.list(&[(UPRIGHT, 6), (SMALL, 3)]).await;
    let played = studio.start(json!({})).await;
    studio.to_the_end(&played).await;
    let once = asked_for(&studio, 6);
    let gate = Gate::new();
    let stall = Fault::Stall {
        at: 10_000,
        gate: gate.clone(),
    };
    let world = studio.stage.world();
    world.fault(Rule::parameter("dur", "6.040", stall));
    let record = studio.start(downloaded(json!({}))).await;
    let is_held = |traffic: &Traffic| {
        let mut records = traffic.records.iter();
        records.any(|record| record.progress == Progress::Held)
    };
    world.wait_for("a part of the first item", is_held).await;
    // Nobody knew before that it comes again.
    let again = json!({ "loop_enabled": true });
    let answer = ask(studio.server(), Method::PATCH, &route(&record), Some(again)).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    world.clear_faults();
    gate.open();
    let second = studio
        .until(&record, "the second cycle", |status| {
            status["now"]["cycle"] == 1 && status["now"]["index"] == 0
        })
        .await;
    assert_eq!(second["now"]["source"], "cache");
    let asked = asked_for(&studio, 6) - once;
    assert!(asked <= once, "asked {asked} times, {once} to play it");
    studio.post(&record, "stop?wait=30").await;
    assert!(!dir_of(&studio, &record).exists());
}

/// What the log of a broadcast says of an item.
async fn messages_on(studio: &Studio, record: &Value, item: &str) -> Vec<String> {
    let path = format!("{}/logs?limit=500", route(record));
    let logs = get(studio.server(), &path).await;
    let rows = logs["logs"].as_array().unwrap().iter();
    rows.filter(|row| row["item_id"] == item)
        .map(|row| row["message"].as_str().unwrap().to_owned())
        .collect()
}

/// Puts a list of these files on the site, with their lengths in seconds.
fn list_of(studio: &Studio, films: &[(bytes::Bytes, u32)]) -> Playlist {
    let list = Playlist::new(LIST, Layout::Classic, films.len());
    for (entry, (film, seconds)) in list.entries.iter().zip(films) {
        studio
            .youtube
            .video(video(&entry.id, film.clone(), *seconds));
    }
    studio.youtube.playlist(list.clone());
    list
}

#[tokio::test]
async fn item_without_room_is_waited_for_and_played_as_it_comes_when_its_turn_is_first() {
    let dir = tempfile::tempdir().unwrap();
    if !has_ffmpeg().await {
        return skip("ffmpeg", "ffmpeg is not installed");
    }
    let films = [
        (film(SMALL, 60, dir.path()).await, 60),
        (grainy_film(SMALL, 4, dir.path()).await, 4),
        (film(SMALL, 61, dir.path()).await, 61),
        (grainy_film(SMALL, 5, dir.path()).await, 5),
    ];
    let bytes = |number: usize| films[number].0.len() as u64;
    let cap = bytes(3).div_ceil(1 << 20);
    assert!(bytes(1) + bytes(3) > cap << 20, "room for both");
    let with = |builder: Builder| builder.env("BROADCAST_DISK_CAP_MB", &cap.to_string());
    let Some(studio) = Studio::with([Manner::Keep], with).await else {
        return;
    };
    let list = list_of(&studio, &films);
    let mut schedule = fetching();
    schedule["prefetch"]["items"] = json!(1);
    let filling = downloaded(json!({ "schedule": schedule, "start_index": 1 }));
    let filling = studio.make(filling).await;
    let says = async |record: &Value, what: &str| {
        eventually(what, async || {
            let said = studio.messages(record).await;
            said.contains(what).then_some(())
        })
        .await;
    };
    says(&filling, "fetched ahead").await;
    let record = studio.start(downloaded(json!({}))).await;
    let at = async |index: u64| {
        let status = studio.until(&record, "a place", |status| status["now"]["index"] == index);
        status.await["now"]["source"].clone()
    };
    assert_eq!(at(0).await, "direct");
    says(
        &record,
        "waits for room on disk: temporary space is used up",
    )
    .await;
    studio.post(&record, "skip").await;
    assert_eq!(at(1).await, "direct");
    says(&record, "not on disk: played as it comes").await;
    at(2).await;
    let gone = ask(studio.server(), Method::DELETE, &route(&filling), None).await;
    assert_eq!(gone.status, 204);
    eventually("the last item", async || {
        let said = messages_on(&studio, &record, &list.entries[3].id).await;
        said.contains(&"fetched ahead".to_owned()).then_some(())
    })
    .await;
    studio.post(&record, "skip").await;
    assert_eq!(at(3).await, "cache");
    studio.post(&record, "stop?wait=30").await;
    assert_smooth(&studio.only());
    nothing_is_left(&studio).await;
}

#[tokio::test]
async fn item_that_is_too_long_is_spoken_of_once() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let mut list = studio.list(&[(UPRIGHT, 2), (SMALL, 2)]).await;
    (list.entries[0].seconds, list.entries[1].seconds) = (2, 61);
    studio.youtube.playlist(list.clone());
    let fields = json!({ "loop_enabled": true, "max_item_minutes": 1 });
    let record = studio.start(downloaded(fields)).await;
    studio
        .until(&record, "the fourth cycle", |status| {
            status["now"]["cycle"] == 3
        })
        .await;
    let said = messages_on(&studio, &record, &list.entries[1].id).await;
    let count = |what: &str| said.iter().filter(|message| message.contains(what)).count();
    assert_eq!(count("not fetched ahead"), 1, "{said:?}");
    assert_eq!(count("too_long"), 1, "{said:?}");
    assert_eq!(count("played as it comes"), 0, "{said:?}");
    studio.post(&record, "stop?wait=30").await;
}

#[tokio::test]
async fn whole_items_outlive_the_death_of_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let streams = dir.path().join("streams");
    let database = dir.path().join("db").to_string_lossy().into_owned();
    let keep = |builder: Builder| {
        builder
            .env("BROADCAST_DB", &database)
            .env("STREAM_TEMP_DIR", &streams.to_string_lossy())
    };
    let Some(studio) = Studio::with([Manner::Keep], keep).await else {
        return;
    };
    studio.list(&[(UPRIGHT, 20), (SMALL, 3), (WIDE, 4)]).await;
    let going = json!({ "autostart": true, "loop_enabled": true });
    let record = studio.start(downloaded(going)).await;
    let ended = studio.make(downloaded(json!({}))).await;
    let fetched = async || {
        let said = studio.messages(&record).await;
        (said.matches("fetched ahead").count() == 2).then_some(())
    };
    eventually("two items", fetched).await;
    let [dir, other] = [&record, &ended].map(|record| streams.join(record["id"].as_str().unwrap()));
    let whole = files_below(&dir);
    assert_eq!(whole.len(), 2);
    studio.server().signal("KILL").await;
    studio
        .ingest
        .until("the loss", |all| all[0].is_closed)
        .await;
    std::fs::create_dir(&other).unwrap();
    std::fs::copy(&whole[0], other.join(whole[0].file_name().unwrap())).unwrap();
    let half = dir.join(format!("{:032x}-1234-{:016x}", 7, 7));
    std::fs::write(&half, "half of it").unwrap();
    // They are given no more.
    let world = studio.stage.world();
    for length in ["3.040", "4.040"] {
        world.fault(Rule::parameter("dur", length, Fault::Status(403)));
    }
    let before = [3, 4].map(|seconds| asked_for(&studio, seconds));
    let server = keep(Builder::new(&studio.stage.upstream))
        .env("BROADCAST_API_TOKEN", TOKEN)
        .env(
            "BROADCAST_ALLOW_PRIVATE_TARGETS",
            &format!("127.0.0.1:{}", studio.ingest.port),
        )
        .start()
        .await;
    eventually("what nobody goes on with to go", async || {
        (!other.exists()).then_some(())
    })
    .await;
    for index in [1, 2] {
        let status = until(&server, &record, "an item", |status| {
            status["now"]["index"] == index
        });
        assert_eq!(status.await["now"]["source"], "cache", "item {index}");
    }
    assert_eq!([3, 4].map(|seconds| asked_for(&studio, seconds)), before);
    assert!(!half.exists() && whole.iter().all(|file| file.exists()));
    let runs = std::fs::read_dir(&streams).unwrap().flatten();
    let runs = runs.filter(|entry| entry.file_name().to_string_lossy().starts_with("run-"));
    assert_eq!(runs.count(), 1, "directories of dead processes");
    let path = format!("{}/stop?wait=30", route(&record));
    ask(&server, Method::POST, &path, None).await;
    assert!(!dir.exists());
}

#[tokio::test]
async fn list_that_fits_is_fetched_once_for_all_cycles() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    studio.list(&[(WIDE, 4), (UPRIGHT, 3)]).await;
    let fields = json!({ "stream_source": "playlist", "playlist_serve_mode": "download",
        "loop_enabled": true });
    let record = studio.start(fields).await;
    let asked = || [4, 3].map(|seconds| asked_for(&studio, seconds));
    let at = async |cycle: u64, index: u64| {
        let status = studio.until(&record, "a place", |status| {
            (&status["now"]["cycle"], &status["now"]["index"]) == (&json!(cycle), &json!(index))
        });
        status.await["now"]["source"].clone()
    };
    assert_eq!(at(0, 0).await, "direct");
    // The first one was copied while it was played.
    assert_eq!(at(1, 0).await, "cache");
    let before = asked();
    assert_eq!(at(2, 1).await, "cache");
    assert_eq!(asked(), before, "fetched again");
    assert_eq!(files_below(&dir_of(&studio, &record)).len(), 2);
    studio.post(&record, "stop?wait=30").await;
    assert_smooth(&studio.only());
    nothing_is_left(&studio).await;
}

#[tokio::test]
async fn list_that_does_not_fit_is_not_kept_and_plays_on() {
    let dir = tempfile::tempdir().unwrap();
    if !has_ffmpeg().await {
        return skip("ffmpeg", "ffmpeg is not installed");
    }
    let films = [
        (grainy_film(SMALL, 4, dir.path()).await, 4),
        (grainy_film(UPRIGHT, 3, dir.path()).await, 3),
    ];
    let bytes = |number: usize| films[number].0.len() as u64;
    // One has room, two have not.
    let cap = bytes(0).max(bytes(1)).div_ceil(1 << 20);
    assert!(bytes(0) + bytes(1) > cap << 20, "{films:?}");
    let with = |builder: Builder| builder.env("BROADCAST_DISK_CAP_MB", &cap.to_string());
    let Some(studio) = Studio::with([Manner::Keep], with).await else {
        return;
    };
    let list = Playlist::new(LIST, Layout::Classic, 2);
    for (entry, (film, seconds)) in list.entries.iter().zip(&films) {
        studio
            .youtube
            .video(video(&entry.id, film.clone(), *seconds));
    }
    studio.youtube.playlist(list);
    let fields = json!({ "stream_source": "playlist", "playlist_serve_mode": "download",
        "loop_enabled": true });
    let record = studio.start(fields).await;
    studio
        .until(&record, "the third cycle", |status| {
            status["now"]["cycle"] == 2 && status["now"]["index"] == 1
        })
        .await;
    let said = studio.messages(&record).await;
    assert!(said.contains("temporary space is used up"), "{said}");
    studio.post(&record, "stop?wait=30").await;
    assert_smooth(&studio.only());
    nothing_is_left(&studio).await;
}
