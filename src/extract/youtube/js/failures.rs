//! Players that failed: they are not tried again for a while.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::lru::Lru;
use super::player::PlayerKey;
use super::{Fault, SolveError};

/// Players of which the reason is kept.
const CAPACITY: usize = 32;

/// Why players failed, and when. Shared by those who ask and the threads, so that what no one waits for any more is
/// learnt too.
#[derive(Debug)]
pub(super) struct Failures {
    life: Duration,
    failed: Mutex<Lru<PlayerKey, (Instant, Fault)>>,
}

impl Failures {
    /// None yet; each one will count for `life`.
    pub(super) fn new(life: Duration) -> Self {
        Self {
            life,
            failed: Mutex::new(Lru::new(CAPACITY)),
        }
    }

    /// Whether a player may be tried.
    ///
    /// # Errors
    /// [`SolveError::Player`] when it failed a short while ago.
    pub(super) fn check(&self, player: &PlayerKey) -> Result<(), SolveError> {
        match self.lock().get(player) {
            Some((at, fault)) if at.elapsed() < self.life => Err(SolveError::Player {
                player: player.clone(),
                fault: fault.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// Remembers that a player failed, and gives the error that says so.
    pub(super) fn add(&self, player: &PlayerKey, fault: Fault) -> SolveError {
        tracing::warn!(%player, %fault, "player script is of no use");
        self.lock()
            .insert(player.clone(), (Instant::now(), fault.clone()));
        SolveError::Player {
            player: player.clone(),
            fault,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lru<PlayerKey, (Instant, Fault)>> {
        // A panic elsewhere leaves the map whole.
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
