//! Items on disk: kept, fetched because they failed, or not for want of room.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use http::Method;
use serde_json::json;

use super::scheduled::fetching;
use super::{LIST, SMALL, Studio, UPRIGHT, WIDE, assert_smooth, grainy_film, keeping_stage, video};
use crate::broadcasts::{ask, get, made, route};
use crate::harness::ingest::Manner;
use crate::harness::upstream::youtube::{Layout, Playlist, YouTube};
use crate::harness::upstream::{Fault, Gate, Progress, Rule, Traffic};
use crate::harness::{can_mount, eventually, run};

/// Requests for media of this length so far; `dur` is a part of their addresses.
pub(super) fn asked_for(studio: &Studio, seconds: u32) -> usize {
    let records = studio.stage.world().records();
    let length = format!("dur={seconds}.040");
    let asked = records
        .iter()
        .filter(|record| record.target.contains(&length));
    asked.count()
}

#[tokio::test]
async fn first_items_are_kept_and_played_again_without_the_site() {
    let Some(studio) = Studio::new([Manner::Keep, Manner::Keep]).await else {
        return;
    };
    // The index at the end, so that the copy comes in parts.
    studio.list(&[(WIDE, 4), (UPRIGHT, 3)]).await;
    let fields = json!({ "stream_source": "playlist", "playlist_serve_mode": "hybrid", "cache_first": 1,
        "loop_enabled": true });
    let record = studio.start(fields).await;
    let kept = async || {
        studio
            .messages(&record)
            .await
            .contains("kept")
            .then_some(())
    };
    eventually("a copy", kept).await;
    let asked = asked_for(&studio, 4);
    let again = studio
        .until(&record, "the second cycle", |status| {
            status["now"]["cycle"] == 1 && status["now"]["index"] == 0
        })
        .await;
    assert_eq!(again["now"]["source"], "cache");
    assert_eq!(asked_for(&studio, 4), asked, "fetched twice");
    studio.post(&record, "stop?wait=30").await;
    let id = record["id"].as_str().unwrap();
    let dir = studio.server().dir().join("streams").join(id);
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1);
    // Nobody answers any more.
    let world = studio.stage.world();
    world.fault(Rule::path_prefix("/", Fault::CloseBeforeHead));
    studio.post(&record, "start").await;
    studio
        .until(&record, "what is kept, for the third time", |status| {
            status["now"]["cycle"] == 2 && status["now"]["source"] == "cache"
        })
        .await;
    studio.post(&record, "stop?wait=30").await;
    let all = studio.ingest.publications();
    all.iter().for_each(assert_smooth);
    assert!(studio.flashes(&all[1]).await >= 8);
    assert!(studio.messages(&record).await.contains("the site is away"));
    let answer = ask(studio.server(), Method::DELETE, &route(&record), None).await;
    assert_eq!(answer.status, 204);
    assert!(!dir.exists(), "kept items outlive their broadcast");
}

#[tokio::test]
async fn item_that_failed_is_fetched_whole_and_played_then() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    studio.list(&[(WIDE, 5), (SMALL, 12)]).await;
    let world = studio.stage.world();
    world.fault(Rule::parameter("dur", "5.040", Fault::Status(403)));
    let record = studio
        .start(json!({ "on_item_failure": "fallback_download" }))
        .await;
    let path = format!("{}/items", route(&record));
    let failed = async || {
        let items = get(studio.server(), &path).await;
        (items["items"][0]["state"] == "failed").then_some(())
    };
    eventually("a failure", failed).await;
    world.clear_faults();
    studio.to_the_end(&record).await;
    let got = studio.only();
    assert_smooth(&got);
    assert_eq!(studio.flashes(&got).await, 17);
    assert_eq!(get(studio.server(), &path).await["items"][0]["state"], "ok");
    nothing_is_left(&studio).await;
}

