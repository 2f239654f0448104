//! Which pairs are offered of a post. Pure.

use super::id::{PairId, Span};
use crate::extract::{Codec, Container, Content, Extraction, Format, StreamFacts, Tracks, select};

/// Two tracks that can be one file, as a format.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The format: with picture and sound, its id that of the pair. [`Format::filesize`] is exact or unknown.
    pub format: Format,
    /// Which tracks.
    pub(in crate::services) id: PairId,
}

impl Pair {
    /// What a link says to name it.
    pub(in crate::services) fn link_format(&self) -> String {
        self.id.to_string()
    }
}

/// The pairs of a post: each picture with the sound that is meant.
pub(super) fn of(extraction: &Extraction, span: Option<Span>) -> Vec<Pair> {
    let Content::Video { formats } = &extraction.content else {
        return Vec::new();
    };
    let Some(sound) = sound(formats) else {
        return Vec::new();
    };
    let pictures = formats
        .iter()
        .filter(|format| format.tracks == Tracks::Video && is_joinable(format));
    let track = select::one_of_several(formats, sound);
    let id = |picture: &Format| PairId {
        picture: picture.id.clone(),
        sound: sound.id.clone(),
        track: track.map(str::to_owned),
        span,
    };
    pictures
        .map(|picture| pair(id(picture), picture, sound))
        .collect()
}

/// The pair that is picked by default, if a pair is; by its short side no higher than `max_height`.
pub(super) fn default(
    extraction: &Extraction,
    pairs: &[Pair],
    max_height: Option<u32>,
) -> Option<String> {
    let Content::Video { formats } = &extraction.content else {
        return None;
    };
    let pairs = pairs.iter().map(|pair| pair.format.clone());
    let mut all: Vec<Format> = formats.iter().cloned().chain(pairs).collect();
    if let Some(limit) = max_height {
        all = select::within(&all, limit);
    }
    select::no_watermark_hd(&all).map(|format| format.id.clone())
}

/// Of the tracks that are meant AAC, which plays everywhere, else the first.
fn sound(formats: &[Format]) -> Option<&Format> {
    let sounds = select::sounds(formats);
    let first = sounds.iter().find(|format| is_joinable(format))?;
    let is_equal = |format: &&&Format| {
        format.acodec == Some(Codec::Aac)
            && format.facts.audio == first.facts.audio
            && format.facts.is_compressed_loudness == first.facts.is_compressed_loudness
    };
    let joinable = sounds.iter().filter(|format| is_joinable(format));
    let aac = joinable
        .filter(is_equal)
        .max_by_key(|format| format.bitrate_bps);
    Some(aac.unwrap_or(first))
}

/// Whether the site says where the index is, how long the file is, and what names its bytes.
fn is_joinable(format: &Format) -> bool {
    let facts = &format.facts;
    matches!(format.container, Container::Mp4 | Container::M4a)
        && facts.index_range.is_some()
        && facts.identity.is_some()
        && format.filesize.is_some()
}

fn pair(id: PairId, picture: &Format, sound: &Format) -> Pair {
    let sum = |first: Option<u64>, second: Option<u64>| first?.checked_add(second?);
    let codecs = [picture, sound].map(|format| format.facts.codecs.as_deref());
    let codecs = codecs
        .iter()
        .flatten()
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    let facts = StreamFacts {
        codecs: Some(codecs).filter(|codecs| !codecs.is_empty()),
        dynamic_range: picture.facts.dynamic_range,
        duration_ms: picture.facts.duration_ms,
        filesize_approx: sum(picture.filesize, sound.filesize).filter(|_| id.span.is_none()),
        identity: None,
        init_range: None,
        index_range: None,
        ..(*sound.facts).clone()
    };
    Pair {
        format: Format {
            id: format!("{}+{}", id.picture, id.sound),
            tracks: Tracks::Combined,
            acodec: sound.acodec,
            bitrate_bps: sum(picture.bitrate_bps, sound.bitrate_bps),
            filesize: None,
            facts: Box::new(facts),
            ..picture.clone()
        },
        id,
    }
}
