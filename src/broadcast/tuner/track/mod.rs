//! One playlist that is followed: its segments, one after the other, each whole.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::channel::{Addresses, Channel};
use super::opener::{Opener, Unread, is_media};
use super::pace::Pace;
use super::window::{Match, Moment, Place, place};
use super::{Side, TunerError};
use crate::media::hls::{HlsError, Map, Playlist, Segment, Segments};
use crate::services::LiveError;

/// How long nothing new is put up with, and nothing at all: sooner than a broadcast is given up that plays nothing.
const SILENCE: Duration = Duration::from_secs(60);
const FIRST_SILENCE: Duration = Duration::from_secs(30);
/// How long without anything new until the site is asked whether the item is on air, at least.
const DOUBT: Duration = Duration::from_secs(15);
/// How often it is asked that.
const DOUBT_EVERY: Duration = Duration::from_secs(30);
/// Pause after what did not come.
const PAUSE: Duration = Duration::from_millis(500);
/// Shortest time between two readings of a playlist.
const SHORTEST: Duration = Duration::from_millis(500);
/// Tries at one segment, or at texts in a row that are no playlist.
const TRIES: u32 = 3;

/// A segment that was read.
pub(super) struct Got {
    pub(super) number: u64,
    pub(super) bytes: Bytes,
    /// What stands before it.
    pub(super) map: Option<(Arc<Map>, Bytes)>,
    pub(super) duration: Duration,
    /// When it begins, for the playlist of the other side.
    pub(super) moment: Option<Moment>,
    /// Whether its times don't go on from those before.
    pub(super) is_break: bool,
}

/// See the module.
pub(super) struct Track {
    channel: Arc<Channel>,
    side: Side,
    /// The addresses that were used last.
    addresses: u64,
    /// The variant that they lead to.
    variant: u32,
    window: Option<Segments>,
    loaded: Instant,
    /// When the window moved last.
    moved: Instant,
    /// When the site was asked whether it is on air.
    doubted: Instant,
    next: Option<u64>,
    /// When that begins, as far as it is known.
    moment: Option<Moment>,
    /// Where it goes on in a playlist that counts otherwise.
    join: Option<Moment>,
    pace: Pace,
    opener: Opener,
    /// A segment that was read and not handed out.
    held: Option<Got>,
    /// Segments that were handed out since the beginning of a run.
    sent: Vec<(u64, Duration)>,
    /// Tries at the next segment, or at a playlist.
    tries: u32,
    /// Something was left out.
    is_torn: bool,
}

/// How a try ended that brought nothing.
enum Miss {
    /// Another try may help.
    Again,
    /// The item is on air no more.
    Over,
}

impl Track {
    pub(super) fn new(channel: Arc<Channel>, side: Side) -> Self {
        let now = Instant::now();
        Self {
            channel,
            side,
            addresses: 0,
            variant: 0,
            window: None,
            loaded: now,
            moved: now,
            doubted: now,
            next: None,
            moment: None,
            join: None,
            pace: Pace::default(),
            opener: Opener::default(),
            held: None,
            sent: Vec::new(),
            tries: 0,
            is_torn: false,
        }
    }

    /// Puts a segment back.
    pub(super) fn hold(&mut self, got: Got) {
        self.held = Some(got);
    }

    /// Goes on with the segment of this number.
    pub(super) fn seek(&mut self, number: u64) {
        (self.next, self.moment) = (Some(number), None);
        (self.join, self.held) = (None, None);
    }

    /// Goes on with the segment in which a moment lies; tells which that is, or that there will be none.
    ///
    /// # Errors
    /// [`TunerError`].
    pub(super) async fn find(&mut self, moment: Moment) -> Result<Option<Match>, TunerError> {
        (self.join, self.held, self.window) = (Some(moment), None, None);
        patiently(FIRST_SILENCE, self.joined(moment)).await
    }

