//! Faults that a transfer survives: the client gets every byte and notices nothing.

use super::lab::{Lab, assert_all_complete, case};
use super::seed::Seed;
use super::target::Target;
use super::trial::{Case, Expected};
use crate::harness::upstream::{Fault, Gate, Rule};

/// A fault of the first request and none afterwards.
fn once(target: &Target, fault: Fault) -> Vec<Rule> {
    vec![target.everywhere(fault).nth(1)]
}

/// A break of the first answer at a byte that the seed decides.
fn broken_once(target: &Target, seed: &mut Seed, fault: fn(u64) -> Fault) -> Vec<Rule> {
    once(target, fault(target.early(seed)))
}

fn reset(at: u64) -> Fault {
    Fault::Reset { at }
}

fn cut_under_other_coding(target: &Target, seed: &mut Seed) -> Vec<Rule> {
    let coding = *seed.one_of(&["identity", "gzip", "chunked, gzip"]);
    let at = target.early(seed);
    once(target, Fault::OtherCoding { coding, at })
}

fn whole(name: &'static str, script: fn(&Target, &mut Seed) -> Vec<Rule>) -> Case {
    case(name, Expected::Whole, script)
}

/// Before the first byte.
fn beginnings() -> Vec<Case> {
    vec![
        whole("reset before the head, once", |target, _| {
            once(target, Fault::ResetBeforeHead)
        }),
        whole("close before the head, once", |target, _| {
            once(target, Fault::CloseBeforeHead)
        }),
        whole("no HTTP, once", |target, _| {
            once(target, Fault::GarbageHead)
        }),
        whole("503 from both mirrors, once", |target, _| {
            vec![target.everywhere(Fault::Status(503)).first(2)]
        }),
        whole("403 until the site is asked anew", |target, _| {
            vec![target.everywhere(Fault::Status(403)).first(2)]
        }),
        whole("410 until the site is asked anew", |target, _| {
            vec![target.everywhere(Fault::Status(410)).first(2)]
        }),
        whole("first mirror down", |target, _| {
            vec![target.first_always(Fault::Status(500))]
        }),
        whole("first mirror serves a page", |target, _| {
            let content_type = "text/html";
            vec![target.first_always(Fault::Html { content_type })]
        }),
        whole("first mirror answers another range", |target, seed| {
            vec![target.first(Fault::ShiftedRange(seed.within(1..4000)))]
        }),
        whole("first mirror names another total", |target, _| {
            vec![target.first(Fault::WrongTotal(target.size + 1))]
        })
        .without_bounded_ranges(),
        whole("first mirror silent after its head", |target, _| {
            let gate = Gate::new();
            vec![target.first(Fault::Stall { at: 0, gate })]
        }),
        whole("first mirror can't reach its end", |target, _| {
            let from = target.size - 1;
            vec![target.first_always(Fault::TailUnreachable { from })]
        }),
    ]
}

