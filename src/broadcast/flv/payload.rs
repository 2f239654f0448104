//! What the data of a tag is, by its first bytes.

use super::{FlvError, TagKind};

/// What the data of a tag is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// The decoder configuration of the pictures (`AVCDecoderConfigurationRecord`).
    VideoConfig,
    /// A picture.
    Picture {
        /// Whether a decoder can begin with it.
        is_key: bool,
    },
    /// The decoder configuration of the sound (`AudioSpecificConfig`).
    AudioConfig,
    /// A frame of sound.
    Sound,
    /// Nothing that is played: named values, a seek mark, an end-of-sequence mark.
    Other,
}

const CODEC_AVC: u8 = 7;
const FORMAT_AAC: u8 = 10;
const FRAME_KEY: u8 = 1;
/// Frame types that carry no picture: generated key frame of a server, and info or command frame.
const FRAME_GENERATED: u8 = 4;
const FRAME_INFO: u8 = 5;

pub(super) fn classify(kind: TagKind, data: &[u8]) -> Result<Payload, FlvError> {
    match kind {
        TagKind::Script => Ok(Payload::Other),
        TagKind::Video => video(data),
        TagKind::Audio => audio(data),
    }
}

/// `VIDEODATA`: frame type and codec, kind of packet, three bytes of composition time, then the packet.
fn video(data: &[u8]) -> Result<Payload, FlvError> {
    let &[first, ref rest @ ..] = data else {
        // ffmpeg writes none; other writers mark an end so.
        return Ok(Payload::Other);
    };
    let (frame, codec) = (first >> 4, first & 0xf);
    if codec != CODEC_AVC {
        return Err(FlvError::Codec("video codec"));
    }
    if matches!(frame, FRAME_GENERATED | FRAME_INFO) {
        return Ok(Payload::Other);
    }
    let &[packet, _, _, _, ref body @ ..] = rest else {
        return Err(FlvError::TooShort);
    };
    Ok(match packet {
        0 if body.is_empty() => return Err(FlvError::TooShort),
        0 => Payload::VideoConfig,
        1 => Payload::Picture {
            is_key: frame == FRAME_KEY,
        },
        _ => Payload::Other,
    })
}

/// `AUDIODATA`: format, rate and size, kind of packet, then the packet.
fn audio(data: &[u8]) -> Result<Payload, FlvError> {
    let &[first, ref rest @ ..] = data else {
        return Ok(Payload::Other);
    };
    if first >> 4 != FORMAT_AAC {
        return Err(FlvError::Codec("sound format"));
    }
    match rest {
        [] => Err(FlvError::TooShort),
        // FFmpeg (seen with 5.1) announces sound that it copies out of MPEG-TS before it knows the configuration.
        [0] => Ok(Payload::Other),
        [0, ..] => Ok(Payload::AudioConfig),
        [1, _, ..] => Ok(Payload::Sound),
        _ => Ok(Payload::Other),
    }
}

/// The part of an `AudioSpecificConfig` (ISO/IEC 14496-3, 1.6.2.1) that says how long a frame of sound lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AacConfig {
    /// Samples a second.
    pub sample_rate: u32,
    /// Samples in a frame.
    pub frame_samples: u32,
}

/// Sample rates by their index.
const SAMPLE_RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];
/// The object types whose next field is the frame length: AAC main, LC, SSR, LTP.
const GENERAL_AUDIO: std::ops::RangeInclusive<u8> = 1..=4;

impl AacConfig {
    /// Reads it from the data of a tag that is [`Payload::AudioConfig`].
    ///
    /// # Errors
    /// An object type other than plain AAC, or a rate that there is none of.
    pub fn parse(data: &[u8]) -> Result<Self, FlvError> {
        let &[_, 0, first, second, ..] = data else {
            return Err(FlvError::TooShort);
        };
        let bits = u16::from_be_bytes([first, second]);
        // Five bits object type, four bits rate, four bits channels, one bit frame length.
        let object_type = first >> 3;
        let rate = usize::from(bits >> 7 & 0xf);
        if !GENERAL_AUDIO.contains(&object_type) {
            return Err(FlvError::Codec("kind of AAC"));
        }
        let sample_rate = *SAMPLE_RATES
            .get(rate)
            .ok_or(FlvError::Codec("AAC sample rate"))?;
        let is_short = bits >> 2 & 1 == 1;
        Ok(Self {
            sample_rate,
            frame_samples: if is_short { 960 } else { 1024 },
        })
    }

