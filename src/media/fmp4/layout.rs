//! The byte map of a joined file: header, then the runs of both tracks in the order of their times.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::ops::Range;

use bytes::Bytes;

use super::build::{
    IndexPlan, MAX_REFERENCES, TrackPlan, append_ftyp, append_indices, append_moov,
    common_timescale, rescale,
};
use super::clip::Cut;
use super::error::{Fault, FourCc};
use super::head::TrackHead;
use super::index::{Index, IndexedRun};
use super::movie::Edit;
use super::patch::{RunPatch, TrackChange};
use crate::media::{Layout, Patch, Run, Side, Stretch, Tags};

/// Which side a slot is of: its highest bit. There are fewer than 2^20 runs.
const SOUND: u32 = 1 << 31;

/// Two tracks in one file. Takes 24 bytes for each run of either and 16 for its place.
#[derive(Debug)]
pub struct Joined {
    header: Bytes,
    heads: [TrackHead; 2],
    changes: [TrackChange; 2],
    /// The runs in the order of the file: number and side.
    slots: Box<[u32]>,
    /// Where each of them begins in the file.
    starts: Box<[u64]>,
    /// The places in `slots` of each side's runs.
    places: [Box<[u32]>; 2],
    total: u64,
}

impl Joined {
    /// Joins two tracks, or the part of them that `cut` names.
    ///
    /// # Errors
    /// They can't be joined, and why.
    pub fn new(
        picture: &TrackHead,
        sound: &TrackHead,
        cut: Option<&Cut>,
        tags: &Tags<'_>,
    ) -> Result<Self, Fault> {
        let heads = [picture, sound];
        for (head, handler) in heads.iter().zip([*b"vide", *b"soun"]) {
            if head.movie.handler != FourCc(handler) {
                return Err(Fault::Kind);
            }
        }
        let plan = Plan::new(heads, cut)?;
        let slots = merge(heads, &plan.runs);
        let header = plan.header(heads, &slots, cut, tags)?;
        let mut at = header.len() as u64;
        let mut starts = Vec::with_capacity(slots.len());
        let mut places = [Vec::new(), Vec::new()];
        for (place, slot) in (0..).zip(&slots) {
            starts.push(at);
            at = at.saturating_add(run_of(heads, *slot).map_or(0, |run| run.size.into()));
            side_of(*slot).of_mut(&mut places).push(place);
        }
        Ok(Self {
            header: header.into(),
            heads: heads.map(TrackHead::clone),
            changes: plan.changes,
            slots: slots.into_boxed_slice(),
            starts: starts.into_boxed_slice(),
            places: places.map(Vec::into_boxed_slice),
            total: at,
        })
    }

    /// The bytes that were made for it: all before the first run.
    pub fn header(&self) -> &Bytes {
        &self.header
    }

    /// Bytes of memory that it takes besides its heads, for a cache that keeps it.
    pub fn weight(&self) -> usize {
        let slots = self.slots.len().saturating_mul(16);
        let header = self.header.len();
        header
            .saturating_add(slots)
            .saturating_add(size_of::<Self>())
    }

    fn run(&self, place: usize) -> Option<Run> {
        let slot = *self.slots.get(place)?;
        let run = run_of([&self.heads[0], &self.heads[1]], slot)?;
        Some(Run {
            side: side_of(slot),
            number: slot & !SOUND,
            source: run.start,
            output: *self.starts.get(place)?,
            length: u64::from(run.size),
        })
    }

    /// The place in `slots` of the run that holds `offset`, or of the first after it.
    fn place(&self, offset: u64) -> usize {
        let begun = self.starts.partition_point(|start| *start <= offset);
        begun.saturating_sub(1)
    }
}

impl Layout for Joined {
    fn total(&self) -> u64 {
        self.total
    }

