//! Lists that are not what lists should be: none keeps the server busy, and none grows without bound.

use http::Method;
use serde_json::json;

use super::{LIST, TOKEN, ask, assert_error, get, made, route};
use crate::harness::Stage;
use crate::harness::upstream::youtube::{Layout, Playlist, YouTube};

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
