//! How a playlist is read again and again, whatever comes in its place.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep, sleep_until};
use url::Url;

use super::{Miss, Track};
use crate::broadcast::tuner::channel::Addresses;
use crate::broadcast::tuner::pace::Pace;
use crate::broadcast::tuner::{Side, TunerError};
use crate::media::hls::{Playlist, Segments};
use crate::services::LiveError;

/// How long without anything new until the site is asked whether the item is on air, at least.
const DOUBT: Duration = Duration::from_secs(15);
/// How often it is asked that.
const DOUBT_EVERY: Duration = Duration::from_secs(30);
/// Shortest time between two readings of a playlist.
const SHORTEST: Duration = Duration::from_millis(500);

impl Track {
    /// The playlist as it was read last, or as it is as soon as it can be read; `None` when the item is on air no more.
    pub(super) async fn window(&mut self) -> Result<Option<&Segments>, TunerError> {
        while self.window.is_none() {
            match self.load().await? {
                Some(Miss::Over) => return Ok(None),
                Some(Miss::Again) => sleep(self.misses.pause()).await,
                None => {}
            }
        }
        Ok(self.window.as_ref())
    }

    /// Waits until the playlist may have changed, and lets it be read again.
    pub(super) async fn wait(&mut self) -> Result<Option<Miss>, TunerError> {
        let target = self
            .window
            .as_ref()
            .map_or(SHORTEST, |window| window.target);
        sleep_until(self.loaded + (target / 2).max(SHORTEST)).await;
        self.window = None;
        let is_doubtful = self.moved.elapsed() > DOUBT.max(3 * target);
        if !is_doubtful || self.doubted.elapsed() < DOUBT_EVERY {
            return Ok(None);
        }
        self.doubted = Instant::now();
        self.renew().await
    }

    /// Asks the site for new addresses.
    pub(super) async fn renew(&mut self) -> Result<Option<Miss>, TunerError> {
        (self.window, self.span) = (None, 0);
        match self.channel.renew(self.addresses).await {
            Ok(Some(_)) => Ok(None),
            Ok(None) => Ok(Some(Miss::Over)),
            Err(error) => self.passing(error).map(Some),
        }
    }

    /// Reads the playlist.
    async fn load(&mut self) -> Result<Option<Miss>, TunerError> {
        let addresses = match self.channel.addresses().await {
            Ok(Some(addresses)) => addresses,
            Ok(None) => return Ok(Some(Miss::Over)),
            Err(error) => return self.passing(error).map(Some),
        };
        self.addresses = addresses.number;
        self.has_own_sound = addresses.sound.is_some();
        if self.variant != addresses.variant {
            self.variant = addresses.variant;
            self.change_over();
        }
        let Some(url) = self.of(&addresses) else {
            return Err(TunerError::NoVariant);
        };
        let read = self.channel.read_playlist(url).await;
        self.loaded = Instant::now();
        let text = match read {
            Err(LiveError::Gone(_)) => return Ok(self.renew().await?.or(Some(Miss::Again))),
            read => read.map_err(TunerError::from),
        };
        match text.and_then(|text| segments(&text, url)) {
            Ok(window) => self.take_window(window),
            Err(error) => return self.passing(error).map(Some),
        }
        Ok(None)
    }

    /// Another try, unless none can help.
    fn passing(&mut self, error: TunerError) -> Result<Miss, TunerError> {
        tracing::debug!(%error, "playlist not read");
        match error {
            TunerError::Upstream(_) => {}
            TunerError::Forbidden(_) | TunerError::Silent(_) => return Err(error),
            error => self.misses.note_playlist(error)?,
        }
        Ok(Miss::Again)
    }

    /// Goes on in the playlist of another variant.
    fn change_over(&mut self) {
        (self.pace, self.span) = (Pace::default(), 0);
        if self.next.take().is_some() {
            self.is_torn = true;
            self.join = self.join.or(self.moment);
        }
    }

    fn of<'a>(&self, addresses: &'a Addresses) -> Option<&'a Url> {
        match self.side {
            Side::Picture => Some(&addresses.picture),
            Side::Sound => addresses.sound.as_ref(),
        }
    }

    fn take_window(&mut self, window: Segments) {
        let is_new = window
            .list
            .last()
            .is_some_and(|last| self.next.is_none_or(|next| last.number >= next));
        if is_new {
            self.moved = Instant::now();
        }
        if window.is_ended && self.side == Side::Picture {
            self.channel.note_ending();
        }
        self.misses.playlist_came();
        self.span = self.span.max(window.list.len());
        self.window = Some(window);
    }
}

/// The segments that a playlist names.
fn segments(text: &Bytes, url: &Url) -> Result<Segments, TunerError> {
    match Playlist::parse(text, url)? {
        Playlist::Media(window) => Ok(window),
        Playlist::Master(_) => Err(TunerError::Nested),
    }
}
