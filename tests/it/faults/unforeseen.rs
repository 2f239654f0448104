//! Faults put together by chance: nothing is foretold but the rule.

use super::lab::{Lab, case};
use super::seed::Seed;
use super::target::Target;
use super::trial::Expected;
use crate::harness::upstream::{Fault, Gate, Rule};

/// One of all faults, at a place that the seed decides.
fn any_fault(target: &Target, seed: &mut Seed) -> Fault {
    let at = seed.within(0..target.size);
    let content_type = *seed.one_of(&["text/html", "video/mp4"]);
    let to = (*seed.one_of(&[target.mirror(), "https://media.example/"])).to_owned();
    let faults = [
        Fault::Status(403),
        Fault::Status(404),
        Fault::Status(500),
        Fault::Status(503),
        Fault::RetryAfter("1"),
        Fault::Redirect { status: 307, to },
        Fault::CloseBeforeHead,
        Fault::ResetBeforeHead,
        Fault::GarbageHead,
        Fault::Informational,
        Fault::ManyHeaders(200),
        Fault::Reset { at },
        Fault::Short { at },
        Fault::ClaimedLength(at),
        Fault::TwoLengths,
        Fault::NegativeLength,
        Fault::LengthAndChunked,
        Fault::Chunked,
        Fault::ChunkedUnfinished { at },
        Fault::ChunkedHalf { at },
        Fault::ChunkedBadSize { at },
        Fault::CloseDelimited,
        Fault::CloseDelimitedShort { at },
        Fault::Stall {
            at,
            gate: Gate::new(),
        },
        Fault::ShiftedRange(at),
        Fault::NoContentRange,
        Fault::Unsatisfiable,
        target.replaced(),
        Fault::Html { content_type },
        Fault::Gzip,
        Fault::TailUnreachable { from: at },
        Fault::IgnoreRange,
    ];
    seed.one_of(&faults).clone()
}

/// A fault of one mirror or both, for one request, the first ones, or the later ones.
fn any_rule(target: &Target, seed: &mut Seed) -> Rule {
    let fault = any_fault(target, seed);
    let rule = match seed.within(0..4) {
        0 => target.first(fault),
        1 => target.first_always(fault),
        2 => target.always(fault),
        _ => target.everywhere(fault),
    };
    let number = seed.within(1..4);
    match seed.within(0..4) {
        0 => rule.first(number),
        1 => rule.since(number),
        _ => rule.nth(number),
    }
}

fn any_rules(target: &Target, seed: &mut Seed) -> Vec<Rule> {
    let count = seed.within(1..5);
    (0..count).map(|_| any_rule(target, seed)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_what_looks_whole_is_whole() {
    let lab = Lab::new().await;
    let table = [case("faults by chance", Expected::Honest, any_rules)];
    let count = lab.run(&table, 80).await;
    assert!(count >= 640, "{count} transfers only");
    // The table would prove nothing if all of it were refused, or all of it survived.
    let outcomes = lab.outcomes().await;
    let complete = outcomes.get("complete").copied().unwrap_or_default();
    let begun: usize = outcomes.values().sum();
    assert!(
        complete > 50 && begun > complete && begun < count,
        "{outcomes:?} of {count}"
    );
}
