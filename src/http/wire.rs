//! The answer of `POST /tiktok`: one body that serves both shapes clients know (api.md §3).

use std::borrow::Cow;

use serde::Serialize;
use utoipa::ToSchema;

use super::facts::{self, Facts};
use crate::extract::{
    Author, Codec, Content, DynamicRange, Extraction, Format, Image, Music, Statistics, select,
};
use crate::services::{CaptionLinks, Entry, Offers};

/// The body; keys in the order in which they are written.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Post<'a> {
    status: &'static str,
    code: u16,
    message: &'static str,
    platform: &'a str,
    id: &'a str,
    url: &'a str,
    title: &'a str,
    description: &'a str,
    artist: &'a str,
    cover: &'a str,
    duration: u64,
    music_duration: u64,
    audio: Cow<'a, str>,
    create_time: Option<u64>,
    region: Option<&'a str>,
    author: AuthorOut<'a>,
    statistics: StatisticsOut,
    music: Option<MusicOut<'a>>,
    #[serde(flatten)]
    facts: Facts<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    photos: Option<Vec<Photo<'a>>>,
    download_link: DownloadLink,
    #[serde(skip_serializing_if = "Option::is_none")]
    download_slideshow_link: Option<String>,
    expires_at: u64,
    data: Data<'a>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Author)]
struct AuthorOut<'a> {
    nickname: &'a str,
    #[serde(rename = "uniqueId")]
    unique_id: &'a str,
    signature: &'a str,
    avatar: &'a str,
    #[serde(rename = "avatarThumb")]
    avatar_thumb: &'a str,
    #[serde(rename = "avatarMedium")]
    avatar_medium: &'a str,
    #[serde(rename = "avatarLarger")]
    avatar_larger: &'a str,
    handle: &'a str,
    #[serde(rename = "displayName")]
    display_name: &'a str,
    id: &'a str,
    url: &'a str,
    #[serde(rename = "secUid")]
    sec_uid: &'a str,
    verified: Option<bool>,
}

#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "names of the API")]
#[schema(as = Statistics)]
struct StatisticsOut {
    play_count: u64,
    digg_count: u64,
    comment_count: u64,
    share_count: u64,
    repost_count: u64,
    save_count: u64,
    collect_count: u64,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Music)]
struct MusicOut<'a> {
    id: &'a str,
    title: &'a str,
    author: &'a str,
    album: &'a str,
    duration: u64,
    cover: &'a str,
    url: &'a str,
    original: Option<bool>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Photo<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    url: &'a str,
    width: Option<u32>,
    height: Option<u32>,
}

#[derive(Debug, Default, Serialize, ToSchema)]
struct DownloadLink {
    #[serde(skip_serializing_if = "Option::is_none")]
    watermark: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    watermark_hd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    no_watermark: Option<OneOrMany>,
    #[serde(skip_serializing_if = "Option::is_none")]
    no_watermark_hd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mp3: Option<String>,
    /// What the request chose.
    #[serde(skip_serializing_if = "Option::is_none")]
    selected: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    zip: Option<String>,
}

/// A video has one address, a photo post one per photo, always as a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// Shape B: what the clients of the streaming documents read.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "names of the API")]
struct Data<'a> {
    author: &'a str,
    title: &'a str,
    duration: u64,
    cover: &'a str,
    video_data: Vec<VideoData<'a>>,
}

#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "fields of the API")]
struct VideoData<'a> {
    url: String,
    format: &'a str,
    format_id: &'a str,
    quality: &'a str,
    extension: &'a str,
    #[serde(rename = "streamData")]
    stream_data: &'a str,
    width: Option<u32>,
    height: Option<u32>,
    fps: Option<u32>,
    #[schema(value_type = Option<String>)]
    vcodec: Option<Codec>,
    #[schema(value_type = Option<String>)]
    acodec: Option<Codec>,
    #[serde(skip_serializing_if = "Option::is_none")]
    codecs: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dynamic_range: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
    bitrate: Option<u64>,
    filesize: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filesize_approx: Option<u64>,
    has_video: bool,
    has_audio: bool,
    watermark: bool,
    merged: bool,
}

