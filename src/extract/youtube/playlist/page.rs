//! One answer of a list: its lines, and how it goes on. Pure.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use serde_json::Value;

use super::entry::{self, Line};
use crate::extract::youtube::hosts::Hosts;
use crate::extract::youtube::response::json::{at, list, string};

/// Most lines of one answer that are read; full pages have 100.
const MAX_LINES: usize = 1000;
/// Longest continuation token that is used.
pub(super) const MAX_TOKEN: usize = 4096;

/// One answer of a list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) lines: Vec<Line>,
    /// Token of the next page; `None` at the end.
    pub(super) token: Option<String>,
}

/// Reads an answer of `browse`: a first page in either layout, or a further one.
pub(super) fn read(answer: &Value, hosts: &Hosts) -> Page {
    let mut page = Page::default();
    for items in item_lists(answer) {
        page.token = page.token.or_else(|| items.iter().find_map(token));
        let left = MAX_LINES.saturating_sub(page.lines.len());
        page.lines.extend(
            items
                .iter()
                .filter_map(|item| entry::read(item, hosts))
                .take(left),
        );
    }
    page
}

/// Reads an answer of `next` for a mix.
pub(super) fn read_mix(answer: &Value, hosts: &Hosts) -> Vec<Line> {
    list(
        answer,
        &[
            "contents",
            "twoColumnWatchNextResults",
            "playlist",
            "playlist",
            "contents",
        ],
    )
    .iter()
    .take(MAX_LINES)
    .filter_map(|item| entry::read(item, hosts))
    .collect()
}

/// The lists of lines in an answer. Only these: an answer holds further tokens, of recommendations (beside the section
/// with the lines, seen 2026-09) and of panels of courses.
fn item_lists(answer: &Value) -> Vec<&[Value]> {
    let mut lists = Vec::new();
    for key in ["onResponseReceivedActions", "onResponseReceivedEndpoints"] {
        for action in list(answer, &[key]) {
            for command in [
                "appendContinuationItemsAction",
                "reloadContinuationItemsCommand",
            ] {
                lists.push(list(action, &[command, "continuationItems"]));
            }
        }
    }
    for tab in list(
        answer,
        &["contents", "twoColumnBrowseResultsRenderer", "tabs"],
    ) {
        let sections = ["tabRenderer", "content", "sectionListRenderer", "contents"];
        for section in list(tab, &sections) {
            lists.extend(section_lists(section));
        }
    }
    lists.retain(|items| !items.is_empty());
    lists
}

/// The lines of a section: one list further down in the old layout, the section's own in the new one.
fn section_lists(section: &Value) -> Vec<&[Value]> {
    let items = list(section, &["itemSectionRenderer", "contents"]);
    let inner: Vec<&[Value]> = items
        .iter()
        .map(|item| list(item, &["playlistVideoListRenderer", "contents"]))
        .filter(|items| !items.is_empty())
        .collect();
    if inner.is_empty() { vec![items] } else { inner }
}

/// The token in a line that stands for the next page.
fn token(item: &Value) -> Option<String> {
    let renderer = at(item, &["continuationItemRenderer", "continuationEndpoint"]);
    let direct = renderer.and_then(|endpoint| string(endpoint, &["continuationCommand", "token"]));
    let of_executor = || {
        list(renderer?, &["commandExecutorCommand", "commands"])
            .iter()
            .find_map(|command| string(command, &["continuationCommand", "token"]))
    };
    let of_view_model = || {
        let path = [
            "continuationItemViewModel",
            "continuationCommand",
            "innertubeCommand",
            "continuationCommand",
            "token",
        ];
        string(item, &path)
    };
    let token = direct.or_else(of_executor).or_else(of_view_model)?;
    is_token(token).then(|| token.to_owned())
}

/// Whether a text has the form of a continuation token.
pub(super) fn is_token(text: &str) -> bool {
    let is_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-_%=".contains(&byte);
    !text.is_empty() && text.len() <= MAX_TOKEN && text.bytes().all(is_byte)
}
