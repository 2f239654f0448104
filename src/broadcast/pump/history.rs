//! What was sent last, to be sent again when the connection is lost.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::broadcast::publisher::PublisherStats;
use crate::broadcast::splicer::Unit;

/// So long after a group's first tag left, the end of the group before may still have been on its way.
const IN_FLIGHT: Duration = Duration::from_millis(100);

/// A group that was begun.
#[derive(Debug)]
struct Sent {
    unit: Arc<Unit>,
    /// When its first tag left.
    began: Option<Instant>,
    /// Bytes of the connection up to its end, once it was sent wholly.
    end_bytes: Option<u64>,
}

/// The two groups sent last on this connection, and those that it must send again.
#[derive(Debug, Default)]
pub(super) struct History {
    sent: VecDeque<Sent>,
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
    pub(super) fn begin(&mut self, unit: &Arc<Unit>) {
        self.sent.push_back(Sent {
            unit: Arc::clone(unit),
            began: None,
            end_bytes: None,
        });
        if self.sent.len() > 2 {
            self.sent.pop_front();
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
    /// have arrived.
    pub(super) fn lost(&mut self, stats: PublisherStats, now: Instant) {
        if let [before, last] = self.sent.make_contiguous() {
            let acknowledged = stats.acknowledged_bytes.unwrap_or(0);
            let has_arrived = before.end_bytes.is_some_and(|end| end <= acknowledged);
            let is_settled = |began| now.saturating_duration_since(began) >= IN_FLIGHT;
            if has_arrived || last.began.is_some_and(is_settled) {
                self.sent.pop_front();
            }
        }
        for sent in self.sent.drain(..).rev() {
            self.again.push_front(sent.unit);
        }
        self.repeated_before = self.repeated;
        self.repeats = self.begins_at().zip(self.sent_until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broadcast::splicer::Origin;

    fn unit(number: u64) -> Arc<Unit> {
        Arc::new(Unit {
            origin: Origin::Item(number),
            position: Duration::ZERO,
            start: Duration::from_secs(2 * number),
            end: Duration::from_secs(2 * number + 2),
            tags: Vec::new(),
        })
    }

    /// A connection that has sent groups 0 and 1 wholly, 1000 bytes each, and group 2 up to its middle.
    fn three(start: Instant) -> History {
        let mut history = History::default();
        for number in 0..3 {
            history.begin(&unit(number));
            let at = Duration::from_secs(2 * number + 1);
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
        history.lost(PublisherStats::default(), start + Duration::from_secs(6));
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
            history.lost(stats, soon);
            assert_eq!(again(&mut history), expected, "{acknowledged:?}");
        }
    }

    #[test]
    fn history_lost_again_at_once_loses_nothing() {
        let start = Instant::now();
        let mut history = three(start);
        let soon = start + Duration::from_secs(5);
        history.lost(PublisherStats::default(), soon);
        let first = history.next_again().unwrap();
        history.begin(&first);
        history.sent(Duration::from_secs(3), soon);
        history.lost(PublisherStats::default(), soon);
        assert_eq!(history.repeated(), Duration::from_secs(1));
        assert_eq!(again(&mut history), [1, 2]);
    }
}
