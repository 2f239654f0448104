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
    let last = target.size - 1;
    assert_eq!(
        asked,
        ["bytes=0-", "bytes=0-", &format!("bytes={last}-{last}")]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_end_is_an_error_to_head_and_to_ranges_that_name_the_last_byte() {
    let lab = Lab::new().await;
    for (number, is_known) in [(1, true), (2, false)] {
        let target = Target::new(&lab.upstream.world, number, &mut Seed::new(number));
        if !is_known {
            target.forget_size();
        }
        let from = target.size - 1;
        lab.upstream
            .world
            .fault(target.always(Fault::TailUnreachable { from }));
        let answer = lab.server.api().resolve(&target.url()).await;
        let link = Target::link(&answer, "/stream");
        let api = lab.server.api();
        assert_eq!(api.head(&link).await.status, 502, "{is_known}");
        let to_the_end = format!("bytes=5-{}", target.size - 1);
        assert_eq!(
            api.get_range(&link, &to_the_end).await.status,
            502,
            "{is_known}"
        );
        // What doesn't promise the end is served.
        let part = api.get_range(&link, "bytes=5-104").await;
        assert_eq!(part.status, 206, "{is_known}");
        assert_eq!(part.body, target.media.payload.slice(5..105));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn head_proves_both_ends_at_once_and_the_download_after_it_neither() {
    let lab = Lab::new().await;
    let target = one_target(&lab);
    let answer = lab.server.api().resolve(&target.url()).await;
    let head = lab
        .server
        .api()
        .head(&Target::link(&answer, "/stream"))
        .await;
    assert_eq!(
        (head.status.as_u16(), head.header("content-length")),
        (200, target.size.to_string().as_str())
    );
    let last = target.size - 1;
    let mut asked = target.asked();
    asked.sort();
    assert_eq!(asked, ["bytes=0-0", &format!("bytes={last}-{last}")]);
    assert_eq!(lab.verdict(&target).await, Verdict::Whole);
    assert_eq!(target.asked().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tail_that_is_refused_until_the_site_is_asked_anew_is_survived() {
    let lab = Lab::new().await;
    let target = one_target(&lab);
    let refused = target.always(Fault::Status(403)).of_tail().first(2);
    lab.upstream.world.fault(refused);
    assert_eq!(lab.verdict(&target).await, Verdict::Whole);
}
