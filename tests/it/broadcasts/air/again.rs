//! Items that can't be played: when they are tried again, and what is told to come next.

use std::sync::Mutex;

use http::Method;
use serde_json::{Value, json};

use super::ahead::fat;
use super::{LIST, SMALL, Studio, UPRIGHT, assert_smooth, grainy_film, video};
use crate::broadcasts::{ask, route};
use crate::harness::ingest::Manner;
use crate::harness::upstream::youtube::{Layout, Playlist, Refusal, State, Video};
use crate::harness::upstream::{Fault, Rule};

/// The item on air with its cycle, and the one that is told to come next.
type Told = ((String, u64), String);

fn told(status: &Value) -> Option<Told> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let now = (
        text(&status["now"]["id"])?,
        status["now"]["cycle"].as_u64()?,
    );
    Some((now, text(&status["next"]["id"])?))
}

#[tokio::test]
async fn item_that_the_list_calls_private_is_tried_in_the_next_cycle_and_is_not_told_before() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let list = studio.list(&[(SMALL, 4), (SMALL, 4), (SMALL, 4)]).await;
    let ids: Vec<String> = list.entries.iter().map(|entry| entry.id.clone()).collect();
    // It became public since the list was written.
    studio.youtube.playlist(list.with_state(2, State::Private));
    let record = studio.start(json!({ "loop_enabled": true })).await;
    let seen: Mutex<Vec<Told>> = Mutex::default();
    let holds = |status: &Value, is_it: &dyn Fn(&str, u64) -> bool| {
        let Some(told) = told(status) else {
            return false;
        };
        let is_over = is_it(&told.0.0, told.0.1);
        seen.lock().unwrap().push(told);
        is_over
    };
    let is_again = |status: &Value| holds(status, &|id, cycle| (id, cycle) == (&*ids[1], 1));
    studio.until(&record, "the private item", is_again).await;
    let played = async || {
        let items = studio.items(&record).await;
        (items[1]["state"] == "ok").then_some(())
    };
    crate::harness::eventually("its end", played).await;
    studio.post(&record, "stop?wait=30").await;
    assert_smooth(&studio.only());
    let seen = seen.into_inner().unwrap();
    for ((now, cycle), next) in &seen {
        let place = ids.iter().position(|id| id == now).unwrap();
        let expected = match (place, cycle) {
            // Passed over in the first cycle.
            (0, 0) => 2,
            (place, _) => (place + 1) % 3,
        };
        assert_eq!(*next, ids[expected], "after {place} of cycle {cycle}");
    }
    let firsts = seen.iter().filter(|((_, cycle), _)| *cycle == 0);
    assert!(firsts.count() > 1, "{seen:?}");
}

/// After something has played a list is never given up (ruling 44), also when none of it has played to its end.
#[tokio::test]
async fn list_whose_only_item_breaks_on_air_is_tried_until_it_plays_again() {
    const CUT: u64 = 100_000;
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let list = Playlist::new(LIST, Layout::Classic, 1);
    let film = grainy_film(UPRIGHT, 20, studio.dir.path()).await;
    studio.youtube.video(video(&list.entries[0].id, film, 20));
    studio.youtube.playlist(list);
    let world = studio.stage.world();
    world.fault(Rule::path_prefix(
        "/videoplayback",
        Fault::Reset { at: CUT },
    ));
    let record = studio
        .start(json!({ "loop_enabled": true, "profile": fat() }))
        .await;
    studio
        .until(&record, "on air", |status| status["status"] == "running")
        .await;
    world.clear_faults();
    world.fault(Rule::path_prefix("/videoplayback", Fault::Status(403)));
    let tries_again = async || {
        let told = studio.messages(&record).await;
        told.contains("nothing in the list can be played, next try")
            .then_some(())
    };
    crate::harness::eventually("a pause", tries_again).await;
    world.clear_faults();
    let played = async || (studio.items(&record).await[0]["state"] == "ok").then_some(());
    crate::harness::eventually("the item", played).await;
    studio.post(&record, "stop?wait=30").await;
    assert_smooth(&studio.only());
}

/// What was begun elsewhere than at its first item has not been tried when its first cycle ends.
#[tokio::test]
async fn list_begun_at_a_dead_item_is_given_up_only_when_the_others_are_dead_too() {
    let Some(studio) = Studio::new([Manner::Keep, Manner::Keep, Manner::Keep]).await else {
        return;
    };
    let mut list = studio.list(&[(SMALL, 5), (SMALL, 3), (SMALL, 3)]).await;
    let dead = |list: &Playlist, place: usize| {
        let dead = Video::new(&list.entries[place].id).refusing(Refusal::NotAvailable);
        studio.youtube.video(dead);
    };
    dead(&list, 2);
    let begin = async |record: &Value, start: Value| {
        let path = format!("{}/start", route(record));
        let answer = ask(studio.server(), Method::POST, &path, Some(start)).await;
        assert_eq!(answer.status, 202, "{}", answer.json());
    };
    let record = studio.make(json!({ "loop_enabled": true })).await;
    for index in [2, 7] {
        begin(&record, json!({ "index": index })).await;
        let status = studio.until(&record, "the first item", |status| {
            status["status"] == "running" && status["now"]["index"] == 0
        });
        assert_eq!(status.await["now"]["cycle"], 1, "begun at {index}");
        studio.post(&record, "stop?wait=30").await;
    }
    // A list that doesn't loop has nothing more, nor has one of which all are dead.
    let once = studio.make(json!({ "start_index": 2 })).await;
    list = Playlist::new(LIST, Layout::Classic, 6);
    list.entries.drain(..3);
    (0..3).for_each(|place| dead(&list, place));
    begin(&once, json!({})).await;
    let failed = async |record: &Value| {
        let failed = studio.until(record, "the failure", |status| status["status"] == "failed");
        assert_eq!(failed.await["last_error"]["code"], "no_playable_items");
    };
    failed(&once).await;
    studio.youtube.playlist(list);
    let none = studio
        .make(json!({ "loop_enabled": true, "start_index": 2 }))
        .await;
    let refresh = studio.post(&none, "refresh").await;
    assert_eq!(refresh["added"], 3);
    begin(&none, json!({})).await;
    failed(&none).await;
    studio.ingest.publications().iter().for_each(assert_smooth);
}
