//! The header of the joined file: `ftyp`, `moov`, `sidx`, made new from those of the tracks.

use super::boxes::{Whole, append, append_full, put};
use super::error::{Fault, FourCc};
use super::movie::{Edit, Movie};
use super::tags::append_tags;
use crate::media::Tags;

/// Most references of one index: the field has 16 bits.
pub(super) const MAX_REFERENCES: usize = u16::MAX as usize;

/// One track of the file to be made.
#[derive(Debug)]
pub(super) struct TrackPlan<'a> {
    /// The track as its own file has it.
    pub(super) movie: &'a Movie,
    /// Its id in the new file.
    pub(super) id: u32,
    /// How long it is to be seen or heard, in ticks of the new movie.
    pub(super) duration: u64,
    /// How long its media are, in ticks of the track.
    pub(super) media_duration: u64,
    /// Its edit list, durations in ticks of the new movie.
    pub(super) edits: Vec<Edit>,
}

/// The index of one track of the file to be made.
#[derive(Debug)]
pub(super) struct IndexPlan {
    /// The track's id.
    pub(super) id: u32,
    /// Bytes between all indices and the first reference.
    pub(super) lead: u64,
    /// Ticks per second.
    pub(super) timescale: u32,
    /// When the first reference begins, in ticks.
    pub(super) time: u64,
    /// Bytes, ticks, and the word about access of each reference.
    pub(super) references: Vec<(u32, u32, u32)>,
}

/// Ticks per second of a movie made of these two: both are counted in it exactly where such a number fits.
pub(super) fn common_timescale(first: u32, second: u32) -> u32 {
    /// Nanoseconds: more has no use.
    const MOST: u64 = 1_000_000_000;
    let (wide_first, wide_second) = (u64::from(first), u64::from(second));
    let product = wide_first / greatest_divisor(wide_first, wide_second).max(1) * wide_second;
    match u32::try_from(product) {
        Ok(common) if u64::from(common) <= MOST => common,
        _ => first.max(second),
    }
}

fn greatest_divisor(mut first: u64, mut second: u64) -> u64 {
    while second > 0 {
        (first, second) = (second, first % second);
    }
    first
}

