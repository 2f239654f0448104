//! The client's socket as hyper sees it: replays what was read before, reports what moves, resets when it must.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::activity::Activity;

/// A client's socket.
#[derive(Debug)]
pub(super) struct ClientStream {
    stream: TcpStream,
    /// Bytes read before hyper took over.
    opening: Bytes,
    activity: Arc<Activity>,
}

impl ClientStream {
    pub(super) fn new(stream: TcpStream, opening: Bytes, activity: Arc<Activity>) -> Self {
        Self {
            stream,
            opening,
            activity,
        }
    }

    fn note_write(&self, result: &Poll<Result<usize>>) {
        match result {
            Poll::Ready(Ok(bytes)) => self.activity.sent(*bytes),
            Poll::Pending => self.activity.blocked(),
            Poll::Ready(Err(_)) => {}
        }
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        if self.opening.has_remaining() {
            let length = self.opening.len().min(buf.remaining());
            buf.put_slice(&self.opening.split_to(length));
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.activity.received();
        }
        result
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.note_write(&result);
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.note_write(&result);
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if self.activity.must_reset() {
            // A FIN now would be the clean end that the reset in `drop` has to deny.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Drop for ClientStream {
    fn drop(&mut self) {
        if self.activity.must_reset() {
            // Fails only on a socket that is gone already.
            let _ = self.stream.set_zero_linger();
        }
    }
}
