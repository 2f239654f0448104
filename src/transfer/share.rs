//! How much each transfer may hold: the whole of its own bound while few run, an even share of all when many do.
//!
//! Most clients are slower than the upstream, so whatever a transfer may hold it does hold. With the bound of one
//! transfer alone, memory would be that bound times `MAX_STREAMS`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Least share: below, the calls cost more than the memory is worth.
const MIN_SHARE: usize = 16 * 1024;

/// What all transfers of an engine hold together.
#[derive(Debug)]
pub(super) struct Budget {
    total: usize,
    most: usize,
    running: AtomicUsize,
}

impl Budget {
    /// `total` bytes for all, `most` for one.
    pub(super) fn new(total: usize, most: usize) -> Self {
        Self {
            total,
            most,
            running: AtomicUsize::new(0),
        }
    }

    /// The share of one more transfer, until it is dropped.
    pub(super) fn share(budget: &Arc<Self>) -> Share {
        budget.running.fetch_add(1, Ordering::Relaxed);
        Share(Arc::clone(budget))
    }
}

/// What one transfer may hold.
#[derive(Debug)]
pub(super) struct Share(Arc<Budget>);

impl Share {
    /// Bytes that may wait for the client now.
    pub(super) fn bytes(&self) -> usize {
        let running = self.0.running.load(Ordering::Relaxed).max(1);
        (self.0.total / running).max(MIN_SHARE).min(self.0.most)
    }

    /// Bytes of one read: half of what may wait, so that reading and sending take turns.
    pub(super) fn read_bytes(&self) -> usize {
        self.bytes() / 2
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn share_is_the_whole_bound_for_few_and_even_for_many() {
        let budget = Arc::new(Budget::new(1 << 20, 1 << 18));
        let first = Budget::share(&budget);
        assert_eq!((first.bytes(), first.read_bytes()), (1 << 18, 1 << 17));
        let mut others: Vec<Share> = (0..7).map(|_| Budget::share(&budget)).collect();
        assert_eq!(first.bytes(), 1 << 17);
        others.extend((0..192).map(|_| Budget::share(&budget)));
        assert_eq!(first.bytes(), MIN_SHARE);
        drop(others);
        assert_eq!(first.bytes(), 1 << 18);
    }

    #[test]
    fn share_of_a_small_bound_is_no_larger() {
        let budget = Arc::new(Budget::new(1 << 20, 4096));
        assert_eq!(Budget::share(&budget).bytes(), 4096);
    }
}
