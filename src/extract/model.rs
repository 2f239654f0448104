//! What every site's answer is turned into; no site's names in here.

use serde::{Deserialize, Serialize};
use url::Url;

use super::facts::{PostFacts, StreamFacts};
use crate::net::MediaSession;

/// A recognised address: which site, and what is asked of it. Made by [`super::Extractor::classify`] only.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Source {
    /// [`super::Extractor::site`] of the extractor that knows it.
    pub site: &'static str,
    /// What the address names.
    pub key: SourceKey,
    /// The address to fetch, rebuilt from its parts (never the posted text).
    pub url: Url,
}

/// What a [`Source`] names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SourceKey {
    /// One post, by the site's own id. Safe in file names: `[A-Za-z0-9_-]{1,64}`.
    Post(String),
    /// A short link whose target must be asked for.
    Short(String),
}

/// What an extractor says of an address, without any I/O.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Classified {
    /// Another site's address.
    Foreign,
    /// One post, or a short link to one.
    Source(Source),
    /// This site's address, but nothing that can be downloaded here.
    Refused(Refusal),
}

/// Why an address of a known site is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The path or id has no form that we know.
    BadUrl,
    /// A profile, tag or sound: only single posts are served.
    NotAPost,
    /// A list where a single post is wanted.
    Playlist,
    /// Something else where a list is wanted, or a list that can't be listed.
    NotAPlaylist,
    /// A text that is no cursor of ours.
    BadCursor,
    /// A live broadcast.
    Live,
}

/// Everything a site told about one post.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Extraction {
    /// Site name, e.g. `tiktok`.
    pub site: String,
    /// The site's id of the post.
    pub id: String,
    /// Canonical page address.
    pub url: String,
    /// Title, not cut; empty when the post has none.
    pub title: String,
    /// Full caption; empty when the post has none.
    pub description: String,
    /// Best still picture; direct address.
    pub cover: Option<String>,
    /// Length in milliseconds; 0 when unknown.
    pub duration_ms: u64,
    /// Unix time of publication.
    pub created_at: Option<u64>,
    /// Two-letter region in which it was posted.
    pub region: Option<String>,
    /// Who posted it.
    pub author: Author,
    /// Counts; `None` where the site hides them.
    pub statistics: Statistics,
    /// The sound track named by the post.
    pub music: Option<Music>,
    /// What can be downloaded.
    pub content: Content,
    /// What media requests need to be answered.
    pub session: MediaSession,
    /// What only some sites tell.
    #[serde(default, skip_serializing_if = "PostFacts::is_empty")]
    pub facts: PostFacts,
}

/// What can be downloaded of a post.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Content {
    /// A video in one or more formats, best first, the watermarked ones last.
    Video {
        /// Never empty.
        formats: Vec<Format>,
    },
    /// Pictures in page order, with their sound when there is one.
    Slideshow {
        /// Never empty.
        images: Vec<Image>,
        /// The sound, as an audio-only format.
        audio: Option<Format>,
    },
}

impl Extraction {
    /// The format called `id`, wherever it stands (`image-3` and the sound of a slideshow are not found here).
    pub fn format(&self, id: &str) -> Option<&Format> {
        match &self.content {
            Content::Video { formats } => formats.iter().find(|format| format.id == id),
            Content::Slideshow { audio, .. } => audio.as_ref().filter(|format| format.id == id),
        }
    }

    /// The format that another extraction of the post called `id`, with the sound track that it then carried where it
    /// was one of several: their numbers (`140-1`) are given out anew each time.
    pub fn format_again(&self, id: &str, track: Option<&str>) -> Option<&Format> {
        let (Some(track), Content::Video { formats }) = (track, &self.content) else {
            return self.format(id);
        };
        formats.iter().find(|format| {
            unnumbered(&format.id) == unnumbered(id) && format.track_id() == Some(track)
        })
    }
}

/// A format id without the number behind it, if it has one.
fn unnumbered(id: &str) -> &str {
    let is_number = |end: &str| !end.is_empty() && end.bytes().all(|byte| byte.is_ascii_digit());
    match id.rsplit_once('-') {
        Some((id, end)) if is_number(end) => id,
        _ => id,
    }
}

/// What a format carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Tracks {
    /// Picture and sound.
    Combined,
    /// Picture alone.
    Video,
    /// Sound alone.
    Audio,
}

/// File type of a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Container {
    /// `.mp4`, `video/mp4`.
    Mp4,
    /// `.webm`, `video/webm` or `audio/webm`.
    Webm,
    /// `.m4a`, `audio/mp4`.
    M4a,
    /// `.mp3`, `audio/mpeg`.
    Mp3,
}

