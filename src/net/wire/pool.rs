//! Connections kept for the next request to the same origin.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::exchange::Connection;
use super::{IDLE_PER_HOST, IDLE_TIME, IDLE_TOTAL};
use crate::task;

/// Idle connections by origin (`https://host:port`), the one used last at the end.
#[derive(Default)]
pub(super) struct Pool {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    idle: HashMap<String, Vec<Kept>>,
    /// Looks after them; there as long as any is kept.
    sweep: Option<AbortOnDropHandle<()>>,
}

impl State {
    /// Connections to all origins. There are at most as many origins, as none is empty.
    fn total(&self) -> usize {
        self.idle.values().map(Vec::len).sum()
    }

    /// Drops the connection that was used longest ago: it is the first of its origin.
    fn drop_oldest(&mut self) {
        let oldest = self
            .idle
            .iter()
            .min_by_key(|(_, kept)| kept.first().map(|one| one.until));
        let Some(origin) = oldest.map(|(origin, _)| origin.clone()) else {
            return;
        };
        if let Some(kept) = self.idle.get_mut(&origin) {
            kept.remove(0);
            if kept.is_empty() {
                self.idle.remove(&origin);
            }
        }
    }
}

struct Kept {
    connection: Connection,
    until: Instant,
}

impl Kept {
    /// Whether it may still be used. Nobody polls an idle connection, so the look is what notices a close.
    fn is_alive(&mut self, now: Instant) -> bool {
        now < self.until && self.connection.is_alive()
    }
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection to `origin` that was still open a moment ago.
    pub(super) fn take(&self, origin: &str) -> Option<Connection> {
        let now = Instant::now();
        let mut state = self.lock();
        let kept = state.idle.get_mut(origin)?;
        let alive = std::iter::from_fn(|| kept.pop()).find_map(|mut one| {
            let is_alive = one.is_alive(now);
            is_alive.then_some(one.connection)
        });
        if kept.is_empty() {
            state.idle.remove(origin);
        }
        alive
    }

    /// Keeps a connection whose last answer has been read whole.
    pub(super) fn put(self: &Arc<Self>, origin: String, connection: Connection) {
        // Dropped outside of any runtime, at the end of the process: nobody would look after it.
        if Handle::try_current().is_err() {
            return;
        }
        let until = Instant::now() + IDLE_TIME;
        let mut state = self.lock();
        if state.total() >= IDLE_TOTAL {
            state.drop_oldest();
        }
        let kept = state.idle.entry(origin).or_default();
        if kept.len() >= IDLE_PER_HOST {
            kept.remove(0);
        }
        kept.push(Kept { connection, until });
        if state.sweep.is_none() {
            state.sweep = Some(task::owned(sweep(Arc::downgrade(self))));
        }
    }

    /// Drops what has expired or was closed; whether anything is left to look after.
    fn clear(&self) -> bool {
        let now = Instant::now();
        let mut state = self.lock();
        state.idle.retain(|_, kept| {
            kept.retain_mut(|one| one.is_alive(now));
            !kept.is_empty()
        });
        if state.idle.is_empty() {
            state.sweep = None;
        }
        state.sweep.is_some()
    }
}

/// Runs while anything is kept.
async fn sweep(pool: Weak<Pool>) {
    loop {
        sleep(IDLE_TIME / 4).await;
        if !pool.upgrade().is_some_and(|pool| pool.clear()) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pool_that_is_full_drops_what_was_used_longest_ago() {
        let pool = Arc::new(Pool::default());
        let mut far_ends = Vec::new();
        let put = |origin: String| {
            let (near, far) = tokio::io::duplex(1);
            pool.put(origin, Connection::new(Box::new(near)));
            far
        };
        for number in 0..IDLE_TOTAL {
            far_ends.push(put(format!("https://{}.example", number / 2)));
            tokio::time::advance(std::time::Duration::from_millis(1)).await;
        }
        assert_eq!(pool.lock().total(), IDLE_TOTAL);
        far_ends.push(put("https://new.example".to_owned()));
        assert_eq!(pool.lock().total(), IDLE_TOTAL);
        assert_eq!(far_ends[0].read(&mut [0]).await.unwrap(), 0, "it is closed");
        assert!(pool.take("https://0.example").is_some(), "the second one");
        assert!(pool.take("https://0.example").is_none());
        assert!(pool.take("https://new.example").is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn connections_kept_too_long_are_dropped_each_time_there_are_any_and_the_sweep_ends() {
        let pool = Arc::new(Pool::default());
        for _ in 0..2 {
            let (near, mut far) = tokio::io::duplex(1);
            let connection = Connection::new(Box::new(near));
            pool.put("https://site.example".to_owned(), connection);
            assert!(pool.lock().sweep.is_some());
            assert_eq!(far.read(&mut [0]).await.unwrap(), 0, "it is closed");
            assert_eq!(pool.lock().total(), 0);
            assert!(pool.lock().sweep.is_none());
        }
    }
}
