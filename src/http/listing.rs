//! The answer of `POST /playlist` (ruling 36).

use serde::Serialize;
use utoipa::ToSchema;

use super::wire::first;
use crate::extract::{Availability, Playlist, PlaylistAuthor, PlaylistEntry};

/// The body; keys in the order in which they are written.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Playlist)]
pub(super) struct Listing<'a> {
    status: &'static str,
    code: u16,
    platform: &'a str,
    id: &'a str,
    title: &'a str,
    author: AuthorOut<'a>,
    url: &'a str,
    entry_count: Option<u64>,
    entries: Vec<EntryOut<'a>>,
    next_cursor: Option<&'a str>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlaylistAuthor)]
struct AuthorOut<'a> {
    nickname: &'a str,
    #[serde(rename = "uniqueId")]
    unique_id: &'a str,
    id: &'a str,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlaylistEntry)]
struct EntryOut<'a> {
    index: u64,
    id: &'a str,
    url: &'a str,
    title: &'a str,
    duration: Option<u64>,
    author: &'a str,
    thumbnail: Option<&'a str>,
    #[schema(value_type = String)]
    availability: Availability,
}

/// The body for a part of a list.
pub(super) fn listing(list: &Playlist) -> Listing<'_> {
    Listing {
        status: "playlist",
        code: 0,
        platform: &list.site,
        id: &list.id,
        title: &list.title,
        author: author(&list.author),
        url: &list.url,
        entry_count: list.entry_count,
        entries: list.entries.iter().map(entry).collect(),
        next_cursor: list.next_cursor.as_deref(),
    }
}

fn author(author: &PlaylistAuthor) -> AuthorOut<'_> {
    AuthorOut {
        nickname: &author.name,
        unique_id: first(&[&author.handle, &author.id]),
        id: &author.id,
    }
}

fn entry(entry: &PlaylistEntry) -> EntryOut<'_> {
    EntryOut {
        index: entry.index,
        id: &entry.id,
        url: &entry.url,
        title: &entry.title,
        duration: entry.duration_ms,
        author: &entry.author,
        thumbnail: entry.thumbnail.as_deref(),
        availability: entry.availability,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_their_order_are_the_agreed_ones() {
        let list = Playlist {
            site: "site".to_owned(),
            id: "PL1".to_owned(),
            title: "t".to_owned(),
            url: "https://site.example/PL1".to_owned(),
            author: PlaylistAuthor {
                id: "UC1".to_owned(),
                handle: String::new(),
                name: "n".to_owned(),
            },
            entry_count: Some(2),
            entries: vec![PlaylistEntry {
                index: 1,
                id: "v".to_owned(),
                url: "https://site.example/v".to_owned(),
                title: "e".to_owned(),
                duration_ms: None,
                author: "a".to_owned(),
                thumbnail: None,
                availability: Availability::MembersOnly,
            }],
            next_cursor: None,
        };
        let body = serde_json::to_string(&listing(&list)).unwrap();
        assert_eq!(
            body,
            concat!(
                r#"{"status":"playlist","code":0,"platform":"site","id":"PL1","title":"t","#,
                r#""author":{"nickname":"n","uniqueId":"UC1","id":"UC1"},"url":"https://site.example/PL1","#,
                r#""entry_count":2,"entries":[{"index":1,"id":"v","url":"https://site.example/v","title":"e","#,
                r#""duration":null,"author":"a","thumbnail":null,"availability":"members_only"}],"next_cursor":null}"#,
            )
        );
    }
}
