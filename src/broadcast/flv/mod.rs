//! FLV, the form in which a normaliser hands over its pictures and sound (Adobe Flash Video File Format 10.1,
//! annex E): tags with a time, read from bytes as they come out of a pipe.
//!
//! Only what RTMP carries everywhere is known: H.264 and AAC.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

mod payload;
mod reader;
mod sps;
mod writer;

use bytes::Bytes;

pub use payload::{AacConfig, Payload};
pub use reader::{MAX_TAG_BYTES, Reader};
pub use sps::Pictures;
pub use writer::{write_header, write_tag};

/// What a tag carries. The numbers are those of FLV tags and of RTMP messages alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TagKind {
    /// Sound, type 8.
    Audio,
    /// A picture, type 9.
    Video,
    /// Named values, type 18.
    Script,
}

impl TagKind {
    /// The type's number.
    pub fn number(self) -> u8 {
        match self {
            Self::Audio => 8,
            Self::Video => 9,
            Self::Script => 18,
        }
    }

    /// The type with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        match number {
            8 => Some(Self::Audio),
            9 => Some(Self::Video),
            18 => Some(Self::Script),
            _ => None,
        }
    }
}

/// One tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// What it carries.
    pub kind: TagKind,
    /// When to decode it, in milliseconds; all 32 bits, wrapping after 49.7 days.
    pub timestamp_ms: u32,
    /// What it carries, without the tag's own head.
    pub data: Bytes,
}

impl Tag {
    /// What the data is.
    ///
    /// # Errors
    /// A codec other than H.264 and AAC, or data too short to tell.
    pub fn payload(&self) -> Result<Payload, FlvError> {
        payload::classify(self.kind, &self.data)
    }
}

/// Why bytes are not the FLV that a normaliser writes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FlvError {
    /// It doesn't begin as FLV does.
    #[error("not FLV")]
    Signature,
    /// A tag of a type that FLV doesn't have, or an encrypted one.
    #[error("unknown FLV tag type: {0}")]
    TagType(u8),
    /// The length behind a tag is not the tag's: bytes were lost.
    #[error("FLV tags out of step: {announced} bytes announced, {repeated} repeated")]
    OutOfStep {
        /// Length of the tag by its head.
        announced: u32,
        /// Length by the number behind it.
        repeated: u32,
    },
    /// A tag longer than [`MAX_TAG_BYTES`].
    #[error("FLV tag too long: {0} bytes")]
    TooLong(usize),
    /// A codec that is not published.
    #[error("unsupported {0}")]
    Codec(&'static str),
    /// A tag that ends before its own head does.
    #[error("FLV tag too short")]
    TooShort,
}
