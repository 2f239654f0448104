//! Places for transfers: counted while they run, given back when they end, refused when all are taken.

use http::Method;
use serde_json::Value;

use crate::harness::upstream::tiktok::Item;
use crate::harness::upstream::{Fault, Gate, Progress, Rule};
use crate::harness::{Stage, address, assert_refusal, eventually, link};

const ID: &str = "7524919459643919791";
const PLAY: &str = "h264_720p_1490112";

async fn active(stage: &Stage) -> u64 {
    let health: Value = stage.api().get("/health").await.json();
    health["streams"]["active"].as_u64().expect("a number")
}

/// Returns when so many transfers run.
async fn until_active(stage: &Stage, count: u64) {
    eventually("so many run", async || {
        (active(stage).await == count).then_some(())
    })
    .await;
}

/// Reads an answer to its end; returns the number of bytes.
async fn drain(mut answer: reqwest::Response) -> u64 {
    let mut count = 0;
    while let Some(chunk) = answer.chunk().await.expect("a chunk") {
        count += chunk.len() as u64;
    }
    count
}

#[tokio::test]
async fn transfer_is_counted_while_it_runs_and_a_second_one_is_turned_away() {
    let stage = Stage::with(|builder| {
        builder
            .env("MAX_STREAMS", "1")
            .env("MAX_QUEUE", "0")
            .env("QUEUE_TIMEOUT", "0")
    })
    .await;
    let item = Item::video(ID);
    let link = link(&stage.resolve(&item).await, PLAY);
    let gate = Gate::new();
    let stall = Fault::Stall {
        at: 200_000,
        gate: gate.clone(),
    };
    stage
        .world()
        .fault(Rule::address(&address(&item, "/video/playAddr"), stall));
    assert_eq!(active(&stage).await, 0);
    let running = stage
        .api()
        .request(Method::GET, &link)
        .send()
        .await
        .expect("an answer");
    assert_eq!((running.status().as_u16(), active(&stage).await), (200, 1));
    let refused = stage.api().get(&link).await;
    let body = assert_refusal(&refused, 503, "busy");
    assert_eq!(body["message"], "Server is busy, try again shortly");
    assert!(
        (1..=10).contains(&body["retry_after"].as_u64().expect("seconds")),
        "{body:#}"
    );
    gate.open();
    let bytes = drain(running).await;
    assert_eq!(bytes, stage.file(&item, "/video/playAddr").payload.len());
    until_active(&stage, 0).await;
    assert_eq!(stage.api().get(&link).await.status, 200);
}

#[tokio::test]
async fn client_that_leaves_frees_its_place_and_the_site() {
    let stage = Stage::new().await;
    let item = Item::video(ID);
    let link = link(&stage.resolve(&item).await, PLAY);
    let at = address(&item, "/video/playAddr");
    let gate = Gate::new();
    stage
        .world()
        .fault(Rule::address(&at, Fault::Stall { at: 1000, gate }));
    let running = stage
        .api()
        .request(Method::GET, &link)
        .send()
        .await
        .expect("an answer");
    until_active(&stage, 1).await;
    let left = std::time::Instant::now();
    drop(running);
    until_active(&stage, 0).await;
    assert!(left.elapsed().as_millis() < 1000, "{:?}", left.elapsed());
    // The other request for this address proved the end of the file and is over.
    let is_gone = |traffic: &crate::harness::upstream::Traffic| {
        let mut main = traffic
            .of(&at)
            .filter(|record| record.progress != Progress::Complete);
        main.all(|record| record.progress == Progress::ClientGone)
    };
    stage
        .world()
        .wait_for("the site sees it too", is_gone)
        .await;
}
