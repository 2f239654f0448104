//! Files too large to be read at once.

use super::{PAIR, Pair, link};
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
