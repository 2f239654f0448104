//! Follows the elements of a run and overwrites what is different in the joined file.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::ops::Range;

use super::Fault;
use super::ebml::{Header, big_endian, header, vint_width, vint_width_of};
use super::ids;
use crate::media::{Mismatch, Patch};

/// Block data shorter than this are passed over at once: leaving them out would cost more than it saves.
const OPAQUE_FROM: u64 = 4096;

/// The identifier of `Void`. It takes one byte, as do those of all that is made void.
const VOID: u8 = ids::VOID.to_be_bytes()[3];

/// The change of one run of clusters. Stays in step with it element by element, so that it finds out when an
/// index led to something that is no cluster, or to clusters of another track.
#[derive(Debug)]
pub(super) struct RunPatch {
    plan: Plan,
    /// Bytes of the run.
    length: u64,
    /// Bytes taken so far.
    at: u64,
    /// Bytes to come that are neither looked at nor changed.
    skip: u64,
    place: Place,
}

/// What to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    /// Number of the track in its own file.
    pub(super) from: u64,
    /// Number in the joined file; takes as many bytes as `from`.
    pub(super) to: u64,
    /// Ticks to take off each time.
    pub(super) shift: u64,
    /// Ticks between which blocks are kept, before the shift; not earlier than it. Others become `Void`.
    pub(super) keep: Option<Range<u64>>,
}

/// Between which elements the next one stands. Ends are counted from the start of the run.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// Before the first cluster: nothing else may begin a run.
    Start,
    /// Between clusters.
    Segment,
    Cluster(Cluster),
    Group {
        end: u64,
        cluster: Cluster,
    },
}

#[derive(Debug, Clone, Copy)]
struct Cluster {
    end: u64,
    /// Of unknown size: the next cluster ends it.
    is_open: bool,
    /// Ticks, once they have been read.
    time: Option<u64>,
}

impl RunPatch {
    pub(super) fn new(plan: Plan, length: u64) -> Self {
        Self {
            plan,
            length,
            at: 0,
            skip: 0,
            place: Place::Start,
        }
    }

    /// Takes the bytes that were to be passed over, as far as they are there; returns how many.
    fn pass(&mut self, available: usize) -> usize {
        let count = usize::try_from(self.skip).map_or(available, |skip| skip.min(available));
        self.skip = self.skip.saturating_sub(count as u64);
        self.at = self.at.saturating_add(count as u64);
        count
    }

    /// Leaves the elements that have ended.
    fn leave_ended(&mut self) {
        if let Place::Group { end, cluster } = self.place
            && self.at == end
        {
            self.place = Place::Cluster(cluster);
        }
        if let Place::Cluster(cluster) = self.place
            && self.at == cluster.end
            && !cluster.is_open
        {
            self.place = Place::Segment;
        }
    }

    /// Takes the header of an element, and the field in it that may change. `None`: it goes on behind `bytes`.
    fn element(&mut self, bytes: &mut [u8]) -> Result<Option<usize>, Fault> {
        let Some(header) = header(bytes)? else {
            return Ok(None);
        };
        let end = self.end_of(header)?;
        let (first, data) = bytes.split_at_mut(header.len);
        let field = match (self.place, header.id) {
            (Place::Start | Place::Segment, ids::CLUSTER) => {
                return Ok(Some(self.enter(header, end)));
            }
            (Place::Cluster(cluster), ids::CLUSTER) if cluster.is_open => {
                return Ok(Some(self.enter(header, end)));
            }
            (Place::Start, _) => return Err(Fault::Index("a cue point leads to no cluster")),
            (Place::Cluster(cluster), ids::BLOCK_GROUP) => {
                match self.is_group_kept(cluster, data)? {
                    None => return Ok(None),
                    Some(true) => {
                        self.place = Place::Group { end, cluster };
                        return Ok(Some(header.len));
                    }
                    Some(false) => {
                        make_void(first);
                        Some(0)
                    }
                }
            }
            (Place::Cluster(cluster), ids::SIMPLE_BLOCK)
            | (Place::Group { cluster, .. }, ids::BLOCK) => {
                let Some((width, is_kept)) = self.block(cluster, data, header)? else {
                    return Ok(None);
                };
                if !is_kept {
                    make_void(first);
                }
                Some(width)
            }
            (Place::Cluster(cluster), ids::TIMESTAMP) => self.timestamp(cluster, data, header)?,
            (Place::Cluster(_), ids::POSITION | ids::PREV_SIZE | ids::CRC_32)
            | (Place::Group { .. }, ids::CRC_32) => {
                make_void(first);
                Some(0)
            }
            (_, ids::VOID) | (Place::Group { .. }, _) => Some(0),
            _ => return Err(Fault::Unsupported("something else stands among its media")),
        };
        let Some(field) = field else {
            return Ok(None);
        };
        let taken = header.len.saturating_add(field);
        let behind = self.at.saturating_add(taken as u64);
        self.skip = end.checked_sub(behind).ok_or(BEYOND)?;
        Ok(Some(taken))
    }

