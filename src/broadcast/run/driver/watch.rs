//! Looks after a run of the program while it lasts: how far it is, whether the site keeps pace, and whether the
//! addresses are good for long enough.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{Desk, News};
use crate::broadcast::feed::Feed;
use crate::broadcast::source::Monitor;
use crate::services::Playable;

/// How much of an item is left when the next one begins.
const ENDING: Duration = Duration::from_secs(20);
/// How long the site may be slower than what it gives is played.
const SLOW: usize = 20;
/// Media held from which on nobody waits for the site.
const ENOUGH: Duration = Duration::from_secs(6);
/// How long before their end addresses are replaced.
const EARLY: Duration = Duration::from_secs(600);
/// How often they are, at most.
const REFRESH_EVERY: Duration = Duration::from_secs(30);

/// The site gives the file slower than it is played, and has a smaller one.
pub(super) struct TooSlow;

/// See the module.
pub(super) struct Watch<'a> {
    pub(super) desk: &'a Arc<Desk>,
    pub(super) feed: &'a Feed,
    pub(super) monitor: Monitor,
    pub(super) is_ending: &'a AtomicBool,
    /// What is left of the item, where its length is known.
    pub(super) rest: Option<Duration>,
}

impl Watch<'_> {
    /// Looks once a second; returns when another file is to be taken.
    pub(super) async fn look(self) -> TooSlow {
        let began = self.monitor.delivered();
        let mut pace = Pace::default();
        let mut refreshed: Option<Instant> = None;
        let mut ticks = interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let delivered = self.monitor.delivered();
            let rest = self
                .rest
                .map(|rest| rest.saturating_sub(delivered.saturating_sub(began)));
            let is_over = self.feed.live().is_some_and(|live| live.is_ending());
            if is_over || rest.is_some_and(|rest| rest < ENDING) {
                self.is_ending.store(true, Ordering::Relaxed);
                self.desk.stirred.notify_waiters();
            }
            let is_due = refreshed.is_none_or(|at| at.elapsed() >= REFRESH_EVERY);
            if is_due && self.ends_early(rest) {
                refreshed = Some(Instant::now());
                self.refresh().await;
            }
            self.tell_refreshes().await;
            let held = self.monitor.buffered().duration;
            if pace.is_slow(delivered, held, self.feed.waited()) && self.has_lower() {
                return TooSlow;
            }
        }
    }

    fn has_lower(&self) -> bool {
        let is_usual = self.desk.settings.borrow().is_default_format();
        let lower = self.feed.post().and_then(Playable::lower);
        is_usual && lower.is_some()
    }

    /// Whether the addresses end before the item is over, or not long after.
    fn ends_early(&self, rest: Option<Duration>) -> bool {
        let Some(ends_in) = self.ends_in() else {
            return false;
        };
        let is_before_end = rest.is_none_or(|rest| ends_in < rest + EARLY);
        is_before_end && ends_in < EARLY
    }

    /// How long the addresses are good; `None` when they don't say, or say a time that is past: then the upstream's own
    /// answer decides (ruling 30).
    fn ends_in(&self) -> Option<Duration> {
        let ends = self.feed.post()?.expires_at()?;
        let now = self.desk.context.parts.clock.unix_seconds();
        let left = ends.checked_sub(now).filter(|left| *left > 0)?;
        Some(Duration::from_secs(left))
    }

    async fn refresh(&self) {
        let Some(post) = self.feed.post() else {
            return;
        };
        // What fails here is tried again when the addresses are refused.
        if let Err(error) = post.refresh().await {
            tracing::debug!(%error, "addresses not replaced ahead of their end");
        }
    }

    /// Tells of new addresses, whoever asked for them.
    async fn tell_refreshes(&self) {
        let count = self.feed.take_refreshes();
        if count > 0 {
            self.desk.tell(News::Refreshed(count)).await;
        }
    }
}

/// How fast an item comes, second by second.
#[derive(Debug, Default)]
struct Pace {
    /// Media handed over, and how long the site was waited for, at the last looks.
    looks: VecDeque<(Duration, Duration)>,
}

impl Pace {
    /// Whether over the last 20 s less came than is played in that time, for want of bytes from the site.
    fn is_slow(&mut self, delivered: Duration, held: Duration, waited: Duration) -> bool {
        if held >= ENOUGH {
            self.looks.clear();
            return false;
        }
        self.looks.push_back((delivered, waited));
        if self.looks.len() <= SLOW {
            return false;
        }
        let (delivered_then, waited_then) = self.looks.pop_front().unwrap_or_default();
        let window = Duration::from_secs(SLOW as u64);
        let came = delivered.saturating_sub(delivered_then);
        // A program that is slow itself makes the site wait.
        came < window && waited.saturating_sub(waited_then) > window / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Second at which a site of this pace is found to be slow, if within a minute.
    fn slow_at(percent: u64, waits: u64, held: u64) -> Option<u64> {
        let mut pace = Pace::default();
        (0..60).find(|second| {
            let delivered = Duration::from_millis(second * percent * 10);
            let waited = Duration::from_millis(second * waits * 10);
            pace.is_slow(delivered, seconds(held), waited)
        })
    }

    #[test]
    fn site_is_slow_after_20_seconds_below_real_time() {
        assert_eq!(slow_at(60, 90, 2), Some(20));
        assert_eq!(slow_at(0, 100, 0), Some(20));
        // As fast as it is played; slow for want of processors; slow, but nobody waits.
        assert_eq!(slow_at(100, 90, 2), None);
        assert_eq!(slow_at(60, 10, 2), None);
        assert_eq!(slow_at(60, 90, 8), None);
    }
}