    /// How long a frame lasts, in nanoseconds.
    pub fn frame_ns(self) -> i64 {
        let samples = i64::from(self.frame_samples).saturating_mul(1_000_000_000);
        samples.checked_div(self.sample_rate.into()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(kind: TagKind, data: &[u8]) -> Result<Payload, FlvError> {
        classify(kind, data)
    }

    #[test]
    fn payload_kinds_are_told_apart() {
        use Payload::{AudioConfig, Other, Picture, Sound, VideoConfig};
        let key = Picture { is_key: true };
        let delta = Picture { is_key: false };
        for (kind, data, expected) in [
            (TagKind::Video, &[0x17, 0, 0, 0, 0, 1][..], VideoConfig),
            (TagKind::Video, &[0x17, 1, 0, 0, 67, 9], key),
            (TagKind::Video, &[0x27, 1, 0, 0, 0, 9], delta),
            (TagKind::Video, &[0x37, 1, 0, 0, 0, 9], delta),
            (TagKind::Video, &[0x17, 2, 0, 0, 0], Other),
            (TagKind::Video, &[0x57, 0], Other),
            (TagKind::Video, &[], Other),
            (TagKind::Audio, &[0xaf, 0, 0x11, 0x90], AudioConfig),
            (TagKind::Audio, &[0xaf, 1, 0x21], Sound),
            (TagKind::Audio, &[0xaf, 0], Other),
            (TagKind::Audio, &[], Other),
            (TagKind::Script, &[2], Other),
        ] {
            assert_eq!(of(kind, data), Ok(expected), "{data:?}");
        }
    }

    #[test]
    fn payload_of_other_codecs_is_refused() {
        for (kind, data) in [
            (TagKind::Video, &[0x12, 0, 0, 0, 0][..]), // Sorenson
            (TagKind::Video, b"\x90hvc1"),             // extended head: HEVC
            (TagKind::Audio, &[0x2f, 0]),              // MP3
        ] {
            assert!(
                matches!(of(kind, data), Err(FlvError::Codec(_))),
                "{data:?}"
            );
        }
        assert_eq!(of(TagKind::Video, &[0x17, 1]), Err(FlvError::TooShort));
        assert_eq!(of(TagKind::Audio, &[0xaf]), Err(FlvError::TooShort));
    }

    #[test]
    fn aac_config_gives_the_length_of_a_frame() {
        let config = |data| AacConfig::parse(data);
        let stereo_48k = config(&[0xaf, 0, 0x11, 0x90]).unwrap();
        assert_eq!(stereo_48k.sample_rate, 48_000);
        assert_eq!(stereo_48k.frame_ns(), 21_333_333);
        assert_eq!(config(&[0xaf, 0, 0x12, 0x10]).unwrap().sample_rate, 44_100);
        assert_eq!(config(&[0xaf, 0, 0x11, 0x94]).unwrap().frame_samples, 960);
        // HE-AAC by its own object type, and an explicit rate.
        assert!(config(&[0xaf, 0, 0x2b, 0x09]).is_err());
        assert!(config(&[0xaf, 0, 0x17, 0x80]).is_err());
        assert_eq!(config(&[0xaf, 0, 0x11]), Err(FlvError::TooShort));
    }

    proptest! {
        #[test]
        fn payload_of_any_bytes_never_panics(kind in 0_usize..3, data: Vec<u8>) {
            let kind = [TagKind::Audio, TagKind::Video, TagKind::Script][kind];
            let _ = classify(kind, &data);
            if let Ok(config) = AacConfig::parse(&data) {
                prop_assert!(config.frame_ns() > 0);
            }
        }
    }
}
