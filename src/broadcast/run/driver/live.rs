//! An item that is on air: run after run of the program on what its tuner brings, until it is over.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::failures::{Broken, Failure, Played};
use super::play::Item;
use super::{Desk, at_least};
use crate::broadcast::ItemState;
use crate::broadcast::source::Monitor;
use crate::broadcast::tuner::{End, Sound, Tuner, TunerError};
use crate::services::Room;

/// How long a live item is played where the record says nothing.
const LONGEST: Duration = Duration::from_secs(3600);
/// How long ago an item may have found no room for what it reads, when it brought nothing: longer than it may be silent.
const NO_ROOM: Duration = Duration::from_secs(65);
/// What is said then.
const WAITS: &str = "waits for room to read it in: others have all of it";
/// How much shorter than that a run may end: groups are whole.
const ROUNDING: Duration = Duration::from_secs(5);
/// What a run takes at least, however often the times of an item break.
const SHORTEST: Duration = Duration::from_secs(1);
/// How often it is looked whether anybody wants the item.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What is to be done next.
pub(super) enum Next {
    /// The program is run; where its sound is.
    Run(Sound),
    /// It is over.
    Done,
    /// Nobody wants it any more.
    Unwanted,
}

impl Desk {
    /// How long a live item may be.
    pub(super) fn live_limit(&self) -> Duration {
        self.limit().unwrap_or(LONGEST)
    }
}

impl Item<'_> {
    /// Waits until there is something to run the program on. Files are there already.
    pub(super) async fn tune_in(&self) -> Result<Next, Failure> {
        let Some(tuner) = self.feed.live() else {
            return Ok(Next::Run(Sound::Inside));
        };
        if self.is_long_enough() {
            return Ok(Next::Done);
        }
        loop {
            let ready = tokio::select! {
                ready = tuner.ready() => ready,
                () = unwanted(self.sink.monitor()) => return Ok(Next::Unwanted),
            };
            return match ready {
                Ok(Some(sound)) => Ok(Next::Run(sound)),
                Ok(None) if self.from.is_zero() => {
                    Err(skipped("live_ended", "it is over".to_owned()))
                }
                Ok(None) => Ok(Next::Done),
                Err(error) if waits(&error, &self.wanted.room) => {
                    self.say(WAITS.to_owned()).await;
                    sleep(LOOK_EVERY).await;
                    continue;
                }
                Err(error) => self.end(&error).await,
            };
        }
    }

    /// What comes after a run on what is on air.
    pub(super) async fn after_live(
        &mut self,
        tuner: &Arc<Tuner>,
        outcome: Result<Played, Broken>,
        (began, got): (Instant, Duration),
    ) -> Result<Result<Next, Broken>, Failure> {
        let end = tuner.take_end();
        if let Some(lines) = tuner.take_lowered() {
            let line =
                format!("comes slower than it is played: goes on with at most {lines} lines");
            self.say(line).await;
        }
        let outcome = match (outcome, end) {
            (Ok(Played::Unwanted), _) => return Ok(Ok(Next::Unwanted)),
            (_, Some(End::Fault(error))) => {
                self.go_on();
                if waits(&error, &self.wanted.room) {
                    self.say(WAITS.to_owned()).await;
                    at_least(SHORTEST, began).await;
                    return Ok(Ok(Next::Run(Sound::Inside)));
                }
                return self.end(&error).await.map(Ok);
            }
            (Ok(Played::Done), Some(End::Over)) => return Ok(Ok(Next::Done)),
            (Ok(Played::Done), end) => {
                let before = self.from;
                self.go_on();
                let is_break = end.is_some();
                match () {
                    () if is_break && self.from > before => Ok(()),
                    () if self.is_long_enough() => return Ok(Ok(Next::Done)),
                    () => Err(Broken::Failed("ffmpeg ended early".to_owned())),
                }
            }
            (Err(broken), _) => {
                tuner.rewind(got).await;
                self.from = self.sink.monitor().delivered();
                Err(broken)
            }
        };
        match outcome {
            Ok(()) => {
                at_least(SHORTEST, began).await;
                Ok(Ok(Next::Run(Sound::Inside)))
            }
            Err(broken) => Ok(Err(broken)),
        }
    }

    /// Another run goes on behind all that this one wrote.
    fn go_on(&mut self) {
        self.sink.go_on();
        self.from = self.sink.monitor().delivered();
    }

    fn is_long_enough(&self) -> bool {
        self.most.is_some_and(|most| self.from + ROUNDING >= most)
    }

    /// What becomes of an item that can't be read any further. One that falls silent after it was seen has ended.
    async fn end(&self, error: &TunerError) -> Result<Next, Failure> {
        let message = error.to_string();
        if error.is_quiet() && !self.from.is_zero() {
            let from = self.from.as_millis();
            self.say(format!("ended at {from} ms: {message}")).await;
            return Ok(Next::Done);
        }
        Err(skipped(error.reason(), message))
    }
}

/// Whether an item that brought nothing had no room for it, so that nothing is known of its end: it is waited for.
fn waits(error: &TunerError, room: &Room) -> bool {
    error.is_quiet() && room.was_full(NO_ROOM)
}

fn skipped(reason: &'static str, message: String) -> Failure {
    Failure {
        state: ItemState::Skipped,
        reason,
        is_of_site: true,
        from: Duration::ZERO,
        message,
    }
}

/// Returns when nobody takes an item any more.
async fn unwanted(monitor: Monitor) {
    while !monitor.is_over() {
        sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn item_for_which_there_was_no_room_is_not_taken_for_silent() {
        let silent = || TunerError::Silent(Duration::from_secs(60));
        let room = Room::new(0);
        assert!(!waits(&silent(), &room));
        room.note_full();
        advance(Duration::from_secs(60)).await;
        assert!(waits(&silent(), &room) && waits(&TunerError::Upstream(String::new()), &room));
        assert!(!waits(&TunerError::NoVariant, &room));
        // Since then it could have read, and nothing came.
        advance(Duration::from_secs(60)).await;
        assert!(!waits(&silent(), &room));
    }
}
