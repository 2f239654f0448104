//! The client's connection as hyper sees it: replays what was read before, reports what moves, resets when it must.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use super::activity::Activity;

/// A client's socket. It reports what the system takes, so that with TLS, too, a client that reads nothing shows, and
/// not only after the buffer of TLS is full.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    /// `None` until it is known what is spoken.
    activity: Option<Arc<Activity>>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            activity: None,
        }
    }

    fn note_write(&self, result: &Poll<Result<usize>>) {
        let Some(activity) = &self.activity else {
            return;
        };
        match result {
            Poll::Ready(Ok(bytes)) => activity.sent(*bytes),
            Poll::Pending => activity.blocked(),
            Poll::Ready(Err(_)) => {}
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
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
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// What carries HTTP.
pub(super) type Transport = Either<Wire, Box<TlsStream<Wire>>>;

fn wire(transport: &mut Transport) -> &mut Wire {
    match transport {
        Either::Left(wire) => wire,
        Either::Right(tls) => tls.get_mut().0,
    }
}

/// A client's connection.
#[derive(Debug)]
pub(super) struct ClientStream {
    stream: Transport,
    /// Bytes read before hyper took over.
    opening: Bytes,
    activity: Arc<Activity>,
}

impl ClientStream {
    pub(super) fn new(mut stream: Transport, opening: Bytes, activity: Arc<Activity>) -> Self {
        wire(&mut stream).activity = Some(Arc::clone(&activity));
        Self {
            stream,
            opening,
            activity,
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
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if self.activity.must_reset() {
            // A FIN now, or TLS's close notify, would be the clean end that the reset in `drop` has to deny.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Drop for ClientStream {
    fn drop(&mut self) {
        if self.activity.must_reset() {
            // Fails only on a socket that is gone already.
            let _ = wire(&mut self.stream).stream.set_zero_linger();
        }
    }
}
