//! How much each transfer may hold: the whole of its own bound while few run, an even share of all when many do.
//!
//! Most clients are slower than the upstream, so whatever a transfer may hold it does hold. With the bound of one
//! transfer alone, memory would be that bound times `MAX_STREAMS`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::channel::Gauge;

/// Least share: below, the calls cost more than the memory is worth.
const MIN_SHARE: usize = 16 * 1024;

/// What all transfers of a process may hold together, those from which others are made included. Clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    total: usize,
    running: Arc<AtomicUsize>,
    gauge: Gauge,
}

impl Memory {
    /// `total` bytes for all.
    pub(super) fn new(total: usize) -> Self {
        Self {
            total,
            running: Arc::default(),
            gauge: Gauge::default(),
        }
    }

    /// Counts what the transfers hold.
    pub(super) fn gauge(&self) -> Gauge {
        self.gauge.clone()
    }

    /// The share of one more transfer, until it is dropped; never more than `most` bytes.
    pub(super) fn share(&self, most: usize) -> Share {
        self.running.fetch_add(1, Ordering::Relaxed);
        Share {
            memory: self.clone(),
            most,
        }
    }
}

/// What one transfer may hold.
#[derive(Debug)]
pub(super) struct Share {
    memory: Memory,
    most: usize,
}

impl Share {
    /// Bytes that may wait for the client now. Those who came when few were running may still hold more than their share
    /// of now, so what is free counts too.
    pub(super) fn bytes(&self) -> usize {
        let memory = &self.memory;
        let fair = memory.total / memory.running.load(Ordering::Relaxed).max(1);
        let free = memory.total.saturating_sub(memory.gauge.bytes());
        fair.min(free).max(MIN_SHARE).min(self.most)
    }

    /// Bytes of one read: half of what may wait, so that reading and sending take turns.
    pub(super) fn read_bytes(&self) -> usize {
        self.bytes() / 2
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.memory.running.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::FutureExt;

    use super::*;
    use crate::transfer::channel::{Limits, channel};

    #[test]
    fn share_is_the_whole_bound_for_few_and_even_for_many() {
        let memory = Memory::new(1 << 20);
        let first = memory.share(1 << 18);
        assert_eq!((first.bytes(), first.read_bytes()), (1 << 18, 1 << 17));
        let mut others: Vec<Share> = (0..7).map(|_| memory.share(1 << 18)).collect();
        assert_eq!(first.bytes(), 1 << 17);
        others.extend((0..192).map(|_| memory.share(1 << 18)));
        assert_eq!(first.bytes(), MIN_SHARE);
        drop(others);
        assert_eq!(first.bytes(), 1 << 18);
    }

    #[test]
    fn share_is_the_least_while_others_hold_all() {
        let memory = Memory::new(1 << 20);
        let limits = Limits {
            bytes: 1 << 20,
            pieces: 4,
            piece_bytes: 1 << 20,
        };
        let (mut sender, receiver) = channel::<()>(limits, memory.gauge());
        let (first, second) = (memory.share(1 << 18), memory.clone().share(1 << 18));
        assert_eq!((first.bytes(), second.bytes()), (1 << 18, 1 << 18));
        let sending = sender.send(Bytes::from(vec![0; (1 << 20) - (1 << 17)]));
        assert!(sending.now_or_never().is_some());
        assert_eq!(second.bytes(), 1 << 17);
        let sending = sender.send(Bytes::from(vec![0; 1 << 17]));
        assert!(sending.now_or_never().is_some());
        assert_eq!(second.bytes(), MIN_SHARE);
        drop(receiver);
        assert_eq!(second.bytes(), 1 << 18);
    }

    #[test]
    fn share_of_a_small_bound_is_no_larger() {
        assert_eq!(Memory::new(1 << 20).share(4096).bytes(), 4096);
    }
}