    /// Reads the playlist, and waits, until it names the segment in which a moment lies.
    async fn joined(&mut self, moment: Moment) -> Result<Option<Match>, TunerError> {
        loop {
            let Some(window) = &self.window else {
                match self.load().await? {
                    Some(Miss::Over) => return Ok(None),
                    Some(Miss::Again) => sleep(PAUSE).await,
                    None => {}
                }
                continue;
            };
            if let Some(found) = moment.find(window) {
                (self.next, self.join) = (Some(found.number), None);
                return Ok(Some(found));
            }
            if window.is_ended {
                return Ok(None);
            }
            if let Some(Miss::Over) = self.wait().await? {
                return Ok(None);
            }
        }
    }

    /// A run begins.
    pub(super) fn begin(&mut self) {
        self.sent.clear();
    }

    /// Notes that a segment was handed out.
    pub(super) fn note_sent(&mut self, number: u64, duration: Duration) {
        self.sent.push((number, duration));
    }

    /// Goes back to the segment that holds what comes after so much of the run.
    pub(super) fn rewind(&mut self, got: Duration) {
        let mut end = Duration::ZERO;
        let holds = |(_, duration): &&(u64, Duration)| {
            end += *duration;
            end > got
        };
        if let Some((number, _)) = self.sent.iter().find(holds) {
            let number = *number;
            self.seek(number);
        }
    }

    /// The next segment, as soon as it is there; `None` when there will be none. May be dropped while it waits.
    ///
    /// # Errors
    /// [`TunerError`].
    pub(super) async fn next(&mut self) -> Result<Option<Got>, TunerError> {
        if let Some(held) = self.held.take() {
            return Ok(Some(held));
        }
        let patience = self.next.map_or(FIRST_SILENCE, |_| SILENCE);
        patiently(patience, self.search()).await
    }

    /// Reads the playlist, and waits, until there is a next segment.
    async fn search(&mut self) -> Result<Option<Got>, TunerError> {
        loop {
            if let Some(moment) = self.join
                && self.joined(moment).await?.is_none()
            {
                return Ok(None);
            }
            let Some(window) = &self.window else {
                match self.load().await? {
                    Some(Miss::Over) => return Ok(None),
                    Some(Miss::Again) => sleep(PAUSE).await,
                    None => {}
                }
                continue;
            };
            match place(window, self.next) {
                Place::Over => return Ok(None),
                Place::Later => {
                    if let Some(Miss::Over) = self.wait().await? {
                        return Ok(None);
                    }
                }
                Place::At(segment, is_torn) => {
                    let segment = segment.clone();
                    self.is_torn |= is_torn;
                    match self.fetch(&segment).await? {
                        Ok(got) => return Ok(Some(got)),
                        Err(Miss::Over) => return Ok(None),
                        Err(Miss::Again) => sleep(PAUSE).await,
                    }
                }
            }
        }
    }

    /// Waits until the playlist may have changed, and lets it be read again.
    async fn wait(&mut self) -> Result<Option<Miss>, TunerError> {
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
    async fn renew(&mut self) -> Result<Option<Miss>, TunerError> {
        self.window = None;
        match self.channel.renew(self.addresses).await {
            Ok(Some(_)) => Ok(None),
            Ok(None) => Ok(Some(Miss::Over)),
            Err(error) => passing(error).map(Some),
        }
    }

    /// Reads the playlist.
    async fn load(&mut self) -> Result<Option<Miss>, TunerError> {
        let addresses = match self.channel.addresses().await {
            Ok(Some(addresses)) => addresses,
            Ok(None) => return Ok(Some(Miss::Over)),
            Err(error) => return passing(error).map(Some),
        };
        self.addresses = addresses.number;
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
            Ok(text) => text,
            Err(LiveError::Gone(_)) => return Ok(self.renew().await?.or(Some(Miss::Again))),
            Err(error) => return passing(error.into()).map(Some),
        };
        match Playlist::parse(&text, url) {
            Ok(Playlist::Media(window)) => self.take_window(window),
            Ok(Playlist::Master(_)) => return Err(TunerError::Nested),
            // A page of a server in trouble, perhaps.
            Err(HlsError::NotAPlaylist) if self.tries < TRIES => {
                self.tries += 1;
                return Ok(Some(Miss::Again));
            }
            Err(error) => return Err(error.into()),
        }
        Ok(None)
    }

    /// Goes on in the playlist of another variant.
    fn change_over(&mut self) {
        self.pace = Pace::default();
        if self.next.take().is_some() {
            self.is_torn = true;
            self.join = self.join.or(self.moment);
        }
    }

