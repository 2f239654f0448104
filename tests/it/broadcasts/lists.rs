//! Lists that are not what lists should be: none keeps the server busy, and none grows without bound.

use http::Method;
use serde_json::{Value, json};

use super::air::{SMALL, Studio, film, video};
use super::{LIST, TOKEN, ask, assert_error, get, made, route};
use crate::harness::ingest::Manner;
use crate::harness::upstream::youtube::{Layout, Playlist, YouTube};
use crate::harness::{Builder, Stage, eventually};

async fn stage() -> (Stage, YouTube) {
    let stage = Stage::with(|builder| {
        builder
            .env("BROADCAST_API_TOKEN", TOKEN)
            .env("STREAM_TEMP_DIR", "streams")
            .env("BROADCAST_MAX_ITEMS", "250")
    })
    .await;
    let youtube = YouTube::open(stage.world());
    (stage, youtube)
}

#[tokio::test]
async fn huge_and_endless_lists_are_cut() {
    let (stage, youtube) = stage().await;
    let endless = "PLendless0000000000000";
    youtube.playlist(Playlist::new(LIST, Layout::Classic, 1000));
    youtube.playlist(Playlist::new(endless, Layout::Classic, 120).looping());
    for (list, least) in [(LIST, 250), (endless, 100)] {
        let record = made(&stage.server, json!({ "playlist_id": list })).await;
        let path = format!("{}/refresh", route(&record));
        let answer = ask(&stage.server, Method::POST, &path, None).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        let added = answer.json()["added"].as_u64().unwrap();
        assert!((least..=250).contains(&added), "{list}: {added}");
        let items = get(&stage.server, &format!("{}/items", route(&record))).await;
        let items = items["items"].as_array().unwrap().len();
        assert_eq!(items as u64, added);
    }
    stage.assert_well().await;
}

/// Requests for pages of lists so far.
fn pages(studio: &Studio) -> usize {
    let records = studio.stage.world().records();
    let pages = records.iter().filter(|record| {
        record.target.contains("/youtubei/v1/browse") || record.target.starts_with("/playlist")
    });
    pages.count()
}

#[tokio::test]
async fn broadcasts_of_huge_and_endless_lists_go_on_air_with_what_fits() {
    let with = |builder: Builder| {
        let builder = builder.env("BROADCAST_MAX_ITEMS", "250");
        builder.env("BROADCAST_MAX_RUNNING", "3")
    };
    let Some(studio) = Studio::with([Manner::Keep], with).await else {
        return;
    };
    let endless = "PLendless0000000000000";
    let film = film(SMALL, 30, studio.dir.path()).await;
    for list in [
        Playlist::new(LIST, Layout::Classic, 1000),
        Playlist::new(endless, Layout::Lockup, 120).looping(),
    ] {
        for entry in list.entries.iter().take(250) {
            studio.youtube.video(video(&entry.id, film.clone(), 30));
        }
        studio.youtube.playlist(list);
    }
    for (list, is_shuffled, least) in [
        (LIST, false, 250),
        (endless, false, 100),
        (endless, true, 100),
    ] {
        let before = pages(&studio);
        let fields =
            json!({ "playlist_id": list, "shuffle_playlist": is_shuffled, "loop_enabled": true });
        let record = studio.start(fields).await;
        let on_air = studio.until(&record, "on air", |status| status["status"] == "running");
        on_air.await;
        let whole = async || {
            let items = studio.items(&record).await.len();
            (items >= least).then_some(items)
        };
        let items = eventually("the list", whole).await;
        assert!(items <= 250, "{list}: {items}");
        // What has no end is not read on and on.
        let asked = pages(&studio) - before;
        assert!(asked <= 4, "{list}: {asked} pages");
        let stopped = studio.post(&record, "stop?wait=30").await;
        assert_eq!(
            (&stopped["status"], &stopped["last_error"]),
            (&json!("stopped"), &Value::Null)
        );
        let asked_in_the_end = pages(&studio) - before;
        assert!(asked_in_the_end <= 4, "{list}: {asked_in_the_end} pages");
        assert!(studio.items(&record).await.len() <= 250);
    }
    let unread = "PLunread00000000000000";
    studio
        .youtube
        .playlist(Playlist::new(unread, Layout::Classic, 120).looping());
    let before = pages(&studio);
    let fields = json!({ "title": "T", "playlist_id": unread });
    let valid = ask(
        studio.server(),
        Method::POST,
        "/broadcasts/validate",
        Some(fields),
    )
    .await;
    let items = valid.json()["items"].as_array().map_or(0, Vec::len);
    assert!(
        (1..=100).contains(&items),
        "{items} items of the first page"
    );
    assert_eq!(pages(&studio) - before, 1);
    studio.stage.assert_well().await;
}

#[tokio::test]
async fn list_that_can_not_be_read_is_told_and_changes_nothing() {
    let (stage, youtube) = stage().await;
    youtube.playlist(Playlist::new(LIST, Layout::Classic, 2));
    let record = made(&stage.server, json!({})).await;
    let path = format!("{}/refresh", route(&record));
    ask(&stage.server, Method::POST, &path, None).await;
    let before = get(&stage.server, &format!("{}/items", route(&record))).await;
    assert_eq!(before["items"].as_array().map(Vec::len), Some(2));
    let secret = "PLsecret00000000000000";
    youtube
        .playlist(Playlist::new(secret, Layout::Classic, 1).alerting("This playlist is private."));
    let fields = json!({ "title": "T", "playlist_id": secret });
    let answer = ask(
        &stage.server,
        Method::POST,
        "/broadcasts/validate",
        Some(fields),
    )
    .await;
    assert_error(&answer, 403, "private");
    let other = made(&stage.server, json!({ "playlist_id": secret })).await;
    let answer = ask(
        &stage.server,
        Method::POST,
        &format!("{}/refresh", route(&other)),
        None,
    )
    .await;
    assert_error(&answer, 403, "private");
    assert_eq!(
        get(&stage.server, &format!("{}/items", route(&other))).await,
        json!({ "items": [] })
    );
    assert_eq!(
        get(&stage.server, &format!("{}/items", route(&record))).await,
        before
    );
    stage.assert_well().await;
}
