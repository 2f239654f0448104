//! Broadcasts by accounts of the operator's: what one may see is seen by it alone, and its cookies are told nobody.

use http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::air::{Studio, WIDE, grainy_film};
use super::{CANARY, LIST, TOKEN, ask, assert_error, get, made, route};
use crate::harness::ingest::Manner;
use crate::harness::upstream::youtube::{Layout, Playlist, Track, Video, YouTube};
use crate::harness::upstream::{Fault, Rule};
use crate::harness::{Fetched, Stage, TestServer, eventually, seen_of};

/// A file of cookies with this login.
fn cookies(login: &str) -> String {
    format!(
        "# Netscape HTTP Cookie File\n\
         .youtube.com\tTRUE\t/\tTRUE\t4102444800\tLOGIN_INFO\tcanary-info\n\
         .youtube.com\tTRUE\t/\tTRUE\t4102444800\tSAPISID\t{login}\n"
    )
}

/// A directory with the accounts `harbour` and `quay`.
fn accounts() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fill(&dir);
    dir
}

fn fill(dir: &TempDir) {
    for name in ["harbour", "quay"] {
        let path = dir.path().join(name);
        std::fs::write(path, cookies(&format!("canary-{name}"))).unwrap();
    }
}

async fn stage(dir: &TempDir) -> (Stage, YouTube) {
    let dir = dir.path().to_string_lossy().into_owned();
    let stage = Stage::with(|builder| {
        builder
            .env("BROADCAST_API_TOKEN", TOKEN)
            .env("STREAM_TEMP_DIR", "streams")
            .env("BROADCAST_COOKIES_DIR", &dir)
    })
    .await;
    let youtube = YouTube::open(stage.world());
    (stage, youtube)
}

async fn validate(server: &TestServer, account: Option<&str>) -> Fetched {
    let fields = json!({"title": "T", "playlist_id": LIST, "account": account});
    ask(server, Method::POST, "/broadcasts/validate", Some(fields)).await
}

#[tokio::test]
async fn private_list_is_seen_by_its_account_alone() {
    let dir = accounts();
    let (stage, youtube) = stage(&dir).await;
    youtube.playlist(Playlist::new(LIST, Layout::Classic, 2).owned_by("canary-harbour"));
    let server = &stage.server;
    for _ in 0..2 {
        let (nobody, quay, harbour) = tokio::join!(
            validate(server, None),
            validate(server, Some("quay")),
            validate(server, Some("harbour")),
        );
        assert_error(&nobody, 403, "private");
        assert_error(&quay, 403, "private");
        assert_eq!(harbour.status, 200, "{}", harbour.json());
        assert_eq!(harbour.json()["items"].as_array().map(Vec::len), Some(2));
    }
    let record = made(server, json!({ "account": "harbour" })).await;
    let path = format!("{}/refresh", route(&record));
    let read = ask(server, Method::POST, &path, None).await.json();
    assert_eq!(
        (&record["account"], &read["added"]),
        (&json!("harbour"), &json!(2))
    );
    // Other cookies are another login.
    std::fs::write(dir.path().join("quay"), cookies("canary-harbour")).unwrap();
    eventually("the new cookies", async || {
        (validate(server, Some("quay")).await.status == 200).then_some(())
    })
    .await;
    let mut told = format!("{record}{}", server.logs());
    told += &get(server, &format!("{}/logs?limit=100", route(&record)))
        .await
        .to_string();
    let seen = ["environ", "cmdline"].into_iter();
    told.extend(seen.filter_map(|file| seen_of(server.pid(), file)));
    for secret in ["canary-", "SAPISID"] {
        assert!(!told.contains(secret), "{secret} was told: {told}");
    }
    stage.assert_well().await;
}

#[tokio::test]
async fn cookies_stay_in_force_while_their_folder_is_away() {
    let parent = tempfile::tempdir().unwrap();
    let dir = tempfile::tempdir_in(&parent).unwrap();
    fill(&dir);
    let (stage, youtube) = stage(&dir).await;
    youtube.playlist(Playlist::new(LIST, Layout::Classic, 2).owned_by("canary-harbour"));
    let server = &stage.server;
    assert_eq!(validate(server, Some("harbour")).await.status, 200);
    let away = parent.path().join("away");
    std::fs::rename(dir.path(), &away).unwrap();
    let harbour = validate(server, Some("harbour")).await;
    assert_eq!(harbour.status, 200, "{}", harbour.json());
    // Of this one nothing was read yet.
    let quay = validate(server, Some("quay")).await;
    assert_error(&quay, 422, "invalid_field");
    // A link out of the folder is none of its files, whatever was there before.
    std::fs::rename(&away, dir.path()).unwrap();
    let outside = parent.path().join("outside");
    std::fs::rename(dir.path().join("harbour"), &outside).unwrap();
    std::os::unix::fs::symlink(&outside, dir.path().join("harbour")).unwrap();
    let linked = validate(server, Some("harbour")).await;
    assert_error(&linked, 422, "invalid_field");
    stage.assert_well().await;
}

