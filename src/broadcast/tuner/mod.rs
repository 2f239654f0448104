//! A live item as one body: its playlist is followed here, and FFmpeg reads the segments from the feed as if they were one
//! file that goes on.
//!
//! FFmpeg gets no playlist at all, not even a rewritten one. Its own reader of playlists would have to be allowed (a
//! "video" that is a playlist is the known way to make it ask for other addresses), reads in bursts, and gives up on
//! what can be had again; and times that begin anew within an item would get into the stream. So whatever breaks the
//! times ends the body: a discontinuity, another initialisation, segments that left the window, or nothing new for a
//! while. The driver then runs the program on what comes next, into the same item.

mod channel;
mod error;
mod misses;
mod opener;
mod pace;
mod patience;
mod sent;
mod track;
mod variants;
mod window;

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex as SyncMutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, stream};
use http_body::Frame;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{Instant, timeout};

use self::channel::Channel;
pub(super) use self::error::TunerError;
use self::patience::Patience;
use self::track::{Got, Track};
use crate::media::Side;
use crate::media::hls::Map;
use crate::services::{LiveStream, Room, Taste};

/// How long a body may bring nothing before it ends: shorter than the program may be silent. What has come of a segment
/// by then is the next body's.
const STALL: Duration = Duration::from_secs(10);

/// How long a run lasts whose sound is missing, until it is looked for again.
const MUTE: Duration = Duration::from_secs(60);

/// Where the sound of a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sound {
    /// With the picture.
    Inside,
    /// In a body of its own.
    Apart,
    /// It has a playlist of its own, by which none of it is to be had now.
    Missing,
}

/// The present run is without sound.
#[derive(Debug, Clone, Copy)]
struct Mute {
    /// When the run ends for that.
    end: Instant,
    /// Whether it was so from its beginning.
    is_whole: bool,
}

/// Why a body ended.
#[derive(Debug, Clone)]
pub(super) enum End {
    /// More is to come, in another one.
    Break,
    /// The item is over.
    Over,
    /// It can't be read any further.
    Fault(TunerError),
}

/// See the module.
pub(super) struct Tuner {
    channel: Arc<Channel>,
    picture: Arc<Mutex<Track>>,
    sound: Arc<Mutex<Track>>,
    /// Number of the segment of sound by which the present run begins.
    first: AtomicU64,
    /// Microseconds by which that begins after the picture's.
    delay_us: AtomicI64,
    mute: SyncMutex<Option<Mute>>,
    end: SyncMutex<Option<End>>,
}

impl Tuner {
    /// Follows what is on air. Nothing is asked for yet.
    /// What is held of it takes its place in `room`.
    pub(super) fn new(stream: LiveStream, taste: Taste, room: Room) -> Arc<Self> {
        let channel = Arc::new(Channel::new(stream, taste, room));
        let track = |side| Arc::new(Mutex::new(Track::new(Arc::clone(&channel), side)));
        Arc::new(Self {
            picture: track(Side::Picture),
            sound: track(Side::Sound),
            channel,
            first: AtomicU64::new(0),
            delay_us: AtomicI64::new(0),
            mute: SyncMutex::default(),
            end: SyncMutex::default(),
        })
    }

    /// The item's title.
    pub(super) fn title(&self) -> String {
        self.channel.stream.title()
    }

    /// Times that the site was asked for new addresses.
    pub(super) fn refreshes(&self) -> u64 {
        self.channel.stream.refreshes()
    }

    /// Whether all that is to come is known.
    pub(super) fn is_ending(&self) -> bool {
        self.channel.is_ending()
    }

    /// Lines at most of the variant that is played from now on, because another one came too slowly; told once.
    pub(super) fn take_lowered(&self) -> Option<u32> {
        self.channel.take_lowered()
    }

    /// Microseconds by which the sound of the present run begins after its picture, where it has a body of its own; less
    /// than 0 when it begins before.
    pub(super) fn sound_delay_us(&self) -> i64 {
        self.delay_us.load(Ordering::Relaxed)
    }

    /// Waits until there is something for a run to begin with; tells where its sound is. `None` when the item is over.
    ///
    /// # Errors
    /// [`TunerError`].
    pub(super) async fn ready(&self) -> Result<Option<Sound>, TunerError> {
        let mut track = self.picture.lock().await;
        self.take_end();
        let was_missing = self.mute().take().is_some_and(|mute| mute.is_whole);
        track.begin();
        let Some(got) = track.next().await? else {
            return Ok(None);
        };
        let (number, moment) = (got.number, got.moment);
        track.hold(got);
        if !track.has_own_sound() {
            return Ok(Some(Sound::Inside));
        }
        let mut first = (number, 0);
        if let Some(moment) = moment {
            // What was missing before is not waited for as long again.
            let patience = if was_missing {
                Patience::AGAIN
            } else {
                Patience::FIRST
            };
            match self.sound.lock().await.find(moment, patience).await {
                Ok(Some(found)) => first = (found.number, found.delay_us),
                Err(error @ TunerError::Forbidden(_)) => return Err(error),
                lacking => {
                    let error = lacking.err();
                    tracing::debug!(error = error.map(|error| error.to_string()), "no sound");
                    *self.mute() = Some(Mute {
                        end: Instant::now() + MUTE,
                        is_whole: true,
                    });
                    return Ok(Some(Sound::Missing));
                }
            }
        }
        let (first, delay_us) = first;
        self.first.store(first, Ordering::Relaxed);
        self.delay_us.store(delay_us, Ordering::Relaxed);
        Ok(Some(Sound::Apart))
    }

