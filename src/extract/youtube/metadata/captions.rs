//! Subtitle tracks.

use super::Answers;
use crate::extract::Caption;
use crate::extract::youtube::hosts::Hosts;
use crate::extract::youtube::response::player::CaptionTrack;
use crate::extract::youtube::response::text::plain;

/// Most tracks that are kept. Videos with many have about 60; each has two links in an answer.
const MAX_TRACKS: usize = 200;
/// Longest name of a language; it stands in links.
const MAX_LANGUAGE: usize = 40;

/// The tracks as `WebVTT` and `SubRip`. Those that need a token (`exp=xpe`, `exp=xpv`) are left out: without it they are empty.
pub(super) fn read(answers: Answers<'_>, hosts: &Hosts) -> Vec<Caption> {
    answers
        .player
        .caption_tracks()
        .iter()
        .take(MAX_TRACKS)
        .filter_map(|track| caption(track, hosts))
        .collect()
}

fn caption(track: &CaptionTrack, hosts: &Hosts) -> Option<Caption> {
    let mut url = hosts.caption(track.base_url.text())?;
    let pairs: Vec<(String, String)> = url
        .query_pairs()
        // `xosf` gives cues with positions that players draw wrongly (yt-dlp issue 13654).
        .filter(|(key, _)| key != "fmt" && key != "xosf")
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect();
    let needs_token = pairs
        .iter()
        .any(|(key, value)| key == "exp" && matches!(value.as_str(), "xpe" | "xpv"));
    if needs_token {
        return None;
    }
    let mut address = |format| {
        url.query_pairs_mut()
            .clear()
            .extend_pairs(&pairs)
            .append_pair("fmt", format);
        String::from(url.as_str())
    };
    Some(Caption {
        language: language(track)?,
        name: plain(&track.name),
        url: address("vtt"),
        srt_url: address("srt"),
        is_automatic: track.kind.as_deref() == Some("asr"),
    })
}

/// The language, with what tells two tracks of the same language apart: `.de-CcQ45jRV4-E`, `a.fr`.
fn language(track: &CaptionTrack) -> Option<String> {
    let id = track.vss_id.text();
    let id = id
        .strip_prefix('.')
        .or_else(|| id.strip_prefix("a."))
        .unwrap_or(id);
    let name = match id {
        "" => track.language_code.as_ref().cloned()?,
        id => id.replace('.', "-"),
    };
    let is_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (name.len() <= MAX_LANGUAGE && name.bytes().all(is_byte)).then_some(name)
}
