//! The client's side of a transfer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio_util::sync::CancellationToken;

use super::Head;
use super::channel::{Event, Receiver};
use super::stats::{Outcome, Record};

/// The body can't be finished; the connection must be cut so that the client sees it (reliability R1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("transfer broken off: {outcome}")]
pub struct Broken {
    /// Why.
    pub outcome: Outcome,
}

/// The body of a transfer: a [`Body`] with an exact size hint when the length is known. Dropping it ends the upstream
/// request and frees the permit.
///
/// It never yields more than announced, and it ends cleanly only when every byte was there; else its last word is
/// [`Broken`].
#[derive(Debug)]
pub struct TransferBody {
    running: Option<Running>,
    remaining: Option<u64>,
}

#[derive(Debug)]
struct Running {
    receiver: Receiver<Outcome>,
    record: Arc<Record>,
    /// Cancelled when the server cuts what still runs.
    cut: CancellationToken,
}

impl TransferBody {
    /// No body, as for HEAD. It doesn't say that it is empty where `head` doesn't say how long the whole is: a length of 0
    /// would be told to the client.
    pub(super) fn empty(head: &Head) -> Self {
        let is_known = head.is_not_modified || head.content_length().is_some();
        Self {
            running: None,
            remaining: is_known.then_some(0),
        }
    }

    /// What `receiver` brings, `length` bytes if that is known.
    pub(super) fn new(
        receiver: Receiver<Outcome>,
        length: Option<u64>,
        record: Arc<Record>,
        cut: CancellationToken,
    ) -> Self {
        Self {
            running: Some(Running {
                receiver,
                record,
                cut,
            }),
            remaining: length,
        }
    }

    /// Hands a piece over, at most what was announced. The transfer goes on until the body is dropped: on HTTP/2 the
    /// library takes pieces for a client that may never open its window.
    fn deliver(&mut self, mut piece: Bytes) -> Bytes {
        if let Some(remaining) = self.remaining {
            let length = usize::try_from(remaining).unwrap_or(usize::MAX);
            piece.truncate(length);
            self.remaining = Some(remaining - piece.len() as u64);
        }
        if let Some(running) = &self.running {
            running.record.add(piece.len() as u64);
        }
        piece
    }

    /// Ends the transfer: the pump sees its receiver gone.
    fn close(&mut self, outcome: Outcome) {
        if let Some(Running {
            receiver, record, ..
        }) = self.running.take()
        {
            drop(receiver);
            record.close(outcome);
        }
    }

    fn break_off(&mut self, outcome: Outcome) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.close(outcome);
        Poll::Ready(Some(Err(Broken { outcome })))
    }

    /// An end that the pump proved; short of the announced length it is none.
    fn end(&mut self) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if self.remaining.is_some() {
            return self.break_off(Outcome::UpstreamShort);
        }
        self.close(Outcome::Complete);
        self.remaining = Some(0);
        Poll::Ready(None)
    }
}

impl Body for TransferBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let is_whole = self.remaining == Some(0);
        let Some(running) = self.running.as_mut().filter(|_| !is_whole) else {
            return Poll::Ready(None);
        };
        match ready!(running.receiver.poll_next(context)) {
            Event::Piece(piece) => Poll::Ready(Some(Ok(Frame::data(self.deliver(piece))))),
            Event::End => self.end(),
            Event::Failed(outcome) => self.break_off(outcome),
            Event::Lost => self.break_off(Outcome::Lost),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.remaining
            .map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

impl Drop for TransferBody {
    fn drop(&mut self) {
        let Some(running) = &self.running else {
            return;
        };
        let outcome = match running.receiver.ended() {
            Some(Event::End) if self.remaining.is_none() => Outcome::Complete,
            // HTTP/1 drops the body with the last piece, which is on its way then.
            _ if self.remaining == Some(0) => Outcome::Complete,
            Some(Event::Failed(outcome)) => outcome,
            Some(Event::Lost) => Outcome::Lost,
            // The connection is cut along with the pump, and either may go first.
            _ if running.cut.is_cancelled() => Outcome::Cancelled,
            Some(Event::End | Event::Piece(_)) | None => Outcome::ClientGone,
        };
        self.close(outcome);
    }
}
