//! How fast a client must at least take what waits for it.

use std::time::Duration;

/// Over which time of waiting the rate is measured (reliability R2.1).
const WINDOW: Duration = Duration::from_secs(120);

/// The rate of one client while the channel to it is full, window after window. Other time doesn't count: that is when
/// the upstream is the slower one.
#[derive(Debug)]
pub(super) struct Pace {
    /// Bytes per second; 0 is no limit.
    min_rate: u64,
    /// Time waited for the client in this window.
    waited: Duration,
    /// Bytes taken in that time.
    taken: u64,
}

impl Pace {
    pub(super) fn new(min_rate: u64) -> Self {
        Self {
            min_rate,
            waited: Duration::ZERO,
            taken: 0,
        }
    }

    /// How much more waiting fills the window.
    pub(super) fn left(&self) -> Duration {
        WINDOW.saturating_sub(self.waited)
    }

    /// Adds a time of waiting in which so much was taken, and says whether the window ends with that below the limit.
    pub(super) fn is_too_slow(&mut self, waited: Duration, taken: u64) -> bool {
        self.waited += waited;
        self.taken += taken;
        if self.waited < WINDOW {
            return false;
        }
        let least = self.min_rate * self.waited.as_secs();
        let is_too_slow = self.taken < least;
        *self = Self::new(self.min_rate);
        is_too_slow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn rate_is_judged_when_the_window_is_full() {
        let mut pace = Pace::new(100);
        for second in 0..119 {
            assert_eq!(pace.left() + SECOND * second, WINDOW);
            assert!(!pace.is_too_slow(SECOND, 99));
        }
        assert!(pace.is_too_slow(SECOND, 99));
    }

    #[test]
    fn rate_of_a_window_is_its_average_and_the_next_begins_anew() {
        let mut pace = Pace::new(100);
        assert!(!pace.is_too_slow(SECOND, 12_000));
        assert!(!pace.is_too_slow(pace.left(), 0));
        assert_eq!(pace.left(), WINDOW);
        assert!(pace.is_too_slow(WINDOW, 11_999));
    }

    #[test]
    fn rate_of_nothing_is_no_limit() {
        assert!(!Pace::new(0).is_too_slow(WINDOW * 100, 0));
    }
}
