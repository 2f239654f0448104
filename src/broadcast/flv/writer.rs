//! From tags to the bytes of a file.

use bytes::BufMut;

use super::Tag;

/// Writes the head of a file with pictures and sound.
pub fn write_header(out: &mut Vec<u8>) {
    out.put_slice(b"FLV\x01\x05");
    out.put_u32(9);
    out.put_u32(0);
}

/// Writes one tag and its length behind it. Data beyond the 24 bits that a length has is cut.
pub fn write_tag(tag: &Tag, out: &mut Vec<u8>) {
    let data = tag.data.get(..0xff_ffff).unwrap_or(&tag.data);
    out.put_u8(tag.kind.number());
    out.put_uint(data.len() as u64, 3);
    out.put_uint(u64::from(tag.timestamp_ms & 0xff_ffff), 3);
    out.put_uint(u64::from(tag.timestamp_ms >> 24), 1);
    out.put_uint(0, 3);
    out.put_slice(data);
    out.put_uint((data.len() as u64).saturating_add(11), 4);
}
