//! The splicer: items and the slate, one behind the other, on one timeline. Pure: it reads what sources hold and
//! never waits.
//!
//! An item follows the one before without a step: its pictures begin where those before ended, and its sound keeps
//! its distance to them. Where nothing is ready the slate goes on air, half a second at a time.

mod slate;
#[cfg(test)]
mod tests;
mod timeline;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::flv::AacConfig;
use super::source::{Gop, Headers, Source, Taken};
pub use slate::{Slate, SlateError};
pub use timeline::Stamped;
use timeline::Timeline;

/// Whose pictures are on air.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Nobody's.
    Slate,
    /// An item's, by the number that it was queued with.
    Item(u64),
}

/// An item on its way to air.
#[derive(Debug)]
pub struct Item {
    /// Names it in what is reported.
    pub id: u64,
    /// Where its groups come from.
    pub source: Source,
    /// The item's time at the source's zero: not zero when a child was begun in mid-item.
    pub base: Duration,
}

/// A change of what is on air.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The first group of an item follows.
    Started(u64),
    /// An item has given its last group.
    Ended {
        /// Its number.
        id: u64,
        /// Up to where it was played, in its own time.
        position: Duration,
    },
    /// The slate follows.
    SlateOn,
    /// The slate is over.
    SlateOff,
}

/// A group on the timeline: begins with a key frame, so that a connection may begin with it.
#[derive(Debug, Clone)]
pub struct Unit {
    /// Whose it is.
    pub origin: Origin,
    /// The item's own time at its beginning; zero for the slate.
    pub position: Duration,
    /// Its beginning on the timeline.
    pub start: Duration,
    /// Its end on the timeline, where the next one begins.
    pub end: Duration,
    /// What a decoder needs for it.
    pub headers: Headers,
    /// Its tags in the order in which they leave.
    pub tags: Vec<Stamped>,
}

/// What comes next.
#[derive(Debug, Clone)]
pub enum Step {
    /// A group to send.
    Unit(Unit),
    /// Nothing, and the slate isn't wanted yet.
    Waiting,
    /// Nothing any more: the list has ended.
    Finished,
}

/// Lays items and the slate on one timeline.
#[derive(Debug)]
pub struct Splicer {
    slate: Slate,
    timeline: Timeline,
    /// The record of the sound that was given out last.
    sound: Bytes,
    queue: VecDeque<Item>,
    /// Something is on air, or the slate may go first.
    may_show_slate: bool,
    /// Whether a group of the first item in the queue was given out last, so that its next one needs no join.
    is_continuous: bool,
    /// Up to where the first item in the queue was given out; `None` before its first group.
    position: Option<Duration>,
    on_air: Option<Origin>,
    is_last_queued: bool,
    changes: Vec<Change>,
}

impl Splicer {
    /// A timeline at its beginning. With `start_with_slate` the slate goes out before a first item is ready.
    pub fn new(slate: Slate, start_with_slate: bool) -> Self {
        Self {
            timeline: Timeline::new(slate.silence()),
            sound: slate.headers().audio.clone(),
            slate,
            queue: VecDeque::new(),
            may_show_slate: start_with_slate,
            is_continuous: false,
            position: None,
            on_air: None,
            is_last_queued: false,
            changes: Vec::new(),
        }
    }

    /// Where the next group will begin.
    pub fn end(&self) -> Duration {
        self.timeline.end()
    }

    /// Puts an item behind those that wait.
    pub fn queue(&mut self, item: Item) {
        self.queue.push_back(item);
    }

    /// No further item will be queued.
    pub fn finish(&mut self) {
        self.is_last_queued = true;
    }

    /// Leaves the first item, whatever it still holds. Its writer is told.
    pub fn skip(&mut self) {
        if let Some(item) = self.queue.pop_front() {
            self.end_item(&item);
        }
    }

    /// What has changed since this was asked last.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// The source whose next group is waited for.
    pub fn awaited(&self) -> Option<&Source> {
        self.queue.front().map(|item| &item.source)
    }

    /// Frames of sound left out at joins, and frames of silence put in.
    pub fn repairs(&self) -> (u64, u64) {
        (self.timeline.dropped, self.timeline.filled)
    }

    /// The next group: that of the item on air, else of the next one that is ready, else the slate.
    pub fn step(&mut self) -> Step {
        while let Some(item) = self.queue.front_mut() {
            match item.source.take() {
                Taken::Gop(gop) => return Step::Unit(self.item_unit(gop)),
                Taken::Starved => break,
                Taken::Ended => self.leave(),
            }
        }
        if self.queue.is_empty() && self.is_last_queued {
            return Step::Finished;
        }
        if !self.may_show_slate {
            return Step::Waiting;
        }
        Step::Unit(self.slate_unit())
    }

    fn leave(&mut self) {
        if let Some(item) = self.queue.pop_front() {
            self.end_item(&item);
        }
    }

    fn end_item(&mut self, item: &Item) {
        let position = self.position.take().unwrap_or(item.base);
        self.changes.push(Change::Ended {
            id: item.id,
            position,
        });
        self.is_continuous = false;
    }

    fn item_unit(&mut self, gop: Gop) -> Unit {
        let (id, base) = self
            .queue
            .front()
            .map_or((0, Duration::ZERO), |item| (item.id, item.base));
        let origin = Origin::Item(id);
        if self.on_air == Some(Origin::Slate) {
            self.changes.push(Change::SlateOff);
        }
        if self.position.is_none() {
            self.changes.push(Change::Started(id));
        }
        let position = base + nanos(gop.start());
        self.position = Some(base + nanos(gop.end));
        let joins = !self.is_continuous;
        self.is_continuous = true;
        self.unit(origin, position, gop, joins)
    }

    fn slate_unit(&mut self) -> Unit {
        if self.on_air != Some(Origin::Slate) {
            self.changes.push(Change::SlateOn);
        }
        self.is_continuous = false;
        let gop = self.slate.gop();
        self.unit(Origin::Slate, Duration::ZERO, gop, true)
    }

    fn unit(&mut self, origin: Origin, position: Duration, gop: Gop, joins: bool) -> Unit {
        self.may_show_slate = true;
        self.on_air = Some(origin);
        self.tune(&gop.headers);
        let headers = gop.headers.clone();
        let start = self.timeline.end();
        let tags = self.timeline.place(gop, joins);
        Unit {
            origin,
            position,
            start,
            end: self.timeline.end(),
            headers,
            tags,
        }
    }

    /// Makes the timeline know the sound that follows.
    fn tune(&mut self, headers: &Headers) {
        if self.sound == headers.audio {
            return;
        }
        self.sound.clone_from(&headers.audio);
        let (silence, slate_ns) = self.slate.silence();
        let is_like_slate = headers.audio == self.slate.headers().audio;
        let sound_ns = headers.sound().map_or(slate_ns, AacConfig::frame_ns);
        self.timeline
            .change_sound(is_like_slate.then_some(silence), sound_ns);
    }
}

fn nanos(time: i64) -> Duration {
    Duration::from_nanos(u64::try_from(time).unwrap_or(0))
}
