//! The order of formats: yt-dlp's `FormatSorter` with the order that its YouTube extractor asks for.

use std::cmp::Ordering;

use super::Stream;
use crate::extract::DynamicRange;

/// Number of things compared before the id.
const KEYS: usize = 17;

/// What a missing value counts as: less than anything.
const MISSING: f64 = f64::NEG_INFINITY;

/// Sorts the best format to the front.
pub(super) fn best_first(streams: &mut [Stream]) {
    streams.sort_by(|left, right| compare(right, left));
}

/// Compares two formats; the better one is greater.
fn compare(left: &Stream, right: &Stream) -> Ordering {
    rank(left)
        .iter()
        .zip(rank(right))
        .map(|(left, right)| left.total_cmp(&right))
        .find(|order| order.is_ne())
        .unwrap_or_else(|| left.format_id.cmp(&right.format_id))
}

/// The things compared, the weightiest first.
fn rank(stream: &Stream) -> [f64; KEYS] {
    [
        has(stream.vcodec.is_some()),
        stream.preference.map_or(-1.0, f64::from),
        stream.quality,
        resolution(stream),
        number(stream.fps),
        dynamic_range(stream.dynamic_range),
        stream.source_preference.into(),
        video_codec(stream.vcodec.as_deref()),
        number(stream.audio_channels),
        audio_codec(stream.acodec.as_deref()),
        stream.language_preference.into(),
        // yt-dlp compares the protocol here; everything of ours is https.
        stream
            .filesize
            .or_else(|| stream.filesize_approx())
            .filter(|size| *size > 0)
            .map_or(MISSING, |size| size as f64),
        stream.tbr().filter(|rate| *rate > 0.0).unwrap_or(MISSING),
        number(stream.asr),
        video_extension(stream),
        audio_extension(stream),
        has(stream.acodec.is_some()),
    ]
}

fn has(is_there: bool) -> f64 {
    if is_there { 0.0 } else { -1.0 }
}

fn number<T: Into<f64>>(value: Option<T>) -> f64 {
    value.map_or(MISSING, Into::into)
}

/// The shorter side; 0 when neither is known.
fn resolution(stream: &Stream) -> f64 {
    let sides = stream.height.into_iter().chain(stream.width);
    sides.filter(|side| *side > 0).min().unwrap_or(0).into()
}

/// yt-dlp's `hdr:12`: what lies above the limit (Dolby Vision) ranks below everything that many players can show.
fn dynamic_range(range: Option<DynamicRange>) -> f64 {
    match range {
        Some(DynamicRange::DolbyVision) => -8.0,
        None => 1.0,
        Some(DynamicRange::Sdr) => 2.0,
        Some(DynamicRange::Hlg) => 4.0,
        Some(DynamicRange::Hdr10) => 5.0,
    }
}

fn video_codec(codec: Option<&str>) -> f64 {
    let Some(codec) = codec else { return 1.0 };
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| codec.starts_with(prefix));
    match () {
        () if starts(&["av1", "av01"]) => 11.0,
        () if starts(&["vp9.2", "vp9.02", "vp09.2", "vp09.02"]) => 10.0,
        () if starts(&["vp9", "vp09"]) => 9.0,
        () if starts(&["h265", "x265", "hev", "hvc", "hc"]) => 8.0,
        () if starts(&["h264", "x264", "avc"]) => 7.0,
        () if starts(&["vp8", "vp08"]) => 6.0,
        () if starts(&["mp4v", "h263"]) => 5.0,
        () if starts(&["theora"]) => 4.0,
        () => 3.0,
    }
}

fn audio_codec(codec: Option<&str>) -> f64 {
    let Some(codec) = codec else { return 1.0 };
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| codec.starts_with(prefix));
    match () {
        () if starts(&["flac", "alac"]) => 14.0,
        () if starts(&["wav", "aiff"]) => 13.0,
        () if starts(&["opus"]) => 12.0,
        () if starts(&["vorbis", "ogg"]) => 11.0,
        () if starts(&["aac"]) => 10.0,
        () if starts(&["mp4", "m4a"]) => 9.0,
        () if starts(&["mp3"]) => 8.0,
        () if starts(&["ac-4", "ac4"]) => 7.0,
        () if starts(&["ec-3", "ec3", "eac3", "eac-3", "e-ac-3"]) => 6.0,
        () if starts(&["ac-3", "ac3"]) => 5.0,
        () if starts(&["dts"]) => 4.0,
        () => 3.0,
    }
}

fn video_extension(stream: &Stream) -> f64 {
    match (&stream.vcodec, stream.ext) {
        (None, _) => 1.0,
        (_, "mp4") => 6.0,
        (_, "webm") => 4.0,
        _ => 2.0,
    }
}

fn audio_extension(stream: &Stream) -> f64 {
    match (&stream.vcodec, stream.ext) {
        (Some(_), _) => 1.0,
        (_, "m4a") => 8.0,
        (_, "webm") => 3.0,
        _ => 2.0,
    }
}
