//! When an item that can't be played is tried again: in the next cycle, and while it still can't be, after pauses that
//! become longer (broadcast.md §5). Pure.

use std::time::Duration;

use tokio::time::Instant;

/// Pause after the second try in vain; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
/// Longest such pause.
const LAST_PAUSE: Duration = Duration::from_secs(6 * 3600);

/// What is known of tries in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Retry {
    tries: u32,
    /// The cycle of the last one.
    cycle: u32,
    /// Until when no further one is made, in whatever cycle.
    pause: Option<Instant>,
}

impl Retry {
    /// The first one was made in this cycle, or needn't be.
    pub(super) fn first(cycle: u32) -> Self {
        Self {
            tries: 1,
            cycle,
            pause: None,
        }
    }

    /// A further one was made.
    pub(super) fn again(self, cycle: u32, now: Instant) -> Self {
        let doublings = self.tries.saturating_sub(1).min(16);
        let pause = FIRST_PAUSE.saturating_mul(1 << doublings).min(LAST_PAUSE);
        Self {
            tries: self.tries.saturating_add(1),
            cycle,
            pause: Some(now + pause),
        }
    }

    /// Whether another one is to be made.
    pub(super) fn is_due(&self, cycle: u32, now: Instant) -> bool {
        cycle > self.cycle && self.pause.is_none_or(|pause| now >= pause)
    }
}
