//! The facts about a video (youtube.md §7), from the player answer, the web client's answer and the page beside the
//! video, the first that tells wins. Pure.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

mod captions;
mod chapters;
mod dates;
mod music;

use serde_json::Value;

use super::hosts::Hosts;
use super::response::json::{at, count_of, list, number, string, text};
use super::response::player::{Microformat, Player, RawThumbnail, VideoDetails};
use super::response::text::plain;
use super::{SITE, VideoId, url};
use crate::extract::{Author, Content, Extraction, LiveStatus, PostFacts, Statistics, Thumbnail};
use crate::net::MediaSession;

/// Most still pictures that are kept.
const MAX_THUMBNAILS: usize = 32;
/// Most key words that are kept.
const MAX_TAGS: usize = 500;

/// The answers about one video.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answers<'a> {
    /// Of the client that plays it.
    pub(super) player: &'a Player,
    /// Of the web client.
    pub(super) web: Option<&'a Player>,
    /// The page beside the video.
    pub(super) next: Option<&'a Value>,
}

impl<'a> Answers<'a> {
    fn microformat(&self) -> Option<&'a Microformat> {
        self.player
            .microformat()
            .or_else(|| self.web?.microformat())
    }

    /// The first of the two players that tells.
    fn detail<T>(&self, read: impl Fn(&'a VideoDetails) -> Option<T>) -> Option<T> {
        [Some(self.player), self.web]
            .into_iter()
            .flatten()
            .filter_map(|player| player.video_details.as_ref())
            .find_map(read)
    }
}

/// Everything but the formats; `content` and `session` are put in by the caller.
pub(super) fn describe(
    id: &VideoId,
    answers: Answers<'_>,
    hosts: &Hosts,
    content: Content,
    session: MediaSession,
) -> Extraction {
    let thumbnails = thumbnails(answers, hosts);
    let description = description(answers);
    let duration_ms = duration_ms(answers);
    Extraction {
        site: SITE.to_owned(),
        id: id.as_str().to_owned(),
        url: url::video_page(id).map(String::from).unwrap_or_default(),
        title: title(answers),
        cover: thumbnails.first().map(|picture| picture.url.clone()),
        duration_ms,
        created_at: created_at(answers),
        region: None,
        author: author(answers, hosts),
        statistics: statistics(answers),
        music: music::read(&description, duration_ms),
        content,
        session,
        facts: PostFacts {
            tags: tags(answers),
            category: answers
                .microformat()
                .and_then(|micro| micro.category.as_ref().cloned()),
            age_limit: age_limit(answers),
            is_unlisted: answers.microformat().and_then(|micro| *micro.is_unlisted),
            is_short: answers
                .microformat()
                .and_then(|micro| *micro.is_shorts_eligible),
            live: live_status(answers),
            chapters: chapters::read(answers.next, &description, duration_ms),
            captions: captions::read(answers, hosts),
            thumbnails,
        },
        description,
    }
}

fn title(answers: Answers<'_>) -> String {
    answers
        .detail(|details| details.title.as_ref().cloned())
        .or_else(|| Some(plain(&answers.microformat()?.title)))
        .unwrap_or_default()
}

fn description(answers: Answers<'_>) -> String {
    answers
        .detail(|details| details.short_description.as_ref().cloned())
        .or_else(|| Some(plain(&answers.microformat()?.description)))
        .unwrap_or_default()
}

/// Length; the web client's is sometimes a second longer, so that the player's wins.
fn duration_ms(answers: Answers<'_>) -> u64 {
    let seconds = answers
        .detail(|details| details.length_seconds.filter(|seconds| *seconds > 0))
        .or_else(|| *answers.microformat()?.length_seconds);
    seconds.unwrap_or(0).saturating_mul(1000)
}

fn created_at(answers: Answers<'_>) -> Option<u64> {
    let micro = answers.microformat()?;
    [&micro.publish_date, &micro.upload_date]
        .into_iter()
        .find_map(|date| dates::unix_seconds(date.text()))
}

