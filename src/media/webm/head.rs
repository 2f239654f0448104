//! Reads the first bytes of a file, up to its first cluster.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::ops::Range;
use std::time::Duration;

use super::Fault;
use super::cues::{Bounds, Span, spans};
use super::ebml::{Header, MAX_HEADER, elements, header};
use super::ids;
use super::track::{Entry, Info, Versions, parse_ebml, parse_info, parse_tracks};
use crate::media::{Progress, Side};

/// Bytes that are asked for when nobody says where the index ends.
const FIRST: u64 = 64 * 1024;
/// Most bytes before the first cluster: ten hours with a cue point each second take less than 1 MiB.
const MAX_HEAD: u64 = 4 * 1024 * 1024;

/// What a file of one track says before its first cluster.
#[derive(Debug, Clone)]
pub struct TrackHead {
    pub(super) total: u64,
    pub(super) versions: Versions,
    pub(super) info: Info,
    pub(super) entry: Entry,
    pub(super) spans: Vec<Span>,
}

impl TrackHead {
    /// Picture or sound.
    pub fn side(&self) -> Side {
        self.entry.side
    }

    /// Bytes of clusters.
    pub fn media_len(&self) -> u64 {
        self.spans
            .iter()
            .map(|span| span.bytes.end.saturating_sub(span.bytes.start))
            .fold(0, u64::saturating_add)
    }

    /// Bytes of the file.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// How many runs it has.
    pub fn runs(&self) -> usize {
        self.spans.len()
    }

    /// Bytes of memory that it takes, for the cache that keeps it.
    pub fn weight(&self) -> usize {
        size_of_val(&*self.spans)
            .saturating_add(self.entry.rest.len())
            .saturating_add(size_of::<Self>())
    }

    /// How long it lasts, if the file says.
    pub fn duration(&self) -> Option<Duration> {
        let seconds = self.info.duration? * self.info.scale as f64 / 1e9;
        Duration::try_from_secs_f64(seconds).ok()
    }
}

/// Takes a file from its first byte on, in parts of any size, until its head is known.
#[derive(Debug)]
pub struct HeadReader {
    total: u64,
    bytes: Vec<u8>,
    at: usize,
    versions: Option<Versions>,
    segment: Option<Range<u64>>,
    info: Option<Info>,
    entry: Option<Entry>,
    cues: Option<Range<usize>>,
    others: Vec<u64>,
}

impl HeadReader {
    /// For a file of `total` bytes.
    pub fn new(total: u64) -> Self {
        Self {
            total,
            bytes: Vec::new(),
            at: 0,
            versions: None,
            segment: None,
            info: None,
            entry: None,
            cues: None,
            others: Vec::new(),
        }
    }

    /// The bytes that are needed first; `index_end` is one past the last byte of the index, where the site says it.
    /// The beginning of the first cluster, right behind it, shows that the runs begin there.
    pub fn first(&self, index_end: Option<u64>) -> Range<u64> {
        let sensible = index_end.filter(|end| (1..MAX_HEAD).contains(end));
        let end = sensible.map_or(FIRST, |end| end.saturating_add(MAX_HEADER as u64));
        0..end.min(self.total)
    }

    /// Takes the bytes from `start` on, which follow those taken before.
    ///
    /// # Errors
    /// The file isn't one that can be joined, or these are other bytes. Reading is over then.
    pub fn feed(&mut self, start: u64, bytes: &[u8]) -> Result<Progress<TrackHead>, Fault> {
        if start != self.bytes.len() as u64 {
            return Err(Fault::Malformed("other bytes came than were asked for"));
        }
        self.bytes.extend_from_slice(bytes);
        loop {
            let Some(header) = header(self.bytes.get(self.at..).unwrap_or_default())? else {
                return self.need((self.at as u64).saturating_add(MAX_HEADER as u64));
            };
            if header.id == ids::CLUSTER && self.segment.is_some() {
                return self.finish().map(Progress::Done);
            }
            if header.id == ids::SEGMENT && self.segment.is_none() {
                self.enter_segment(header)?;
                continue;
            }
            let end = self.end_of(header)?;
            // A head is far smaller than memory.
            let end_at = usize::try_from(end).map_err(|_| TOO_LONG)?;
            if self.bytes.len() < end_at {
                return self.need(end);
            }
            self.read(header.id, self.at.saturating_add(header.len)..end_at)?;
            self.at = end_at;
        }
    }

