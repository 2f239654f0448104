//! A sound track through FFmpeg, pipe to pipe, as an upstream of the engine that sends it.
//!
//! The track is fed in by a transfer of its own and the frames come out at the pace of the client: what the client
//! doesn't take stops the encoder, and the encoder stops the upstream. The last frame goes out only when the encoder
//! has ended with 0 and its input was proven whole (reliability R1.8). A range is the same run with its beginning left
//! out: the bytes of an encoder follow from all that came before them.

use std::ffi::OsStr;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use tokio::io::AsyncWrite;

use super::OriginError;
use super::feed::{Feed, FeedError};
use super::jobs::SlowPlace;
use super::made::{Made, broken};
use super::origin::LinkOrigin;
use super::piped::{Feeding, Piped, feed_in, is_way_broken};
use super::sound::Look;
use crate::media::ffmpeg::{self, Ffmpeg, FfmpegError, Job};
use crate::media::launch::Bounds;
use crate::media::mp3::{self, Fitted};
use crate::net::{MediaResponse, NetError, RangeAsk};
use crate::temp::JobDir;
use crate::transfer::{Expected, Origin, TransferBody};

/// Processor time of one run: ten hours of sound on a slow machine.
const CPU_SECONDS: u64 = 1800;
/// Address space of one run.
const ADDRESS_SPACE: u64 = 1024 * 1024 * 1024;
/// How long a run may last: as long as the most patient client.
const TIME_LIMIT: Duration = Duration::from_secs(12 * 3600);
/// Frames by which encoder and announcement may differ: half a second.
const TOLERATED_FRAMES: u64 = 21;

/// A track to be transcoded.
pub(super) struct Track {
    /// Where it is read from.
    pub(super) source: Arc<LinkOrigin>,
    /// Where it lies as [`SPOOLED`], when it can't be read from front to back.
    pub(super) spooled: Option<JobDir>,
    /// What its beginning says.
    pub(super) look: Arc<Look>,
    /// The tag that stands before the sound.
    pub(super) tag: Bytes,
    /// Frames of the MP3, when that is known.
    pub(super) frames: Option<u64>,
}

/// A transcoded track as the engine sees it.
pub(super) struct SoundOrigin {
    feed: Feed,
    ffmpeg: Ffmpeg,
    track: Arc<Track>,
    made: Made,
    /// How long the encoder may say nothing: less than its reader is patient.
    patience: Duration,
    /// A run that failed would fail again.
    has_failed: Arc<AtomicBool>,
    /// None for HEAD.
    place: Option<SlowPlace>,
}

impl SoundOrigin {
    /// `track` as MP3.
    pub(super) fn new(
        feed: Feed,
        ffmpeg: Ffmpeg,
        track: Track,
        made: Made,
        place: Option<SlowPlace>,
    ) -> Self {
        Self {
            feed,
            ffmpeg,
            track: Arc::new(track),
            patience: made.idle_timeout / 2,
            made,
            has_failed: Arc::default(),
            place,
        }
    }

    /// Whether the tag has all that is asked for: for HEAD, and for a byte at the beginning of what has a known length.
    fn is_in_tag(&self, ask: RangeAsk) -> bool {
        let tag = self.track.tag.len() as u64;
        let is_byte = matches!(ask, RangeAsk::Between(first, last) if first == last && last < tag);
        is_byte && (self.place.is_none() || self.made.total.is_some())
    }

    /// Starts a run: the upstream has answered when this returns.
    async fn run(&self) -> Result<Run, RunError> {
        let track = &self.track;
        let spooled = track.spooled.as_ref();
        let mut body = None;
        if spooled.is_none() {
            let source = Arc::clone(&track.source);
            let transfer = self.feed.open(source, Expected::Media, 0).await?;
            if !track.look.fits(transfer.head.total) {
                return Err(RunError::Changed);
            }
            body = Some(transfer.body);
        }
        let input = spooled.map(|dir| ffmpeg::file(&dir.path(SPOOLED)));
        let input = input.as_deref().unwrap_or(OsStr::new("pipe:0"));
        let mut child = self.ffmpeg.start(&Job {
            arguments: mp3::arguments(track.look.layout.kind, input),
            bounds: Bounds {
                cpu_seconds: CPU_SECONDS,
                address_space: ADDRESS_SPACE,
                file_bytes: 0,
            },
            time_limit: TIME_LIMIT,
            reads_stdin: body.is_some(),
            writes_stdout: true,
        })?;
        let stdin = body.zip(child.stdin());
        let feeding = stdin.map(|(body, stdin)| Box::pin(feed(body, stdin)) as Feeding);
        Ok(Run {
            piped: Piped::new(child, feeding.into_iter().collect()),
            fitted: Some(Fitted::new(track.frames)),
            track: Arc::clone(track),
        })
    }
}

