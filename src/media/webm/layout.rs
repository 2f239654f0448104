//! The byte map of a joined file.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::ops::Range;

use bytes::Bytes;

use super::Fault;
use super::cues::Span;
use super::ebml::vint_width_of;
use super::head::TrackHead;
use super::header::{Cue, Parts};
use super::patch::{Plan, RunPatch};
use super::track::{Entry, MAX_NUMBER, Versions};
use crate::media::{Clip, Layout, Patch, Run, Side, Stretch, Tags};

/// Nanoseconds per millisecond.
const NANOS_PER_MS: u128 = 1_000_000;

/// A joined file: where each of its bytes comes from.
#[derive(Debug, Clone)]
pub struct Joined {
    head: Bytes,
    /// In the order of the file, without gaps.
    runs: Vec<Run>,
    total: u64,
    source_totals: [u64; 2],
    plans: [Plan; 2],
}

impl Joined {
    /// Joins two files, or a part of them: widened to whole runs of the picture, which begin with keyframes, the sound cut
    /// to the blocks of that time. Both begin at 0, for WebM has no edit list that could begin later.
    ///
    /// # Errors
    /// They don't go together, or there is no such part.
    pub fn new(
        picture: &TrackHead,
        sound: &TrackHead,
        clip: Option<Clip>,
        tags: &Tags<'_>,
    ) -> Result<Self, Fault> {
        check_pair(picture, sound)?;
        let (parts, keep) = match clip {
            Some(clip) => clipped(picture, sound, clip)?,
            None => ([Part::whole(picture), Part::whole(sound)], None),
        };
        let shift = keep.as_ref().map_or(0, |keep| keep.start);
        let (mut runs, media) = in_order(&parts)?;
        let entry = beside(&sound.entry, &picture.entry);
        let head = Parts {
            versions: Versions {
                written: picture.versions.written.max(sound.versions.written),
                read: picture.versions.read.max(sound.versions.read),
            },
            scale: picture.info.scale,
            duration: duration(&parts, shift),
            picture: &picture.entry,
            sound: &entry,
            tags,
            cues: &cues(&parts, &runs, shift),
            media,
        };
        let head = Bytes::from(head.build()?);
        for run in &mut runs {
            run.output = run.output.saturating_add(head.len() as u64);
        }
        let plan = |from, to, keep| Plan {
            from,
            to,
            shift,
            keep,
        };
        Ok(Self {
            total: media.saturating_add(head.len() as u64),
            head,
            runs,
            source_totals: [picture.total, sound.total],
            plans: [
                plan(picture.entry.number, picture.entry.number, None),
                plan(sound.entry.number, entry.number, keep),
            ],
        })
    }

    /// Runs that hold bytes of `output`.
    fn runs_in(&self, output: Range<u64>) -> &[Run] {
        let first = self
            .runs
            .partition_point(|run| run.output.saturating_add(run.length) <= output.start);
        let end = self.runs.partition_point(|run| run.output < output.end);
        self.runs.get(first..end).unwrap_or_default()
    }
}

impl Layout for Joined {
    fn total(&self) -> u64 {
        self.total
    }

    fn media_type(&self) -> &'static str {
        "video/webm"
    }

    fn source_total(&self, side: Side) -> u64 {
        *side.of(&self.source_totals)
    }

    fn stretch(&self, offset: u64) -> Option<Stretch> {
        if offset < self.head.len() as u64 {
            return Some(Stretch::Made {
                start: 0,
                bytes: self.head.clone(),
            });
        }
        let run = self.runs_in(offset..offset.checked_add(1)?).first()?;
        Some(Stretch::Run(*run))
    }

    fn source(&self, side: Side, output: Range<u64>) -> Option<Range<u64>> {
        let mut runs = self.runs_in(output).iter().filter(|run| run.side == side);
        let first = runs.next()?;
        let last = runs.next_back().unwrap_or(first);
        Some(first.source..last.source.saturating_add(last.length))
    }

    fn patch(&self, run: &Run) -> Box<dyn Patch> {
        Box::new(RunPatch::new(run.side.of(&self.plans).clone(), run.length))
    }
}

fn check_pair(picture: &TrackHead, sound: &TrackHead) -> Result<(), Fault> {
    if picture.side() != Side::Picture || sound.side() != Side::Sound {
        return Err(Fault::Mismatch("one must be picture, the other sound"));
    }
    if picture.info.scale != sound.info.scale {
        return Err(Fault::Mismatch("their ticks differ in length"));
    }
    Ok(())
}

/// A track entry with a number and UID that the other doesn't have. A new number takes as many bytes as the old one.
fn beside(entry: &Entry, other: &Entry) -> Entry {
    let mut entry = entry.clone();
    if entry.number == other.number {
        let above = entry.number.saturating_add(1);
        let is_as_long = vint_width_of(above) == vint_width_of(entry.number);
        entry.number = if is_as_long && above <= MAX_NUMBER {
            above
        } else {
            entry.number.saturating_sub(1)
        };
    }
    if entry.uid == other.uid {
        // Any other number but 0.
        entry.uid = if entry.uid == 1 { 2 } else { entry.uid ^ 1 };
    }
    entry
}

/// What is taken of a track.
#[derive(Debug)]
struct Part<'a> {
    spans: &'a [Span],
    /// Place of the first of them among all.
    first: usize,
    /// Ticks at which what follows begins; `None` at the end of the file.
    behind: Option<u64>,
    /// Ticks at which it ends, if the file says.
    end: Option<f64>,
}