fn author(answers: Answers<'_>, hosts: &Hosts) -> Author {
    let micro = answers.microformat();
    let id = answers
        .detail(|details| details.channel_id.as_ref().cloned())
        .or_else(|| micro?.external_channel_id.as_ref().cloned())
        .unwrap_or_default();
    let owner = answers.next.and_then(owner);
    let handle = micro
        .and_then(|micro| handle_of(micro.owner_profile_url.text()))
        .or_else(|| {
            let path = ["navigationEndpoint", "browseEndpoint", "canonicalBaseUrl"];
            handle_of(string(owner?, &path)?)
        });
    let url = match (&handle, id.is_empty()) {
        (Some(handle), _) => format!("https://www.youtube.com/@{handle}"),
        (None, false) => format!("https://www.youtube.com/channel/{id}"),
        (None, true) => String::new(),
    };
    let pictures = owner.map(|owner| avatars(owner, hosts)).unwrap_or_default();
    Author {
        name: answers
            .detail(|details| details.author.as_ref().cloned())
            .or_else(|| micro?.owner_channel_name.as_ref().cloned())
            .unwrap_or_default(),
        handle: handle.unwrap_or_else(|| id.clone()),
        id,
        signature: String::new(),
        url,
        avatar_thumb: pictures.first().cloned(),
        avatar_medium: pictures.get(pictures.len() / 2).cloned(),
        avatar_larger: pictures.last().cloned(),
        is_verified: owner.map(is_verified),
        secondary_id: None,
    }
}

/// The handle in `http://www.youtube.com/@name` or `/@name`.
fn handle_of(address: &str) -> Option<String> {
    let (_, rest) = address.rsplit_once("/@")?;
    let handle = rest.split(['/', '?', '#']).next()?;
    let handle = percent_encoding::percent_decode_str(handle)
        .decode_utf8()
        .ok()?;
    let is_handle = !handle.is_empty()
        && handle.chars().count() <= 64
        && handle
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '\u{b7}'));
    is_handle.then(|| handle.into_owned())
}

/// The owner of the video on the page beside it.
fn owner(next: &Value) -> Option<&Value> {
    results(next).iter().find_map(|entry| {
        at(
            entry,
            &["videoSecondaryInfoRenderer", "owner", "videoOwnerRenderer"],
        )
    })
}

/// The parts of the page beside a video.
fn results(next: &Value) -> &[Value] {
    list(
        next,
        &[
            "contents",
            "twoColumnWatchNextResults",
            "results",
            "results",
            "contents",
        ],
    )
}

/// The channel's pictures, the smallest first as YouTube gives them.
fn avatars(owner: &Value, hosts: &Hosts) -> Vec<String> {
    list(owner, &["thumbnail", "thumbnails"])
        .iter()
        .take(MAX_THUMBNAILS)
        .filter_map(|picture| hosts.picture(string(picture, &["url"])?))
        .collect()
}

fn is_verified(owner: &Value) -> bool {
    list(owner, &["badges"]).iter().any(|badge| {
        let style = string(badge, &["metadataBadgeRenderer", "style"]).unwrap_or_default();
        style.starts_with("BADGE_STYLE_TYPE_VERIFIED")
    })
}

fn statistics(answers: Answers<'_>) -> Statistics {
    let micro = answers.microformat();
    Statistics {
        plays: answers
            .detail(|details| *details.view_count)
            .or_else(|| *micro?.view_count),
        likes: answers.next.and_then(likes).or_else(|| *micro?.like_count),
        comments: answers.next.and_then(comments),
        ..Statistics::default()
    }
}

/// Likes as the like button tells them to a screen reader: there they are exact.
fn likes(next: &Value) -> Option<u64> {
    let buttons = results(next).iter().find_map(|entry| {
        at(
            entry,
            &[
                "videoPrimaryInfoRenderer",
                "videoActions",
                "menuRenderer",
                "topLevelButtons",
            ],
        )
    })?;
    buttons.as_array()?.iter().find_map(|button| {
        let path = [
            "segmentedLikeDislikeButtonViewModel",
            "likeButtonViewModel",
            "likeButtonViewModel",
            "toggleButtonViewModel",
            "toggleButtonViewModel",
            "defaultButtonViewModel",
            "buttonViewModel",
            "accessibilityText",
        ];
        count_of(string(button, &path)?)
    })
}

/// Comments as the head of their panel tells them: rounded above a thousand.
fn comments(next: &Value) -> Option<u64> {
    list(next, &["engagementPanels"]).iter().find_map(|panel| {
        let panel = at(panel, &["engagementPanelSectionListRenderer"])?;
        let id = string(panel, &["panelIdentifier"])?;
        let is_comments = matches!(
            id,
            "comment-item-section" | "engagement-panel-comments-section"
        );
        let path = [
            "header",
            "engagementPanelTitleHeaderRenderer",
            "contextualInfo",
        ];
        is_comments
            .then(|| count_of(&text(panel, &path)?))
            .flatten()
    })
}

