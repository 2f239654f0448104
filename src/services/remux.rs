//! Two tracks that are not joined in process, as one file all the same: copied by FFmpeg while they are sent.
//!
//! FFmpeg reads both from named pipes in a directory that only this user can enter, each fed by a transfer of its own, and
//! nothing is stored. How long the file becomes is not known before, so there are no ranges of it (ruling 5).

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use tokio::net::unix::pipe;
use tokio::time::sleep;

use super::OriginError;
use super::feed::{Feed, FeedError};
use super::jobs::{SlowJobs, SlowPlace};
use super::joined::{PairId, container};
use super::made::{Made, broken, tag};
use super::origin::{LinkOrigin, Post};
use super::piped::{Feeding, Piped, feed_in};
use crate::media::ffmpeg::{Ffmpeg, FfmpegError, Job};
use crate::media::launch::Bounds;
use crate::media::{Container, Mismatch, Side, remux};
use crate::net::{MediaResponse, NetError, RangeAsk};
use crate::temp::{JobDir, Temp, TempError};
use crate::transfer::{Expected, Origin, TransferBody};

/// Processor time of one run: ten hours of large pictures, which are only copied.
const CPU_SECONDS: u64 = 1800;
/// Address space of one run.
const ADDRESS_SPACE: u64 = 1024 * 1024 * 1024;
/// How long a run may last: as long as the most patient client.
const TIME_LIMIT: Duration = Duration::from_secs(12 * 3600);
/// Longest wait for a piece, as a multiple of that for an upstream's: a feed may wait, resume and wait again before FFmpeg
/// has something to say, and that one is given up after half of it.
const IDLE_FACTOR: u32 = 8;

/// How often is tried to open a pipe.
const OPEN_AGAIN: Duration = Duration::from_millis(5);

/// Delivers such pairs. Cheap to clone.
#[derive(Clone)]
pub(super) struct Remuxes {
    feed: Feed,
    tools: Option<(Ffmpeg, Temp)>,
    jobs: SlowJobs,
}

/// A pair on its way through FFmpeg, as the engine sees it.
pub(super) struct RemuxOrigin {
    feed: Feed,
    ffmpeg: Ffmpeg,
    temp: Temp,
    /// Made before the head is answered; taken by the first run.
    dir: Mutex<Option<JobDir>>,
    tracks: [(Container, Arc<LinkOrigin>); 2],
    output: Container,
    made: Made,
    /// How long FFmpeg may say nothing: less than its reader is patient.
    patience: Duration,
    /// A run that failed would fail again.
    has_failed: Arc<AtomicBool>,
    /// None for HEAD.
    place: Option<SlowPlace>,
}

/// What is sent.
pub(super) struct Remuxed {
    /// The bytes.
    pub(super) origin: RemuxOrigin,
    /// About how many; `None` when the site doesn't say.
    pub(super) estimate: Option<u64>,
}

impl Remuxes {
    /// Remuxes of what `feed` reads; none without FFmpeg and a place for pipes.
    pub(super) fn new(
        feed: Feed,
        (ffmpeg, temp): (Option<Ffmpeg>, Option<Temp>),
        jobs: SlowJobs,
    ) -> Self {
        let tools = ffmpeg.zip(temp);
        Self { feed, tools, jobs }
    }

    /// Whether any can be made.
    pub(super) fn is_possible(&self) -> bool {
        self.tools.is_some()
    }

    /// Whether a pair that is not joined for this reason can be made so.
    pub(super) fn helps(&self, reason: Mismatch, pair: &PairId) -> bool {
        self.is_possible() && reason.is_structural() && pair.span().is_none()
    }

    /// The pair as a file of the kind `output`. For more than its head it takes a place.
    ///
    /// # Errors
    /// [`FeedError`] when the post hasn't got both any more, or no place or no room for the pipes is free.
    pub(super) async fn open(
        &self,
        post: &Post,
        pair: &PairId,
        output: Container,
        is_head: bool,
    ) -> Result<Remuxed, FeedError> {
        let (ffmpeg, temp) = self.tools.clone().ok_or(FeedError::Missing)?;
        let mut digest = Sha256::new();
        digest.update(format!("{pair}\n{output:?}\n{}\n", ffmpeg.version()));
        let mut estimate = Some(0_u64);
        let mut track = |side| {
            let origin = LinkOrigin::of(self.feed.resolver(), post, pair.format(side));
            let origin = origin.map_err(|_| FeedError::Missing)?.for_look();
            let format = origin.among(&post.extraction).ok_or(FeedError::Missing)?;
            let container = container(format).ok_or(FeedError::Missing)?;
            digest.update(format!(
                "{} {:?} {:?}\n",
                origin.name(),
                format.facts.identity,
                format.filesize
            ));
            estimate = estimate
                .zip(format.filesize)
                .and_then(|(sum, size)| sum.checked_add(size));
            Ok::<_, FeedError>((container, Arc::new(origin)))
        };
        let tracks = [track(Side::Picture)?, track(Side::Sound)?];
        let (place, dir) = if is_head {
            (None, None)
        } else {
            (Some(self.jobs.admit().await?), Some(temp.job(0).await?))
        };
        let made = Made {
            total: None,
            // The same packets, but not for certain the same bytes.
            etag: format!("W/{}", tag(&digest.finalize())),
            content_type: match output {
                Container::Mp4 => "video/mp4",
                Container::Webm => "video/webm",
            },
            idle_timeout: self.feed.resolver().idle_timeout() * IDLE_FACTOR,
        };
        let origin = RemuxOrigin {
            feed: self.feed.clone(),
            ffmpeg,
            temp,
            dir: Mutex::new(dir),
            tracks,
            output,
            patience: made.idle_timeout / 2,
            made,
            has_failed: Arc::default(),
            place,
        };
        Ok(Remuxed { origin, estimate })
    }
}

