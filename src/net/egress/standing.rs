//! What a site thinks of a way out. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// How long a way out rests after its first block; twice as long after each further one.
const FIRST_REST: Duration = Duration::from_secs(30);
const MAX_REST: Duration = Duration::from_secs(30 * 60);
/// Longest rest that a site may ask for.
const MAX_ASKED: Duration = Duration::from_secs(3600);
/// A block that is longer ago makes no difference any more.
const MEMORY: Duration = Duration::from_secs(3600);
/// How long a way out that could not reach the site comes after the others.
const FAILING: Duration = Duration::from_secs(30);

/// How one way out has fared with one site.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Standing {
    /// Blocks since the last answer.
    strikes: u32,
    blocked_at: Option<Instant>,
    rests_until: Option<Instant>,
    failed_at: Option<Instant>,
}

impl Standing {
    /// How long it still rests; `None` when it doesn't.
    pub(super) fn rest(&self, now: Instant) -> Option<Duration> {
        self.rests_until
            .filter(|until| now < *until)
            .map(|until| until - now)
    }

    /// How long ago it was blocked, if that still matters.
    pub(super) fn since_block(&self, now: Instant) -> Option<Duration> {
        let since = now.saturating_duration_since(self.blocked_at?);
        (since < MEMORY).then_some(since)
    }

    /// Whether it could not reach the site of late.
    pub(super) fn is_failing(&self, now: Instant) -> bool {
        self.failed_at
            .is_some_and(|at| now.saturating_duration_since(at) < FAILING)
    }

    /// The site answered what was asked at `began`.
    pub(super) fn well(&mut self, began: Instant) {
        self.failed_at = None;
        // One that began before the block says nothing about the time after it.
        if self.blocked_at.is_none_or(|at| at < began) {
            self.strikes = 0;
            self.rests_until = None;
        }
    }

    /// The site turned away what was asked at `began`. Of many that began before a block all are turned away, and count
    /// as one. Returns whether it counts.
    pub(super) fn blocked(
        &mut self,
        began: Instant,
        now: Instant,
        asked: Option<Duration>,
    ) -> bool {
        if self.blocked_at.is_some_and(|at| began <= at) {
            return false;
        }
        if self.since_block(now).is_none() {
            self.strikes = 0;
        }
        let own = FIRST_REST
            .saturating_mul(1 << self.strikes.min(16))
            .min(MAX_REST);
        let rest = own.max(asked.unwrap_or_default().min(MAX_ASKED));
        self.strikes = self.strikes.saturating_add(1);
        self.blocked_at = Some(now);
        self.rests_until = Some(now + rest);
        true
    }

    /// The site could not be reached.
    pub(super) fn failed(&mut self, now: Instant) {
        self.failed_at = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn standing_rest_doubles_up_to_its_limit_and_an_answer_ends_it() {
        let mut now = Instant::now();
        let mut standing = Standing::default();
        let mut rests = Vec::new();
        for _ in 0..9 {
            now += SECOND;
            assert!(standing.blocked(now, now, None));
            let rest = standing.rest(now).unwrap();
            rests.push(rest.as_secs());
            now += rest;
            assert_eq!(standing.rest(now), None);
        }
        assert_eq!(rests, [30, 60, 120, 240, 480, 960, 1800, 1800, 1800]);
        standing.well(now + SECOND);
        assert!(standing.blocked(now + 2 * SECOND, now + 2 * SECOND, None));
        assert_eq!(standing.rest(now + 2 * SECOND), Some(FIRST_REST));
    }

    #[test]
    fn standing_blocks_of_the_same_time_count_once() {
        let start = Instant::now();
        let mut standing = Standing::default();
        assert!(standing.blocked(start, start + SECOND, None));
        for _ in 0..20 {
            assert!(!standing.blocked(start, start + 2 * SECOND, None));
        }
        standing.well(start);
        assert_eq!(standing.rest(start + SECOND), Some(FIRST_REST));
    }

    #[test]
    fn standing_rest_that_the_site_asks_for_is_taken_within_bounds() {
        let now = Instant::now();
        for (asked, rest) in [(1, 30), (90, 90), (1_000_000, 3600)] {
            let mut standing = Standing::default();
            standing.blocked(now, now, Some(Duration::from_secs(asked)));
            assert_eq!(standing.rest(now), Some(Duration::from_secs(rest)));
        }
    }

    #[test]
    fn standing_forgets_what_is_long_ago() {
        let now = Instant::now();
        let mut standing = Standing::default();
        standing.blocked(now, now, None);
        standing.failed(now);
        assert!(standing.since_block(now).is_some() && standing.is_failing(now));
        assert!(!standing.is_failing(now + FAILING));
        let later = now + MEMORY;
        assert_eq!(standing.since_block(later), None);
        standing.blocked(later, later, None);
        assert_eq!(standing.rest(later), Some(FIRST_REST));
    }
}
