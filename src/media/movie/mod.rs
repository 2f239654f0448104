//! What the beginning of an ISO base media file says of its tracks. Pure.
//!
//! Lenient: boxes that are not known are passed over, and what is cut off is not known. For the exact reading of files
//! that are to be joined there is [`super::fmp4`].
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

/// Most tracks that are looked at.
const MAX_TRACKS: usize = 64;
/// Normal speed of an edit, as a fixed-point number.
const NORMAL_RATE: u32 = 0x0001_0000;
/// The start of an edit that shows nothing.
const EMPTY_EDIT: u64 = u64::MAX;

/// A length in units of a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duration {
    /// Units.
    pub units: u64,
    /// Units per second; never 0.
    pub scale: u32,
}

impl Duration {
    /// The length in samples at `rate` per second, the last begun one included.
    pub fn samples(self, rate: u32) -> u64 {
        let samples = u128::from(self.units).saturating_mul(rate.into());
        let samples = samples.div_ceil(u128::from(self.scale));
        u64::try_from(samples).unwrap_or(u64::MAX)
    }
}

/// The index of a file (ISO/IEC 14496-12 §8.2.1), as far as it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movie {
    /// Its tracks in order.
    pub tracks: Vec<Track>,
    /// Whether more samples follow in fragments (§8.8.1), whose number the index doesn't say.
    pub is_fragmented: bool,
}

/// One track.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Track {
    /// What it is: `vide`, `soun` and others.
    pub handler: [u8; 4],
    /// Width and height in pixels, of one with a picture.
    pub size: Option<(u16, u16)>,
    /// Samples per second of one with sound, as its decoder is told.
    pub sample_rate: Option<u32>,
    /// Samples: pictures, or frames of sound. `None` when the table is cut off.
    pub count: Option<u64>,
    /// All of them together, those in fragments included, without edits.
    pub media: Option<Duration>,
    /// What is played of them (§8.6.6); `None` when the edits are more than one stretch at normal speed.
    pub played: Option<Duration>,
}

impl Movie {
    /// Reads the beginning of a file; `None` when no index stands in front of the media.
    pub fn of(start: &[u8]) -> Option<Self> {
        let moov = Boxes(start)
            .take_while(|found| &found.name != b"mdat")
            .find(|found| &found.name == b"moov")?;
        let scale = child(moov.payload, *b"mvhd").and_then(|header| {
            let at = if *header.first()? == 0 { 12 } else { 20 };
            be32(header, at)
        });
        let is_fragmented = child(moov.payload, *b"mvex").is_some();
        let traks = Boxes(moov.payload).filter(|found| &found.name == b"trak");
        let traks: Vec<_> = traks.take(MAX_TRACKS).collect();
        let samples = match (is_fragmented, &traks[..]) {
            (false, _) => Samples::Here,
            (true, [_]) => Samples::InFragments(fragments(start)),
            // The index of fragments is that of one track.
            (true, _) => Samples::InFragments(None),
        };
        let tracks = traks.iter();
        Some(Self {
            tracks: tracks
                .map(|trak| track(trak.payload, scale.unwrap_or(0), samples))
                .collect(),
            is_fragmented,
        })
    }

    /// The first track of a kind.
    pub fn first(&self, handler: [u8; 4]) -> Option<&Track> {
        self.tracks.iter().find(|track| track.handler == handler)
    }

    /// How long the first sound is heard, exact to a frame; `None` where the index doesn't say it so exactly: the track
    /// goes on in fragments that have no index, its edits are more than one stretch, or its times are not counted in its
    /// own samples.
    pub fn sound(&self) -> Option<Duration> {
        let track = self.first(*b"soun")?;
        let (media, rate) = (track.media?, track.sample_rate?);
        // Twice or half of it: AAC with band replication, whose decoder is told either rate.
        let is_counted = [rate, rate.saturating_mul(2), rate / 2].contains(&media.scale);
        track.played.filter(|played| is_counted && played.units > 0)
    }
}

/// Where the samples are counted.
#[derive(Debug, Clone, Copy)]
enum Samples {
    /// In the tables of the track.
    Here,
    /// In the fragments, which last so long together by their own index.
    InFragments(Option<Duration>),
}

fn track(trak: &[u8], movie_scale: u32, samples: Samples) -> Track {
    let mut track = Track::default();
    let Some(mdia) = child(trak, *b"mdia") else {
        return track;
    };
    let handler = child(mdia, *b"hdlr").and_then(|body| body.get(8..)?.first_chunk().copied());
    track.handler = handler.unwrap_or_default();
    let table = child(mdia, *b"minf").and_then(|minf| child(minf, *b"stbl"));
    let Some(table) = table else {
        return track;
    };
    match &track.handler {
        b"vide" => track.size = child(table, *b"stsd").and_then(picture_size),
        b"soun" => track.sample_rate = child(table, *b"stsd").and_then(sample_rate),
        _ => {}
    }
    let times = child(table, *b"stts").and_then(times);
    track.count = times.map(|(count, _)| count);
    let scale = media_scale(mdia);
    track.media = match samples {
        Samples::Here => times
            .zip(scale)
            .map(|((_, units), scale)| Duration { units, scale }),
        Samples::InFragments(length) => {
            length.filter(|length| Some(length.scale) == scale && track.count == Some(0))
        }
    };
    let edits = child(trak, *b"edts").and_then(|edts| child(edts, *b"elst"));
    track.played = track.media.and_then(|media| match edits {
        None => Some(media),
        Some(edits) => played(edits, media, movie_scale, samples),
    });
    track
}

