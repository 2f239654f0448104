//! Files too large to be read at once.

use serde_json::json;

use super::assembly::{Assembly, Said};
use super::{ID, PAIR, Pair, entry, link};
use crate::harness::upstream::youtube::{LONGEST_READ, large_tracks};

#[tokio::test]
async fn long_tracks_are_read_in_pieces_that_are_not_slowed_down() {
    let pair = Pair::of(large_tracks(12, [2_000_000, 30_000])).await;
    let body = pair.resolve().await;
    let whole = pair.expected(&body);
    let before = pair.stage.world().records().len();
    let answer = pair.get(&link(&body, PAIR)).await;
    assert!(
        answer.is_whole && answer.body == whole,
        "{}",
        answer.body.len()
    );
    let reads = pair.reads_since(before);
    for (track, range) in &reads {
        assert!(
            range.end - range.start <= LONGEST_READ,
            "{track}: {range:?}"
        );
    }
    let of_picture: Vec<_> = reads.iter().filter(|(track, _)| track == "136").collect();
    assert_eq!(of_picture.len(), 3, "{reads:?}");
    let throttled = pair.stage.world().look(|traffic| traffic.throttled.clone());
    assert_eq!(throttled, Vec::<String>::new());
    pair.stage.assert_well().await;
}

/// Where offsets of 32 bits end.
const FOUR_GIB: u64 = 1 << 32;

#[tokio::test]
async fn file_beyond_four_gib_is_reached_everywhere() {
    let pair = Pair::of(large_tracks(740, [6_000_000, 30_000])).await;
    let body = pair.resolve().await;
    let files = [0, 1].map(|side| pair.tracks[side].content(ID));
    assert!(files[0].len() > FOUR_GIB);
    let whole = Assembly::new(files, &Said::of(&body), None);
    let total = whole.total();
    assert_eq!(entry(&body, PAIR)["filesize"], json!(total));
    let link = link(&body, PAIR);
    let head = pair.stage.api().head(&link).await;
    assert_eq!(head.header("content-length"), total.to_string());
    let before = pair.stage.world().records().len();
    // The head, both sides of the limit in this file and in that of the picture, a run of sound, and the end.
    let starts = [
        0,
        FOUR_GIB - 5,
        FOUR_GIB,
        FOUR_GIB + 25_000_000,
        FOUR_GIB + 60_000_000,
        total - 30_100,
        total - 1000,
    ];
    for start in starts {
        let end = total.min(start + 100_000);
        let part = pair
            .get_range(&link, &format!("bytes={start}-{}", end - 1))
            .await;
        assert_eq!(
            (part.status.as_u16(), part.is_whole),
            (206, true),
            "{start}"
        );
        assert_eq!(
            part.header("content-range"),
            format!("bytes {start}-{}/{total}", end - 1)
        );
        assert!(part.body == whole.bytes(start..end), "{start}");
    }
    let suffix = pair.get_range(&link, "bytes=-70000").await;
    assert!(suffix.status == 206 && suffix.body == whole.bytes(total - 70_000..total));
    let past = pair.get_range(&link, &format!("bytes={total}-")).await;
    assert_eq!(past.status.as_u16(), 416);
    let reads = pair.reads_since(before);
    let is_far =
        |(track, range): &&(String, std::ops::Range<u64>)| track == "136" && range.start > FOUR_GIB;
    assert!(reads.iter().filter(is_far).count() > 2, "{reads:?}");
    let bytes: u64 = reads.iter().map(|(_, range)| range.end - range.start).sum();
    assert!(bytes < 3_000_000, "{bytes} in {reads:?}");
    pair.stage.assert_well().await;
}