/// Why a run doesn't begin.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error(transparent)]
    Ffmpeg(#[from] FfmpegError),
    #[error(transparent)]
    Temp(#[from] TempError),
}

impl RemuxOrigin {
    /// Starts a run: both tracks have answered when this returns.
    async fn run(&self) -> Result<Run, RunError> {
        let [picture, sound] = &self.tracks;
        let open = |track: &(Container, Arc<LinkOrigin>)| {
            self.feed.open(Arc::clone(&track.1), Expected::Media, 0)
        };
        let (picture_body, sound_body) = tokio::try_join!(open(picture), open(sound))?;
        let dir = match self.first_dir() {
            Some(dir) => dir,
            None => self.temp.job(0).await?,
        };
        let paths = [dir.pipe("picture")?, dir.pipe("sound")?];
        let child = self.ffmpeg.start(&Job {
            arguments: remux::arguments(
                [(picture.0, &paths[0]), (sound.0, &paths[1])],
                self.output,
            ),
            bounds: Bounds {
                cpu_seconds: CPU_SECONDS,
                address_space: ADDRESS_SPACE,
                file_bytes: 0,
            },
            time_limit: TIME_LIMIT,
            reads_stdin: false,
            writes_stdout: true,
        })?;
        let bodies = [picture_body.body, sound_body.body];
        let feedings = paths.into_iter().zip(bodies);
        let feedings = feedings.map(|(path, body)| Box::pin(feed(path, body)) as Feeding);
        Ok(Run {
            piped: Piped::new(child, feedings.collect()),
            patience: self.patience,
            has_failed: Arc::clone(&self.has_failed),
            _dir: dir,
        })
    }

    fn first_dir(&self) -> Option<JobDir> {
        let mut dir = self.dir.lock().unwrap_or_else(PoisonError::into_inner);
        dir.take()
    }

    /// The beginning that all such files have: enough for a head.
    fn beginning(&self) -> Bytes {
        Bytes::from_static(self.output.magic())
    }
}

/// Passes a track on through a pipe, once FFmpeg has opened it to read: before, there is nobody to write to. It opens the
/// second when it knows what is in the first.
async fn feed(path: PathBuf, body: TransferBody) -> io::Result<()> {
    let input = loop {
        match pipe::OpenOptions::new().open_sender(&path) {
            Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => {
                sleep(OPEN_AGAIN).await;
            }
            opened => break opened?,
        }
    };
    feed_in(body, input).await
}

/// A running FFmpeg, and where its pipes are.
struct Run {
    piped: Piped,
    patience: Duration,
    has_failed: Arc<AtomicBool>,
    _dir: JobDir,
}

impl Run {
    async fn next(mut self) -> io::Result<Option<(Bytes, Self)>> {
        let next = self.piped.next(self.patience).await;
        let piece = next.inspect_err(|error| {
            tracing::warn!(err = %error, "remuxing failed");
            self.has_failed.store(true, Ordering::Relaxed);
        })?;
        Ok(piece.map(|piece| (piece, self)))
    }
}

impl Origin for RemuxOrigin {
    type Error = OriginError;

    fn mirrors(&self) -> usize {
        1
    }

    async fn open(&self, _mirror: usize, ask: RangeAsk) -> Result<MediaResponse, NetError> {
        if self.has_failed.load(Ordering::Relaxed) {
            return Err(broken(&io::Error::other("ffmpeg has failed")));
        }
        if self.place.is_none() {
            let beginning = stream::iter([Ok(self.beginning())]);
            return self.made.answer(ask, beginning);
        }
        let run = Box::pin(self.run()).await.map_err(|error| broken(&error))?;
        self.made.answer(ask, stream::try_unfold(run, Run::next))
    }

    /// The tracks ask the site anew themselves.
    async fn refresh(&self) -> Result<(), OriginError> {
        Ok(())
    }
}
