//! The wall clock as a value, so that tests decide what time it is.
//!
//! Only expiry and time stamps shown to people use it; limits and deadlines use [`std::time::Instant`].

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where the time of day comes from.
#[derive(Debug, Clone, Copy)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that stands still, for tests.
    Fixed(SystemTime),
}

impl Clock {
    /// The time of day.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the wall clock"
    )]
    pub fn now(self) -> SystemTime {
        match self {
            Self::System => SystemTime::now(),
            Self::Fixed(at) => at,
        }
    }

    /// Time since the Unix epoch; zero for a clock set before 1970.
    pub fn unix(self) -> Duration {
        self.now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO)
    }

    /// Whole seconds since the Unix epoch.
    pub fn unix_seconds(self) -> u64 {
        self.unix().as_secs()
    }
}
