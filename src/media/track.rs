//! Files of one track in either container behind one face, for who reads their heads without caring which it is.

use std::ops::Range;

use super::{Mismatch, Progress, fmp4, webm};

/// How a file is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// Fragmented MP4.
    Mp4,
    /// WebM.
    Webm,
}

/// What must be known of a track to join it.
#[derive(Debug, Clone)]
pub enum TrackHead {
    /// Of a fragmented MP4.
    Fmp4(fmp4::TrackHead),
    /// Of a WebM file.
    Webm(webm::TrackHead),
}

impl TrackHead {
    /// Bytes of memory that it takes, for the cache that keeps it.
    pub fn weight(&self) -> usize {
        match self {
            Self::Fmp4(head) => head.weight(),
            Self::Webm(head) => head.weight(),
        }
    }
}

/// Reads the head of one file.
#[derive(Debug)]
pub enum HeadReader {
    /// Of a fragmented MP4.
    Fmp4(fmp4::HeadReader),
    /// Of a WebM file.
    Webm(webm::HeadReader),
}

impl HeadReader {
    /// A reader for a file of `total` bytes.
    pub fn new(container: Container, total: u64) -> Self {
        match container {
            Container::Mp4 => Self::Fmp4(fmp4::HeadReader::new(total)),
            Container::Webm => Self::Webm(webm::HeadReader::new(total)),
        }
    }

    /// The bytes that are needed first; `index_end` is one past the last byte of the index, where the site says it.
    pub fn first(&self, index_end: Option<u64>) -> Range<u64> {
        match self {
            Self::Fmp4(reader) => reader.first(index_end),
            Self::Webm(reader) => reader.first(index_end),
        }
    }

    /// Takes the bytes from `start` on.
    ///
    /// # Errors
    /// The file can't be joined, and why.
    pub fn feed(&mut self, start: u64, bytes: &[u8]) -> Result<Progress<TrackHead>, Mismatch> {
        Ok(match self {
            Self::Fmp4(reader) => reader.feed(start, bytes)?.map(TrackHead::Fmp4),
            Self::Webm(reader) => reader.feed(start, bytes)?.map(TrackHead::Webm),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::fmp4::FourCc;

    #[test]
    fn only_structure_is_left_to_ffmpeg() {
        let missing = |kind: &[u8; 4]| Mismatch::Fmp4(fmp4::Fault::Missing(FourCc(*kind)));
        for sound in [
            Mismatch::Containers,
            Mismatch::Unknown,
            missing(b"sidx"),
            missing(b"mvex"),
            Mismatch::Fmp4(fmp4::Fault::Unfragmented),
            Mismatch::Webm(webm::Fault::Unsupported("no index")),
        ] {
            assert!(sound.is_structural(), "{sound}");
        }
        for broken in [
            missing(b"moov"),
            Mismatch::Fmp4(fmp4::Fault::Encrypted),
            Mismatch::Fmp4(fmp4::Fault::Overlap),
            Mismatch::Fmp4(fmp4::Fault::Unindexed),
            Mismatch::Webm(webm::Fault::Encrypted),
            Mismatch::Webm(webm::Fault::Malformed("cut")),
            Mismatch::Webm(webm::Fault::Index("lies")),
        ] {
            assert!(!broken.is_structural(), "{broken}");
        }
    }
}
