//! What is shown while no item is ready: half a second of picture and silence, encoded once like the items.

use bytes::Bytes;

use crate::broadcast::flv::FlvError;
use crate::broadcast::source::{Frame, Gop, Headers, SourceError, SourceOptions, Taken, channel};

/// Why a slate can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SlateError {
    /// It isn't what a normaliser writes.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// It has no pictures, no sound or no configuration record of one of them.
    #[error("slate has no pictures or no sound")]
    Incomplete,
}

impl From<FlvError> for SlateError {
    fn from(error: FlvError) -> Self {
        Self::Source(error.into())
    }
}

/// A slate, kept in memory: a few KiB, sent as often as it takes.
#[derive(Debug, Clone)]
pub struct Slate {
    headers: Headers,
    pictures: Vec<Frame>,
    length: i64,
    silence: Bytes,
    sound_ns: i64,
}

impl Slate {
    /// Reads it from what a normaliser wrote; `fps` is the profile's.
    ///
    /// Its first group of pictures is taken, and the last frame of its sound, which has left the encoder's
    /// beginning behind, as the silence that fills holes.
    ///
    /// # Errors
    /// [`SlateError`].
    pub fn parse(flv: &[u8], fps: u32) -> Result<Self, SlateError> {
        let (mut sink, mut source) = channel(SourceOptions {
            fps: Some(fps.max(1)),
            ..SourceOptions::default()
        });
        sink.push(flv)?;
        sink.finish();
        let headers = source.monitor().headers().ok_or(SlateError::Incomplete)?;
        let Taken::Gop(first) = source.take() else {
            return Err(SlateError::Incomplete);
        };
        let mut silence = first.audio.last().cloned();
        while let Taken::Gop(gop) = source.take() {
            silence = gop.audio.last().cloned().or(silence);
        }
        let silence = silence.ok_or(SlateError::Incomplete)?;
        Ok(Self {
            sound_ns: headers.sound()?.frame_ns(),
            headers,
            length: first.length(),
            pictures: first.video,
            silence: Bytes::copy_from_slice(&silence.data),
        })
    }

    /// The records that every item of the broadcast must share.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// Its pictures; their sound is silence, made where it is missing.
    pub(super) fn gop(&self) -> Gop {
        Gop {
            video: self.pictures.clone(),
            audio: Vec::new(),
            end: self.length,
            headers: self.headers.clone(),
        }
    }

    /// A frame of silence, and how long a frame of sound lasts in nanoseconds.
    pub(super) fn silence(&self) -> (Bytes, i64) {
        (self.silence.clone(), self.sound_ns)
    }
}
