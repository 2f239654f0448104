//! Why a text is no playlist that can be followed.

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HlsError {
    /// It does not begin with `#EXTM3U`, or is no UTF-8.
    #[error("no playlist")]
    NotAPlaylist,
    /// More bytes, lines, entries or attributes than any playlist in order has.
    #[error("more {0} than a playlist has")]
    TooMany(&'static str),
    /// A tag whose value is not of its form, or that is missing.
    #[error("`{0}` is not as it should be")]
    Tag(&'static str),
    /// An entry that is no address, or stands without its tag.
    #[error("an entry that is none")]
    Entry,
    /// Tags of both kinds of playlists.
    #[error("tags of both kinds of playlists")]
    Mixed,
    /// Its segments are encrypted in a way that is not known here.
    #[error("segments that are encrypted otherwise than by AES-128 with a key at an address")]
    Encrypted,
    /// Its segments are single pictures.
    #[error("pictures for fast forward alone")]
    PicturesOnly,
}
