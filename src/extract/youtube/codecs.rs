//! What a media type says: file type, codecs, their families and the dynamic range.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use crate::extract::{Codec, DynamicRange};

/// A media type with its codecs; `None` where a file has no such track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MediaType {
    /// File name extension.
    pub(super) extension: &'static str,
    /// Codec of the picture.
    pub(super) video: Option<String>,
    /// Codec of the sound.
    pub(super) audio: Option<String>,
    /// The codecs as written.
    pub(super) codecs: String,
}

impl MediaType {
    /// Reads `video/mp4; codecs="avc1.42001E, mp4a.40.2"`. `None` for file types and codec lists that we don't know.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (essence, parameters) = text.split_once(';')?;
        let essence = essence.trim();
        let codecs = parameters
            .trim()
            .strip_prefix("codecs=\"")?
            .strip_suffix('"')?;
        let list: Vec<&str> = codecs
            .split(',')
            .map(str::trim)
            .filter(|codec| !codec.is_empty())
            .collect();
        let is_audio = essence.starts_with("audio/");
        let (video, audio) = match list[..] {
            [audio] if is_audio => (None, Some(audio)),
            [video] => (Some(video), None),
            [video, audio] => (Some(video), Some(audio)),
            _ => return None,
        };
        Some(Self {
            extension: extension(essence)?,
            video: video.map(lower_family),
            audio: audio.map(lower_family),
            codecs: codecs.to_owned(),
        })
    }

    /// The dynamic range of the picture, by its codec alone; `None` when there is no picture.
    pub(super) fn dynamic_range(&self) -> Option<DynamicRange> {
        let video = self.video.as_deref()?;
        let parts: Vec<&str> = video.split('.').map(without_zeros).collect();
        Some(match parts[..] {
            ["dvh1" | "dvhe", ..] => DynamicRange::DolbyVision,
            ["vp9" | "vp09", "2", ..] | ["av1" | "av01", _, _, "10", ..] => DynamicRange::Hdr10,
            _ => DynamicRange::Sdr,
        })
    }
}

/// File name extension of a media type.
fn extension(essence: &str) -> Option<&'static str> {
    Some(match essence {
        "video/mp4" => "mp4",
        "audio/mp4" => "m4a",
        "video/webm" | "audio/webm" => "webm",
        "video/3gpp" => "3gp",
        _ => return None,
    })
}

/// A codec text with the part before the first point in lower case.
fn lower_family(codec: &str) -> String {
    match codec.split_once('.') {
        Some((family, rest)) => format!("{}.{rest}", family.to_ascii_lowercase()),
        None => codec.to_ascii_lowercase(),
    }
}

/// A part of a codec text without leading zeros.
fn without_zeros(part: &str) -> &str {
    let short = part.trim_start_matches('0');
    if short.is_empty() && !part.is_empty() {
        "0"
    } else {
        short
    }
}

/// The family of a codec text; `None` for families that the API has no word for.
pub(super) fn family(codec: &str) -> Option<Codec> {
    let (family, rest) = codec.split_once('.').unwrap_or((codec, ""));
    Some(match family {
        "avc1" | "avc3" | "h264" => Codec::H264,
        "hev1" | "hvc1" | "hevc" | "h265" => Codec::Hevc,
        "vp9" | "vp09" => Codec::Vp9,
        "av01" | "av1" => Codec::Av1,
        // Object types 0x69 and 0x6B of MPEG-4 systems are MP3 (ISO/IEC 14496-1, table 5).
        "mp4a" if rest.eq_ignore_ascii_case("69") || rest.eq_ignore_ascii_case("6b") => Codec::Mp3,
        "mp4a" | "aac" => Codec::Aac,
        "opus" => Codec::Opus,
        "mp3" => Codec::Mp3,
        "ac-3" => Codec::Ac3,
        "ec-3" | "eac3" => Codec::Eac3,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_read() {
        let both = MediaType::parse(r#"video/mp4; codecs="avc1.42001E, mp4a.40.2""#).unwrap();
        assert_eq!(both.extension, "mp4");
        assert_eq!(both.video.as_deref(), Some("avc1.42001E"));
        assert_eq!(both.audio.as_deref(), Some("mp4a.40.2"));
        let sound = MediaType::parse(r#"audio/webm; codecs="opus""#).unwrap();
        assert_eq!((sound.extension, sound.video.as_deref()), ("webm", None));
        assert_eq!(sound.audio.as_deref(), Some("opus"));
        for text in [
            "",
            "video/mp4",
            r#"text/html; codecs="a""#,
            r#"video/mp4; codecs="a,b,c""#,
            "video/mp4; codecs=\"\"",
        ] {
            assert_eq!(MediaType::parse(text), None, "{text}");
        }
    }

    #[test]
    fn dynamic_range_is_read_off_the_codec() {
        for (codec, range) in [
            ("vp9", DynamicRange::Sdr),
            ("vp09.02.51.10.01.09.16.09.00", DynamicRange::Hdr10),
            ("vp09.00.51.08", DynamicRange::Sdr),
            ("av01.0.13M.10.0.110.09.16.09.0", DynamicRange::Hdr10),
            ("av01.0.08M.08", DynamicRange::Sdr),
            ("dvh1.05.07", DynamicRange::DolbyVision),
        ] {
            let media = MediaType::parse(&format!("video/mp4; codecs=\"{codec}\"")).unwrap();
            assert_eq!(media.dynamic_range(), Some(range), "{codec}");
        }
    }
}
