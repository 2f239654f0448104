//! One rendering: fetch, check, decode one by one, encode, check the result.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;

use super::progress::Reporter;
use super::{SlideshowError, State, Step};
use crate::clock::Clock;
use crate::extract::{Content, Image};
use crate::media::ffmpeg::{Ffmpeg, FfmpegError, Job};
use crate::media::{pictures, slideshow, sound};
use crate::services::archive::MAX_PICTURE_BYTES;
use crate::services::feed::{Feed, FeedError};
use crate::services::made::tag;
use crate::services::origin::Post;
use crate::temp::{JobDir, KeptFile, Temp, TempError};
use crate::transfer::{Admission, Expected};

/// Files fetched at once (api.md §8).
const AT_ONCE: usize = 6;
/// Largest sound file.
const MAX_SOUND_BYTES: u64 = 30 * 1024 * 1024;
/// Bytes from the start of a video in which its index lies: 100 pictures take 50 kB.
const VIDEO_HEADER_BYTES: u64 = 512 * 1024;
/// Exit code of a program that could not be run.
const NOT_RUN: i32 = 127;
/// Names within the directory of a rendering.
const SOUND: &str = "sound";
const SAMPLES: &str = "samples";
const VIDEO: &str = "video.mp4";

/// A finished video.
#[derive(Debug)]
pub struct Rendering {
    /// The file.
    pub(super) file: KeptFile,
    /// Names this rendering: another one of the same post may have other bytes.
    pub(super) etag: String,
    /// Unix second at which it was finished; part of the file's name.
    pub(in crate::services) made_at: u64,
}

/// What renders.
#[derive(Clone)]
pub(super) struct Renderer {
    pub(super) feed: Feed,
    pub(super) ffmpeg: Ffmpeg,
    pub(super) temp: Temp,
    /// Places for work, shared with extractions.
    pub(super) workers: Admission,
    /// How long one rendering may take.
    pub(super) time_limit: Duration,
    pub(super) clock: Clock,
}

/// A picture that has been fetched and looks like one.
#[derive(Debug)]
struct Picture {
    number: usize,
    path: PathBuf,
    kind: pictures::Kind,
    /// Number of the address that it came from.
    mirror: usize,
}

/// A rendering under way.
struct Work<'a> {
    renderer: &'a Renderer,
    post: &'a Post,
    images: &'a [Image],
    dir: &'a JobDir,
    state: &'a watch::Sender<State>,
}

impl Renderer {
    /// Renders the post. Dropping the future ends every process and removes every file of it.
    ///
    /// # Errors
    /// [`SlideshowError`].
    pub(super) async fn render(
        &self,
        post: &Post,
        state: &watch::Sender<State>,
    ) -> Result<Rendering, SlideshowError> {
        tokio::time::timeout(self.time_limit, self.run(post, state))
            .await
            .map_err(|_| SlideshowError::TimedOut)?
    }

    async fn run(
        &self,
        post: &Post,
        state: &watch::Sender<State>,
    ) -> Result<Rendering, SlideshowError> {
        let Content::Slideshow { images, .. } = &post.extraction.content else {
            return Err(SlideshowError::NotPhotos);
        };
        let dir = self.temp.job()?;
        // What the end will take, before anything is fetched for it.
        dir.reserve(slideshow::video_bytes(images.len()) + slideshow::sound_bytes(images.len()))?;
        let work = Work {
            renderer: self,
            post,
            images,
            dir: &dir,
            state,
        };
        let (pictures, sound) = work.fetch().await?;
        let _worker = self.workers.admit().await?;
        work.encode(pictures, sound).await?;
        Reporter::begin(state, Step::Finishing, 1);
        let file = dir.keep(VIDEO).map_err(|error| match error {
            TempError::Io(error) if error.kind() == ErrorKind::NotFound => SlideshowError::Result,
            error => error.into(),
        })?;
        if !is_whole(&file, images.len()) {
            return Err(SlideshowError::Result);
        }
        Ok(Rendering {
            file,
            etag: tag(&rand::random::<[u8; 16]>()),
            made_at: self.clock.unix_seconds(),
        })
    }
}

/// Whether the file is the video that was wanted, as far as its header says.
fn is_whole(file: &KeptFile, pictures: usize) -> bool {
    let length = usize::try_from(VIDEO_HEADER_BYTES.min(file.length())).unwrap_or(0);
    let mut start = vec![0; length];
    let read = file.read_at(&mut start, 0).unwrap_or(0);
    slideshow::is_video_of(pictures, &start[..read])
}