/// What a body is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts<'a> {
    pub(super) extraction: &'a Extraction,
    pub(super) offers: &'a Offers,
    /// The subtitles of the post.
    pub(super) captions: &'a [CaptionLinks],
    /// What the request chose among the offers.
    pub(super) selected: Option<&'a Entry>,
}

/// The body for one post; links begin with `base`.
pub(super) fn post<'a>(parts: Parts<'a>, base: &str) -> Post<'a> {
    let Parts {
        extraction, offers, ..
    } = parts;
    let cover = text(extraction.cover.as_deref());
    let author = author(&extraction.author, cover);
    let photos = match &extraction.content {
        Content::Video { .. } => None,
        Content::Slideshow { images, .. } => Some(images.iter().map(photo).collect()),
    };
    Post {
        status: if photos.is_some() { "picker" } else { "tunnel" },
        code: 0,
        message: "Success",
        platform: &extraction.site,
        id: &extraction.id,
        url: &extraction.url,
        title: &extraction.title,
        description: first(&[&extraction.description, &extraction.title]),
        artist: first(&[
            extraction.music.as_ref().map_or("", |music| &music.author),
            author.nickname,
        ]),
        cover,
        duration: extraction.duration_ms,
        music_duration: extraction
            .music
            .as_ref()
            .map_or(0, |music| music.duration_ms),
        audio: audio(extraction, offers, base),
        create_time: extraction.created_at,
        region: extraction.region.as_deref(),
        statistics: statistics(&extraction.statistics),
        music: extraction.music.as_ref().map(music),
        facts: facts::facts(&extraction.facts, parts.captions, base),
        download_link: DownloadLink {
            selected: parts.selected.map(|entry| entry_link(entry, base)),
            ..download_link(offers, base, photos.is_some())
        },
        download_slideshow_link: offers
            .picks
            .slideshow
            .as_deref()
            .map(|token| format!("{base}/download-slideshow?url={token}")),
        expires_at: offers.expires_at,
        data: Data {
            author: author.nickname,
            title: &extraction.title,
            duration: extraction.duration_ms,
            cover,
            video_data: offers
                .entries
                .iter()
                .map(|entry| entry_out(entry, base))
                .collect(),
        },
        photos,
        author,
    }
}

fn author<'a>(author: &'a Author, cover: &'a str) -> AuthorOut<'a> {
    let larger = text(author.avatar_larger.as_deref());
    let medium = text(author.avatar_medium.as_deref());
    let thumb = text(author.avatar_thumb.as_deref());
    AuthorOut {
        nickname: first(&[&author.name, &author.handle, "unknown"]),
        unique_id: first(&[&author.handle, &author.id, "unknown"]),
        signature: &author.signature,
        avatar: first(&[larger, medium, thumb, cover]),
        avatar_thumb: first(&[thumb, medium, larger, cover]),
        avatar_medium: first(&[medium, larger, thumb, cover]),
        avatar_larger: first(&[larger, medium, thumb, cover]),
        handle: &author.handle,
        display_name: &author.name,
        id: &author.id,
        url: &author.url,
        sec_uid: text(author.secondary_id.as_deref()),
        verified: author.is_verified,
    }
}

/// Clients format the counts without looking: never null.
fn statistics(statistics: &Statistics) -> StatisticsOut {
    let shares = statistics.shares.unwrap_or(0);
    let saves = statistics.saves.unwrap_or(0);
    StatisticsOut {
        play_count: statistics.plays.unwrap_or(0),
        digg_count: statistics.likes.unwrap_or(0),
        comment_count: statistics.comments.unwrap_or(0),
        share_count: shares,
        // Older clients read the shares under this name (api.md §3.1).
        repost_count: shares,
        save_count: saves,
        collect_count: saves,
    }
}

fn music(music: &Music) -> MusicOut<'_> {
    MusicOut {
        id: &music.id,
        title: &music.title,
        author: &music.author,
        album: &music.album,
        duration: music.duration_ms,
        cover: text(music.cover.as_deref()),
        url: text(music.url.as_deref()),
        original: music.is_original,
    }
}

fn photo(image: &Image) -> Photo<'_> {
    Photo {
        kind: "photo",
        url: text(image.urls.first().map(String::as_str)),
        width: image.width,
        height: image.height,
    }
}

