//! The order in which the items of a list are played. Pure: the same seed, cycle and number give the same order.

use rand::Rng as _;
use rand::SeedableRng as _;
use rand::rngs::ChaCha8Rng;

/// The chance of one cycle.
fn chance(seed: u64, cycle: u32) -> ChaCha8Rng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..12].copy_from_slice(&cycle.to_le_bytes());
    ChaCha8Rng::from_seed(bytes)
}

/// A number below `bound`, which is small, so that the remainder is fair enough. Written out: what a library calls a
/// range may draw differently in its next version, and an order must not change under a broadcast.
fn below(chance: &mut ChaCha8Rng, bound: usize) -> usize {
    usize::try_from(chance.next_u64() % bound.max(1) as u64).unwrap_or(0)
}

/// The items of a cycle, drawn (Fisher and Yates). The first one is not `avoided` where there are others.
pub(super) fn shuffled(count: u32, seed: u64, cycle: u32, avoided: Option<u32>) -> Vec<u32> {
    let mut chance = chance(seed, cycle);
    let mut order: Vec<u32> = (0..count).collect();
    for last in (1..order.len()).rev() {
        order.swap(last, below(&mut chance, last + 1));
    }
    if order.len() > 1 && order.first().copied() == avoided {
        let other = 1 + below(&mut chance, order.len() - 1);
        order.swap(0, other);
    }
    order
}

/// Puts a late item somewhere from place `from` on.
pub(super) fn insert(order: &mut Vec<u32>, from: usize, item: u32, seed: u64, cycle: u32) {
    let mut chance = chance(seed ^ u64::from(item).rotate_left(32), cycle);
    let from = from.min(order.len());
    let place = from + below(&mut chance, order.len() - from + 1);
    order.insert(place, item);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn order_has_every_item_once_and_is_always_the_same(count in 0_u32..200, seed: u64, cycle: u32) {
            let order = shuffled(count, seed, cycle, None);
            prop_assert_eq!(&order, &shuffled(count, seed, cycle, None));
            let mut sorted = order;
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..count).collect::<Vec<_>>());
        }

        #[test]
        fn cycle_never_begins_with_what_was_played_last(count in 2_u32..20, seed: u64, cycle: u32) {
            let last = shuffled(count, seed, cycle, None)[0];
            prop_assert_ne!(shuffled(count, seed, cycle, Some(last))[0], last);
        }

        #[test]
        fn late_item_stays_behind_the_play_head(count in 0_u32..50, head in 0_usize..60, seed: u64) {
            let mut order = shuffled(count, seed, 0, None);
            let before = order.clone();
            insert(&mut order, head, count, seed, 0);
            let head = head.min(before.len());
            prop_assert_eq!(&order[..head], &before[..head]);
            prop_assert!(order[head..].contains(&count));
        }
    }

    #[test]
    fn order_does_not_change_between_versions() {
        assert_eq!(shuffled(8, 7, 0, None), shuffled(8, 7, 0, None));
        assert_ne!(shuffled(30, 7, 0, None), shuffled(30, 7, 1, None));
        assert_ne!(shuffled(30, 7, 0, None), shuffled(30, 8, 0, None));
    }
}
