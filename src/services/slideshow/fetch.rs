//! What a rendering is made of, fetched into its directory: every picture and the sound, each known by its own bytes.

use std::io::{self, SeekFrom};
use std::path::{Path, PathBuf};

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use super::progress::Reporter;
use super::render::{SOUND, Work};
use super::{SlideshowError, Step};
use crate::extract::Content;
use crate::media::webp::{self, FirstFrame, Place};
use crate::media::{pictures, sound};
use crate::services::archive::MAX_PICTURE_BYTES;
use crate::services::feed::FeedError;
use crate::temp::TempError;
use crate::transfer::Expected;

/// Files fetched at once (api.md §8).
const AT_ONCE: usize = 6;
/// Largest sound file.
const MAX_SOUND_BYTES: u64 = 30 * 1024 * 1024;

/// A picture that has been fetched and looks like one.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) number: usize,
    pub(super) path: PathBuf,
    pub(super) kind: pictures::Kind,
    /// Where it lies on the whole, when it is only a part of what is shown.
    pub(super) place: Option<Place>,
    /// Number of the address that it came from.
    pub(super) mirror: usize,
}

impl Work<'_> {
    /// Pictures in order, and the sound if the post has one.
    pub(super) async fn fetch(
        &self,
    ) -> Result<(Vec<Picture>, Option<sound::Kind>), SlideshowError> {
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
    pub(super) async fn picture(
        &self,
        number: usize,
        first: usize,
    ) -> Result<Picture, SlideshowError> {
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
        let length = feed
            .save(origin, Expected::Image, MAX_PICTURE_BYTES, file)
            .await?;
        let start = beginning(&path, pictures::HEADER_BYTES).await?;
        let kind = pictures::Kind::of(&start).ok_or(FeedError::Missing)?;
        // A size that isn't found is left to the decoder, which has the same limit.
        let pixels = pictures::size(kind, &start)
            .map_or(1, |(width, height)| u64::from(width) * u64::from(height));
        if pixels == 0 || pixels > pictures::MAX_PIXELS {
            return Err(FeedError::TooLarge(pictures::MAX_PIXELS));
        }
        let mut picture = Picture {
            number,
            path,
            kind,
            place: None,
            mirror,
        };
        if kind == pictures::Kind::WebP
            && let Some(first) = webp::first_frame(&start)
        {
            // The length of the frame is what the file says of itself, up to 4 GiB.
            if first.data.end > length {
                return Err(FeedError::Missing);
            }
            self.still(&mut picture, &first).await?;
        }
        Ok(picture)
    }

    /// Takes the first frame, all of which is there, out of an animation, which FFmpeg can't read.
    async fn still(&self, picture: &mut Picture, first: &FirstFrame) -> Result<(), FeedError> {
        let length = first.data.end - first.data.start;
        self.dir.reserve(length + first.header.len() as u64).await?;
        let path = picture.path.with_extension("still");
        copy_part(&picture.path, &path, first)
            .await
            .map_err(TempError::from)?;
        picture.path = path;
        picture.place = Some(first.place);
        Ok(())
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
}

/// A fault that is not the upstream's.
fn ours(error: FeedError) -> SlideshowError {
    match error {
        FeedError::Temp(error) => error.into(),
        FeedError::Busy(error) => error.into(),
        _ => SlideshowError::GivenUp,
    }
}

/// Writes a frame of an animation as a file of its own.
async fn copy_part(from: &Path, to: &Path, frame: &FirstFrame) -> io::Result<()> {
    let mut file = File::open(from).await?;
    file.seek(SeekFrom::Start(frame.data.start)).await?;
    let mut data = file.take(frame.data.end - frame.data.start);
    let mut still = File::create(to).await?;
    still.write_all(&frame.header).await?;
    tokio::io::copy(&mut data, &mut still).await?;
    still.flush().await
}

async fn beginning(path: &Path, length: usize) -> Result<Vec<u8>, TempError> {
    let file = File::open(path).await?;
    let mut start = Vec::new();
    file.take(length as u64).read_to_end(&mut start).await?;
    Ok(start)
}
