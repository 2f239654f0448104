//! A post as web pages and the browser's JSON tell it (`itemStruct`, camel case).
//!
//! Only the id and one medium are needed; every other object is missing, null or trimmed in some answer.

#![expect(
    clippy::struct_field_names,
    reason = "fields are called as the site calls them"
)]

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::extract::lenient::{Count, Field, Flag, List, Object, Text};

/// The page's word on one post.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::extract::tiktok) struct VideoDetail {
    pub(in crate::extract::tiktok) status_code: Field<i64>,
    pub(in crate::extract::tiktok) status_msg: Text,
    pub(in crate::extract::tiktok) item_info: Object<ItemInfo>,
}

impl VideoDetail {
    /// A post that comes without a status.
    pub(in crate::extract::tiktok) fn of_item(item: Item) -> Self {
        let info = ItemInfo {
            item_struct: Some(item).into(),
        };
        Self {
            item_info: Some(info).into(),
            ..Self::default()
        }
    }
}

/// Envelope of the post; empty when there is none.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::extract::tiktok) struct ItemInfo {
    pub(in crate::extract::tiktok) item_struct: Object<Item>,
}

/// A post.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::extract::tiktok) struct Item {
    pub(in crate::extract::tiktok) id: Text,
    pub(in crate::extract::tiktok) desc: Text,
    pub(in crate::extract::tiktok) create_time: Count,
    pub(in crate::extract::tiktok) location_created: Text,
    pub(in crate::extract::tiktok) is_content_classified: Flag,
    pub(in crate::extract::tiktok) author: Object<Author>,
    /// Beside the author where that is only a name (`ItemModule`).
    pub(in crate::extract::tiktok) nickname: Text,
    /// Likewise.
    pub(in crate::extract::tiktok) author_id: Text,
    /// Likewise.
    pub(in crate::extract::tiktok) author_sec_id: Text,
    /// Likewise.
    pub(in crate::extract::tiktok) avatar_thumb: Text,
    pub(in crate::extract::tiktok) music: Object<Music>,
    pub(in crate::extract::tiktok) stats: Object<Stats>,
    /// The same counts as text; newer pages round them less.
    pub(in crate::extract::tiktok) stats_v2: Object<Stats>,
    pub(in crate::extract::tiktok) video: Object<Video>,
    pub(in crate::extract::tiktok) image_post: Object<ImagePost>,
}

/// An account.
#[derive(Debug, Default)]
pub(in crate::extract::tiktok) struct Author {
    pub(in crate::extract::tiktok) id: Text,
    pub(in crate::extract::tiktok) handle: Text,
    pub(in crate::extract::tiktok) nickname: Text,
    pub(in crate::extract::tiktok) signature: Text,
    pub(in crate::extract::tiktok) sec_uid: Text,
    pub(in crate::extract::tiktok) verified: Flag,
    pub(in crate::extract::tiktok) avatar_thumb: Text,
    pub(in crate::extract::tiktok) avatar_medium: Text,
    pub(in crate::extract::tiktok) avatar_larger: Text,
}

/// An account as an object.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Account {
    id: Text,
    unique_id: Text,
    nickname: Text,
    signature: Text,
    sec_uid: Text,
    verified: Flag,
    avatar_thumb: Text,
    avatar_medium: Text,
    avatar_larger: Text,
}

/// An object, or the handle alone.
impl<'de> Deserialize<'de> for Author {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        if raw.get().starts_with('"') {
            let handle = serde_json::from_str(raw.get()).map_err(serde::de::Error::custom)?;
            return Ok(Self {
                handle,
                ..Self::default()
            });
        }
        let account: Account = serde_json::from_str(raw.get()).map_err(serde::de::Error::custom)?;
        Ok(Self {
            id: account.id,
            handle: account.unique_id,
            nickname: account.nickname,
            signature: account.signature,
            sec_uid: account.sec_uid,
            verified: account.verified,
            avatar_thumb: account.avatar_thumb,
            avatar_medium: account.avatar_medium,
            avatar_larger: account.avatar_larger,
        })
    }
}

/// A sound track.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::extract::tiktok) struct Music {
    pub(in crate::extract::tiktok) id: Text,
    pub(in crate::extract::tiktok) title: Text,
    pub(in crate::extract::tiktok) author_name: Text,
    pub(in crate::extract::tiktok) album: Text,
    /// Seconds.
    pub(in crate::extract::tiktok) duration: Count,
    pub(in crate::extract::tiktok) cover_large: Text,
    pub(in crate::extract::tiktok) original: Flag,
    pub(in crate::extract::tiktok) play_url: Text,
}

/// Counts.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::extract::tiktok) struct Stats {
    pub(in crate::extract::tiktok) play_count: Count,
    pub(in crate::extract::tiktok) digg_count: Count,
    pub(in crate::extract::tiktok) comment_count: Count,
    pub(in crate::extract::tiktok) share_count: Count,
    pub(in crate::extract::tiktok) collect_count: Count,
    pub(in crate::extract::tiktok) repost_count: Count,
}