    fn media_type(&self) -> &'static str {
        "video/mp4"
    }

    fn source_total(&self, side: Side) -> u64 {
        side.of(&self.heads).total
    }

    fn stretch(&self, offset: u64) -> Option<Stretch> {
        if offset < self.header.len() as u64 {
            return Some(Stretch::Made {
                start: 0,
                bytes: self.header.clone(),
            });
        }
        let run = self.run(self.place(offset))?;
        (offset < self.total).then_some(Stretch::Run(run))
    }

    fn source(&self, side: Side, output: Range<u64>) -> Option<Range<u64>> {
        if output.is_empty() || output.end <= self.header.len() as u64 {
            return None;
        }
        let places = side.of(&self.places);
        let last = output.end.saturating_sub(1);
        let (first, last) = (self.place(output.start), self.place(last));
        let at = |number: usize| {
            places
                .get(number)
                .and_then(|place| usize::try_from(*place).ok())
        };
        let before = |limit: usize| {
            places.partition_point(|place| usize::try_from(*place).is_ok_and(|place| place < limit))
        };
        let first = self.run(at(before(first))?)?;
        let last = self.run(at(before(last.saturating_add(1)).checked_sub(1)?)?)?;
        (first.output <= last.output)
            .then_some(first.source..last.source.saturating_add(last.length))
    }

    fn patch(&self, run: &Run) -> Box<dyn Patch> {
        let change = *run.side.of(&self.changes);
        Box::new(RunPatch::new(change, run.side.of(&self.heads), run))
    }
}

fn side_of(slot: u32) -> Side {
    if slot & SOUND == 0 {
        Side::Picture
    } else {
        Side::Sound
    }
}

fn run_of(heads: [&TrackHead; 2], slot: u32) -> Option<IndexedRun> {
    let number = usize::try_from(slot & !SOUND).ok()?;
    let runs = &side_of(slot).of(&heads).index.runs;
    runs.get(number).copied()
}

/// The runs of both in the order of their times; the picture's first where they are equal.
fn merge(heads: [&TrackHead; 2], runs: &[Range<usize>; 2]) -> Vec<u32> {
    let [mut picture, mut sound] = runs.clone();
    let mut slots = Vec::with_capacity(picture.len().saturating_add(sound.len()));
    loop {
        let times = [
            time_of(&heads[0].index, &picture, heads[1].index.timescale),
            time_of(&heads[1].index, &sound, heads[0].index.timescale),
        ];
        let is_picture = match times {
            [None, None] => return slots,
            [Some(picture), Some(sound)] => picture <= sound,
            [picture, None] => picture.is_some(),
            [None, Some(_)] => false,
        };
        let (next, side) = if is_picture {
            (picture.next(), 0)
        } else {
            (sound.next(), SOUND)
        };
        let number = next.and_then(|number| u32::try_from(number).ok());
        slots.extend(number.map(|number| number | side));
    }
}

/// When the next run begins, times `factor`: two times times the other's ticks per second compare as they are.
fn time_of(index: &Index, runs: &Range<usize>, factor: u32) -> Option<u128> {
    let next = runs.clone().next()?;
    let run = index.runs.get(next)?;
    Some(u128::from(run.time).saturating_mul(factor.into()))
}

/// What is decided before anything is laid out.
#[derive(Debug)]
struct Plan {
    timescale: u32,
    runs: [Range<usize>; 2],
    changes: [TrackChange; 2],
}

impl Plan {
    fn new(heads: [&TrackHead; 2], cut: Option<&Cut>) -> Result<Self, Fault> {
        let [picture, sound] = heads;
        let runs = Side::BOTH.map(|side| match cut {
            Some(cut) => cut.runs(side),
            None => 0..side.of(&heads).index.runs.len(),
        });
        let mut changes = [
            TrackChange { id: 1, shift: 0 },
            TrackChange { id: 2, shift: 0 },
        ];
        if let Some(cut) = cut {
            for side in Side::BOTH {
                side.of_mut(&mut changes).shift = cut.shift(side)?;
            }
        }
        Ok(Self {
            timescale: common_timescale(picture.movie.timescale, sound.movie.timescale),
            runs,
            changes,
        })
    }

