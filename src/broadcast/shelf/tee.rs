//! Copies a file to disk while it is played, so that it need not be fetched again.
//!
//! Playing never waits for the disk: a piece for which there is no room on the way to it is left out, and read again
//! in the end.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Mutex, mpsc};
use tokio_util::task::AbortOnDropHandle;

use super::{Part, Shelf, ShelfError};
use crate::task;
use crate::temp::TempError;
use crate::transfer::Head;

/// Pieces on their way to the disk: a few mebibytes.
const PIECES: usize = 64;

/// What is told to the task that writes.
enum Piece {
    Bytes(u64, Bytes),
    End,
}

/// See the module.
pub(in crate::broadcast) struct Tee {
    shelf: Arc<Shelf>,
    state: Mutex<State>,
}

enum State {
    /// Nothing was read yet.
    Idle,
    /// What is read is written.
    Writing {
        total: Option<u64>,
        etag: Option<String>,
        pieces: mpsc::Sender<Piece>,
        writer: AbortOnDropHandle<Result<Part, ShelfError>>,
    },
    /// There will be no copy: for want of room, or because the file has changed.
    Off(Option<ShelfError>),
}

impl Tee {
    /// A copy for this shelf.
    pub(super) fn new(shelf: Arc<Shelf>) -> Self {
        Self {
            shelf,
            state: Mutex::new(State::Idle),
        }
    }

    /// Follows a body with this head.
    pub(in crate::broadcast) async fn follow(&self, head: &Head) -> Option<Copier> {
        let mut state = self.state.lock().await;
        if matches!(*state, State::Idle) {
            *state = match self.begin(head).await {
                Ok(writing) => writing,
                Err(error) => State::Off(Some(error)),
            };
        }
        let State::Writing {
            total,
            etag,
            pieces,
            ..
        } = &*state
        else {
            return None;
        };
        if (*total, etag) != (head.total, &head.etag) {
            *state = State::Off(Some(ShelfError::Changed));
            return None;
        }
        Some(Copier {
            pieces: pieces.clone(),
            at: head.range.as_ref().map_or(0, |range| range.start),
        })
    }

    async fn begin(&self, head: &Head) -> Result<State, ShelfError> {
        let mut part = self.shelf.begin(0).await?;
        part.accept(head).await?;
        let (pieces, mut receiver) = mpsc::channel(PIECES);
        let writer = task::owned(async move {
            while let Some(Piece::Bytes(at, bytes)) = receiver.recv().await {
                part.write(at, &bytes).await?;
            }
            Ok(part)
        });
        Ok(State::Writing {
            total: head.total,
            etag: head.etag.clone(),
            pieces,
            writer,
        })
    }

    /// Gives its room to others; whether it had any.
    pub(super) async fn give_up(&self) -> bool {
        let mut state = self.state.lock().await;
        if matches!(*state, State::Off(_)) {
            return false;
        }
        let tight = State::Off(Some(TempError::Busy.into()));
        let State::Writing { pieces, writer, .. } = std::mem::replace(&mut *state, tight) else {
            return false;
        };
        let _ = pieces.send(Piece::End).await;
        if let Ok(Ok(part)) = writer.await {
            part.discard().await;
        }
        true
    }

    /// Ends it; what was written, or why there is nothing.
    ///
    /// # Errors
    /// [`ShelfError`].
    pub(in crate::broadcast) async fn finish(&self) -> Result<Option<Part>, ShelfError> {
        let state = std::mem::replace(&mut *self.state.lock().await, State::Off(None));
        match state {
            State::Idle | State::Off(None) => Ok(None),
            State::Off(Some(error)) => Err(error),
            State::Writing { pieces, writer, .. } => {
                // Bodies that are still open have ends of their own.
                let _ = pieces.send(Piece::End).await;
                let written = writer.await;
                written
                    .map_err(|error| ShelfError::Upstream(error.to_string()))?
                    .map(Some)
            }
        }
    }
}

/// Copies one body.
pub(in crate::broadcast) struct Copier {
    pieces: mpsc::Sender<Piece>,
    at: u64,
}

impl Copier {
    /// Copies the next piece, if there is room on the way.
    pub(in crate::broadcast) fn copy(&mut self, piece: &Bytes) {
        let _ = self.pieces.try_send(Piece::Bytes(self.at, piece.clone()));
        self.at += piece.len() as u64;
    }
}
