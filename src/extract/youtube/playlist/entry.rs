//! One line of a list, in each of its three layouts. Pure.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use serde_json::Value;

use crate::extract::youtube::hosts::Hosts;
use crate::extract::youtube::response::json::{at, list, number, string, text};
use crate::extract::youtube::{VideoId, clock_time, url};
use crate::extract::{Availability, PlaylistEntry};

/// Longest text of a line that is kept, in characters; the site's own limit is 100.
const MAX_TEXT: usize = 500;
/// Longest address of a picture that is used, in bytes.
const MAX_ADDRESS: usize = 2048;

/// What a line says, before it has its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) id: VideoId,
    /// Place in the list, counted from 1, where the line tells it.
    pub(super) index: Option<u64>,
    title: String,
    duration_ms: Option<u64>,
    author: String,
    thumbnail: Option<String>,
    availability: Availability,
}

impl Line {
    /// The line at its place.
    pub(super) fn into_entry(self, index: u64) -> PlaylistEntry {
        PlaylistEntry {
            index,
            url: url::video_page(&self.id)
                .map(String::from)
                .unwrap_or_default(),
            id: self.id.as_str().to_owned(),
            title: self.title,
            duration_ms: self.duration_ms,
            author: self.author,
            thumbnail: self.thumbnail,
            availability: self.availability,
        }
    }
}

/// Reads a line of any layout; `None` for what is no video.
pub(super) fn read(item: &Value, hosts: &Hosts) -> Option<Line> {
    let line = read_any(item, hosts)?;
    Some(Line {
        title: cut(line.title),
        author: cut(line.author),
        thumbnail: line.thumbnail.filter(|url| url.len() <= MAX_ADDRESS),
        ..line
    })
}

/// The beginning of a text that is too long: thousands of lines are kept at a time.
fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_TEXT) {
        text.truncate(end);
        text.shrink_to_fit();
    }
    text
}

fn read_any(item: &Value, hosts: &Hosts) -> Option<Line> {
    if let Some(renderer) = at(item, &["playlistVideoRenderer"]) {
        return of_renderer(renderer, hosts, &["index"]);
    }
    if let Some(renderer) = at(item, &["playlistPanelVideoRenderer"]) {
        return of_panel(renderer, hosts);
    }
    of_lockup(at(item, &["lockupViewModel"])?, hosts)
}

/// `playlistVideoRenderer`, the layout until 2026.
fn of_renderer(renderer: &Value, hosts: &Hosts, index: &[&str]) -> Option<Line> {
    let title = text(renderer, &["title"]).unwrap_or_default();
    let duration_ms = number(renderer, &["lengthSeconds"])
        .and_then(|seconds| seconds.checked_mul(1000))
        .or_else(|| clock_time::milliseconds(&text(renderer, &["lengthText"])?));
    let is_playable = at(renderer, &["isPlayable"]).and_then(Value::as_bool);
    Some(Line {
        id: VideoId::parse(string(renderer, &["videoId"])?)?,
        index: text(renderer, index).and_then(|text| text.replace([',', '.'], "").parse().ok()),
        availability: renderer_availability(renderer, &title, is_playable, duration_ms),
        title,
        duration_ms,
        author: text(renderer, &["shortBylineText"]).unwrap_or_default(),
        thumbnail: largest(list(renderer, &["thumbnail", "thumbnails"]), hosts),
    })
}

/// `playlistPanelVideoRenderer`, of mixes. It says nothing of playability: what is shown can be played.
fn of_panel(renderer: &Value, hosts: &Hosts) -> Option<Line> {
    let mut line = of_renderer(renderer, hosts, &["indexText"])?;
    let place = number(renderer, &["navigationEndpoint", "watchEndpoint", "index"]);
    line.index = place.and_then(|place| place.checked_add(1));
    if line.availability == Availability::Unavailable && line.duration_ms.is_some() {
        line.availability = Availability::Available;
    }
    Some(line)
}

