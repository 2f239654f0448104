//! One at a time per player, so that no script is fetched or loaded twice at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::Mutex as AsyncMutex;

use super::player::PlayerKey;

/// The players at work. A player that no one works on leaves nothing behind.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<PlayerKey, Weak<AsyncMutex<()>>>>);

impl Flights {
    /// The lock of a player; whoever holds it may fetch and load its script.
    pub(super) fn of(&self, player: &PlayerKey) -> Arc<AsyncMutex<()>> {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(player).and_then(Weak::upgrade) {
            return flight;
        }
        flights.retain(|_, flight| flight.strong_count() > 0);
        let flight = Arc::default();
        flights.insert(player.clone(), Arc::downgrade(&flight));
        flight
    }
}
