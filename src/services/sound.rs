//! The sound of a post as MP3: passed through when it is MP3, else transcoded while it is sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use moka::future::Cache;
use sha2::{Digest, Sha256};

use super::cover::Covers;
use super::feed::{Beginning, Feed, FeedError};
use super::jobs::SlowJobs;
use super::made::{Made, tag};
use super::origin::{LinkOrigin, Post};
use super::transcode::{SPOOLED, SoundOrigin, Track};
use crate::extract::Content;
use crate::links::Link;
use crate::media::ffmpeg::Ffmpeg;
use crate::media::mp3;
use crate::media::sound::{Kind, Layout};
use crate::temp::{JobDir, Temp, TempError};
use crate::transfer::Expected;

/// How long what was found out about a track serves further requests.
const KEPT_FOR: Duration = Duration::from_secs(600);
/// Tracks whose beginnings are remembered; some hundred bytes each.
const MAX_LOOKS: u64 = 1000;
/// Tags remembered, in bytes: one with a cover takes some hundred kilobytes.
const MAX_TAG_BYTES: u64 = 16 * 1024 * 1024;
/// Bytes from the start of a track that are looked at. The index of an MP4 file begins with its lengths.
const PROBED_BYTES: usize = 128 * 1024;
/// Bytes that mostly tell what a track is; tags with a cover are longer.
const SNIFFED_BYTES: usize = 4096;
/// Largest file that is read whole first because its index stands at its end.
const MAX_SPOOLED_BYTES: u64 = 256 * 1024 * 1024;
/// Longest wait for a piece, as a multiple of that for an upstream's: the feed may wait, resume and wait again before
/// the encoder has something to say, and that one is given up after half of it.
const IDLE_FACTOR: u32 = 8;

/// What the beginning of a track says.
#[derive(Debug)]
pub(super) struct Look {
    /// How it lies in its file.
    pub(super) layout: Layout,
    /// What names the bytes of the file.
    name: String,
    /// Bytes of the file, when known.
    total: Option<u64>,
    /// What became of its transcodings.
    verdict: Verdict,
}

/// What transcodings have shown of a look.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    stale: AtomicBool,
    inexact: AtomicBool,
    replaced: AtomicBool,
}

impl Verdict {
    /// The next request looks anew: the file may be another one by now.
    pub(super) fn doubt(&self) {
        self.stale.store(true, Ordering::Relaxed);
    }

    /// The file has not the length that it says, so the next transcoding of it announces none.
    pub(super) fn deny_length(&self) {
        self.inexact.store(true, Ordering::Relaxed);
        self.doubt();
    }
}

impl Look {
    /// Whether a file of so many bytes can be the one that was looked at; if not, that is remembered.
    pub(super) fn fits(&self, total: Option<u64>) -> bool {
        let fits = self.total.zip(total).is_none_or(|(was, is)| was == is);
        if !fits {
            self.verdict.doubt();
            self.verdict.replaced.store(true, Ordering::Relaxed);
        }
        fits
    }

    /// Whether another file was found in its place.
    pub(super) fn is_of_another(&self) -> bool {
        self.verdict.replaced.load(Ordering::Relaxed)
    }

    /// What becomes of its transcodings is told to this.
    pub(super) fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// A look that follows one whose transcoding failed; the same bytes would deceive again.
    fn after(mut self, older: &Self) -> Self {
        if older.verdict.inexact.load(Ordering::Relaxed) && older.name == self.name {
            self.layout.duration = None;
        }
        self
    }

    fn is_stale(&self) -> bool {
        self.verdict.stale.load(Ordering::Relaxed)
    }
}

/// Delivers sound. Cheap to clone.
#[derive(Clone)]
pub(super) struct Sounds {
    feed: Feed,
    ffmpeg: Option<Ffmpeg>,
    temp: Option<Temp>,
    jobs: SlowJobs,
    covers: Covers,
    looks: Cache<(String, String, String), Arc<Look>>,
    tags: Cache<(String, String), Bytes>,
}

impl Sounds {
    /// Sounds of what `feed` reads; without `ffmpeg` they are delivered as the site has them.
    pub(super) fn new(
        feed: Feed,
        (ffmpeg, temp): (Option<Ffmpeg>, Option<Temp>),
        jobs: SlowJobs,
    ) -> Self {
        Self {
            covers: Covers::new(feed.clone()),
            feed,
            ffmpeg,
            temp,
            jobs,
            looks: Cache::builder()
                .max_capacity(MAX_LOOKS)
                .time_to_live(KEPT_FOR)
                .build(),
            tags: Cache::builder()
                .max_capacity(MAX_TAG_BYTES)
                .weigher(|_, tag: &Bytes| u32::try_from(tag.len() + 256).unwrap_or(u32::MAX))
                .time_to_live(KEPT_FOR)
                .build(),
        }
    }

    /// Looks at the beginning of the track that a link names: its bytes say what it is, whatever the site calls it. The
    /// site's word counts only where they say nothing.
    ///
    /// # Errors
    /// [`FeedError`] when it can't be read or is no sound.
    pub(super) async fn look(
        &self,
        link: &Link,
        source: &Arc<LinkOrigin>,
    ) -> Result<Arc<Look>, FeedError> {
        let key = (link.site.clone(), link.id.clone(), source.name());
        let older = self.looks.get(&key).await;
        if let Some(look) = older.as_ref().filter(|look| !look.is_stale()) {
            return Ok(Arc::clone(look));
        }
        let mut look = self.new_look(source).await?;
        if let Some(older) = older {
            look = look.after(&older);
        }
        let look = Arc::new(look);
        self.looks.insert(key, Arc::clone(&look)).await;
        Ok(look)
    }