impl Work<'_> {
    /// Pictures in order, and the sound if the post has one.
    async fn fetch(&self) -> Result<(Vec<Picture>, Option<sound::Kind>), SlideshowError> {
        let count = self.images.len() + 1;
        let reporter = std::sync::Mutex::new(Reporter::begin(self.state, Step::Fetching, count));
        let advance = || {
            if let Ok(mut reporter) = reporter.lock() {
                reporter.advance();
            }
        };
        let fetches =
            (1..=self.images.len()).map(|number| async move { self.picture(number, 0).await });
        let pictures = stream::iter(fetches)
            .buffered(AT_ONCE)
            .inspect_ok(|_| advance())
            .try_collect();
        let sound = async {
            let sound = self.sound().await?;
            advance();
            Ok(sound)
        };
        tokio::try_join!(pictures, sound)
    }

    /// The first address from number `first` on that gives a picture.
    async fn picture(&self, number: usize, first: usize) -> Result<Picture, SlideshowError> {
        let mirrors = self
            .images
            .get(number - 1)
            .map_or(0, |image| image.urls.len());
        for mirror in first..mirrors {
            match self.fetch_picture(number, mirror).await {
                Ok(picture) => return Ok(picture),
                Err(error) if error.is_ours() => return Err(ours(error)),
                Err(error) => {
                    tracing::debug!(number, mirror, err = %error, "picture not used");
                }
            }
        }
        Err(SlideshowError::Picture { number })
    }

    async fn fetch_picture(&self, number: usize, mirror: usize) -> Result<Picture, FeedError> {
        let feed = &self.renderer.feed;
        let origin = feed.origin(self.post, &format!("image-{number}"), Some(mirror))?;
        let path = self.dir.path(&format!("picture-{number}-{mirror}"));
        let file = (self.dir, path.as_path());
        feed.save(origin, Expected::Image, MAX_PICTURE_BYTES, file)
            .await?;
        let start = beginning(&path, pictures::HEADER_BYTES).await?;
        let kind = pictures::Kind::of(&start).ok_or(FeedError::Missing)?;
        // A size that isn't found is left to the decoder, which has the same limit.
        let pixels = pictures::size(kind, &start)
            .map_or(1, |(width, height)| u64::from(width) * u64::from(height));
        if pixels == 0 || pixels > pictures::MAX_PIXELS {
            return Err(FeedError::TooLarge(pictures::MAX_PIXELS));
        }
        Ok(Picture {
            number,
            path,
            kind,
            mirror,
        })
    }

    async fn sound(&self) -> Result<Option<sound::Kind>, SlideshowError> {
        let Content::Slideshow {
            audio: Some(audio), ..
        } = &self.post.extraction.content
        else {
            return Ok(None);
        };
        match self.fetch_sound(&audio.id).await {
            Ok(kind) => Ok(Some(kind)),
            Err(error) if error.is_ours() => Err(ours(error)),
            Err(error) => {
                tracing::debug!(err = %error, "sound not used");
                Err(SlideshowError::Sound)
            }
        }
    }

    async fn fetch_sound(&self, format: &str) -> Result<sound::Kind, FeedError> {
        let feed = &self.renderer.feed;
        let origin = feed.origin(self.post, format, None)?;
        let path = self.dir.path(SOUND);
        let file = (self.dir, path.as_path());
        feed.save(origin, Expected::Media, MAX_SOUND_BYTES, file)
            .await?;
        let start = beginning(&path, pictures::SNIFFED_BYTES).await?;
        sound::Kind::of(&start).ok_or(FeedError::Missing)
    }

    async fn encode(
        &self,
        pictures: Vec<Picture>,
        sound: Option<sound::Kind>,
    ) -> Result<(), SlideshowError> {
        let count = pictures.len();
        let mut reporter = Reporter::begin(self.state, Step::Encoding, count);
        let samples = match sound {
            Some(kind) => Some(self.samples(kind, count).await?),
            None => None,
        };
        let video = self.dir.path(VIDEO);
        let limit = self.renderer.time_limit;
        let job = slideshow::video_job(samples.as_deref(), count, &video, limit);
        let mut encoder = self.renderer.ffmpeg.start(&job)?;
        if let Some(mut stdin) = encoder.stdin() {
            let mut last = Bytes::new();
            // One after the other: the encoder has twenty frames to make of each, and works on while the next is decoded.
            for picture in pictures {
                last = self.frame(picture).await?;
                let written = encoder.within(stdin.write_all(&last)).await;
                if written.map_err(failed)?.is_err() {
                    break;
                }
                reporter.advance();
            }
            // A pipe that breaks means that the encoder has ended; its status says why.
            let _ = encoder
                .within(stdin.write_all(&last))
                .await
                .map_err(failed)?;
        }
        encoder.finish().await.map_err(failed)
    }

    /// The sound as raw samples.
    async fn samples(&self, kind: sound::Kind, pictures: usize) -> Result<PathBuf, SlideshowError> {
        let (from, to) = (self.dir.path(SOUND), self.dir.path(SAMPLES));
        let job = slideshow::sound_job(kind, &from, &to, pictures);
        let ended = self.renderer.ffmpeg.start(&job)?.finish().await;
        ended.map_err(|error| {
            if is_input_fault(&error) {
                SlideshowError::Sound
            } else {
                failed(error)
            }
        })?;
        let length = tokio::fs::metadata(&to)
            .await
            .map_or(0, |facts| facts.len());
        if length < slideshow::LEAST_LOOP {
            let short = tokio::fs::read(&to).await.map_err(|_| no_room())?;
            let samples = slideshow::lengthened(&short).ok_or(SlideshowError::Sound)?;
            let written = tokio::fs::write(&to, samples).await;
            written.map_err(|_| no_room())?;
        }
        Ok(to)
    }

    /// The picture as a raw frame; where it can't be decoded, that of another address.
    async fn frame(&self, mut picture: Picture) -> Result<Bytes, SlideshowError> {
        loop {
            let job = slideshow::frame_job(picture.kind, &picture.path);
            match self.decoded(&job).await {
                Ok(Some(frame)) => return Ok(frame),
                Ok(None) => tracing::debug!(number = picture.number, "not one whole frame"),
                Err(error) if is_input_fault(&error) => log_decoder(&picture, &error),
                Err(error) => return Err(failed(error)),
            }
            picture = self.picture(picture.number, picture.mirror + 1).await?;
        }
    }

    /// Exactly one frame; `None` for anything else.
    async fn decoded(&self, job: &Job) -> Result<Option<Bytes>, FfmpegError> {
        let mut decoder = self.renderer.ffmpeg.start(job)?;
        let mut frame = Vec::with_capacity(slideshow::FRAME_BYTES);
        if let Some(stdout) = decoder.stdout() {
            let mut stdout = stdout.take(slideshow::FRAME_BYTES as u64 + 1);
            let read = decoder.within(stdout.read_to_end(&mut frame)).await?;
            read.map_err(FfmpegError::Pipe)?;
        }
        decoder.finish().await?;
        Ok((frame.len() == slideshow::FRAME_BYTES).then(|| frame.into()))
    }
}

