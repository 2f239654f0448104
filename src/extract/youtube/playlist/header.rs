//! What stands above a list: title, maker, number of videos; and the alerts that stand in its place. Pure.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use serde_json::Value;
use url::Url;

use crate::extract::line::one_line;
use crate::extract::youtube::SITE;
use crate::extract::youtube::ids::{PlaylistId, PlaylistKind};
use crate::extract::youtube::response::json::{at, count_of, list, string, text};
use crate::extract::{ExtractError, PlaylistAuthor, Refusal, Unavailable};

/// What stands above a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) title: String,
    pub(super) author: PlaylistAuthor,
    pub(super) entry_count: Option<u64>,
}

/// The error that an answer names, if it does. It comes with status 200.
pub(super) fn alert(answer: &Value) -> Option<ExtractError> {
    let message = list(answer, &["alerts"]).iter().find_map(|alert| {
        let alert =
            at(alert, &["alertRenderer"]).or_else(|| at(alert, &["alertWithButtonRenderer"]))?;
        let is_error = string(alert, &["type"]) == Some("ERROR");
        is_error.then(|| text(alert, &["text"]).unwrap_or_default())
    })?;
    let lower = message.to_lowercase();
    if lower.contains("unviewable") {
        return Some(ExtractError::Refused(Refusal::NotAPlaylist));
    }
    let reason = match () {
        () if lower.contains("private") => Unavailable::Private,
        () if lower.contains("sign in") => Unavailable::LoginRequired,
        () if lower.contains("in your country") => Unavailable::RegionBlocked,
        () => Unavailable::NotFound,
    };
    Some(ExtractError::Unavailable {
        site: SITE,
        reason,
        message: one_line(&message),
    })
}

/// Reads the header of a list's page.
pub(super) fn read(answer: &Value) -> Header {
    let page = at(answer, &["header", "pageHeaderRenderer"]);
    let old = at(answer, &["header", "playlistHeaderRenderer"]);
    let title = string(answer, &["metadata", "playlistMetadataRenderer", "title"])
        .map(str::to_owned)
        .or_else(|| {
            page.and_then(|page| string(page, &["pageTitle"]))
                .map(str::to_owned)
        })
        .or_else(|| text(old?, &["title"]));
    let author = page
        .and_then(of_page)
        .or_else(|| of_run(at(old?, &["ownerText"])?))
        .or_else(|| of_sidebar(answer));
    Header {
        title: title.unwrap_or_default(),
        author: author.unwrap_or_default(),
        entry_count: count(answer, page, old),
    }
}

/// The playlist that the page of an album stands for; never another album.
pub(super) fn album_list(answer: &Value) -> Option<PlaylistId> {
    let path = ["microformat", "microformatDataRenderer", "urlCanonical"];
    let page = Url::parse(string(answer, &path)?).ok()?;
    let (_, list) = page.query_pairs().find(|(name, _)| name == "list")?;
    PlaylistId::parse(&list).filter(|id| id.kind() == PlaylistKind::Plain)
}

/// Reads the header of a mix.
pub(super) fn read_mix(answer: &Value) -> Header {
    let mix = at(
        answer,
        &[
            "contents",
            "twoColumnWatchNextResults",
            "playlist",
            "playlist",
        ],
    );
    Header {
        title: mix
            .and_then(|mix| string(mix, &["title"]))
            .unwrap_or_default()
            .to_owned(),
        author: PlaylistAuthor {
            name: mix
                .and_then(|mix| text(mix, &["ownerName"]))
                .unwrap_or_default(),
            ..PlaylistAuthor::default()
        },
        entry_count: None,
    }
}

/// The parts of the lines under the title of the new header.
fn parts(page: &Value) -> impl Iterator<Item = &Value> {
    let rows = [
        "content",
        "pageHeaderViewModel",
        "metadata",
        "contentMetadataViewModel",
        "metadataRows",
    ];
    list(page, &rows)
        .iter()
        .flat_map(|row| list(row, &["metadataParts"]))
}

/// The maker in the new header: `by Name`.
fn of_page(page: &Value) -> Option<PlaylistAuthor> {
    let stack = parts(page).find_map(|part| at(part, &["avatarStack", "avatarStackViewModel"]))?;
    let endpoint = list(stack, &["text", "commandRuns"])
        .iter()
        .find_map(|run| at(run, &["onTap", "innertubeCommand", "browseEndpoint"]));
    Some(author(&text(stack, &["text"])?, endpoint))
}

/// The maker in a text with a link.
fn of_run(words: &Value) -> Option<PlaylistAuthor> {
    let endpoint = list(words, &["runs"])
        .iter()
        .find_map(|run| at(run, &["navigationEndpoint", "browseEndpoint"]));
    Some(author(&text(words, &[])?, endpoint))
}

/// The maker in the column beside the list.
fn of_sidebar(answer: &Value) -> Option<PlaylistAuthor> {
    let title = [
        "playlistSidebarSecondaryInfoRenderer",
        "videoOwner",
        "videoOwnerRenderer",
        "title",
    ];
    sidebar(answer)
        .iter()
        .find_map(|item| of_run(at(item, &title)?))
}

fn sidebar(answer: &Value) -> &[Value] {
    list(answer, &["sidebar", "playlistSidebarRenderer", "items"])
}

fn author(name: &str, endpoint: Option<&Value>) -> PlaylistAuthor {
    let of_endpoint = |key: &str| endpoint.and_then(|endpoint| string(endpoint, &[key]));
    let handle = of_endpoint("canonicalBaseUrl").and_then(|path| path.strip_prefix("/@"));
    PlaylistAuthor {
        id: of_endpoint("browseId").unwrap_or_default().to_owned(),
        handle: handle.unwrap_or_default().to_owned(),
        name: name.strip_prefix("by ").unwrap_or(name).to_owned(),
    }
}

/// How many videos the list holds.
fn count(answer: &Value, page: Option<&Value>, old: Option<&Value>) -> Option<u64> {
    // `14 lessons` in a course, `135 videos` elsewhere.
    let is_count = |text: &String| text.contains("video") || text.contains("lesson");
    let of_page = || {
        let texts = parts(page?).filter_map(|part| text(part, &["text"]));
        texts.filter(is_count).find_map(|text| count_of(&text))
    };
    let of_sidebar = || {
        let stats = ["playlistSidebarPrimaryInfoRenderer", "stats"];
        sidebar(answer)
            .iter()
            .flat_map(|item| list(item, &stats))
            .filter_map(|stat| text(stat, &[]))
            .filter(is_count)
            .find_map(|text| count_of(&text))
    };
    of_page()
        .or_else(|| count_of(&text(old?, &["numVideosText"])?))
        .or_else(of_sidebar)
}
