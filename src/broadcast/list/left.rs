//! A place in the list to which it goes back: what comes there may not be played while the site is away. Pure.

use super::{List, Turn};

/// A place in an order, to go on there.
#[derive(Debug)]
pub(super) struct Left {
    order: Vec<u32>,
    next: usize,
    begun_at: usize,
}

impl List {
    /// Remembers the place of an item that can't be played for now, unless one is remembered already.
    pub(in crate::broadcast) fn leave_at(&mut self, turn: &Turn) {
        if turn.cycle == self.cycle {
            self.leave(turn.index);
        }
    }

    pub(super) fn leave(&mut self, index: u32) {
        let (order, begun_at) = (&self.order, self.begun_at);
        self.left.get_or_insert_with(|| Left {
            order: order.clone(),
            next: usize::try_from(index).unwrap_or(usize::MAX),
            begun_at,
        });
    }

    /// Whether there is a place to go back to.
    pub(in crate::broadcast) fn has_left(&self) -> bool {
        self.left.is_some()
    }

    /// Goes on where the order was left, in that order; what came since is at its end. Whether it had been left.
    pub(in crate::broadcast) fn go_back(&mut self) -> bool {
        let Some(left) = self.left.take() else {
            return false;
        };
        let count = |items: usize| u32::try_from(items).unwrap_or(u32::MAX);
        let came = count(left.order.len())..count(self.items.len());
        self.order = left.order;
        self.order.extend(came);
        (self.next, self.begun_at) = (left.next, left.begun_at);
        true
    }
}
