//! Where the playlists of a live item are: its variants, and new addresses when the old ones are refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until, timeout};
use url::Url;

use super::TunerError;
use super::variants::choose;
use crate::extract::ExtractError;
use crate::media::hls::{self, HlsError, Map, Playlist};
use crate::services::{LiveError, LiveStream, ResolveError, Taste};

/// How often the site is asked for new addresses, at most.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// How long a playlist, or the beginning of segments, may take.
const SHORT_READ: Duration = Duration::from_secs(20);
/// Bytes of the beginning of segments.
const MAX_MAP: usize = 1024 * 1024;

/// The playlists that are read.
#[derive(Debug, Clone)]
pub(super) struct Addresses {
    /// How many were before.
    pub(super) number: u64,
    pub(super) picture: Url,
    /// Where the sound is, unless it comes with the picture.
    pub(super) sound: Option<Url>,
}

/// See the module.
pub(super) struct Channel {
    pub(super) stream: LiveStream,
    taste: Taste,
    state: Mutex<State>,
    is_ending: AtomicBool,
}

#[derive(Default)]
struct State {
    addresses: Option<Arc<Addresses>>,
    count: u64,
    renewed: Option<Instant>,
}

impl Channel {
    pub(super) fn new(stream: LiveStream, taste: Taste) -> Self {
        Self {
            stream,
            taste,
            state: Mutex::default(),
            is_ending: AtomicBool::new(false),
        }
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
        let chosen = match Playlist::parse(&text, &base).map_err(TunerError::from)? {
            Playlist::Master(master) => choose(&master, &self.taste),
            Playlist::Media(_) => Some((base, None)),
        };
        let (picture, sound) = chosen.ok_or(TunerError::NoVariant)?;
        state.count += 1;
        let addresses = Arc::new(Addresses {
            number: state.count,
            picture,
            sound,
        });
        state.addresses = Some(Arc::clone(&addresses));
        Ok(addresses)
    }

    /// The text of a playlist.
    pub(super) async fn read_playlist(&self, url: &Url) -> Result<Bytes, LiveError> {
        within(self.stream.read(url, None, hls::MAX_BYTES)).await
    }

    /// What stands before segments.
    pub(super) async fn read_map(&self, map: &Map) -> Result<Bytes, LiveError> {
        within(self.stream.read(&map.url, map.part.clone(), MAX_MAP)).await
    }
}

async fn within(
    reading: impl Future<Output = Result<Bytes, LiveError>>,
) -> Result<Bytes, LiveError> {
    match timeout(SHORT_READ, Box::pin(reading)).await {
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
