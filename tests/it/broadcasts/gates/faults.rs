//! Items that are dead, and a site that is away.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::json;

use super::{Studio, different, file_of, kill, list, marks, whole};
use crate::harness::film::MIXED;
use crate::harness::ingest::Manner;
use crate::harness::lateness::Lateness;
use crate::harness::upstream::{Fault, Rule, World};

/// What the site is asked last of each video.
const LAST_QUESTION: &str = "/youtubei/v1/reel/reel_item_watch";
/// Items asked for before their turn, at most.
const AHEAD: u64 = 5;

/// Videos whose bytes were asked for.
fn files_asked(world: &World) -> usize {
    let asked: HashSet<String> = world
        .records()
        .iter()
        .filter(|record| record.target.starts_with("/videoplayback"))
        .filter_map(|record| {
            let pairs = record.target.split(['?', '&']);
            pairs
                .into_iter()
                .find(|pair| pair.starts_with("id="))
                .map(str::to_owned)
        })
        .collect();
    asked.len()
}

#[tokio::test]
async fn dead_item_and_absent_site_show_the_slate_on_the_same_connection() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let films = [(MIXED[0], 3), (MIXED[2], 3), (MIXED[4], 4)];
    let videos = list(&studio, &films).await;
    let world = studio.stage.world();
    let fault = |entry: usize, status: u16| {
        let file = file_of(&videos.entries[entry].id);
        world.fault(Rule::parameter("id", &file, Fault::Status(status)));
    };
    fault(1, 410);
    fault(2, 503);
    let lateness = Lateness::watch();
    let record = studio.start(json!({ "start_with_slate": false })).await;
    let shown = studio.until(&record, "ten seconds of slate", |status| {
        status["faults"]["slate_ms"].as_u64() >= Some(10_000)
    });
    let status = shown.await["status"].clone();
    assert_eq!(status, "running");
    world.clear_faults();
    let got = whole(&studio, &record, &lateness).await;
    let marks = marks(&studio, &got).await;
    assert_eq!((marks.flashes.len(), different(&marks.levels)), (7, 4));
}

#[tokio::test]
async fn killed_encoder_costs_three_seconds_of_slate_at_most() {
    const SECONDS: u32 = 12;
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let film = MIXED[0].film(SECONDS, studio.dir.path()).await.unwrap();
    let videos = list(&studio, &[(MIXED[0], SECONDS), (MIXED[2], 4)]).await;
    // Hardly faster than it is played, so that little is in hand when the encoder dies.
    let pace = film.len() as u64 * 5 / 4 / u64::from(SECONDS);
    let file = file_of(&videos.entries[0].id);
    studio
        .stage
        .world()
        .fault(Rule::parameter("id", &file, Fault::Rate(pace)));
    let lateness = Lateness::watch();
    let record = studio.start(json!({ "start_with_slate": false })).await;
    let on_air = studio.until(&record, "an encoder on air", |status| {
        status["now"]["index"] == 0 && status["pid"].is_u64()
    });
    kill(on_air.await["pid"].as_u64().unwrap()).await;
    studio.stage.world().clear_faults();
    let next = studio.until(&record, "the next item", |status| {
        status["now"]["index"] == 1
    });
    let slate = next.await["faults"]["slate_ms"].as_u64().unwrap();
    println!("{slate} ms of slate after a killed encoder, gate 3000");
    assert!(slate <= 3000, "{slate} ms");
    let got = whole(&studio, &record, &lateness).await;
    let marks = marks(&studio, &got).await;
    assert_eq!(marks.flashes.len(), SECONDS as usize + 4);
}

#[tokio::test]
async fn site_that_refuses_everything_is_asked_once_a_second_at_most() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let films = [(MIXED[0], 2), (MIXED[2], 2), (MIXED[4], 2)];
    list(&studio, &films).await;
    let world = studio.stage.world();
    let record = studio.start(json!({ "loop_enabled": true })).await;
    studio
        .until(&record, "on air", |status| status["now"]["index"] == 0)
        .await;
    let refusal = Fault::Status(403);
    world.fault(Rule::path_prefix("/videoplayback", refusal));
    studio
        .until(&record, "the slate", |status| {
            status["faults"]["slate_ms"].as_u64() >= Some(2000)
        })
        .await;
    let asked = || {
        world.look(|traffic| {
            let asked = traffic.records.iter();
            asked
                .filter(|record| record.target.starts_with(LAST_QUESTION))
                .count()
        })
    };
    // The site is watched for so long.
    let (before, watched) = (asked(), Duration::from_secs(10));
    tokio::time::sleep(watched).await;
    let resolves = asked() - before;
    assert!(asked() > 0);
    println!("{resolves} resolutions in {watched:?}, gate 10");
    assert!(resolves <= 10, "{resolves} in {watched:?}");
    assert_eq!(studio.ingest.publications().len(), 1);
}

/// Short items are made faster than they are played.
#[tokio::test]
async fn short_items_are_asked_for_a_few_ahead() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    list(&studio, &[(MIXED[4], 2); 12]).await;
    let record = studio.start(json!({})).await;
    for index in [1, 4] {
        let on_air = |status: &serde_json::Value| status["now"]["index"].as_u64() >= Some(index);
        let status = studio.until(&record, "the next items", on_air).await;
        let index = status["now"]["index"].as_u64().unwrap();
        let asked = files_asked(studio.stage.world()) as u64;
        assert!(asked <= index + 1 + AHEAD, "{asked} with {index} on air");
    }
}