/// In the middle.
fn middles() -> Vec<Case> {
    vec![
        whole("reset at a byte", |target, seed| {
            broken_once(target, seed, reset)
        }),
        whole("clean end short of the length", |target, seed| {
            broken_once(target, seed, |at| Fault::Short { at })
        }),
        whole("stall at a byte", |target, seed| {
            broken_once(target, seed, |at| Fault::Stall {
                at,
                gate: Gate::new(),
            })
        }),
        whole("chunks without the last one", |target, seed| {
            broken_once(target, seed, |at| Fault::ChunkedUnfinished { at })
        }),
        whole("half a chunk", |target, seed| {
            broken_once(target, seed, |at| Fault::ChunkedHalf { at })
        }),
        whole("chunk size that is no number", |target, seed| {
            broken_once(target, seed, |at| Fault::ChunkedBadSize { at })
        }),
        whole("close in place of a length, short", |target, seed| {
            broken_once(target, seed, |at| Fault::CloseDelimitedShort { at })
        }),
        whole(
            "a coding that is not chunked last, short",
            cut_under_other_coding,
        ),
        whole(
            "close in place of a length, short, with 200",
            |target, seed| {
                let at = target.early(seed);
                vec![
                    target.everywhere(Fault::IgnoreRange).nth(1),
                    target.everywhere(Fault::CloseDelimitedShort { at }).nth(1),
                ]
            },
        ),
        whole("reset, and 503 at the reopening", |target, seed| {
            let at = target.early(seed);
            vec![
                target.everywhere(reset(at)).nth(1),
                target.everywhere(Fault::Status(503)).nth(2),
                target.everywhere(Fault::Status(503)).nth(3),
            ]
        }),
        whole("reset, and the mirror stays down", |target, seed| {
            let at = target.early(seed);
            vec![
                target.first(reset(at)).nth(1),
                target.first(Fault::ResetBeforeHead).since(2),
            ]
        }),
        whole("five resets in a row", |target, seed| {
            let at = target.early(seed).min(target.size / 16);
            vec![target.everywhere(reset(at)).first(5)]
        }),
        whole("expired in the middle", |target, seed| {
            let at = target.early(seed);
            vec![
                target.everywhere(reset(at)).nth(1),
                target.everywhere(Fault::Status(403)).nth(2),
                target.everywhere(Fault::Status(403)).nth(3),
            ]
        }),
        whole(
            "another file on one mirror at the reopening",
            |target, seed| {
                let at = target.early(seed);
                vec![
                    target.everywhere(reset(at)).nth(1),
                    target.everywhere(target.replaced()).nth(2),
                ]
            },
        ),
    ]
}

/// Odd, but right.
fn oddities() -> Vec<Case> {
    vec![
        whole("103 and 100 before the head", |target, _| {
            vec![target.always(Fault::Informational)]
        }),
        whole("both length and chunks", |target, _| {
            vec![target.always(Fault::LengthAndChunked)]
        }),
        whole("chunks", |target, _| vec![target.always(Fault::Chunked)]),
        whole("chunks of unknown length", |target, _| {
            target.forget_size();
            vec![
                target.always(Fault::IgnoreRange),
                target.always(Fault::Chunked),
            ]
        }),
        whole("close in place of a length", |target, _| {
            vec![target.always(Fault::CloseDelimited)]
        }),
        whole("the same with 200 and the site's length", |target, _| {
            vec![
                target.always(Fault::IgnoreRange),
                target.always(Fault::CloseDelimited),
            ]
        }),
        whole("suffix ranges ignored", |target, _| {
            vec![target.always(Fault::SuffixIgnored)]
        }),
        whole("suffix ranges ignored, size unknown", |target, _| {
            target.forget_size();
            vec![target.always(Fault::SuffixIgnored)]
        }),
        whole("suffix ranges refused", |target, seed| {
            let status = *seed.one_of(&[400, 416]);
            vec![target.always(Fault::SuffixRefused(status))]
        }),
        whole("suffix ranges refused, size unknown", |target, seed| {
            let status = *seed.one_of(&[400, 416]);
            target.forget_size();
            vec![target.always(Fault::SuffixRefused(status))]
        }),
        whole("no ranges", |target, _| {
            vec![target.always(Fault::IgnoreRange)]
        }),
        whole("bytes beyond the length", |target, _| {
            target.lengthen();
            vec![
                target.always(Fault::IgnoreRange),
                target.always(Fault::ClaimedLength(target.size)),
            ]
        }),
        whole("fifty more headers", |target, _| {
            vec![target.always(Fault::ManyHeaders(50))]
        }),
        whole("slow", |target, _| {
            vec![target.everywhere(Fault::Rate(100 * 1024))]
        }),
    ]
}

async fn all_survive(cases: &[Case], seeds: u64, least: usize) {
    let lab = Lab::new().await;
    let count = lab.run(cases, seeds).await;
    assert!(count >= least, "{count} transfers only");
    assert_all_complete(&lab.outcomes().await, count);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_before_the_first_byte_are_survived() {
    all_survive(&beginnings(), 4, 384).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_in_the_middle_are_survived() {
    all_survive(&middles(), 4, 448).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_answers_are_read_right() {
    all_survive(&oddities(), 2, 224).await;
}
