//! The channel between the pump and the body: one sender, one receiver, bounded in bytes and in pieces.
//!
//! A general channel is bounded in items, so its bound in bytes is items times the largest piece, and its end is the
//! sender's drop. Here the bound is in bytes, pieces pass without a copy, and an end must be said: a sender that
//! goes away without [`Sender::end`] (dropped, panicked, aborted) is [`Event::Lost`] to the receiver (reliability R1.1).
//!
//! Few wake-ups: the receiver is woken only when it waits, the sender only when its piece fits and the queue has
//! run down to half, so that both work through several pieces per turn.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tokio::time::Instant;

/// The bounds of a channel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Bytes that may be queued.
    pub(super) bytes: usize,
    /// Pieces that may be queued.
    pub(super) pieces: usize,
    /// Bytes of one piece; larger ones are sliced.
    pub(super) piece_bytes: usize,
}

impl Limits {
    /// The bounds made consistent: at least one byte and one piece, and every piece fits into the empty queue.
    fn normalised(self) -> Self {
        let bytes = self.bytes.max(1);
        Self {
            bytes,
            pieces: self.pieces.max(1),
            piece_bytes: self.piece_bytes.clamp(1, bytes),
        }
    }
}

/// What the receiver gets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event<E> {
    /// The next piece; never empty.
    Piece(Bytes),
    /// The sender said that this is all.
    End,
    /// The sender said that this is not all, and why.
    Failed(E),
    /// The sender went away without a word.
    Lost,
}

/// The receiver is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closed;

/// Bytes that all channels with the same gauge hold.
#[derive(Debug, Clone, Default)]
pub(super) struct Gauge(Arc<AtomicUsize>);

impl Gauge {
    /// Queued, or taken and still held.
    pub(super) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    fn subtract(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// A channel with these bounds, counted by `gauge`.
pub(super) fn channel<E: Copy>(limits: Limits, gauge: Gauge) -> (Sender<E>, Receiver<E>) {
    let shared = Arc::new(Shared {
        limits: limits.normalised(),
        gauge,
        state: Mutex::new(State::default()),
    });
    let sender = Sender {
        bound: shared.limits.bytes,
        shared: Arc::clone(&shared),
    };
    (sender, Receiver { shared })
}

#[derive(Debug)]
struct Shared<E> {
    limits: Limits,
    gauge: Gauge,
    state: Mutex<State<E>>,
}

#[derive(Debug)]
struct State<E> {
    queue: VecDeque<Bytes>,
    /// Queued, or taken and still held.
    bytes: usize,
    taken: u64,
    /// Since when the receiver has dropped nothing, from the first time that the sender found no room or had said its last
    /// word; `None` once nothing is queued or held, while more may come. What it takes is no progress: a library that is
    /// polled for another reason takes a piece for a client that stands still.
    pressed_since: Option<Instant>,
    last: Option<Last<E>>,
    is_closed: bool,
    receiver: Option<Waker>,
    sender: Option<Blocked>,
    watcher: Option<Waker>,
}

/// How the sender ended.
#[derive(Debug, Clone, Copy)]
enum Last<E> {
    End,
    Failed(E),
    Lost,
}

impl<E> Last<E> {
    fn event(self) -> Event<E> {
        match self {
            Self::End => Event::End,
            Self::Failed(error) => Event::Failed(error),
            Self::Lost => Event::Lost,
        }
    }
}

/// A sender that waits for room.
#[derive(Debug)]
struct Blocked {
    waker: Waker,
    bytes: usize,
    bound: usize,
}

impl<E> Default for State<E> {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            bytes: 0,
            taken: 0,
            pressed_since: None,
            last: None,
            is_closed: false,
            receiver: None,
            sender: None,
            watcher: None,
        }
    }
}

impl<E> State<E> {
    /// Whether `bytes` more may be queued; when there are none, always.
    fn has_room(&self, limits: &Limits, bound: usize, bytes: usize) -> bool {
        let is_within = || bytes <= bound.saturating_sub(self.bytes);
        self.bytes == 0 || (self.queue.len() < limits.pieces && is_within())
    }

