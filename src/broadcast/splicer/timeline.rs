//! The one timeline: where pictures and sound of successive items come to lie.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use crate::broadcast::flv::TagKind;
use crate::broadcast::source::{Frame, Gop};

/// Sound this far behind the pictures of its group is no tail but nonsense.
const MAX_TAIL: i64 = 1_000_000_000;

/// A tag on the timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamped {
    /// When it is decoded, since the broadcast's beginning. Never less than that of the tag before.
    pub at: Duration,
    /// Picture or sound.
    pub kind: TagKind,
    /// The data of its FLV tag.
    pub data: Bytes,
}

/// Ends of what was laid down so far, in nanoseconds.
#[derive(Debug)]
pub(super) struct Timeline {
    /// A frame of silence; `None` when there is none that fits the sound of the present stretch: holes stay then.
    silence: Option<Bytes>,
    /// Length of a frame of sound.
    sound_ns: i64,
    video_end: i64,
    /// What the times of the present stretch are moved by.
    offset: i64,
    /// End of the last sound that was given out.
    sent_end: i64,
    /// Sound behind the pictures that were given out: cut where the next item's begins.
    pending: VecDeque<Frame>,
    /// Frames of sound left out, and of silence put in.
    pub(super) dropped: u64,
    pub(super) filled: u64,
}

impl Timeline {
    pub(super) fn new((silence, sound_ns): (Bytes, i64)) -> Self {
        Self {
            silence: Some(silence),
            sound_ns,
            video_end: 0,
            offset: 0,
            sent_end: 0,
            pending: VecDeque::new(),
            dropped: 0,
            filled: 0,
        }
    }

    /// Where the next group will begin.
    pub(super) fn end(&self) -> Duration {
        duration(self.video_end)
    }

    /// What follows has sound of another kind: what is left of that before can't be decoded any more.
    pub(super) fn change_sound(&mut self, silence: Option<Bytes>, sound_ns: i64) {
        self.dropped = self.dropped.saturating_add(self.pending.len() as u64);
        self.pending.clear();
        (self.silence, self.sound_ns) = (silence, sound_ns);
    }

    /// Lays down a group behind the one before. `joins` when it doesn't follow that one by its own clock: then the
    /// pictures decide where it lies, and its sound goes along.
    pub(super) fn place(&mut self, gop: Gop, joins: bool) -> Vec<Stamped> {
        if joins {
            self.join(&gop);
        }
        let end = gop.end.saturating_add(self.offset);
        let start = gop.start().saturating_add(self.offset);
        for sound in gop.audio {
            let at = sound.at.saturating_add(self.offset).max(start);
            self.add_sound(at, sound.data, end);
        }
        self.fill(end);
        let mut tags = Vec::with_capacity(gop.video.len().saturating_mul(3));
        for picture in gop.video {
            let at = picture.at.saturating_add(self.offset);
            self.give_sound(at, &mut tags);
            tags.push(stamped(at, TagKind::Video, picture.data));
        }
        // What lies behind the pictures waits: the next group begins with its key frame.
        self.give_sound(end, &mut tags);
        self.video_end = end;
        tags
    }

    fn join(&mut self, gop: &Gop) {
        self.offset = self.video_end.saturating_sub(gop.start());
        let Some(first) = gop.audio.first() else {
            return;
        };
        let first = first.at.saturating_add(self.offset).max(self.video_end);
        // No item loses its head: the tail of the one before makes room.
        while let Some(last) = self.pending.back() {
            if !self.overlaps(first, last.at.saturating_add(self.sound_ns)) {
                break;
            }
            self.pending.pop_back();
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// Whether sound at `at` begins more than 0.6 of a frame before `end`, that of the sound before.
    fn overlaps(&self, at: i64, end: i64) -> bool {
        end.saturating_sub(at).saturating_mul(5) > self.sound_ns.saturating_mul(3)
    }

    fn audio_end(&self) -> i64 {
        let pending = self.pending.back().map(|last| last.at);
        pending.map_or(self.sent_end, |at| at.saturating_add(self.sound_ns))
    }

    fn add_sound(&mut self, at: i64, data: Bytes, end: i64) {
        if self.overlaps(at, self.audio_end()) || at > end.saturating_add(MAX_TAIL) {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        // A hole of a frame or more is filled, so that no step is longer than two.
        self.fill_until(|hole, frame| hole >= frame, at);
        self.pending.push_back(Frame { at, data });
    }

    /// Fills what is missing up to the end of the pictures, but no further than the next sound can bear.
    fn fill(&mut self, end: i64) {
        let is_hole = |hole: i64, frame: i64| hole.saturating_mul(5) > frame.saturating_mul(2);
        self.fill_until(is_hole, end);
    }

    fn fill_until(&mut self, is_hole: impl Fn(i64, i64) -> bool, until: i64) {
        let Some(silence) = self.silence.clone() else {
            return;
        };
        loop {
            let end = self.audio_end();
            if !is_hole(until.saturating_sub(end), self.sound_ns) {
                break;
            }
            // Never before the key frame that the group begins with.
            let at = end.max(self.video_end);
            let data = silence.clone();
            self.pending.push_back(Frame { at, data });
            self.filled = self.filled.saturating_add(1);
        }
    }

    /// Gives out the sound before `until`.
    fn give_sound(&mut self, until: i64, tags: &mut Vec<Stamped>) {
        let count = self.pending.partition_point(|sound| sound.at < until);
        for sound in self.pending.drain(..count) {
            self.sent_end = sound.at.saturating_add(self.sound_ns);
            tags.push(stamped(sound.at, TagKind::Audio, sound.data));
        }
    }
}

fn stamped(at: i64, kind: TagKind, data: Bytes) -> Stamped {
    let at = duration(at);
    Stamped { at, kind, data }
}

fn duration(nanos: i64) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}
