//! What arrives while nothing goes wrong but the way from the site.

use serde_json::json;
use serverrs::broadcast::flv::TagKind;

use super::{Studio, assert_together, list, marks, whole};
use crate::harness::film::{MIXED, Shape};
use crate::harness::ingest::Manner;
use crate::harness::lateness::Lateness;
use crate::harness::upstream::{Fault, Progress, Rule};

/// Bytes after which each answer is cut.
const CUT: u64 = 200_000;
/// A film of 3 Mbit/s, whatever it shows.
const FULL: Shape = Shape {
    video: "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 30 -b:v 3M -minrate 3M -maxrate 3M -bufsize 1M \
            -x264-params nal-hrd=cbr",
    ..MIXED[0]
};
/// The same, with the index at its end.
const FULL_LATE_INDEX: Shape = Shape {
    container: "-f mp4",
    ..FULL
};

#[tokio::test]
async fn mixed_items_come_as_one_stream_without_a_gap() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    list(&studio, &MIXED.map(|shape| (shape, 4))).await;
    let lateness = Lateness::watch();
    let record = studio.start(json!({})).await;
    let got = whole(&studio, &record, &lateness).await;
    let marks = marks(&studio, &got).await;
    assert_eq!(marks.flashes.len(), 20);
    // Each a second after the one before, also from one item to the next.
    let uneven = marks
        .flashes
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .filter(|step| !(960.0..=1040.0).contains(step));
    assert_eq!(uneven.collect::<Vec<_>>(), Vec::<f64>::new());
    // One item has no sound.
    assert_together(&marks, 16);
}

#[tokio::test]
async fn addresses_good_for_one_read_of_200_kb_lose_nothing() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    list(&studio, &[(FULL, 5), (FULL_LATE_INDEX, 5)]).await;
    studio.youtube.serve_once();
    let cut = Rule::path_prefix("/videoplayback", Fault::Reset { at: CUT });
    studio.stage.world().fault(cut);
    let lateness = Lateness::watch();
    let record = studio.start(json!({})).await;
    let got = whole(&studio, &record, &lateness).await;
    let marks = marks(&studio, &got).await;
    assert_eq!(marks.flashes.len(), 10);
    assert_eq!(super::different(&marks.levels), 5);
    assert_together(&marks, 10);
    let (cuts, refused) = studio.stage.world().look(|traffic| {
        let reads = traffic.records.iter();
        let cuts = reads.filter(|record| record.progress == Progress::Cut);
        (cuts.count(), traffic.refused.len())
    });
    println!("{cuts} cuts survived, {refused} answers 403");
    assert!(cuts >= 16 && refused >= 8);
    assert!(got.times(TagKind::Video).len() >= 300);
}
