//! The beginning of a track's file -> what is in it and where its runs lie.
//!
//! The bytes come in steps: [`HeadReader::feed`] says which are needed next. With the places that sites name, one step
//! does; files with indices elsewhere take more.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::ops::Range;
use std::sync::Arc;

use super::boxes::{Header, Whole};
use super::error::{Fault, FourCc};
use super::index::{Index, IndexBuilder, IndexedRun};
use super::movie::Movie;
use super::sidx::Sidx;
use crate::media::Progress;

/// Bytes that are asked for when nobody says where the index ends.
const FIRST: u64 = 64 * 1024;
/// Bytes that are asked for to see what stands somewhere.
const PEEK: u64 = 1024;
/// Most bytes of one head: half a million runs need 6 MiB.
const MAX_HELD: usize = 8 * 1024 * 1024;
/// Most steps: indices of indices are hundreds of runs apart.
const MAX_STEPS: usize = 64;
/// Most indices within indices.
const MAX_LEVELS: usize = 8;
/// Most boxes before the first run.
const MAX_BOXES: usize = 4096;

/// What must be known of a track to join it.
#[derive(Debug, Clone)]
pub struct TrackHead {
    pub(super) movie: Arc<Movie>,
    pub(super) index: Arc<Index>,
    pub(super) total: u64,
}

impl TrackHead {
    /// Bytes of the file.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// How many runs it has.
    pub fn runs(&self) -> usize {
        self.index.runs.len()
    }

    /// Bytes of memory that it takes, for the cache that keeps it.
    pub fn weight(&self) -> usize {
        size_of_val(&*self.index.runs)
            .saturating_add(self.movie.trak.len())
            .saturating_add(size_of::<Self>())
    }
}

/// Why reading stops.
enum Stop {
    Need(Range<u64>),
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Reads the head of one file.
#[derive(Debug)]
pub struct HeadReader {
    total: u64,
    /// What came so far: the place of the first byte, and the bytes.
    parts: Vec<(u64, Vec<u8>)>,
    steps: usize,
}

impl HeadReader {
    /// A reader for a file of `total` bytes.
    pub fn new(total: u64) -> Self {
        Self {
            total,
            parts: Vec::new(),
            steps: 0,
        }
    }

    /// The bytes that are needed first; `index_end` is one past the last byte of the index, where the site says it.
    pub fn first(&self, index_end: Option<u64>) -> Range<u64> {
        let sensible = index_end.filter(|end| *end > 0 && *end <= MAX_HELD as u64);
        0..sensible.unwrap_or(FIRST).min(self.total)
    }

    /// Takes the bytes from `start` on.
    ///
    /// # Errors
    /// The file can't be joined, and why.
    pub fn feed(&mut self, start: u64, bytes: &[u8]) -> Result<Progress<TrackHead>, Fault> {
        self.keep(start, bytes)?;
        match self.read() {
            Ok(head) => Ok(Progress::Done(head)),
            Err(Stop::Fault(fault)) => Err(fault),
            Err(Stop::Need(range)) if self.steps < MAX_STEPS => Ok(Progress::Need(range)),
            Err(Stop::Need(_)) => Err(Fault::TooMany("indices")),
        }
    }

    fn keep(&mut self, start: u64, bytes: &[u8]) -> Result<(), Fault> {
        self.steps = self.steps.saturating_add(1);
        let end = start.checked_add(bytes.len() as u64);
        if bytes.is_empty() || end.is_none_or(|end| end > self.total) {
            return Err(Fault::Fed);
        }
        let held: usize = self.parts.iter().map(|(_, part)| part.len()).sum();
        if held.saturating_add(bytes.len()) > MAX_HELD {
            return Err(Fault::TooLarge("head"));
        }
        let mut parts = self.parts.iter_mut();
        match parts.find(|(at, part)| at.checked_add(part.len() as u64) == Some(start)) {
            Some((_, part)) => part.extend_from_slice(bytes),
            None => self.parts.push((start, bytes.to_vec())),
        }
        Ok(())
    }

    /// Bytes of the file.
    fn get(&self, range: Range<u64>) -> Result<&[u8], Stop> {
        let has = |at: u64, part: &[u8]| {
            let before = range.start.checked_sub(at);
            before.is_some_and(|before| before < part.len() as u64)
        };
        let found = self.parts.iter().find(|(at, part)| has(*at, part));
        let Some((at, part)) = found else {
            let most = range.start.saturating_add(PEEK).max(range.end);
            return Err(Stop::Need(range.start..most.min(self.total)));
        };
        // Below `MAX_HELD`, both.
        let index = |place: u64| usize::try_from(place.saturating_sub(*at)).unwrap_or(usize::MAX);
        let bytes = part.get(index(range.start)..index(range.end));
        bytes.ok_or_else(|| {
            let end = at.saturating_add(part.len() as u64);
            Stop::Need(end..range.end.max(end.saturating_add(FIRST)).min(self.total))
        })
    }

    /// The header of the box at `at`, which must lie inside the file.
    fn header(&self, at: u64) -> Result<Header, Stop> {
        let end = at.saturating_add(Header::MAX as u64).min(self.total);
        let header = Header::read(self.get(at..end)?)?;
        let header = header.ok_or(Fault::Cut(FourCc(*b"file")))?;
        match at.checked_add(header.size) {
            Some(end) if end <= self.total => Ok(header),
            _ => Err(Fault::Cut(header.kind).into()),
        }
    }

    /// The box at `at`, for one that is to be held whole.
    fn whole(&self, at: u64, header: &Header) -> Result<Whole<'_>, Stop> {
        if header.size > MAX_HELD as u64 {
            return Err(Fault::Size(header.kind).into());
        }
        let bytes = self.get(at..at.saturating_add(header.size))?;
        Ok(Whole::read(bytes, header.kind)?.0)
    }

