//! When a tag leaves: as fast as it is played, and no faster but for the cushion that the ingest is given.

use std::time::{Duration, Instant};

/// A delay beyond this is not caught up with: the machine slept, or the way out was shut.
const MAX_LAG: Duration = Duration::from_secs(5);

/// The clock of one connection.
///
/// The first tag leaves at once and begins it; then a tag leaves when `at - lead <= now - start`. Whoever comes too
/// late by up to 5 s may catch up; beyond that the clock is set anew instead.
#[derive(Debug)]
pub struct Pacer {
    lead: Duration,
    /// A moment, and what is played then.
    start: Option<(Instant, Duration)>,
}

impl Pacer {
    /// A clock that lets tags leave by `lead` before their time.
    pub fn new(lead: Duration) -> Self {
        Self { lead, start: None }
    }

    /// When the tag at `at` on the timeline may leave.
    pub fn due(&mut self, at: Duration, now: Instant) -> Instant {
        let (start, first) = *self.start.get_or_insert((now, at));
        let plays = start + at.saturating_sub(first);
        if now.saturating_duration_since(plays) > MAX_LAG {
            self.start = Some((now, at));
            return now;
        }
        plays.checked_sub(self.lead).unwrap_or(start).max(start)
    }

    /// Begins again with the next tag: another connection.
    pub fn reset(&mut self) {
        self.start = None;
    }

    /// What is being played now, however much of it was sent; `None` before the first tag.
    pub fn plays(&self, now: Instant) -> Option<Duration> {
        let (start, first) = self.start?;
        Some(first + now.saturating_duration_since(start))
    }

    /// How far a tag that leaves now is ahead of being played: the cushion that the ingest has.
    pub fn lead(&self, at: Duration, now: Instant) -> Duration {
        let Some((start, first)) = self.start else {
            return Duration::ZERO;
        };
        at.saturating_sub(first)
            .saturating_sub(now.saturating_duration_since(start))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LEAD: Duration = Duration::from_millis(500);

    fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    #[test]
    fn pacer_gives_the_cushion_at_once_and_then_keeps_time() {
        let (mut pacer, start) = (Pacer::new(LEAD), Instant::now());
        assert_eq!(pacer.due(ms(7000), start), start);
        assert_eq!(pacer.due(ms(7500), start), start);
        assert_eq!(pacer.due(ms(7533), start), start + ms(33));
        assert_eq!(pacer.due(ms(9000), start + ms(40)), start + ms(1500));
        assert_eq!(pacer.lead(ms(7500), start), LEAD);
        assert_eq!(pacer.lead(ms(7500), start + ms(600)), Duration::ZERO);
    }

    #[test]
    fn pacer_lateness_is_caught_up_with() {
        let (mut pacer, start) = (Pacer::new(LEAD), Instant::now());
        pacer.due(ms(0), start);
        let late = start + ms(4000);
        assert!(pacer.due(ms(100), late) <= late);
        assert_eq!(pacer.due(ms(5000), late), start + ms(4500));
    }

    #[test]
    fn pacer_after_a_sleep_begins_anew_without_a_burst() {
        let (mut pacer, start) = (Pacer::new(LEAD), Instant::now());
        pacer.due(ms(0), start);
        let woken = start + ms(5200);
        assert_eq!(pacer.due(ms(100), woken), woken);
        assert_eq!(pacer.due(ms(1100), woken), woken + ms(500));
    }

    #[test]
    fn pacer_tells_what_is_played_by_the_clock() {
        let (mut pacer, start) = (Pacer::new(LEAD), Instant::now());
        assert_eq!(pacer.plays(start), None);
        pacer.due(ms(7000), start);
        assert_eq!(pacer.plays(start + ms(40)), Some(ms(7040)));
    }

    #[test]
    fn pacer_reset_begins_with_the_next_tag() {
        let (mut pacer, start) = (Pacer::new(LEAD), Instant::now());
        pacer.due(ms(0), start);
        pacer.reset();
        assert_eq!(pacer.due(ms(60_000), start), start);
    }

    proptest! {
        /// Over any run, what has left is never more than what was played and the cushion.
        #[test]
        fn pacer_is_never_faster_than_real_time_but_for_the_cushion(
            steps in prop::collection::vec((0_u64..200, 0_u64..400), 1..200),
        ) {
            let (mut pacer, start) = (Pacer::new(LEAD), Instant::now());
            let (mut now, mut at) = (start, Duration::ZERO);
            for (step, wait) in steps {
                at += ms(step);
                now = pacer.due(at, now).max(now);
                prop_assert!(at <= now - start + LEAD + ms(200), "{at:?} {:?}", now - start);
                now += ms(wait);
            }
        }
    }
}