fn renderer_availability(
    renderer: &Value,
    title: &str,
    is_playable: Option<bool>,
    duration_ms: Option<u64>,
) -> Availability {
    let style = list(renderer, &["thumbnailOverlays"])
        .iter()
        .find_map(|overlay| string(overlay, &["thumbnailOverlayTimeStatusRenderer", "style"]));
    let badges = list(renderer, &["badges"]).iter();
    let mut badges = badges.filter_map(|badge| string(badge, &["metadataBadgeRenderer", "style"]));
    let has_members_badge = badges.any(|style| style.contains("MEMBERS_ONLY"));
    if let Some(known) = of_title(title) {
        return known;
    }
    match style {
        _ if has_members_badge => Availability::MembersOnly,
        Some("LIVE") => Availability::Live,
        Some("UPCOMING") => Availability::Upcoming,
        _ if at(renderer, &["upcomingEventData"]).is_some() => Availability::Upcoming,
        _ if is_playable == Some(true) => Availability::Available,
        // Unplayable ones come with the flag set to false or without it, and then without a length.
        _ if is_playable.is_none() && duration_ms.is_some() => Availability::Available,
        _ => Availability::Unavailable,
    }
}

/// Titles that the site puts in place of the real one.
fn of_title(title: &str) -> Option<Availability> {
    match title {
        "[Private video]" => Some(Availability::Private),
        "[Deleted video]" => Some(Availability::Deleted),
        _ => None,
    }
}

/// `lockupViewModel`, the layout since 2026-09.
fn of_lockup(lockup: &Value, hosts: &Hosts) -> Option<Line> {
    if string(lockup, &["contentType"])? != "LOCKUP_CONTENT_TYPE_VIDEO" {
        return None;
    }
    let metadata = at(lockup, &["metadata", "lockupMetadataViewModel"]);
    let title = metadata
        .and_then(|metadata| text(metadata, &["title"]))
        .unwrap_or_default();
    let watch = [
        "rendererContext",
        "commandContext",
        "onTap",
        "innertubeCommand",
        "watchEndpoint",
        "index",
    ];
    let badges = badges(lockup);
    let duration_ms = badges
        .iter()
        .find_map(|(text, _)| clock_time::milliseconds(text));
    let picture = ["contentImage", "thumbnailViewModel", "image", "sources"];
    Some(Line {
        id: VideoId::parse(string(lockup, &["contentId"])?)?,
        index: number(lockup, &watch).and_then(|place| place.checked_add(1)),
        availability: lockup_availability(lockup, &title, &badges, duration_ms),
        title,
        duration_ms,
        author: metadata.and_then(lockup_author).unwrap_or_default(),
        thumbnail: largest(list(lockup, &picture), hosts),
    })
}

/// Text and style of the badges on the picture.
fn badges(lockup: &Value) -> Vec<(&str, &str)> {
    list(lockup, &["contentImage", "thumbnailViewModel", "overlays"])
        .iter()
        .flat_map(|overlay| list(overlay, &["thumbnailBottomOverlayViewModel", "badges"]))
        .filter_map(|badge| {
            let badge = at(badge, &["thumbnailBadgeViewModel"])?;
            let style = string(badge, &["badgeStyle"]).unwrap_or_default();
            Some((string(badge, &["text"]).unwrap_or_default(), style))
        })
        .collect()
}

/// The parts of the lines under the title.
fn metadata_parts(metadata: &Value) -> impl Iterator<Item = &Value> {
    list(
        metadata,
        &["metadata", "contentMetadataViewModel", "metadataRows"],
    )
    .iter()
    .flat_map(|row| list(row, &["metadataParts"]))
}

/// The first text that leads to a channel.
fn lockup_author(metadata: &Value) -> Option<String> {
    let channel = ["onTap", "innertubeCommand", "browseEndpoint", "browseId"];
    let leads_to_channel = |part: &&Value| {
        list(part, &["text", "commandRuns"])
            .iter()
            .any(|run| string(run, &channel).is_some())
    };
    text(metadata_parts(metadata).find(leads_to_channel)?, &["text"])
}

fn lockup_availability(
    lockup: &Value,
    title: &str,
    badges: &[(&str, &str)],
    duration_ms: Option<u64>,
) -> Availability {
    let rows = list(
        lockup,
        &[
            "metadata",
            "lockupMetadataViewModel",
            "metadata",
            "contentMetadataViewModel",
            "metadataRows",
        ],
    );
    let has_members_badge = rows
        .iter()
        .flat_map(|row| list(row, &["badges"]))
        .filter_map(|badge| string(badge, &["badgeViewModel", "badgeStyle"]))
        .any(|style| style.contains("MEMBERS_ONLY"));
    let has = |word: &str, part: &str| {
        badges
            .iter()
            .any(|(text, style)| *text == word || style.ends_with(part))
    };
    match of_title(title) {
        Some(known) => known,
        None if has_members_badge => Availability::MembersOnly,
        None if has("LIVE", "_LIVE") => Availability::Live,
        None if has("UPCOMING", "_UPCOMING") => Availability::Upcoming,
        None if duration_ms.is_some() => Availability::Available,
        None => Availability::Unavailable,
    }
}

