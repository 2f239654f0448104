//! A client's socket. Little waits in the system for a slow client, what the system takes is reported, and a client that
//! leaves is noticed whether or not anybody reads.
//!
//! Left to itself Linux takes megabytes for one client and asks for more only when a third of them have gone: a reader of
//! 50 kB/s then shows no progress for half a minute, and one that stopped holds all of it (seen 2026-11 on Linux 6.18).
//! Here it is asked, portion by portion, whether it has much unsent, and the portions follow the client: they are the
//! steps in which its progress shows.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::activity::Activity;

/// Unsent bytes below half of which the system asks for more (`TCP_NOTSENT_LOWAT`, tcp(7)). Bytes that were sent and are
/// not acknowledged yet are not among them.
const UNSENT: u32 = 128 * 1024;
/// The same for a quick client, who would else wait for us whenever the machine is busy with something else.
const UNSENT_QUICK: u32 = 1024 * 1024;
/// Bytes that a connection may write before it is asked whether its client takes them.
const FIRST_PORTION: usize = 64 * 1024;
/// Least and most bytes between two such questions: the steps in which a client's progress shows.
const MIN_PORTION: usize = 16 * 1024;
const MAX_PORTION: usize = 128 * 1024;
/// A client that is waited for so long or longer gets smaller portions.
const LONG_WAIT: Duration = Duration::from_secs(1);
/// One that is waited for less gets larger ones.
const SHORT_WAIT: Duration = Duration::from_millis(250);
/// One that is waited for less even with the largest, or takes so many bytes in a row without being waited for, is quick.
const QUICK_WAIT: Duration = Duration::from_millis(10);
const QUICK_RUN: usize = 512 * 1024;
/// Pieces of one write that is cut short.
const MAX_SLICES: usize = 16;

/// How much may be written at once.
#[derive(Debug)]
struct Portions {
    /// Bytes between two questions.
    size: usize,
    /// What is left before the next.
    left: usize,
    /// Since when the client is waited for.
    waiting_since: Option<Instant>,
    /// Bytes written since it was last waited for.
    run: usize,
    is_quick: bool,
}

impl Portions {
    fn new() -> Self {
        Self {
            size: MIN_PORTION,
            left: FIRST_PORTION,
            waiting_since: None,
            run: 0,
            is_quick: false,
        }
    }

    /// The system takes no more.
    fn blocked(&mut self) {
        self.waiting_since.get_or_insert_with(Instant::now);
    }

    /// The system took `bytes`. Whether they show, for the first time, that the client is quick.
    fn sent(&mut self, bytes: usize) -> bool {
        let was_quick = self.is_quick;
        if let Some(since) = self.waiting_since.take() {
            self.waited(since.elapsed());
        }
        self.run = self.run.saturating_add(bytes);
        if self.run >= QUICK_RUN {
            self.size = MAX_PORTION;
            self.is_quick = true;
        }
        self.left = self.left.saturating_sub(bytes);
        self.is_quick && !was_quick
    }

    fn waited(&mut self, time: Duration) {
        self.run = 0;
        if time < SHORT_WAIT {
            self.size = (self.size * 2).min(MAX_PORTION);
        } else if time >= LONG_WAIT {
            self.size = (self.size / 2).max(MIN_PORTION);
        }
        self.is_quick |= time < QUICK_WAIT && self.size == MAX_PORTION;
    }

    /// Most bytes of the next write. `has_room` asks whether the system would like some.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] when it wouldn't.
    fn next(&mut self, has_room: impl FnOnce() -> Result<bool>) -> Result<usize> {
        if self.left == 0 {
            if !has_room()? {
                return Err(Error::from(ErrorKind::WouldBlock));
            }
            self.left = self.size;
        }
        Ok(self.left)
    }
}

/// Whether the unsent bytes are few enough for more. When they aren't, the system says when they are.
fn has_room(stream: &TcpStream) -> Result<bool> {
    let mut sockets = [PollFd::new(stream, PollFlags::OUT)];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    Ok(poll(&mut sockets, Some(&now))? > 0)
}

/// Sends the first `limit` bytes; returns how many the system took.
fn send_some(socket: &SockRef<'_>, bufs: &[IoSlice<'_>], limit: usize) -> Result<usize> {
    let mut part = [IoSlice::new(&[]); MAX_SLICES];
    let mut room = limit;
    let mut count = 0;
    for (slot, buf) in part.iter_mut().zip(bufs) {
        let length = buf.len().min(room);
        *slot = IoSlice::new(&buf[..length]);
        room -= length;
        count += 1;
    }
    socket.send_vectored(&part[..count])
}

/// A client's socket.
#[derive(Debug)]
pub(super) struct Wire {
    stream: Arc<TcpStream>,
    /// `None` until it is known what is spoken.
    activity: Option<Arc<Activity>>,
    portions: Portions,
}

impl Wire {
    pub(super) fn new(stream: Arc<TcpStream>) -> Self {
        let wire = Self {
            stream,
            activity: None,
            portions: Portions::new(),
        };
        wire.leave_unsent(UNSENT);
        wire
    }

