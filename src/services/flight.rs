//! Single flight: callers that want the same thing at the same time share one piece of work.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::sync::oneshot;
use tracing::Instrument;

use crate::lifecycle::Lifecycle;

type Landing<V> = Shared<BoxFuture<'static, Option<V>>>;

/// Work under way, by key. The work runs as a task of its own, so a caller that leaves takes nothing with it; the hard
/// end of the process does.
#[derive(Debug, Clone)]
pub(super) struct Flights<K, V> {
    running: Arc<Mutex<HashMap<K, Landing<V>>>>,
    lifecycle: Lifecycle,
}

impl<K, V> Flights<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// An empty table; its tasks end with `lifecycle`.
    pub(super) fn new(lifecycle: Lifecycle) -> Self {
        Self {
            running: Arc::default(),
            lifecycle,
        }
    }

    /// Joins the work for `key`, starting `work` when none is under way. `None` when the work panicked or was cut.
    pub(super) async fn join<F>(&self, key: K, work: impl FnOnce() -> F) -> Option<V>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let landing = self.board(key, work);
        landing.await
    }

    fn board<F>(&self, key: K, work: impl FnOnce() -> F) -> Landing<V>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(landing) = running.get(&key) {
            return landing.clone();
        }
        let (sender, receiver) = oneshot::channel();
        let landing = receiver.map(Result::ok).boxed().shared();
        running.insert(key.clone(), landing.clone());
        let leave = Leave {
            running: Arc::clone(&self.running),
            key,
        };
        let work = work();
        let task = async move {
            let value = work.await;
            drop(leave);
            // Nobody waits any more: the value is in the cache for the next caller.
            let _ = sender.send(value);
        };
        self.lifecycle.spawn(task.in_current_span());
        landing
    }
}

/// Takes the entry off the table when the work ends, also when it panics.
struct Leave<K: Eq + Hash, V> {
    running: Arc<Mutex<HashMap<K, Landing<V>>>>,
    key: K,
}

impl<K: Eq + Hash, V> Drop for Leave<K, V> {
    fn drop(&mut self) {
        self.running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn callers_at_the_same_time_share_one_run() {
        let flights: Flights<&str, usize> = Flights::new(Lifecycle::new());
        let runs = Arc::new(AtomicUsize::new(0));
        let gate = Arc::new(Notify::new());
        let callers: Vec<_> = (0..20)
            .map(|_| {
                let (runs, gate) = (Arc::clone(&runs), Arc::clone(&gate));
                flights.board("key", || async move {
                    let run = runs.fetch_add(1, Ordering::SeqCst);
                    gate.notified().await;
                    run
                })
            })
            .collect();
        gate.notify_one();
        for caller in callers {
            assert_eq!(caller.await, Some(0));
        }
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn caller_that_leaves_does_not_stop_the_work() {
        let flights: Flights<&str, u8> = Flights::new(Lifecycle::new());
        let (started, gate) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (started_in, gate_in) = (Arc::clone(&started), Arc::clone(&gate));
        drop(flights.board("key", || async move {
            started_in.notify_one();
            gate_in.notified().await;
            7
        }));
        started.notified().await;
        let second = flights.board("key", || async { 8 });
        gate.notify_one();
        assert_eq!(second.await, Some(7));
    }

    #[tokio::test]
    async fn hard_end_takes_the_work_with_it() {
        let lifecycle = Lifecycle::new();
        let flights: Flights<&str, u8> = Flights::new(lifecycle.clone());
        let caller = flights.board("key", std::future::pending);
        lifecycle.hard.cancel();
        assert_eq!(caller.await, None);
        lifecycle.tracker.close();
        lifecycle.tracker.wait().await;
    }

    #[tokio::test]
    async fn work_that_panics_frees_its_key() {
        let flights: Flights<&str, u8> = Flights::new(Lifecycle::new());
        assert_eq!(
            flights.join("key", || async { panic!("planted") }).await,
            None
        );
        assert_eq!(flights.join("key", || async { 1 }).await, Some(1));
    }
}
