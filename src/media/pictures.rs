//! What a picture is, by its own bytes: neither names nor headers of a site are believed. Pure.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

/// Bytes from the start of a file that [`Kind::of`] looks at.
pub const SNIFFED_BYTES: usize = 32;
/// Bytes from the start of a file in which [`size`] is looked for; large colour profiles and previews lie before it.
pub const HEADER_BYTES: usize = 512 * 1024;
/// Most pixels that a picture may have: 8,192 × 6,144. A decoder needs about 4 bytes for each.
pub const MAX_PIXELS: u64 = 8192 * 6144;

/// The file types that sites have pictures in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// WebP.
    WebP,
    /// GIF.
    Gif,
    /// AVIF: AV1 in an ISO base media file.
    Avif,
    /// HEIC: HEVC in an ISO base media file.
    Heic,
}

impl Kind {
    /// The type of a file that begins so; `None` when it is no picture.
    pub fn of(start: &[u8]) -> Option<Self> {
        match start {
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [
                b'R',
                b'I',
                b'F',
                b'F',
                _,
                _,
                _,
                _,
                b'W',
                b'E',
                b'B',
                b'P',
                ..,
            ] => Some(Self::WebP),
            [_, _, _, _, b'f', b't', b'y', b'p', brands @ ..] => Self::of_brands(brands),
            _ => None,
        }
    }

    /// By major and compatible brands (ISO/IEC 23008-12, AVIF §6).
    fn of_brands(brands: &[u8]) -> Option<Self> {
        brands.chunks_exact(4).find_map(|brand| match brand {
            b"avif" | b"avis" => Some(Self::Avif),
            b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" => Some(Self::Heic),
            _ => None,
        })
    }

    /// File name extension without dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::WebP => "webp",
            Self::Gif => "gif",
            Self::Avif => "avif",
            Self::Heic => "heic",
        }
    }

    /// FFmpeg's name of the reader for it. Named, so that nothing else is tried on bytes of strangers.
    pub fn demuxer(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg_pipe",
            Self::Png => "png_pipe",
            Self::WebP => "webp_pipe",
            Self::Gif => "gif",
            Self::Avif | Self::Heic => "mov",
        }
    }
}

/// Width and height as the header of the file says; `None` when they are not found in `start`.
pub fn size(kind: Kind, start: &[u8]) -> Option<(u32, u32)> {
    match kind {
        Kind::Jpeg => jpeg_size(start),
        Kind::Png => Some((be32(start, 16)?, be32(start, 20)?)),
        Kind::Gif => Some((le16(start, 6)?, le16(start, 8)?)),
        Kind::WebP => webp_size(start),
        Kind::Avif | Kind::Heic => largest_extent(start),
    }
}

/// The frame header (ITU-T T.81 §B.2.2), behind any number of other segments.
fn jpeg_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut rest = bytes.get(2..)?;
    loop {
        rest = rest.get(memchr::memchr(0xff, rest)?..)?;
        let marker = *rest.get(1)?;
        let length = match marker {
            0xff => 1,
            // Without a length: stuffing, restarts, start and end.
            0x00 | 0x01 | 0xd0..=0xd9 => 2,
            // Tables share the range of the frames.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                return Some((be16(rest, 7)?, be16(rest, 5)?));
            }
            _ => usize::try_from(be16(rest, 2)?).ok()?.checked_add(2)?,
        };
        rest = rest.get(length..)?;
    }
}

/// Of the three forms of the first chunk (RFC 9649 §2.5 to §2.7).
fn webp_size(bytes: &[u8]) -> Option<(u32, u32)> {
    match bytes.get(12..16)? {
        // Less one, both.
        b"VP8X" => Some((
            le24(bytes, 24)?.checked_add(1)?,
            le24(bytes, 27)?.checked_add(1)?,
        )),
        b"VP8L" => {
            let bits = u32::from_le_bytes(*bytes.get(21..)?.first_chunk()?);
            let side = |bits: u32| (bits & 0x3fff).checked_add(1);
            Some((side(bits)?, side(bits >> 14)?))
        }
        b"VP8 " => Some((le16(bytes, 26)? & 0x3fff, le16(bytes, 28)? & 0x3fff)),
        _ => None,
    }
}

