//! Memory for what is read whole, shared by all who read: whoever finds none left reads later.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Bytes of one place: what is held is counted in these.
const PLACE: usize = 16 * 1024;

/// So many bytes at once, whoever holds them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Room {
    places: Arc<Semaphore>,
    /// When this one and its clones found too little left.
    refused: Arc<Mutex<Option<Instant>>>,
}

/// There is no room now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoRoom;

/// Bytes in a [`Room`], which is free again when they are dropped.
#[derive(Debug)]
pub struct Held {
    bytes: Vec<u8>,
    room: Room,
    places: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// Room for so many bytes.
    pub fn new(bytes: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(bytes / PLACE)),
            refused: Arc::default(),
        }
    }

    /// The same room for somebody else, who is told apart by [`Room::was_full`].
    #[must_use]
    pub fn shared(&self) -> Self {
        Self {
            places: Arc::clone(&self.places),
            refused: Arc::default(),
        }
    }

    /// Whether too little was left for this one, or a clone of it, within so much time before now.
    pub fn was_full(&self, within: Duration) -> bool {
        self.refused().is_some_and(|at| at.elapsed() <= within)
    }

    /// Notes that too little was left for this one now.
    pub(crate) fn note_full(&self) {
        *self.refused() = Some(Instant::now());
    }

    fn refused(&self) -> MutexGuard<'_, Option<Instant>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing in it yet.
    pub(super) fn hold(&self) -> Held {
        Held {
            bytes: Vec::new(),
            room: self.clone(),
            places: None,
        }
    }
}

impl Held {
    /// How many they are.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The bytes, to be changed; they must not become more.
    pub fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Forgets the bytes and keeps the room.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Adds a piece, of which there will be `most` bytes in all at most. Memory grows ahead, and all of it counts.
    pub(super) fn extend(&mut self, piece: &[u8], most: usize) -> Result<(), NoRoom> {
        let (had, wanted) = (self.bytes.capacity(), self.bytes.len() + piece.len());
        if wanted > had {
            let capacity = (2 * had).min(most).max(wanted).next_multiple_of(PLACE);
            self.grow(capacity)?;
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    fn grow(&mut self, capacity: usize) -> Result<(), NoRoom> {
        let had = self
            .places
            .as_ref()
            .map_or(0, OwnedSemaphorePermit::num_permits);
        let more = (capacity / PLACE).saturating_sub(had);
        let more = u32::try_from(more).map_err(|_| NoRoom)?;
        let more = Arc::clone(&self.room.places).try_acquire_many_owned(more);
        let more = more.map_err(|_| {
            self.room.note_full();
            NoRoom
        })?;
        match &mut self.places {
            Some(places) => places.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }

    /// As they are handed on; the room is free when the last part of them is dropped.
    pub fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_common_to_all_and_free_again_with_the_last_part() {
        let room = Room::new(4 * PLACE);
        let (mut one, mut other) = (room.hold(), room.hold());
        assert_eq!(one.extend(&vec![1; 3 * PLACE], 3 * PLACE), Ok(()));
        assert_eq!(other.extend(&vec![2; PLACE], 3 * PLACE), Ok(()));
        assert_eq!(other.extend(&[2], 3 * PLACE), Err(NoRoom));
        assert_eq!((one.len(), other.len()), (3 * PLACE, PLACE));
        let bytes = one.freeze();
        let part = bytes.slice(PLACE..=PLACE);
        drop(bytes);
        assert_eq!(other.extend(&[2], 3 * PLACE), Err(NoRoom));
        assert_eq!(part[..], [1]);
        drop(part);
        assert_eq!(other.extend(&[2], 3 * PLACE), Ok(()));
        drop(other);
        assert_eq!(room.places.available_permits(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn room_that_was_full_is_so_for_whom_it_was_and_for_a_while() {
        let second = Duration::from_secs(1);
        let room = Room::new(PLACE);
        let (one, other) = (room.shared(), room.shared());
        let mut all = one.clone().hold();
        assert_eq!(all.extend(&[1; PLACE], PLACE), Ok(()));
        assert!(!one.was_full(second));
        assert_eq!(other.hold().extend(&[2], PLACE), Err(NoRoom));
        assert!(other.was_full(second) && !one.was_full(second) && !room.was_full(second));
        tokio::time::advance(2 * second).await;
        assert!(!other.was_full(second) && other.was_full(3 * second));
        drop(all);
        assert_eq!(other.hold().extend(&[2], PLACE), Ok(()));
    }

    #[test]
    fn memory_that_grows_ahead_counts_and_ends_at_the_limit() {
        let room = Room::new(100 * PLACE);
        let mut held = room.hold();
        for _ in 0..5 * PLACE / 1000 {
            held.extend(&[0; 1000], 5 * PLACE).unwrap();
            let counted = (100 - room.places.available_permits()) * PLACE;
            assert!(held.bytes.capacity() <= counted);
            assert!(counted <= 5 * PLACE, "{counted}");
        }
        let places = room.places.available_permits();
        held.clear();
        assert_eq!(room.places.available_permits(), places);
        held.extend(&[0; 1000], 5 * PLACE).unwrap();
        assert_eq!((held.len(), held.is_empty()), (1000, false));
        assert_eq!(held.bytes_mut().len(), 1000);
    }
}
