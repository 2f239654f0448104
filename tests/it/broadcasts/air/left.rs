//! What lies on disk of broadcasts that don't run: it counts against the cap, and goes when nobody can want it any more.

use std::path::{Path, PathBuf};

use http::Method;
use serde_json::{Value, json};

use super::kept::files_below;
use super::scheduled::fetching;
use super::{LIST, video};
use crate::broadcasts::{CANARY, TOKEN, ask, get, made, route};
use crate::harness::upstream::Upstream;
use crate::harness::upstream::youtube::{Layout, Playlist, YouTube};
use crate::harness::{Builder, TestServer, eventually};

/// Directories of servers that follow each other.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn streams(&self) -> PathBuf {
        self.0.path().join("streams")
    }

    fn database(&self) -> PathBuf {
        self.0.path().join("db")
    }

    fn server(&self, builder: Builder) -> Builder {
        builder
            .env("BROADCAST_API_TOKEN", TOKEN)
            .env("STREAM_TEMP_DIR", &self.streams().to_string_lossy())
            .env("BROADCAST_DB", &self.database().to_string_lossy())
    }

    /// A server that can play nothing.
    fn mute(&self) -> Builder {
        self.server(Builder::offline())
            .env("FFMPEG_PATH", "/nonexistent/ffmpeg")
    }

    /// Where a broadcast has its items.
    fn of(&self, record: &Value) -> PathBuf {
        self.streams().join(record["id"].as_str().unwrap())
    }
}

/// Puts a whole item into a directory, which is made if need be.
fn put(dir: &Path, bytes: usize) -> PathBuf {
    std::fs::create_dir_all(dir).unwrap();
    let path = dir.join(format!("{:032x}-{bytes}-{:016x}", 7, bytes));
    std::fs::write(&path, vec![7; bytes]).unwrap();
    path
}

/// Fields of a broadcast that may be started.
fn startable(mode: &str) -> Value {
    json!({ "stream_source": "playlist", "playlist_serve_mode": mode, "autostart": true,
        "target_url": "rtmp://a.example/live", "stream_key": CANARY })
}

async fn until_gone(what: &str, path: &Path) {
    eventually(what, async || (!path.exists()).then_some(())).await;
}

/// Waits until the log of a broadcast says something so often.
async fn says(server: &TestServer, record: &Value, what: &str, count: usize) {
    let path = format!("{}/logs?limit=500", route(record));
    eventually(what, async || {
        let said = get(server, &path).await.to_string();
        (said.matches(what).count() >= count).then_some(())
    })
    .await;
}

#[tokio::test]
async fn files_that_no_run_goes_on_with_go_when_the_server_starts() {
    let place = Place::new();
    let server = place.mute().start().await;
    let kept = made(&server, json!({ "playlist_serve_mode": "hybrid" })).await;
    // One can't be brought up, the other not even begun.
    let failing = made(&server, startable("download")).await;
    let mut nowhere = startable("download");
    nowhere["target_url"] = Value::Null;
    let refused = made(&server, nowhere).await;
    let deleted = made(&server, json!({})).await;
    let answer = ask(&server, Method::DELETE, &route(&deleted), None).await;
    assert_eq!(answer.status, 204);
    assert_eq!(server.stop().await.0.code(), Some(0));
    for record in [&kept, &failing, &refused, &deleted] {
        put(&place.of(record), 1000);
    }
    let half = place.of(&kept).join(format!("{:032x}-1234-{:016x}", 8, 8));
    std::fs::write(&half, "half of it").unwrap();
    // Not a directory of a broadcast, by its name or by what it is.
    let foreign = [
        place.streams().join("notes"),
        place.of(&deleted).with_extension("txt"),
    ];
    put(&foreign[0], 10);
    std::fs::write(&foreign[1], "somebody's").unwrap();
    let link = place.streams().join("0".repeat(26));
    std::os::unix::fs::symlink(&foreign[0], &link).unwrap();

    let server = place.mute().start().await;
    for (what, path) in [
        ("the files of a deleted one", place.of(&deleted)),
        ("the files of one that fails", place.of(&failing)),
        ("the files of one that is refused", place.of(&refused)),
        ("half a file", half),
    ] {
        until_gone(what, &path).await;
    }
    let failed = get(&server, &route(&failing)).await;
    assert_eq!(failed["last_error"]["code"], "ffmpeg_missing");
    assert_eq!(files_below(&place.of(&kept)).len(), 1);
    assert!(foreign.iter().all(|path| path.exists()) && link.is_symlink());
    assert_eq!(files_below(&foreign[0]).len(), 1);
    // What was kept goes with the mode.
    let direct = json!({ "playlist_serve_mode": "direct" });
    let answer = ask(&server, Method::PATCH, &route(&kept), Some(direct)).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    assert!(!place.of(&kept).exists());
}

