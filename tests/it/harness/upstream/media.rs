//! Media files: bytes that can be checked, and how an origin serves them (RFC 9110 §13-15).

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::answer::Reply;
use super::wire::Request;

/// Bytes of a body.
#[derive(Debug, Clone)]
pub(crate) enum Payload {
    /// Bytes that follow from the seed, so that no file of that size needs to be kept.
    Random {
        /// Two payloads with one seed begin with the same bytes.
        seed: u64,
        /// How many bytes.
        length: u64,
    },
    /// These bytes.
    Bytes(Bytes),
    /// One after the other, each with the end of its place: files of any size around few bytes that matter.
    Parts(Arc<[(u64, Payload)]>),
}

impl Payload {
    /// These one after the other.
    pub(crate) fn parts(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut end = 0;
        let parts = parts.into_iter().map(|part| {
            end += part.len();
            (end, part)
        });
        Self::Parts(parts.collect())
    }

    /// Number of bytes.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Random { length, .. } => *length,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Parts(parts) => parts.last().map_or(0, |(end, _)| *end),
        }
    }

    /// The bytes of a range inside the payload.
    pub(crate) fn slice(&self, range: Range<u64>) -> Bytes {
        assert!(
            range.start <= range.end && range.end <= self.len(),
            "slice {range:?}"
        );
        match self {
            Self::Random { seed, .. } => random_bytes(*seed, range),
            Self::Bytes(bytes) => {
                let index = |at: u64| usize::try_from(at).expect("fits");
                bytes.slice(index(range.start)..index(range.end))
            }
            Self::Parts(parts) => slice_of_parts(parts, range).into(),
        }
    }

    /// All bytes.
    pub(crate) fn whole(&self) -> Bytes {
        self.slice(0..self.len())
    }

    /// SHA-256 of all bytes, in hex.
    pub(crate) fn sha256(&self) -> String {
        sha256_hex(&self.whole())
    }
}

/// SHA-256 in hex.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes)
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("writing to a string");
            hex
        })
}

fn slice_of_parts(parts: &[(u64, Payload)], range: Range<u64>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let first = parts.partition_point(|(end, _)| *end <= range.start);
    for (end, part) in &parts[first..] {
        let start = end - part.len();
        if start >= range.end {
            break;
        }
        let wanted = range.start.max(start)..range.end.min(*end);
        bytes.extend_from_slice(&part.slice(wanted.start - start..wanted.end - start));
    }
    bytes
}

/// Eight bytes per step of `SplitMix64`, addressed by position, so that any slice can be made alone.
fn random_bytes(seed: u64, range: Range<u64>) -> Bytes {
    let mut bytes = Vec::with_capacity(usize::try_from(range.end - range.start).expect("fits"));
    let mut at = range.start;
    while at < range.end {
        let block = split_mix(seed.wrapping_add(at / 8)).to_le_bytes();
        let skip = usize::try_from(at % 8).expect("below 8");
        let take = usize::try_from(range.end - at).unwrap_or(8).min(8 - skip);
        bytes.extend_from_slice(&block[skip..skip + take]);
        at += take as u64;
    }
    bytes.into()
}

fn split_mix(index: u64) -> u64 {
    let mut mixed = index.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// What a request must bring to get a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Need {
    /// A cookie of this name with the value that was set beside a page which handed the address out.
    PageCookie(&'static str),
    /// A `Referer` on this host or below it.
    RefererHost(&'static str),
}

/// One file of a CDN.
#[derive(Debug, Clone)]
pub(crate) struct Media {
    /// Its bytes.
    pub(crate) payload: Payload,
    /// `Content-Type`.
    pub(crate) content_type: String,
    /// `ETag`, quotes included; empty: the origin sends none.
    pub(crate) etag: String,
    /// `Last-Modified`; empty: the origin sends none.
    pub(crate) last_modified: String,
    /// What a request must bring.
    pub(crate) needs: Vec<Need>,
}

impl Media {
    /// A file of random bytes.
    pub(crate) fn random(seed: u64, length: u64, content_type: &str) -> Self {
        Self::of(Payload::Random { seed, length }, content_type)
    }

    /// A file of these bytes.
    pub(crate) fn of(payload: Payload, content_type: &str) -> Self {
        let mark = match &payload {
            Payload::Random { seed, length } => format!("{seed:x}-{length:x}"),
            Payload::Bytes(bytes) => sha256_hex(bytes)[..16].to_owned(),
            Payload::Parts(_) => payload.sha256()[..16].to_owned(),
        };
        Self {
            payload,
            content_type: content_type.to_owned(),
            etag: format!("\"{mark}\""),
            last_modified: "Tue, 06 Oct 2026 07:28:00 GMT".to_owned(),
            needs: Vec::new(),
        }
    }

    /// Adds a demand.
    pub(crate) fn needing(mut self, need: Need) -> Self {
        self.needs.push(need);
        self
    }

    /// What an origin answers to this request.
    pub(crate) fn reply(&self, request: &Request, ignores_range: bool) -> Reply {
        let length = self.payload.len();
        let asked = request
            .header("range")
            .filter(|_| !ignores_range && self.range_applies(request))
            .and_then(|header| parse_range(header, length));
        let mut reply = match asked {
            None => Reply::new(200, self.payload.clone()),
            Some(range) if !range.is_empty() => self.partial(range),
            Some(_) => {
                let mut reply = Reply::new(416, Payload::Bytes(Bytes::new()));
                reply.set("Content-Range", format!("bytes */{length}"));
                return reply;
            }
        };
        reply.set("Content-Type", self.content_type.clone());
        reply.set("Accept-Ranges", "bytes");
        if !self.etag.is_empty() {
            reply.set("ETag", self.etag.clone());
        }
        if !self.last_modified.is_empty() {
            reply.set("Last-Modified", self.last_modified.clone());
        }
        reply
    }

    fn partial(&self, range: Range<u64>) -> Reply {
        let length = self.payload.len();
        let header = format!("bytes {}-{}/{length}", range.start, range.end - 1);
        let mut reply = Reply::new(206, self.payload.clone());
        reply.range = range;
        reply.set("Content-Range", header);
        reply
    }

    /// `If-Range` (RFC 9110 §13.1.5): strong comparison of tags, exact match of dates.
    fn range_applies(&self, request: &Request) -> bool {
        request
            .header("if-range")
            .is_none_or(|condition| condition == self.etag || condition == self.last_modified)
    }
}

/// The bytes asked for, empty when not satisfiable; `None`: not a single valid range, to be ignored.
pub(super) fn parse_range(header: &str, length: u64) -> Option<Range<u64>> {
    let (first, last) = header.strip_prefix("bytes=")?.trim().split_once('-')?;
    if first.is_empty() {
        let suffix: u64 = last.parse().ok()?;
        return Some(length.saturating_sub(suffix)..length);
    }
    let start: u64 = first.parse().ok()?;
    let last: u64 = match last {
        "" => u64::MAX,
        last => last.parse().ok()?,
    };
    (start <= last).then(|| start.min(length)..last.saturating_add(1).min(length))
}
