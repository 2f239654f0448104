//! Where the runs of clusters of a file lie, by its Cues.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::ops::Range;

use super::Fault;
use super::ebml::elements;
use super::ids;

/// Latest time in ticks that is believed: leaves room for sums.
const MAX_TIME: u64 = 1 << 62;

/// Clusters in a row, from one cue point to the next or to the end of the media.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    /// Ticks at which it begins.
    pub(super) time: u64,
    /// Bytes of the file.
    pub(super) bytes: Range<u64>,
    /// Whether a cue point leads here; not so for clusters before the first one.
    pub(super) is_cued: bool,
}

/// Where things lie in a file; all in bytes from its start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// First byte of the segment's data: positions count from here.
    pub(super) segment: u64,
    /// First byte of the first cluster.
    pub(super) media: u64,
    /// Behind the last byte of the segment.
    pub(super) end: u64,
}

struct Cue {
    time: u64,
    at: u64,
}

/// Reads the data of `Cues`. `others` are the positions of other elements, which may stand behind the media.
pub(super) fn spans(
    data: &[u8],
    track: u64,
    bounds: Bounds,
    others: &[u64],
) -> Result<Vec<Span>, Fault> {
    let mut starts: Vec<Cue> = Vec::new();
    for element in elements(data) {
        let element = element?;
        if element.id == ids::CUE_POINT {
            let cue = cue(element.data, track, bounds)?;
            add(&mut starts, cue)?;
        }
    }
    let first = starts.first().ok_or(Fault::Index("no cue point"))?.at;
    let end = media_end(&starts, bounds, others)?;
    let ends = starts.iter().skip(1).map(|cue| cue.at).chain([end]);
    let cued = starts.iter().zip(ends).map(|(cue, end)| Span {
        time: cue.time,
        bytes: cue.at..end,
        is_cued: true,
    });
    let before = (bounds.media < first).then_some(Span {
        time: 0,
        bytes: bounds.media..first,
        is_cued: false,
    });
    Ok(before.into_iter().chain(cued).collect())
}

fn add(starts: &mut Vec<Cue>, cue: Cue) -> Result<(), Fault> {
    if let Some(last) = starts.last() {
        if cue.time < last.time || cue.at < last.at {
            return Err(Fault::Index("its cue points aren't in order"));
        }
        if cue.at == last.at {
            // Several points of one cluster: it is a run by its first.
            return Ok(());
        }
    }
    starts.push(cue);
    Ok(())
}

fn cue(data: &[u8], track: u64, bounds: Bounds) -> Result<Cue, Fault> {
    let (mut time, mut position) = (None, None);
    for element in elements(data) {
        let element = element?;
        match element.id {
            ids::CUE_TIME => time = Some(element.uint()?),
            ids::CUE_TRACK_POSITIONS => position = Some(cluster_position(element.data, track)?),
            _ => {}
        }
    }
    let (Some(time), Some(position)) = (time, position) else {
        return Err(Fault::Index("a cue point without time or position"));
    };
    let at = bounds
        .segment
        .checked_add(position)
        .filter(|at| (bounds.media..bounds.end).contains(at))
        .ok_or(Fault::Index("a cue point leads out of the media"))?;
    if time > MAX_TIME {
        return Err(Fault::Index("a cue point at an absurd time"));
    }
    Ok(Cue { time, at })
}

fn cluster_position(data: &[u8], track: u64) -> Result<u64, Fault> {
    let (mut of, mut position) = (None, None);
    for element in elements(data) {
        let element = element?;
        match element.id {
            ids::CUE_TRACK => of = Some(element.uint()?),
            ids::CUE_CLUSTER_POSITION => position = Some(element.uint()?),
            _ => {}
        }
    }
    if of != Some(track) {
        return Err(Fault::Index("a cue point of another track"));
    }
    position.ok_or(Fault::Index("a cue point without time or position"))
}

fn media_end(starts: &[Cue], bounds: Bounds, others: &[u64]) -> Result<u64, Fault> {
    let last = starts.last().map_or(bounds.media, |cue| cue.at);
    let behind = others
        .iter()
        .filter_map(|position| position.checked_add(bounds.segment))
        .filter(|&at| at > bounds.media);
    let end = behind.fold(bounds.end, u64::min);
    if end <= last {
        return Err(Fault::Unsupported("something else stands among its media"));
    }
    Ok(end)
}
