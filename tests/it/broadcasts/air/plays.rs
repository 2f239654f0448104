//! What goes well.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use serverrs::broadcast::flv::TagKind;

use super::{LIST, SMALL, Studio, UPRIGHT, WIDE, assert_smooth, longest_gap};
use crate::broadcasts::{CANARY, ask, get, route};
use crate::harness::ingest::Manner;
use crate::harness::upstream::youtube::{Layout, Playlist, Video, joinable_tracks};
use crate::observe::{figure, metrics};

/// What other processes can see of those that run for the server: command lines and environments.
pub(in crate::broadcasts) fn seen_of_children() -> String {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let files =
        processes.flat_map(|process| ["cmdline", "environ"].map(|name| process.path().join(name)));
    files
        .filter_map(|file| std::fs::read(file).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .filter(|text| text.contains("ffmpeg") || text.contains("serverrs"))
        .collect()
}

#[tokio::test]
async fn mixed_items_come_as_one_stream_and_nothing_is_lost_or_told() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    studio.list(&[(WIDE, 4), (SMALL, 3), (UPRIGHT, 4)]).await;
    let record = studio.start(json!({})).await;
    let running = studio
        .until(&record, "on air", |status| status["status"] == "running")
        .await;
    assert_eq!(
        (&running["now"]["index"], &running["output"]["connected"]),
        (&json!(0), &json!(true))
    );
    // What the ingest holds against short pauses.
    studio
        .until(&record, "a cushion", |status| {
            let lead = status["output"]["lead_ms"].as_u64();
            lead > Some(0) && lead <= Some(500)
        })
        .await;
    let target = running["output"]["target"].as_str().unwrap();
    assert!(target.ends_with("/live/***"), "{target}");
    let processes = seen_of_children();
    let stopped = studio.to_the_end(&record).await;
    assert_eq!(
        (&stopped["last_error"], &stopped["pids"]),
        (&Value::Null, &json!([]))
    );
    let got = studio.only();
    assert_eq!((got.app.as_str(), got.key.as_str()), ("live", CANARY));
    assert_smooth(&got);
    assert_eq!(studio.flashes(&got).await, 11);
    let gap = longest_gap(&got);
    assert!(gap < Duration::from_secs(1), "{gap:?} without a message");
    let items = studio.items(&record).await;
    let states: Vec<&Value> = items.iter().map(|item| &item["state"]).collect();
    assert_eq!(states, ["ok", "ok", "ok"]);
    let mut told = format!("{stopped}{items:?}{running}{processes}");
    for what in ["", "/logs?limit=1000", "/status"] {
        told += &get(studio.server(), &format!("{}{what}", route(&record)))
            .await
            .to_string();
    }
    let files = std::fs::read_dir(studio.server().dir().join("data")).unwrap();
    for file in files {
        told += &String::from_utf8_lossy(&std::fs::read(file.unwrap().path()).unwrap());
    }
    told += &studio.server().logs();
    let page = metrics(studio.server().api()).await;
    for (series, least) in [
        ("serverrs_broadcast_items_total{result=\"ok\"}", 3.0),
        ("serverrs_broadcast_sent_bytes_total", 10_000.0),
        ("serverrs_broadcasts{state=\"stopped\"}", 1.0),
    ] {
        assert!(figure(&page, series) >= least, "{series} in {page}");
    }
    assert!(!told.contains("canary-key"), "the key was told");
    assert!(
        !processes.contains("googlevideo"),
        "an address of the site was told"
    );
    studio.stage.assert_well().await;
}

#[tokio::test]
async fn separate_tracks_are_joined_on_the_way() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let tracks = joinable_tracks().await.expect("ffmpeg makes tracks");
    let list = Playlist::new(LIST, Layout::Classic, 1);
    let video = Video::new(&list.entries[0].id).with("/videoDetails/lengthSeconds", json!("8"));
    studio.youtube.video(video.with_tracks(tracks.into()));
    studio.youtube.playlist(list);
    let record = studio.start(json!({ "start_with_slate": false })).await;
    studio.to_the_end(&record).await;
    let got = studio.only();
    assert_smooth(&got);
    let pictures = got.times(TagKind::Video);
    let length = pictures.last().unwrap() - pictures[0];
    assert!((7_500..8_600).contains(&length), "{length} ms of 8 s");
    studio.stage.assert_well().await;
}

#[tokio::test]
async fn list_loops_skips_on_demand_and_stops_on_demand() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    studio.list(&[(SMALL, 3), (WIDE, 40)]).await;
    let record = studio.start(json!({ "loop_enabled": true })).await;
    studio
        .until(&record, "the second item", |status| {
            status["now"]["index"] == 1
        })
        .await;
    let answer = ask(
        studio.server(),
        Method::PATCH,
        &route(&record),
        Some(json!({ "format": "best" })),
    )
    .await;
    assert_eq!(answer.json()["error_code"], "broadcast_running");
    let answer = ask(studio.server(), Method::DELETE, &route(&record), None).await;
    assert_eq!(answer.json()["error_code"], "broadcast_running");
    studio.post(&record, "skip").await;
    let again = studio
        .until(&record, "the next cycle", |status| {
            status["now"]["cycle"] == 1
        })
        .await;
    assert_eq!(again["now"]["index"], 0);
    let health = studio.stage.api().get("/health").await.json();
    assert_eq!(health["broadcast"]["running"], 1);
    let stopped = studio.post(&record, "stop?wait=30").await;
    assert_eq!(
        (&stopped["status"], &stopped["pid"]),
        (&json!("stopped"), &Value::Null)
    );
    studio
        .ingest
        .until("the good-bye", |all| all[0].is_closed)
        .await;
    assert_smooth(&studio.only());
    assert!(
        studio
            .only()
            .commands
            .iter()
            .any(|name| name == "deleteStream")
    );
    let position = get(studio.server(), &route(&record)).await["position"].clone();
    assert_eq!(position["cycle"], 1);
}

