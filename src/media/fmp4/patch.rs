//! The change of one run: other track id, other sequence number, for clips other decode times; and the proof, on the way,
//! that the run is what its index promised.
//!
//! Allocates nothing. Works on whole fields, the longest of which is a `tfhd` with everything in it.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use super::boxes::{Header, put_word, word};
use super::error::{Fault, FourCc};
use super::head::TrackHead;
use super::promise::Promise;
use crate::media::{Mismatch, Patch, Run};

/// Sequence numbers that each run has for itself: they rise through the file, and that of a run follows from its number.
const NUMBERS_PER_RUN: u32 = 256;
/// `tfhd`: the place that offsets count from is told (ISO/IEC 14496-12 §8.8.7).
const BASE_DATA_OFFSET: u32 = 1;
/// `trun`: the place of the data is told (§8.8.8).
const DATA_OFFSET: u32 = 1;
/// Most bytes of a `tfhd`: header, flags, id, place and five words.
const MAX_TFHD: u64 = 8 + 4 + 4 + 8 + 4 * 4;

/// What changes in every run of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TrackChange {
    /// The new id.
    pub(super) id: u32,
    /// Ticks of the track to be taken off decode times.
    pub(super) shift: u64,
}

/// The boxes whose contents are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    Run,
    Moof,
    Traf,
}

