//! HTTP Live Streaming (RFC 8216): what a playlist names. Pure: text in, addresses and times out; whether an address may be
//! asked is not judged here.
//!
//! Every number has a bound, so that a text of whatever length or content costs little memory and time.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

mod attributes;
mod crypt;
mod error;
mod master;
mod segments;
#[cfg(test)]
mod tests;

use url::Url;

use self::attributes::Attributes;
pub use self::crypt::{Key, Secret};
pub use self::error::HlsError;
pub use self::master::{Master, Rendition, Variant};
pub use self::segments::{Map, Segment, Segments};

/// Bytes of a playlist. One of 15 minutes in segments of a second, with addresses of 2 KiB each, has half of that.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;
/// Lines of one.
const MAX_LINES: usize = 50_000;
/// Bytes of a line.
const MAX_LINE: usize = 16 * 1024;
/// Bytes of an address, made absolute.
const MAX_ADDRESS: usize = 8 * 1024;
/// Bytes of all addresses, made absolute: a short entry can become a long address.
const MAX_ADDRESSES: usize = 4 * MAX_BYTES;

/// What a text is.
#[derive(Debug, Clone, PartialEq)]
pub enum Playlist {
    /// A list of variants.
    Master(Master),
    /// A list of segments.
    Media(Segments),
}

impl Playlist {
    /// Reads a playlist that was found at `base`.
    ///
    /// # Errors
    /// [`HlsError`].
    pub fn parse(text: &[u8], base: &Url) -> Result<Self, HlsError> {
        if text.len() > MAX_BYTES {
            return Err(HlsError::TooMany("bytes"));
        }
        let text = std::str::from_utf8(text).map_err(|_| HlsError::NotAPlaylist)?;
        let mut lines = text.lines();
        if lines.next().map(str::trim_end) != Some("#EXTM3U") {
            return Err(HlsError::NotAPlaylist);
        }
        // A line that isn't ended may be cut, and then its address leads elsewhere.
        let open = (!text.ends_with('\n')).then(|| text.lines().count());
        let mut addresses = Addresses { base, bytes: 0 };
        let (mut master, mut segments) = (master::Reader::default(), segments::Reader::default());
        for (number, line) in lines.enumerate() {
            if number >= MAX_LINES {
                return Err(HlsError::TooMany("lines"));
            }
            if line.len() > MAX_LINE {
                return Err(HlsError::TooMany("bytes in a line"));
            }
            match Line::read(line) {
                Line::Nothing => {}
                Line::Tag(name, value) => {
                    master.tag(name, value, &mut addresses)?;
                    segments.tag(name, value, &mut addresses)?;
                }
                Line::Entry(entry) if master.takes_entry() => {
                    master.entry(addresses.absolute(entry)?)?;
                }
                Line::Entry(_) if open == Some(number.saturating_add(2)) && segments.goes_on() => {}
                Line::Entry(entry) => segments.entry(addresses.absolute(entry)?)?,
            }
        }
        match (master.finish()?, segments.finish()?) {
            (Some(master), None) => Ok(Self::Master(master)),
            (None, Some(segments)) => Ok(Self::Media(segments)),
            (Some(_), Some(_)) => Err(HlsError::Mixed),
            (None, None) => Err(HlsError::Tag("EXT-X-TARGETDURATION")),
        }
    }
}

/// A line of a playlist.
enum Line<'a> {
    /// Blank, or a comment.
    Nothing,
    /// The name of a tag behind `#EXT`, with it, and what follows the colon.
    Tag(&'a str, &'a str),
    /// An address.
    Entry(&'a str),
}

impl<'a> Line<'a> {
    fn read(line: &'a str) -> Self {
        let line = line.trim_end();
        match line.strip_prefix('#') {
            None if line.is_empty() => Self::Nothing,
            None => Self::Entry(line),
            Some(tag) if tag.starts_with("EXT") => {
                let (name, value) = tag.split_once(':').unwrap_or((tag, ""));
                Self::Tag(name, value)
            }
            Some(_) => Self::Nothing,
        }
    }
}

/// Makes entries absolute.
struct Addresses<'a> {
    base: &'a Url,
    /// Bytes of all so far.
    bytes: usize,
}

impl Addresses<'_> {
    fn absolute(&mut self, entry: &str) -> Result<Url, HlsError> {
        let url = self.base.join(entry).map_err(|_| HlsError::Entry)?;
        self.bytes = self.bytes.saturating_add(url.as_str().len());
        if url.as_str().len() > MAX_ADDRESS || self.bytes > MAX_ADDRESSES {
            return Err(HlsError::TooMany("bytes in addresses"));
        }
        Ok(url)
    }

    /// The address that an attribute names.
    fn of(&mut self, attributes: &Attributes<'_>) -> Result<Option<Url>, HlsError> {
        let entry = attributes.text("URI");
        entry.map(|entry| self.absolute(entry)).transpose()
    }
}