/// How long the fragments are by the index in front of them (§8.16.3); `None` when it isn't there, or isn't there wholly.
fn fragments(start: &[u8]) -> Option<Duration> {
    let mut boxes = Boxes(start).take_while(|found| !matches!(&found.name, b"moof" | b"mdat"));
    let index = boxes.find(|found| &found.name == b"sidx")?.payload;
    let is_wide = *index.first()? == 1;
    let scale = be32(index, 8).filter(|scale| *scale > 0)?;
    let at = if is_wide { 30 } else { 22 };
    let count = usize::from(be16(index, at)?);
    let references = index.get(at..)?.get(2..)?;
    let references = references.get(..count.checked_mul(12)?)?;
    let lengths = references.chunks_exact(12).map(|one| be32(one, 4));
    let units = lengths
        .map(|length| length.map(u64::from))
        .sum::<Option<u64>>()?;
    Some(Duration { units, scale })
}

/// Units per second of a track (§8.4.2).
fn media_scale(mdia: &[u8]) -> Option<u32> {
    let header = child(mdia, *b"mdhd")?;
    let at = if *header.first()? == 0 { 12 } else { 20 };
    be32(header, at).filter(|scale| *scale > 0)
}

/// Number and sum of the samples' times (§8.6.1.2).
fn times(table: &[u8]) -> Option<(u64, u64)> {
    let runs = usize::try_from(be32(table, 4)?).ok()?;
    let runs = table.get(8..8_usize.checked_add(runs.checked_mul(8)?)?)?;
    let (mut count, mut sum) = (0_u64, 0_u64);
    for run in runs.chunks_exact(8) {
        let (samples, each) = (u64::from(be32(run, 0)?), u64::from(be32(run, 4)?));
        count = count.checked_add(samples)?;
        sum = sum.checked_add(samples.checked_mul(each)?)?;
    }
    Some((count, sum))
}

/// What one stretch of `media` at normal speed plays; nothing is played during an empty edit, whose time a reader drops.
/// A stretch without a length goes to the end of the fragments: it was written before them (§8.6.6).
fn played(edits: &[u8], media: Duration, movie_scale: u32, samples: Samples) -> Option<Duration> {
    let is_wide = *edits.first()? == 1;
    let width = if is_wide { 20 } else { 12 };
    let count = usize::try_from(be32(edits, 4)?).ok()?;
    let edits = edits.get(8..8_usize.checked_add(count.checked_mul(width)?)?)?;
    let mut stretch = None;
    for edit in edits.chunks_exact(width) {
        let (length, start) = if is_wide {
            (be64(edit, 0)?, be64(edit, 8)?)
        } else {
            // The sign is carried over.
            let start = i64::from(be32(edit, 4)?.cast_signed()).cast_unsigned();
            (be32(edit, 0)?.into(), start)
        };
        if start == EMPTY_EDIT {
            continue;
        }
        let rate = edit.last_chunk().map(|bytes| u32::from_be_bytes(*bytes));
        if rate? != NORMAL_RATE || stretch.replace((length, start)).is_some() {
            return None;
        }
    }
    let (length, start) = stretch?;
    let rest = media.units.checked_sub(start)?;
    if length == 0 && matches!(samples, Samples::InFragments(_)) {
        return Some(Duration {
            units: rest,
            ..media
        });
    }
    if movie_scale == 0 || length == 0 {
        return None;
    }
    let length = Duration {
        units: length,
        scale: movie_scale,
    };
    Some(Duration {
        units: length.samples(media.scale).min(rest),
        ..media
    })
}

/// Of the first sample entry (§8.5.2, §12.1.3).
fn picture_size(descriptions: &[u8]) -> Option<(u16, u16)> {
    let entry = Boxes(descriptions.get(8..)?).next()?.payload;
    Some((be16(entry, 24)?, be16(entry, 26)?))
}

/// Of the first sample entry (§12.2.3): the whole part of a fixed-point number.
fn sample_rate(descriptions: &[u8]) -> Option<u32> {
    let entry = Boxes(descriptions.get(8..)?).next()?.payload;
    let rate = be32(entry, 24)? >> 16;
    (rate > 0).then_some(rate)
}

fn child(parent: &[u8], name: [u8; 4]) -> Option<&[u8]> {
    Boxes(parent)
        .find(|found| found.name == name)
        .map(|found| found.payload)
}

/// A box whose beginning is there; its payload as far as it is.
struct Found<'a> {
    name: [u8; 4],
    payload: &'a [u8],
}

/// The boxes of a file or of a box, one after the other (§4.2).
struct Boxes<'a>(&'a [u8]);

impl<'a> Iterator for Boxes<'a> {
    type Item = Found<'a>;

    fn next(&mut self) -> Option<Found<'a>> {
        let bytes = self.0;
        let name = *bytes.get(4..)?.first_chunk()?;
        let (header, length) = match be32(bytes, 0)? {
            0 => (8, bytes.len()),
            1 => (16, usize::try_from(be64(bytes, 8)?).ok()?),
            length => (8, usize::try_from(length).ok()?),
        };
        if length < header {
            return None;
        }
        let end = length.min(bytes.len());
        let (whole, rest) = bytes.split_at_checked(end)?;
        self.0 = rest;
        let payload = whole.get(header..)?;
        Some(Found { name, payload })
    }
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn be64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
pub(super) mod tests;
