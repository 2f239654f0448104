//! Items that could not be played as they come: fetched whole meanwhile, and played then (`fallback_download`).

use std::collections::VecDeque;
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
    fetched: VecDeque<Turn>,
}

impl Default for Rescues {
    fn default() -> Self {
        Self {
            fetches: JoinSet::new(),
            place: Arc::new(Semaphore::new(1)),
            fetched: VecDeque::new(),
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

    /// An item that was fetched.
    pub(super) fn next(&mut self) -> Option<Turn> {
        self.fetched.pop_front()
    }

    /// Whether some are being fetched, or wait to be played.
    pub(super) fn is_busy(&self) -> bool {
        !self.fetches.is_empty() || !self.fetched.is_empty()
    }

    /// Returns when one was fetched, or with its id and why it could not be; `None` when none is being fetched.
    pub(super) async fn ended(&mut self) -> Option<(String, Option<String>)> {
        let (turn, fetched) = loop {
            match self.fetches.join_next().await? {
                Ok(ended) => break ended,
                Err(error) => tracing::error!(%error, "fetching an item broke"),
            }
        };
        let id = turn.item.video_id.clone();
        if fetched.is_ok() {
            self.fetched.push_back(turn);
        }
        Some((id, fetched.err()))
    }
}
