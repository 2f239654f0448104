//! The fault matrix over joined links: whatever an upstream does to either track, a transfer that looks whole is whole.

use super::{PAIR, PAST_HEADS, Pair, WEBM_PAIR, link};
use crate::harness::Builder;
use crate::harness::upstream::{Fault, Gate, Rule, sha256_hex};

/// Faults of one request for the media of one track, at a byte of its answer.
fn faults(at: u64) -> Vec<(&'static str, Fault)> {
    vec![
        ("reset", Fault::Reset { at }),
        ("short", Fault::Short { at }),
        (
            "stall",
            Fault::Stall {
                at,
                gate: Gate::new(),
            },
        ),
        ("chunks without the last", Fault::ChunkedUnfinished { at }),
        ("half a chunk", Fault::ChunkedHalf { at }),
        ("bad chunk size", Fault::ChunkedBadSize { at }),
        (
            "close in place of a length",
            Fault::CloseDelimitedShort { at },
        ),
        ("reset before the head", Fault::ResetBeforeHead),
        ("close before the head", Fault::CloseBeforeHead),
        ("no HTTP", Fault::GarbageHead),
        ("status 403", Fault::Status(403)),
        ("status 404", Fault::Status(404)),
        ("status 503", Fault::Status(503)),
        (
            "a page",
            Fault::Html {
                content_type: "text/html",
            },
        ),
        ("another range", Fault::ShiftedRange(17)),
        ("another total", Fault::WrongTotal(1 << 40)),
        ("no ranges", Fault::IgnoreRange),
        ("gzip", Fault::Gzip),
        ("chunked", Fault::Chunked),
        ("no range told", Fault::NoContentRange),
    ]
}

/// The settings of the matrix: a silent upstream is not waited for.
fn impatient(builder: Builder) -> Builder {
    builder.env("STREAM_IDLE_TIMEOUT", "1")
}

/// Runs all faults at these bytes of these tracks; counts the transfers that came whole and those refused.
async fn matrix(
    (pair, id): (Pair, &str),
    places: &[(&str, u64)],
    times: fn(Rule) -> Rule,
) -> (usize, usize) {
    let body = pair.resolve().await;
    let link = link(&body, id);
    let whole = pair.expected(&body);
    let expected = sha256_hex(&whole);
    let (mut survived, mut refused) = (0, 0);
    for (track, at) in places {
        for (name, fault) in faults(*at) {
            let rule = Rule::parameter("itag", track, fault).at_offset(PAST_HEADS);
            pair.stage.world().fault(times(rule));
            let answer = pair.get(&link).await;
            pair.stage.world().clear_faults();
            match answer.status.as_u16() {
                200 if answer.is_whole => {
                    assert_eq!(answer.sha256(), expected, "{name} of {track} at {at}");
                    survived += 1;
                }
                200 => assert!(whole.starts_with(&answer.body), "{name} of {track} at {at}"),
                status => {
                    assert!(status >= 500, "{name} of {track}: {status}");
                    refused += 1;
                }
            }
        }
    }
    let again = pair.get(&link).await;
    assert_eq!(again.sha256(), expected, "afterwards all is well");
    (survived, refused)
}

/// What is plainly another file, from the one address that there is, is refused; all else is survived.
fn assert_survived((survived, refused): (usize, usize)) {
    assert!(
        refused <= 20 && survived >= 60,
        "{survived} survived, {refused} refused"
    );
}

#[tokio::test]
async fn faults_that_pass_are_survived() {
    let Some(pair) = Pair::with(impatient).await else {
        return;
    };
    let places = [
        ("136", 50_000),
        ("136", 200_000),
        ("140", 1_000),
        ("140", 40_000),
    ];
    assert_survived(matrix((pair, PAIR), &places, |rule| rule.first(1)).await);
}

#[tokio::test]
async fn faults_that_pass_are_survived_in_webm() {
    let Some(pair) = Pair::open_webm_with(impatient).await else {
        return;
    };
    let places = [
        ("248", 10_000),
        ("248", 100_000),
        ("251", 1_000),
        ("251", 40_000),
    ];
    assert_survived(matrix((pair, WEBM_PAIR), &places, |rule| rule.first(1)).await);
}

#[tokio::test]
async fn faults_that_stay_are_told() {
    let pairs = [
        (Pair::with(impatient).await, PAIR, "140"),
        (Pair::open_webm_with(impatient).await, WEBM_PAIR, "251"),
    ];
    for (pair, id, track) in pairs {
        let Some(pair) = pair else { return };
        let (survived, refused) = matrix((pair, id), &[(track, 500)], |rule| rule).await;
        // Chunks are no fault.
        assert!(survived <= 1, "{survived} survived, {refused} refused");
    }
}

#[tokio::test]
async fn client_that_leaves_takes_both_tracks_with_it() {
    let Some(pair) = Pair::open().await else {
        return;
    };
    let body = pair.resolve().await;
    let slow = Rule::path_prefix("/videoplayback", Fault::Rate(50_000));
    pair.stage.world().fault(slow.at_offset(PAST_HEADS));
    let request = pair
        .stage
        .api()
        .request(http::Method::GET, &link(&body, PAIR));
    let mut response = request.send().await.expect("an answer");
    response.chunk().await.expect("a piece");
    drop(response);
    crate::harness::eventually("no transfer runs", async || {
        let health = pair.stage.api().get("/health").await.json();
        (health["streams"]["active"] == 0).then_some(())
    })
    .await;
    crate::harness::eventually("both tracks are let go", async || {
        let records = pair.stage.world().records();
        let media = records
            .iter()
            .filter(|record| record.host.ends_with(".googlevideo.com") && record.taken > 0);
        let is_over = |record: &&crate::harness::upstream::Record| {
            !matches!(record.progress, crate::harness::upstream::Progress::Sending)
        };
        media.clone().all(|record| is_over(&record)).then_some(())
    })
    .await;
}