impl<'a> Part<'a> {
    fn whole(head: &'a TrackHead) -> Self {
        Self::of(head, 0..head.spans.len())
    }

    fn of(head: &'a TrackHead, range: Range<usize>) -> Self {
        let behind = head.spans.get(range.end).map(|span| span.time);
        Self {
            first: range.start,
            behind,
            end: behind.map(|time| time as f64).or(head.info.duration),
            spans: head.spans.get(range).unwrap_or_default(),
        }
    }

    /// The spans with something between these ticks; of a track that ends before, the last one.
    fn between(head: &'a TrackHead, start: u128, end: Option<u128>) -> Self {
        let before = |is_before: &dyn Fn(u128) -> bool| {
            head.spans
                .partition_point(|span| is_before(span.time.into()))
        };
        let first = before(&|time| time <= start).saturating_sub(1);
        let end = before(&|time| end.is_none_or(|end| time < end));
        Self::of(head, first..end.max(first.saturating_add(1)))
    }

    /// Its spans with their places among all.
    fn numbered(&self) -> impl Iterator<Item = (usize, &'a Span)> {
        (self.first..).zip(self.spans)
    }

    /// Ticks at which each span ends; the last one of a file at the latest time there is.
    fn ends(&self) -> impl Iterator<Item = u64> {
        let next = self.spans.iter().skip(1).map(|span| span.time);
        next.chain([self.behind.unwrap_or(u64::MAX)])
    }
}

/// What is taken of each track for a clip, and between which ticks sound is kept: as long as the picture lasts.
fn clipped<'a>(
    picture: &'a TrackHead,
    sound: &'a TrackHead,
    clip: Clip,
) -> Result<([Part<'a>; 2], Option<Range<u64>>), Fault> {
    let scale = u128::from(picture.info.scale).max(1);
    let ticks = |ms: u64| {
        let nanos = u128::from(ms).saturating_mul(NANOS_PER_MS);
        nanos.checked_div(scale).unwrap_or(nanos)
    };
    let start = ticks(clip.start_ms);
    if clip.end_ms.is_some_and(|end| end <= clip.start_ms) {
        return Err(Fault::Clip("it ends before it begins"));
    }
    if picture.info.duration.is_some_and(|end| start as f64 >= end) {
        return Err(Fault::Clip("it begins behind the end of the video"));
    }
    let picture = Part::between(picture, start, clip.end_ms.map(ticks));
    let start = picture.spans.first().map_or(0, |span| span.time);
    let mut sound = Part::between(sound, start.into(), picture.behind.map(u128::from));
    if picture.behind.is_some() {
        sound.end = None;
    }
    let keep = start..picture.behind.unwrap_or(u64::MAX);
    Ok(([picture, sound], Some(keep)))
}

/// The runs of both tracks in the order of the file, and their bytes. A run of sound stands where it ends: before the
/// first picture that begins no earlier. So whoever starts to read at a picture misses no sound of its time.
fn in_order(parts: &[Part<'_>; 2]) -> Result<(Vec<Run>, u64), Fault> {
    let [picture, sound] = parts;
    let begins = picture.spans.iter().map(|span| span.time);
    let mut pictures = begins.zip(picture.numbered()).peekable();
    let mut ordered = Vec::with_capacity(picture.spans.len().saturating_add(sound.spans.len()));
    for (end, numbered) in sound.ends().zip(sound.numbered()) {
        while let Some((_, picture)) = pictures.next_if(|&(time, _)| time < end) {
            ordered.push((Side::Picture, picture));
        }
        ordered.push((Side::Sound, numbered));
    }
    ordered.extend(pictures.map(|(_, picture)| (Side::Picture, picture)));

    let mut output = 0_u64;
    let mut runs = Vec::with_capacity(ordered.len());
    for (side, (number, span)) in ordered {
        let length = span.bytes.end.saturating_sub(span.bytes.start);
        runs.push(Run {
            side,
            number: u32::try_from(number).map_err(|_| Fault::TooLarge("too many clusters"))?,
            source: span.bytes.start,
            output,
            length,
        });
        output = output
            .checked_add(length)
            .ok_or(Fault::TooLarge("more than 2^56 bytes"))?;
    }
    Ok((runs, output))
}

/// The longer of both, less what was cut off; ticks.
fn duration(parts: &[Part<'_>; 2], shift: u64) -> Option<f64> {
    let ends = parts.iter().filter_map(|part| part.end);
    let end = ends.reduce(f64::max)? - shift as f64;
    (end > 0.0).then_some(end)
}

/// One for each cue point of the picture. Positions are counted from the first cluster.
fn cues(parts: &[Part<'_>; 2], runs: &[Run], shift: u64) -> Vec<Cue> {
    let outputs = |side| runs.iter().filter(move |run| run.side == side);
    let [picture, sound] = parts;
    let mut sounds = sound.spans.iter().zip(outputs(Side::Sound)).peekable();
    // The sound of the time that has been reached.
    let mut current = None;
    let mut cues = Vec::new();
    for (span, run) in picture.spans.iter().zip(outputs(Side::Picture)) {
        while let Some((_, run)) = sounds.next_if(|(sound, _)| sound.time <= span.time) {
            current = Some(run.output);
        }
        if span.is_cued {
            cues.push(Cue {
                time: span.time.saturating_sub(shift),
                picture: run.output,
                sound: current,
            });
        }
    }
    cues
}
