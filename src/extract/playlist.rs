//! Lists of posts, as a site tells them; no site's names in here.

use serde::{Deserialize, Serialize};

/// A recognised list. Made by [`super::Extractor::playlist`] only.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PlaylistSource {
    /// [`super::Extractor::site`] of the extractor that knows it.
    pub site: &'static str,
    /// The site's id of the list, in a form that the site has.
    pub id: String,
    /// The site's id of the post beside which the list was seen, where the list depends on it.
    pub post: Option<String>,
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Part {
    /// Where it begins: a `next_cursor` of an earlier part; `None` for the beginning of the list.
    pub cursor: Option<String>,
    /// Most entries, at least 1.
    pub limit: usize,
}

/// A part of a playlist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Playlist {
    /// Name of the site.
    pub site: String,
    /// The site's id of the list.
    pub id: String,
    /// Title.
    pub title: String,
    /// Page of the list.
    pub url: String,
    /// Who made it; texts are empty where the site doesn't say.
    pub author: PlaylistAuthor,
    /// Posts in the whole list, as the site says; `None` where it has no end.
    pub entry_count: Option<u64>,
    /// Posts of this part, in order.
    pub entries: Vec<PlaylistEntry>,
    /// Where the next part begins; `None` at the end.
    pub next_cursor: Option<String>,
}

/// Who made a playlist.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaylistAuthor {
    /// The site's id.
    pub id: String,
    /// Handle without `@`.
    pub handle: String,
    /// Display name.
    pub name: String,
}

/// A post of a playlist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaylistEntry {
    /// Place in the list, counted from 1.
    pub index: u64,
    /// The site's id of the post.
    pub id: String,
    /// Page of the post.
    pub url: String,
    /// Title.
    pub title: String,
    /// Length in milliseconds, where the list tells it.
    pub duration_ms: Option<u64>,
    /// Display name of its author.
    pub author: String,
    /// Still picture; direct address.
    pub thumbnail: Option<String>,
    /// Whether it can be had.
    pub availability: Availability,
}

/// Whether a post of a list can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
