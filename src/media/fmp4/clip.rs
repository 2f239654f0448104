//! A part of a pair: snapped outward to whole runs, its decode times counted from 0, shown from the asked moment on.

use std::ops::Range;

use super::build::rescale;
use super::error::Fault;
use super::head::TrackHead;
use super::index::{Index, IndexedRun};
use super::movie::{Edit, RATE};
use super::patch::first_decode_time;
use crate::media::{Clip, Side};

/// Bytes in which the first decode time of a run is looked for; it stands among the first hundred or so.
const OPENING: u64 = 4096;
/// Milliseconds per second.
const MS: u32 = 1000;

/// A clip snapped to the runs of a pair.
#[derive(Debug, Clone)]
pub struct Cut {
    clip: Clip,
    runs: [Range<usize>; 2],
    /// First decode times of the runs, in ticks of their tracks.
    times: [Option<u64>; 2],
}

impl Cut {
    /// Finds the runs.
    ///
    /// # Errors
    /// The clip begins after the end, or a track's edit list leaves no room for another.
    pub fn find(heads: [&TrackHead; 2], clip: Clip) -> Result<Self, Fault> {
        if heads.iter().any(|head| head.movie.plain_edit().is_none()) {
            return Err(Fault::Edits);
        }
        if clip.end_ms.is_some_and(|end| end <= clip.start_ms) {
            return Err(Fault::ClipOutside);
        }
        let picture = &heads[Side::Picture.index()].index;
        if is_at_or_before(picture.end_time, picture.timescale, clip.start_ms) {
            return Err(Fault::ClipOutside);
        }
        Ok(Self {
            clip,
            runs: heads.map(|head| runs(&head.index, clip)),
            times: [None; 2],
        })
    }

    /// The bytes of a track in which its first decode time stands.
    pub fn opening(&self, side: Side, head: &TrackHead) -> Range<u64> {
        let first = head.index.runs.get(self.runs[side.index()].start);
        first.map_or(0..0, |run| {
            run.start..run.end().min(run.start.saturating_add(OPENING))
        })
    }

    /// Takes the bytes of [`Cut::opening`].
    ///
    /// # Errors
    /// They are no beginning of a run of this track, or one whose time is elsewhere.
    pub fn open(&mut self, side: Side, head: &TrackHead, bytes: &mut [u8]) -> Result<(), Fault> {
        let number = self.runs[side.index()].start;
        self.times[side.index()] = Some(first_decode_time(head, number, bytes)?);
        Ok(())
    }

    /// The runs of a track.
    pub(super) fn runs(&self, side: Side) -> Range<usize> {
        self.runs[side.index()].clone()
    }

    /// First decode time of a track, in its ticks: what is taken off all of them.
    pub(super) fn shift(&self, side: Side) -> Result<u64, Fault> {
        self.times[side.index()].ok_or(Fault::Fed)
    }

    /// How long the clip is shown, in ticks of `timescale` per second.
    pub(super) fn duration(&self, heads: [&TrackHead; 2], timescale: u32) -> u64 {
        let ends = heads.map(|head| rescale(head.index.end_time, head.index.timescale, timescale));
        let last = ends[0].max(ends[1]);
        let asked = self.clip.end_ms.map(|end| rescale(end, MS, timescale));
        let end = asked.map_or(last, |asked| asked.min(last));
        end.saturating_sub(rescale(self.clip.start_ms, MS, timescale))
    }

    /// The edit list of a track: what stands before the asked moment is there to be decoded, not shown.
    pub(super) fn edits(
        &self,
        side: Side,
        head: &TrackHead,
        timescale: u32,
        duration: u64,
    ) -> Result<Vec<Edit>, Fault> {
        let movie = &head.movie;
        let edit = movie.plain_edit().ok_or(Fault::Edits)?;
        let start = rescale(self.clip.start_ms, MS, timescale);
        let delay = rescale(edit.delay, movie.timescale, timescale);
        let (pause, passed) = (delay.saturating_sub(start), start.saturating_sub(delay));
        let place = rescale(passed, timescale, movie.media_timescale)
            .saturating_add(edit.media_time)
            .saturating_sub(self.shift(side)?);
        let pause = (pause > 0).then_some(Edit {
            duration: pause,
            media_time: None,
            rate: RATE,
        });
        let shown = Edit {
            // 0: everything, which is right for a clip to the end.
            duration: self.clip.end_ms.map_or(0, |_| duration),
            media_time: Some(place),
            rate: RATE,
        };
        Ok(pause.into_iter().chain([shown]).collect())
    }

    /// The first moment shown.
    pub(super) fn start_ms(&self) -> u64 {
        self.clip.start_ms
    }
}

/// Whether `ticks` of `timescale` per second is not after `ms`.
fn is_at_or_before(ticks: u64, timescale: u32, ms: u64) -> bool {
    u128::from(ticks) * u128::from(MS) <= u128::from(ms) * u128::from(timescale)
}

/// The runs that a clip touches, from the last before it with which playing may begin; one at least.
fn runs(index: &Index, clip: Clip) -> Range<usize> {
    let before = |ms: u64| {
        index
            .runs
            .partition_point(|run| is_at_or_before(run.time, index.timescale, ms))
    };
    let begun = before(clip.start_ms).clamp(1, index.runs.len().max(1));
    let open = index.runs.get(..begun).unwrap_or_default();
    let start = open.iter().rposition(IndexedRun::starts_with_access);
    let start = start.unwrap_or(0);
    // A run that begins with the end of the clip is none of it.
    let end = clip.end_ms.map_or(index.runs.len(), |end| {
        before(end.saturating_sub(1)).max(begun)
    });
    start..end
}