    fn need(&self, len: u64) -> Result<Progress<TrackHead>, Fault> {
        // Near the end of the file a header may be shorter than the longest.
        let len = len.min(self.total);
        if len <= self.bytes.len() as u64 {
            return Err(Fault::Malformed("it ends before its first cluster"));
        }
        Ok(Progress::Need(self.bytes.len() as u64..len))
    }

    fn enter_segment(&mut self, header: Header) -> Result<(), Fault> {
        if self.versions.is_none() {
            return Err(Fault::Malformed("it doesn't begin with an EBML header"));
        }
        self.at = self.at.saturating_add(header.len);
        let start = self.at as u64;
        let end = match header.size {
            Some(size) => start
                .checked_add(size)
                .filter(|&end| end == self.total)
                .ok_or(Fault::Malformed("its segment doesn't end with the file"))?,
            None => self.total,
        };
        self.segment = Some(start..end);
        Ok(())
    }

    fn end_of(&self, header: Header) -> Result<u64, Fault> {
        let size = header
            .size
            .ok_or(Fault::Malformed("an unknown size where none is allowed"))?;
        let end = (self.at as u64)
            .checked_add(header.len as u64)
            .and_then(|start| start.checked_add(size))
            .ok_or(TOO_LONG)?;
        if end > self.segment.as_ref().map_or(self.total, |range| range.end) {
            return Err(Fault::Malformed("an element reaches beyond its parent"));
        }
        if end > MAX_HEAD {
            return Err(TOO_LONG);
        }
        Ok(end)
    }

    fn read(&mut self, id: u32, data: Range<usize>) -> Result<(), Fault> {
        let bytes = self.bytes.get(data.clone()).unwrap_or_default();
        let is_new = match (id, &self.segment) {
            (ids::EBML, None) => self.versions.replace(parse_ebml(bytes)?).is_none(),
            (_, None) => return Err(Fault::Malformed("it doesn't begin with an EBML header")),
            (ids::INFO, _) => self.info.replace(parse_info(bytes)?).is_none(),
            (ids::TRACKS, _) => self.entry.replace(parse_tracks(bytes)?).is_none(),
            (ids::CUES, _) => self.cues.replace(data).is_none(),
            (ids::SEEK_HEAD, _) => {
                parse_seek_head(bytes, &mut self.others)?;
                true
            }
            _ => true,
        };
        if is_new {
            Ok(())
        } else {
            Err(Fault::Malformed("an element stands twice in its head"))
        }
    }

    fn finish(&mut self) -> Result<TrackHead, Fault> {
        let (Some(versions), Some(segment)) = (self.versions, self.segment.clone()) else {
            return Err(Fault::Malformed("it doesn't begin with an EBML header"));
        };
        let (Some(info), Some(entry)) = (self.info, self.entry.take()) else {
            return Err(Fault::Malformed("no `Info` or `Tracks` before its media"));
        };
        let cues = self.cues.clone().ok_or(Fault::Unsupported(
            "no index before its media, as in a live recording",
        ))?;
        let bounds = Bounds {
            segment: segment.start,
            media: self.at as u64,
            end: segment.end,
        };
        let cues = self.bytes.get(cues).unwrap_or_default();
        let spans = spans(cues, entry.number, bounds, &self.others)?;
        Ok(TrackHead {
            total: self.total,
            versions,
            info,
            entry,
            spans,
        })
    }
}

const TOO_LONG: Fault = Fault::TooLarge("more than 4 MiB before its media");

/// Positions of elements, counted from the segment's data, without those of clusters.
fn parse_seek_head(data: &[u8], positions: &mut Vec<u64>) -> Result<(), Fault> {
    for seek in elements(data) {
        let seek = seek?;
        if seek.id != ids::SEEK {
            continue;
        }
        let (mut is_cluster, mut position) = (false, None);
        for element in elements(seek.data) {
            let element = element?;
            match element.id {
                ids::SEEK_ID => is_cluster = element.data == ids::CLUSTER.to_be_bytes(),
                ids::SEEK_POSITION => position = Some(element.uint()?),
                _ => {}
            }
        }
        positions.extend(position.filter(|_| !is_cluster));
    }
    Ok(())
}
