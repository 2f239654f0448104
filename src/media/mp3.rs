//! MP3 of known length: constant bit rate, so that the number of frames gives the number of bytes.
//!
//! 192 kbit/s at 48 kHz: every frame has 1,152 samples in exactly 576 bytes. Without the bit reservoir each frame
//! stands alone, so one can be left out or added at the end.

use std::ffi::{OsStr, OsString};

use bytes::{Bytes, BytesMut};

use super::ffmpeg::words;
use super::sound::Kind;

/// Samples per second.
pub const SAMPLE_RATE: u32 = 48_000;
/// Bytes of a frame: 144 × bit rate ÷ sample rate.
pub const FRAME_BYTES: u64 = 576;
/// Samples per frame.
const FRAME_SAMPLES: u64 = 1152;
/// Samples by which LAME delays the sound, and the 529 of the decoder: what must follow for the last sample to be heard.
const DELAY_SAMPLES: u64 = 1105 + 529;
/// Longest text in a tag, in characters; a title is that of a post.
const MAX_TEXT_CHARS: usize = 500;

/// Frames for so many samples of [`SAMPLE_RATE`].
pub fn frames(samples: u64) -> u64 {
    samples
        .saturating_add(DELAY_SAMPLES)
        .div_ceil(FRAME_SAMPLES)
}

/// FFmpeg's arguments that turn `input` into bare frames on standard output.
pub fn arguments(kind: Kind, input: &OsStr) -> Vec<OsString> {
    let mut arguments = words(&[
        "-protocol_whitelist",
        "pipe,file",
        "-f",
        kind.demuxer(),
        "-i",
    ]);
    arguments.push(input.to_owned());
    arguments.extend(words(&[
        "-map",
        "0:a:0",
        "-map_metadata",
        "-1",
        "-threads",
        "1",
    ]));
    arguments.extend(words(&[
        "-ac",
        "2",
        "-ar",
        "48000",
        "-c:a",
        "libmp3lame",
        "-b:a",
        "192k",
    ]));
    arguments.extend(words(&[
        "-reservoir",
        "0",
        "-write_xing",
        "0",
        "-id3v2_version",
        "0",
    ]));
    arguments.extend(words(&["-f", "mp3", "pipe:1"]));
    arguments
}

/// Makes a stream of frames exactly as long as announced.
///
/// The last frame is held back until the encoder is known to have ended well, so that a stream whose length is complete
/// is complete. Encoders differ by a frame or two in how they flush: what is too much is left out, what is missing is
/// silence.
#[derive(Debug)]
pub struct Fitted {
    /// Bytes still to be given out; `None` when the length is not announced.
    remaining: Option<u64>,
    held: BytesMut,
    received: u64,
}

impl Fitted {
    /// So many frames, or as many as come.
    pub fn new(frames: Option<u64>) -> Self {
        Self {
            remaining: frames.map(|frames| frames.saturating_mul(FRAME_BYTES)),
            held: BytesMut::new(),
            received: 0,
        }
    }

    /// What may go out now that these bytes came.
    pub fn push(&mut self, bytes: &[u8]) -> Bytes {
        self.held.extend_from_slice(bytes);
        self.received += bytes.len() as u64;
        let Some(remaining) = &mut self.remaining else {
            return self.held.split().freeze();
        };
        let free = remaining.saturating_sub(FRAME_BYTES);
        let length = free.min(self.held.len() as u64);
        *remaining -= length;
        if *remaining == FRAME_BYTES {
            // More than the last frame is never needed.
            self.held
                .truncate((length + FRAME_BYTES).try_into().unwrap_or(usize::MAX));
        }
        self.held
            .split_to(length.try_into().unwrap_or(usize::MAX))
            .freeze()
    }

    /// What is left once the encoder has ended well.
    pub fn finish(mut self) -> Bytes {
        let Some(remaining) = self.remaining else {
            return self.held.freeze();
        };
        let remaining = usize::try_from(remaining).unwrap_or(usize::MAX);
        self.held.truncate(remaining);
        // A frame that was cut is completed by zeros, which are silence as well.
        let begun = self.held.len() % SILENCE.len();
        if begun > 0 {
            let end = (self.held.len() - begun + SILENCE.len()).min(remaining);
            self.held.resize(end, 0);
        }
        while self.held.len() < remaining {
            let room = (remaining - self.held.len()).min(SILENCE.len());
            self.held.extend_from_slice(&SILENCE[..room]);
        }
        self.held.freeze()
    }

    /// Bytes that came so far.
    pub fn received(&self) -> u64 {
        self.received
    }
}

