//! What is told of a transfer: every way in which one ends has a counter in `/health` and one line in the log, with the
//! bytes that were handed over and the reason.

use serde_json::Value;
use tokio::time::timeout;

use super::lab::Lab;
use super::seed::Seed;
use super::target::Target;
use super::trial::Verdict;
use crate::harness::upstream::{Fault, Gate, Rule};
use crate::raw::h1::{PATIENCE, Raw};
use crate::raw::h2::{H2, HEADERS, setting};

/// Bytes before a break.
const AT: u64 = 10_007;
/// In place of a number that no test can foretell: what a library takes of a stalled stream, or had been handed over when
/// there proved to be too much.
const UNFORETOLD: u64 = u64::MAX;
/// `SETTINGS_INITIAL_WINDOW_SIZE`.
const INITIAL_WINDOW: u16 = 4;

/// A way for a transfer to end, and the faults that lead there.
struct End {
    outcome: &'static str,
    verdict: Verdict,
    script: fn(&Target) -> Vec<Rule>,
}

fn broken(outcome: &'static str, script: fn(&Target) -> Vec<Rule>) -> End {
    End {
        outcome,
        verdict: Verdict::Broken,
        script,
    }
}

/// This in the first answer, and 503 in every later one.
fn then_down(target: &Target, fault: Fault) -> Vec<Rule> {
    then(target, fault, Fault::Status(503))
}

fn then(target: &Target, fault: Fault, later: Fault) -> Vec<Rule> {
    vec![
        target.everywhere(fault).nth(1),
        target.everywhere(later).since(2),
    ]
}

/// The ends that an upstream brings about.
fn ends() -> Vec<End> {
    vec![
        End {
            outcome: "complete",
            verdict: Verdict::Whole,
            script: |target| vec![target.everywhere(Fault::Reset { at: AT }).nth(1)],
        },
        broken("upstream_reset", |target| {
            then_down(target, Fault::Reset { at: AT })
        }),
        broken("upstream_stall", |target| {
            let gate = Gate::new();
            then_down(target, Fault::Stall { at: AT, gate })
        }),
        broken("upstream_short", |target| {
            then_down(target, Fault::CloseDelimitedShort { at: AT })
        }),
        broken("forbidden", |target| {
            then(target, Fault::Reset { at: AT }, Fault::Status(403))
        }),
        broken("identity_changed", |target| {
            then(target, Fault::Reset { at: AT }, target.replaced())
        }),
        broken("length_mismatch", |target| {
            target.lengthen();
            vec![
                target.always(Fault::IgnoreRange),
                target.everywhere(Fault::CloseDelimited),
            ]
        }),
    ]
}

/// Puts a post into the world and resolves it; returns its link as a path.
async fn link(lab: &Lab, target: &Target) -> String {
    let answer = lab.server.api().resolve(&target.url()).await;
    Target::link(&answer, "/stream")
}

fn target(lab: &Lab, number: u64) -> Target {
    Target::new(&lab.upstream.world, number, &mut Seed::new(number))
}

/// Returns when `/health` has counted one such end.
async fn counted(lab: &Lab, outcome: &str) {
    let wait = async { while lab.counted().await.get(outcome) != Some(&1) {} };
    let is_so = timeout(PATIENCE, wait).await.is_ok();
    assert!(is_so, "{outcome}: {:?}", lab.counted().await);
}

/// A transfer whose upstream stops in the middle for good, and its client.
async fn midway(lab: &Lab, number: u64) -> Raw {
    let target = target(lab, number);
    let gate = Gate::new();
    lab.upstream
        .world
        .fault(target.everywhere(Fault::Stall { at: AT, gate }));
    let mut client = Raw::connect(lab.server.base()).await;
    client.get(&link(lab, &target).await).await;
    client.head().await;
    client.take(usize::try_from(AT).expect("small")).await;
    client
}

/// A client that takes nothing of a file that the server's queue holds.
async fn stalling(lab: &Lab, number: u64) -> H2 {
    let target = target(lab, number);
    let mut client = H2::connect(lab.server.base(), &setting(INITIAL_WINDOW, 0)).await;
    client.get(1, &link(lab, &target).await).await;
    client.next_of(HEADERS).await.expect("a head");
    client
}

/// Outcome and bytes of the requests for media in a log.
fn lines(logs: &str) -> Vec<(String, u64)> {
    let lines = logs
        .lines()
        .filter(|line| line.contains("request finished"));
    let lines = lines.map(|line| serde_json::from_str::<Value>(line).expect("a JSON line"));
    let of_media = lines.filter(|line| line["span"]["route"] == "/stream");
    of_media
        .map(|line| {
            let fields = &line["fields"];
            let is_sound = fields["status"] == 200
                && fields["elapsed_ms"].is_u64()
                && fields["resumes"].is_u64()
                && fields["host"]
                    .as_str()
                    .is_some_and(|host| host.ends_with(".tiktok.com"))
                && line["span"]["request_id"].is_string();
            assert!(is_sound, "{line}");
            let outcome = fields["outcome"].as_str().expect("an outcome").to_owned();
            (outcome, fields["bytes"].as_u64().expect("bytes"))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_end_is_counted_and_logged_once_with_its_bytes_and_reason() {
    let lab = Lab::with(|server| {
        // The last transfer must outlast all others, and be cut when the server ends.
        let server = server.env("STREAM_IDLE_TIMEOUT", "3");
        server
            .env("CLIENT_STALL_TIMEOUT", "1")
            .env("SHUTDOWN_GRACE", "0")
    })
    .await;
    let mut told = Vec::new();
    for (number, end) in (1..).zip(ends()) {
        let target = target(&lab, number);
        for rule in (end.script)(&target) {
            lab.upstream.world.fault(rule);
        }
        assert_eq!(lab.verdict(&target).await, end.verdict, "{}", end.outcome);
        counted(&lab, end.outcome).await;
        let bytes = match end.outcome {
            "complete" => target.size,
            "length_mismatch" => UNFORETOLD,
            _ => AT,
        };
        told.push((end.outcome.to_owned(), bytes));
    }
    midway(&lab, 100).await.reset();
    counted(&lab, "client_gone").await;
    told.push(("client_gone".to_owned(), AT));
    let stalled = stalling(&lab, 101).await;
    counted(&lab, "client_stall").await;
    drop(stalled);
    told.push(("client_stall".to_owned(), UNFORETOLD));

    let _cut = midway(&lab, 102).await;
    told.push(("cancelled".to_owned(), AT));
    let (status, logs) = lab.server.stop().await;
    assert_eq!(status.code(), Some(3));
    let mut logged = lines(&logs);
    for (outcome, bytes) in &mut logged {
        if matches!(outcome.as_str(), "client_stall" | "length_mismatch") {
            *bytes = UNFORETOLD;
        }
    }
    logged.sort();
    told.sort();
    assert_eq!(logged, told);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_are_counted_and_begin_no_transfer() {
    let lab = Lab::new().await;
    let target = target(&lab, 1);
    lab.upstream.world.fault(target.always(Fault::Status(403)));
    let link = link(&lab, &target).await;
    assert_eq!(lab.server.api().get(&link).await.status, 502);
    let transfers = lab.server.api().get("/health").await.json()["transfers"].clone();
    assert_eq!(
        (&transfers["started"], &transfers["refused"]),
        (&0.into(), &1.into())
    );
    assert!(lab.outcomes().await.is_empty());
}