#[tokio::test]
async fn long_list_is_on_air_as_soon_as_a_short_one() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let list = Playlist::new(LIST, Layout::Lockup, 1000);
    let film = super::film(SMALL, 30, studio.dir.path()).await;
    studio
        .youtube
        .video(super::video(&list.entries[0].id, film, 30));
    studio.youtube.playlist(list);
    let record = studio.start(json!({})).await;
    studio
        .until(&record, "on air", |status| status["status"] == "running")
        .await;
    let path = format!("{}/items", route(&record));
    let whole = async || {
        let items = get(studio.server(), &path).await;
        (items["items"].as_array().unwrap().len() == 1000).then_some(())
    };
    crate::harness::eventually("all items", whole).await;
    let asked = studio.stage.world().records();
    let players = asked
        .iter()
        .filter(|record| record.target.contains("v1/player"))
        .count();
    assert!(players < 20, "{players} videos were asked for");
}

#[tokio::test]
async fn two_starts_at_once_are_one() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    studio.list(&[(SMALL, 20)]).await;
    let record = studio.make(json!({})).await;
    let path = format!("{}/start", route(&record));
    let start = || ask(studio.server(), Method::POST, &path, None);
    let answers = futures_util::future::join_all([start(), start(), start()]).await;
    assert!(answers.iter().all(|answer| answer.status.is_success()));
    studio
        .until(&record, "on air", |status| status["status"] == "running")
        .await;
    assert_eq!(
        ask(studio.server(), Method::POST, &path, None).await.status,
        200
    );
    assert_eq!(
        studio
            .only()
            .commands
            .iter()
            .filter(|name| *name == "publish")
            .count(),
        1
    );
}

#[tokio::test]
async fn files_of_the_media_directory_are_played_and_no_others() {
    let dir = tempfile::tempdir().unwrap();
    let media = dir.path().join("media");
    std::fs::create_dir(&media).unwrap();
    let with = |builder: crate::harness::Builder| {
        builder.env("BROADCAST_MEDIA_DIR", &media.to_string_lossy())
    };
    let Some(studio) = Studio::with([Manner::Keep], with).await else {
        return;
    };
    std::fs::write(
        media.join("one.mp4"),
        super::film(WIDE, 3, dir.path()).await,
    )
    .unwrap();
    std::fs::write(
        dir.path().join("outside.mp4"),
        super::film(SMALL, 3, dir.path()).await,
    )
    .unwrap();
    std::os::unix::fs::symlink("../outside.mp4", media.join("link.mp4")).unwrap();
    // Without sound.
    super::ffmpeg("-i film.mp4 -an -c copy -y media/mute.mp4", dir.path()).await;
    let fields = json!({ "stream_source": "media_files", "media_files": ["one.mp4", "link.mp4", "mute.mp4"], "playlist_id": null });
    let record = studio.start(fields).await;
    studio.to_the_end(&record).await;
    let got = studio.only();
    assert_smooth(&got);
    assert_eq!(studio.flashes(&got).await, 6);
    let items = studio.items(&record).await;
    let states: Vec<&Value> = items.iter().map(|item| &item["state"]).collect();
    assert_eq!(states, ["ok", "skipped", "ok"]);
}

#[tokio::test]
async fn download_mode_fetches_ahead_and_leaves_nothing() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    // The first one is so long that its successor comes before that is begun, which is when 20 s of it are left.
    let films = [(WIDE, 40), (SMALL, 3), (UPRIGHT, 3)];
    let list = studio.list(&films).await;
    let fields = json!({ "stream_source": "playlist", "playlist_serve_mode": "download" });
    let record = studio.start(fields).await;
    studio.to_the_end(&record).await;
    let got = studio.only();
    assert_smooth(&got);
    assert_eq!(studio.flashes(&got).await, 46);
    let logs = get(
        studio.server(),
        &format!("{}/logs?limit=100", route(&record)),
    )
    .await;
    let saved = logs["logs"].as_array().unwrap().iter().filter(|row| {
        row["message"]
            .as_str()
            .unwrap()
            .starts_with("fetched ahead")
    });
    let saved: Vec<&str> = saved.map(|row| row["item_id"].as_str().unwrap()).collect();
    assert_eq!(saved.last(), Some(&list.entries[1].id.as_str()));
    let left = studio.server().dir().join("streams");
    let jobs = std::fs::read_dir(left)
        .unwrap()
        .flatten()
        .map(|run| run.path());
    let files = jobs
        .filter_map(|run| std::fs::read_dir(run).ok())
        .flat_map(Iterator::flatten);
    let left: Vec<_> = files.filter(|file| file.path().is_dir()).collect();
    assert_eq!(left.len(), 0, "{left:?}");
}