/// Name of a file that is read whole first.
pub(super) const SPOOLED: &str = "track";

/// Why a run doesn't begin.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error(transparent)]
    Ffmpeg(#[from] FfmpegError),
    #[error("the track has changed")]
    Changed,
}

impl Origin for SoundOrigin {
    type Error = OriginError;

    fn mirrors(&self) -> usize {
        1
    }

    async fn open(&self, _mirror: usize, ask: RangeAsk) -> Result<MediaResponse, NetError> {
        if self.has_failed.load(Ordering::Relaxed) {
            return Err(broken(&io::Error::other("the encoder has failed")));
        }
        let start = self.made.start(ask).unwrap_or(u64::MAX);
        let run = if self.is_in_tag(ask) {
            None
        } else {
            let run = self.run().await;
            Some(run.map_err(|error| {
                self.track.look.verdict().doubt();
                broken(&error)
            })?)
        };
        let sending = Sending {
            tag: Some(self.track.tag.clone()),
            run,
            skip: start,
            patience: self.patience,
            track: Arc::clone(&self.track),
            has_failed: Arc::clone(&self.has_failed),
        };
        self.made
            .answer(ask, stream::try_unfold(sending, Sending::next))
    }

    /// The track asks the site anew itself.
    async fn refresh(&self) -> Result<(), OriginError> {
        Ok(())
    }
}

/// Passes the track on for as long as the encoder wants it: it has what it needs then, or it has failed, and its exit
/// status says which.
async fn feed(body: TransferBody, stdin: impl AsyncWrite + Unpin) -> io::Result<()> {
    match feed_in(body, stdin).await {
        Err(error) if is_way_broken(&error) => Ok(()),
        fed => fed,
    }
}

/// Tag and frames, from a position on.
struct Sending {
    tag: Option<Bytes>,
    run: Option<Run>,
    /// Bytes still to be left out.
    skip: u64,
    /// How long the encoder may say nothing.
    patience: Duration,
    track: Arc<Track>,
    has_failed: Arc<AtomicBool>,
}

impl Sending {
    /// The next piece and what is sent after it. What is left out becomes a piece without bytes, which says that the work
    /// goes on.
    async fn next(mut self) -> io::Result<Option<(Bytes, Self)>> {
        let piece = match (self.tag.take(), &mut self.run) {
            (Some(tag), _) => Some(tag),
            (None, Some(run)) => {
                let next = run.next(self.patience).await;
                next.inspect_err(|error| self.note(error))?
            }
            (None, None) => None,
        };
        let Some(mut piece) = piece else {
            return Ok(None);
        };
        let left_out = self.skip.min(piece.len() as u64);
        self.skip -= left_out;
        let rest = piece.split_off(usize::try_from(left_out).unwrap_or(usize::MAX));
        Ok(Some((rest, self)))
    }

    fn note(&self, error: &io::Error) {
        tracing::warn!(err = %error, "transcoding failed");
        self.has_failed.store(true, Ordering::Relaxed);
        self.track.look.verdict().doubt();
    }
}

/// A running encoder.
struct Run {
    piped: Piped,
    /// Taken at the end.
    fitted: Option<Fitted>,
    track: Arc<Track>,
}

impl Run {
    /// The next frames; `None` after the last.
    async fn next(&mut self, patience: Duration) -> io::Result<Option<Bytes>> {
        while let Some(fitted) = &mut self.fitted {
            let Some(read) = self.piped.next(patience).await? else {
                return self.end().map(Some);
            };
            let piece = fitted.push(&read);
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }

    /// The last frames, once everything is known to have gone well.
    fn end(&mut self) -> io::Result<Bytes> {
        let Some(fitted) = self.fitted.take() else {
            return Ok(Bytes::new());
        };
        let made = fitted.received() / mp3::FRAME_BYTES;
        match self.track.frames {
            Some(frames) if made.abs_diff(frames) > TOLERATED_FRAMES => {
                self.track.look.verdict().deny_length();
                let said = format!("{made} frames instead of {frames}");
                Err(io::Error::other(said))
            }
            None if made == 0 => Err(io::Error::other("no sound in it")),
            _ => Ok(fitted.finish()),
        }
    }
}
