//! Boxes of the ISO base media file format (ISO/IEC 14496-12 §4.2): bounded reading and writing.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use super::error::{Fault, FourCc};

/// Header of a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Its type.
    pub(super) kind: FourCc,
    /// Bytes of the header: 8, or 16 with a 64-bit size.
    pub(super) length: u64,
    /// Bytes of the box, header included.
    pub(super) size: u64,
}

impl Header {
    /// Most bytes of a header.
    pub(super) const MAX: usize = 16;

    /// Reads a header from the front of `bytes`; `None` when it is cut.
    ///
    /// # Errors
    /// A size less than the header, or one that reaches to the end of the file.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<Self>, Fault> {
        let Some((size, rest)) = bytes.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let Some((kind, rest)) = rest.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let kind = FourCc(*kind);
        let (length, size) = match u32::from_be_bytes(*size) {
            1 => match rest.first_chunk::<8>() {
                Some(size) => (16, u64::from_be_bytes(*size)),
                None => return Ok(None),
            },
            size => (8, u64::from(size)),
        };
        if size < length {
            return Err(Fault::Size(kind));
        }
        Ok(Some(Self { kind, length, size }))
    }

    /// Bytes of the header, as an index.
    pub(super) fn taken(&self) -> usize {
        if self.length == 8 { 8 } else { Self::MAX }
    }

    /// Bytes of a box that is taken whole.
    ///
    /// # Errors
    /// Less than `least` or more than `most`.
    pub(super) fn field(&self, least: u64, most: u64) -> Result<usize, Fault> {
        let fault = Fault::Size(self.kind);
        if self.length != 8 || !(least..=most).contains(&self.size) {
            return Err(fault);
        }
        usize::try_from(self.size).map_err(|_| fault)
    }
}

/// A box that is all there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whole<'a> {
    /// Its type.
    pub(super) kind: FourCc,
    /// All of it.
    pub(super) bytes: &'a [u8],
    /// What follows its header.
    pub(super) body: &'a [u8],
}

impl<'a> Whole<'a> {
    /// Reads the box at the front of `bytes`; returns what follows it.
    ///
    /// # Errors
    /// No whole box is there.
    pub(super) fn read(bytes: &'a [u8], around: FourCc) -> Result<(Self, &'a [u8]), Fault> {
        let header = Header::read(bytes)?.ok_or(Fault::Cut(around))?;
        let cut = Fault::Cut(header.kind);
        let size = usize::try_from(header.size).map_err(|_| cut)?;
        let (bytes, rest) = bytes.split_at_checked(size).ok_or(cut)?;
        let kind = header.kind;
        let body = bytes.get(header.taken()..).ok_or(cut)?;
        Ok((Self { kind, bytes, body }, rest))
    }

    /// The boxes in it.
    pub(super) fn children(&self) -> Children<'a> {
        Children {
            around: self.kind,
            rest: self.body,
        }
    }

    /// The one box of this type in it.
    ///
    /// # Errors
    /// A broken box, or not one of them.
    pub(super) fn only(&self, kind: [u8; 4]) -> Result<Self, Fault> {
        let kind = FourCc(kind);
        self.optional(kind)?.ok_or(Fault::Missing(kind))
    }

    /// The box of this type in it, when there is one.
    ///
    /// # Errors
    /// A broken box, or more than one of them.
    pub(super) fn optional(&self, kind: FourCc) -> Result<Option<Self>, Fault> {
        let mut found = None;
        for child in self.children() {
            let child = child?;
            if child.kind == kind && found.replace(child).is_some() {
                return Err(Fault::Unexpected(kind));
            }
        }
        Ok(found)
    }

    /// The fields of a full box (§4.2.2): version, flags, and what follows.
    ///
    /// # Errors
    /// It is cut.
    pub(super) fn full(&self) -> Result<(u8, Fields<'a>), Fault> {
        let mut fields = Fields {
            kind: self.kind,
            rest: self.body,
        };
        let word = fields.u32()?;
        Ok((u8::try_from(word >> 24).unwrap_or(u8::MAX), fields))
    }
}

/// The boxes in a box.
#[derive(Debug, Clone)]
pub(super) struct Children<'a> {
    around: FourCc,
    rest: &'a [u8],
}

impl<'a> Iterator for Children<'a> {
    type Item = Result<Whole<'a>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        // QuickTime ends some lists with a word of zeros; nothing of a box fits in there.
        if self.rest.len() < 8 {
            return None;
        }
        let read = Whole::read(self.rest, self.around);
        self.rest = read.as_ref().map_or(&[], |(_, rest)| rest);
        Some(read.map(|(found, _)| found))
    }
}

/// The fields of a box, one after the other.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    kind: FourCc,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(Fault::Cut(self.kind))?;
        self.rest = rest;
        Ok(*array)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Fault> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Fault> {
        self.array().map(u64::from_be_bytes)
    }

    /// A number that is longer in later versions.
    pub(super) fn long(&mut self, is_long: bool) -> Result<u64, Fault> {
        if is_long {
            return self.u64();
        }
        self.u32().map(u64::from)
    }

    pub(super) fn skip(&mut self, count: usize) -> Result<(), Fault> {
        self.rest = self.rest.get(count..).ok_or(Fault::Cut(self.kind))?;
        Ok(())
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

/// Appends a box whose body `write` appends.
///
/// # Errors
/// It has grown over 4 GiB.
pub(super) fn append(
    out: &mut Vec<u8>,
    kind: [u8; 4],
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&kind);
    write(out)?;
    let size = out.len().saturating_sub(start);
    let size = u32::try_from(size).map_err(|_| Fault::TooLarge("header"))?;
    put_word(out, start, size).ok_or(Fault::TooLarge("header"))
}

/// As [`append`], for a full box.
///
/// # Errors
/// It has grown over 4 GiB.
pub(super) fn append_full(
    out: &mut Vec<u8>,
    kind: [u8; 4],
    version: u8,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    append(out, kind, |out| {
        out.extend_from_slice(&[version, 0, 0, 0]);
        write(out)
    })
}

/// Writes a number over the bytes at `at`.
pub(super) fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) -> Option<()> {
    bytes
        .get_mut(at..at.checked_add(N)?)?
        .copy_from_slice(&value);
    Some(())
}

/// The word at `at`.
pub(super) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_be_bytes(*word))
}

/// Writes a word over the one at `at`.
pub(super) fn put_word(bytes: &mut [u8], at: usize, value: u32) -> Option<()> {
    put(bytes, at, value.to_be_bytes())
}
