//! The runs of a track, as its index or indices tell.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use super::error::Fault;

/// Most runs of one track: ten hours of runs of a tenth of a second are 360,000.
const MAX_RUNS: usize = 1 << 19;

/// One run, 24 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IndexedRun {
    /// First byte in the file.
    pub(super) start: u64,
    /// When it begins, in ticks of the index.
    pub(super) time: u64,
    /// Bytes.
    pub(super) size: u32,
    /// How playing may begin with it, as in the index.
    pub(super) access: u32,
}

impl IndexedRun {
    /// One past its last byte.
    pub(super) fn end(&self) -> u64 {
        self.start.saturating_add(u64::from(self.size))
    }

    /// Whether the index says that playing may begin with its first sample, or doesn't say.
    pub(super) fn starts_with_access(&self) -> bool {
        self.access == 0 || self.access >> 31 == 1
    }
}

/// All runs of a track, in the order of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Index {
    /// Ticks per second.
    pub(super) timescale: u32,
    /// The runs; never empty once [`IndexBuilder::finish`] has made it.
    pub(super) runs: Box<[IndexedRun]>,
    /// When the last one ends, in ticks.
    pub(super) end_time: u64,
}

impl Index {
    /// When run `number` ends, in ticks.
    pub(super) fn end_time(&self, number: usize) -> u64 {
        let next = self.runs.get(number.saturating_add(1));
        next.map_or(self.end_time, |next| next.time)
    }

    /// When the first run begins, in ticks.
    pub(super) fn start_time(&self) -> u64 {
        self.runs.first().map_or(0, |run| run.time)
    }
}

/// Collects runs and holds each against those before.
#[derive(Debug)]
pub(super) struct IndexBuilder {
    timescale: u32,
    total: u64,
    runs: Vec<IndexedRun>,
    end_time: u64,
}

impl IndexBuilder {
    /// For a file of `total` bytes.
    pub(super) fn new(timescale: u32, total: u64) -> Self {
        Self {
            timescale,
            total,
            runs: Vec::new(),
            end_time: 0,
        }
    }

    /// Ticks per second.
    pub(super) fn timescale(&self) -> u32 {
        self.timescale
    }

    /// First byte of the first run.
    pub(super) fn start(&self) -> u64 {
        self.runs.first().map_or(0, |run| run.start)
    }

    /// One past the last byte of the last run.
    pub(super) fn end(&self) -> u64 {
        self.runs.last().map_or(0, IndexedRun::end)
    }

    /// Adds a run that lasts `duration` ticks.
    ///
    /// # Errors
    /// It is empty, overlaps the one before, or lies past the end of the file.
    pub(super) fn push(&mut self, mut run: IndexedRun, duration: u32) -> Result<(), Fault> {
        if run.size == 0 {
            return Err(Fault::ZeroRun);
        }
        if run.start < self.end() {
            return Err(Fault::Overlap);
        }
        let end = run.start.checked_add(u64::from(run.size));
        if end.is_none_or(|end| end > self.total) {
            return Err(Fault::BeyondEnd);
        }
        // Indices of one file meet but for roundings.
        if self.end_time.saturating_sub(run.time) > u64::from(self.timescale) {
            return Err(Fault::Index);
        }
        run.time = run.time.max(self.end_time);
        if self.runs.len() == MAX_RUNS {
            return Err(Fault::TooMany("runs"));
        }
        let end_time = run.time.checked_add(u64::from(duration));
        // Times are multiplied by time scales later on; no honest one comes near.
        self.end_time = end_time
            .filter(|time| *time < 1 << 62)
            .ok_or(Fault::Index)?;
        self.runs.push(run);
        Ok(())
    }

    /// All of them.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn finish(self) -> Result<Index, Fault> {
        if self.runs.is_empty() {
            return Err(Fault::Empty);
        }
        Ok(Index {
            timescale: self.timescale,
            runs: self.runs.into_boxed_slice(),
            end_time: self.end_time,
        })
    }
}
