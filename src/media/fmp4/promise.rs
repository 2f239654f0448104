//! What an index promises of a run, in the terms of the run itself.

use std::ops::RangeInclusive;

use super::build::rescale;
use super::head::TrackHead;
use crate::media::Run;

/// Seconds that decode times may be away from those of the index, which are times of presentation: pictures are decoded
/// ahead of their turn, and sound is encoded with a lead.
const TOLERANCE_SECONDS: u64 = 1;

/// What a run must fit.
#[derive(Debug, Clone)]
pub(super) struct Promise {
    /// Bytes of the run.
    pub(super) length: u64,
    /// Its place in its own file.
    pub(super) source: u64,
    /// The track's id there.
    pub(super) track: u32,
    /// Ticks of the track between which its decode times lie.
    pub(super) times: RangeInclusive<u64>,
}

impl Promise {
    /// What the index of `head` promises of `run`.
    pub(super) fn new(head: &TrackHead, run: &Run) -> Self {
        let (movie, index) = (&head.movie, &head.index);
        let number = usize::try_from(run.number).unwrap_or(usize::MAX);
        let begin = index.runs.get(number).map_or(0, |run| run.time);
        let ticks = |time| rescale(time, index.timescale, movie.media_timescale);
        let slack = TOLERANCE_SECONDS * u64::from(movie.media_timescale);
        // Some count the times of an index from the first moment shown, some as the media do.
        let shown_from = movie.plain_edit().map_or(0, |edit| edit.media_time);
        let latest = ticks(index.end_time(number)).saturating_add(shown_from);
        Self {
            length: run.length,
            source: run.source,
            track: movie.track,
            times: ticks(begin).saturating_sub(slack)..=latest.saturating_add(slack),
        }
    }
}
