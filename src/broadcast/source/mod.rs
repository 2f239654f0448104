//! One item on its way in: the bytes that a normaliser writes, cut into whole groups of pictures, and held, within
//! bounds, until the splicer wants them.
//!
//! The writing half ([`SourceSink`]) belongs to whoever reads the child's pipe and waits while enough is held: that
//! is the back-pressure that reaches the child and the upstream. The reading half ([`Source`]) belongs to the
//! splicer and never waits.

mod cutter;
mod gop;
#[cfg(test)]
pub(in crate::broadcast) mod testing;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::flv::{FlvError, Reader};
use cutter::Cutter;
pub use gop::{Frame, Gop, Headers};

/// How much of an item is held before its writer waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Media time.
    pub duration: Duration,
    /// Bytes; a single group may need up to twice as much.
    pub bytes: usize,
}

impl Default for Limits {
    /// 12 s and 8 MiB: what a normaliser gets ahead while another item is on air.
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(12),
            bytes: 8 * 1024 * 1024,
        }
    }
}

impl Limits {
    /// What is held of an item that passes through as it is: 8 Mbit/s, with key frames 10 s apart.
    pub fn for_copies() -> Self {
        Self::for_rate(8_000_000, Duration::from_secs(10))
    }

    /// The default limits, or more bytes where three groups of this length at this rate need them.
    pub fn for_rate(bits_per_second: u64, gop: Duration) -> Self {
        let default = Self::default();
        let second = usize::try_from(bits_per_second / 8).unwrap_or(usize::MAX);
        let seconds = usize::try_from(gop.as_secs() + 1).unwrap_or(usize::MAX);
        Self {
            bytes: default.bytes.max(second.saturating_mul(3 * seconds)),
            ..default
        }
    }
}

/// What is known of an item before its first byte.
#[derive(Debug, Clone, Default)]
pub struct SourceOptions {
    /// How much is held.
    pub limits: Limits,
    /// The even frame rate of the profile: times are put on its grid, because tags are rounded to milliseconds and
    /// a thousand roundings add up. `None` for an item that is copied as it is.
    pub fps: Option<u32>,
    /// What its configuration records must be.
    pub headers: Option<Headers>,
    /// What those of several items must be, once one of them has said it.
    pub agreed: Option<Arc<OnceLock<Headers>>>,
}

/// Why an item's bytes are taken no longer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// Nobody wants the item any more: it was skipped, or the broadcast ended.
    #[error("item is no longer wanted")]
    Closed,
    /// Not the FLV that was asked for.
    #[error(transparent)]
    Flv(#[from] FlvError),
    /// Pictures without a configuration record before them.
    #[error("no decoder configuration before the first picture")]
    NoHeader,
    /// Other configuration records than those that the connection was begun with.
    #[error("decoder configuration differs from the broadcast's")]
    HeadersDiffer,
    /// A group of pictures so long that it can't be held.
    #[error("key frames are too far apart")]
    GopTooLong,
}

/// What is held of an item.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Buffered {
    /// Media time of whole groups.
    pub duration: Duration,
    /// Bytes, those of a group that is not whole included.
    pub bytes: usize,
    /// Whole groups. With one the item can go on air.
    pub gops: usize,
}

/// What the splicer gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// The next group.
    Gop(Gop),
    /// Nothing yet.
    Starved,
    /// Nothing any more.
    Ended,
}

/// A new item.
pub fn channel(options: SourceOptions) -> (SourceSink, Source) {
    let shared = Arc::new(Shared::default());
    let sink = SourceSink {
        reader: Reader::new(),
        limits: options.limits,
        cutter: Cutter::new(options),
        base: 0,
        tail: Vec::new(),
        shared: Arc::clone(&shared),
    };
    (sink, Source { shared })
}

/// The half that takes an item's bytes. Dropping it is [`SourceSink::abandon`].
#[derive(Debug)]
pub struct SourceSink {
    reader: Reader,
    cutter: Cutter,
    limits: Limits,
    /// Where the present child began, in the time of the first.
    base: i64,
    /// Sound behind the last group of the child before; what the present one's sound doesn't cover belongs there.
    tail: Vec<Frame>,
    shared: Arc<Shared>,
}