    fn mute(&self) -> MutexGuard<'_, Option<Mute>> {
        self.mute.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the body of the picture ended, if it did.
    pub(super) fn take_end(&self) -> Option<End> {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        end.take()
    }

    /// Goes back to what comes after so much of the present run, as far as it is still there.
    pub(super) async fn rewind(&self, got: Duration) {
        self.picture.lock().await.rewind(got);
    }

    /// The body of one side. A further one of the same side waits until the one before is dropped.
    pub(super) fn open(
        self: &Arc<Self>,
        side: Side,
    ) -> impl Stream<Item = io::Result<Frame<Bytes>>> + Send + use<> {
        let reader = Reader {
            tuner: Arc::clone(self),
            side,
            track: None,
            map: None,
            has_sent: false,
            pieces: VecDeque::new(),
        };
        stream::try_unfold(reader, async |mut reader: Reader| {
            let piece = reader.next().await?;
            Ok(piece.map(|piece| (Frame::data(piece), reader)))
        })
    }

    fn note_end(&self, side: Side, end: End) {
        match (side, &end) {
            (Side::Picture, _) | (Side::Sound, End::Fault(TunerError::Forbidden(_))) => {
                let mut slot = self.end.lock().unwrap_or_else(PoisonError::into_inner);
                slot.get_or_insert(end);
            }
            // Without it the picture goes on until its next segment, and both begin anew.
            (Side::Sound, _) => {
                *self.mute() = Some(Mute {
                    end: Instant::now(),
                    is_whole: false,
                });
            }
        }
    }
}

/// A body.
struct Reader {
    tuner: Arc<Tuner>,
    side: Side,
    track: Option<OwnedMutexGuard<Track>>,
    /// What stands before the segments so far.
    map: Option<Arc<Map>>,
    has_sent: bool,
    pieces: VecDeque<Bytes>,
}

impl Reader {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        if let Some(piece) = self.pieces.pop_front() {
            return Ok(Some(piece));
        }
        let end = match self.segment().await {
            Ok(Ok(())) => return Ok(self.pieces.pop_front()),
            Ok(Err(end)) => end,
            Err(error) => End::Fault(error),
        };
        let fault = match &end {
            End::Fault(error) => Some(io::Error::other(error.to_string())),
            End::Break | End::Over => None,
        };
        self.tuner.note_end(self.side, end);
        fault.map_or(Ok(None), Err)
    }

    /// Takes the next segment in; or says why there is none in this body.
    async fn segment(&mut self) -> Result<Result<(), End>, TunerError> {
        let is_due = |mute: Mute| Instant::now() >= mute.end;
        let is_mute = self.side == Side::Picture && self.tuner.mute().is_some_and(is_due);
        if is_mute && self.has_sent {
            return Ok(Err(End::Break));
        }
        let track = match &mut self.track {
            Some(track) => track,
            slot => slot.insert(begin(&self.tuner, self.side).await),
        };
        let next = if self.has_sent {
            match timeout(STALL, track.next()).await {
                Ok(next) => next?,
                Err(_) => return Ok(Err(End::Break)),
            }
        } else {
            track.next().await?
        };
        let Some(got) = next else {
            return Ok(Err(End::Over));
        };
        let map = got.map.as_ref().map(|(map, _)| Arc::clone(map));
        if self.has_sent && (got.is_break || map != self.map) {
            track.hold(got);
            return Ok(Err(End::Break));
        }
        let Got {
            number,
            bytes,
            map: initialisation,
            duration,
            ..
        } = got;
        track.note_sent(number, duration);
        if !self.has_sent {
            self.pieces.extend(initialisation.map(|(_, bytes)| bytes));
        }
        self.pieces.push_back(bytes);
        (self.map, self.has_sent) = (map, true);
        Ok(Ok(()))
    }
}

/// The track of a side, where the present run begins: that of the sound at the segment in which the picture's begins.
async fn begin(tuner: &Tuner, side: Side) -> OwnedMutexGuard<Track> {
    match side {
        Side::Picture => Arc::clone(&tuner.picture).lock_owned().await,
        Side::Sound => {
            let mut track = Arc::clone(&tuner.sound).lock_owned().await;
            track.seek(tuner.first.load(Ordering::Relaxed));
            track
        }
    }
}
