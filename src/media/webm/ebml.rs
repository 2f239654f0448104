//! EBML (RFC 8794): reading elements from bytes that lie in memory, and writing them.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use super::Fault;

/// Longest header of an element: four bytes of identifier, eight of size.
pub(super) const MAX_HEADER: usize = 12;

/// Identifier and size of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// With its length marker.
    pub(super) id: u32,
    /// Bytes of data; `None` when unknown (RFC 8794 §6.2).
    pub(super) size: Option<u64>,
    /// Bytes of the header itself.
    pub(super) len: usize,
}

/// Bytes of the variable-length integer that begins with `first`; `None` for more than eight.
pub(super) fn vint_width(first: u8) -> Option<usize> {
    let width = (first.leading_zeros() as usize).saturating_add(1);
    (width <= 8).then_some(width)
}

/// Reads the header at the start of `bytes`. `None`: it goes on behind them.
///
/// # Errors
/// No header of at most [`MAX_HEADER`] bytes.
pub(super) fn header(bytes: &[u8]) -> Result<Option<Header>, Fault> {
    let Some(&first) = bytes.first() else {
        return Ok(None);
    };
    let id_width = vint_width(first)
        .filter(|&width| width <= 4)
        .ok_or(Fault::Malformed("an identifier longer than four bytes"))?;
    let Some(&second) = bytes.get(id_width) else {
        return Ok(None);
    };
    let size_width =
        vint_width(second).ok_or(Fault::Malformed("a size longer than eight bytes"))?;
    let len = id_width.saturating_add(size_width);
    let whole = bytes.get(..len);
    let Some((id, size)) = whole.and_then(|whole| whole.split_at_checked(id_width)) else {
        return Ok(None);
    };
    let mask = mask(size_width);
    let size = big_endian(size) & mask;
    Ok(Some(Header {
        // At most four bytes.
        id: u32::try_from(big_endian(id)).unwrap_or(0),
        size: (size != mask).then_some(size),
        len,
    }))
}

/// The bits of a variable-length integer of `width` bytes: seven of each. All set, they say that a size is unknown.
fn mask(width: usize) -> u64 {
    u64::MAX >> 64_usize.saturating_sub(width.saturating_mul(7)).min(63)
}

/// The number in up to eight bytes, most significant first.
pub(super) fn big_endian(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |value, &byte| value << 8 | u64::from(byte))
}

/// An element that lies in memory as a whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'a> {
    /// With its length marker.
    pub(super) id: u32,
    /// Without the header.
    pub(super) data: &'a [u8],
    /// With the header.
    pub(super) whole: &'a [u8],
}

impl<'a> Element<'a> {
    /// The data as an unsigned integer.
    ///
    /// # Errors
    /// Longer than eight bytes.
    pub(super) fn uint(&self) -> Result<u64, Fault> {
        if self.data.len() > 8 {
            return Err(Fault::Malformed("a number longer than eight bytes"));
        }
        Ok(big_endian(self.data))
    }

    /// The data as a floating-point number.
    ///
    /// # Errors
    /// Neither 0, 4 nor 8 bytes long.
    pub(super) fn float(&self) -> Result<f64, Fault> {
        if self.data.is_empty() {
            return Ok(0.0);
        }
        let single = <[u8; 4]>::try_from(self.data).map(|bytes| f32::from_be_bytes(bytes).into());
        let double = <[u8; 8]>::try_from(self.data).map(f64::from_be_bytes);
        single
            .or(double)
            .map_err(|_| Fault::Malformed("a float of neither 4 nor 8 bytes"))
    }

    /// The data as a string without the zeros that may pad it (RFC 8794 §7.4).
    pub(super) fn text(&self) -> &'a [u8] {
        let end = self.data.iter().position(|&byte| byte == 0);
        end.and_then(|end| self.data.get(..end))
            .unwrap_or(self.data)
    }
}

/// The elements in `data`, one after the other, without `Void` and `CRC-32`; ends after the first fault.
pub(super) fn elements(data: &[u8]) -> impl Iterator<Item = Result<Element<'_>, Fault>> {
    let mut rest = data;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (element, behind) = match split(rest) {
            Ok((element, behind)) => (Ok(element), behind),
            Err(error) => (Err(error), &[][..]),
        };
        rest = behind;
        Some(element)
    })
    .filter(|element| {
        let id = element.as_ref().map_or(0, |element| element.id);
        !matches!(id, super::ids::VOID | super::ids::CRC_32)
    })
}

fn split(bytes: &[u8]) -> Result<(Element<'_>, &[u8]), Fault> {
    let cut = Fault::Malformed("an element reaches beyond its parent");
    let header = header(bytes)?.ok_or(cut)?;
    let size = header
        .size
        .ok_or(Fault::Malformed("an unknown size where none is allowed"))?;
    let end = usize::try_from(size)
        .ok()
        .and_then(|size| size.checked_add(header.len))
        .ok_or(cut)?;
    let (whole, behind) = bytes.split_at_checked(end).ok_or(cut)?;
    let element = Element {
        id: header.id,
        data: whole.get(header.len..).ok_or(cut)?,
        whole,
    };
    Ok((element, behind))
}

/// Appends an identifier.
pub(super) fn put_id(out: &mut Vec<u8>, id: u32) {
    let zeros = id.leading_zeros() as usize / 8;
    out.extend(id.to_be_bytes().into_iter().skip(zeros));
}

/// Appends a size in as few bytes as it takes. Larger than 2^56 - 2 is not asked for.
pub(super) fn put_size(out: &mut Vec<u8>, size: u64) {
    let width = vint_width_of(size);
    let marked = size | 1 << width.saturating_mul(7);
    let unused = size_of_val(&marked).saturating_sub(width);
    out.extend(marked.to_be_bytes().into_iter().skip(unused));
}

/// Fewest bytes of a variable-length integer of this value, not all of whose bits may be set.
pub(super) fn vint_width_of(value: u64) -> usize {
    (1..8).find(|width| value < mask(*width)).unwrap_or(8)
}

/// Appends an element.
pub(super) fn put(out: &mut Vec<u8>, id: u32, data: &[u8]) {
    put_id(out, id);
    put_size(out, data.len() as u64);
    out.extend_from_slice(data);
}

/// Appends an unsigned integer in as few bytes as it takes.
pub(super) fn put_uint(out: &mut Vec<u8>, id: u32, value: u64) {
    let zeros = (value.leading_zeros() as usize / 8).min(7);
    let bytes = value.to_be_bytes();
    put(out, id, bytes.get(zeros..).unwrap_or(&bytes));
}

/// Appends an unsigned integer in eight bytes: its length doesn't depend on its value.
pub(super) fn put_uint_wide(out: &mut Vec<u8>, id: u32, value: u64) {
    put(out, id, &value.to_be_bytes());
}
