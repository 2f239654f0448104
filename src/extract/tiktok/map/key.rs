//! Names of encodings: the key of an address, and codecs.

use crate::extract::Codec;

/// What a key like `v1c0…_bytevc1_1080p_1226086` says: `ID_CODEC_RESOLUTION_BITRATE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UrlKey<'a> {
    /// The part after the first `_`: the id of the format.
    pub(super) id: &'a str,
    pub(super) codec: &'a str,
    pub(super) resolution: u32,
    pub(super) bitrate_bps: u64,
}

impl<'a> UrlKey<'a> {
    /// Reads a key; `None` when it has another form (posts until 2022, downloads).
    pub(super) fn parse(key: &'a str) -> Option<Self> {
        let (video, id) = key.split_once('_')?;
        let mut parts = id.split('_');
        let (codec, resolution, bitrate) = (parts.next()?, parts.next()?, parts.next()?);
        if !video.starts_with('v') || codec.is_empty() || parts.next().is_some() {
            return None;
        }
        Some(Self {
            id,
            codec,
            resolution: resolution_of(resolution)?,
            bitrate_bps: bitrate.parse().ok()?,
        })
    }
}

/// Lines in `1080p` or `4k`.
fn resolution_of(text: &str) -> Option<u32> {
    if let Some(lines) = text.strip_suffix('p') {
        return lines.parse().ok().filter(|lines| *lines > 0);
    }
    match text {
        "2k" => Some(1440),
        "4k" => Some(2160),
        "8k" => Some(4320),
        _ => None,
    }
}

/// A codec by any of its names.
pub(super) enum CodecName {
    /// One that players know.
    Known(Codec),
    /// The maker's own `bytevc2`: nothing plays it.
    Unplayable,
    /// A new one.
    Unknown,
}

/// Reads a codec's name.
pub(super) fn codec_name(name: &str) -> CodecName {
    let family = name.split('_').next().unwrap_or_default();
    match family {
        "h264" | "avc1" => CodecName::Known(Codec::H264),
        "bytevc1" | "h265" | "hevc" | "hvc1" => CodecName::Known(Codec::Hevc),
        "av1" | "av01" => CodecName::Known(Codec::Av1),
        "vp9" => CodecName::Known(Codec::Vp9),
        "bytevc2" | "h266" | "vvc" => CodecName::Unplayable,
        _ => CodecName::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_taken_apart() {
        let key = UrlKey::parse("v1c0_bytevc1_1080p_1226086").unwrap();
        assert_eq!((key.id, key.codec), ("bytevc1_1080p_1226086", "bytevc1"));
        assert_eq!((key.resolution, key.bitrate_bps), (1080, 1_226_086));
        assert_eq!(
            UrlKey::parse("v0_bytevc1_4k_2147903").unwrap().resolution,
            2160
        );
        for key in [
            "",
            "v1",
            "v1_h264_540p",
            "x_h264_540p_1",
            "v_h264_p_1",
            "v_h264_540p_x",
            "v_h264_540p_1_2",
        ] {
            assert_eq!(UrlKey::parse(key), None, "{key}");
        }
    }

    #[test]
    fn codecs_are_known_by_all_their_names() {
        for (name, expected) in [
            ("h264", Some(Codec::H264)),
            ("h265_hvc1", Some(Codec::Hevc)),
            ("bytevc1", Some(Codec::Hevc)),
            ("new", None),
        ] {
            let known = match codec_name(name) {
                CodecName::Known(codec) => Some(codec),
                CodecName::Unplayable | CodecName::Unknown => None,
            };
            assert_eq!(known, expected, "{name}");
        }
        assert!(matches!(codec_name("bytevc2"), CodecName::Unplayable));
    }
}