    fn enter(&mut self, header: Header, end: u64) -> usize {
        self.place = Place::Cluster(Cluster {
            end,
            is_open: header.size.is_none(),
            time: None,
        });
        header.len
    }

    /// Where the element that begins here ends, counted from the start of the run.
    fn end_of(&self, header: Header) -> Result<u64, Fault> {
        let parent_end = match self.place {
            // What ends an open cluster is no child of it.
            Place::Start | Place::Segment => self.length,
            Place::Cluster(cluster) => cluster.end,
            Place::Group { end, .. } => end,
        };
        let data = self.at.saturating_add(header.len as u64);
        let end = match header.size {
            Some(size) => data.checked_add(size),
            None if header.id == ids::CLUSTER => Some(self.length),
            None => None,
        };
        end.filter(|&end| data <= end && end <= parent_end)
            .ok_or(BEYOND)
    }

    /// The number of the track and the time at the start of a block. Returns how many bytes both take, and whether
    /// the block is kept.
    fn block(
        &self,
        cluster: Cluster,
        data: &mut [u8],
        header: Header,
    ) -> Result<Option<(usize, bool)>, Fault> {
        let Some(&first) = data.first() else {
            return Ok(None);
        };
        let foreign = Fault::Index("a block of another track");
        let width = vint_width(first).ok_or(foreign)?;
        // Behind it a time of two bytes and one of flags.
        let shortest = (width as u64).saturating_add(3);
        if header.size.is_some_and(|size| size < shortest) {
            return Err(Fault::Malformed("a block too short for its header"));
        }
        if vint_width_of(self.plan.from) > width {
            return Err(foreign);
        }
        let Some((number, behind)) = data.split_at_mut_checked(width) else {
            return Ok(None);
        };
        let Some(time) = behind.first_chunk_mut() else {
            return Ok(None);
        };
        let marked = |number: u64| (number | 1 << width.saturating_mul(7)).to_be_bytes();
        if *number != *last(&marked(self.plan.from), width) {
            return Err(foreign);
        }
        let is_kept = self.is_kept(cluster, *time)?;
        number.copy_from_slice(last(&marked(self.plan.to), width));
        if is_kept {
            *time = self.moved(cluster, *time)?;
        }
        Ok(Some((width.saturating_add(time.len()), is_kept)))
    }

    /// Whether a group of which `data` begin with the data is kept; its block must come first, as all muxers write it.
    fn is_group_kept(&self, cluster: Cluster, data: &[u8]) -> Result<Option<bool>, Fault> {
        if self.plan.keep.is_none() {
            return Ok(Some(true));
        }
        let Some(header) = header(data)? else {
            return Ok(None);
        };
        if header.id != ids::BLOCK {
            return Err(Fault::Unsupported("a group doesn't begin with its block"));
        }
        let block = data.get(header.len..).unwrap_or_default();
        let Some(&first) = block.first() else {
            return Ok(None);
        };
        let width = vint_width(first).ok_or(Fault::Index("a block of another track"))?;
        let Some(&time) = block.get(width..).and_then(|behind| behind.first_chunk()) else {
            return Ok(None);
        };
        self.is_kept(cluster, time).map(Some)
    }

