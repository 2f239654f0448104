//! Where the playlists of a live item are: its variants, and new addresses when the old ones are refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until, timeout};
use url::Url;

use super::TunerError;
use super::variants::{Choice, choose};
use crate::extract::ExtractError;
use crate::media::hls::{self, HlsError, Key, Map, Playlist, Secret, Segment};
use crate::services::{Arrived, Held, LiveError, LiveStream, Reading, ResolveError, Room, Taste};

/// How often the site is asked for new addresses, at most.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// How long a playlist, or the beginning of segments, may take.
const SHORT_READ: Duration = Duration::from_secs(20);
/// How long a segment is read until it is looked whether another variant may come faster.
const READ: Duration = Duration::from_secs(20);
/// Bytes of a segment; ten seconds at 25 Mbit/s.
const MAX_SEGMENT: usize = 32 * 1024 * 1024;
/// Bytes of the beginning of segments.
const MAX_MAP: usize = 1024 * 1024;
/// Bytes of what calls itself a key.
const MAX_KEY: usize = 1024;

/// The playlists that are read.
#[derive(Debug, Clone)]
pub(super) struct Addresses {
    /// How many were before.
    pub(super) number: u64,
    /// How often another variant was taken before.
    pub(super) variant: u32,
    pub(super) picture: Url,
    /// Where the sound is, unless it comes with the picture.
    pub(super) sound: Option<Url>,
}

/// See the module.
pub(super) struct Channel {
    pub(super) stream: LiveStream,
    /// For what is read.
    room: Room,
    taste: Taste,
    state: Mutex<State>,
    is_ending: AtomicBool,
    /// Lines at most of the variant that was taken because another one came too slowly, until it is told; 0 for none.
    lowered: AtomicU32,
}

#[derive(Default)]
struct State {
    addresses: Option<Arc<Addresses>>,
    count: u64,
    renewed: Option<Instant>,
    /// How often another variant was taken.
    variant: u32,
    /// Lines at most, once the variant of choice came too slowly.
    most: Option<u32>,
    /// Lines at most of the one below that which is played.
    lower: Option<u32>,
}

impl Channel {
    pub(super) fn new(stream: LiveStream, taste: Taste, room: Room) -> Self {
        Self {
            stream,
            room,
            taste,
            state: Mutex::default(),
            is_ending: AtomicBool::new(false),
            lowered: AtomicU32::new(0),
        }
    }

    /// Takes a variant of fewer lines from now on; whether there is one.
    pub(super) async fn go_lower(&self) -> bool {
        let mut state = self.state.lock().await;
        let Some(lower) = state.lower.take() else {
            return false;
        };
        state.most = Some(lower);
        state.variant += 1;
        state.addresses = None;
        self.lowered.store(lower, Ordering::Relaxed);
        true
    }

    /// Lines at most of the variant that is taken now, where that is news.
    pub(super) fn take_lowered(&self) -> Option<u32> {
        Some(self.lowered.swap(0, Ordering::Relaxed)).filter(|lines| *lines > 0)
    }

