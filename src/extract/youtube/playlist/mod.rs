//! Lists of videos (youtube.md §6): one page after the other, until the limit or the end.
//!
//! `page` reads an answer, `entry` a line of it, `header` what stands above, `cursor` keeps the place between two
//! requests, `lister` asks. A mix has no end: its limit ends it.

mod cursor;
mod entry;
mod header;
mod lister;
mod page;

use serde::Serialize;

pub(super) use lister::Lister;

/// A part of a playlist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Playlist {
    /// The site's id of the list.
    pub id: String,
    /// Title.
    pub title: String,
    /// Page of the list.
    pub url: String,
    /// Who made it; texts are empty where the site doesn't say.
    pub author: PlaylistAuthor,
    /// Videos in the whole list, as the site says; `None` for a mix.
    pub entry_count: Option<u64>,
    /// Videos of this part, in order.
    pub entries: Vec<PlaylistEntry>,
    /// Where the next part begins; `None` at the end.
    pub next_cursor: Option<String>,
}

/// Who made a playlist.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PlaylistAuthor {
    /// Id of the channel.
    pub id: String,
    /// Handle without `@`.
    pub handle: String,
    /// Name.
    pub name: String,
}

/// A video of a playlist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlaylistEntry {
    /// Place in the list, counted from 1.
    pub index: u64,
    /// Id of the video.
    pub id: String,
    /// Page of the video.
    pub url: String,
    /// Title.
    pub title: String,
    /// Length in milliseconds, where the list tells it.
    pub duration_ms: Option<u64>,
    /// Name of the channel.
    pub author: String,
    /// Still picture; direct address.
    pub thumbnail: Option<String>,
    /// Whether it can be had.
    pub availability: Availability,
}

/// Whether a video of a list can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    /// As far as the list tells.
    Available,
    /// Its author hides it.
    Private,
    /// Gone.
    Deleted,
    /// For members of the channel.
    MembersOnly,
    /// On air now.
    Live,
    /// Announced.
    Upcoming,
    /// For another reason not.
    Unavailable,
}

/// Reads whatever an answer holds, as a list and as a mix.
#[cfg(test)]
pub(super) fn read_anything(
    answer: &serde_json::Value,
    hosts: &super::hosts::Hosts,
) -> Vec<PlaylistEntry> {
    let _ = (
        header::alert(answer),
        header::read(answer),
        header::read_mix(answer),
    );
    let lines = page::read(answer, hosts).lines;
    let mix = page::read_mix(answer, hosts);
    lines
        .into_iter()
        .chain(mix)
        .map(|line| line.into_entry(1))
        .collect()
}
