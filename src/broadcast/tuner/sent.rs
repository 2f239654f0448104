//! What was handed out since the beginning of a run, so that another run can go on within it. Pure.

use std::collections::VecDeque;
use std::time::Duration;

/// Segments that are remembered: far more than a run can be ahead of what was taken of it.
const KEPT: usize = 1000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// Number and length of each.
    segments: VecDeque<(u64, Duration)>,
    /// Length of those that were before.
    before: Duration,
}

impl Sent {
    /// Notes a segment.
    pub(super) fn push(&mut self, number: u64, duration: Duration) {
        if self.segments.len() >= KEPT
            && let Some((_, first)) = self.segments.pop_front()
        {
            self.before = self.before.saturating_add(first);
        }
        self.segments.push_back((number, duration));
    }

    /// A run begins.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Number of the segment that holds what comes after so much of the run; `None` when all of it is before that.
    pub(super) fn behind(&self, got: Duration) -> Option<u64> {
        let mut end = self.before;
        let mut segments = self.segments.iter();
        let found = segments.find(|(_, duration)| {
            end = end.saturating_add(*duration);
            end > got
        });
        found.map(|(number, _)| *number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_in_a_run_is_found_as_far_as_it_is_remembered() {
        let mut sent = Sent::default();
        let second = Duration::from_secs(1);
        assert_eq!(sent.behind(second), None);
        for number in 0..5000 {
            sent.push(100 + number, 2 * second);
        }
        assert_eq!(sent.segments.len(), KEPT);
        let at = |seconds: u32| sent.behind(seconds * second);
        assert_eq!(
            (at(9999), at(9998), at(9997)),
            (Some(5099), Some(5099), Some(5098))
        );
        assert_eq!(at(10_000), None);
        // What is forgotten can't be gone back to.
        assert_eq!(at(10), Some(4100));
        sent.clear();
        sent.push(7, second);
        assert_eq!(sent.behind(Duration::ZERO), Some(7));
    }
}
