//! What was sent last, to be sent again when the connection is lost.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::broadcast::publisher::PublisherStats;
use crate::broadcast::splicer::Unit;

/// So long after a group's first tag left, the end of the group before may still have been on its way.
const IN_FLIGHT: Duration = Duration::from_millis(100);
/// A target that stalls has systems on its way which hold what it never read: those of 10 s of patience (ruling 41), and
/// of as long as their memory took to fill. What was sent so long before may not have arrived.
const MAX_HELD_UP: Duration = Duration::from_secs(30);
/// Bytes of groups that are kept for that.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// A group that was begun.
#[derive(Debug)]
struct Sent {
    unit: Arc<Unit>,
    /// When its first tag left.
    began: Option<Instant>,
    /// Bytes of the connection up to its end, once it was sent wholly.
    end_bytes: Option<u64>,
}

impl Sent {
    fn is_acknowledged(&self, stats: PublisherStats) -> bool {
        let acknowledged = stats.acknowledged_bytes.unwrap_or(0);
        self.end_bytes.is_some_and(|end| end <= acknowledged)
    }

    fn bytes(&self) -> usize {
        self.unit.tags.iter().map(|tag| tag.data.len()).sum()
    }
}

/// The groups sent last on this connection, two at least, and those that it must send again.
#[derive(Debug, Default)]
pub(super) struct History {
    sent: VecDeque<Sent>,
    /// Bytes of them.
    bytes: usize,
    again: VecDeque<Arc<Unit>>,
    /// Up to where the timeline was sent on any connection.
    sent_until: Option<Duration>,
    /// Where a connection began that repeats, and up to where.
    repeats: Option<(Duration, Duration)>,
    repeated: Duration,
    repeated_before: Duration,
}

impl History {
    /// Where the next connection must begin; `None` when there is nothing to repeat.
    pub(super) fn begins_at(&self) -> Option<Duration> {
        self.again.front().map(|unit| unit.start)
    }

    /// The next group that must be sent again.
    pub(super) fn next_again(&mut self) -> Option<Arc<Unit>> {
        self.again.pop_front()
    }

    /// A group is about to be sent.
    pub(super) fn begin(&mut self, unit: &Arc<Unit>, stats: PublisherStats, now: Instant) {
        let sent = Sent {
            unit: Arc::clone(unit),
            began: None,
            end_bytes: None,
        };
        self.bytes += sent.bytes();
        self.sent.push_back(sent);
        while self.sent.len() > 2 && self.is_first_settled(stats, now) {
            self.forget_first();
        }
    }

    fn is_first_settled(&self, stats: PublisherStats, now: Instant) -> bool {
        let is_over = |began| now.saturating_duration_since(began) >= MAX_HELD_UP;
        self.sent.front().is_none_or(|first| {
            self.bytes > MAX_BYTES
                || first.is_acknowledged(stats)
                || first.began.is_some_and(is_over)
        })
    }

    fn forget_first(&mut self) {
        if let Some(first) = self.sent.pop_front() {
            self.bytes -= first.bytes();
        }
    }

    /// A tag of the group begun last was sent.
    pub(super) fn sent(&mut self, at: Duration, now: Instant) {
        if let Some(last) = self.sent.back_mut() {
            last.began.get_or_insert(now);
        }
        self.sent_until = self.sent_until.max(Some(at));
        if let Some((start, until)) = self.repeats {
            self.repeated = self.repeated_before + at.min(until).saturating_sub(start);
        }
    }

    /// The group begun last was sent wholly.
    pub(super) fn whole(&mut self, stats: PublisherStats) {
        if let Some(last) = self.sent.back_mut() {
            last.end_bytes = Some(stats.sent_bytes);
        }
    }

    /// Media time that was sent more than once.
    pub(super) fn repeated(&self) -> Duration {
        self.repeated
    }

    /// The connection is lost. Sent again is the group that was being sent, and the one before if its end may not
    /// have arrived; after a stall all that the target has not acknowledged, as far as it is kept.
    pub(super) fn lost(&mut self, stats: PublisherStats, now: Instant, is_stall: bool) {
        if is_stall {
            while self.sent.len() > 1 && self.sent[0].is_acknowledged(stats) {
                self.forget_first();
            }
        } else {
            self.keep_unsettled(stats, now);
        }
        for sent in self.sent.drain(..).rev() {
            self.again.push_front(sent.unit);
        }
        self.bytes = 0;
        self.repeated_before = self.repeated;
        self.repeats = self.begins_at().zip(self.sent_until);
    }

