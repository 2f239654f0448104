//! What becomes of an item that failed: fetched whole after all, taken for a sign that the site is away, or held while the
//! way out is.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::cycles::FAILURES;
use super::failures::Failure;
use super::{Desk, Driver, LOOK_EVERY, News};
use crate::broadcast::list::Turn;
use crate::broadcast::run::reading::Reading;
use crate::broadcast::{ItemState, OnItemFailure};

/// How long the site may take to say what is in the list.
const LIST_WITHIN: Duration = Duration::from_secs(10);

impl Driver {
    /// What could not be played as it comes may be fetched whole; where the site is away, what is kept is played.
    pub(super) async fn look_for_another_way(&mut self, turn: &Turn, failure: &Failure) {
        if failure.state != ItemState::Failed {
            return;
        }
        let desk = Arc::clone(&self.desk);
        let Some(shelf) = &desk.shelf else {
            return;
        };
        if shelf.has_kept() && failure.is_of_site && !desk.list.is_offline() {
            self.look_for_site(turn, failure.from).await;
        }
        let is_wanted = desk.settings.borrow().on_item_failure == OnItemFailure::FallbackDownload;
        if is_wanted && shelf.get(&turn.item).is_none() {
            self.rescues.begin(Arc::clone(&desk), turn.clone());
        }
    }

    /// Finds out whether the site is away: one item that can't be had says nothing of the others, a list that can't does,
    /// and so do some items in a row.
    async fn look_for_site(&mut self, turn: &Turn, from: Duration) {
        let desk = &self.desk;
        let list = Reading::anew(&desk.context, &desk.settings.borrow());
        let is_there = timeout(LIST_WITHIN, list.can_be_had()).await;
        let is_there = is_there.unwrap_or(false);
        if is_there && self.course.failures + 1 < FAILURES {
            return;
        }
        if !is_there {
            desk.list.lock().leave_at(turn);
            self.left = Some((turn.item.video_id.clone(), from));
        }
        if !desk.list.note_offline(true) {
            desk.tell(News::Offline).await;
        }
    }
}

impl Desk {
    /// Whether there is no connection to the target.
    pub(super) fn is_cut_off(&self) -> bool {
        self.pump.status().connected_for.is_none()
    }

    /// Waits for the target, which can't be had any more than the site: what is away is the way out.
    pub(super) async fn wait_for_target(&self, turn: &Turn, most: Duration) {
        let line = "neither the site nor the target can be had: waits for them";
        if let Some(news) = self.once(&turn.item.video_id, line) {
            self.tell(news).await;
        }
        let back = async {
            while self.is_cut_off() {
                sleep(LOOK_EVERY).await;
            }
        };
        let _ = timeout(most, back).await;
    }
}
