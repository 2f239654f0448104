//! Ingests that close and go away.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Studio, assert_smooth, assert_within, different, list, marks};
use crate::broadcasts::{CANARY, get, route};
use crate::faults::seed::Seed;
use crate::harness::film::MIXED;
use crate::harness::ingest::{Ingest, Manner, Publication};
use crate::harness::lateness::Lateness;
use crate::harness::{is_long_form, skip};

/// From the close of a connection to media on the next one.
const RECONNECT: Duration = Duration::from_millis(500);
/// A group of pictures, in milliseconds.
const GOP_MS: u64 = 1000;

/// All seconds of the film came, over whatever connections; so often one came again.
async fn repeated(studio: &Studio, all: &[Publication], seconds: usize) -> usize {
    let mut levels = Vec::new();
    for publication in all.iter().filter(|one| one.played().next().is_some()) {
        levels.extend(marks(studio, publication).await.levels);
    }
    assert_eq!(different(&levels), seconds, "{levels:?}");
    levels.len() - seconds
}

fn assert_all_smooth(all: &[Publication]) {
    for publication in all.iter().filter(|one| one.played().next().is_some()) {
        assert_smooth(publication);
    }
}

fn first_media(publication: &Publication) -> Instant {
    publication.played().next().expect("media").at
}

/// Waits for so many connections besides the first, then for the end; the faults before it.
async fn faults(studio: &Studio, record: &Value, reconnects: u64) -> Value {
    let back = studio.until(record, "the last connection", |status| {
        status["faults"]["reconnects"] == reconnects && status["output"]["connected"] == true
    });
    let faults = back.await["faults"].clone();
    end(studio, record).await;
    println!("{faults}");
    faults
}

async fn end(studio: &Studio, record: &Value) {
    let stopped = studio
        .until(record, "the end", |status| status["status"] == "stopped")
        .await;
    assert_eq!(stopped["last_error"], Value::Null);
}

#[tokio::test]
async fn ingest_that_closes_has_media_again_at_once() {
    let manners = [
        Manner::CloseAfter(150),
        Manner::CloseAfter(200),
        Manner::Keep,
    ];
    let Some(studio) = Studio::new(manners).await else {
        return;
    };
    list(&studio, &[(MIXED[0], 9)]).await;
    let lateness = Lateness::watch();
    let record = studio.start(json!({})).await;
    let faults = faults(&studio, &record, 2).await;
    let all = studio.ingest.publications();
    assert_eq!(all.len(), 3);
    assert_all_smooth(&all);
    for pair in all.windows(2) {
        let closed = pair[0].closed_at.expect("closed");
        assert_within(
            RECONNECT,
            "close to media",
            closed,
            first_media(&pair[1]),
            &lateness,
        );
    }
    let repeated = repeated(&studio, &all, 9).await;
    println!("{repeated} flashes came twice");
    assert!(repeated <= 2 && faults["repeated_ms"].as_u64() <= Some(2 * GOP_MS));
}

/// Plays to an ingest that is away for so long, and must have media so soon after its return.
async fn with_an_ingest_away(away: Duration, limit: Duration) {
    let Some(mut studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    list(&studio, &[(MIXED[0], 9)]).await;
    let lateness = Lateness::watch();
    let record = studio.start(json!({})).await;
    studio
        .until(&record, "two seconds", |status| {
            status["now"]["position_ms"].as_u64() >= Some(2000)
        })
        .await;
    let port = studio.ingest.port;
    let first = std::mem::replace(&mut studio.ingest, Ingest::start([Manner::Keep]));
    let mut all = first.close().await;
    tokio::time::sleep(away).await;
    let back = Instant::now();
    studio.ingest = Ingest::start_on(port, [Manner::Keep]);
    let faults = faults(&studio, &record, 1).await;
    all.push(studio.only());
    assert_within(
        limit,
        "return to media",
        back,
        first_media(&all[1]),
        &lateness,
    );
    assert_all_smooth(&all);
    let repeated = repeated(&studio, &all, 9).await;
    println!("{repeated} flashes came twice");
    assert!(repeated <= 1 && faults["repeated_ms"].as_u64() <= Some(GOP_MS));
}

#[tokio::test]
async fn ingest_that_was_away_has_media_soon_after_its_return() {
    let (away, limit) = (Duration::from_secs(3), Duration::from_millis(1500));
    with_an_ingest_away(away, limit).await;
}

#[tokio::test]
async fn ingest_that_was_away_for_a_minute_has_media_soon_after_its_return() {
    if !is_long_form() {
        return skip("a minute away", "SERVERRS_PROOFS is not `full`");
    }
    let (away, limit) = (Duration::from_secs(60), Duration::from_millis(6500));
    with_an_ingest_away(away, limit).await;
}

#[tokio::test]
async fn ingest_that_was_away_for_20_minutes_has_media_soon_after_its_return() {
    if !is_long_form() {
        return skip("20 minutes away", "SERVERRS_PROOFS is not `full`");
    }
    let (away, limit) = (Duration::from_secs(20 * 60), Duration::from_secs(37));
    with_an_ingest_away(away, limit).await;
}

/// Connections of one run that are closed; those after them are kept.
const ROUNDS: usize = 16;

/// Closes in the handshake, among the commands, at any byte of the media and between any two messages.
fn closes(number: u64) -> Vec<Manner> {
    let mut seed = Seed::new(number);
    let mut within = |range| usize::try_from(seed.within(range)).unwrap();
    let mut close = || match within(0..4) {
        0 => Manner::CloseAfterBytes(within(1..4_000)),
        1 => Manner::CloseAfterBytes(within(4_000..12_000)),
        2 => Manner::CloseAfter(within(1..6)),
        _ => Manner::CloseAfter(within(6..80)),
    };
    let closes: Vec<Manner> = (0..ROUNDS).map(|_| close()).collect();
    [closes, vec![Manner::Keep]].concat()
}

#[tokio::test]
async fn ingest_that_closes_at_random_loses_nothing() {
    let seeds = if is_long_form() { 0..12 } else { 0..1 };
    for seed in seeds {
        let manners = closes(seed);
        println!("seed {seed}: {manners:?}");
        let Some(studio) = Studio::new(manners).await else {
            return;
        };
        list(&studio, &[(MIXED[2], 15)]).await;
        let record = studio.start(json!({})).await;
        end(&studio, &record).await;
        let all = studio.ingest.publications();
        assert_eq!(all.len(), ROUNDS + 1, "connections");
        assert!(
            all.iter()
                .all(|one| one.key == CANARY || one.key.is_empty())
        );
        let repeated = repeated(&studio, &all, 15).await;
        println!("{repeated} flashes came twice");
        let status = get(studio.server(), &format!("{}/status", route(&record))).await;
        assert_eq!(status["pids"], json!([]));
    }
}
