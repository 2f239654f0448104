//! Items on disk: kept, fetched because they failed, or not for want of room.

use http::Method;
use serde_json::{Value, json};

use super::{SMALL, Studio, UPRIGHT, WIDE, assert_smooth};
use crate::broadcasts::{ask, get, route};
use crate::harness::ingest::Manner;
use crate::harness::upstream::{Fault, Rule};
use crate::harness::{run, skip};

/// Requests for media of this length so far; `dur` is a part of their addresses.
fn asked_for(studio: &Studio, seconds: u32) -> usize {
    let records = studio.stage.world().records();
    let length = format!("dur={seconds}.040");
    let asked = records
        .iter()
        .filter(|record| record.target.contains(&length));
    asked.count()
}

async fn messages(studio: &Studio, record: &Value) -> String {
    let path = format!("{}/logs?limit=500", route(record));
    get(studio.server(), &path).await.to_string()
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
        messages(&studio, &record)
            .await
            .contains("kept")
            .then_some(())
    };
    crate::harness::eventually("a copy", kept).await;
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
    assert!(
        messages(&studio, &record)
            .await
            .contains("the site is away")
    );
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
    crate::harness::eventually("a failure", failed).await;
    world.clear_faults();
    studio
        .until(&record, "the end", |status| status["status"] == "stopped")
        .await;
    let got = studio.only();
    assert_smooth(&got);
    assert_eq!(studio.flashes(&got).await, 17);
    assert_eq!(get(studio.server(), &path).await["items"][0]["state"], "ok");
    assert_eq!(std::fs::read_dir(run_dir(&studio)).unwrap().count(), 0);
}

/// The directory of the server's run below `STREAM_TEMP_DIR`.
fn run_dir(studio: &Studio) -> std::path::PathBuf {
    let all = std::fs::read_dir(studio.server().dir().join("streams")).unwrap();
    let mut runs = all.flatten().map(|entry| entry.path());
    runs.find(|path| path.to_string_lossy().contains("/run-"))
        .unwrap()
}

#[tokio::test]
async fn items_for_which_the_disk_has_no_room_are_played_as_they_come() {
    let dir = tempfile::tempdir().unwrap();
    let mount = "-rm mount -t tmpfs none .";
    let (words, vars) = (mount.split_whitespace(), std::collections::BTreeMap::new());
    let mounted = run("unshare", words, &vars, dir.path()).await;
    if !mounted.status.success() {
        return skip("mount namespaces", "this user may not make any");
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
        studio
            .until(&record, "the end", |status| status["status"] == "stopped")
            .await;
        let got = studio.only();
        assert_smooth(&got);
        assert_eq!(studio.flashes(&got).await, 7, "{mode}");
        let said = messages(&studio, &record).await;
        assert!(
            said.contains("temporary space is used up"),
            "{mode}: {said}"
        );
        let pid = studio.server().pid();
        let seen = format!("/proc/{pid}/root{}", dir.path().display());
        let files = files_below(std::path::Path::new(&seen));
        assert_eq!(files, Vec::<String>::new(), "{mode}");
    }
}

fn files_below(dir: &std::path::Path) -> Vec<String> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path.to_string_lossy().into_owned());
        }
    }
    files
}