impl Container {
    /// File name extension without dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::Webm => "webm",
            Self::M4a => "m4a",
            Self::Mp3 => "mp3",
        }
    }

    /// Media type of a file of this kind that carries `tracks`.
    pub fn media_type(self, tracks: Tracks) -> &'static str {
        match (self, tracks) {
            (Self::Mp3, _) => "audio/mpeg",
            (Self::M4a, _) | (Self::Mp4, Tracks::Audio) => "audio/mp4",
            (Self::Mp4, _) => "video/mp4",
            (Self::Webm, Tracks::Audio) => "audio/webm",
            (Self::Webm, _) => "video/webm",
        }
    }
}

/// Codec families, as named in the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Codec {
    H264,
    Hevc,
    Vp9,
    Av1,
    Aac,
    Opus,
    Mp3,
    Ac3,
    Eac3,
}

/// One downloadable file of a post.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Format {
    /// Unique within the extraction, stable between extractions of the same post.
    pub id: String,
    /// Addresses of the same bytes, best first, never empty. Opaque: sent byte for byte.
    pub urls: Vec<String>,
    /// What it carries.
    pub tracks: Tracks,
    /// File type.
    pub container: Container,
    /// Picture width in pixels.
    pub width: Option<u32>,
    /// Picture height in pixels.
    pub height: Option<u32>,
    /// Frames per second.
    pub fps: Option<u32>,
    /// Codec of the picture.
    pub vcodec: Option<Codec>,
    /// Codec of the sound.
    pub acodec: Option<Codec>,
    /// Bits per second over all tracks.
    pub bitrate_bps: Option<u64>,
    /// Bytes, as the site says; a hint, never a `Content-Length`.
    pub filesize: Option<u64>,
    /// The site's own quality label, where it gives one.
    pub label: Option<String>,
    /// Whether the picture carries the site's mark.
    pub is_watermarked: bool,
    /// What only some sites tell.
    #[serde(default, skip_serializing_if = "StreamFacts::is_empty")]
    pub facts: Box<StreamFacts>,
}

impl Format {
    /// The shorter side of the picture: what people call `1080p`, for upright pictures too.
    pub fn short_side(&self) -> Option<u32> {
        Some(self.width?.min(self.height?))
    }

    /// Whether it carries sound.
    pub fn has_audio(&self) -> bool {
        self.tracks != Tracks::Video
    }

    /// Whether it carries a picture.
    pub fn has_video(&self) -> bool {
        self.tracks != Tracks::Audio
    }

    /// The site's id of its sound track.
    pub fn track_id(&self) -> Option<&str> {
        self.facts.audio.as_ref()?.id.as_deref()
    }
}

/// One picture of a slideshow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Addresses of the picture, the best readable type first, never empty.
    pub urls: Vec<String>,
    /// Width in pixels.
    pub width: Option<u32>,
    /// Height in pixels.
    pub height: Option<u32>,
}

/// Who posted it. Missing texts are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// The site's numeric or opaque id.
    pub id: String,
    /// Handle without `@`.
    pub handle: String,
    /// Display name.
    pub name: String,
    /// Bio.
    pub signature: String,
    /// Page of the author.
    pub url: String,
    /// Small picture.
    pub avatar_thumb: Option<String>,
    /// Middle picture.
    pub avatar_medium: Option<String>,
    /// Large picture.
    pub avatar_larger: Option<String>,
    /// Whether the site vouches for the account.
    pub is_verified: Option<bool>,
    /// A second, opaque id that some sites use in their APIs.
    pub secondary_id: Option<String>,
}

/// Counts of a post; `None` = the site doesn't say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// Times played.
    pub plays: Option<u64>,
    /// Likes.
    pub likes: Option<u64>,
    /// Comments.
    pub comments: Option<u64>,
    /// Shares.
    pub shares: Option<u64>,
    /// Reposts.
    pub reposts: Option<u64>,
    /// Times saved to a collection.
    pub saves: Option<u64>,
}

/// The sound track named by a post.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Music {
    /// The site's id.
    pub id: String,
    /// Title.
    pub title: String,
    /// Performers, joined with `, `.
    pub author: String,
    /// Album.
    pub album: String,
    /// Length in milliseconds; 0 when unknown.
    pub duration_ms: u64,
    /// Cover picture; direct address.
    pub cover: Option<String>,
    /// Direct address of the track.
    pub url: Option<String>,
    /// Whether the author of the post made it.
    pub is_original: Option<bool>,
}