/// The largest of several pictures.
pub(super) fn largest(pictures: &[Value], hosts: &Hosts) -> Option<String> {
    pictures
        .iter()
        .filter_map(|picture| {
            let width = number(picture, &["width"]).unwrap_or(0);
            Some((width, hosts.picture(string(picture, &["url"])?)?))
        })
        .max_by_key(|(width, _)| *width)
        .map(|(_, url)| url)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(item: &Value) -> Option<Line> {
        read(item, &Hosts::default())
    }

    #[test]
    fn unavailable_lines_are_marked() {
        for (fields, expected) in [
            (
                json!({"title": {"simpleText": "[Private video]"}}),
                Availability::Private,
            ),
            (
                json!({"title": {"runs": [{"text": "[Deleted video]"}]}, "isPlayable": false}),
                Availability::Deleted,
            ),
            (json!({"isPlayable": true}), Availability::Available),
            (json!({"lengthSeconds": "7"}), Availability::Available),
            (
                json!({"isPlayable": false, "lengthSeconds": "7"}),
                Availability::Unavailable,
            ),
            (json!({}), Availability::Unavailable),
            (
                json!({"isPlayable": true, "badges": [{"metadataBadgeRenderer": {"style": "BADGE_STYLE_TYPE_MEMBERS_ONLY"}}]}),
                Availability::MembersOnly,
            ),
            (
                json!({"isPlayable": true, "thumbnailOverlays": [{"thumbnailOverlayTimeStatusRenderer": {"style": "LIVE"}}]}),
                Availability::Live,
            ),
            (
                json!({"isPlayable": false, "upcomingEventData": {}}),
                Availability::Upcoming,
            ),
        ] {
            let mut renderer = fields.clone();
            renderer["videoId"] = json!("dQw4w9WgXcQ");
            let line = line(&json!({"playlistVideoRenderer": renderer})).unwrap();
            assert_eq!(line.availability, expected, "{fields}");
        }
    }

    #[test]
    fn lockups_of_other_things_are_passed_over() {
        let lockup = |kind: &str| json!({"lockupViewModel": {"contentId": "dQw4w9WgXcQ", "contentType": kind}});
        assert_eq!(line(&lockup("LOCKUP_CONTENT_TYPE_PLAYLIST")), None);
        assert!(line(&lockup("LOCKUP_CONTENT_TYPE_VIDEO")).is_some());
        assert_eq!(
            line(&json!({"playlistVideoRenderer": {"videoId": "bad"}})),
            None
        );
        assert_eq!(line(&json!({"adSlotRenderer": {}})), None);
    }

    #[test]
    fn badges_of_lockups_tell_broadcasts() {
        let lockup = |text: &str, style: &str| {
            json!({"lockupViewModel": {
                "contentId": "dQw4w9WgXcQ", "contentType": "LOCKUP_CONTENT_TYPE_VIDEO",
                "contentImage": {"thumbnailViewModel": {"overlays": [{"thumbnailBottomOverlayViewModel": {
                    "badges": [{"thumbnailBadgeViewModel": {"text": text, "badgeStyle": style}}]}}]}}}})
        };
        let style = "THUMBNAIL_OVERLAY_BADGE_STYLE_DEFAULT";
        assert_eq!(
            line(&lockup("1:02", style)).unwrap().duration_ms,
            Some(62_000)
        );
        assert_eq!(
            line(&lockup("1:02", style)).unwrap().availability,
            Availability::Available
        );
        assert_eq!(
            line(&lockup("LIVE", "X_LIVE")).unwrap().availability,
            Availability::Live
        );
        assert_eq!(
            line(&lockup("UPCOMING", style)).unwrap().availability,
            Availability::Upcoming
        );
        assert_eq!(
            line(&lockup("", style)).unwrap().availability,
            Availability::Unavailable
        );
    }
}