/// `value` ticks of `from` per second in ticks of `to` per second, rounded down.
pub(super) fn rescale(value: u64, from: u32, to: u32) -> u64 {
    let scaled = u128::from(value) * u128::from(to) / u128::from(from.max(1));
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

/// Appends the `ftyp`.
pub(super) fn append_ftyp(out: &mut Vec<u8>) -> Result<(), Fault> {
    append(out, *b"ftyp", |out| {
        out.extend_from_slice(b"iso6\0\0\0\0iso6isommp42");
        Ok(())
    })
}

/// Appends the `moov`.
pub(super) fn append_moov(
    out: &mut Vec<u8>,
    timescale: u32,
    tracks: &[TrackPlan<'_>; 2],
    tags: &Tags<'_>,
) -> Result<(), Fault> {
    let duration = tracks.iter().map(|track| track.duration).max();
    let duration = duration.unwrap_or_default();
    append(out, *b"moov", |out| {
        append_mvhd(out, timescale, duration)?;
        for track in tracks {
            append_trak(out, track)?;
        }
        append(out, *b"mvex", |out| {
            append_full(out, *b"mehd", 1, |out| {
                out.extend_from_slice(&duration.to_be_bytes());
                Ok(())
            })?;
            tracks.iter().try_for_each(|track| append_trex(out, track))
        })?;
        append_tags(out, tags)
    })
}

/// §8.2.2, version 1.
fn append_mvhd(out: &mut Vec<u8>, timescale: u32, duration: u64) -> Result<(), Fault> {
    /// Identity.
    const MATRIX: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];
    append_full(out, *b"mvhd", 1, |out| {
        out.extend_from_slice(&[0; 16]);
        out.extend_from_slice(&timescale.to_be_bytes());
        out.extend_from_slice(&duration.to_be_bytes());
        // Normal speed, full volume.
        out.extend_from_slice(&[0, 1, 0, 0, 1, 0]);
        out.extend_from_slice(&[0; 10]);
        out.extend(MATRIX.iter().flat_map(|word| word.to_be_bytes()));
        out.extend_from_slice(&[0; 24]);
        // Next track id.
        out.extend_from_slice(&3_u32.to_be_bytes());
        Ok(())
    })
}

/// The track's own box with other figures; what refers to other tracks or is said of the file stays out.
fn append_trak(out: &mut Vec<u8>, track: &TrackPlan<'_>) -> Result<(), Fault> {
    let (trak, _) = Whole::read(&track.movie.trak, FourCc(*b"moov"))?;
    append(out, *b"trak", |out| {
        for child in trak.children() {
            let child = child?;
            match &child.kind.0 {
                b"tkhd" => {
                    append_tkhd(out, &child, track)?;
                    append_edits(out, &track.edits)?;
                }
                b"mdia" => append_mdia(out, &child, track.media_duration)?,
                b"edts" | b"tref" | b"udta" | b"meta" | b"free" | b"skip" => {}
                _ => out.extend_from_slice(child.bytes),
            }
        }
        Ok(())
    })
}

/// §8.3.2: another id and duration; in no group of tracks that replace each other, for the file has one of each kind.
fn append_tkhd(out: &mut Vec<u8>, found: &Whole<'_>, track: &TrackPlan<'_>) -> Result<(), Fault> {
    let mut body = found.body.to_vec();
    let is_long = body.first() == Some(&1);
    let (id_at, duration_at) = if is_long { (20, 28) } else { (12, 20) };
    let group_at = duration_at + if is_long { 8 } else { 4 } + 10;
    let cut = || Fault::Cut(found.kind);
    // Enabled, and part of the movie.
    *body.get_mut(3).ok_or_else(cut)? |= 3;
    put(&mut body, id_at, track.id.to_be_bytes()).ok_or_else(cut)?;
    put_duration(&mut body, duration_at, is_long, track.duration).ok_or_else(cut)?;
    put(&mut body, group_at, [0, 0]).ok_or_else(cut)?;
    append(out, *b"tkhd", |out| {
        out.extend_from_slice(&body);
        Ok(())
    })
}

/// Writes a duration over one of that width; one that doesn't fit is said to be unknown.
fn put_duration(body: &mut [u8], at: usize, is_long: bool, duration: u64) -> Option<()> {
    if is_long {
        return put(body, at, duration.to_be_bytes());
    }
    put(
        body,
        at,
        u32::try_from(duration).unwrap_or(u32::MAX).to_be_bytes(),
    )
}

fn append_edits(out: &mut Vec<u8>, edits: &[Edit]) -> Result<(), Fault> {
    if edits.is_empty() {
        return Ok(());
    }
    let count = u32::try_from(edits.len()).map_err(|_| Fault::TooMany("edits"))?;
    append(out, *b"edts", |out| {
        append_full(out, *b"elst", 1, |out| {
            out.extend_from_slice(&count.to_be_bytes());
            for edit in edits {
                let place = edit.media_time.map_or(-1, u64::cast_signed);
                out.extend_from_slice(&edit.duration.to_be_bytes());
                out.extend_from_slice(&place.to_be_bytes());
                out.extend_from_slice(&edit.rate.to_be_bytes());
            }
            Ok(())
        })
    })
}

/// §8.4: another duration in `mdhd`.
fn append_mdia(out: &mut Vec<u8>, mdia: &Whole<'_>, duration: u64) -> Result<(), Fault> {
    append(out, *b"mdia", |out| {
        for child in mdia.children() {
            let child = child?;
            if child.kind.0 != *b"mdhd" {
                out.extend_from_slice(child.bytes);
                continue;
            }
            let mut body = child.body.to_vec();
            let is_long = body.first() == Some(&1);
            let at = if is_long { 24 } else { 16 };
            put_duration(&mut body, at, is_long, duration).ok_or(Fault::Cut(child.kind))?;
            append(out, *b"mdhd", |out| {
                out.extend_from_slice(&body);
                Ok(())
            })?;
        }
        Ok(())
    })
}

fn append_trex(out: &mut Vec<u8>, track: &TrackPlan<'_>) -> Result<(), Fault> {
    append_full(out, *b"trex", 0, |out| {
        out.extend_from_slice(&track.id.to_be_bytes());
        out.extend_from_slice(&track.movie.defaults);
        Ok(())
    })
}

/// Appends the indices; they stand right before the first run.
pub(super) fn append_indices(out: &mut Vec<u8>, indices: &[IndexPlan; 2]) -> Result<(), Fault> {
    let [first, second] = indices;
    let mut behind = Vec::new();
    append_sidx(&mut behind, second, 0)?;
    append_sidx(out, first, behind.len() as u64)?;
    out.extend_from_slice(&behind);
    Ok(())
}

/// `behind` bytes of other indices follow.
fn append_sidx(out: &mut Vec<u8>, index: &IndexPlan, behind: u64) -> Result<(), Fault> {
    let count = u16::try_from(index.references.len()).map_err(|_| Fault::TooMany("runs"))?;
    append_full(out, *b"sidx", 1, |out| {
        out.extend_from_slice(&index.id.to_be_bytes());
        out.extend_from_slice(&index.timescale.to_be_bytes());
        out.extend_from_slice(&index.time.to_be_bytes());
        out.extend_from_slice(&(index.lead + behind).to_be_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&count.to_be_bytes());
        for (size, duration, access) in &index.references {
            out.extend_from_slice(&size.to_be_bytes());
            out.extend_from_slice(&duration.to_be_bytes());
            out.extend_from_slice(&access.to_be_bytes());
        }
        Ok(())
    })
}