impl Inside {
    /// Whether a box of this type may stand here and says nothing of tracks and places.
    fn ignores(self, kind: [u8; 4]) -> bool {
        let kinds: &[&[u8; 4]] = match self {
            Self::Run => &[b"styp", b"emsg", b"sidx", b"ssix"],
            Self::Moof => &[b"meta"],
            Self::Traf => &[b"sgpd", b"sbgp", b"subs"],
        };
        matches!(&kind, b"free" | b"skip" | b"uuid") || kinds.contains(&&kind)
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct RunPatch {
    promise: Promise,
    change: TrackChange,
    /// Its place in the joined file.
    output: u64,
    /// Sequence number of its next fragment.
    sequence: u32,
    /// Bytes passed.
    position: u64,
    /// One past the last byte of what is passed unseen.
    unseen: u64,
    inside: Inside,
    /// Where the fragment's header begins and ends.
    moof: (u64, u64),
    /// One past the track fragment.
    traf_end: u64,
    has_tfhd: bool,
    has_tfdt: bool,
    /// Track fragments of this fragment.
    trafs: u32,
    /// Fragments whose data have not come.
    bare: u32,
    fragments: u32,
    /// The first decode time, in ticks of the track, as the run has it.
    time: Option<u64>,
}

impl RunPatch {
    /// The change of `run`, which a layout over `head` named.
    pub(super) fn new(change: TrackChange, head: &TrackHead, run: &Run) -> Self {
        Self {
            promise: Promise::new(head, run),
            change,
            output: run.output,
            sequence: run.number.saturating_mul(NUMBERS_PER_RUN).saturating_add(1),
            position: 0,
            unseen: 0,
            inside: Inside::Run,
            moof: (0, 0),
            traf_end: 0,
            has_tfhd: false,
            has_tfdt: false,
            trafs: 0,
            bare: 0,
            fragments: 0,
            time: None,
        }
    }

    /// Leaves boxes that end here.
    fn leave(&mut self) -> Result<(), Fault> {
        if self.inside == Inside::Traf && self.position == self.traf_end {
            if !self.has_tfdt {
                return Err(Fault::Missing(FourCc(*b"tfdt")));
            }
            self.inside = Inside::Moof;
        }
        if self.inside == Inside::Moof && self.position == self.moof.1 {
            if self.trafs == 0 {
                return Err(Fault::Missing(FourCc(*b"traf")));
            }
            self.inside = Inside::Run;
        }
        Ok(())
    }

    fn end(&self) -> u64 {
        match self.inside {
            Inside::Run => self.promise.length,
            Inside::Moof => self.moof.1,
            Inside::Traf => self.traf_end,
        }
    }

    /// Takes one box or its header from the front; 0 when too little of it is there.
    fn step(&mut self, bytes: &mut [u8]) -> Result<usize, Fault> {
        let Some(header) = Header::read(bytes)? else {
            return Ok(0);
        };
        let end = self.position.checked_add(header.size);
        let Some(end) = end.filter(|end| *end <= self.end()) else {
            return Err(Fault::Span);
        };
        let taken = match (self.inside, &header.kind.0) {
            (inside, kind) if inside.ignores(*kind) => self.pass(&header, end),
            (Inside::Run, b"moof") => self.enter_moof(&header, end),
            (Inside::Run, b"mdat") => self.enter_mdat(&header, end)?,
            (Inside::Run, b"prft") | (Inside::Moof, b"mfhd") => self.word(bytes, &header, end)?,
            (Inside::Moof, b"traf") => self.enter_traf(&header, end),
            (Inside::Traf, b"tfhd") if !self.has_tfhd => self.tfhd(bytes, &header)?,
            (Inside::Traf, b"tfdt") if self.has_tfhd && !self.has_tfdt => {
                self.tfdt(bytes, &header)?
            }
            (Inside::Traf, b"trun") if self.has_tfhd => self.trun(bytes, &header, end)?,
            (_, b"senc" | b"saiz" | b"saio" | b"pssh") => return Err(Fault::Encrypted),
            _ => return Err(Fault::Unexpected(header.kind)),
        };
        self.position = self.position.saturating_add(taken as u64);
        Ok(taken)
    }

    /// The header is taken, the rest passes unseen.
    fn pass(&mut self, header: &Header, end: u64) -> usize {
        self.unseen = end;
        header.taken()
    }

    fn enter_moof(&mut self, header: &Header, end: u64) -> usize {
        self.inside = Inside::Moof;
        self.moof = (self.position, end);
        self.trafs = 0;
        self.bare = self.bare.saturating_add(1);
        self.fragments = self.fragments.saturating_add(1);
        header.taken()
    }

    fn enter_traf(&mut self, header: &Header, end: u64) -> usize {
        self.inside = Inside::Traf;
        self.traf_end = end;
        (self.has_tfhd, self.has_tfdt) = (false, false);
        self.trafs = self.trafs.saturating_add(1);
        header.taken()
    }

    fn enter_mdat(&mut self, header: &Header, end: u64) -> Result<usize, Fault> {
        if self.fragments == 0 {
            return Err(Fault::Unexpected(header.kind));
        }
        self.bare = 0;
        Ok(self.pass(header, end))
    }

    /// Writes the word behind the flags: the sequence number of a fragment, or the id of the track that a time is about.
    fn word(&mut self, bytes: &mut [u8], header: &Header, end: u64) -> Result<usize, Fault> {
        let is_fragment = header.kind.0 == *b"mfhd";
        if header.length != 8 || header.size < 16 || (is_fragment && header.size != 16) {
            return Err(Fault::Size(header.kind));
        }
        let Some(place) = bytes.get_mut(12..16) else {
            return Ok(0);
        };
        if !is_fragment {
            place.copy_from_slice(&self.change.id.to_be_bytes());
            self.unseen = end;
            return Ok(16);
        }
        if self.fragments > NUMBERS_PER_RUN {
            return Err(Fault::TooMany("fragments of a run"));
        }
        place.copy_from_slice(&self.sequence.to_be_bytes());
        self.sequence = self.sequence.saturating_add(1);
        Ok(16)
    }

    fn tfhd(&mut self, bytes: &mut [u8], header: &Header) -> Result<usize, Fault> {
        let size = header.field(16, MAX_TFHD)?;
        let Some(found) = bytes.get_mut(..size) else {
            return Ok(0);
        };
        let flags = word(found, 8).ok_or(Fault::Size(header.kind))? & 0x00ff_ffff;
        if word(found, 12) != Some(self.promise.track) {
            return Err(Fault::ForeignTrack);
        }
        put_word(found, 12, self.change.id);
        if flags & BASE_DATA_OFFSET != 0 {
            let place = found.get_mut(16..24).ok_or(Fault::Size(header.kind))?;
            let behind = |start: u64| start.checked_add(self.moof.0).ok_or(Fault::DataOffset);
            if *place != behind(self.promise.source)?.to_be_bytes() {
                return Err(Fault::DataOffset);
            }
            place.copy_from_slice(&behind(self.output)?.to_be_bytes());
        }
        self.has_tfhd = true;
        Ok(size)
    }

    fn tfdt(&mut self, bytes: &mut [u8], header: &Header) -> Result<usize, Fault> {
        let size = header.field(16, 20)?;
        let Some(found) = bytes.get_mut(..size) else {
            return Ok(0);
        };
        let fault = Fault::Size(header.kind);
        let is_long = size == 20;
        if found.get(8) != Some(&u8::from(is_long)) {
            return Err(fault);
        }
        let time = match found.get(12..20).and_then(<[u8]>::first_chunk) {
            Some(time) => u64::from_be_bytes(*time),
            None => u64::from(word(found, 12).ok_or(fault)?),
        };
        if !self.promise.times.contains(&time) {
            return Err(Fault::Time);
        }
        let shifted = time.checked_sub(self.change.shift).ok_or(Fault::Time)?;
        match found.get_mut(12..20) {
            Some(place) => place.copy_from_slice(&shifted.to_be_bytes()),
            // Less than it was, so it fits.
            None => {
                put_word(found, 12, u32::try_from(shifted).unwrap_or(u32::MAX));
            }
        }
        self.time.get_or_insert(time);
        self.has_tfdt = true;
        Ok(size)
    }

    fn trun(&mut self, bytes: &mut [u8], header: &Header, end: u64) -> Result<usize, Fault> {
        if header.length != 8 || header.size < 16 {
            return Err(Fault::Size(header.kind));
        }
        let Some(flags) = word(bytes, 8) else {
            return Ok(0);
        };
        let has_place = flags & DATA_OFFSET != 0;
        let needed = if has_place { 20 } else { 16 };
        if header.size < needed {
            return Err(Fault::Size(header.kind));
        }
        let taken = if has_place { 20 } else { 16 };
        if bytes.len() < taken {
            return Ok(0);
        }
        if has_place {
            self.check_place(word(bytes, 16).unwrap_or(u32::MAX))?;
        }
        self.unseen = end;
        Ok(taken)
    }

    /// Sample data stand behind the header of their fragment, inside of the run.
    fn check_place(&self, offset: u32) -> Result<(), Fault> {
        let place = self.moof.0.saturating_add(offset.into());
        let inside = self.moof.1..self.promise.length;
        // Without samples it may stand at the very end.
        if inside.contains(&place) || place == self.promise.length {
            return Ok(());
        }
        Err(Fault::DataOffset)
    }

    /// Passes over unseen bytes that are here.
    fn pass_unseen(&mut self, here: usize) -> usize {
        let left = usize::try_from(self.unseen.saturating_sub(self.position));
        let passed = left.unwrap_or(usize::MAX).min(here);
        self.position = self.position.saturating_add(passed as u64);
        passed
    }

    fn advance(&mut self, bytes: &mut [u8]) -> Result<usize, Fault> {
        let mut taken = 0_usize;
        while let Some(rest) = bytes.get_mut(taken..).filter(|rest| !rest.is_empty()) {
            self.leave()?;
            if self.opaque() > 0 {
                break;
            }
            if rest.len() as u64 > self.promise.length.saturating_sub(self.position) {
                return Err(Fault::Span);
            }
            let mut step = self.pass_unseen(rest.len());
            if step == 0 {
                step = self.step(rest)?;
            }
            if step == 0 {
                break;
            }
            taken = taken.saturating_add(step);
        }
        Ok(taken)
    }
}

impl Patch for RunPatch {
    fn opaque(&self) -> u64 {
        match self.inside {
            Inside::Run => self.unseen.saturating_sub(self.position),
            // Little; it passes with the fields around.
            Inside::Moof | Inside::Traf => 0,
        }
    }

    fn skip(&mut self, count: u64) {
        self.position = self.position.saturating_add(count.min(self.opaque()));
    }

    /// The data of a fragment stand behind its fields, in one.
    fn is_dense(&self) -> bool {
        false
    }

    fn patch(&mut self, bytes: &mut [u8]) -> Result<usize, Mismatch> {
        Ok(self.advance(bytes)?)
    }

    fn finish(&self) -> Result<(), Mismatch> {
        let is_full = self.position == self.promise.length && self.inside == Inside::Run;
        if is_full && self.fragments > 0 && self.bare == 0 {
            return Ok(());
        }
        Err(Fault::Span.into())
    }
}

/// The first decode time of run `number`, of whose beginning `bytes` is a copy.
///
/// # Errors
/// It is not what the index promised, or the time doesn't stand there.
pub(super) fn first_decode_time(
    head: &TrackHead,
    number: usize,
    bytes: &mut [u8],
) -> Result<u64, Fault> {
    let run = head.index.runs.get(number).ok_or(Fault::Index)?;
    let side = crate::media::Side::Picture;
    let run = Run {
        side,
        number: u32::try_from(number).unwrap_or(u32::MAX),
        source: run.start,
        output: 0,
        length: u64::from(run.size),
    };
    let mut patch = RunPatch::new(TrackChange { id: 1, shift: 0 }, head, &run);
    patch.advance(bytes)?;
    patch.time.ok_or(Fault::Missing(FourCc(*b"tfdt")))
}