    /// Whether a block of this time, counted from its cluster, is kept.
    fn is_kept(&self, cluster: Cluster, time: [u8; 2]) -> Result<bool, Fault> {
        let Some(keep) = &self.plan.keep else {
            return Ok(true);
        };
        let time = cluster
            .time
            .ok_or(Fault::Malformed("a block before the time of its cluster"))?
            .saturating_add_signed(i16::from_be_bytes(time).into());
        Ok(keep.contains(&time))
    }

    /// The time of a block counted from its cluster, less what couldn't be taken off the cluster's.
    fn moved(&self, cluster: Cluster, time: [u8; 2]) -> Result<[u8; 2], Fault> {
        let rest = self
            .plan
            .shift
            .saturating_sub(cluster.time.unwrap_or(self.plan.shift));
        if rest == 0 {
            return Ok(time);
        }
        i64::try_from(rest)
            .ok()
            .and_then(|rest| i64::from(i16::from_be_bytes(time)).checked_sub(rest))
            .and_then(|moved| i16::try_from(moved).ok())
            .map(i16::to_be_bytes)
            .ok_or(EARLY)
    }

    /// The timestamp of a cluster. A difference never takes more bytes than what it is taken from.
    fn timestamp(
        &mut self,
        cluster: Cluster,
        data: &mut [u8],
        header: Header,
    ) -> Result<Option<usize>, Fault> {
        let width = header
            .size
            .and_then(|size| usize::try_from(size).ok())
            .filter(|&width| width <= 8)
            .ok_or(Fault::Malformed("a number longer than eight bytes"))?;
        let Some(field) = data.get_mut(..width) else {
            return Ok(None);
        };
        let time = big_endian(field);
        if time < self.plan.shift && self.plan.keep.is_none() {
            return Err(EARLY);
        }
        let moved = time.saturating_sub(self.plan.shift);
        field.copy_from_slice(last(&moved.to_be_bytes(), width));
        self.place = Place::Cluster(Cluster {
            time: Some(time),
            ..cluster
        });
        Ok(Some(width))
    }
}

/// Makes the element with this header void.
fn make_void(header: &mut [u8]) {
    if let Some(id) = header.first_mut() {
        *id = VOID;
    }
}

/// The last `width` bytes of a number.
fn last(bytes: &[u8; 8], width: usize) -> &[u8] {
    let before = bytes.len().saturating_sub(width);
    bytes.get(before..).unwrap_or_default()
}

/// An element's end has to be known, and no later than its parent's.
const BEYOND: Fault = Fault::Malformed("an element reaches beyond its parent");
/// A picture that begins before the clip would lose its keyframe.
const EARLY: Fault = Fault::Index("a cluster earlier than its cue point");

impl Patch for RunPatch {
    fn opaque(&self) -> u64 {
        if self.skip < OPAQUE_FROM {
            0
        } else {
            self.skip
        }
    }

    fn skip(&mut self, count: u64) {
        let count = count.min(self.skip);
        self.skip = self.skip.saturating_sub(count);
        self.at = self.at.saturating_add(count);
    }

    /// Each frame has fields of its own.
    fn is_dense(&self) -> bool {
        true
    }

    fn patch(&mut self, bytes: &mut [u8]) -> Result<usize, Mismatch> {
        let mut taken = 0_usize;
        while let Some(rest) = bytes.get_mut(taken..).filter(|rest| !rest.is_empty()) {
            if self.opaque() > 0 {
                break;
            }
            if self.skip > 0 {
                taken = taken.saturating_add(self.pass(rest.len()));
                continue;
            }
            self.leave_ended();
            if self.at == self.length {
                break;
            }
            let Some(count) = self.element(rest)? else {
                break;
            };
            taken = taken.saturating_add(count);
            self.at = self.at.saturating_add(count as u64);
        }
        Ok(taken)
    }

    fn finish(&self) -> Result<(), Mismatch> {
        if self.at == self.length && self.skip == 0 {
            Ok(())
        } else {
            Err(Fault::Index("a cue point leads into the middle of a cluster").into())
        }
    }
}
