//! A post as the mobile apps and Douyin's web tell it (`aweme`, snake case).

#![expect(
    clippy::struct_field_names,
    reason = "fields are called as the site calls them"
)]

use serde::Deserialize;

use crate::extract::lenient::{Count, Field, Flag, List, Object, Text};

/// Answer of the app's detail call.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::extract) struct DetailAnswer {
    pub(in crate::extract) status_code: Field<i64>,
    pub(in crate::extract) status_msg: Text,
    pub(in crate::extract) aweme_details: List<Aweme>,
}

/// A post.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::extract) struct Aweme {
    pub(in crate::extract) aweme_id: Text,
    pub(in crate::extract) desc: Text,
    pub(in crate::extract) create_time: Count,
    pub(in crate::extract) region: Text,
    pub(in crate::extract) author: Object<Author>,
    pub(in crate::extract) statistics: Object<Statistics>,
    pub(in crate::extract) music: Object<Music>,
    pub(in crate::extract) video: Object<Video>,
    /// TikTok's photo post.
    pub(in crate::extract) image_post_info: Object<ImagePost>,
    /// Douyin's photo post; a square video stands beside it.
    pub(in crate::extract) images: List<Picture>,
}

/// An account.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::extract) struct Author {
    pub(in crate::extract) uid: Text,
    pub(in crate::extract) unique_id: Text,
    /// Number shown where an account chose no handle; `0` means none.
    pub(in crate::extract) short_id: Text,
    pub(in crate::extract) nickname: Text,
    pub(in crate::extract) signature: Text,
    pub(in crate::extract) sec_uid: Text,
    pub(in crate::extract) avatar_thumb: Object<Address>,
    pub(in crate::extract) avatar_medium: Object<Address>,
    pub(in crate::extract) avatar_larger: Object<Address>,
}

/// Counts.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::extract) struct Statistics {
    pub(in crate::extract) play_count: Count,
    pub(in crate::extract) digg_count: Count,
    pub(in crate::extract) comment_count: Count,
    pub(in crate::extract) share_count: Count,
    pub(in crate::extract) collect_count: Count,
    pub(in crate::extract) repost_count: Count,
}

/// A sound track.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::extract) struct Music {
    pub(in crate::extract) id_str: Text,
    pub(in crate::extract) id: Text,
    pub(in crate::extract) title: Text,
    pub(in crate::extract) author: Text,
    pub(in crate::extract) album: Text,
    /// Seconds.
    pub(in crate::extract) duration: Count,
    pub(in crate::extract) cover_hd: Object<Address>,
    pub(in crate::extract) cover_large: Object<Address>,
    pub(in crate::extract) is_original_sound: Flag,
    pub(in crate::extract) play_url: Object<Address>,
}

/// A file with its mirrors.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::extract) struct Address {
    pub(in crate::extract) url_list: List<String>,
    pub(in crate::extract) url_key: Text,
    /// Bytes.
    pub(in crate::extract) data_size: Count,
    pub(in crate::extract) width: Count,
    pub(in crate::extract) height: Count,
}

/// A video.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::extract) struct Video {
    /// Milliseconds.
    pub(in crate::extract) duration: Count,
    pub(in crate::extract) width: Count,
    pub(in crate::extract) height: Count,
    /// `dash`: the play address carries no sound.
    pub(in crate::extract) format: Text,
    pub(in crate::extract) has_watermark: Flag,
    pub(in crate::extract) is_h265: Flag,
    pub(in crate::extract) is_bytevc1: Flag,
    pub(in crate::extract) cover: Object<Address>,
    pub(in crate::extract) origin_cover: Object<Address>,
    pub(in crate::extract) play_addr: Object<Address>,
    pub(in crate::extract) play_addr_h264: Object<Address>,
    pub(in crate::extract) play_addr_bytevc1: Object<Address>,
    pub(in crate::extract) download_addr: Object<Address>,
    pub(in crate::extract) bit_rate: List<Gear>,
}

/// One encoding of a video.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::extract) struct Gear {
    pub(in crate::extract) gear_name: Text,
    pub(in crate::extract) bit_rate: Count,
    pub(in crate::extract) is_h265: Flag,
    pub(in crate::extract) is_bytevc1: Flag,
    #[serde(rename = "FPS")]
    pub(in crate::extract) fps: Count,
    /// `mp4`, or `dash` for picture without sound.
    pub(in crate::extract) format: Text,
    pub(in crate::extract) play_addr: Object<Address>,
}

/// TikTok's photo post.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::extract) struct ImagePost {
    pub(in crate::extract) images: List<ImageEntry>,
    pub(in crate::extract) image_post_cover: Object<ImageEntry>,
    pub(in crate::extract) title: Text,
}

/// One picture of TikTok's photo post.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::extract) struct ImageEntry {
    pub(in crate::extract) display_image: Object<Address>,
}

/// One picture of Douyin's photo post.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::extract) struct Picture {
    pub(in crate::extract) url_list: List<String>,
    pub(in crate::extract) width: Count,
    pub(in crate::extract) height: Count,
}

/// Why Douyin shows no post.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::extract) struct Filter {
    pub(in crate::extract) filter_reason: Text,
    pub(in crate::extract) aweme_id: Text,
}