    fn keep_unsettled(&mut self, stats: PublisherStats, now: Instant) {
        while self.sent.len() > 2 {
            self.forget_first();
        }
        if let [before, last] = self.sent.make_contiguous() {
            let is_settled = |began| now.saturating_duration_since(began) >= IN_FLIGHT;
            if before.is_acknowledged(stats) || last.began.is_some_and(is_settled) {
                self.forget_first();
            }
        }
    }

    /// Nothing is to be sent again.
    pub(super) fn forget(&mut self) {
        self.sent.clear();
        self.again.clear();
        self.bytes = 0;
        self.repeats = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broadcast::source::Headers;
    use crate::broadcast::splicer::Origin;

    fn unit(number: u64) -> Arc<Unit> {
        Arc::new(Unit {
            origin: Origin::Item(number),
            position: Duration::ZERO,
            start: Duration::from_secs(2 * number),
            end: Duration::from_secs(2 * number + 2),
            headers: Headers::default(),
            tags: Vec::new(),
        })
    }

    /// A connection that has sent groups 0 and 1 wholly, 1000 bytes each, and group 2 up to its middle.
    fn three(start: Instant) -> History {
        let mut history = History::default();
        for number in 0..3 {
            let at = Duration::from_secs(2 * number + 1);
            history.begin(&unit(number), PublisherStats::default(), start + at);
            history.sent(at, start + at);
            if number < 2 {
                history.whole(PublisherStats {
                    sent_bytes: 1000 * (number + 1),
                    acknowledged_bytes: None,
                });
            }
        }
        history
    }

    fn again(history: &mut History) -> Vec<u64> {
        let units = std::iter::from_fn(|| history.next_again());
        units.map(|unit| unit.start.as_secs() / 2).collect()
    }

    #[test]
    fn history_repeats_the_group_that_was_being_sent() {
        let start = Instant::now();
        let mut history = three(start);
        history.lost(
            PublisherStats::default(),
            start + Duration::from_secs(6),
            false,
        );
        assert_eq!(history.begins_at(), Some(Duration::from_secs(4)));
        assert_eq!(again(&mut history), [2]);
    }

    #[test]
    fn history_repeats_the_group_before_while_its_end_may_be_on_its_way() {
        let start = Instant::now();
        let soon = start + Duration::from_secs(5) + IN_FLIGHT / 2;
        for (acknowledged, expected) in [
            (None, vec![1, 2]),
            (Some(1999), vec![1, 2]),
            (Some(2000), vec![2]),
        ] {
            let mut history = three(start);
            let stats = PublisherStats {
                sent_bytes: 2500,
                acknowledged_bytes: acknowledged,
            };
            history.lost(stats, soon, false);
            assert_eq!(again(&mut history), expected, "{acknowledged:?}");
        }
    }

    #[test]
    fn history_lost_again_at_once_loses_nothing() {
        let start = Instant::now();
        let mut history = three(start);
        let soon = start + Duration::from_secs(5);
        let stats = PublisherStats::default();
        history.lost(stats, soon, false);
        let first = history.next_again().unwrap();
        history.begin(&first, stats, soon);
        history.sent(Duration::from_secs(3), soon);
        history.lost(stats, soon, false);
        assert_eq!(history.repeated(), Duration::from_secs(1));
        assert_eq!(again(&mut history), [1, 2]);
    }

    #[test]
    fn history_repeats_after_a_stall_what_the_target_never_acknowledged() {
        let start = Instant::now();
        let later = start + Duration::from_secs(16);
        for (acknowledged, expected) in [
            (None, vec![0, 1, 2]),
            (Some(999), vec![0, 1, 2]),
            (Some(1000), vec![1, 2]),
            (Some(2100), vec![2]),
        ] {
            let mut history = three(start);
            let stats = PublisherStats {
                sent_bytes: 2500,
                acknowledged_bytes: acknowledged,
            };
            history.lost(stats, later, true);
            assert_eq!(again(&mut history), expected, "{acknowledged:?}");
        }
    }

    #[test]
    fn history_keeps_no_more_than_a_stall_explains() {
        let start = Instant::now();
        let mut history = History::default();
        for number in 0..100 {
            let now = start + Duration::from_secs(2 * number);
            history.begin(&unit(number), PublisherStats::default(), now);
            history.sent(Duration::from_secs(2 * number), now);
        }
        let end = start + Duration::from_secs(200);
        history.lost(PublisherStats::default(), end, true);
        let again = again(&mut history);
        assert_eq!((again[0], again.len()), (85, 15));
    }
}