/// A video; hollow in photo posts.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::extract::tiktok) struct Video {
    /// Seconds.
    pub(in crate::extract::tiktok) duration: Count,
    pub(in crate::extract::tiktok) width: Count,
    pub(in crate::extract::tiktok) height: Count,
    pub(in crate::extract::tiktok) definition: Text,
    pub(in crate::extract::tiktok) ratio: Text,
    pub(in crate::extract::tiktok) codec_type: Text,
    pub(in crate::extract::tiktok) bitrate: Count,
    pub(in crate::extract::tiktok) size: Count,
    pub(in crate::extract::tiktok) cover: Text,
    pub(in crate::extract::tiktok) origin_cover: Text,
    pub(in crate::extract::tiktok) bitrate_info: List<Gear>,
    pub(in crate::extract::tiktok) play_addr: Links,
    pub(in crate::extract::tiktok) download_addr: Links,
    pub(in crate::extract::tiktok) download: Object<Download>,
}

/// One encoding of a video.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(in crate::extract::tiktok) struct Gear {
    pub(in crate::extract::tiktok) gear_name: Text,
    pub(in crate::extract::tiktok) bitrate: Count,
    pub(in crate::extract::tiktok) codec_type: Text,
    #[serde(rename = "BitrateFPS")]
    pub(in crate::extract::tiktok) bitrate_fps: Count,
    pub(in crate::extract::tiktok) play_addr: Object<PlayAddr>,
}

/// Where an encoding lies.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(in crate::extract::tiktok) struct PlayAddr {
    pub(in crate::extract::tiktok) url_list: List<String>,
    pub(in crate::extract::tiktok) url_key: Text,
    /// Bytes.
    pub(in crate::extract::tiktok) data_size: Count,
    pub(in crate::extract::tiktok) width: Count,
    pub(in crate::extract::tiktok) height: Count,
}

/// The download in an older place.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::extract::tiktok) struct Download {
    pub(in crate::extract::tiktok) url: Text,
}

/// Addresses of one file: a text, or a list of texts or of `{"src": …}`.
#[derive(Debug, Default)]
pub(in crate::extract::tiktok) struct Links(pub(in crate::extract::tiktok) Vec<String>);

impl<'de> Deserialize<'de> for Links {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Entry {
            Text(String),
            Source { src: String },
        }
        let raw = <&RawValue>::deserialize(deserializer)?;
        let entries: Vec<Entry> = match raw.get().as_bytes().first() {
            Some(b'"') => serde_json::from_str(raw.get()).map(|text| vec![Entry::Text(text)]),
            _ => serde_json::from_str(raw.get()),
        }
        .unwrap_or_default();
        let texts = entries.into_iter().map(|entry| match entry {
            Entry::Text(text) | Entry::Source { src: text } => text,
        });
        Ok(Self(texts.filter(|text| !text.is_empty()).collect()))
    }
}

/// A photo post.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::extract::tiktok) struct ImagePost {
    pub(in crate::extract::tiktok) images: List<ImageEntry>,
    pub(in crate::extract::tiktok) cover: Object<ImageEntry>,
    pub(in crate::extract::tiktok) title: Text,
}

/// One picture.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::extract::tiktok) struct ImageEntry {
    #[serde(rename = "imageURL")]
    pub(in crate::extract::tiktok) image_url: Object<ImageUrl>,
    pub(in crate::extract::tiktok) image_width: Count,
    pub(in crate::extract::tiktok) image_height: Count,
}

/// Addresses of one picture.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::extract::tiktok) struct ImageUrl {
    pub(in crate::extract::tiktok) url_list: List<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_read_in_every_form() {
        for (json, expected) in [
            (r#""https://a.test/1""#, vec!["https://a.test/1"]),
            (
                r#"[{"src":"https://a.test/1"},"https://a.test/2"]"#,
                vec!["https://a.test/1", "https://a.test/2"],
            ),
            (r#""""#, vec![]),
            ("null", vec![]),
            (r#"{"a":1}"#, vec![]),
        ] {
            let links: Links = serde_json::from_str(json).unwrap();
            assert_eq!(links.0, expected, "{json}");
        }
    }

    #[test]
    fn nulls_everywhere_leave_an_empty_post() {
        let json = r#"{"id":7,"desc":null,"author":null,"music":"","stats":[],"statsV2":null,"video":{"bitrateInfo":null,"playAddr":null,"duration":null},"imagePost":null}"#;
        let item: Item = serde_json::from_str(json).unwrap();
        assert_eq!(item.id.text(), "7");
        assert!(item.author.is_none() && item.music.is_none() && item.stats.is_none());
        assert!(item.video.as_ref().unwrap().bitrate_info.is_empty());
    }
}