#[tokio::test]
async fn kept_item_that_was_damaged_on_disk_or_is_gone_is_had_anew() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    studio.list(&[(SMALL, 6), (UPRIGHT, 3)]).await;
    let fields = json!({ "stream_source": "playlist", "playlist_serve_mode": "hybrid", "cache_first": 1,
        "loop_enabled": true });
    let record = studio.start(fields).await;
    let dir = studio.server().dir().join("streams");
    let dir = dir.join(record["id"].as_str().unwrap());
    let kept = async |count: usize| {
        eventually("a copy", async || {
            let said = studio.messages(&record).await;
            let is_kept = said.matches("\"kept\"").count() >= count;
            is_kept.then(|| files_below(&dir).pop()).flatten()
        })
        .await
    };
    let first = kept(1).await;
    let film = std::fs::read(&first).unwrap();
    std::fs::write(&first, vec![0; film.len()]).unwrap();
    let direct = studio.until(&record, "the item as it comes", |status| {
        let now = &status["now"];
        (&now["index"], &now["source"]) == (&json!(0), &json!("direct"))
            && now["cycle"].as_u64() >= Some(1)
    });
    direct.await;
    let second = kept(2).await;
    assert_eq!(std::fs::read(&second).unwrap(), film);
    let said = studio.messages(&record).await;
    assert!(said.contains("the copy on disk can't be played"), "{said}");
    std::fs::remove_file(&second).unwrap();
    let third = kept(3).await;
    assert_eq!(std::fs::read(&third).unwrap(), film);
    studio.post(&record, "stop?wait=30").await;
    // Each time it was played as it came, in its turn.
    let items = studio.items(&record).await;
    assert_eq!(items[0]["state"], "ok", "{items:?}");
    assert_eq!(files_below(&dir), [third]);
    assert_smooth(&studio.only());
}

/// The directory of the server's run below `STREAM_TEMP_DIR`.
fn run_dir(studio: &Studio) -> PathBuf {
    let all = std::fs::read_dir(studio.server().dir().join("streams")).unwrap();
    let mut runs = all.flatten().map(|entry| entry.path());
    runs.find(|path| path.to_string_lossy().contains("/run-"))
        .unwrap()
}

/// Files are removed beside what else is done.
pub(super) async fn nothing_is_left(studio: &Studio) {
    let dir = run_dir(studio);
    eventually("an empty directory", async || {
        let mut entries = std::fs::read_dir(&dir).unwrap();
        entries.next().is_none().then_some(())
    })
    .await;
}

#[tokio::test]
async fn items_for_which_the_disk_has_no_room_are_played_as_they_come() {
    let dir = tempfile::tempdir().unwrap();
    if !can_mount(dir.path()).await {
        return;
    }
    let small = r#"mount -t tmpfs -o size=24m none "$STREAM_TEMP_DIR" && exec "$0" "$@""#;
    for mode in ["download", "hybrid"] {
        let studio = Studio::with([Manner::Keep], |builder| {
            builder
                .env("STREAM_TEMP_DIR", &dir.path().to_string_lossy())
                .under(&["unshare", "-rm", "sh", "-c", small])
        });
        let Some(studio) = studio.await else {
            return;
        };
        studio.list(&[(WIDE, 4), (SMALL, 3)]).await;
        let fields = json!({ "stream_source": "playlist", "playlist_serve_mode": mode });
        let record = studio.start(fields).await;
        studio.to_the_end(&record).await;
        let got = studio.only();
        assert_smooth(&got);
        assert_eq!(studio.flashes(&got).await, 7, "{mode}");
        let said = studio.messages(&record).await;
        assert!(
            said.contains("temporary space is used up"),
            "{mode}: {said}"
        );
        let files = files_below(&seen_by(&studio, dir.path()));
        assert_eq!(files, Vec::<PathBuf>::new(), "{mode}");
    }
}

/// A directory as the server sees it.
pub(super) fn seen_by(studio: &Studio, dir: &Path) -> PathBuf {
    let pid = studio.server().pid();
    format!("/proc/{pid}/root{}", dir.display()).into()
}

/// Files in a directory and in those in it.
pub(super) fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    // What is removed meanwhile is not there any more.
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files
}

