//! Parts of joined files: the same bytes as in the whole, and no more of the tracks than they take.

use futures_util::{StreamExt as _, stream};
use http::Method;

use super::{PAIR, Pair, link};
use crate::harness::fetch;

/// Ranges that are asked for in the proof.
pub(super) const RANGES: usize = 2000;
/// Ranges that are asked for at a time.
const AT_ONCE: usize = 8;

/// Numbers that follow from each other.
fn next(state: &mut u64) -> u64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

/// The same ones each time: all, both ends, short ones and long ones.
pub(super) fn random_ranges(size: usize, count: usize) -> Vec<(usize, usize)> {
    let mut ranges = vec![(0, 1), (0, size), (size - 1, size), (100, 5000)];
    let mut state = 7;
    for _ in 0..count {
        let start = usize::try_from(next(&mut state)).expect("fits") % size;
        let most = if state % 3 == 0 {
            size - start
        } else {
            4000.min(size - start)
        };
        let length = 1 + usize::try_from(next(&mut state)).expect("fits") % most;
        ranges.push((start, start + length));
    }
    ranges
}

/// Each range of a link is that of the whole.
pub(super) async fn assert_ranges(
    pair: &Pair,
    link: &str,
    whole: &[u8],
    ranges: Vec<(usize, usize)>,
) {
    let parts = ranges
        .into_iter()
        .map(|range| assert_range(pair, link, whole, range));
    stream::iter(parts)
        .buffer_unordered(AT_ONCE)
        .collect::<()>()
        .await;
}

async fn assert_range(pair: &Pair, link: &str, whole: &[u8], (start, end): (usize, usize)) {
    let size = whole.len();
    let range = format!("bytes={start}-{}", end - 1);
    let part = pair.get_range(link, &range).await;
    assert_eq!(
        (part.status.as_u16(), part.is_whole),
        (206, true),
        "{range}"
    );
    assert_eq!(
        part.header("content-range"),
        format!("bytes {start}-{}/{size}", end - 1)
    );
    assert_eq!(part.header("content-length"), (end - start).to_string());
    assert!(part.body == whole[start..end], "{range}");
}

/// A pair, what is said of it, a link to it, and its bytes.
async fn opened() -> Option<(Pair, String, Vec<u8>)> {
    let pair = Pair::open().await?;
    let body = pair.resolve().await;
    let (link, whole) = (link(&body, PAIR), pair.expected(&body));
    Some((pair, link, whole))
}

#[tokio::test]
async fn parts_are_those_of_the_whole() {
    let Some((pair, link, whole)) = opened().await else {
        return;
    };
    assert_ranges(&pair, &link, &whole, random_ranges(whole.len(), RANGES)).await;
    pair.stage.assert_well().await;
}

#[tokio::test]
async fn every_start_around_a_run_gives_its_bytes() {
    let Some((pair, link, whole)) = opened().await else {
        return;
    };
    let runs = whole.windows(4).enumerate();
    let runs: Vec<usize> = runs
        .filter(|(_, kind)| kind == b"moof")
        .map(|(at, _)| at)
        .collect();
    let run = runs[2] - 4;
    for start in run - 3..run + 110 {
        let end = start + 40;
        let part = pair
            .get_range(&link, &format!("bytes={start}-{}", end - 1))
            .await;
        assert!(part.body == whole[start..end], "{start}");
    }
}

#[tokio::test]
async fn open_and_suffix_ranges_are_understood_and_wrong_ones_refused() {
    let Some((pair, link, whole)) = opened().await else {
        return;
    };
    let size = whole.len();
    let part = pair.get_range(&link, "bytes=200000-").await;
    assert!(part.status == 206 && part.body == whole[200_000..]);
    let part = pair.get_range(&link, "bytes=-5000").await;
    assert!(part.status == 206 && part.body == whole[size - 5000..]);
    let past = pair.get_range(&link, &format!("bytes={size}-")).await;
    assert_eq!(past.status.as_u16(), 416);
    assert_eq!(past.header("content-range"), format!("bytes */{size}"));
    let several = pair.get_range(&link, "bytes=0-1,5-6").await;
    assert_eq!((several.status.as_u16(), several.body.len()), (200, size));
}

#[tokio::test]
async fn middle_of_a_run_is_reached_in_two_reads() {
    let Some((pair, link, whole)) = opened().await else {
        return;
    };
    // The first run of the picture: two seconds, some hundred kilobytes.
    let first = whole
        .windows(4)
        .position(|kind| kind == b"moof")
        .expect("a run");
    let start = first + 90_000;
    let before = pair.stage.world().records().len();
    let part = pair
        .get_range(&link, &format!("bytes={start}-{}", start + 999))
        .await;
    assert!(part.body == whole[start..start + 1000]);
    let reads = pair.reads_since(before);
    assert_eq!(reads.len(), 2, "{reads:?}");
    let bytes: u64 = reads.iter().map(|(_, range)| range.end - range.start).sum();
    assert!(bytes < 20_000, "{bytes} for 1000");
}

#[tokio::test]
async fn resumed_download_is_the_file_and_that_of_another_begins_anew() {
    let Some((pair, link, whole)) = opened().await else {
        return;
    };
    let etag = pair.stage.api().head(&link).await.header("etag").to_owned();
    let ask = |condition: &str| {
        let request = pair.stage.api().request(Method::GET, &link);
        fetch(
            request
                .header("range", "bytes=100000-")
                .header("if-range", condition),
        )
    };
    let rest = ask(&etag).await;
    assert!(rest.status == 206 && rest.body == whole[100_000..]);
    for other in ["\"0123456789abcdef0123456789abcdef\"", &format!("W/{etag}")] {
        let anew = ask(other).await;
        assert!(anew.status == 200 && anew.body == whole, "{other}");
    }
}
