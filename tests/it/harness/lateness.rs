//! How late a busy machine lets things happen: what it adds to any time that is measured beside.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

/// From one tick to the next.
const TICK: Duration = Duration::from_millis(5);
/// What any machine does.
const USUAL: Duration = Duration::from_millis(10);

/// A timer that notes when it rang late. It runs beside the tests' own tasks, so that what holds them up holds it up.
pub(crate) struct Lateness {
    /// When it should have rung, and when it did.
    notes: Arc<Mutex<Vec<(Instant, Instant)>>>,
    task: JoinHandle<()>,
}

impl Drop for Lateness {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Lateness {
    /// Begins to note.
    pub(crate) fn watch() -> Self {
        let notes = Arc::<Mutex<Vec<_>>>::default();
        let task = super::task::spawn(ring(Arc::clone(&notes)));
        Self { notes, task }
    }

    /// For how long of this time the timer should have rung and had not.
    pub(crate) fn between(&self, from: Instant, to: Instant) -> Duration {
        let notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let late = notes
            .iter()
            .map(|(due, rang)| (*rang).min(to).saturating_duration_since((*due).max(from)));
        late.sum()
    }
}

async fn ring(notes: Arc<Mutex<Vec<(Instant, Instant)>>>) {
    loop {
        let due = Instant::now() + TICK;
        tokio::time::sleep_until(due.into()).await;
        let rang = Instant::now();
        if rang - due > USUAL {
            let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
            notes.push((due, rang));
        }
    }
}
