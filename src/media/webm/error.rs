//! Why two files can't be joined.

/// Why a file isn't read, two files aren't joined, or bytes of a run aren't passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The bytes break the rules of EBML or WebM.
    #[error("broken WebM file: {0}")]
    Malformed(&'static str),
    /// A sound file, but of a kind that isn't joined here; another muxer may.
    #[error("WebM file can't be joined in place: {0}")]
    Unsupported(&'static str),
    /// The media are encrypted.
    #[error("media are encrypted")]
    Encrypted,
    /// The Cues contradict themselves or the file.
    #[error("wrong index in WebM file: {0}")]
    Index(&'static str),
    /// Larger than any head or file that is read.
    #[error("WebM file too large: {0}")]
    TooLarge(&'static str),
    /// Each file is sound, but they don't go together.
    #[error("WebM files don't go together: {0}")]
    Mismatch(&'static str),
    /// The part asked for isn't there.
    #[error("no such part: {0}")]
    Clip(&'static str),
}

impl Fault {
    /// Whether a sound file can have it.
    pub(in crate::media) fn is_structural(&self) -> bool {
        matches!(
            self,
            Self::Unsupported(_) | Self::TooLarge(_) | Self::Mismatch(_)
        )
    }
}
