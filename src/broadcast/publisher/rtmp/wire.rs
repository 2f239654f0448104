//! A connection that writes and reads at once: what the ingest asks is answered while media goes out.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use crate::broadcast::publisher::{PublishError, Step};

/// Nothing was taken for so long though there was something to send: the target stalls (ruling 41). The system
/// watches its own queue for as long.
const STALL: Duration = Duration::from_secs(10);
/// Bytes that are read at once; ingests say little.
const READ: usize = 4096;

/// A connection with what is still to be written.
#[derive(Debug)]
pub(super) struct Wire<S> {
    stream: S,
    pub(super) out: BytesMut,
    needs_flush: bool,
    /// Bytes that the system took.
    pub(super) sent: u64,
    /// Bytes that came.
    pub(super) received: u64,
    /// When something was taken last, or there was nothing to take.
    moved: Instant,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            out: BytesMut::new(),
            needs_flush: false,
            sent: 0,
            received: 0,
            moved: Instant::now(),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.out.is_empty() && !self.needs_flush
    }

    /// Writes some of what waits, or reads what has come into `input`; whichever is possible first.
    pub(super) async fn turn(
        &mut self,
        input: &mut BytesMut,
        step: Step,
    ) -> Result<(), PublishError> {
        if self.is_idle() {
            return poll_fn(|cx| self.poll_turn(cx, input, step)).await;
        }
        let left = STALL.saturating_sub(self.moved.elapsed());
        timeout(left, poll_fn(|cx| self.poll_turn(cx, input, step)))
            .await
            .unwrap_or(Err(PublishError::Stalled))
    }

    /// More to write: the clock of the stall begins when there was nothing before.
    pub(super) fn begin_write(&mut self) {
        if self.is_idle() {
            self.moved = Instant::now();
        }
    }

    pub(super) async fn shut_down(&mut self) -> io::Result<()> {
        poll_fn(|cx| Pin::new(&mut self.stream).poll_shutdown(cx)).await
    }

    fn poll_turn(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut BytesMut,
        step: Step,
    ) -> Poll<Result<(), PublishError>> {
        let read = self.poll_read(cx, input, step)?;
        let written = self.poll_write(cx, step);
        if read.is_ready() {
            // What came may say why nothing can be written any more; if not, the next turn fails again.
            return Poll::Ready(Ok(()));
        }
        written
    }

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut BytesMut,
        step: Step,
    ) -> Poll<Result<(), PublishError>> {
        let mut space = [0; READ];
        let mut buffer = ReadBuf::new(&mut space);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))
            .map_err(|error| fault(error, step))?;
        let bytes = buffer.filled();
        if bytes.is_empty() {
            return Poll::Ready(Err(PublishError::Closed(step)));
        }
        self.received = self.received.saturating_add(bytes.len() as u64);
        input.extend_from_slice(bytes);
        Poll::Ready(Ok(()))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, step: Step) -> Poll<Result<(), PublishError>> {
        if self.is_idle() {
            return Poll::Pending;
        }
        if !self.out.is_empty() {
            let count = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.out))
                .map_err(|error| fault(error, step))?;
            self.out.advance(count);
            self.sent = self.sent.saturating_add(count as u64);
            self.moved = Instant::now();
            self.needs_flush = true;
        }
        if self.out.is_empty() {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))
                .map_err(|error| fault(error, step))?;
            self.needs_flush = false;
            self.moved = Instant::now();
        }
        Poll::Ready(Ok(()))
    }
}

/// A connection that the other side closed shows in several ways, depending on what was under way.
fn fault(error: io::Error, step: Step) -> PublishError {
    match error.kind() {
        io::ErrorKind::BrokenPipe
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::UnexpectedEof => PublishError::Closed(step),
        _ => error.into(),
    }
}
