//! The sound of a post as MP3: passed through when it is MP3, else transcoded while it is sent.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use moka::future::Cache;
use sha2::{Digest, Sha256};

use super::feed::{Feed, FeedError};
use super::made::{Made, tag};
use super::origin::{LinkOrigin, Post};
use super::transcode::SoundOrigin;
use crate::extract::{Container, Content, Extraction};
use crate::media::ffmpeg::Ffmpeg;
use crate::media::sound::{HEADER_BYTES, Kind, Layout};
use crate::media::{mp3, pictures};
use crate::temp::Temp;
use crate::transfer::{Admission, Busy, Expected, Permit};

/// How long what was found out about a track serves further requests.
const TRACK_TTL: Duration = Duration::from_secs(600);
/// Tracks remembered, in bytes: a track with a cover takes some hundred kilobytes.
const MAX_TRACK_BYTES: u64 = 16 * 1024 * 1024;
/// Largest cover that goes into a tag.
const MAX_COVER_BYTES: usize = 256 * 1024;
/// Longest wait for a piece, as a multiple of that for an upstream's: the feed may wait, resume and wait again before
/// the encoder has something to say, and that one is given up after half of it.
const IDLE_FACTOR: u32 = 8;

/// What is known of a track before it is transcoded.
#[derive(Debug)]
pub(super) struct Track {
    /// How it lies in its file.
    pub(super) layout: Layout,
    /// The tag that stands before the sound.
    pub(super) tag: Bytes,
    /// What names the bytes of the file.
    name: String,
}

/// How the sound of a link is delivered.
pub(super) enum Choice {
    /// As the site has it, under this extension.
    Native(&'static str),
    /// Transcoded.
    Transcoded(Box<SoundOrigin>),
}

/// Delivers sound. Cheap to clone.
#[derive(Clone)]
pub(super) struct Sounds {
    feed: Feed,
    ffmpeg: Option<Ffmpeg>,
    temp: Option<Temp>,
    /// Transcodings at once: a slow client must not take all the workers.
    places: Admission,
    workers: Admission,
    tracks: Cache<(String, String, String), Arc<Track>>,
}

/// The places that a transcoding holds.
#[derive(Debug)]
pub(super) struct Places {
    _place: Permit,
    _worker: Permit,
}

impl Sounds {
    /// Sounds of what `feed` reads; without `ffmpeg` they are delivered as the site has them.
    pub(super) fn new(
        feed: Feed,
        (ffmpeg, temp): (Option<Ffmpeg>, Option<Temp>),
        places: Admission,
        workers: Admission,
    ) -> Self {
        Self {
            feed,
            ffmpeg,
            temp,
            places,
            workers,
            tracks: Cache::builder()
                .max_capacity(MAX_TRACK_BYTES)
                .weigher(|_, track: &Arc<Track>| {
                    u32::try_from(track.tag.len() + 1024).unwrap_or(u32::MAX)
                })
                .time_to_live(TRACK_TTL)
                .build(),
        }
    }

    /// Whether a format of the cached extraction is MP3 as the site says, which then needs no look at its bytes.
    pub(super) fn is_declared(extraction: &Extraction, format: &str) -> bool {
        extraction
            .format(format)
            .is_some_and(|format| format.container == Container::Mp3)
    }

    /// How a format is delivered. A transcoding for more than its head takes a place.
    ///
    /// # Errors
    /// [`FeedError`] when its beginning can't be read or is no sound, or no place is free.
    pub(super) async fn choose(
        &self,
        post: Post,
        source: Arc<LinkOrigin>,
        is_head: bool,
    ) -> Result<Choice, FeedError> {
        let track = self.track(&post, &source).await?;
        let Some(ffmpeg) = self
            .ffmpeg
            .clone()
            .filter(|_| track.layout.kind != Kind::Mp3)
        else {
            return Ok(Choice::Native(extension(track.layout.kind)));
        };
        let places = if is_head {
            None
        } else {
            Some(self.admit().await?)
        };
        let frames = track
            .layout
            .duration
            .map(|duration| mp3::frames(duration.samples(mp3::SAMPLE_RATE)));
        let made = Made {
            total: frames.map(|frames| frames * mp3::FRAME_BYTES + track.tag.len() as u64),
            etag: etag(&track, &source, ffmpeg.version()),
            content_type: "audio/mpeg",
            idle_timeout: self.feed.resolver().net().idle_timeout() * IDLE_FACTOR,
        };
        Ok(Choice::Transcoded(Box::new(SoundOrigin::new(
            self.feed.clone(),
            (ffmpeg, self.temp.clone()),
            source,
            (track, frames),
            made,
            places,
        ))))
    }

