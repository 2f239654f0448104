//! What a source hands on: groups of pictures with the sound between.

use bytes::Bytes;

use crate::broadcast::flv::{AacConfig, FlvError};

/// A picture or a frame of sound, at its decode time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Decode time in nanoseconds since the item's first picture.
    pub at: i64,
    /// The data of its FLV tag.
    pub data: Bytes,
}

impl Frame {
    /// The memory it takes, in bytes.
    pub fn cost(&self) -> usize {
        self.data.len() + size_of::<Self>()
    }
}

/// A key frame and what follows up to the next one: the unit in which items are laid on the timeline, because a
/// decoder can begin at each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gop {
    /// Pictures, the key frame first; times strictly increase.
    pub video: Vec<Frame>,
    /// Sound; times strictly increase. That of an item's last group may last longer than its pictures.
    pub audio: Vec<Frame>,
    /// Where the next group begins, or the last picture of an item ends.
    pub end: i64,
    /// What a decoder needs for it.
    pub headers: Headers,
}

impl Gop {
    /// The time of its key frame.
    pub fn start(&self) -> i64 {
        self.video.first().map_or(self.end, |frame| frame.at)
    }

    /// How long its pictures last, in nanoseconds.
    pub fn length(&self) -> i64 {
        self.end - self.start()
    }

    /// Moves all times by so many nanoseconds.
    pub(super) fn shift(&mut self, by: i64) {
        for frame in self.video.iter_mut().chain(&mut self.audio) {
            frame.at += by;
        }
        self.end += by;
    }

    /// Puts sound before its own, as far as it begins before that.
    pub(super) fn precede(&mut self, mut sound: Vec<Frame>) {
        let first = self.audio.first().map_or(self.end, |frame| frame.at);
        sound.retain(|frame| frame.at < first);
        self.audio.splice(..0, sound);
    }

    /// The memory it takes, in bytes.
    pub fn bytes(&self) -> usize {
        self.video.iter().chain(&self.audio).map(Frame::cost).sum()
    }
}

/// The two configuration records that a decoder needs first. All items that are encoded have the same, so that a
/// connection is sent them once; items that pass through may have others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers {
    /// Data of the tag with the `AVCDecoderConfigurationRecord`.
    pub video: Bytes,
    /// Data of the tag with the `AudioSpecificConfig`.
    pub audio: Bytes,
}

impl Headers {
    /// How long a frame of sound lasts.
    ///
    /// # Errors
    /// The record is not one of plain AAC.
    pub fn sound(&self) -> Result<AacConfig, FlvError> {
        AacConfig::parse(&self.audio)
    }
}
