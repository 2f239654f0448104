//! Whether segments come as fast as they are played. Pure.

use std::collections::VecDeque;
use std::time::Duration;

/// How long they may come slower than they are played (broadcast.md §8).
const WINDOW: Duration = Duration::from_secs(20);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// How long reading took, and the media that came of it; the last ones.
    reads: VecDeque<(Duration, Duration)>,
}

impl Pace {
    /// Notes a segment that was read, or that was not, with no media then; whether less came than is played in the time
    /// that was spent on reading, over 20 s. Time in which the site has nothing to be read does not count.
    pub(super) fn is_slow(&mut self, took: Duration, media: Duration) -> bool {
        self.reads.push_back((took, media));
        let sum = |reads: &VecDeque<(Duration, Duration)>| {
            let parts = reads.iter().copied();
            parts.fold((Duration::ZERO, Duration::ZERO), |sum, read| {
                (sum.0 + read.0, sum.1 + read.1)
            })
        };
        let (mut took, mut media) = sum(&self.reads);
        while let Some((first, gave)) = self.reads.front().copied() {
            let rest = took.saturating_sub(first);
            if rest < WINDOW {
                break;
            }
            (took, media) = (rest, media.saturating_sub(gave));
            self.reads.pop_front();
        }
        took >= WINDOW && media < took
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many segments of two seconds it takes until they are found to come slowly, of a hundred.
    fn slow_after(ms: impl Fn(u64) -> u64) -> Option<u64> {
        let mut pace = Pace::default();
        let media = Duration::from_secs(2);
        (1..=100).find(|number| pace.is_slow(Duration::from_millis(ms(*number)), media))
    }

    #[test]
    fn reading_is_slow_after_20_seconds_below_real_time() {
        assert_eq!(slow_after(|_| 4000), Some(5));
        assert_eq!(slow_after(|_| 2100), Some(10));
        assert_eq!(slow_after(|_| 300), None);
        assert_eq!(slow_after(|_| 1900), None);
        // One slow segment among fast ones, and one that takes all the time.
        assert_eq!(
            slow_after(|number| if number % 9 == 0 { 8000 } else { 500 }),
            None
        );
        assert_eq!(
            slow_after(|number| if number == 50 { 21_000 } else { 300 }),
            Some(50)
        );
        // What was slow once is forgotten.
        assert_eq!(
            slow_after(|number| if number < 4 { 6000 } else { 100 }),
            None
        );
        let mut pace = Pace::default();
        assert!(pace.is_slow(Duration::from_secs(30), Duration::ZERO));
    }
}