    /// Whether the blocked sender is worth waking: its piece fits, and so will some more.
    fn is_run_down(&self, limits: &Limits, blocked: &Blocked) -> bool {
        self.has_room(limits, blocked.bound, blocked.bytes)
            && self.bytes <= blocked.bound / 2
            && self.queue.len() <= limits.pieces / 2
    }
}

impl<E> Shared<E> {
    /// No code that can panic runs under the lock, so a poisoned one is as good as any.
    fn lock(&self) -> MutexGuard<'_, State<E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `bytes` are held no longer.
    fn release(&self, state: &mut State<E>, bytes: usize) {
        state.bytes -= bytes;
        self.gauge.subtract(bytes);
    }

    /// Takes all that is queued out.
    fn clear(&self, state: &mut State<E>) -> VecDeque<Bytes> {
        let queue = std::mem::take(&mut state.queue);
        self.release(state, queue.iter().map(Bytes::len).sum());
        queue
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// Puts the waker of `context` into `slot` unless it is there already.
fn remember(slot: &mut Option<Waker>, context: &Context<'_>) {
    match slot {
        Some(waker) => waker.clone_from(context.waker()),
        None => *slot = Some(context.waker().clone()),
    }
}

/// The pump's side.
#[derive(Debug)]
pub(super) struct Sender<E> {
    shared: Arc<Shared<E>>,
    /// Bytes that may be queued now, at most what the limits say.
    bound: usize,
}

impl<E> Sender<E> {
    /// From now on no more than `bytes` are queued, where the limits allow more; a piece passes however small this is.
    pub(super) fn set_bound(&mut self, bytes: usize) {
        self.bound = bytes.min(self.shared.limits.bytes);
    }

    /// Sends a piece, in slices where it is larger than the bounds allow; an empty one is nothing.
    ///
    /// # Errors
    /// [`Closed`] when the receiver is gone, also while waiting for room.
    pub(super) async fn send(&mut self, mut piece: Bytes) -> Result<(), Closed> {
        while !piece.is_empty() {
            let length = piece.len().min(self.shared.limits.piece_bytes);
            let mut slice = Some(piece.split_to(length));
            poll_fn(|context| self.poll_push(context, &mut slice)).await?;
        }
        Ok(())
    }

    fn poll_push(
        &mut self,
        context: &Context<'_>,
        slice: &mut Option<Bytes>,
    ) -> Poll<Result<(), Closed>> {
        let limits = &self.shared.limits;
        let mut state = self.shared.lock();
        if state.is_closed {
            return Poll::Ready(Err(Closed));
        }
        let bytes = slice.as_ref().map_or(0, Bytes::len);
        if !state.has_room(limits, self.bound, bytes) {
            state.pressed_since.get_or_insert_with(Instant::now);
            state.sender = Some(Blocked {
                waker: context.waker().clone(),
                bytes,
                bound: self.bound,
            });
            return Poll::Pending;
        }
        state.sender = None;
        state.bytes += bytes;
        self.shared.gauge.add(bytes);
        state.queue.extend(slice.take());
        let receiver = state.receiver.take();
        drop(state);
        wake(receiver);
        Poll::Ready(Ok(()))
    }

    /// A look at the receiver, independent of sending.
    pub(super) fn watch(&self) -> Watch<E> {
        Watch {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Says that this was all; what is queued still arrives.
    pub(super) fn end(&self) {
        self.finish(Last::End, false);
    }

    /// Says that this was not all; what is queued still arrives.
    pub(super) fn fail(&self, error: E) {
        self.finish(Last::Failed(error), false);
    }

    /// Says that this was not all, and takes back what is queued; also after an end or a failure was said that the
    /// receiver hasn't come for.
    pub(super) fn abort(&self, error: E) {
        self.finish(Last::Failed(error), true);
    }
}

impl<E> Sender<E> {
    fn finish(&self, last: Last<E>, is_clearing: bool) {
        let mut state = self.shared.lock();
        if state.last.is_some() && !is_clearing {
            return;
        }
        state.last = Some(last);
        state.sender = None;
        state.pressed_since.get_or_insert_with(Instant::now);
        let dropped = is_clearing.then(|| self.shared.clear(&mut state));
        let receiver = state.receiver.take();
        drop(state);
        drop(dropped);
        wake(receiver);
    }
}

impl<E> Drop for Sender<E> {
    fn drop(&mut self) {
        self.finish(Last::Lost, false);
    }
}

/// A look at the receiver; as a future it resolves when the receiver is gone.
#[derive(Debug)]
pub(super) struct Watch<E> {
    shared: Arc<Shared<E>>,
}

impl<E> Watch<E> {
    /// Bytes that the receiver has taken so far.
    pub(super) fn taken(&self) -> u64 {
        self.shared.lock().taken
    }

    /// Since when the receiver has taken nothing although there was too much, or the rest; `None` when it keeps up.
    pub(super) fn pressed_since(&self) -> Option<Instant> {
        self.shared.lock().pressed_since
    }
}

impl<E> Future for Watch<E> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.shared.lock();
        if state.is_closed {
            return Poll::Ready(());
        }
        remember(&mut state.watcher, context);
        Poll::Pending
    }
}

/// The body's side.
#[derive(Debug)]
pub(super) struct Receiver<E> {
    shared: Arc<Shared<E>>,
}

impl<E: Copy + Send + 'static> Receiver<E> {
    /// The next piece, or how it ended; an end is told again when asked again. A piece counts against the bounds until it
    /// is dropped: the libraries behind keep what a slow client doesn't take.
    pub(super) fn poll_next(&mut self, context: &Context<'_>) -> Poll<Event<E>> {
        let mut state = self.shared.lock();
        let Some(piece) = state.queue.pop_front() else {
            let Some(last) = state.last else {
                remember(&mut state.receiver, context);
                return Poll::Pending;
            };
            return Poll::Ready(last.event());
        };
        state.taken += piece.len() as u64;
        drop(state);
        let shared = Arc::clone(&self.shared);
        let held = Bytes::from_owner(Held { piece, shared });
        Poll::Ready(Event::Piece(held))
    }

    /// How it ended, when nothing is left to take.
    pub(super) fn ended(&self) -> Option<Event<E>> {
        let state = self.shared.lock();
        let last = state.last.filter(|_| state.queue.is_empty())?;
        Some(last.event())
    }
}

/// A piece in the receiver's hands.
struct Held<E> {
    piece: Bytes,
    shared: Arc<Shared<E>>,
}

impl<E> AsRef<[u8]> for Held<E> {
    fn as_ref(&self) -> &[u8] {
        &self.piece
    }
}

impl<E> Drop for Held<E> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        self.shared.release(&mut state, self.piece.len());
        if state.bytes == 0 && state.last.is_none() {
            state.pressed_since = None;
        } else if let Some(since) = &mut state.pressed_since {
            *since = Instant::now();
        }
        let sender = unblock(&mut state, &self.shared.limits);
        drop(state);
        wake(sender);
    }
}

/// The sender's waker, if it waits and there is room for it now.
fn unblock<E>(state: &mut State<E>, limits: &Limits) -> Option<Waker> {
    let blocked = state.sender.as_ref()?;
    if !state.is_run_down(limits, blocked) {
        return None;
    }
    state.sender.take().map(|blocked| blocked.waker)
}

impl<E> Drop for Receiver<E> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_closed = true;
        let queue = self.shared.clear(&mut state);
        let sender = state.sender.take().map(|blocked| blocked.waker);
        let watcher = state.watcher.take();
        drop(state);
        drop(queue);
        wake(sender);
        wake(watcher);
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
