//! One rendering: fetch, check, decode one by one, encode, check the result.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;

use super::fetch::Picture;
use super::progress::Reporter;
use super::{SlideshowError, State, Step};
use crate::clock::Clock;
use crate::extract::{Content, Image};
use crate::media::ffmpeg::{Ffmpeg, FfmpegError, Job};
use crate::media::{slideshow, sound};
use crate::services::feed::Feed;
use crate::services::made::tag;
use crate::services::origin::Post;
use crate::temp::{JobDir, KeptFile, Temp, TempError};

/// Bytes from the start of a video in which its index lies: 100 pictures take 50 kB.
const VIDEO_HEADER_BYTES: u64 = 512 * 1024;
/// Exit code of a program that could not be run.
const NOT_RUN: i32 = 127;
/// Names within the directory of a rendering.
pub(super) const SOUND: &str = "sound";
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
    /// How long one rendering may take.
    pub(super) time_limit: Duration,
    pub(super) clock: Clock,
}

/// A rendering under way.
pub(super) struct Work<'a> {
    pub(super) renderer: &'a Renderer,
    pub(super) post: &'a Post,
    pub(super) images: &'a [Image],
    pub(super) dir: &'a JobDir,
    pub(super) state: &'a watch::Sender<State>,
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
        // What the end will take, before anything is fetched for it.
        let bytes = slideshow::video_bytes(images.len()) + slideshow::sound_bytes(images.len());
        let dir = self.temp.job(bytes).await?;
        let work = Work {
            renderer: self,
            post,
            images,
            dir: &dir,
            state,
        };
        if let Err(error) = work.make().await {
            dir.remove().await;
            return Err(error);
        }
        Reporter::begin(state, Step::Finishing, 1);
        let file = dir.keep(VIDEO).await.map_err(|error| match error {
            TempError::Io(error) if error.kind() == ErrorKind::NotFound => SlideshowError::Result,
            error => error.into(),
        })?;
        Ok(Rendering {
            file: whole(file, images.len()).await?,
            etag: tag(&rand::random::<[u8; 16]>()),
            made_at: self.clock.unix_seconds(),
        })
    }
}

/// The file, if it is the video that was wanted, as far as its index says.
async fn whole(file: KeptFile, pictures: usize) -> Result<KeptFile, SlideshowError> {
    let looking = move || {
        let length = usize::try_from(VIDEO_HEADER_BYTES.min(file.length())).unwrap_or(0);
        let mut start = vec![0; length];
        let read = file.read_at(&mut start, 0).unwrap_or(0);
        slideshow::is_video_of(pictures, &start[..read]).then_some(file)
    };
    let looked = tokio::task::spawn_blocking(looking).await;
    looked.ok().flatten().ok_or(SlideshowError::Result)
}

impl Work<'_> {
    async fn make(&self) -> Result<(), SlideshowError> {
        let (pictures, sound) = self.fetch().await?;
        self.encode(pictures, sound).await
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
        let mut taken = 0;
        if let Some(mut stdin) = encoder.stdin() {
            let mut last = Bytes::new();
            // One after the other: the encoder has twenty frames to make of each, and works on while the next is decoded.
            for picture in pictures {
                last = self.frame(picture).await?;
                let written = encoder.within(stdin.write_all(&last)).await;
                if written.map_err(failed)?.is_err() {
                    break;
                }
                taken += 1;
                reporter.advance();
            }
            // A pipe that breaks means that the encoder has ended; its status says why.
            let _ = encoder
                .within(stdin.write_all(&last))
                .await
                .map_err(failed)?;
        }
        encoder.finish().await.map_err(failed)?;
        if taken < count {
            return Err(SlideshowError::Result);
        }
        Ok(())
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
            let job = slideshow::frame_job(picture.kind, &picture.path, picture.place);
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
        let decoder = self.renderer.ffmpeg.start(job)?;
        let frame = decoder.output(slideshow::FRAME_BYTES as u64 + 1).await?;
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
            status.code() != Some(NOT_RUN) && !error.is_disk_full() && !error.is_killed()
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
