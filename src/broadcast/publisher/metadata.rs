//! What an ingest is told of the stream before it comes.

use super::amf0::Value;
use crate::broadcast::flv::{Tag, TagKind};

/// The stream in numbers, as `onMetaData` carries them (FLV 10.1, annex E.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Pictures a second.
    pub fps: u32,
    /// Rate of the pictures, in 1000 bit/s.
    pub video_kbps: u32,
    /// Rate of the sound, in 1000 bit/s.
    pub audio_kbps: u32,
    /// Samples of sound a second.
    pub sample_rate: u32,
}

/// H.264 and AAC by their numbers in FLV.
const AVC: f64 = 7.0;
const AAC: f64 = 10.0;

impl Metadata {
    /// The tag that carries them.
    pub fn tag(&self) -> Tag {
        let number = |name: &str, value: u32| (name.to_owned(), Value::Number(f64::from(value)));
        let values = Value::Array(vec![
            number("duration", 0),
            number("width", self.width),
            number("height", self.height),
            number("framerate", self.fps),
            number("videodatarate", self.video_kbps),
            ("videocodecid".to_owned(), Value::Number(AVC)),
            number("audiodatarate", self.audio_kbps),
            number("audiosamplerate", self.sample_rate),
            number("audiosamplesize", 16),
            ("stereo".to_owned(), Value::Boolean(true)),
            ("audiocodecid".to_owned(), Value::Number(AAC)),
            (
                "encoder".to_owned(),
                Value::text(concat!("serverrs/", env!("CARGO_PKG_VERSION"))),
            ),
        ]);
        Tag {
            kind: TagKind::Script,
            timestamp_ms: 0,
            data: Value::write_all(&[Value::text("onMetaData"), values]).into(),
        }
    }
}
