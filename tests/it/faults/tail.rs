//! The proof of the tail: a file whose end can't be reached is an error before its first byte, at no cost in time.

use std::collections::BTreeMap;

use super::lab::{Lab, case};
use super::seed::Seed;
use super::target::Target;
use super::trial::{Expected, Verdict};
use crate::harness::upstream::{Fault, Gate, Progress, Rule};

/// What the site's data file says unless it is replaced.
const IDENTITY: &str = include_str!("../../../src/extract/tiktok/identity.toml");

/// Dead from a place in the last quarter on.
fn dead_end(target: &Target, seed: &mut Seed) -> Vec<Rule> {
    let from = target.size - 1 - seed.within(0..target.size / 4);
    vec![target.always(Fault::TailUnreachable { from })]
}

fn one_target(lab: &Lab) -> Target {
    Target::new(&lab.upstream.world, 1, &mut Seed::new(1))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_end_is_an_error_before_the_first_byte() {
    let lab = Lab::new().await;
    let refused = Expected::Refused(502, "upstream_error");
    let table = [case("dead end", refused, dead_end).without_bounded_ranges()];
    assert_eq!(lab.run(&table, 6).await, 48);
    assert!(lab.outcomes().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_end_of_a_site_that_wants_no_proof_breaks_the_transfer() {
    let switched_off = IDENTITY.replace("proves_tails = true", "proves_tails = false");
    assert_ne!(switched_off, IDENTITY);
    let lab = Lab::with(|server| {
        server
            .file("identity.toml", &switched_off)
            .env("TIKTOK_IDENTITY_FILE", "identity.toml")
    })
    .await;
    let table = [case("dead end", Expected::Broken, dead_end).without_bounded_ranges()];
    let count = lab.run(&table, 2).await;
    let broken = BTreeMap::from([("upstream_reset".to_owned(), count)]);
    assert_eq!(lab.outcomes().await, broken);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tail_is_asked_for_beside_the_head_and_once_per_format() {
    let lab = Lab::new().await;
    let target = one_target(&lab);
    let gate = Gate::new();
    let world = &lab.upstream.world;
    world.fault(target.always(Fault::StallBeforeHead(gate.clone())));
    let both_are_out = async {
        let held = |progress| progress == Progress::Held;
        world
            .wait_for("head and tail asked for at the same time", |traffic| {
                let records = traffic.of(target.mirror());
                records.filter(|record| held(record.progress)).count() == 2
            })
            .await;
        gate.open();
    };
    let (verdict, ()) = tokio::join!(lab.verdict(&target), both_are_out);
    assert_eq!(verdict, Verdict::Whole);
    assert_eq!(lab.verdict(&target).await, Verdict::Whole);
    let mut asked = target.asked();
    asked.sort();
    assert_eq!(asked, ["bytes=-1", "bytes=0-", "bytes=0-"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tail_that_is_refused_until_the_site_is_asked_anew_is_survived() {
    let lab = Lab::new().await;
    let target = one_target(&lab);
    let refused = target.always(Fault::Status(403)).of_tail().first(2);
    lab.upstream.world.fault(refused);
    assert_eq!(lab.verdict(&target).await, Verdict::Whole);
}
