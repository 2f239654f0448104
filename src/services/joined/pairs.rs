//! Which pairs are offered of a post. Pure.

use super::PairWish;
use super::id::PairId;
use crate::extract::{Codec, Container, Content, Extraction, Format, StreamFacts, Tracks, select};
use crate::media::Container as Layout;

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

/// The pairs of a post: each picture with the sound that is meant, of its own container where there is one. `can_remux`:
/// those that aren't joined in process can be had as well.
pub(super) fn of(extraction: &Extraction, wish: PairWish, can_remux: bool) -> Vec<Pair> {
    let Content::Video { formats } = &extraction.content else {
        return Vec::new();
    };
    let sounds = select::sounds(formats);
    let can_remux = can_remux && wish.span.is_none();
    let pictures = formats
        .iter()
        .filter(|format| format.tracks == Tracks::Video);
    let pairs = pictures.filter_map(|picture| {
        let joined = meant(&sounds, |sound| are_joined(picture, sound));
        let remuxed = || meant(&sounds, |sound| can_remux && are_remuxed(picture, sound));
        let sound = joined.or_else(remuxed)?;
        let track = select::one_of_several(formats, sound);
        Some(pair((picture, sound), track, wish))
    });
    pairs.collect()
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

/// Of the fitting tracks that are meant AAC, which plays everywhere, else the first.
fn meant<'a>(sounds: &[&'a Format], is_fit: impl Fn(&Format) -> bool) -> Option<&'a Format> {
    let fitting = || sounds.iter().copied().filter(|sound| is_fit(sound));
    let first = fitting().next()?;
    let is_equal = |sound: &&Format| {
        sound.acodec == Some(Codec::Aac)
            && sound.facts.audio == first.facts.audio
            && sound.facts.is_compressed_loudness == first.facts.is_compressed_loudness
    };
    let aac = fitting().filter(is_equal);
    Some(aac.max_by_key(|sound| sound.bitrate_bps).unwrap_or(first))
}

/// How a file of one track is laid out; `None` for one that goes into no pair.
pub(in crate::services) fn container(format: &Format) -> Option<Layout> {
    match format.container {
        Container::Mp4 | Container::M4a => Some(Layout::Mp4),
        Container::Webm => Some(Layout::Webm),
        Container::Mp3 => None,
    }
}

/// Whether the site says how long the file is, and what names its bytes.
pub(super) fn is_told(format: &Format) -> bool {
    format.facts.identity.is_some() && format.filesize.is_some()
}

/// Whether two tracks are joined in process, as far as can be seen before they are looked at.
fn are_joined(picture: &Format, sound: &Format) -> bool {
    let is_indexed = |format: &Format| is_told(format) && format.facts.index_range.is_some();
    let of_picture = container(picture);
    of_picture.is_some()
        && of_picture == container(sound)
        && is_indexed(picture)
        && is_indexed(sound)
}

/// Whether FFmpeg can put two tracks into one file as they are: of one container into that, others into MP4 if it holds
/// their codecs.
fn are_remuxed(picture: &Format, sound: &Format) -> bool {
    let containers = [picture, sound].map(container);
    let are_held = picture.vcodec.is_some() && sound.acodec.is_some();
    containers[0].is_some()
        && (containers[0] == containers[1] || containers[1].is_some() && are_held)
}

fn pair((picture, sound): (&Format, &Format), track: Option<&str>, wish: PairWish) -> Pair {
    let span = wish.span;
    let file = if container(picture) == container(sound) {
        picture.container
    } else {
        Container::Mp4
    };
    let id = PairId {
        picture: picture.id.clone(),
        sound: sound.id.clone(),
        track: track.map(str::to_owned),
        span,
        has_cover: wish.has_cover && file == Container::Mp4,
    };
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
            container: file,
            acodec: sound.acodec,
            bitrate_bps: sum(picture.bitrate_bps, sound.bitrate_bps),
            filesize: None,
            facts: Box::new(facts),
            ..picture.clone()
        },
        id,
    }
}
