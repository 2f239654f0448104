//! What is true of all files that can be made.

use proptest::prelude::*;

use super::joining::check;
use super::pair::Pair;
use super::synth::{Cluster, Synth};
use super::walk::walk;

fn clusters() -> impl Strategy<Value = Vec<Cluster>> {
    let data = prop_oneof![
        20 => prop::collection::vec(any::<u8>(), 0..40),
        1 => prop::collection::vec(any::<u8>(), 4000..9000),
    ];
    let cluster = (
        0_u64..9000,
        any::<bool>(),
        prop::collection::vec(data, 1..6),
    );
    prop::collection::vec(cluster, 1..8).prop_map(|clusters| {
        let mut time = 0;
        let mut made = Vec::new();
        for (gap, is_cued, blocks) in clusters {
            time += gap;
            made.push(Cluster {
                time,
                is_cued,
                blocks: (0..).zip(blocks).collect(),
            });
            // The next one begins behind the last block.
            time += 10;
        }
        made[0].is_cued |= made.iter().all(|cluster| !cluster.is_cued);
        made
    })
}

fn synth(is_picture: bool) -> impl Strategy<Value = Synth> {
    let number = prop_oneof![Just(1_u64), 1_u64..200, 1_u64..(1 << 40)];
    (clusters(), number, 1_u64..4, 0_usize..3, any::<[bool; 7]>()).prop_map(
        move |(clusters, number, uid, wider, odd)| {
            let least = (1..8).find(|w| number < (1 << (7 * w)) - 1).unwrap();
            Synth {
                number,
                number_width: (least + wider).min(8),
                uid,
                clusters,
                has_unknown_segment: odd[0],
                has_unknown_clusters: odd[1],
                has_wide_sizes: odd[2],
                has_place_marks: odd[3],
                has_groups: odd[4],
                has_voids: odd[5],
                has_late_blocks: odd[6],
                ..Synth::plain(is_picture, &[0], 1)
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn joined_files_hold_all_blocks_and_every_range_is_part_of_the_whole(
        picture in synth(true),
        sound in synth(false),
        ranges in prop::collection::vec((any::<prop::sample::Index>(), 0_u64..5000, 1_usize..3000), 1..8),
        tiny in 1_usize..4,
    ) {
        let (picture, sound) = (picture.build(), sound.build());
        let pair = Pair::new(&picture, &sound).unwrap();
        check(&pair, &walk(&picture), &walk(&sound));
        let whole = pair.whole().unwrap();
        let total = whole.len();
        prop_assert_eq!(&pair.read(0..total as u64, tiny).unwrap(), &whole);
        for (start, length, piece) in ranges {
            let start = start.index(total);
            let end = total.min(start + usize::try_from(length).unwrap());
            let part = pair.read(start as u64..end as u64, piece).unwrap();
            prop_assert_eq!(&part, &whole[start..end]);
        }
    }
}
