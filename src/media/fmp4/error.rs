//! Why files can't be joined, or a file is not what its index says.

use std::fmt;

/// The type of a box.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FourCc(pub [u8; 4]);

impl fmt::Display for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

/// What is wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The file or the box around ends inside this box.
    #[error("box `{0}` is cut")]
    Cut(FourCc),
    /// A size that no box of this type has.
    #[error("box `{0}` has an impossible size")]
    Size(FourCc),
    /// A box that must be there is not.
    #[error("no box `{0}`")]
    Missing(FourCc),
    /// A box that stands where it must not, or a second one where there is one at most.
    #[error("unexpected box `{0}`")]
    Unexpected(FourCc),
    /// A version of this box that is not known.
    #[error("box `{0}` of an unknown version")]
    Version(FourCc),
    /// The media are encrypted.
    #[error("media are encrypted")]
    Encrypted,
    /// Not exactly one track.
    #[error("not exactly one track")]
    Tracks,
    /// The picture's file holds no picture, or the sound's no sound.
    #[error("a track of another kind")]
    Kind,
    /// Samples outside fragments.
    #[error("samples outside of fragments")]
    Unfragmented,
    /// A time scale of 0.
    #[error("time scale of 0")]
    Timescale,
    /// The indices of one file contradict each other.
    #[error("indices that contradict each other")]
    Index,
    /// An index without runs.
    #[error("an empty index")]
    Empty,
    /// A run without bytes.
    #[error("a run of 0 bytes")]
    ZeroRun,
    /// Runs that overlap or go backwards.
    #[error("runs that overlap")]
    Overlap,
    /// The index goes past the end of the file.
    #[error("the index goes past the end of the file")]
    BeyondEnd,
    /// The index ends before the media: a file that is still growing, or a wrong index.
    #[error("media that no index names")]
    Unindexed,
    /// More of something than any honest file has.
    #[error("too many {0}")]
    TooMany(&'static str),
    /// A number that the new file can't hold.
    #[error("{0} too large")]
    TooLarge(&'static str),
    /// Bytes that nobody asked for, or none of those that were.
    #[error("other bytes than asked for")]
    Fed,
    /// A box of a track that isn't the one of this file.
    #[error("a fragment of another track")]
    ForeignTrack,
    /// The boxes of a run don't add up to it.
    #[error("the boxes of a run don't fill it")]
    Span,
    /// Sample data outside of their run.
    #[error("sample data outside of their run")]
    DataOffset,
    /// Decode times away from what the index says.
    #[error("decode times away from the index")]
    Time,
    /// The asked part begins after the end.
    #[error("the clip begins after the end")]
    ClipOutside,
    /// A part of a file with an involved edit list is asked for.
    #[error("no clips of a file with several edits")]
    Edits,
}

impl Fault {
    /// Whether a sound file can have it: one without an index, without fragments, or of more parts than are held here.
    pub(in crate::media) fn is_structural(&self) -> bool {
        match self {
            Self::Missing(FourCc(kind)) => matches!(kind, b"sidx" | b"mvex"),
            Self::Version(_) | Self::Unfragmented | Self::TooMany(_) | Self::TooLarge(_) => true,
            _ => false,
        }
    }
}