    async fn admit(&self) -> Result<Places, Busy> {
        Ok(Places {
            _place: self.places.admit().await?,
            _worker: self.workers.admit().await?,
        })
    }

    async fn track(&self, post: &Post, source: &Arc<LinkOrigin>) -> Result<Arc<Track>, FeedError> {
        let extraction = &post.extraction;
        let key = (
            extraction.site.clone(),
            extraction.id.clone(),
            source.format().to_owned(),
        );
        if let Some(track) = self.tracks.get(&key).await {
            return Ok(track);
        }
        let length = usize::try_from(HEADER_BYTES).unwrap_or(usize::MAX);
        let start = self
            .feed
            .beginning(Arc::clone(source), Expected::Media, length)
            .await?;
        let layout = Layout::of(&start.bytes).ok_or(FeedError::Missing)?;
        let is_transcoded = self.ffmpeg.is_some() && layout.kind != Kind::Mp3;
        let track = Arc::new(Track {
            layout,
            tag: if is_transcoded {
                self.tag(post).await
            } else {
                Bytes::new()
            },
            name: format!("{}.{}", start.total.unwrap_or(0), start.name),
        });
        self.tracks.insert(key, Arc::clone(&track)).await;
        Ok(track)
    }

    /// Title, artist and cover of the post; a cover that can't be had is left out.
    async fn tag(&self, post: &Post) -> Bytes {
        let extraction = &post.extraction;
        let music = extraction.music.as_ref();
        let named = |text: Option<&str>, other: &str| match text {
            Some(text) if !text.is_empty() => text.to_owned(),
            _ => other.to_owned(),
        };
        let title = named(music.map(|music| &*music.title), &extraction.title);
        let artist = named(music.map(|music| &*music.author), &extraction.author.name);
        let cover = self.cover(post).await;
        mp3::tag(mp3::Tags {
            title: &title,
            artist: &artist,
            cover: cover
                .as_ref()
                .map(|(media_type, bytes)| (*media_type, &**bytes)),
        })
    }

    async fn cover(&self, post: &Post) -> Option<(&'static str, Vec<u8>)> {
        let music = post.extraction.music.as_ref();
        let url = music
            .and_then(|music| music.cover.as_deref())
            .or(post.extraction.cover.as_deref())?;
        let origin = Arc::new(LinkOrigin::at(self.feed.resolver(), post, url));
        let limit = MAX_COVER_BYTES + 1;
        let start = self.feed.beginning(origin, Expected::Image, limit).await;
        let bytes = start
            .inspect_err(|error| tracing::debug!(err = %error, "cover left out"))
            .ok()?
            .bytes;
        let media_type = match pictures::Kind::of(&bytes)? {
            pictures::Kind::Jpeg => "image/jpeg",
            pictures::Kind::Png => "image/png",
            // Players know no other types in a tag.
            _ => return None,
        };
        (bytes.len() <= MAX_COVER_BYTES).then_some((media_type, bytes))
    }
}

/// What a native file of this type is called.
fn extension(kind: Kind) -> &'static str {
    match kind {
        Kind::Mp3 => "mp3",
        Kind::Mp4 => "m4a",
        Kind::Matroska => "webm",
        Kind::Adts => "aac",
        Kind::Ogg => "ogg",
        Kind::Flac => "flac",
        Kind::Wave => "wav",
    }
}

/// The format of the sound of a post that has no track of sound alone: the smallest with picture and sound.
pub(super) fn within_video(content: &Content) -> Option<&str> {
    let Content::Video { formats } = content else {
        return None;
    };
    let combined = formats
        .iter()
        .filter(|format| format.has_audio() && format.has_video());
    let smallest = combined.min_by_key(|format| {
        let bytes = format.filesize.or(format.bitrate_bps).unwrap_or(u64::MAX);
        (format.filesize.is_none(), bytes)
    });
    smallest.map(|format| &*format.id)
}

/// Names the bytes: they follow from the file, the tag and the program.
fn etag(track: &Track, source: &LinkOrigin, program: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{}\n{}\n{program}\n", source.format(), track.name));
    hash.update(&track.tag);
    tag(&hash.finalize())
}
