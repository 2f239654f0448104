//! The `moov` of a file with one track: what a joined file keeps of it.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use super::boxes::{Fields, Whole};
use super::error::{Fault, FourCc};

/// Most entries of an edit list; honest ones have one or two.
const MAX_EDITS: usize = 64;
/// Largest `trak`: a few hundred bytes, with profiles of colour some thousands.
const MAX_TRAK: usize = 1 << 20;

/// What a joined file keeps of a `moov`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Movie {
    /// Ticks per second of the movie: of durations in `tkhd` and `elst`.
    pub(super) timescale: u32,
    /// The track's id.
    pub(super) track: u32,
    /// Ticks per second of the track: of decode times and of edits' places.
    pub(super) media_timescale: u32,
    /// `vide` or `soun`.
    pub(super) handler: FourCc,
    /// The edit list; empty when there is none.
    pub(super) edits: Vec<Edit>,
    /// The `trak`, header and all.
    pub(super) trak: Vec<u8>,
    /// What `trex` says after the track's id.
    pub(super) defaults: [u8; 16],
}

/// One entry of an edit list (ISO/IEC 14496-12 §8.6.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edit {
    /// Ticks of the movie; 0 in a fragmented file: all there is.
    pub(super) duration: u64,
    /// Ticks of the track; `None`: nothing is shown.
    pub(super) media_time: Option<u64>,
    /// Speed, 16.16.
    pub(super) rate: u32,
}

/// An edit list of the ordinary kind: a pause or none, then everything from a place on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PlainEdit {
    /// Pause, in ticks of the movie.
    pub(super) delay: u64,
    /// First place shown, in ticks of the track.
    pub(super) media_time: u64,
}

/// Normal speed.
pub(super) const RATE: u32 = 0x1_0000;

impl Movie {
    /// Reads a `moov`.
    ///
    /// # Errors
    /// Not one track, encrypted, not fragmented, or broken.
    pub(super) fn read(moov: &Whole<'_>) -> Result<Self, Fault> {
        let (mvhd_version, mut mvhd) = moov.only(*b"mvhd")?.full()?;
        skip_dates(&mut mvhd, mvhd_version)?;
        let timescale = scale(mvhd.u32()?)?;
        let trak = only_track(moov)?;
        if trak.bytes.len() > MAX_TRAK {
            return Err(Fault::TooLarge("trak"));
        }
        let (tkhd_version, mut tkhd) = trak.only(*b"tkhd")?.full()?;
        skip_dates(&mut tkhd, tkhd_version)?;
        let track = tkhd.u32()?;
        let mdia = trak.only(*b"mdia")?;
        let (mdhd_version, mut mdhd) = mdia.only(*b"mdhd")?.full()?;
        skip_dates(&mut mdhd, mdhd_version)?;
        let (_, mut hdlr) = mdia.only(*b"hdlr")?.full()?;
        hdlr.skip(4)?;
        let handler = FourCc(hdlr.u32()?.to_be_bytes());
        check_samples(&mdia.only(*b"minf")?.only(*b"stbl")?)?;
        Ok(Self {
            timescale,
            track,
            media_timescale: scale(mdhd.u32()?)?,
            handler,
            edits: edits(&trak)?,
            trak: trak.bytes.to_vec(),
            defaults: defaults(moov, track)?,
        })
    }

    /// The edit list, if it is of the ordinary kind.
    pub(super) fn plain_edit(&self) -> Option<PlainEdit> {
        let Some((last, pauses)) = self.edits.split_last() else {
            return Some(PlainEdit {
                delay: 0,
                media_time: 0,
            });
        };
        let is_plain = pauses.iter().all(|edit| edit.media_time.is_none()) && last.rate == RATE;
        let delay = pauses
            .iter()
            .try_fold(0_u64, |sum, edit| sum.checked_add(edit.duration))?;
        let media_time = last.media_time.filter(|_| is_plain)?;
        Some(PlainEdit { delay, media_time })
    }
}

/// Passes over the dates of creation and change, with which three boxes begin.
fn skip_dates(fields: &mut Fields<'_>, version: u8) -> Result<(), Fault> {
    fields.skip(if version == 1 { 16 } else { 8 })
}

fn scale(timescale: u32) -> Result<u32, Fault> {
    if timescale == 0 {
        return Err(Fault::Timescale);
    }
    Ok(timescale)
}

fn only_track<'a>(moov: &Whole<'a>) -> Result<Whole<'a>, Fault> {
    moov.optional(FourCc(*b"trak"))
        .map_err(|fault| match fault {
            Fault::Unexpected(_) => Fault::Tracks,
            fault => fault,
        })?
        .ok_or(Fault::Tracks)
}

/// No samples outside of fragments, and none encrypted.
fn check_samples(stbl: &Whole<'_>) -> Result<(), Fault> {
    let stsd = stbl.only(*b"stsd")?;
    let (_, mut fields) = stsd.full()?;
    let count = fields.u32()?;
    let mut rest = fields.rest();
    for _ in 0..count.min(16) {
        let (entry, after) = Whole::read(rest, stsd.kind)?;
        if matches!(&entry.kind.0, [b'e', b'n', b'c', _]) {
            return Err(Fault::Encrypted);
        }
        rest = after;
    }
    if count == 0 || !rest.is_empty() {
        return Err(Fault::Cut(stsd.kind));
    }
    for kind in [*b"stsz", *b"stz2"] {
        let Some(sizes) = stbl.optional(FourCc(kind))? else {
            continue;
        };
        let (_, mut fields) = sizes.full()?;
        fields.skip(4)?;
        if fields.u32()? > 0 {
            return Err(Fault::Unfragmented);
        }
    }
    Ok(())
}

fn edits(trak: &Whole<'_>) -> Result<Vec<Edit>, Fault> {
    let Some(edts) = trak.optional(FourCc(*b"edts"))? else {
        return Ok(Vec::new());
    };
    let Some(elst) = edts.optional(FourCc(*b"elst"))? else {
        return Ok(Vec::new());
    };
    let (version, mut fields) = elst.full()?;
    if version > 1 {
        return Err(Fault::Version(elst.kind));
    }
    let count = usize::try_from(fields.u32()?).unwrap_or(usize::MAX);
    if count > MAX_EDITS {
        return Err(Fault::TooMany("edits"));
    }
    (0..count).map(|_| edit(&mut fields, version)).collect()
}

fn edit(fields: &mut Fields<'_>, version: u8) -> Result<Edit, Fault> {
    let duration = fields.long(version == 1)?;
    let media_time = if version == 1 {
        fields.u64()?.cast_signed()
    } else {
        i64::from(fields.u32()?.cast_signed())
    };
    let rate = fields.u32()?;
    // -1 is a pause; other negative places mean nothing.
    let media_time = match media_time {
        -1 => None,
        place => Some(u64::try_from(place).map_err(|_| Fault::Edits)?),
    };
    Ok(Edit {
        duration,
        media_time,
        rate,
    })
}

/// What `trex` says of the track, which only fragmented files have.
fn defaults(moov: &Whole<'_>, track: u32) -> Result<[u8; 16], Fault> {
    let mvex = FourCc(*b"mvex");
    let mvex = moov.optional(mvex)?.ok_or(Fault::Missing(mvex))?;
    let (_, mut trex) = mvex.only(*b"trex")?.full()?;
    if trex.u32()? != track {
        return Err(Fault::ForeignTrack);
    }
    trex.rest()
        .first_chunk()
        .copied()
        .ok_or(Fault::Cut(FourCc(*b"trex")))
}
