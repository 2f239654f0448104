//! The client's connection as hyper sees it: replays what was read before, reports what moves, resets when it must.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use super::activity::Activity;
use super::frames::Frames;
use super::wire::Wire;

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
    /// What we send, on HTTP/2.
    frames: Option<Frames>,
}

impl ClientStream {
    pub(super) fn new(mut stream: Transport, opening: Bytes, activity: Arc<Activity>) -> Self {
        wire(&mut stream).report_to(Arc::clone(&activity));
        Self {
            stream,
            opening,
            frames: activity.is_h2().then(Frames::default),
            activity,
        }
    }

    /// Reports content that goes out on HTTP/2.
    fn note(&mut self, bufs: &[IoSlice<'_>], written: &Poll<Result<usize>>) {
        if let (Some(frames), Poll::Ready(Ok(bytes))) = (&mut self.frames, written)
            && let content @ 1.. = frames.content_in(bufs, *bytes)
        {
            self.activity.moved(content);
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
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.note(&[IoSlice::new(buf)], &written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.note(bufs, &written);
        written
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
            wire(&mut self.stream).reset_on_close();
        }
    }
}