/// Address of the sound alone, else of the first format that has sound: the site's own, or a link of ours where that one
/// answers to this server alone.
fn audio<'a>(extraction: &'a Extraction, offers: &Offers, base: &str) -> Cow<'a, str> {
    let format = match &extraction.content {
        Content::Video { formats } => {
            select::mp3(formats).or_else(|| formats.iter().find(|format| format.has_audio()))
        }
        Content::Slideshow { audio, .. } => audio.as_ref(),
    };
    if offers.carries_addresses {
        let url = format.and_then(|format| format.urls.first());
        return Cow::Borrowed(text(url.map(String::as_str)));
    }
    let mut entries = offers.entries.iter();
    let own = format.and_then(|format| entries.find(|entry| entry.format_id == format.id));
    // Of a part of a post only the pairs are offered.
    let entry = own.or_else(|| offers.entries.first());
    Cow::Owned(entry.map_or_else(String::new, |entry| entry_link(entry, base)))
}

fn download_link(offers: &Offers, base: &str, is_slideshow: bool) -> DownloadLink {
    let stream = |token: &Option<String>| token.as_deref().map(|token| link(base, "stream", token));
    let picks = &offers.picks;
    let no_watermark = if is_slideshow {
        let images = offers.entries.iter().filter(|entry| entry.image.is_some());
        Some(OneOrMany::Many(
            images
                .map(|entry| link(base, "download", &entry.token))
                .collect(),
        ))
    } else {
        stream(&picks.no_watermark).map(OneOrMany::One)
    };
    DownloadLink {
        watermark: stream(&picks.watermark),
        watermark_hd: stream(&picks.watermark_hd),
        no_watermark,
        no_watermark_hd: stream(&picks.no_watermark_hd),
        mp3: stream(&picks.sound),
        selected: None,
        zip: picks
            .archive
            .as_deref()
            .map(|token| link(base, "download", token)),
    }
}

fn entry_out<'a>(entry: &'a Entry, base: &str) -> VideoData<'a> {
    let format = entry.format.as_ref();
    let image = entry.image.as_ref();
    let facts = format.map(|format| &format.facts);
    VideoData {
        url: entry_link(entry, base),
        format: &entry.name,
        format_id: &entry.format_id,
        quality: &entry.quality,
        extension: entry.extension,
        stream_data: &entry.token,
        width: format.map_or(image.and_then(|image| image.width), |format| format.width),
        height: format.map_or(image.and_then(|image| image.height), |format| format.height),
        fps: format.and_then(|format| format.fps),
        vcodec: format.and_then(|format| format.vcodec),
        acodec: format.and_then(|format| format.acodec),
        codecs: facts.and_then(|facts| facts.codecs.as_deref()),
        dynamic_range: facts
            .and_then(|facts| facts.dynamic_range)
            .map(DynamicRange::name),
        language: facts
            .and_then(|facts| facts.audio.as_ref())
            .and_then(|track| track.language.as_deref()),
        bitrate: format.and_then(|format| format.bitrate_bps),
        filesize: format.and_then(|format| format.filesize),
        filesize_approx: facts.and_then(|facts| facts.filesize_approx),
        has_video: format.is_some_and(Format::has_video),
        has_audio: format.is_some_and(Format::has_audio),
        watermark: format.is_some_and(|format| format.is_watermarked),
        merged: entry.is_joined,
    }
}

/// The link of an offer, on the route that clients expect for its kind.
fn entry_link(entry: &Entry, base: &str) -> String {
    let route = if entry.image.is_some() {
        "download"
    } else {
        "stream"
    };
    link(base, route, &entry.token)
}

/// A link of this server.
pub(super) fn link(base: &str, route: &str, token: &str) -> String {
    format!("{base}/{route}?data={token}")
}

fn text(value: Option<&str>) -> &str {
    value.unwrap_or_default()
}

/// The first that is not empty.
pub(super) fn first<'a>(candidates: &[&'a str]) -> &'a str {
    candidates
        .iter()
        .copied()
        .find(|text| !text.is_empty())
        .unwrap_or_default()
}
