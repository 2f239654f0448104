//! The fields of one format, each from what the site tells of it. Pure.

use crate::extract::DynamicRange;
use crate::extract::youtube::codecs::MediaType;
use crate::extract::youtube::response::player::{ByteSpan, RawFormat};

/// YouTube's quality words, the worst first. Sound of unknown quality may be called `tiny`, the word of the smallest
/// picture, so that it stands below.
const QUALITIES: &[&str] = &[
    "tiny",
    "audio_quality_ultralow",
    "audio_quality_low",
    "audio_quality_medium",
    "audio_quality_high",
    "small",
    "medium",
    "large",
    "hd720",
    "hd1080",
    "hd1440",
    "hd2160",
    "hd2880",
    "highres",
];

/// A number of a smaller type; one that doesn't fit counts as absent.
pub(super) fn small<T: TryFrom<u64>>(value: Option<u64>) -> Option<T> {
    value.and_then(|value| T::try_from(value).ok())
}

pub(super) fn span(span: Option<&ByteSpan>) -> Option<(u64, u64)> {
    let (start, end) = (*span?.start, *span?.end);
    start.zip(end).filter(|(start, end)| start <= end)
}

/// The quality word that counts.
pub(super) fn quality_word(raw: &RawFormat, itag: u32) -> String {
    // 3GP is called `small` for Android and is worse than anything else (yt-dlp).
    if itag == 17 {
        return "tiny".to_owned();
    }
    let word = raw.quality.text();
    if word.is_empty() || word == "tiny" {
        let audio = raw.audio_quality.text().to_ascii_lowercase();
        if !audio.is_empty() {
            return audio;
        }
    }
    word.to_owned()
}

/// Place of a quality word; -1 for an unknown one.
pub(super) fn rank(word: &str) -> f64 {
    QUALITIES
        .iter()
        .position(|known| *known == word)
        .map_or(-1.0, |place| place as f64)
}

/// Whether a format is much shorter than the video: broken when it was encoded (yt-dlp issue 2823).
pub(super) fn is_damaged(raw: &RawFormat, video_seconds: Option<u64>) -> bool {
    match (*raw.approx_duration_ms, video_seconds) {
        (Some(own_ms), Some(video)) => own_ms < (video / 2).saturating_mul(1000),
        _ => false,
    }
}

pub(super) fn preference(itag: u32, is_damaged: bool) -> Option<i32> {
    match (is_damaged, itag) {
        (true, _) => Some(-10),
        (false, 17) => Some(-2),
        (false, _) => None,
    }
}

pub(super) fn source_preference(raw: &RawFormat, itag: u32) -> i32 {
    // Format 22 is often damaged (yt-dlp issue 3372).
    let own: i32 = if itag == 22 { -5 } else { -1 };
    let is_premium = raw.quality_label.text().contains("Premium");
    if is_premium {
        own.saturating_add(100)
    } else {
        own
    }
}

/// The id of a sound track, if it has the form of those that are known: links carry it.
pub(super) fn track_id(raw: &RawFormat) -> Option<String> {
    /// Longest id that is used.
    const MAX_LENGTH: usize = 40;
    let id = raw.audio_track.as_ref()?.id.as_ref()?;
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let fits = (1..=MAX_LENGTH).contains(&id.len()) && id.bytes().all(is_known);
    fits.then(|| id.clone())
}

/// Language of a sound track and how much it is meant.
pub(super) fn language(raw: &RawFormat) -> (Option<String>, i32) {
    let Some(track) = raw.audio_track.as_ref() else {
        return (None, -1);
    };
    let code = track
        .id
        .text()
        .split('.')
        .next()
        .filter(|code| !code.is_empty())
        .map(str::to_owned);
    let name = track.display_name.text().to_lowercase();
    if name.contains("descriptive") {
        let code = code.map_or_else(|| "desc".to_owned(), |code| format!("{code}-desc"));
        return (Some(code), -10);
    }
    let preference = match track.audio_is_default.unwrap_or(false) {
        _ if name.contains("original") => 10,
        true => 5,
        false => -1,
    };
    (code, preference)
}

/// The dynamic range: as the colours say, else as the codec says.
pub(super) fn dynamic_range(raw: &RawFormat, media: &MediaType) -> Option<DynamicRange> {
    let by_codec = media.dynamic_range()?;
    let transfer = raw
        .color_info
        .as_ref()
        .map(|colors| colors.transfer_characteristics.text());
    Some(match (transfer, by_codec) {
        (Some(transfer), _) if transfer.ends_with("ARIB_STD_B67") => DynamicRange::Hlg,
        (Some(transfer), DynamicRange::Sdr) if transfer.ends_with("2084") => DynamicRange::Hdr10,
        _ => by_codec,
    })
}

/// yt-dlp's `format_note`.
pub(super) fn note(raw: &RawFormat, quality: &str, is_upscaled: bool, is_damaged: bool) -> String {
    let track = raw.audio_track.as_ref().map(|track| {
        let default = if track.audio_is_default.unwrap_or(false) {
            "(default)"
        } else {
            ""
        };
        format!("{} {default}", track.display_name.text())
            .trim()
            .to_owned()
    });
    let name = match raw.quality_label.as_ref() {
        Some(label) => label.clone(),
        None => quality.replace("audio_quality_", ""),
    };
    let projection = raw
        .projection_type
        .text()
        .replace("RECTANGULAR", "")
        .to_lowercase();
    let spatial = raw
        .spatial_audio_type
        .text()
        .replace("SPATIAL_AUDIO_TYPE_", "")
        .to_lowercase();
    let flag = |is_set: bool, word: &str| {
        if is_set {
            word.to_owned()
        } else {
            String::new()
        }
    };
    let parts = [
        track.unwrap_or_default(),
        name,
        flag(raw.is_drc.unwrap_or(false), "DRC"),
        flag(is_upscaled, "AI-upscaled"),
        projection,
        spatial,
        flag(is_damaged, "DAMAGED"),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(", ")
}