#[tokio::test]
async fn accounts_without_cookies_are_refused() {
    let dir = accounts();
    std::fs::write(dir.path().join("empty"), "no cookies").unwrap();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("file"), cookies("canary-outside")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("file"), dir.path().join("link")).unwrap();
    std::fs::write(dir.path().join(".hidden"), cookies("canary-hidden")).unwrap();
    let (stage, _) = stage(&dir).await;
    let refused = async |server: &TestServer, account: &str| {
        let fields = json!({"title": "T", "playlist_id": LIST, "account": account});
        let answer = ask(server, Method::POST, "/broadcasts", Some(fields)).await;
        assert_error(&answer, 422, "invalid_field");
        let answer = answer.json();
        assert_eq!(answer["detail"][0]["loc"][1], "account", "{answer}");
        answer["message"].as_str().unwrap().to_owned()
    };
    for account in ["missing", "link", "empty", "../quay", ".", "..", "a/b"] {
        refused(&stage.server, account).await;
    }
    let message = refused(&stage.server, ".hidden").await;
    assert!(message.contains("not beginning with `.`"), "{message}");
    let record = made(&stage.server, json!({ "account": "quay" })).await;
    let patch = json!({ "account": "missing" });
    let answer = ask(&stage.server, Method::PATCH, &route(&record), Some(patch)).await;
    assert_error(&answer, 422, "invalid_field");
    let without = super::builder().start().await;
    let message = refused(&without, "quay").await;
    assert!(
        message.contains("`BROADCAST_COOKIES_DIR` is not set on this server"),
        "{message}"
    );
}

#[tokio::test]
async fn account_that_is_gone_is_told_at_the_start() {
    let dir = accounts();
    let (stage, _) = stage(&dir).await;
    let fields =
        json!({"account": "quay", "target_url": "rtmp://a.example/live", "stream_key": CANARY});
    let record = made(&stage.server, fields).await;
    std::fs::remove_file(dir.path().join("quay")).unwrap();
    // For a moment it may only be replaced by another one.
    eventually("the end of its cookies", async || {
        (validate(&stage.server, Some("quay")).await.status == 422).then_some(())
    })
    .await;
    let start = format!("{}/start", route(&record));
    let answer = ask(&stage.server, Method::POST, &start, None).await;
    assert_eq!(answer.status, 202, "{}", answer.json());
    let failed = eventually("the failure", async || {
        let now = get(&stage.server, &route(&record)).await;
        (now["status"] == "failed").then_some(now)
    })
    .await;
    let error = &failed["last_error"];
    assert_eq!(error["code"], "account_unavailable", "{error}");
    assert!(error["message"].as_str().unwrap().contains("`account`"));
    let path = format!("{}/refresh", route(&record));
    let answer = ask(&stage.server, Method::POST, &path, None).await;
    assert_error(&answer, 422, "invalid_field");
}

#[tokio::test]
async fn private_video_plays_by_its_account_through_new_addresses() {
    let dir = accounts();
    let path = dir.path().to_string_lossy().into_owned();
    let with = |builder: crate::harness::Builder| builder.env("BROADCAST_COOKIES_DIR", &path);
    let Some(studio) = Studio::with([Manner::Keep, Manner::Keep], with).await else {
        return;
    };
    let list = Playlist::new(LIST, Layout::Classic, 1);
    let film = grainy_film(WIDE, 4, studio.dir.path()).await;
    let track = Track::of(18, 4).holding_bytes(film);
    let video = Video::new(&list.entries[0].id).with("/videoDetails/lengthSeconds", json!("4"));
    studio
        .youtube
        .video(video.with_tracks(vec![track]).owned_by("canary-harbour"));
    studio.youtube.playlist(list);
    // Each address is good for one read, and each read is cut.
    studio.youtube.serve_once();
    let world = studio.stage.world();
    world.fault(Rule::path_prefix(
        "/videoplayback",
        Fault::Reset { at: 200_000 },
    ));
    let record = studio.start(json!({ "account": "harbour" })).await;
    studio.to_the_end(&record).await;
    assert_eq!(studio.flashes(&studio.only()).await, 4);
    let asked = world.records();
    let players = asked
        .iter()
        .filter(|record| record.target.contains("/player"));
    assert!(players.count() >= 2, "no new addresses");
    // What the account was told is not told to those without it.
    let record = studio.start(json!({})).await;
    let items = format!("{}/items", route(&record));
    let item = eventually("the refusal", async || {
        let item = get(studio.server(), &items).await["items"][0].clone();
        (item["state"] == "skipped").then_some(item)
    })
    .await;
    assert_eq!(item["reason"], "private");
    assert_eq!(item["title"], Value::from("Part 1 & more"));
    assert!(!studio.server().logs().contains("canary-"));
    studio.stage.assert_well().await;
}
