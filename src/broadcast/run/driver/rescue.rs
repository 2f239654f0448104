//! Items that could not be played as they come: fetched whole meanwhile, and played then (`fallback_download`).

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Desk;
use crate::broadcast::list::Turn;
use crate::broadcast::run::fetching::NoRoom;

/// Items that wait to be fetched; further ones are passed over.
const MOST: usize = 8;

/// See the module.
pub(super) struct Rescues {
    fetches: JoinSet<(Turn, Result<(), String>)>,
    /// One at a time: the site may be in trouble.
    place: Arc<Semaphore>,
    /// Items that were begun to be fetched, and not played to their end since.
    tried: HashSet<u32>,
}

impl Default for Rescues {
    fn default() -> Self {
        Self {
            fetches: JoinSet::new(),
            place: Arc::new(Semaphore::new(1)),
            tried: HashSet::new(),
        }
    }
}

impl Rescues {
    /// Begins to fetch an item, unless that was done in vain.
    pub(super) fn begin(&mut self, desk: Arc<Desk>, turn: Turn) {
        if self.fetches.len() >= MOST || !self.tried.insert(turn.item.ord) {
            return;
        }
        let place = Arc::clone(&self.place);
        self.fetches.spawn(async move {
            // It is closed by nobody.
            let _place = place.acquire_owned().await;
            let fetched = desk.fetch(&turn.item, NoRoom::GiveUp).await;
            (turn, fetched)
        });
    }

    /// Lets an item be fetched again when it fails again: it was played, or never came.
    pub(super) fn forget(&mut self, turn: &Turn) {
        self.tried.remove(&turn.item.ord);
    }

    /// Whether some are being fetched.
    pub(super) fn is_busy(&self) -> bool {
        !self.fetches.is_empty()
    }

    /// Returns when one was fetched, or why it could not be; `None` when none is being fetched.
    pub(super) async fn ended(&mut self) -> Option<(Turn, Result<(), String>)> {
        loop {
            match self.fetches.join_next().await? {
                Ok(ended) => return Some(ended),
                Err(error) => tracing::error!(%error, "fetching an item broke"),
            }
        }
    }
}
