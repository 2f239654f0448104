//! One playlist that is followed: its segments, one after the other, each whole.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::channel::{Addresses, Channel};
use super::window::{Place, place};
use super::{Side, TunerError};
use crate::media::hls::{HlsError, Map, Playlist, Segment, Segments};
use crate::services::LiveError;

/// How long a segment may take.
const READ: Duration = Duration::from_secs(30);
/// Bytes of a segment; ten seconds at 25 Mbit/s.
const MAX_SEGMENT: usize = 32 * 1024 * 1024;
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
    /// Whether its times don't go on from those before.
    pub(super) is_break: bool,
}

/// See the module.
pub(super) struct Track {
    channel: Arc<Channel>,
    side: Side,
    /// The addresses that were used last.
    addresses: u64,
    window: Option<Segments>,
    loaded: Instant,
    /// When the window moved last.
    moved: Instant,
    /// When the site was asked whether it is on air.
    doubted: Instant,
    next: Option<u64>,
    map: Option<(Arc<Map>, Bytes)>,
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
            window: None,
            loaded: now,
            moved: now,
            doubted: now,
            next: None,
            map: None,
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
        (self.next, self.held) = (Some(number), None);
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
            self.next = Some(*number);
            self.held = None;
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
        let read = self.read(segment).await;
        let (map, bytes) = match read {
            Ok(read) => read,
            Err(error @ LiveError::Forbidden(_)) => return Err(error.into()),
            Err(LiveError::TooLarge(_)) => return Err(TunerError::Segment("too large")),
            Err(error) => return self.miss(segment, &error).await.map(Err),
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
            is_break: segment.is_discontinuity | std::mem::take(&mut self.is_torn),
        }))
    }

    async fn read(
        &mut self,
        segment: &Segment,
    ) -> Result<(Option<(Arc<Map>, Bytes)>, Bytes), LiveError> {
        if self.map.as_ref().map(|(map, _)| map) != segment.map.as_ref() {
            self.map = match &segment.map {
                Some(map) => Some((Arc::clone(map), self.channel.read_map(map).await?)),
                None => None,
            };
        }
        let stream = &self.channel.stream;
        let reading = stream.read(&segment.url, segment.part.clone(), MAX_SEGMENT);
        let bytes = timeout(READ, Box::pin(reading)).await;
        let bytes = bytes.unwrap_or_else(|_| Err(LiveError::Broken("too slow".to_owned())))?;
        Ok((self.map.clone(), bytes))
    }

    /// What is done about a segment that did not come.
    async fn miss(&mut self, segment: &Segment, error: &LiveError) -> Result<Miss, TunerError> {
        self.tries += 1;
        tracing::debug!(number = segment.number, %error, "segment not read");
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

/// Whether bytes begin as media do that are sent in segments: MPEG-TS, MP4, and for sound alone AAC (RFC 8216 §3).
fn is_media(bytes: &Bytes, side: Side) -> bool {
    const BOXES: [&[u8]; 6] = [b"ftyp", b"styp", b"sidx", b"moof", b"emsg", b"prft"];
    let is_ts = bytes.first() == Some(&0x47) && bytes.get(188).is_none_or(|byte| *byte == 0x47);
    let is_mp4 = bytes.get(4..8).is_some_and(|kind| BOXES.contains(&kind));
    let is_adts = matches!(bytes.get(..2), Some([0xff, second]) if second & 0xf6 == 0xf0);
    let is_aac = side == Side::Sound && (is_adts || bytes.starts_with(b"ID3"));
    is_ts || is_mp4 || is_aac
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

    #[test]
    fn media_are_told_from_other_bytes() {
        let ts = [&[0x47_u8][..], &[0; 187], &[0x47], &[0; 187]].concat();
        let broken = [&[0x47_u8][..], &[0; 400]].concat();
        let sound = [0xff_u8, 0xf1, 0x50, 0x80];
        for (bytes, side, is_so) in [
            (&ts[..], Side::Picture, true),
            (&broken[..], Side::Picture, false),
            (b"\0\0\0\x18ftypmp42", Side::Picture, true),
            (b"\0\0\0\x18moof", Side::Sound, true),
            (&sound, Side::Sound, true),
            (&sound, Side::Picture, false),
            (b"ID3\x04", Side::Sound, true),
            (b"#EXTM3U\n", Side::Picture, false),
            (b"<html>", Side::Sound, false),
            (b"", Side::Picture, false),
        ] {
            let bytes = Bytes::copy_from_slice(bytes);
            assert_eq!(is_media(&bytes, side), is_so, "{bytes:?}");
        }
    }
}