    fn read(&self) -> Result<TrackHead, Stop> {
        let (mut at, mut movie, mut runs) = (0, None, None);
        for number in 0..MAX_BOXES {
            if at == self.total {
                return finish(movie, runs, self.total);
            }
            let header = self.header(at)?;
            match &header.kind.0 {
                b"ftyp" if number == 0 => {}
                _ if number == 0 => return Err(Fault::Missing(FourCc(*b"ftyp")).into()),
                b"moov" if movie.is_none() => {
                    movie = Some(Movie::read(&self.whole(at, &header)?)?);
                }
                b"sidx" => {
                    let movie = movie.as_ref().ok_or(Fault::Missing(FourCc(*b"moov")))?;
                    at = self.walk_all(at, movie, &mut runs)?;
                    continue;
                }
                b"free" | b"skip" | b"uuid" | b"meta" | b"pdin" | b"ssix" => {}
                b"styp" | b"prft" | b"emsg" if runs.is_none() => {}
                b"mfra" if runs.is_some() => {}
                b"moof" | b"mdat" | b"styp" | b"prft" | b"emsg" => {
                    let is_indexed = runs.is_some();
                    return Err(unindexed(is_indexed).into());
                }
                _ => return Err(Fault::Unexpected(header.kind).into()),
            }
            at = at.saturating_add(header.size);
        }
        Err(Fault::TooMany("boxes").into())
    }

    /// Reads the indices that stand one after the other from `at` on; returns where the file goes on behind all they
    /// name.
    fn walk_all(
        &self,
        at: u64,
        movie: &Movie,
        runs: &mut Option<IndexBuilder>,
    ) -> Result<u64, Stop> {
        let mut read = Vec::new();
        let mut end = self.walk(at, movie, runs, &mut read)?;
        let mut next = at.saturating_add(self.header(at)?.size);
        // Between them and the first run is all the room there is for more.
        while next < runs.as_ref().map_or(0, IndexBuilder::start) {
            let header = self.header(next)?;
            if header.kind.0 != *b"sidx" {
                break;
            }
            if !read.contains(&next) {
                end = end.max(self.walk(next, movie, runs, &mut read)?);
            }
            next = next.saturating_add(header.size);
        }
        Ok(end)
    }

    /// Reads the index at `at` and those that it leads to, and notes where they stand; returns where the file goes on
    /// behind all they name.
    fn walk(
        &self,
        at: u64,
        movie: &Movie,
        runs: &mut Option<IndexBuilder>,
        read: &mut Vec<u64>,
    ) -> Result<u64, Stop> {
        read.push(at);
        let mut levels = vec![self.level(at, movie)?];
        let scale = levels.first().map_or(0, |level| level.sidx.timescale);
        let runs = runs.get_or_insert_with(|| IndexBuilder::new(scale, self.total));
        let mut end = at;
        while let Some(level) = levels.last_mut() {
            if level.sidx.timescale != runs.timescale() {
                return Err(Fault::Index.into());
            }
            end = end.max(level.start);
            let Some(reference) = level.sidx.next() else {
                levels.pop();
                continue;
            };
            let (start, time) = (level.start, level.time);
            level.advance(reference.size, reference.duration)?;
            if !reference.is_index {
                let run = IndexedRun {
                    start,
                    time,
                    size: reference.size,
                    access: reference.access,
                };
                runs.push(run, reference.duration)?;
                end = runs.end();
                continue;
            }
            // The last one of a chain makes room for the next.
            if level.sidx.clone().next().is_none() {
                levels.pop();
            }
            if levels.len() == MAX_LEVELS {
                return Err(Fault::TooMany("indices").into());
            }
            read.push(start);
            levels.push(self.level(start, movie)?);
        }
        Ok(end)
    }

    fn level(&self, at: u64, movie: &Movie) -> Result<Level<'_>, Stop> {
        let header = self.header(at)?;
        if header.kind.0 != *b"sidx" {
            return Err(Fault::Unexpected(header.kind).into());
        }
        let sidx = Sidx::read(&self.whole(at, &header)?)?;
        if sidx.track != movie.track {
            return Err(Fault::ForeignTrack.into());
        }
        let start = at
            .checked_add(header.size)
            .and_then(|end| end.checked_add(sidx.first_offset))
            .filter(|start| *start <= self.total)
            .ok_or(Fault::BeyondEnd)?;
        let time = sidx.time;
        Ok(Level { sidx, start, time })
    }
}

/// An index that is being read: where and when its next reference begins.
#[derive(Debug)]
struct Level<'a> {
    sidx: Sidx<'a>,
    start: u64,
    time: u64,
}

impl Level<'_> {
    fn advance(&mut self, size: u32, duration: u32) -> Result<(), Fault> {
        let start = self.start.checked_add(u64::from(size));
        self.start = start.ok_or(Fault::BeyondEnd)?;
        let time = self.time.checked_add(u64::from(duration));
        self.time = time.ok_or(Fault::Index)?;
        Ok(())
    }
}

/// Media stand where no index has led.
fn unindexed(is_indexed: bool) -> Fault {
    if is_indexed {
        return Fault::Unindexed;
    }
    Fault::Missing(FourCc(*b"sidx"))
}

fn finish(movie: Option<Movie>, runs: Option<IndexBuilder>, total: u64) -> Result<TrackHead, Stop> {
    let movie = movie.ok_or(Fault::Missing(FourCc(*b"moov")))?;
    let runs = runs.ok_or(Fault::Missing(FourCc(*b"sidx")))?;
    Ok(TrackHead {
        movie: Arc::new(movie),
        index: Arc::new(runs.finish()?),
        total,
    })
}
