//! Posts that are on air now: no file, but a playlist that goes on (RFC 8216).

use crate::net::MediaSession;

/// A post that is on air, and where it is sent out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivePost {
    /// Title, not cut; empty when the post has none.
    pub title: String,
    /// Address of its HLS playlist, on a host of the site's media. Opaque: sent byte for byte.
    pub playlist: String,
    /// What requests for it, and for all that it names, need to be answered.
    pub session: MediaSession,
}