    fn leave_unsent(&self, bytes: u32) {
        // Where the system doesn't know the option, progress just shows in larger steps.
        let _ = SockRef::from(&*self.stream).set_tcp_notsent_lowat(bytes);
    }

    /// Reports to `activity` from now on, with TLS too what the system takes and not what TLS holds.
    pub(super) fn report_to(&mut self, activity: Arc<Activity>) {
        self.activity = Some(activity);
    }

    /// Makes the close a reset.
    pub(super) fn reset_on_close(&self) {
        // Fails only on a socket that is gone already.
        let _ = self.stream.set_zero_linger();
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        loop {
            if self.stream.poll_write_ready(cx)?.is_pending() {
                self.portions.blocked();
                if let Some(activity) = &self.activity {
                    activity.blocked();
                }
                return Poll::Pending;
            }
            match self.send(bufs) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result.inspect(|bytes| self.sent(*bytes))),
            }
        }
    }

    fn sent(&mut self, bytes: usize) {
        if self.portions.sent(bytes) {
            self.leave_unsent(UNSENT_QUICK);
        }
        if let Some(activity) = &self.activity {
            activity.sent();
        }
    }

    fn send(&mut self, bufs: &[IoSlice<'_>]) -> Result<usize> {
        self.stream.try_io(Interest::WRITABLE, || {
            let limit = self.portions.next(|| has_room(&self.stream))?;
            let socket = SockRef::from(&*self.stream);
            let all: usize = bufs.iter().map(|buf| buf.len()).sum();
            if limit < all {
                return send_some(&socket, bufs, limit);
            }
            socket.send_vectored(bufs)
        })
    }
}

/// Returns when the client has closed its sending side or reset the connection, even with bytes before that unread.
pub(super) async fn left(stream: &TcpStream) {
    // Plain data is not urgent, and urgent data is not waited for, so nothing but the end fulfils this interest. The one
    // for reading would be fulfilled for as long as there are bytes that nobody reads.
    while let Ok(ready) = stream.ready(Interest::PRIORITY).await {
        if ready.is_read_closed() {
            return;
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            ready!(self.stream.poll_read_ready(cx))?;
            match self.stream.try_read_buf(buf) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result.map(|_| ())),
            }
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<Result<usize>> {
        self.poll_send(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        self.poll_send(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(SockRef::from(&*self.stream).shutdown(Shutdown::Write))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    /// Most bytes of the next write while the system has room for more, or hasn't.
    fn next(portions: &mut Portions, has_room: bool) -> Option<usize> {
        portions.next(|| Ok(has_room)).ok()
    }

    /// Writes all that may be written, waits for the client, and goes on; returns the size of the portion after that.
    async fn after_wait(portions: &mut Portions, time: Duration) -> usize {
        while let Some(bytes) = next(portions, false) {
            portions.sent(bytes);
        }
        portions.blocked();
        advance(time / 2).await;
        portions.blocked();
        advance(time / 2).await;
        portions.sent(0);
        next(portions, true).expect("room")
    }

    #[tokio::test(start_paused = true)]
    async fn first_portion_needs_no_question_and_the_next_do() {
        let mut portions = Portions::new();
        portions.sent(100);
        assert_eq!(next(&mut portions, false), Some(FIRST_PORTION - 100));
        portions.sent(FIRST_PORTION - 100);
        assert_eq!(next(&mut portions, false), None);
        assert_eq!(next(&mut portions, true), Some(MIN_PORTION));
        assert_eq!(next(&mut portions, false), Some(MIN_PORTION));
    }

    #[tokio::test(start_paused = true)]
    async fn portions_follow_the_client() {
        let mut portions = Portions::new();
        let steps = [
            (SHORT_WAIT, MIN_PORTION),
            (LONG_WAIT, MIN_PORTION),
            (QUICK_WAIT, 2 * MIN_PORTION),
            (SHORT_WAIT, 2 * MIN_PORTION),
            (QUICK_WAIT, 4 * MIN_PORTION),
            (QUICK_WAIT, MAX_PORTION),
            (QUICK_WAIT, MAX_PORTION),
            (LONG_WAIT, MAX_PORTION / 2),
        ];
        for (wait, size) in steps {
            assert_eq!(after_wait(&mut portions, wait).await, size, "{wait:?}");
        }
        assert!(!portions.is_quick);
    }

    #[tokio::test(start_paused = true)]
    async fn client_shows_once_that_it_is_quick() {
        let mut soon = Portions::new();
        for _ in 0..2 {
            after_wait(&mut soon, QUICK_WAIT / 2).await;
        }
        soon.blocked();
        advance(QUICK_WAIT / 2).await;
        let mut steady = Portions::new();
        assert!(!steady.sent(QUICK_RUN - 1));
        for portions in [&mut soon, &mut steady] {
            assert!(portions.sent(1));
            assert!(!portions.sent(QUICK_RUN));
            assert_eq!(next(portions, true), Some(MAX_PORTION));
        }
    }
}