impl SourceSink {
    /// Takes the next bytes as soon as there is room for them.
    ///
    /// # Errors
    /// [`SourceError`]; no bytes are taken after one, and whole groups taken before remain. May be dropped while it
    /// waits: nothing was taken then.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), SourceError> {
        loop {
            let room = self.shared.room.notified();
            if self.has_room()? {
                break;
            }
            room.await;
        }
        self.push(bytes)
    }

    /// Takes the next bytes, however much is held.
    ///
    /// # Errors
    /// [`SourceError`], but [`SourceError::Closed`].
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), SourceError> {
        self.reader.push(bytes);
        let mut whole = VecDeque::new();
        let result = self.cut(&mut whole);
        self.hand_over(whole);
        result
    }

    /// The child ended well: the group that is open is played too.
    pub fn finish(mut self) {
        let mut whole = VecDeque::new();
        self.cutter.finish(&mut whole);
        self.hand_over(whole);
    }

    /// The child ended well and another one goes on behind all that it wrote: the group that is open is played too, and
    /// its sound lasts until that of the next child begins.
    pub fn go_on(&mut self) {
        let mut whole = VecDeque::new();
        self.cutter.flush(&mut whole);
        self.hand_over(whole);
        self.restart();
    }

    /// The child ended before its time and another one goes on: what is written next is a file of its own, whose
    /// beginning is at [`Monitor::delivered`]. The pictures of the group that is open are thrown away, so that none is
    /// missing and none comes twice; its sound lasts until that of the next child begins. To the splicer it is the same
    /// item; while it has nothing it shows the slate.
    pub fn restart(&mut self) {
        self.reader = Reader::new();
        let mut sound = self.cutter.restart();
        let delivered = self.shared.lock().delivered;
        // A child without a whole group leaves what the one before it left.
        if delivered > self.base {
            for frame in &mut sound {
                frame.at += self.base;
            }
            self.tail = sound;
        }
        self.base = delivered;
    }

    /// As [`SourceSink::restart`], for a file of another form.
    pub fn restart_as(&mut self, options: SourceOptions) {
        self.restart();
        self.tail.clear();
        self.limits = options.limits;
        let unusable = self.cutter.unusable;
        self.cutter = Cutter::new(options);
        self.cutter.unusable = unusable;
        self.shared.lock().headers = None;
    }

    /// The child ended before its time, and that is the end of the item: the group that is open is thrown away.
    pub fn abandon(self) {
        drop(self);
    }

    /// A look at it from elsewhere.
    pub fn monitor(&self) -> Monitor {
        Monitor {
            shared: Arc::clone(&self.shared),
        }
    }

    fn cut(&mut self, whole: &mut VecDeque<Gop>) -> Result<(), SourceError> {
        while let Some(tag) = self.reader.next_tag()? {
            self.cutter.push(tag, whole)?;
        }
        Ok(())
    }

    fn has_room(&self) -> Result<bool, SourceError> {
        let state = self.shared.lock();
        if state.is_closed {
            return Err(SourceError::Closed);
        }
        let held = state.buffered();
        let is_full = held.bytes >= self.limits.bytes || held.duration >= self.limits.duration;
        Ok(!is_full || held.gops == 0)
    }

    fn hand_over(&mut self, whole: VecDeque<Gop>) {
        let mut state = self.shared.lock();
        state.open_bytes = self.cutter.open_bytes() + self.reader.held();
        state.unusable = self.cutter.unusable;
        if state.headers.is_none() {
            state.headers = self.cutter.headers();
        }
        if whole.is_empty() || state.is_closed {
            return;
        }
        for mut gop in whole {
            gop.shift(self.base);
            gop.precede(std::mem::take(&mut self.tail));
            state.bytes += gop.bytes();
            state.length += gop.length();
            state.delivered = gop.end;
            state.gops.push_back(gop);
        }
        drop(state);
        self.shared.filled.notify_one();
    }
}

impl Drop for SourceSink {
    fn drop(&mut self) {
        self.shared.lock().is_ended = true;
        self.shared.filled.notify_one();
    }
}

/// The half that gives whole groups. Dropping it tells the writer that nothing more is wanted.
#[derive(Debug)]
pub struct Source {
    shared: Arc<Shared>,
}

impl Source {
    /// The next group, if there is one.
    pub fn take(&mut self) -> Taken {
        let mut state = self.shared.lock();
        let Some(gop) = state.gops.pop_front() else {
            return if state.is_ended {
                Taken::Ended
            } else {
                Taken::Starved
            };
        };
        state.bytes -= gop.bytes();
        state.length -= gop.length();
        drop(state);
        self.shared.room.notify_one();
        Taken::Gop(gop)
    }

    /// Waits until [`Source::take`] would give something other than [`Taken::Starved`].
    pub async fn ready(&self) {
        loop {
            let filled = self.shared.filled.notified();
            if self.is_ready() {
                return;
            }
            filled.await;
        }
    }

    /// Whether [`Source::take`] would give something other than [`Taken::Starved`].
    pub fn is_ready(&self) -> bool {
        let state = self.shared.lock();
        state.is_ended || !state.gops.is_empty()
    }

    /// A look at it from elsewhere.
    pub fn monitor(&self) -> Monitor {
        Monitor {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_closed = true;
        state.gops.clear();
        (state.bytes, state.length) = (0, 0);
        drop(state);
        self.shared.room.notify_one();
    }
}

/// Figures of an item, readable while others write and read it.
#[derive(Debug, Clone)]
pub struct Monitor {
    shared: Arc<Shared>,
}

impl Monitor {
    /// What is held.
    pub fn buffered(&self) -> Buffered {
        self.shared.lock().buffered()
    }

    /// Up to where the item was handed in, in whole groups, counted from the first child's own beginning.
    pub fn delivered(&self) -> Duration {
        nanos(self.shared.lock().delivered)
    }

    /// Whether nothing of it is held, and nothing will be.
    pub fn is_over(&self) -> bool {
        let state = self.shared.lock();
        state.is_closed || (state.is_ended && state.gops.is_empty())
    }

    /// Its configuration records, once they are known.
    pub fn headers(&self) -> Option<Headers> {
        self.shared.lock().headers.clone()
    }

    /// Tags that could not be used: before the first key frame, or out of order.
    pub fn unusable_tags(&self) -> u64 {
        self.shared.lock().unusable
    }
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// A group was taken, or nobody wants any.
    room: Notify,
    /// A group was put in, or none will come.
    filled: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that holds it panics half-way; what it holds is whole at any time.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct State {
    gops: VecDeque<Gop>,
    bytes: usize,
    open_bytes: usize,
    length: i64,
    delivered: i64,
    unusable: u64,
    headers: Option<Headers>,
    is_ended: bool,
    is_closed: bool,
}

impl State {
    fn buffered(&self) -> Buffered {
        Buffered {
            duration: nanos(self.length),
            bytes: self.bytes + self.open_bytes,
            gops: self.gops.len(),
        }
    }
}

fn nanos(time: i64) -> Duration {
    Duration::from_nanos(u64::try_from(time).unwrap_or(0))
}
