//! What an ingest is told of the stream before it comes.

use bytes::Bytes;

use super::amf0::Value;
use crate::broadcast::flv::{Pictures, Tag, TagKind};
use crate::broadcast::source::Headers;

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
        let facts = vec![
            number("duration", 0),
            number("width", self.width),
            number("height", self.height),
            number("framerate", self.fps),
            number("videodatarate", self.video_kbps),
            number("audiodatarate", self.audio_kbps),
            number("audiosamplerate", self.sample_rate),
        ];
        Tag {
            kind: TagKind::Script,
            timestamp_ms: 0,
            data: written(facts),
        }
    }
}

/// The data of a tag with what the configuration records of a stream say of it, and no more.
pub fn described(headers: &Headers) -> Bytes {
    let number = |name: &str, value: f64| (name.to_owned(), Value::Number(value));
    let mut facts = vec![number("duration", 0.0)];
    if let Some(pictures) = Pictures::parse(&headers.video) {
        facts.push(number("width", pictures.width.into()));
        facts.push(number("height", pictures.height.into()));
        facts.extend(pictures.fps.map(|fps| number("framerate", fps)));
    }
    if let Ok(sound) = headers.sound() {
        facts.push(number("audiosamplerate", sound.sample_rate.into()));
    }
    written(facts)
}

/// Such facts, with those that are so for every stream.
fn written(mut facts: Vec<(String, Value)>) -> Bytes {
    let always = [
        ("videocodecid", Value::Number(AVC)),
        ("audiosamplesize", Value::Number(16.0)),
        ("stereo", Value::Boolean(true)),
        ("audiocodecid", Value::Number(AAC)),
        (
            "encoder",
            Value::text(concat!("serverrs/", env!("CARGO_PKG_VERSION"))),
        ),
    ];
    facts.extend(always.map(|(name, value)| (name.to_owned(), value)));
    Value::write_all(&[Value::text("onMetaData"), Value::Array(facts)]).into()
}