    fn header(
        &self,
        heads: [&TrackHead; 2],
        slots: &[u32],
        cut: Option<&Cut>,
        tags: &Tags<'_>,
    ) -> Result<Vec<u8>, Fault> {
        let tracks = [
            self.track(heads, Side::Picture, cut)?,
            self.track(heads, Side::Sound, cut)?,
        ];
        let mut header = Vec::new();
        append_ftyp(&mut header)?;
        append_moov(&mut header, self.timescale, &tracks, tags)?;
        let indices = [
            self.index(heads, Side::Picture, slots, cut)?,
            self.index(heads, Side::Sound, slots, cut)?,
        ];
        append_indices(&mut header, &indices)?;
        Ok(header)
    }

    fn track<'a>(
        &self,
        heads: [&'a TrackHead; 2],
        side: Side,
        cut: Option<&Cut>,
    ) -> Result<TrackPlan<'a>, Fault> {
        let head = *side.of(&heads);
        let (movie, index) = (&*head.movie, &*head.index);
        let runs = side.of(&self.runs);
        let start = index.runs.get(runs.start).map_or(0, |run| run.time);
        let end = index.end_time(runs.end.saturating_sub(1));
        let media = end.saturating_sub(start);
        let (duration, edits) = if let Some(cut) = cut {
            let duration = cut.duration(heads, self.timescale);
            let edits = cut.edits(side, head, self.timescale, duration)?;
            (duration, edits)
        } else {
            let length = index.end_time.saturating_sub(index.start_time());
            let duration = rescale(length, index.timescale, self.timescale);
            let edits = movie.edits.iter().map(|edit| Edit {
                duration: rescale(edit.duration, movie.timescale, self.timescale),
                ..*edit
            });
            (duration, edits.collect())
        };
        Ok(TrackPlan {
            movie,
            id: side.of(&self.changes).id,
            duration,
            media_duration: rescale(media, index.timescale, movie.media_timescale),
            edits,
        })
    }

    /// One reference for each run of a track, up to its next; for several where there are more than fit.
    ///
    /// Each track has its own index: where only one does, FFmpeg up to 5.1 takes its times for those of the other
    /// track, and loses the rest of the file after a seek.
    fn index(
        &self,
        heads: [&TrackHead; 2],
        side: Side,
        slots: &[u32],
        cut: Option<&Cut>,
    ) -> Result<IndexPlan, Fault> {
        let index = &side.of(&heads).index;
        let runs = side.of(&self.runs);
        let group = runs.len().div_ceil(MAX_REFERENCES).max(1);
        let (mut lead, mut sizes) = (0, Vec::new());
        for slot in slots {
            let size = u64::from(run_of(heads, *slot).ok_or(Fault::Index)?.size);
            let number = usize::try_from(slot & !SOUND).map_err(|_| Fault::Index)?;
            let is_ours = side_of(*slot) == side;
            if is_ours && number.saturating_sub(runs.start).is_multiple_of(group) {
                sizes.push(0_u64);
            }
            let sum = sizes.last_mut().unwrap_or(&mut lead);
            *sum = sum.saturating_add(size);
        }
        let starts = (0..sizes.len()).map(|number| {
            let before = number.saturating_mul(group);
            runs.start.saturating_add(before)
        });
        let starts: Vec<usize> = starts.chain([runs.end]).collect();
        let begin = cut.map_or(0, |cut| rescale(cut.start_ms(), 1000, index.timescale));
        let time_at = |number: usize| {
            let time = match index.runs.get(number) {
                Some(run) if number < runs.end => run.time,
                _ => index.end_time(runs.end.saturating_sub(1)),
            };
            // What stands before the asked moment is not shown.
            time.saturating_sub(begin)
        };
        let references = sizes.iter().zip(starts.windows(2)).map(|(size, ends)| {
            let (from, to) = (*ends.first()?, *ends.last()?);
            let size = u32::try_from(*size).ok().filter(|size| size >> 31 == 0)?;
            let duration = time_at(to).checked_sub(time_at(from))?;
            let duration = u32::try_from(duration).ok()?;
            Some((size, duration, index.runs.get(from)?.access))
        });
        let references: Option<Vec<_>> = references.collect();
        Ok(IndexPlan {
            id: side.of(&self.changes).id,
            lead,
            timescale: index.timescale,
            time: time_at(runs.start),
            references: references.ok_or(Fault::TooLarge("run"))?,
        })
    }
}