/// A frame of silence: header, then side information that says there is nothing (ISO/IEC 11172-3 §2.4.1.7).
const SILENCE: [u8; 576] = {
    let mut frame = [0; 576];
    // Sync, MPEG-1 layer III without checksum; 192 kbit/s, 48 kHz; two channels.
    frame[0] = 0xff;
    frame[1] = 0xfb;
    frame[2] = 0xb4;
    frame
};

/// What a tag says.
#[derive(Debug, Clone, Copy)]
pub struct Tags<'a> {
    /// Title; left out when empty.
    pub title: &'a str,
    /// Artist; left out when empty.
    pub artist: &'a str,
    /// Cover: media type and bytes.
    pub cover: Option<(&'static str, &'a [u8])>,
}

/// An ID3v2.3 tag, the version that every player reads.
pub fn tag(tags: Tags<'_>) -> Bytes {
    let mut frames = Vec::new();
    text_frame(&mut frames, *b"TIT2", tags.title);
    text_frame(&mut frames, *b"TPE1", tags.artist);
    if let Some((media_type, cover)) = tags.cover {
        // Latin-1; type 3 is the front cover; no description.
        let head = [b"\0", media_type.as_bytes(), b"\0\x03\0"].concat();
        frame(&mut frames, *b"APIC", &[&head, cover].concat());
    }
    let length = u32::try_from(frames.len()).unwrap_or(u32::MAX);
    [b"ID3\x03\0\0", &synchsafe(length)[..], &frames]
        .concat()
        .into()
}

/// UTF-16 with a byte order mark: the one encoding of version 2.3 for all letters.
fn text_frame(frames: &mut Vec<u8>, id: [u8; 4], text: &str) {
    let text: String = text
        .chars()
        .filter(|char| !char.is_control())
        .take(MAX_TEXT_CHARS)
        .collect();
    if text.is_empty() {
        return;
    }
    let mut payload = vec![1, 0xff, 0xfe];
    payload.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    frame(frames, id, &payload);
}

fn frame(frames: &mut Vec<u8>, id: [u8; 4], payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    frames.extend_from_slice(&id);
    frames.extend_from_slice(&length.to_be_bytes());
    frames.extend_from_slice(&[0, 0]);
    frames.extend_from_slice(payload);
}

/// Seven bits per byte (ID3v2.3 §3.1).
fn synchsafe(length: u32) -> [u8; 4] {
    [21, 14, 7, 0].map(|shift| u8::try_from((length >> shift) & 0x7f).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fitted(frames: u64, pieces: &[Vec<u8>]) -> Vec<u8> {
        let mut fitted = Fitted::new(Some(frames));
        let mut out = Vec::new();
        for piece in pieces {
            out.extend(fitted.push(piece));
            assert!(out.len() as u64 + FRAME_BYTES <= frames * FRAME_BYTES);
        }
        out.extend(fitted.finish());
        out
    }

    proptest! {
        #[test]
        fn fitted_stream_is_as_long_as_announced_and_begins_with_what_came(
            frames in 1_u64..6,
            pieces in prop::collection::vec(prop::collection::vec(1_u8..255, 0..1500), 0..6),
        ) {
            let came = pieces.concat();
            let out = fitted(frames, &pieces);
            prop_assert_eq!(out.len() as u64, frames * FRAME_BYTES);
            let common = came.len().min(out.len());
            prop_assert_eq!(&out[..common], &came[..common]);
        }
    }

    #[test]
    fn missing_frames_are_silence() {
        let out = fitted(3, &[vec![7; 576]]);
        assert_eq!(out[576..1152], SILENCE);
        assert_eq!(out[1152..], SILENCE);
    }

    #[test]
    fn stream_of_unknown_length_passes_as_it_comes() {
        let mut fitted = Fitted::new(None);
        assert_eq!(fitted.push(&[7; 10]).len(), 10);
        assert_eq!((fitted.received(), fitted.finish().len()), (10, 0));
    }

    #[test]
    fn frames_cover_the_sound_and_the_delays() {
        assert_eq!(frames(0), 2);
        assert_eq!(frames(1152 * 10 - DELAY_SAMPLES), 10);
        assert_eq!(frames(1152 * 10 - DELAY_SAMPLES + 1), 11);
    }

    #[test]
    fn tag_has_its_length_in_its_head() {
        let tag = tag(Tags {
            title: "Ünï\r\n",
            artist: "",
            cover: Some(("image/jpeg", &[0xff; 300])),
        });
        let length = tag[6..10]
            .iter()
            .fold(0, |sum, byte| (sum << 7) | usize::from(*byte));
        assert_eq!(length + 10, tag.len());
        assert!(tag.starts_with(b"ID3\x03\0\0"));
        assert_eq!(&tag[10..14], b"TIT2");
        assert!(!tag.windows(4).any(|window| window == b"TPE1"));
        assert!(
            tag.windows(14)
                .any(|window| window == b"\0image/jpeg\0\x03\0")
        );
    }
}
