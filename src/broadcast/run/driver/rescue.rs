//! Items that could not be played as they come: fetched whole meanwhile, and played then (`fallback_download`).

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
}

impl Default for Rescues {
    fn default() -> Self {
        Self {
            fetches: JoinSet::new(),
            place: Arc::new(Semaphore::new(1)),
        }
    }
}

impl Rescues {
    /// Begins to fetch an item.
    pub(super) fn begin(&mut self, desk: Arc<Desk>, turn: Turn) {
        if self.fetches.len() >= MOST {
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