#[tokio::test]
async fn directory_that_other_servers_use_is_not_tidied_up() {
    let place = Place::new();
    let first = place.mute().start().await;
    let record = made(&first, json!({ "playlist_serve_mode": "hybrid" })).await;
    let file = put(&place.of(&record), 1000);
    let other = place.0.path().join("other");
    let second = place.mute().env("BROADCAST_DB", &other.to_string_lossy());
    let mut second = second.start().await;
    second.wait_for_log("is used by another server").await;
    assert!(file.exists());
    assert_eq!(second.stop().await.0.code(), Some(0));
    assert_eq!(first.stop().await.0.code(), Some(0));
    // By itself it removes what is none of its broadcasts'.
    let alone = place.mute().env("BROADCAST_DB", &other.to_string_lossy());
    let _alone = alone.start().await;
    until_gone("the files of nobody", &place.of(&record)).await;
}

#[tokio::test]
async fn files_of_broadcasts_that_do_not_run_count_against_the_cap() {
    const CAP: u64 = 1 << 20;
    const FILM: usize = 700_000;
    let place = Place::new();
    let upstream = Upstream::start().await;
    let youtube = YouTube::open(&upstream.world);
    let list = Playlist::new(LIST, Layout::Classic, 2);
    for entry in &list.entries {
        youtube.video(video(&entry.id, vec![7; FILM].into(), 5));
    }
    youtube.playlist(list);
    let begin = || {
        let server = place.server(Builder::new(&upstream));
        server.env("BROADCAST_DISK_CAP_MB", "1").start()
    };
    let mut early = fetching();
    early["prefetch"]["items"] = json!(1);
    let mut server = begin().await;
    let fields = json!({ "playlist_serve_mode": "hybrid", "cache_first": 1, "schedule": early });
    let kept = made(&server, fields).await;
    says(&server, &kept, "fetched ahead", 1).await;
    // Nothing is fetched for it any more, and what is there stays.
    let never = json!({ "schedule": null });
    let answer = ask(&server, Method::PATCH, &route(&kept), Some(never)).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    let other = json!({ "start_index": 1, "schedule": early });
    let other = made(&server, other).await;
    let is_within = || {
        let lengths = files_below(&place.streams()).into_iter();
        let lengths = lengths.filter_map(|path| path.metadata().ok());
        lengths.map(|facts| facts.len()).sum::<u64>() <= CAP
    };
    says(&server, &other, "waits for room on disk", 1).await;
    assert!(is_within());
    server.signal("KILL").await;
    server.wait().await;
    // Too much for the cap, when that was larger.
    let surplus = put(&place.of(&other), FILM);
    server = begin().await;
    says(&server, &other, "waits for room on disk", 2).await;
    assert!(is_within() && !surplus.exists());
    assert_eq!(files_below(&place.of(&kept)).len(), 1);
    let answer = ask(&server, Method::DELETE, &route(&kept), None).await;
    assert_eq!(answer.status, 204);
    says(&server, &other, "fetched ahead", 1).await;
    assert!(is_within());
}

#[tokio::test]
async fn broadcast_that_can_not_be_read_keeps_no_other_from_being_tidied_up_and_started() {
    let place = Place::new();
    let server = place.mute().start().await;
    let broken = made(&server, startable("direct")).await;
    let interrupted = made(&server, json!({})).await;
    let starting = made(&server, startable("direct")).await;
    assert_eq!(server.stop().await.0.code(), Some(0));
    let database = rusqlite::Connection::open(place.database()).unwrap();
    for (sql, record) in [
        (
            "UPDATE broadcasts SET profile = 'none' WHERE id = ?1",
            &broken,
        ),
        (
            "UPDATE broadcasts SET status = 'running' WHERE id = ?1",
            &interrupted,
        ),
    ] {
        let id = record["id"].as_str().unwrap();
        assert_eq!(database.execute(sql, [id]).unwrap(), 1);
    }
    drop(database);
    let mut server = place.mute().start().await;
    for (record, code) in [(&interrupted, "interrupted"), (&starting, "ffmpeg_missing")] {
        eventually(code, async || {
            let record = get(&server, &route(record)).await;
            (record["last_error"]["code"] == code).then_some(())
        })
        .await;
    }
    let line = server.wait_for_log("broadcast not tidied up").await;
    assert!(line.contains(broken["id"].as_str().unwrap()), "{line}");
}
