//! Admission: how many may run at once, how many may wait, and for how long.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bounds in seconds of what a refused client is told; spread so that refused clients don't come back together.
const RETRY_AFTER_SECONDS: std::ops::RangeInclusive<u64> = 1..=10;

/// No place is free and none became free in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("busy")]
pub struct Busy {
    /// When the client may try again; whole seconds, 1 to 10.
    pub retry_after: Duration,
}

impl Busy {
    fn now() -> Self {
        Self {
            retry_after: Duration::from_secs(rand::random_range(RETRY_AFTER_SECONDS)),
        }
    }
}

/// A bounded number of places with a bounded queue in front, served in the order of arrival.
#[derive(Debug, Clone)]
pub struct Admission {
    room: Arc<Room>,
}

#[derive(Debug)]
struct Room {
    places: Arc<Semaphore>,
    max: usize,
    max_waiting: usize,
    patience: Duration,
    active: AtomicUsize,
    waiting: AtomicUsize,
}

/// A place; free again when dropped.
#[derive(Debug)]
pub struct Permit {
    room: Arc<Room>,
    // Field order doesn't matter: `drop` counts first, then the place goes back.
    _place: OwnedSemaphorePermit,
}

impl Permit {
    fn new(room: &Arc<Room>, place: OwnedSemaphorePermit) -> Self {
        room.active.fetch_add(1, Ordering::Relaxed);
        Self {
            room: Arc::clone(room),
            _place: place,
        }
    }
}

impl Drop for Permit {
    /// Counts before the place is handed on, so that `active` is never above `max`.
    fn drop(&mut self) {
        self.room.active.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A place in the queue; given up when dropped, whether served, out of patience or cancelled.
struct Waiting<'a>(&'a Room);

impl<'a> Waiting<'a> {
    fn join(room: &'a Room) -> Option<Self> {
        room.waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
                (waiting < room.max_waiting).then(|| waiting + 1)
            })
            .ok()
            .map(|_| Self(room))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Admission {
    /// `max` places, at most `max_waiting` in the queue, each for at most `patience`.
    pub fn new(max: usize, max_waiting: usize, patience: Duration) -> Self {
        let max = max.min(Semaphore::MAX_PERMITS);
        Self {
            room: Arc::new(Room {
                places: Arc::new(Semaphore::new(max)),
                max,
                max_waiting,
                patience,
                active: AtomicUsize::new(0),
                waiting: AtomicUsize::new(0),
            }),
        }
    }

    /// Takes a place, waiting in turn. A newcomer never overtakes the queue: a place that becomes free belongs to
    /// the first in it.
    ///
    /// # Errors
    /// [`Busy`] at once when the queue is full, else after the patience.
    pub async fn admit(&self) -> Result<Permit, Busy> {
        let room = &self.room;
        if let Ok(place) = Arc::clone(&room.places).try_acquire_owned() {
            return Ok(Permit::new(room, place));
        }
        let _waiting = Waiting::join(room).ok_or_else(Busy::now)?;
        let turn = Arc::clone(&room.places).acquire_owned();
        match tokio::time::timeout(room.patience, turn).await {
            Ok(Ok(place)) => Ok(Permit::new(room, place)),
            // The semaphore is never closed, so what is left is the patience.
            Ok(Err(_)) | Err(_) => Err(Busy::now()),
        }
    }

    /// Places there are.
    pub fn max(&self) -> usize {
        self.room.max
    }

    /// Places taken now.
    pub fn active(&self) -> usize {
        self.room.active.load(Ordering::Relaxed)
    }

    /// Waiting now.
    pub fn waiting(&self) -> usize {
        self.room.waiting.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Poll;

    use futures_util::{FutureExt, poll};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn admit_free_place_is_immediate_and_counted() {
        let admission = Admission::new(2, 0, PATIENCE);
        let first = admission.admit().await.unwrap();
        let second = admission.admit().await.unwrap();
        assert_eq!((admission.max(), admission.active()), (2, 2));
        drop(first);
        assert_eq!(admission.active(), 1);
        drop(second);
        assert_eq!(admission.active(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn admit_full_queue_is_busy_at_once() {
        let admission = Admission::new(1, 1, PATIENCE);
        let _held = admission.admit().await.unwrap();
        let mut waiting = pin!(admission.admit());
        assert!(poll!(waiting.as_mut()).is_pending());
        assert_eq!(admission.waiting(), 1);
        let refused = admission.admit().now_or_never().unwrap().unwrap_err();
        let seconds = refused.retry_after.as_secs_f64();
        assert!((1.0..=10.0).contains(&seconds) && seconds.fract() == 0.0);
        assert_eq!(admission.waiting(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn admit_waits_for_the_patience_and_no_longer() {
        let admission = Admission::new(1, 1, PATIENCE);
        let _held = admission.admit().await.unwrap();
        let start = tokio::time::Instant::now();
        admission.admit().await.unwrap_err();
        assert_eq!(start.elapsed(), PATIENCE);
        assert_eq!((admission.active(), admission.waiting()), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn admit_serves_in_order_and_newcomers_dont_overtake() {
        let admission = Admission::new(1, 2, PATIENCE);
        let held = admission.admit().await.unwrap();
        let mut first = pin!(admission.admit());
        let mut second = pin!(admission.admit());
        assert!(poll!(first.as_mut()).is_pending());
        assert!(poll!(second.as_mut()).is_pending());
        drop(held);
        // The place is already promised to the first in the queue, which is still counted there.
        assert!(admission.admit().now_or_never().unwrap().is_err());
        assert!(poll!(second.as_mut()).is_pending());
        let Poll::Ready(Ok(_first)) = poll!(first.as_mut()) else {
            panic!("the first in the queue was not served");
        };
        assert_eq!((admission.active(), admission.waiting()), (1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn cancelled_waiter_leaves_the_queue_and_its_turn() {
        let admission = Admission::new(1, 2, PATIENCE);
        let held = admission.admit().await.unwrap();
        let mut gone = Box::pin(admission.admit());
        let mut next = pin!(admission.admit());
        assert!(poll!(gone.as_mut()).is_pending());
        assert!(poll!(next.as_mut()).is_pending());
        drop(held);
        drop(gone);
        assert!(matches!(poll!(next.as_mut()), Poll::Ready(Ok(_))));
        assert_eq!((admission.active(), admission.waiting()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn admission_without_places_is_always_busy() {
        let admission = Admission::new(0, 1, PATIENCE);
        admission.admit().await.unwrap_err();
        assert_eq!((admission.max(), admission.active()), (0, 0));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn admission_under_contention_stays_within_bounds_and_counts_to_zero() {
        let admission = Admission::new(3, 1000, Duration::from_secs(60));
        let tasks: Vec<_> = (0..300)
            .map(|_| {
                let admission = admission.clone();
                crate::task::spawn(async move {
                    let _permit = admission.admit().await.unwrap();
                    assert!(admission.active() <= 3);
                    tokio::task::yield_now().await;
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!((admission.active(), admission.waiting()), (0, 0));
        assert_eq!(admission.room.places.available_permits(), 3);
    }
}