    /// Most tracks are MP3, which a few bytes tell.
    async fn new_look(&self, source: &Arc<LinkOrigin>) -> Result<Look, FeedError> {
        let start = self.beginning(source, SNIFFED_BYTES).await?;
        let is_mp4 = Kind::of(&start.bytes) == Some(Kind::Mp4);
        let start = if is_mp4 || !Kind::is_told_by(&start.bytes) {
            self.beginning(source, PROBED_BYTES).await?
        } else {
            start
        };
        // MP3 may begin with anything: what the bytes don't tell, the site's word decides.
        let declared = || source.is_declared_mp3().then_some(Layout::MP3);
        let layout = Layout::of(&start.bytes).or_else(declared);
        Ok(Look {
            layout: layout.ok_or(FeedError::Missing)?,
            name: format!("{}.{}", start.total.unwrap_or(0), start.name),
            total: start.total,
            verdict: Verdict::default(),
        })
    }

    async fn beginning(
        &self,
        source: &Arc<LinkOrigin>,
        length: usize,
    ) -> Result<Beginning, FeedError> {
        let source = Arc::new(source.for_look());
        self.feed.beginning(source, Expected::Media, length).await
    }

    /// The extension under which the track itself is delivered; `None` when it is to be transcoded.
    pub(super) async fn native(&self, look: &Look) -> Option<&'static str> {
        let kind = look.layout.kind;
        let is_native = kind == Kind::Mp3 || !self.can_transcode().await;
        is_native.then(|| extension(kind))
    }

    async fn can_transcode(&self) -> bool {
        match &self.ffmpeg {
            Some(ffmpeg) => ffmpeg.abilities().await.mp3,
            None => false,
        }
    }

    /// The track as MP3. For more than its head it takes a place, and where the index stands behind the sound, it reads
    /// the file whole first.
    ///
    /// # Errors
    /// [`FeedError`] when no place is free, there is no room, or there is no FFmpeg.
    pub(super) async fn transcoded(
        &self,
        post: &Post,
        source: Arc<LinkOrigin>,
        look: Arc<Look>,
        is_head: bool,
    ) -> Result<SoundOrigin, FeedError> {
        let ffmpeg = self.ffmpeg.clone().ok_or(FeedError::Missing)?;
        let tag = self.tag(post).await;
        let place = if is_head {
            None
        } else {
            Some(self.jobs.admit().await?)
        };
        let spooled = if is_head || look.layout.is_streamable {
            None
        } else {
            Some(self.spool(&source, &look).await?)
        };
        let frames = look
            .layout
            .duration
            .map(|duration| mp3::frames(duration.samples(mp3::SAMPLE_RATE)));
        let made = Made {
            total: frames.map(|frames| frames * mp3::FRAME_BYTES + tag.len() as u64),
            etag: etag(&look, &tag, &source.name(), ffmpeg.version()),
            content_type: "audio/mpeg",
            idle_timeout: self.feed.resolver().idle_timeout() * IDLE_FACTOR,
        };
        let track = Track {
            source,
            spooled,
            look,
            tag,
            frames,
        };
        Ok(SoundOrigin::new(
            self.feed.clone(),
            ffmpeg,
            track,
            made,
            place,
        ))
    }

    /// Reads the file whole, for FFmpeg can't go back in a pipe.
    async fn spool(&self, source: &Arc<LinkOrigin>, look: &Look) -> Result<JobDir, FeedError> {
        // Nothing that isn't there now will be there later.
        let temp = self.temp.as_ref().ok_or(TempError::Full)?;
        let dir = temp.job(0).await?;
        let path = dir.path(SPOOLED);
        let source = Arc::clone(source);
        let length = self
            .feed
            .save(source, Expected::Media, MAX_SPOOLED_BYTES, (&dir, &path))
            .await?;
        if look.fits(Some(length)) {
            Ok(dir)
        } else {
            Err(FeedError::Missing)
        }
    }

    /// Title, artist and cover of the post; a cover that can't be had is left out.
    async fn tag(&self, post: &Post) -> Bytes {
        let extraction = &post.extraction;
        let key = (extraction.site.clone(), extraction.id.clone());
        if let Some(tag) = self.tags.get(&key).await {
            return tag;
        }
        let tag = self.new_tag(post).await;
        self.tags.insert(key, tag.clone()).await;
        tag
    }

    async fn new_tag(&self, post: &Post) -> Bytes {
        let extraction = &post.extraction;
        let music = extraction.music.as_ref();
        let named = |text: Option<&str>, other: &str| match text {
            Some(text) if !text.is_empty() => text.to_owned(),
            _ => other.to_owned(),
        };
        let title = named(music.map(|music| &*music.title), &extraction.title);
        let artist = named(music.map(|music| &*music.author), &extraction.author.name);
        let cover = self.covers.fetch(post).await;
        mp3::tag(mp3::Tags {
            title: &title,
            artist: &artist,
            cover: cover
                .as_ref()
                .map(|cover| (cover.media_type(), &*cover.bytes)),
        })
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
fn etag(look: &Look, sound_tag: &[u8], format: &str, program: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{format}\n{}\n{program}\n", look.name));
    hash.update(sound_tag);
    tag(&hash.finalize())
}