fn tags(answers: Answers<'_>) -> Vec<String> {
    let tags = answers.detail(|details| {
        (!details.keywords.is_empty())
            .then(|| details.keywords.iter().take(MAX_TAGS).cloned().collect())
    });
    tags.unwrap_or_default()
}

fn age_limit(answers: Answers<'_>) -> Option<u8> {
    let is_safe = (*answers.microformat()?.is_family_safe)?;
    Some(if is_safe { 0 } else { 18 })
}

/// Whether it is or was a broadcast (yt-dlp `_list_formats`).
pub(super) fn live_status(answers: Answers<'_>) -> Option<LiveStatus> {
    let is = |read: fn(&VideoDetails) -> Option<bool>| answers.detail(read);
    let is_live = is(|details| *details.is_live).or_else(|| {
        let details = answers.microformat()?.live_broadcast_details.as_ref()?;
        *details.is_live_now
    });
    let is_content = is(|details| *details.is_live_content);
    Some(match () {
        () if is(|details| *details.is_post_live_dvr) == Some(true) => LiveStatus::PostLive,
        () if is_live == Some(true) => LiveStatus::IsLive,
        () if is(|details| *details.is_upcoming) == Some(true) => LiveStatus::IsUpcoming,
        () if is_content == Some(true) => LiveStatus::WasLive,
        () if is_live.or(is_content) == Some(false) => LiveStatus::NotLive,
        () => return None,
    })
}

/// Unix time of the start of a broadcast.
pub(super) fn starts_at(player: &Player) -> Option<u64> {
    let details = player.microformat()?.live_broadcast_details.as_ref()?;
    dates::unix_seconds(details.start_timestamp.text())
}

/// Still pictures of all answers, the largest first.
fn thumbnails(answers: Answers<'_>, hosts: &Hosts) -> Vec<Thumbnail> {
    let micro = answers
        .microformat()
        .and_then(|micro| micro.thumbnail.as_ref());
    let details = [Some(answers.player), answers.web].into_iter().flatten();
    let details = details.filter_map(|player| player.video_details.as_ref()?.thumbnail.as_ref());
    let mut pictures: Vec<Thumbnail> = Vec::new();
    for raw in details
        .chain(micro)
        .flat_map(|list| list.thumbnails.iter())
        .take(MAX_THUMBNAILS)
    {
        let Some(picture) = thumbnail(raw, hosts) else {
            continue;
        };
        if !pictures.iter().any(|known| known.url == picture.url) {
            pictures.push(picture);
        }
    }
    let area = |picture: &Thumbnail| {
        let (width, height) = (picture.width.unwrap_or(0), picture.height.unwrap_or(0));
        u64::from(width).saturating_mul(height.into())
    };
    pictures.sort_by_key(|picture| std::cmp::Reverse(area(picture)));
    pictures
}

fn thumbnail(raw: &RawThumbnail, hosts: &Hosts) -> Option<Thumbnail> {
    let side = |value: Option<u64>| value.and_then(|value| u32::try_from(value).ok());
    let mut url = hosts.picture(raw.url.text())?;
    // Some of these lead nowhere with their query and to the picture without it (yt-dlp issue 233).
    if let Some(query) = url.find('?').filter(|_| url.contains("maxresdefault")) {
        url.truncate(query);
    }
    Some(Thumbnail {
        url,
        width: side(*raw.width),
        height: side(*raw.height),
    })
}

/// Start of a chapter in a JSON tree, in milliseconds.
fn start_ms(chapter: &Value) -> Option<u64> {
    number(chapter, &["timeRangeStartMillis"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_read_off_addresses() {
        for (address, handle) in [
            ("http://www.youtube.com/@arte", Some("arte")),
            ("/@Redlist-JustHits/videos", Some("Redlist-JustHits")),
            ("http://www.youtube.com/@%E3%81%82", Some("\u{3042}")),
            ("http://www.youtube.com/channel/UCabc", None),
            ("/@", None),
            ("/@a b", None),
        ] {
            assert_eq!(handle_of(address).as_deref(), handle, "{address}");
        }
    }
}
