//! What comes after items that failed and cycles that gave nothing: pauses, another cycle, or the end.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::{Driver, News};

/// First pause when a whole cycle gave nothing.
const FIRST_BACK_OFF: Duration = Duration::from_secs(10);
/// Longest such pause.
const LAST_BACK_OFF: Duration = Duration::from_secs(300);
/// Items that fail in a row before there is a pause.
pub(super) const FAILURES: u32 = 3;
/// First pause after so many; each further failure doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// Longest such pause.
const LAST_PAUSE: Duration = Duration::from_secs(60);

/// How items fared so far.
pub(super) struct Course {
    /// Items of the cycle that were played.
    pub(super) plays: u32,
    /// Items of the cycle were left out, because the site was away.
    pub(super) has_passed_over: bool,
    /// The next pause after a cycle that gave nothing.
    back_off: Duration,
    /// Items that failed in a row.
    pub(super) failures: u32,
    /// Until when nothing is begun.
    pub(super) pause: Option<Instant>,
}

impl Default for Course {
    fn default() -> Self {
        Self {
            plays: 0,
            has_passed_over: false,
            back_off: FIRST_BACK_OFF,
            failures: 0,
            pause: None,
        }
    }
}

impl Driver {
    /// After some failures in a row there is a pause: the fault is not the items'.
    pub(super) async fn note_failure(&mut self) {
        self.course.failures = self.course.failures.saturating_add(1);
        let Some(further) = self.course.failures.checked_sub(FAILURES) else {
            return;
        };
        let pause = FIRST_PAUSE
            .saturating_mul(1 << further.min(8))
            .min(LAST_PAUSE);
        self.course.pause = Some(Instant::now() + pause);
        let failures = self.course.failures;
        self.desk.tell(News::Pausing { failures, pause }).await;
    }

    /// Whether it goes on with another cycle.
    pub(super) async fn end_cycle(&mut self) -> bool {
        let settings = self.desk.settings.borrow().clone();
        let is_fruitless = self.course.plays == 0;
        let was_offline = self.desk.is_offline();
        if is_fruitless && was_offline {
            // Nothing of what is kept could be played: the site is asked again.
            self.desk.list.note_offline(false);
        }
        self.desk.forget_told();
        let has_left = self.desk.list.lock().has_left();
        let goes_on = settings.loop_enabled || was_offline || has_left;
        // Of either kind are items that were not tried.
        let has_passed_over = std::mem::take(&mut self.course.has_passed_over);
        let is_whole = self.desk.list.lock().is_whole_cycle();
        let has_played = self.desk.has_played.load(Ordering::Relaxed);
        if is_fruitless && !has_played && !(goes_on && (has_passed_over || !is_whole)) {
            self.desk.tell(News::NothingPlays).await;
            return false;
        }
        if !goes_on {
            self.desk.pump.finish();
            return false;
        }
        if !is_fruitless {
            self.course.back_off = FIRST_BACK_OFF;
        } else if is_whole {
            self.back_off().await;
        }
        self.course.plays = 0;
        if has_left && !self.desk.is_offline() {
            // What was left comes next.
            return true;
        }
        self.desk.list.lock().begin_cycle(settings.seed());
        true
    }

    /// Waits before everything is tried again.
    async fn back_off(&mut self) {
        self.desk.tell(News::BackingOff(self.course.back_off)).await;
        // A list that was read anew may have something.
        let _ = timeout(self.course.back_off, self.desk.list.changed.notified()).await;
        self.course.back_off = (self.course.back_off * 2).min(LAST_BACK_OFF);
        self.desk.list.lock().retry_all();
    }
}
