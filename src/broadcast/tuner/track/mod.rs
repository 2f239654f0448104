//! One playlist that is followed: its segments, one after the other, each whole.

mod playlist;
mod segment;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep};

use super::channel::Channel;
use super::misses::{Misses, PAUSE};
use super::opener::Opener;
use super::pace::Pace;
use super::patience::Patience;
use super::sent::Sent;
use super::window::{Match, Moment, Place, place};
use super::{Side, TunerError};
use crate::media::hls::{Map, Segments};

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
    /// Whether the sound has a playlist of its own there.
    has_own_sound: bool,
    window: Option<Segments>,
    /// Segments of the longest window of this playlist.
    span: usize,
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
    sent: Sent,
    /// Tries at the next segment.
    tries: u32,
    misses: Misses,
    /// No segment is asked for until then, whoever waits for it.
    not_before: Instant,
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
            has_own_sound: false,
            window: None,
            span: 0,
            loaded: now,
            moved: now,
            doubted: now,
            next: None,
            moment: None,
            join: None,
            pace: Pace::default(),
            opener: Opener::new(),
            held: None,
            sent: Sent::default(),
            tries: 0,
            misses: Misses::default(),
            not_before: now,
            is_torn: false,
        }
    }

    /// Puts a segment back.
    pub(super) fn hold(&mut self, got: Got) {
        self.held = Some(got);
    }

    /// Goes on with the segment of this number.
    pub(super) fn seek(&mut self, number: u64) {
        if self.held.as_ref().is_some_and(|held| held.number == number) {
            return;
        }
        (self.next, self.moment) = (Some(number), None);
        (self.join, self.held) = (None, None);
    }

    /// Reads the segment in which a moment lies, and goes on with it; tells which that is, or that there is none to be had.
    ///
    /// # Errors
    /// [`TunerError`].
    pub(super) async fn find(
        &mut self,
        moment: Moment,
        patience: Patience,
    ) -> Result<Option<Match>, TunerError> {
        (self.join, self.held, self.window) = (Some(moment), None, None);
        let arrived = self.opener.arrived().clone();
        let found = async {
            let Some(found) = self.joined(moment).await? else {
                return Ok(None);
            };
            let Some(got) = self.search().await? else {
                return Ok(None);
            };
            // Behind one that was left out all would come too early.
            let is_it = got.number == found.number;
            self.hold(got);
            Ok(is_it.then_some(found))
        };
        patience.wait(&arrived, found).await
    }

    /// Reads the playlist, and waits, until it names the segment in which a moment lies.
    async fn joined(&mut self, moment: Moment) -> Result<Option<Match>, TunerError> {
        loop {
            let Some(window) = self.window().await? else {
                return Ok(None);
            };
            let is_ended = window.is_ended;
            if let Some(found) = moment.find(window) {
                (self.next, self.join) = (Some(found.number), None);
                return Ok(Some(found));
            }
            if is_ended {
                return Ok(None);
            }
            if let Some(Miss::Over) = self.wait().await? {
                return Ok(None);
            }
        }
    }

    /// Whether the sound has a playlist of its own, as far as it is known.
    pub(super) fn has_own_sound(&self) -> bool {
        self.has_own_sound
    }

    /// A run begins.
    pub(super) fn begin(&mut self) {
        self.sent.clear();
    }

    /// Notes that a segment was handed out.
    pub(super) fn note_sent(&mut self, number: u64, duration: Duration) {
        self.sent.push(number, duration);
    }

    /// Goes back to the segment that holds what comes after so much of the run.
    pub(super) fn rewind(&mut self, got: Duration) {
        if let Some(number) = self.sent.behind(got) {
            self.seek(number);
        }
    }

    /// The next segment, as soon as it is there; `None` when there will be none. May be dropped while it waits; what has
    /// come of a segment by then is kept.
    ///
    /// # Errors
    /// [`TunerError`].
    pub(super) async fn next(&mut self) -> Result<Option<Got>, TunerError> {
        if let Some(held) = self.held.take() {
            return Ok(Some(held));
        }
        let patience = match self.next {
            Some(_) => Patience::FURTHER,
            None => Patience::FIRST,
        };
        let arrived = self.opener.arrived().clone();
        match patience.wait(&arrived, self.search()).await {
            Err(error @ TunerError::Silent(_)) => Err(self.misses.last().cloned().unwrap_or(error)),
            found => found,
        }
    }

    /// Reads the playlist, and waits, until there is a next segment.
    async fn search(&mut self) -> Result<Option<Got>, TunerError> {
        loop {
            if self.window().await?.is_none() {
                return Ok(None);
            }
            // It may be the playlist of another variant.
            if let Some(moment) = self.join
                && self.joined(moment).await?.is_none()
            {
                return Ok(None);
            }
            let Some(window) = &self.window else {
                continue;
            };
            match place(window, self.next, self.span) {
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
}
