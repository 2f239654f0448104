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
}

impl Reservation {
    /// Nothing yet.
    pub(super) fn new(quota: &Arc<Quota>) -> Self {
        Self {
            quota: Arc::clone(quota),
            bytes: 0,
        }
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
