//! Faults that nothing helps against before the first byte: an error in the API's form, and no byte of media.

use super::lab::{Lab, case};
use super::seed::Seed;
use super::target::Target;
use super::trial::{Case, Expected};
use crate::harness::upstream::{Fault, Gate, Rule};

/// The upstream gives nothing usable.
const BAD_GATEWAY: Expected = Expected::Refused(502, "upstream_error");
/// The upstream limits the rate.
const LIMITED: Expected = Expected::Refused(503, "upstream_rate_limited");

fn bad(name: &'static str, script: fn(&Target, &mut Seed) -> Vec<Rule>) -> Case {
    case(name, BAD_GATEWAY, script)
}

fn redirect(target: &Target, to: &str) -> Vec<Rule> {
    let to = to.to_owned();
    vec![target.always(Fault::Redirect { status: 302, to })]
}

/// The connection or the head is no good.
fn heads() -> Vec<Case> {
    vec![
        bad("reset before the head", |target, _| {
            vec![target.always(Fault::ResetBeforeHead)]
        }),
        bad("close before the head", |target, _| {
            vec![target.always(Fault::CloseBeforeHead)]
        }),
        bad("no HTTP", |target, _| {
            vec![target.always(Fault::GarbageHead)]
        }),
        bad("two lengths", |target, _| {
            vec![target.always(Fault::TwoLengths)]
        }),
        bad("negative length", |target, _| {
            vec![target.always(Fault::NegativeLength)]
        }),
        bad("chunks of coded bytes", |target, _| {
            vec![target.always(Fault::CodedChunks)]
        }),
        bad("header of 2 MB", |target, _| {
            vec![target.always(Fault::HugeHeader(2_000_000))]
        }),
        bad("200 more headers", |target, _| {
            vec![target.always(Fault::ManyHeaders(200))]
        }),
        bad("length that contradicts the range", |target, seed| {
            let claimed = target.size + seed.within(1..100);
            vec![target.everywhere(Fault::ClaimedLength(claimed))]
        }),
        bad("head, and then a reset", |target, _| {
            vec![target.everywhere(Fault::Reset { at: 0 })]
        }),
        bad("head, and then the end", |target, _| {
            vec![target.everywhere(Fault::Short { at: 0 })]
        }),
        case(
            "head, and then silence",
            Expected::Refused(504, "upstream_timeout"),
            |target, _| {
                let gate = Gate::new();
                vec![target.everywhere(Fault::Stall { at: 0, gate })]
            },
        ),
        case(
            "white space that drips",
            Expected::Refused(504, "upstream_timeout"),
            |target, _| {
                target.forget_size();
                vec![
                    target.everywhere(Fault::Blanks("{")),
                    target.everywhere(Fault::Rate(20)),
                ]
            },
        ),
    ]
}

/// The status says no.
fn statuses() -> Vec<Case> {
    vec![
        case(
            "403 for good",
            Expected::Refused(502, "upstream_forbidden"),
            |target, _| vec![target.always(Fault::Status(403))],
        ),
        case(
            "410 for good",
            Expected::Refused(502, "upstream_gone"),
            |target, _| vec![target.always(Fault::Status(410))],
        ),
        case("429 with a time", LIMITED, |target, _| {
            vec![target.always(Fault::RetryAfter("7"))]
        }),
        case("429 without a time", LIMITED, |target, _| {
            vec![target.always(Fault::Status(429))]
        }),
        bad("500", |target, _| vec![target.always(Fault::Status(500))]),
        bad("418", |target, _| vec![target.always(Fault::Status(418))]),
        bad("416 for bytes that are there", |target, _| {
            vec![target.always(Fault::Unsatisfiable)]
        }),
        bad("redirect to itself", |target, _| {
            redirect(target, target.mirror())
        }),
        bad("redirect to a foreign host", |target, _| {
            redirect(target, "https://media.example/file")
        }),
        bad("redirect to a private address", |target, _| {
            redirect(target, "https://127.0.0.1/file")
        }),
        bad("redirect out of TLS", |target, _| {
            redirect(target, &target.mirror().replace("https:", "http:"))
        }),
        bad("redirect to another scheme", |target, _| {
            redirect(target, "file:///etc/passwd")
        }),
    ]
}

/// The answer is something else than was asked for.
fn bodies() -> Vec<Case> {
    vec![
        bad("206 without a range", |target, _| {
            vec![target.always(Fault::NoContentRange)]
        }),
        bad("another range", |target, seed| {
            let by = seed.within(1..target.size / 8);
            vec![target.everywhere(Fault::ShiftedRange(by))]
        }),
        bad("another total", |target, seed| {
            let total = target.size + seed.within(1..1000);
            vec![target.everywhere(Fault::WrongTotal(total))]
        })
        .without_bounded_ranges(),
        bad("a page", |target, _| {
            let content_type = "text/html";
            vec![target.everywhere(Fault::Html { content_type })]
        }),
        bad("a page under the name of a video", |target, _| {
            let content_type = "video/mp4";
            vec![target.everywhere(Fault::Html { content_type })]
        }),
        bad("white space in place of a page", |target, _| {
            target.forget_size();
            vec![target.always(Fault::Blanks("<"))]
        }),
        bad("gzip", |target, _| vec![target.always(Fault::Gzip)]),
        bad("close in place of any length", |target, _| {
            target.forget_size();
            vec![
                target.always(Fault::IgnoreRange),
                target.always(Fault::CloseDelimited),
            ]
        }),
        bad("the same, short", |target, seed| {
            let at = target.early(seed);
            target.forget_size();
            vec![
                target.always(Fault::IgnoreRange),
                target.always(Fault::CloseDelimitedShort { at }),
            ]
        }),
        bad("a coding that is not chunked last", |target, seed| {
            let at = target.early(seed);
            let coding = *seed.one_of(&["identity", "gzip", "chunked, gzip"]);
            target.forget_size();
            vec![
                target.always(Fault::IgnoreRange),
                target.always(Fault::OtherCoding { coding, at }),
            ]
        }),
    ]
}

async fn all_are_refused(cases: &[Case], seeds: u64, least: usize) {
    let lab = Lab::new().await;
    let count = lab.run(cases, seeds).await;
    assert!(count >= least, "{count} transfers only");
    let outcomes = lab.outcomes().await;
    assert!(outcomes.is_empty(), "transfers began: {outcomes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_and_heads_that_are_no_good_are_errors() {
    all_are_refused(&heads(), 2, 192).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statuses_that_say_no_are_errors() {
    all_are_refused(&statuses(), 2, 192).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_something_else_are_errors() {
    all_are_refused(&bodies(), 2, 160).await;
}