fn no_room() -> SlideshowError {
    SlideshowError::Temp(TempError::Full)
}

/// Whether the input of a decoder is to blame: the program ran, and gave up, broke down or took too long.
fn is_input_fault(error: &FfmpegError) -> bool {
    match error {
        FfmpegError::Failed { status, .. } => {
            status.code() != Some(NOT_RUN) && !error.is_disk_full()
        }
        FfmpegError::TimedOut => true,
        _ => false,
    }
}

fn log_decoder(picture: &Picture, error: &FfmpegError) {
    let said = match error {
        FfmpegError::Failed { stderr, .. } => stderr.as_str(),
        _ => "",
    };
    tracing::debug!(number = picture.number, mirror = picture.mirror, said, err = %error, "picture not decoded");
}

fn failed(error: FfmpegError) -> SlideshowError {
    match error {
        error if error.is_disk_full() => TempError::Full.into(),
        FfmpegError::TimedOut => SlideshowError::TimedOut,
        error => error.into(),
    }
}

/// A fault that is not the upstream's.
fn ours(error: FeedError) -> SlideshowError {
    match error {
        FeedError::Temp(error) => error.into(),
        FeedError::Busy(error) => error.into(),
        _ => SlideshowError::GivenUp,
    }
}

async fn beginning(path: &std::path::Path, length: usize) -> Result<Vec<u8>, TempError> {
    let file = tokio::fs::File::open(path).await?;
    let mut start = Vec::new();
    file.take(length as u64).read_to_end(&mut start).await?;
    Ok(start)
}
