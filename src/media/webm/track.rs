//! What the `EBML` header, `Info` and `Tracks` of a file say.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use super::Fault;
use super::ebml::{Element, elements};
use super::ids;
use crate::media::Side;

/// Versions of the document type that a file needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Versions {
    /// `DocTypeVersion`.
    pub(super) written: u64,
    /// `DocTypeReadVersion`.
    pub(super) read: u64,
}

/// Reads the data of the `EBML` element.
pub(super) fn parse_ebml(data: &[u8]) -> Result<Versions, Fault> {
    let mut versions = Versions {
        written: 1,
        read: 1,
    };
    let mut is_webm = false;
    for element in elements(data) {
        let element = element?;
        match element.id {
            ids::EBML_READ_VERSION => at_most(&element, 1)?,
            ids::EBML_MAX_ID_LENGTH => at_most(&element, 4)?,
            ids::EBML_MAX_SIZE_LENGTH => at_most(&element, 8)?,
            ids::DOC_TYPE => is_webm = element.text() == b"webm",
            ids::DOC_TYPE_VERSION => versions.written = element.uint()?,
            ids::DOC_TYPE_READ_VERSION => versions.read = element.uint()?,
            _ => {}
        }
    }
    if is_webm {
        Ok(versions)
    } else {
        Err(Fault::Unsupported("its document type isn't `webm`"))
    }
}

fn at_most(element: &Element<'_>, most: u64) -> Result<(), Fault> {
    if element.uint()? <= most {
        Ok(())
    } else {
        Err(Fault::Unsupported("it needs a newer EBML"))
    }
}

/// Largest track number: a block holds it in at most eight bytes, not all of whose bits may be set.
pub(super) const MAX_NUMBER: u64 = (1 << 56) - 2;

/// What `Info` says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Info {
    /// Nanoseconds of one tick.
    pub(super) scale: u64,
    /// Ticks; finite and positive.
    pub(super) duration: Option<f64>,
}

/// Reads the data of `Info`.
pub(super) fn parse_info(data: &[u8]) -> Result<Info, Fault> {
    let mut info = Info {
        scale: 1_000_000,
        duration: None,
    };
    for element in elements(data) {
        let element = element?;
        match element.id {
            ids::TIMESTAMP_SCALE => info.scale = element.uint()?,
            ids::DURATION => info.duration = Some(element.float()?),
            _ => {}
        }
    }
    let is_lasting = |duration: f64| duration.is_finite() && duration > 0.0;
    if info.scale == 0 || info.duration.is_some_and(|d| !is_lasting(d)) {
        return Err(Fault::Malformed("a scale or duration that is no time"));
    }
    Ok(info)
}

/// The one track of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Picture or sound.
    pub(super) side: Side,
    /// What its blocks call it.
    pub(super) number: u64,
    /// What tags call it.
    pub(super) uid: u64,
    /// All other children of its `TrackEntry`, as they are.
    pub(super) rest: Vec<u8>,
}

/// Reads the data of `Tracks`.
pub(super) fn parse_tracks(data: &[u8]) -> Result<Entry, Fault> {
    let mut entry = None;
    for element in elements(data) {
        let element = element?;
        if element.id == ids::TRACK_ENTRY && entry.replace(parse_entry(element.data)?).is_some() {
            return Err(Fault::Unsupported("more than one track"));
        }
    }
    entry.ok_or(Fault::Malformed("no track"))
}

fn parse_entry(data: &[u8]) -> Result<Entry, Fault> {
    let (mut number, mut uid, mut kind, mut codec) = (0, 0, 0, &[][..]);
    let mut rest = Vec::new();
    for element in elements(data) {
        let element = element?;
        match element.id {
            ids::TRACK_NUMBER => number = element.uint()?,
            ids::TRACK_UID => uid = element.uint()?,
            ids::CONTENT_ENCODINGS => return Err(encoded(element.data)),
            ids::TRACK_OPERATION => {
                return Err(Fault::Unsupported("its track is made from others"));
            }
            id => {
                match id {
                    ids::TRACK_TYPE => kind = element.uint()?,
                    ids::CODEC_ID => codec = element.text(),
                    _ => {}
                }
                rest.extend_from_slice(element.whole);
            }
        }
    }
    if number == 0 || number > MAX_NUMBER || uid == 0 {
        return Err(Fault::Malformed("a track without number or UID"));
    }
    Ok(Entry {
        side: side_of(kind, codec)?,
        number,
        uid,
        rest,
    })
}

/// What is wrong with a track whose data are encoded once more.
fn encoded(encodings: &[u8]) -> Fault {
    for encoding in elements(encodings) {
        let Ok(encoding) = encoding else { break };
        let is_encryption = |element: Result<Element<'_>, Fault>| {
            element.is_ok_and(|element| element.id == ids::CONTENT_ENCRYPTION)
        };
        if encoding.id == ids::CONTENT_ENCODING && elements(encoding.data).any(is_encryption) {
            return Fault::Encrypted;
        }
    }
    Fault::Unsupported("its track is packed")
}

fn side_of(kind: u64, codec: &[u8]) -> Result<Side, Fault> {
    match (kind, codec) {
        (1, b"V_VP8" | b"V_VP9" | b"V_AV1") => Ok(Side::Picture),
        (2, b"A_OPUS" | b"A_VORBIS") => Ok(Side::Sound),
        _ => Err(Fault::Unsupported("a track of no WebM codec")),
    }
}
