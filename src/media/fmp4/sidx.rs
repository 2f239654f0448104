//! The segment index (ISO/IEC 14496-12 §8.16.3).
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use super::boxes::{Fields, Whole};
use super::error::Fault;

/// A segment index, its references still unread.
#[derive(Debug, Clone)]
pub(super) struct Sidx<'a> {
    /// Track that it is about.
    pub(super) track: u32,
    /// Ticks per second.
    pub(super) timescale: u32,
    /// When its first run begins, in ticks.
    pub(super) time: u64,
    /// Bytes between the end of the box and its first run.
    pub(super) first_offset: u64,
    left: u16,
    fields: Fields<'a>,
}

/// One reference of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reference {
    /// Whether it leads to another index rather than to media.
    pub(super) is_index: bool,
    /// Bytes of what it leads to.
    pub(super) size: u32,
    /// Ticks that it lasts.
    pub(super) duration: u32,
    /// How playing may begin with it: the last word of the reference.
    pub(super) access: u32,
}

impl<'a> Sidx<'a> {
    /// Reads a box of that type.
    ///
    /// # Errors
    /// It is cut, of an unknown version or without a time scale.
    pub(super) fn read(found: &Whole<'a>) -> Result<Self, Fault> {
        let (version, mut fields) = found.full()?;
        if version > 1 {
            return Err(Fault::Version(found.kind));
        }
        let (track, timescale) = (fields.u32()?, fields.u32()?);
        if timescale == 0 {
            return Err(Fault::Timescale);
        }
        let time = fields.long(version == 1)?;
        let first_offset = fields.long(version == 1)?;
        fields.u16()?;
        let left = fields.u16()?;
        if fields.rest().len() < usize::from(left) * 12 {
            return Err(Fault::Cut(found.kind));
        }
        Ok(Self {
            track,
            timescale,
            time,
            first_offset,
            left,
            fields,
        })
    }
}

impl Iterator for Sidx<'_> {
    type Item = Reference;

    fn next(&mut self) -> Option<Reference> {
        self.left = self.left.checked_sub(1)?;
        let word = self.fields.u32().ok()?;
        Some(Reference {
            is_index: word >> 31 == 1,
            size: word & 0x7fff_ffff,
            duration: self.fields.u32().ok()?,
            access: self.fields.u32().ok()?,
        })
    }
}