    /// Notes that what the playlist names now is all.
    pub(super) fn note_ending(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Relaxed)
    }

    /// The playlists as they are known; `None` when the item is on air no more.
    pub(super) async fn addresses(&self) -> Result<Option<Arc<Addresses>>, TunerError> {
        let mut state = self.state.lock().await;
        if let Some(known) = &state.addresses {
            return Ok(Some(Arc::clone(known)));
        }
        match self.load(&mut state).await {
            Ok(addresses) => Ok(Some(addresses)),
            Err(Unread::Gone) => self.ask(&mut state).await,
            Err(Unread::Error(error)) => Err(error),
        }
    }

    /// New ones in place of those of this number; `None` when the item is on air no more.
    pub(super) async fn renew(&self, stale: u64) -> Result<Option<Arc<Addresses>>, TunerError> {
        let mut state = self.state.lock().await;
        match &state.addresses {
            Some(known) if known.number != stale => Ok(Some(Arc::clone(known))),
            _ => self.ask(&mut state).await,
        }
    }

    async fn ask(&self, state: &mut State) -> Result<Option<Arc<Addresses>>, TunerError> {
        if let Some(renewed) = state.renewed {
            sleep_until(renewed + RENEW_EVERY).await;
        }
        state.renewed = Some(Instant::now());
        match self.stream.refresh().await {
            Ok(true) => match self.load(state).await {
                Ok(addresses) => Ok(Some(addresses)),
                Err(Unread::Gone) => {
                    Err(TunerError::Upstream("refused at a new address".to_owned()))
                }
                Err(Unread::Error(error)) => Err(error),
            },
            Ok(false) => Ok(None),
            Err(error) if is_end(&error) => Ok(None),
            Err(error) => Err(TunerError::Upstream(error.to_string())),
        }
    }

    /// Reads the site's own playlist.
    async fn load(&self, state: &mut State) -> Result<Arc<Addresses>, Unread> {
        let base = Url::parse(&self.stream.playlist()).map_err(|_| TunerError::NoVariant)?;
        let text = self.read_playlist(&base).await?;
        let taste = state
            .most
            .map_or_else(|| self.taste.clone(), Taste::Smaller);
        let chosen = match Playlist::parse(&text, &base).map_err(TunerError::from)? {
            Playlist::Master(master) => choose(&master, &taste),
            Playlist::Media(_) => Some(Choice {
                picture: base,
                sound: None,
                lower: None,
            }),
        };
        let Choice {
            picture,
            sound,
            lower,
        } = chosen.ok_or(TunerError::NoVariant)?;
        state.count += 1;
        state.lower = lower;
        let addresses = Arc::new(Addresses {
            number: state.count,
            variant: state.variant,
            picture,
            sound,
        });
        state.addresses = Some(Arc::clone(&addresses));
        Ok(addresses)
    }

    /// The text of a playlist.
    pub(super) async fn read_playlist(&self, url: &Url) -> Result<Bytes, LiveError> {
        let limit = (hls::MAX_BYTES, &self.room);
        let read = within(SHORT_READ, self.stream.read(url, None, limit)).await;
        read.map(Held::freeze)
    }

    /// What stands before segments.
    pub(super) async fn read_map(&self, map: &Map) -> Result<Held, LiveError> {
        let limit = (MAX_MAP, &self.room);
        within(
            SHORT_READ,
            self.stream.read(&map.url, map.part.clone(), limit),
        )
        .await
    }

    /// A segment, of which nothing has come yet.
    pub(super) fn segment(&self, segment: &Segment, arrived: Arrived) -> Reading {
        let limit = (MAX_SEGMENT, &self.room);
        Reading::new(&segment.url, segment.part.clone(), limit, arrived)
    }

    /// Goes on reading it for a while; whether it is whole. May be dropped while it waits.
    pub(super) async fn go_on(&self, reading: &mut Reading) -> Result<bool, LiveError> {
        match timeout(READ, Box::pin(self.stream.go_on(reading))).await {
            Ok(read) => read.map(|()| true),
            Err(_) => Ok(false),
        }
    }

    /// What a key names; `None` when it is no key.
    pub(super) async fn read_key(&self, key: &Key) -> Result<Option<Secret>, LiveError> {
        let limit = (MAX_KEY, &self.room);
        let read = within(SHORT_READ, self.stream.read(&key.url, None, limit)).await;
        match read {
            Ok(bytes) => Ok(Secret::read(bytes.as_ref())),
            Err(LiveError::TooLarge(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

async fn within(
    limit: Duration,
    reading: impl Future<Output = Result<Held, LiveError>>,
) -> Result<Held, LiveError> {
    match timeout(limit, Box::pin(reading)).await {
        Ok(read) => read,
        Err(_) => Err(LiveError::Broken("too slow".to_owned())),
    }
}

/// Why the site's own playlist was not read.
enum Unread {
    /// Its address is good no more.
    Gone,
    Error(TunerError),
}

impl From<LiveError> for Unread {
    fn from(error: LiveError) -> Self {
        match error {
            LiveError::Gone(_) => Self::Gone,
            error => Self::Error(error.into()),
        }
    }
}

impl From<TunerError> for Unread {
    fn from(error: TunerError) -> Self {
        Self::Error(error)
    }
}

/// Whether the site says no for good.
fn is_end(error: &ResolveError) -> bool {
    matches!(
        error,
        ResolveError::Extract(ExtractError::Unavailable { .. })
    )
}

impl From<LiveError> for TunerError {
    fn from(error: LiveError) -> Self {
        match error {
            LiveError::Forbidden(error) => Self::Forbidden(error.to_string()),
            LiveError::TooLarge(_) => Self::Playlist(HlsError::TooMany("bytes")),
            error => Self::Upstream(error.to_string()),
        }
    }
}
