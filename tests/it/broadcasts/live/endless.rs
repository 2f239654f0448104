//! Playlists without an end: what is held of them has one, and so has the item.

use serde_json::json;

use super::{Show, Studio, assert_smooth, fared, list, marks, reel};
use crate::harness::TestServer;
use crate::harness::ingest::Manner;

/// Most that the memory of the server may grow by, in KiB: less than the longest playlist has.
const MAX_GROWTH: u64 = 40 << 10;
/// Beginning of a list of segments.
const HEAD: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n";

/// The most that the memory of a server ever was, in KiB.
fn peak_kib(server: &TestServer) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|line| line.split_whitespace().next());
    peak.and_then(|peak| peak.parse().ok()).expect("a number")
}

#[tokio::test]
async fn playlists_of_any_length_are_given_up_at_a_bound() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let entry = "#EXTINF:2,\na\n";
    let shows = vec![
        Show::listing(format!("{HEAD}{}", entry.repeat(100_000))),
        Show::listing(format!("{HEAD}{}", "# nothing\n".repeat(5 << 20))),
        Show::offering(format!("{HEAD}{}", "# nothing\n".repeat(5 << 20))),
    ];
    list(&studio, shows).await;
    let before = peak_kib(studio.server());
    let record = studio.start(json!({ "allow_live": true })).await;
    studio
        .until(&record, "the end", |status| status["status"] == "stopped")
        .await;
    let grown = peak_kib(studio.server()) - before;
    assert!(grown < MAX_GROWTH, "{grown} KiB more");
    let got = studio.only();
    assert_smooth(&got);
    assert_eq!(marks(&studio, &got).await.flashes.len(), 3);
    let unfit = || ("skipped".to_owned(), "unsupported_format".to_owned());
    let ok = || ("ok".to_owned(), String::new());
    let wanted = [unfit(), unfit(), unfit(), ok()];
    assert_eq!(fared(&studio, &record).await, wanted);
    studio.stage.assert_well().await;
}

#[tokio::test]
async fn playlist_that_grows_for_ever_ends_its_item_at_a_bound() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let show = Show::new(reel(&studio, 16, "").await).endless();
    list(&studio, vec![show.growing_by(1 << 20)]).await;
    let before = peak_kib(studio.server());
    let record = studio.start(json!({ "allow_live": true })).await;
    studio
        .until(&record, "on air", |status| {
            status["now"]["position_ms"].as_u64() > Some(1000)
        })
        .await;
    // It is put up with for a minute, as any upstream in trouble.
    studio
        .until(&record, "the end", |status| status["status"] == "stopped")
        .await;
    let grown = peak_kib(studio.server()) - before;
    assert!(grown < MAX_GROWTH, "{grown} KiB more");
    let got = studio.only();
    assert_smooth(&got);
    let flashes = marks(&studio, &got).await.flashes.len();
    assert!((6 + 3..16 + 3).contains(&flashes), "{flashes} flashes");
    let unfit = ("skipped".to_owned(), "unsupported_format".to_owned());
    let ok = ("ok".to_owned(), String::new());
    assert_eq!(fared(&studio, &record).await, [unfit, ok]);
    studio.stage.assert_well().await;
}