/// The largest `ispe` property: a file of tiles has one for the tile and one for the whole.
fn largest_extent(bytes: &[u8]) -> Option<(u32, u32)> {
    memchr::memmem::find_iter(bytes, b"ispe")
        .filter_map(|at| {
            let property = bytes.get(at..)?;
            Some((be32(property, 8)?, be32(property, 12)?))
        })
        .max_by_key(|(width, height)| u64::from(*width).saturating_mul((*height).into()))
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn be16(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?).into())
}

fn le16(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?).into())
}

fn le24(bytes: &[u8], at: usize) -> Option<u32> {
    let [a, b, c]: [u8; 3] = *bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes([a, b, c, 0]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn brands(list: &[u8]) -> Vec<u8> {
        [b"\0\0\0\x1cftyp", list].concat()
    }

    #[test]
    fn kind_is_told_by_the_first_bytes() {
        let cases: [(&[u8], Option<Kind>); 10] = [
            (b"\xff\xd8\xff\xe0", Some(Kind::Jpeg)),
            (b"\x89PNG\r\n\x1a\n", Some(Kind::Png)),
            (b"GIF89a", Some(Kind::Gif)),
            (b"RIFF....WEBPVP8 ", Some(Kind::WebP)),
            (&brands(b"avif\0\0\0\0"), Some(Kind::Avif)),
            (&brands(b"mif1\0\0\0\0mif1heic"), Some(Kind::Heic)),
            (&brands(b"isom\0\0\0\0mp42"), None),
            (b"RIFF....WAVE", None),
            (b"<!DOCTYPE html>", None),
            (b"", None),
        ];
        for (start, kind) in cases {
            assert_eq!(Kind::of(start), kind, "{}", start.escape_ascii());
        }
    }

    #[test]
    fn size_is_read_from_every_header() {
        let jpeg =
            b"\xff\xd8\xff\xe1\0\x04..\xff\xff\xc4\0\x02\xff\xc2\0\x11\x08\x05\x9c\x04\x38\x03";
        assert_eq!(size(Kind::Jpeg, jpeg), Some((1080, 1436)));
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x75\x30\0\0\x75\x31";
        assert_eq!(size(Kind::Png, png), Some((30_000, 30_001)));
        assert_eq!(size(Kind::Gif, b"GIF89a\x0a\0\x14\0"), Some((10, 20)));
        let extended = b"RIFF....WEBPVP8X....\0\0\0\0\x37\x04\0\x7f\x07\0";
        assert_eq!(size(Kind::WebP, extended), Some((1080, 1920)));
        let lossy = b"RIFF....WEBPVP8 ....\0\0\0\x9d\x01\x2a\x38\x04\x80\x07";
        assert_eq!(size(Kind::WebP, lossy), Some((1080, 1920)));
        let bits = (1079_u32 + 1919 * (1 << 14)).to_le_bytes();
        let lossless = [b"RIFF....WEBPVP8L....\x2f", &bits[..]].concat();
        assert_eq!(size(Kind::WebP, &lossless), Some((1080, 1920)));
        let tiles = [
            brands(b"heic"),
            b"ispe\0\0\0\0\0\0\x02\0\0\0\x02\0".to_vec(),
            b"ispe\0\0\0\0\0\0\x10\0\0\0\x08\0".to_vec(),
        ];
        assert_eq!(size(Kind::Heic, &tiles.concat()), Some((4096, 2048)));
    }

    proptest! {
        #[test]
        fn size_of_any_bytes_is_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for kind in [Kind::Jpeg, Kind::Png, Kind::WebP, Kind::Gif, Kind::Avif, Kind::Heic] {
                let _ = size(kind, &bytes);
            }
        }
    }
}
