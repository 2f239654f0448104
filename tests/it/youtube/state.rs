//! What was learnt of player scripts outlasts the server.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use super::{ID, Site, assert_file};
use crate::harness::link;
use crate::harness::upstream::youtube::{Refusal, Track, Video};

const FILE: &str = "youtube-players.json";

fn for_others(id: &str) -> Video {
    Video::new(id).refusing_client("VISIONOS", Refusal::NotAvailable)
}

async fn with_state(folder: &Path) -> Site {
    Site::with(|builder| builder.env("YOUTUBE_STATE_DIR", &folder.to_string_lossy())).await
}

/// Which came first: the request for formats or the script.
fn asks_before_the_script(site: &Site) -> bool {
    let records = site.stage.world().records();
    let at = |is: &dyn Fn(&str, Option<&str>) -> bool| {
        let found = records
            .iter()
            .position(|record| is(&record.target, record.header("x-youtube-client-name")));
        found.expect("it was asked for")
    };
    let player = at(&|target, client| target.contains("/player?") && client == Some("7"));
    player < at(&|target, _| target.ends_with("/base.js"))
}

#[tokio::test]
async fn knowledge_is_there_after_a_restart() {
    let folder = tempfile::tempdir().expect("temporary directory");
    let folder = folder.path().join("state");
    let site = with_state(&folder).await;
    site.youtube.refuse_plain_n();
    let body = site.resolve(for_others(ID)).await;
    assert_file(&site.get(&link(&body, "140")).await, &Track::of(140, 213));
    assert!(!asks_before_the_script(&site), "nothing is known at first");
    let file = folder.join(FILE);
    let mode = std::fs::metadata(&file)
        .expect("the file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let kept: Value =
        serde_json::from_slice(&std::fs::read(&file).expect("the file")).expect("JSON");
    let facts = &kept["players"][0]["facts"];
    assert_eq!(
        facts["signature_timestamp"],
        site.youtube.script().timestamp
    );
    assert!(
        facts["permutations"]
            .as_object()
            .is_some_and(|all| !all.is_empty())
    );
    let text = kept.to_string();
    assert!(!text.contains("http") && !text.contains(ID), "{text}");
    site.stage.server.stop().await;

    let site = with_state(&folder).await;
    site.youtube.refuse_plain_n();
    let body = site.resolve(for_others("harbour0002")).await;
    assert!(link(&body, "140").contains("data="));
    assert!(asks_before_the_script(&site), "the script's day is known");
    site.assert_well().await;
}

#[tokio::test]
async fn damaged_file_is_warned_about_and_replaced() {
    for text in [
        "{",
        "[]",
        "\0\0",
        "{\"players\":[{\"player\":\"../../x\"}]}",
    ] {
        let folder = tempfile::tempdir().expect("temporary directory");
        std::fs::write(folder.path().join(FILE), text).expect("the file");
        let site = with_state(folder.path()).await;
        let body = site.resolve(for_others(ID)).await;
        assert_file(&site.get(&link(&body, "140")).await, &Track::of(140, 213));
        let kept = std::fs::read_to_string(folder.path().join(FILE)).expect("the file");
        assert!(
            kept.contains("signature_timestamp") && !kept.contains("../"),
            "{kept}"
        );
        site.assert_well().await;
    }
}

#[tokio::test]
async fn folder_that_cannot_be_written_is_warned_about() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let site = with_state(file.path()).await;
    let body = site.resolve(for_others(ID)).await;
    assert_file(&site.get(&link(&body, "140")).await, &Track::of(140, 213));
    site.stage.server.assert_logged("is not kept").await;
    site.assert_well().await;
}
