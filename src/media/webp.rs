//! The first frame of an animated WebP as a still one, for decoders that know no animations: FFmpeg's doesn't. Pure.
//!
//! The frame's own chunks stay as they are; only what stands around them changes (RFC 9649 §2.7).
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::ops::Range;

/// Bytes of `RIFF`, the size, `WEBP` and a chunk with the features.
const HEADER_BYTES: usize = 30;
/// Bytes of a chunk's name and size.
const CHUNK_BYTES: usize = 8;
/// Bytes of a frame's place, size, duration and flags.
const FRAME_BYTES: usize = 16;
/// Bits of the features.
const ANIMATION: u8 = 0x02;
const ALPHA: u8 = 0x10;

/// A still picture inside an animation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstFrame {
    /// What stands before the frame's chunks in a still file.
    pub header: [u8; HEADER_BYTES],
    /// Where these lie in the animation.
    pub data: Range<u64>,
    /// Where the frame lies on what is shown.
    pub place: Place,
}

/// Where a picture lies on a larger one, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Width and height of the larger one.
    pub canvas: (u32, u32),
    /// Left and upper edge.
    pub at: (u32, u32),
}

/// The first frame of a file that begins so; `None` when it is no animation, or the frame begins later.
pub fn first_frame(start: &[u8]) -> Option<FirstFrame> {
    let is_animated = start.get(..4)? == b"RIFF"
        && start.get(8..16)? == b"WEBPVP8X"
        && start.get(20)? & ANIMATION != 0;
    if !is_animated {
        return None;
    }
    // Sizes are written less one.
    let size = |bytes, at| le24(bytes, at)?.checked_add(1);
    let canvas = (size(start, 24)?, size(start, 27)?);
    let mut at = 12_usize;
    let (length, frame) = loop {
        let (head, data) = start.get(at..)?.split_at_checked(CHUNK_BYTES)?;
        let length = le32(head, 4)?;
        if head.starts_with(b"ANMF") {
            break (length, data);
        }
        let length = usize::try_from(length).ok()?;
        // Chunks are padded to an even length.
        at = at.checked_add(CHUNK_BYTES)?.checked_add(length)?;
        at = at.checked_add(length % 2)?;
    };
    let data_length = length.checked_sub(u32::try_from(FRAME_BYTES).ok()?)?;
    let begin = at.checked_add(CHUNK_BYTES + FRAME_BYTES)? as u64;
    let has_alpha = frame.get(FRAME_BYTES..FRAME_BYTES + 4)? == b"ALPH";
    let mut header = *b"RIFF....WEBPVP8X\x0a\0\0\0\0\0\0\0wwwhhh";
    let riff = data_length.checked_add(u32::try_from(HEADER_BYTES - CHUNK_BYTES).ok()?)?;
    header[4..8].copy_from_slice(&riff.to_le_bytes());
    header[20] = if has_alpha { ALPHA } else { 0 };
    header[24..30].copy_from_slice(frame.get(6..12)?);
    let place = Place {
        canvas,
        // In steps of two pixels.
        at: (
            le24(frame, 0)?.checked_mul(2)?,
            le24(frame, 3)?.checked_mul(2)?,
        ),
    };
    let right = place.at.0.checked_add(size(frame, 6)?)?;
    let bottom = place.at.1.checked_add(size(frame, 9)?)?;
    let fits = right <= canvas.0 && bottom <= canvas.1;
    let end = begin.checked_add(data_length.into())?;
    fits.then_some(FirstFrame {
        header,
        data: begin..end,
        place,
    })
}

fn le24(bytes: &[u8], at: usize) -> Option<u32> {
    let [a, b, c]: [u8; 3] = *bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes([a, b, c, 0]))
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chunk(name: [u8; 4], payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
        let padding = &[0][..payload.len() % 2];
        [&name[..], &length, payload, padding].concat()
    }

    fn features(flags: u8) -> Vec<u8> {
        // 100 × 80.
        chunk(*b"VP8X", &[flags, 0, 0, 0, 99, 0, 0, 79, 0, 0])
    }

    /// 40 × 30 at 10, 20.
    fn frame(inner: &[u8]) -> Vec<u8> {
        let place = [5, 0, 0, 10, 0, 0, 39, 0, 0, 29, 0, 0, 100, 0, 0, 0];
        chunk(*b"ANMF", &[&place[..], inner].concat())
    }

    fn file(chunks: &[Vec<u8>]) -> Vec<u8> {
        let body = [b"WEBP".to_vec(), chunks.concat()].concat();
        chunk(*b"RIFF", &body)
    }

    fn still(animation: &[u8]) -> Option<(Vec<u8>, Place)> {
        let first = first_frame(animation)?;
        let data =
            usize::try_from(first.data.start).unwrap()..usize::try_from(first.data.end).unwrap();
        Some(([&first.header[..], &animation[data]].concat(), first.place))
    }

    #[test]
    fn first_frame_becomes_a_file_of_its_own() {
        let picture = chunk(*b"VP8 ", b"picture");
        let alpha = [chunk(*b"ALPH", b"see-through"), picture.clone()].concat();
        for (inner, flags) in [(picture, 0), (alpha, ALPHA)] {
            let animation = file(&[
                features(ANIMATION),
                chunk(*b"ICCP", b"odd"),
                chunk(*b"ANIM", &[0; 6]),
                frame(&inner),
                frame(b"another"),
            ]);
            let (bytes, place) = still(&animation).unwrap();
            let size = [flags, 0, 0, 0, 39, 0, 0, 29, 0, 0];
            assert_eq!(bytes, file(&[chunk(*b"VP8X", &size), inner]));
            assert_eq!((place.canvas, place.at), ((100, 80), (10, 20)));
        }
    }

    #[test]
    fn still_pictures_and_broken_animations_have_none() {
        let inner = chunk(*b"VP8 ", b"picture");
        assert_eq!(still(&file(&[features(0), inner.clone()])), None);
        assert_eq!(still(&file(std::slice::from_ref(&inner))), None);
        assert_eq!(still(&file(&[features(ANIMATION), inner])), None);
        let short = chunk(*b"ANMF", &[0; 12]);
        assert_eq!(still(&file(&[features(ANIMATION), short])), None);
        // Beyond the edge.
        let mut outside = file(&[features(ANIMATION), frame(&[0; 8])]);
        outside[12 + 18 + CHUNK_BYTES] = 31;
        assert_eq!(still(&outside), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = first_frame(&bytes);
            let _ = first_frame(&[file(&[features(ANIMATION)]), bytes].concat());
        }
    }
}
