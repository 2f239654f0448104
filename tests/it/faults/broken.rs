//! Faults that nothing helps against after the first byte: the client gets right bytes and then sees the break.

use super::lab::{Lab, case};
use super::seed::Seed;
use super::target::Target;
use super::trial::{Case, Expected};
use crate::harness::upstream::{Fault, Gate, Rule};

fn broken(name: &'static str, script: fn(&Target, &mut Seed) -> Vec<Rule>) -> Case {
    case(name, Expected::Broken, script)
}

/// A reset in the first answer, and this in every later one.
fn reset_and_then(target: &Target, seed: &mut Seed, fault: Fault) -> Vec<Rule> {
    let at = target.early(seed);
    vec![
        target.everywhere(Fault::Reset { at }).nth(1),
        target.everywhere(fault).since(2),
    ]
}

/// The upstream is down for good.
fn downs() -> Vec<Case> {
    vec![
        broken("reset, and then 503", |target, seed| {
            reset_and_then(target, seed, Fault::Status(503))
        }),
        broken("reset, and then no connection", |target, seed| {
            reset_and_then(target, seed, Fault::ResetBeforeHead)
        }),
        broken("reset, and then 404", |target, seed| {
            reset_and_then(target, seed, Fault::Status(404))
        }),
        broken(
            "reset, and then 403 after asking anew too",
            |target, seed| reset_and_then(target, seed, Fault::Status(403)),
        ),
        broken("reset, and then 429", |target, seed| {
            reset_and_then(target, seed, Fault::RetryAfter("7"))
        }),
        broken("reset, and then silence", |target, seed| {
            let gate = Gate::new();
            reset_and_then(target, seed, Fault::Stall { at: 0, gate })
        }),
        broken("a reset after every few bytes", |target, seed| {
            let at = seed.within(1..2000);
            vec![target.everywhere(Fault::Reset { at })]
        }),
        broken("a clean end after every few bytes", |target, seed| {
            let at = seed.within(1..2000);
            vec![target.everywhere(Fault::Short { at })]
        }),
        broken("reset, and then two lengths", |target, seed| {
            reset_and_then(target, seed, Fault::TwoLengths)
        }),
        broken("reset, and then a redirect outside", |target, seed| {
            let to = "https://media.example/file".to_owned();
            reset_and_then(target, seed, Fault::Redirect { status: 302, to })
        }),
    ]
}

/// What comes after the break is something else.
fn changes() -> Vec<Case> {
    vec![
        broken("another file at the reopening", |target, seed| {
            reset_and_then(target, seed, target.replaced())
        }),
        broken("another file after asking the site anew", |target, seed| {
            let at = target.early(seed);
            vec![
                target.everywhere(Fault::Reset { at }).nth(1),
                target.everywhere(Fault::Status(403)).nth(2),
                target.everywhere(Fault::Status(403)).nth(3),
                target.everywhere(target.replaced()).since(4),
            ]
        }),
        broken("another weak tag at the reopening", |target, seed| {
            target.weaken();
            reset_and_then(target, seed, target.replaced_weakly())
        }),
        broken("a weak tag in place of a strong one", |target, seed| {
            reset_and_then(target, seed, target.replaced_weakly())
        }),
        broken("another total at the reopening", |target, seed| {
            let total = target.size + seed.within(1..1000);
            reset_and_then(target, seed, Fault::WrongTotal(total))
        }),
        broken("another range at the reopening", |target, seed| {
            let by = seed.within(1..1000);
            reset_and_then(target, seed, Fault::ShiftedRange(by))
        }),
        broken("206 without a range at the reopening", |target, seed| {
            reset_and_then(target, seed, Fault::NoContentRange)
        }),
        broken("the whole file at the reopening", |target, seed| {
            reset_and_then(target, seed, Fault::IgnoreRange)
        }),
        broken("416 at the reopening", |target, seed| {
            reset_and_then(target, seed, Fault::Unsatisfiable)
        }),
        broken("a page at the reopening", |target, seed| {
            let content_type = "text/html";
            reset_and_then(target, seed, Fault::Html { content_type })
        }),
        broken("gzip at the reopening", |target, seed| {
            reset_and_then(target, seed, Fault::Gzip)
        }),
    ]
}

/// The upstream has no ranges, so nothing can be taken up again.
fn rangeless(target: &Target, fault: Fault) -> Vec<Rule> {
    vec![target.always(Fault::IgnoreRange), target.everywhere(fault)]
}

/// The end of the body tells less than it should.
fn framings() -> Vec<Case> {
    vec![
        broken("reset without ranges", |target, seed| {
            let at = target.early(seed);
            rangeless(target, Fault::Reset { at })
        }),
        broken("clean end without ranges", |target, seed| {
            let at = target.early(seed);
            rangeless(target, Fault::Short { at })
        }),
        broken("stall without ranges", |target, seed| {
            let (at, gate) = (target.early(seed), Gate::new());
            rangeless(target, Fault::Stall { at, gate })
        }),
        broken("close in place of a length, short", |target, seed| {
            let at = target.early(seed);
            rangeless(target, Fault::CloseDelimitedShort { at })
        }),
        broken("close in place of a length, too long", |target, _| {
            target.lengthen();
            rangeless(target, Fault::CloseDelimited)
        }),
        broken(
            "a coding that is not chunked last, short",
            |target, seed| {
                let at = target.early(seed);
                let coding = *seed.one_of(&["identity", "gzip", "chunked, gzip"]);
                rangeless(target, Fault::OtherCoding { coding, at })
            },
        ),
        broken("chunks of unknown length, unfinished", |target, seed| {
            let at = target.early(seed);
            target.forget_size();
            rangeless(target, Fault::ChunkedUnfinished { at })
        }),
        broken("chunks of unknown length, half of one", |target, seed| {
            let at = target.early(seed);
            target.forget_size();
            rangeless(target, Fault::ChunkedHalf { at })
        }),
        broken("chunks of unknown length, bad size", |target, seed| {
            let at = target.early(seed);
            target.forget_size();
            rangeless(target, Fault::ChunkedBadSize { at })
        }),
    ]
}

/// Runs a table; its log must have one end for each transfer, and these outcomes only.
async fn all_break(cases: &[Case], seeds: u64, least: usize, outcomes: &[&str]) {
    let lab = Lab::new().await;
    let count = lab.run(cases, seeds).await;
    assert!(count >= least, "{count} transfers only");
    let seen = lab.outcomes().await;
    assert_eq!(seen.values().sum::<usize>(), count, "{seen:?}");
    let seen: Vec<&str> = seen.keys().map(String::as_str).collect();
    assert_eq!(seen, outcomes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upstreams_that_stay_down_break_the_transfer() {
    let outcomes = ["forbidden", "upstream_reset"];
    all_break(&downs(), 2, 160, &outcomes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_files_break_the_transfer_and_are_never_mixed_in() {
    // A body that comes coded is refused with the connection, not with its head.
    let outcomes = ["identity_changed", "upstream_reset"];
    all_break(&changes(), 4, 352, &outcomes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ends_that_prove_nothing_break_the_transfer() {
    let outcomes = ["identity_changed", "length_mismatch", "upstream_reset"];
    all_break(&framings(), 2, 144, &outcomes).await;
}
