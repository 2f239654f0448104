//! Facts that some sites tell and others don't; each is optional, and a site that tells none gives the default.

use serde::{Deserialize, Serialize};

/// Facts of one format beside those every site tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamFacts {
    /// Full codec text as in a media type (RFC 6381), e.g. `avc1.640028, mp4a.40.2`.
    pub codecs: Option<String>,
    /// Range of brightness and colour of the picture.
    pub dynamic_range: Option<DynamicRange>,
    /// What is known of the sound track where a post has several.
    pub audio: Option<AudioTrack>,
    /// Samples per second of the sound.
    pub sample_rate_hz: Option<u32>,
    /// Channels of the sound.
    pub channels: Option<u8>,
    /// Whether the loudness of the sound was evened out.
    pub is_compressed_loudness: bool,
    /// Names the very bytes: two addresses of equal identity and length give the same file.
    pub identity: Option<String>,
    /// Length of this track in milliseconds.
    pub duration_ms: Option<u64>,
    /// First and last byte of the initialisation segment.
    pub init_range: Option<(u64, u64)>,
    /// First and last byte of the segment index.
    pub index_range: Option<(u64, u64)>,
    /// Bytes, reckoned from bit rate and length.
    pub filesize_approx: Option<u64>,
}

impl StreamFacts {
    /// Whether the site told none of them.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Range of brightness and colour of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DynamicRange {
    /// Standard.
    #[serde(rename = "SDR")]
    Sdr,
    /// PQ with ten bits.
    #[serde(rename = "HDR10")]
    Hdr10,
    /// Hybrid log-gamma.
    #[serde(rename = "HLG")]
    Hlg,
    /// Dolby Vision.
    #[serde(rename = "DV")]
    DolbyVision,
}

impl DynamicRange {
    /// The word for it in the API and in selectors.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sdr => "SDR",
            Self::Hdr10 => "HDR10",
            Self::Hlg => "HLG",
            Self::DolbyVision => "DV",
        }
    }
}

/// One of several sound tracks of a post.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AudioTrack {
    /// The site's id of the track; it stays the same where numbers behind format ids don't.
    pub id: Option<String>,
    /// Language tag, e.g. `en`; `en-desc` for a track that describes the picture.
    pub language: Option<String>,
    /// The site's name of the track.
    pub name: Option<String>,
    /// The higher, the rather this track is meant: 10 original, 5 the site's default, -1 other, -10 descriptive.
    pub preference: i32,
}

impl AudioTrack {
    /// [`AudioTrack::preference`] of the original.
    pub const ORIGINAL: i32 = 10;
}

/// Facts of one post beside those every site tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PostFacts {
    /// Key words given by the author.
    pub tags: Vec<String>,
    /// The site's category.
    pub category: Option<String>,
    /// Age from which it may be seen; `None` = no limit is known.
    pub age_limit: Option<u8>,
    /// Whether it is left out of lists and searches.
    pub is_unlisted: Option<bool>,
    /// Whether it is a short upright clip in the site's own terms.
    pub is_short: Option<bool>,
    /// Whether it is or was a broadcast.
    pub live: Option<LiveStatus>,
    /// Parts of the video, in order.
    pub chapters: Vec<Chapter>,
    /// Subtitles.
    pub captions: Vec<Caption>,
    /// Still pictures, the largest first.
    pub thumbnails: Vec<Thumbnail>,
}

impl PostFacts {
    /// Whether the site told none of them.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether a post is or was a broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LiveStatus {
    /// Never was one.
    NotLive,
    /// On air now.
    IsLive,
    /// Announced.
    IsUpcoming,
    /// Over; the recording is complete.
    WasLive,
    /// Over; the recording is not ready yet.
    PostLive,
}

/// A part of a video.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chapter {
    /// Title.
    pub title: String,
    /// Start in milliseconds.
    pub start_ms: u64,
    /// End in milliseconds; `None` for the last part of a video of unknown length.
    pub end_ms: Option<u64>,
}

/// A subtitle track.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caption {
    /// Language tag.
    pub language: String,
    /// The site's name of the track.
    pub name: String,
    /// Direct address of the track as `WebVTT`.
    pub url: String,
    /// Direct address of the track as `SubRip`.
    pub srt_url: String,
    /// Whether it was made by speech recognition.
    pub is_automatic: bool,
}

/// A still picture of a post.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thumbnail {
    /// Direct address.
    pub url: String,
    /// Width in pixels.
    pub width: Option<u32>,
    /// Height in pixels.
    pub height: Option<u32>,
}
