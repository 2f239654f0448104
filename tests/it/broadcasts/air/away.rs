//! Site and target that can't be had, and items that can't: what of it costs what.

use http::Method;
use serde_json::{Value, json};

use super::{PATIENCE, SMALL, Studio, UPRIGHT, assert_smooth, video};
use crate::broadcasts::{ask, get, route};
use crate::harness::eventually;
use crate::harness::ingest::{Ingest, Manner};
use crate::harness::upstream::youtube::{Refusal, Video};
use crate::harness::upstream::{Fault, Rule};

/// What can't be had for now.
fn closed(id: &str) -> Video {
    Video::new(id).refusing(Refusal::Processing)
}

/// A record of a list of which the first item is kept.
fn hybrid() -> Value {
    json!({ "stream_source": "playlist", "playlist_serve_mode": "hybrid", "cache_first": 1 })
}

/// Ids of what was on air, in its order.
async fn on_air(studio: &Studio, record: &Value) -> Vec<String> {
    let path = format!("{}/logs?limit=500", route(record));
    let logs = get(studio.server(), &path).await;
    let rows = logs["logs"].as_array().unwrap().iter().rev();
    let rows = rows.filter(|row| {
        let said = row["message"].as_str().unwrap_or_default();
        said.starts_with("on air")
    });
    rows.map(|row| row["item_id"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// Waits until the log has this so often.
async fn said(studio: &Studio, record: &Value, what: &str, count: usize) {
    let asking = async {
        while studio.messages(record).await.matches(what).count() < count {
            tokio::task::yield_now().await;
        }
    };
    let asked = tokio::time::timeout(PATIENCE, asking).await;
    asked.unwrap_or_else(|_| panic!("not within {PATIENCE:?}: {what}"));
}

#[tokio::test]
async fn item_that_can_not_be_had_hides_no_other_one_of_a_kept_list() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let list = studio.list(&[(SMALL, 4), (SMALL, 1), (UPRIGHT, 3)]).await;
    studio.youtube.video(closed(&list.entries[1].id));
    let record = studio.start(hybrid()).await;
    studio.to_the_end(&record).await;
    let got = studio.only();
    assert_smooth(&got);
    assert_eq!(studio.flashes(&got).await, 7);
    let items = studio.items(&record).await;
    let states = items.iter().map(|item| item["state"].as_str().unwrap());
    assert_eq!(states.collect::<Vec<_>>(), ["ok", "failed", "ok"]);
    assert!(!studio.messages(&record).await.contains("the site is away"));
    // It is over: there is no place to go on at.
    let record = get(studio.server(), &route(&record)).await;
    assert_eq!(record["position"], Value::Null);
}

#[tokio::test]
async fn list_goes_on_where_it_was_when_the_site_is_back() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let films = [(SMALL, 4), (UPRIGHT, 3), (SMALL, 2), (UPRIGHT, 1)];
    let list = studio.list(&films).await;
    let ids: Vec<&str> = list.entries.iter().map(|entry| entry.id.as_str()).collect();
    studio.youtube.video(closed(ids[2]));
    let record = studio.start(hybrid()).await;
    eventually("the list", async || {
        let items = studio.items(&record).await;
        (items.len() == films.len()).then_some(())
    })
    .await;
    let world = studio.stage.world();
    let list_is_away = Rule::path_prefix("/youtubei/v1/browse", Fault::CloseBeforeHead);
    world.fault(list_is_away);
    let kept = studio.until(&record, "what is kept, again", |status| {
        status["now"]["cycle"].as_u64() >= Some(1) && status["now"]["source"] == "cache"
    });
    kept.await;
    let film = super::film(SMALL, 2, studio.dir.path()).await;
    studio.youtube.video(video(ids[2], film, 2));
    studio.stage.world().clear_faults();
    let stopped = studio.to_the_end(&record).await;
    assert_eq!(stopped["last_error"], Value::Null);
    let items = studio.items(&record).await;
    assert!(items.iter().all(|item| item["state"] == "ok"), "{items:?}");
    let played = on_air(&studio, &record).await;
    let again = played.iter().skip(2).take_while(|id| **id == ids[0]);
    let again = again.count();
    assert!(again >= 1, "{played:?}");
    let (before, after) = (&played[..2], &played[2 + again..]);
    assert_eq!(
        (before, after),
        (
            &[ids[0].to_owned(), ids[1].to_owned()][..],
            &[ids[2].to_owned(), ids[3].to_owned()][..],
        )
    );
    assert!(studio.messages(&record).await.contains("the site is away"));
}

#[tokio::test]
async fn item_that_can_not_be_decoded_is_fetched_whole_once() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let list = studio.list(&[(SMALL, 2), (SMALL, 3)]).await;
    let mut broken = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom".to_vec();
    broken.resize(200_000, 0x55);
    let id = &list.entries[0].id;
    studio.youtube.video(video(id, broken.into(), 2));
    let record = studio
        .start(json!({ "on_item_failure": "fallback_download" }))
        .await;
    studio.to_the_end(&record).await;
    let items = studio.items(&record).await;
    assert_eq!(
        (&items[0]["state"], &items[1]["state"]),
        (&json!("failed"), &json!("ok"))
    );
    let said = studio.messages(&record).await;
    assert_eq!(said.matches("fetched ahead").count(), 1, "{said}");
    assert_eq!(studio.flashes(&studio.only()).await, 3);
}

#[tokio::test]
async fn items_are_waited_for_while_the_target_is_away_too() {
    let Some(mut studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let list = studio.list(&[(SMALL, 2), (UPRIGHT, 3)]).await;
    for entry in &list.entries {
        studio.youtube.video(closed(&entry.id));
    }
    let port = studio.ingest.port;
    std::mem::replace(&mut studio.ingest, Ingest::start([Manner::Keep]))
        .close()
        .await;
    let address = format!("rtmp://127.0.0.1:{port}/live");
    let record = studio.start(json!({ "target_url": address })).await;
    said(&studio, &record, "neither the site nor the target", 1).await;
    studio.list(&[(SMALL, 2), (UPRIGHT, 3)]).await;
    studio.ingest = Ingest::start_on(port, [Manner::Keep]);
    studio.to_the_end(&record).await;
    let items = studio.items(&record).await;
    assert!(items.iter().all(|item| item["state"] == "ok"), "{items:?}");
    assert_eq!(studio.flashes(&studio.only()).await, 5);
}

/// As after a power cut, when the network comes up minutes after the server.
#[tokio::test]
async fn list_that_was_never_read_is_waited_for_while_the_target_is_away_too() {
    let Some(mut studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    studio.list(&[(SMALL, 2)]).await;
    let world = studio.stage.world();
    world.fault(Rule::path_prefix("/", Fault::CloseBeforeHead));
    let port = studio.ingest.port;
    std::mem::replace(&mut studio.ingest, Ingest::start([Manner::Keep]))
        .close()
        .await;
    let address = format!("rtmp://127.0.0.1:{port}/live");
    let record = studio.start(json!({ "target_url": address })).await;
    // Longer than something may take to play, once there is a target.
    said(&studio, &record, "Failed to extract playlist videos", 2).await;
    studio.stage.world().clear_faults();
    studio.ingest = Ingest::start_on(port, [Manner::Keep]);
    let stopped = studio.to_the_end(&record).await;
    assert_eq!(stopped["last_error"], Value::Null);
    assert_eq!(studio.flashes(&studio.only()).await, 2);
    let answer = ask(studio.server(), Method::DELETE, &route(&record), None).await;
    assert_eq!(answer.status, 204);
}
