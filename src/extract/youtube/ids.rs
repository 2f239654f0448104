//! Ids of videos and playlists: their form, and what a playlist id says about the list.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

/// The id of a video: eleven characters of `[0-9A-Za-z_-]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VideoId(String);

impl VideoId {
    /// Number of characters of an id.
    const LENGTH: usize = 11;

    /// Reads an id; nothing else may stand in `text`.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == Self::LENGTH && text.bytes().all(is_id_byte)).then(|| Self(text.to_owned()))
    }

    /// Reads an id that other parameters were glued to, as in `/v/ID&hl=en`.
    pub(super) fn parse_prefix(text: &str) -> Option<Self> {
        Self::parse(text.split(|c: char| !is_id_char(c)).next()?)
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The id of a playlist.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PlaylistId(String);

/// What a playlist id says about its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PlaylistKind {
    /// A finite list that anyone may see.
    Plain,
    /// An endless list made for a video.
    Mix,
    /// A list of the account, seen only when logged in.
    Personal,
    /// An album of YouTube Music, which stands for a list of its own.
    Album,
}

/// Beginnings of playlist ids (yt-dlp `YoutubeBaseInfoExtractor._PLAYLIST_ID_RE`).
const PREFIXES: &[&str] = &[
    "PL", "LL", "EC", "UU", "FL", "RD", "UL", "TL", "PU", "OLAK5uy_", "MPREb_",
];

/// Ids without anything after them.
const WORDS: &[&str] = &["RDMM", "WL", "LL", "LM"];

/// Beginnings of mix ids that a video's id follows.
const SEEDED: &[&str] = &["RD", "RDMM", "RDAMVM"];

impl PlaylistId {
    /// Longest id that is accepted; the longest ones seen have 43 characters.
    const MAX_LENGTH: usize = 64;
    /// Characters after the prefix, at least.
    const MIN_REST: usize = 10;

    /// Reads an id, with or without the `VL` of its page.
    pub fn parse(text: &str) -> Option<Self> {
        let id = text.strip_prefix("VL").unwrap_or(text);
        let is_long_id = PREFIXES.iter().any(|prefix| {
            id.strip_prefix(prefix)
                .is_some_and(|rest| rest.len() >= Self::MIN_REST)
        });
        let is_known = WORDS.contains(&id) || is_long_id;
        (is_known && id.len() <= Self::MAX_LENGTH && id.bytes().all(is_id_byte))
            .then(|| Self(id.to_owned()))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the id says about the list.
    pub fn kind(&self) -> PlaylistKind {
        match self.0.as_str() {
            "WL" | "LL" | "LM" => PlaylistKind::Personal,
            id if id.starts_with("FL") => PlaylistKind::Personal,
            id if id.starts_with("MPREb_") => PlaylistKind::Album,
            // Lists that editors of YouTube Music made: finite, with a page of their own.
            id if id.starts_with("RDCLAK5uy_") => PlaylistKind::Plain,
            id if id.starts_with("RD") => PlaylistKind::Mix,
            _ => PlaylistKind::Plain,
        }
    }

    /// The video that a mix was made for, where the id names it: after `RD`, `RDMM` and `RDAMVM`. Other mixes are made
    /// for a channel, a genre or a list, and what their ids end in is none.
    pub(super) fn mix_seed(&self) -> Option<VideoId> {
        SEEDED
            .iter()
            .filter_map(|prefix| self.0.strip_prefix(prefix))
            .find_map(VideoId::parse)
    }
}

/// Whether a byte may stand in an id.
fn is_id_byte(byte: u8) -> bool {
    is_id_char(char::from(byte))
}

/// Whether a character may stand in an id.
fn is_id_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn playlist_ids_are_told_apart() {
        for (id, kind) in [
            ("PLMC9KNkIncKtPzgY-5rmhvj7fax8fdxoj", PlaylistKind::Plain),
            ("VLPLMC9KNkIncKtPzgY-5rmhvj7fax8fdxoj", PlaylistKind::Plain),
            ("UUSHBR8-60-B28hp2BmDPdntcQ", PlaylistKind::Plain),
            (
                "OLAK5uy_kvh_gLQmTRbXq_xqVtZ2tUXrAMs2Wlh6I",
                PlaylistKind::Plain,
            ),
            (
                "RDCLAK5uy_kmPRjHDECIcuVwnKsx2Ng7fyNgFKWNJFs",
                PlaylistKind::Plain,
            ),
            ("MPREb_BQZvl3BFGay", PlaylistKind::Album),
            ("RDFAqYW76GLPA", PlaylistKind::Mix),
            ("RDMM", PlaylistKind::Mix),
            ("WL", PlaylistKind::Personal),
            ("FLabcdefghijklmnop", PlaylistKind::Personal),
        ] {
            assert_eq!(PlaylistId::parse(id).unwrap().kind(), kind, "{id}");
        }
        for id in [
            "",
            "PL",
            "PLshort",
            "XX1234567890123",
            "PL12345678901$",
            "INVALID_ID",
        ] {
            assert_eq!(PlaylistId::parse(id), None, "{id}");
        }
        assert_eq!(PlaylistId::parse(&format!("PL{}", "a".repeat(63))), None);
    }

    #[test]
    fn mix_names_its_video() {
        for id in ["RDFAqYW76GLPA", "RDMMFAqYW76GLPA", "RDAMVMFAqYW76GLPA"] {
            let seed = PlaylistId::parse(id).unwrap().mix_seed().unwrap();
            assert_eq!(seed.as_str(), "FAqYW76GLPA", "{id}");
        }
        for id in [
            "RDMM",
            "RDEMFAqYW76GLPAFAqYW76GLPA",
            "RDGMEMFAqYW76GLPA",
            "RDTMAK5uy_FAqYW76GLPA",
            "RDAMPLPLFAqYW76GLPA",
            "RDCLAK5uy_kmPRjHDECIcuVwnKsx2Ng7fyNgFKWNJFs",
            "PLFAqYW76GLPA",
        ] {
            assert_eq!(PlaylistId::parse(id).unwrap().mix_seed(), None, "{id}");
        }
    }
}
