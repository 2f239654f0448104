//! One connection, and one answer being read from it.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{BufMut, Bytes, BytesMut};
use http::{Method, Response};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_util::io::poll_read_buf;

use super::WireError;
use super::framing::{Framing, Step};
use super::head::HeadReader;
use super::pool::Pool;

/// Largest read: beyond, fewer calls gain nothing.
const MAX_READ: usize = 128 * 1024;
/// Smallest buffer, and the first one: mostly the head and a first bit of the body.
const MIN_READ: usize = 8 * 1024;

/// A connection of any make: TCP, TLS, through a proxy.
pub(in crate::net) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection on which nothing is under way.
pub(super) struct Connection(Box<dyn Io>);

impl Connection {
    pub(super) fn new(stream: Box<dyn Io>) -> Self {
        Self(stream)
    }

    /// Whether the other side has neither closed it nor said anything unasked.
    pub(super) fn is_alive(&mut self) -> bool {
        let mut byte = [0];
        let context = &mut Context::from_waker(Waker::noop());
        let read = Pin::new(&mut self.0).poll_read(context, &mut ReadBuf::new(&mut byte));
        read.is_pending()
    }

    /// Sends the head of a request and waits for that of its answer.
    pub(super) async fn send(
        mut self,
        request: &[u8],
        method: &Method,
    ) -> Result<(Response<()>, Answering), WireError> {
        self.0.write_all(request).await?;
        self.0.flush().await?;
        let mut buffer = BytesMut::with_capacity(MIN_READ);
        let mut reader = HeadReader::default();
        loop {
            buffer.reserve(1);
            let read =
                poll_fn(|context| poll_read_buf(Pin::new(&mut self.0), context, &mut buffer));
            let new = read.await?;
            if new == 0 {
                return Err(WireError::Cut);
            }
            if let Some(head) = reader.take(&mut buffer, new, method)? {
                let answering = Answering {
                    connection: self,
                    buffer,
                    framing: head.framing,
                    is_kept: head.is_kept,
                };
                return Ok((head.answer, answering));
            }
        }
    }
}

/// A connection on which the body of an answer is under way.
pub(super) struct Answering {
    connection: Connection,
    /// Read, but not yet asked for.
    buffer: BytesMut,
    framing: Framing,
    is_kept: bool,
}

/// The body of an answer. Dropping it keeps the connection if all has been read, and closes it otherwise.
pub(in crate::net) struct Exchange {
    /// Gone only in `drop`.
    answering: Option<Answering>,
    size: ReadSize,
    pool: Arc<Pool>,
    origin: String,
}

impl Exchange {
    pub(super) fn new(answering: Answering, pool: Arc<Pool>, origin: String) -> Self {
        Self {
            answering: Some(answering),
            size: ReadSize::default(),
            pool,
            origin,
        }
    }

    /// No read from now on is larger, and neither is a piece.
    pub(in crate::net) fn limit_read(&mut self, bytes: usize) {
        self.size.most = bytes.clamp(1, MAX_READ);
    }

