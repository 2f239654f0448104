//! Why a live item is not read, or no further.

use std::time::Duration;

use crate::media::hls::HlsError;

/// See the module.
#[derive(Debug, Clone, thiserror::Error)]
pub(in crate::broadcast) enum TunerError {
    /// It names an address that is not asked.
    #[error("its playlist leads to {0}")]
    Forbidden(String),
    /// Its playlist can't be followed.
    #[error("its playlist has {0}")]
    Playlist(#[from] HlsError),
    /// A list of variants where segments should be listed.
    #[error("its playlist leads to another list of variants")]
    Nested,
    /// None of its variants is wanted.
    #[error("no variant that can be played")]
    NoVariant,
    /// What its playlist names is no media.
    #[error("a segment is {0}")]
    Segment(&'static str),
    /// Nothing new came.
    #[error("nothing new for {} s", .0.as_secs())]
    Silent(Duration),
    /// The site gives nothing.
    #[error("{0}")]
    Upstream(String),
}

impl TunerError {
    /// A stable word for it.
    pub(in crate::broadcast) fn reason(&self) -> &'static str {
        match self {
            Self::Forbidden(_) => "forbidden_address",
            Self::Playlist(HlsError::Encrypted) => "encrypted",
            Self::Playlist(_) | Self::Nested | Self::Segment(_) => "unsupported_format",
            Self::NoVariant => "no_format",
            Self::Silent(_) => "live_silent",
            Self::Upstream(_) => "upstream_error",
        }
    }

    /// Whether nothing comes any more, which after some media is how most live items end.
    pub(in crate::broadcast) fn is_quiet(&self) -> bool {
        matches!(self, Self::Silent(_) | Self::Upstream(_))
    }
}