    fn of<'a>(&self, addresses: &'a Addresses) -> Option<&'a url::Url> {
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
        self.window = Some(window);
    }

    /// Reads a segment, and what stands before it.
    async fn fetch(&mut self, segment: &Segment) -> Result<Result<Got, Miss>, TunerError> {
        if segment.is_gap {
            self.leave_out(segment);
            return Ok(Err(Miss::Again));
        }
        let moment = |number| Moment::of(self.window.as_ref()?, number, self.loaded);
        let behind = moment(segment.number + 1);
        self.moment = moment(segment.number);
        let began = Instant::now();
        let read = self.opener.read(&self.channel, segment).await;
        let came = read.as_ref().map_or(Duration::ZERO, |_| segment.duration);
        let is_slow = self.side == Side::Picture && self.pace.is_slow(began.elapsed(), came);
        if is_slow && self.channel.go_lower().await {
            self.window = None;
            if read.is_err() {
                return Ok(Err(Miss::Again));
            }
        }
        let (map, bytes) = match read {
            Ok(read) => read,
            Err(Unread::Segment(what)) => return Err(TunerError::Segment(what)),
            Err(Unread::Live(error @ LiveError::Forbidden(_))) => return Err(error.into()),
            Err(Unread::Live(LiveError::TooLarge(_))) => {
                return Err(TunerError::Segment("too large"));
            }
            Err(Unread::Live(error)) => return self.miss(segment, &error).await.map(Err),
        };
        if !is_media(map.as_ref().map_or(&bytes, |(_, bytes)| bytes), self.side) {
            return Err(TunerError::Segment("no media"));
        }
        self.next = Some(segment.number + 1);
        self.tries = 0;
        Ok(Ok(Got {
            number: segment.number,
            bytes,
            map,
            duration: segment.duration,
            moment: std::mem::replace(&mut self.moment, behind),
            is_break: segment.is_discontinuity | std::mem::take(&mut self.is_torn),
        }))
    }

    /// What is done about a segment that did not come.
    async fn miss(&mut self, segment: &Segment, error: &LiveError) -> Result<Miss, TunerError> {
        tracing::debug!(number = segment.number, %error, "segment not read");
        if matches!(error, LiveError::NoRoom) {
            // Others have it; the segment is as good as before.
            return Ok(Miss::Again);
        }
        self.tries += 1;
        if self.tries >= TRIES {
            self.leave_out(segment);
            return Ok(Miss::Again);
        }
        match error {
            // A segment that is not there has left the window.
            LiveError::Gone(StatusCode::NOT_FOUND) => self.window = None,
            LiveError::Gone(_) => return Ok(self.renew().await?.unwrap_or(Miss::Again)),
            _ => {}
        }
        Ok(Miss::Again)
    }

    fn leave_out(&mut self, segment: &Segment) {
        self.next = Some(segment.number + 1);
        self.tries = 0;
        self.is_torn = true;
    }
}

/// What a search brings, or that it brought nothing for so long, whatever it waits for then: a playlist may say that it
/// isn't to be read again for minutes.
async fn patiently<T>(
    patience: Duration,
    search: impl Future<Output = Result<T, TunerError>>,
) -> Result<T, TunerError> {
    let found = timeout(patience, Box::pin(search)).await;
    found.unwrap_or(Err(TunerError::Silent(patience)))
}

/// Another try, unless none can help.
fn passing(error: TunerError) -> Result<Miss, TunerError> {
    match error {
        TunerError::Upstream(error) => {
            tracing::debug!(%error, "playlist not read");
            Ok(Miss::Again)
        }
        error => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn patience_ends_in_the_midst_of_a_wait() {
        let began = Instant::now();
        let wait = async |seconds| {
            sleep(Duration::from_secs(seconds)).await;
            Ok(seconds)
        };
        let found = patiently(FIRST_SILENCE, wait(29)).await;
        assert!(matches!(found, Ok(29)), "{found:?}");
        let found = patiently(FIRST_SILENCE, wait(300)).await;
        assert!(matches!(found, Err(TunerError::Silent(_))), "{found:?}");
        assert_eq!(began.elapsed().as_secs(), 59);
    }
}