    /// The next piece; `None` at the end of the body.
    pub(in crate::net) fn poll_piece(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, WireError>>> {
        match &mut self.answering {
            Some(answering) => answering.poll_piece(&mut self.size, context),
            None => Poll::Ready(None),
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let is_reusable = |answering: &Answering| {
            answering.is_kept && answering.framing == Framing::Done && answering.buffer.is_empty()
        };
        if let Some(answering) = self.answering.take().filter(is_reusable) {
            let origin = std::mem::take(&mut self.origin);
            self.pool.put(origin, answering.connection);
        }
    }
}

impl Answering {
    fn poll_piece(
        &mut self,
        size: &mut ReadSize,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, WireError>>> {
        loop {
            match self.framing.step(&mut self.buffer) {
                Ok(Step::Piece(piece)) => return Poll::Ready(Some(Ok(piece))),
                Ok(Step::End) => return Poll::Ready(None),
                Ok(Step::More) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
            let read = ready!(self.poll_fill(size, context));
            let end = match read {
                Ok(0) => self.framing.finish(),
                Ok(_) => Ok(()),
                Err(error) => Err(error.into()),
            };
            if let Err(error) = end {
                return Poll::Ready(Some(Err(error)));
            }
        }
    }

    /// Reads what has come. A connection that waits holds no buffer: of thousands of slow ones, most wait.
    fn poll_fill(
        &mut self,
        size: &mut ReadSize,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let remaining = usize::try_from(self.framing.remaining()).unwrap_or(usize::MAX);
        let room = size.next().min(remaining);
        let is_fresh = self.buffer.is_empty();
        if is_fresh {
            // Any rest of a block that pieces of it keep is given up.
            self.buffer = BytesMut::with_capacity(room);
        } else {
            self.buffer.reserve(room);
        }
        let mut limited = (&mut self.buffer).limit(room);
        let stream = Pin::new(&mut self.connection.0);
        let read = poll_read_buf(stream, context, &mut limited);
        match read {
            Poll::Ready(Ok(length)) => {
                size.note(length, room);
                if is_fresh && length < room / 2 {
                    // The piece would keep the whole of its block.
                    self.buffer = BytesMut::from(&self.buffer[..]);
                }
            }
            _ if is_fresh => self.buffer = BytesMut::new(),
            _ => {}
        }
        read
    }
}

/// How much is read at once: as much as lately came at once, within bounds.
#[derive(Debug)]
struct ReadSize {
    next: usize,
    most: usize,
}

impl Default for ReadSize {
    fn default() -> Self {
        Self {
            next: MIN_READ,
            most: MAX_READ,
        }
    }
}

impl ReadSize {
    fn next(&self) -> usize {
        self.next.min(self.most)
    }

    /// `length` bytes came when there was room for `room`.
    fn note(&mut self, length: usize, room: usize) {
        if length == room {
            self.next = (self.next() * 2).min(MAX_READ);
        } else if length < room / 4 {
            self.next = (room / 2).max(MIN_READ);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, DuplexStream};

    use super::*;

    const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";

    async fn exchange(head: &str) -> (DuplexStream, Exchange, Arc<Pool>) {
        let (mut far, near) = tokio::io::duplex(1 << 20);
        far.write_all(head.as_bytes()).await.unwrap();
        let connection = Connection::new(Box::new(near));
        let (_, answering) = connection.send(b"x", &Method::GET).await.unwrap();
        let mut request = [0];
        far.read_exact(&mut request).await.unwrap();
        let pool = Arc::new(Pool::default());
        let exchange = Exchange::new(answering, Arc::clone(&pool), "o".to_owned());
        (far, exchange, pool)
    }

    async fn piece(exchange: &mut Exchange) -> Option<Result<Bytes, WireError>> {
        poll_fn(|context| exchange.poll_piece(context)).await
    }

    fn is_waiting(exchange: &mut Exchange) -> bool {
        let context = &mut Context::from_waker(Waker::noop());
        exchange.poll_piece(context).is_pending()
    }

    #[tokio::test]
    async fn exchange_that_waits_holds_no_buffer() {
        let (mut far, mut exchange, _) = exchange(HEAD).await;
        assert!(is_waiting(&mut exchange));
        let held = |exchange: &Exchange| exchange.answering.as_ref().unwrap().buffer.capacity();
        assert_eq!(held(&exchange), 0);
        far.write_all(&[1; 300]).await.unwrap();
        assert_eq!(piece(&mut exchange).await.unwrap().unwrap().len(), 300);
        assert!(is_waiting(&mut exchange));
        assert_eq!(held(&exchange), 0);
    }

    #[tokio::test]
    async fn exchange_reads_grow_with_what_comes_and_stay_within_the_limit() {
        let (mut far, mut exchange, _) = exchange(HEAD).await;
        far.write_all(&vec![1; 90_000]).await.unwrap();
        let mut sizes = Vec::new();
        while sizes.iter().sum::<usize>() < 56 * 1024 {
            sizes.push(piece(&mut exchange).await.unwrap().unwrap().len());
        }
        assert_eq!(sizes, [8 * 1024, 16 * 1024, 32 * 1024]);
        exchange.limit_read(1000);
        assert_eq!(piece(&mut exchange).await.unwrap().unwrap().len(), 1000);
        exchange.limit_read(0);
        assert_eq!(piece(&mut exchange).await.unwrap().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn exchange_read_whole_is_kept_and_any_other_closed() {
        let read = |far: &mut DuplexStream| {
            let context = &mut Context::from_waker(Waker::noop());
            let mut byte = [0];
            Pin::new(far)
                .poll_read(context, &mut ReadBuf::new(&mut byte))
                .is_pending()
        };
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
        for (head, is_kept) in [
            (format!("{head}ab"), true),
            (format!("{head}a"), false),
            (format!("{head}abc"), false),
            (
                "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab".to_owned(),
                false,
            ),
        ] {
            let (mut far, mut exchange, pool) = exchange(&head).await;
            piece(&mut exchange).await.unwrap().unwrap();
            drop(exchange);
            assert_eq!(pool.take("o").is_some(), is_kept, "{head}");
            assert!(!read(&mut far), "{head}");
        }
    }

    #[tokio::test]
    async fn exchange_kept_connection_that_was_closed_or_speaks_is_not_used() {
        for last in [&b""[..], b"x"] {
            let (mut far, mut exchange, pool) =
                exchange("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na").await;
            piece(&mut exchange).await.unwrap().unwrap();
            drop(exchange);
            far.write_all(last).await.unwrap();
            drop(far);
            assert!(pool.take("o").is_none());
        }
    }

    #[tokio::test]
    async fn exchange_cut_body_is_an_error_and_a_close_delimited_one_ends() {
        let (far, mut cut, _) = exchange(HEAD).await;
        drop(far);
        assert!(piece(&mut cut).await.unwrap().is_err());
        let (far, mut whole, _) = exchange("HTTP/1.1 200 OK\r\n\r\nabc").await;
        drop(far);
        assert_eq!(piece(&mut whole).await.unwrap().unwrap(), "abc");
        assert!(piece(&mut whole).await.is_none());
    }
}
