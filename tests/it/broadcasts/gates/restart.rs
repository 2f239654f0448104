//! The death of the server.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde_json::json;
use serverrs::broadcast::flv::TagKind;

use super::{Studio, assert_within, list, marks};
use crate::broadcasts::air::until;
use crate::broadcasts::{TOKEN, get, route};
use crate::harness::film::MIXED;
use crate::harness::ingest::Manner;
use crate::harness::lateness::Lateness;
use crate::harness::{Builder, eventually};

/// How long a program may outlive the server.
const OUTLIVE: Duration = Duration::from_secs(3);
/// Seconds that may be played again after a restart.
const AGAIN: usize = 8;

/// Children of a process, by the lists of its threads.
fn children(pid: u32) -> HashSet<u32> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|list| {
            let ids = list.split_whitespace().map(str::parse);
            ids.map(Result::unwrap).collect::<Vec<u32>>()
        })
        .collect()
}

fn is_alive(pid: u32) -> bool {
    // A zombie has no command line.
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

#[tokio::test]
async fn killed_server_takes_its_programs_along_and_goes_on_in_the_film() {
    let dir = tempfile::TempDir::new().unwrap();
    let database = dir.path().join("db").to_string_lossy().into_owned();
    let keep = |builder: Builder| builder.env("BROADCAST_DB", &database);
    let Some(studio) = Studio::with([Manner::Keep], keep).await else {
        return;
    };
    list(&studio, &[(MIXED[0], 16), (MIXED[2], 16)]).await;
    let record = studio.start(json!({ "autostart": true })).await;
    let playing = studio.until(&record, "nine seconds", |status| {
        status["now"]["position_ms"].as_u64() > Some(9_000) && status["pid"].is_u64()
    });
    playing.await;
    let lateness = Lateness::watch();
    let children = children(studio.server().pid());
    assert!(!children.is_empty());
    let killed = Instant::now();
    studio.server().signal("KILL").await;
    let all_dead = || children.iter().all(|pid| !is_alive(*pid));
    eventually("the programs' end", async || all_dead().then_some(())).await;
    assert_within(OUTLIVE, "death of all", killed, Instant::now(), &lateness);
    studio
        .ingest
        .until("the loss", |all| all[0].is_closed)
        .await;
    let server = Builder::new(&studio.stage.upstream)
        .env("BROADCAST_API_TOKEN", TOKEN)
        .env(
            "BROADCAST_ALLOW_PRIVATE_TARGETS",
            &format!("127.0.0.1:{}", studio.ingest.port),
        )
        .env("BROADCAST_DB", &database)
        .start()
        .await;
    until(&server, &record, "on air again", |status| {
        status["status"] == "running" && status["now"]["index"] == 0
    })
    .await;
    // A flash, and it is known which second is on air.
    let level = eventually("a flash", async || {
        let all = studio.ingest.publications();
        let again = all.get(1)?;
        if again.times(TagKind::Video).len() < 90 {
            return None;
        }
        marks(&studio, again).await.levels.first().copied()
    })
    .await;
    let before = marks(&studio, &studio.ingest.publications()[0])
        .await
        .levels;
    let last = before.len() - 1;
    // Behind the last one is what was never seen.
    let second = before.iter().position(|known| known.abs_diff(level) < 5);
    let second = second.unwrap_or(before.len());
    println!("second {last} was on air; it goes on at second {second}");
    assert!(second + AGAIN > last, "{second} after {last}");
    let logs = get(&server, &format!("{}/logs?limit=100", route(&record))).await;
    assert!(logs.to_string().contains("interrupted"), "{logs}");
}
