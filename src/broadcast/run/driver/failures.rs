//! How the runs of an item end, and when there is to be no further one.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::broadcast::ItemState;

/// Runs in a row without a picture, or that were stuck, before an item is given up.
const RUNS: u32 = 2;
/// A run that ends earlier has crashed.
const CRASH: Duration = Duration::from_secs(2);
/// So many of them within [`CRASH_WINDOW`] are a loop.
const CRASHES: usize = 5;
const CRASH_WINDOW: Duration = Duration::from_secs(60);
/// A run that gave so much did well, however it ended.
const DID_WELL: Duration = Duration::from_secs(60);

/// Why an item was not played to its end.
pub(super) struct Failure {
    pub(super) state: ItemState,
    pub(super) reason: &'static str,
    /// Whether the site gave nothing.
    pub(super) is_of_site: bool,
    /// Up to where it was handed over.
    pub(super) from: Duration,
    pub(super) message: String,
}

/// How a run ended early.
pub(super) enum Broken {
    /// What came can't pass through as it is.
    Unfit(String),
    /// The program wrote nothing for too long.
    Stuck(String),
    /// The upstream was given up.
    Upstream(String),
    /// The program could not be run, or was ended from outside.
    Program(String),
    /// Anything else.
    Failed(String),
    /// The site gives the file slower than it is played.
    TooSlow,
}

impl Broken {
    /// Whether what was read may be to blame.
    pub(super) fn may_be_of_file(&self) -> bool {
        match self {
            Self::Unfit(_) | Self::Stuck(_) | Self::Upstream(_) | Self::Failed(_) => true,
            Self::Program(_) | Self::TooSlow => false,
        }
    }
}

/// How a run ended that is no failure.
pub(super) enum Played {
    /// To its end, or as far as it was wanted.
    Done,
    /// Nobody takes it any more: skipped, or all is over.
    Unwanted,
}

/// What went wrong with the runs of an item.
#[derive(Default)]
pub(super) struct Failures {
    /// Runs in a row that gave nothing.
    fruitless: u32,
    /// Runs in a row that were stuck.
    stuck: u32,
    /// When runs ended that had just begun.
    crashes: VecDeque<Instant>,
}

impl Failures {
    /// Notes a run that gave something and did not fail: those that fail after it are in no row with those before.
    pub(super) fn did_well(&mut self) {
        (self.fruitless, self.stuck) = (0, 0);
    }

    /// Notes a run that failed; the reason why there is to be no further one, if so.
    pub(super) fn note(
        &mut self,
        broken: &Broken,
        got: Duration,
        began: Instant,
    ) -> Option<&'static str> {
        let now = Instant::now();
        let count = |count: u32, is_so: bool| if is_so { count + 1 } else { 0 };
        if got >= DID_WELL {
            self.did_well();
        }
        self.fruitless = count(self.fruitless, got.is_zero());
        self.stuck = count(self.stuck, matches!(broken, Broken::Stuck(_)));
        let is_crash = matches!(broken, Broken::Failed(_) | Broken::Program(_));
        if is_crash && now.saturating_duration_since(began) < CRASH {
            self.crashes.push_back(now);
        }
        let is_old = |crash: &Instant| now.saturating_duration_since(*crash) > CRASH_WINDOW;
        while self.crashes.front().is_some_and(is_old) {
            self.crashes.pop_front();
        }
        match () {
            () if self.stuck >= RUNS => Some("stuck"),
            () if self.crashes.len() >= CRASHES => Some("crash_loop"),
            () if self.fruitless >= RUNS => Some("broken"),
            () => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Broken {
        Broken::Failed(String::new())
    }

    #[tokio::test(start_paused = true)]
    async fn item_that_gives_nothing_or_is_stuck_twice_is_given_up() {
        let (second, none) = (Duration::from_secs(1), Duration::ZERO);
        let began = Instant::now();
        tokio::time::advance(Duration::from_secs(20)).await;
        let mut failures = Failures::default();
        assert_eq!(failures.note(&failed(), none, began), None);
        assert_eq!(failures.note(&failed(), second, began), None);
        assert_eq!(failures.note(&failed(), none, began), None);
        assert_eq!(failures.note(&failed(), none, began), Some("broken"));
        let stuck = Broken::Stuck(String::new());
        let mut failures = Failures::default();
        assert_eq!(failures.note(&stuck, second, began), None);
        assert_eq!(failures.note(&stuck, second, began), Some("stuck"));
    }

    #[tokio::test(start_paused = true)]
    async fn failures_with_a_good_run_between_are_in_no_row() {
        let (second, none) = (Duration::from_secs(1), Duration::ZERO);
        let began = Instant::now();
        tokio::time::advance(Duration::from_secs(20)).await;
        let stuck = Broken::Stuck(String::new());
        let mut failures = Failures::default();
        for _ in 0..3 {
            assert_eq!(failures.note(&stuck, second, began), None);
            failures.did_well();
            assert_eq!(failures.note(&failed(), none, began), None);
            failures.did_well();
            // One that is stuck in the end was none of a row before.
            assert_eq!(failures.note(&stuck, DID_WELL, began), None);
            failures.did_well();
        }
        assert_eq!(failures.note(&stuck, DID_WELL, began), None);
        assert_eq!(failures.note(&stuck, DID_WELL, began), None);
        assert_eq!(failures.note(&stuck, second, began), Some("stuck"));
    }

    #[tokio::test(start_paused = true)]
    async fn program_that_crashes_five_times_a_minute_ends_the_item() {
        let second = Duration::from_secs(1);
        let mut failures = Failures::default();
        for _ in 0..4 {
            let began = Instant::now();
            tokio::time::advance(second).await;
            assert_eq!(failures.note(&failed(), second, began), None);
        }
        // A run of some length is none of them, and after a minute they are forgotten.
        let began = Instant::now();
        tokio::time::advance(2 * second).await;
        assert_eq!(failures.note(&failed(), second, began), None);
        tokio::time::advance(CRASH_WINDOW).await;
        for _ in 0..4 {
            assert_eq!(failures.note(&failed(), second, Instant::now()), None);
        }
        // An upstream that breaks off is no fault of the program.
        let upstream = Broken::Upstream(String::new());
        assert_eq!(failures.note(&upstream, second, Instant::now()), None);
        let reason = failures.note(&failed(), second, Instant::now());
        assert_eq!(reason, Some("crash_loop"));
    }
}
