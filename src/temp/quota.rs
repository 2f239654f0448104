//! How much room the temporary files may take, counted before it is used.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The room of one process, shared by its jobs and the files it keeps.
#[derive(Debug)]
pub(super) struct Quota {
    limit: u64,
    used: AtomicU64,
}

impl Quota {
    pub(super) fn new(limit: u64) -> Self {
        Self {
            limit,
            used: AtomicU64::new(0),
        }
    }

    fn take(&self, bytes: u64) -> bool {
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                let used = used.checked_add(bytes)?;
                (used <= self.limit).then_some(used)
            })
            .is_ok()
    }

    fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// A part of the quota; given back when dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    quota: Arc<Quota>,
    bytes: u64,
    /// What the same job has in another reservation.
    beside: u64,
}

impl Reservation {
    /// Nothing yet.
    pub(super) fn new(quota: &Arc<Quota>) -> Self {
        Self::beside(quota, 0)
    }

    /// Nothing yet, for a job that has so much already.
    pub(super) fn beside(quota: &Arc<Quota>, bytes: u64) -> Self {
        Self {
            quota: Arc::clone(quota),
            bytes: 0,
            beside: bytes,
        }
    }

    /// Bytes of it.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether its job could have so much more if it were alone.
    pub(super) fn may_ever_grow(&self, bytes: u64) -> bool {
        let all = self.bytes.saturating_add(self.beside);
        all.saturating_add(bytes) <= self.quota.limit
    }

    /// Takes over another one of the same quota.
    pub(super) fn join(&mut self, mut other: Self) {
        self.bytes += std::mem::take(&mut other.bytes);
    }

    /// Adds so much; `false` when the quota has no room for it.
    pub(super) fn grow(&mut self, bytes: u64) -> bool {
        let is_taken = self.quota.take(bytes);
        if is_taken {
            self.bytes += bytes;
        }
        is_taken
    }

    /// Gives back all but so much.
    pub(super) fn shrink_to(&mut self, bytes: u64) {
        let surplus = self.bytes.saturating_sub(bytes);
        self.quota.give_back(surplus);
        self.bytes -= surplus;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.quota.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reservation_that_never_fits_is_told_from_one_that_must_wait() {
        let quota = Arc::new(Quota::new(100));
        let mut first = Reservation::new(&quota);
        assert!(first.grow(60));
        let second = Reservation::new(&quota);
        assert!(second.may_ever_grow(100) && !second.may_ever_grow(101));
        let mut more = Reservation::beside(&quota, first.bytes());
        assert!(more.may_ever_grow(40) && !more.may_ever_grow(41));
        assert!(more.grow(40));
        first.join(more);
        assert_eq!(
            (first.bytes(), quota.used.load(Ordering::Relaxed)),
            (100, 100)
        );
        drop(first);
        assert_eq!(quota.used.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn quota_is_never_exceeded_and_all_comes_back() {
        let quota = Arc::new(Quota::new(100));
        let mut first = Reservation::new(&quota);
        let mut second = Reservation::new(&quota);
        assert!(first.grow(60) && second.grow(40));
        assert!(!first.grow(1) && !second.grow(u64::MAX));
        first.shrink_to(50);
        assert!(second.grow(10) && !second.grow(1));
        drop(second);
        assert!(first.grow(50));
        drop(first);
        assert_eq!(quota.used.load(Ordering::Relaxed), 0);
    }
}