#[tokio::test]
async fn disk_that_fills_up_while_an_item_is_fetched_costs_the_copy_alone() {
    let dir = tempfile::tempdir().unwrap();
    if !can_mount(dir.path()).await {
        return;
    }
    let path = dir.path().to_string_lossy().into_owned();
    // More than the floor: there is room when the fetching begins.
    let large = r#"mount -t tmpfs -o size=1100m none "$STREAM_TEMP_DIR" && exec "$0" "$@""#;
    let studio = Studio::with([Manner::Keep], |builder| {
        builder
            .env("STREAM_TEMP_DIR", &path)
            .under(&["unshare", "-rm", "sh", "-c", large])
    });
    let Some(studio) = studio.await else {
        return;
    };
    let list = Playlist::new(LIST, Layout::Classic, 1);
    let film = grainy_film(SMALL, 6, studio.dir.path()).await;
    assert!(film.len() > 800_000, "{} bytes", film.len());
    studio.youtube.video(video(&list.entries[0].id, film, 6));
    studio.youtube.playlist(list);
    let gate = Gate::new();
    let stall = Fault::Stall {
        at: 500_000,
        gate: gate.clone(),
    };
    let world = studio.stage.world();
    world.fault(Rule::path_prefix("/videoplayback", stall));
    let fields = json!({ "stream_source": "playlist", "schedule": fetching() });
    let record = studio.make(fields).await;
    let seen = seen_by(&studio, dir.path());
    let length = |file: &PathBuf| std::fs::metadata(file).map_or(0, |facts| facts.len());
    eventually("half of the copy", async || {
        let files = files_below(&seen);
        files
            .iter()
            .any(|file| length(file) >= 450_000)
            .then_some(())
    })
    .await;
    // Without the options that it has: they name a user who has another number in there.
    let full = format!(
        "-t {} -U -m --preserve-credentials mount --options-mode=ignore -o remount,size=600k {path}",
        studio.server().pid()
    );
    let none = BTreeMap::new();
    let mounted = run("nsenter", full.split_whitespace(), &none, studio.dir.path()).await;
    assert!(mounted.status.success(), "{mounted:?}");
    world.clear_faults();
    gate.open();
    eventually("the failure", async || {
        let said = studio.messages(&record).await;
        said.contains("no space left for temporary files")
            .then_some(())
    })
    .await;
    assert_eq!(files_below(&seen), Vec::<PathBuf>::new());
    studio.post(&record, "start").await;
    studio.to_the_end(&record).await;
    let got = studio.only();
    assert_smooth(&got);
    assert_eq!(studio.flashes(&got).await, 6);
    assert_eq!(files_below(&seen), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn kept_item_that_left_the_list_goes() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let list = studio.list(&[(SMALL, 3), (UPRIGHT, 3)]).await;
    let fields = json!({ "stream_source": "playlist", "playlist_serve_mode": "hybrid", "cache_first": 2,
        "loop_enabled": true });
    let record = studio.start(fields).await;
    let dir = studio.server().dir().join("streams");
    let dir = dir.join(record["id"].as_str().unwrap());
    let count = async |wanted: usize| {
        eventually("so many files", async || {
            (files_below(&dir).len() == wanted).then_some(())
        })
        .await;
    };
    count(2).await;
    let mut less = list.clone();
    less.entries.remove(0);
    studio.youtube.playlist(less);
    assert_eq!(studio.post(&record, "refresh").await["removed"], 1);
    count(1).await;
    studio
        .until(&record, "what is left", |status| {
            status["now"]["cycle"].as_u64() >= Some(2) && status["now"]["source"] == "cache"
        })
        .await;
    studio.post(&record, "stop?wait=30").await;
    assert_smooth(&studio.only());
    // A list of nothing is no reason to throw away what is kept.
    let mut none = list.clone();
    none.entries.clear();
    studio.youtube.playlist(none);
    for start in [true, false] {
        if start {
            studio.post(&record, "start").await;
        }
        assert_eq!(studio.post(&record, "refresh").await["removed"], 0);
        let said = studio.messages(&record).await;
        assert!(said.contains("nothing in it"), "{said}");
        assert_eq!(files_below(&dir).len(), 1);
        studio.post(&record, "stop?wait=30").await;
    }
    // The same as on air when it isn't.
    let mut other = list;
    other.entries.remove(1);
    studio.youtube.playlist(other);
    assert_eq!(studio.post(&record, "refresh").await["removed"], 1);
    assert_eq!(files_below(&dir).len(), 0);
}

#[tokio::test]
async fn broadcast_deleted_while_its_list_is_read_leaves_nothing() {
    let stage = keeping_stage().await;
    let youtube = YouTube::open(stage.world());
    youtube.playlist(Playlist::new(LIST, Layout::Classic, 3));
    let fields = json!({ "stream_source": "playlist", "playlist_serve_mode": "hybrid" });
    let record = made(&stage.server, fields).await;
    let path = route(&record);
    let refresh = format!("{path}/refresh");
    let gate = Gate::new();
    let held = Fault::StallBeforeHead(gate.clone());
    stage.world().fault(Rule::host("www.youtube.com", held));
    let delete = async {
        let is_held = |traffic: &Traffic| {
            let mut records = traffic.records.iter();
            records.any(|record| record.progress == Progress::Held)
        };
        stage.world().wait_for("the list to be read", is_held).await;
        let deleted = ask(&stage.server, Method::DELETE, &path, None).await;
        gate.open();
        deleted
    };
    let asked = ask(&stage.server, Method::POST, &refresh, None);
    let (refreshed, deleted) = tokio::join!(asked, delete);
    assert_eq!(deleted.status, 204);
    assert_eq!(refreshed.status, 404, "{}", refreshed.json());
    let dir = stage.server.dir().join("streams");
    assert!(!dir.join(record["id"].as_str().unwrap()).exists());
}
