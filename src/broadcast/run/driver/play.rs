//! Plays one item, with as many runs of the program as it takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use super::failures::{Broken, Failure, Failures, Played};
use super::finding::Wanted;
use super::live::Next;
use super::watch::{TooSlow, Watch};
use super::{Desk, News, at_least};
use crate::broadcast::feed::Feed;
use crate::broadcast::list::Turn;
use crate::broadcast::normaliser::{NormaliseError, Said};
use crate::broadcast::source::{SourceError, SourceSink};
use crate::broadcast::tuner::Sound;
use crate::broadcast::{ItemState, VideoMode};
use crate::media::normalise::{Input, Live};
use crate::services::Playable;

/// What a failure takes at least, so that a list of dead items asks the site once a second at most.
const FAILURE_PAUSE: Duration = Duration::from_secs(1);
/// How much longer than its media an item may be said to be, because lengths are told in whole seconds.
const ROUNDING: Duration = Duration::from_millis(1500);

/// Plays an item from there on, to its end or as far as it is wanted. `is_ending` is set when it is about to hand over
/// its last bytes.
pub(super) async fn play(
    desk: Arc<Desk>,
    turn: Turn,
    from: Duration,
    is_ending: Arc<AtomicBool>,
) -> (Turn, Result<(), Failure>) {
    let began = Instant::now();
    let played = Box::pin(whole(&desk, &turn, from, is_ending)).await;
    if played.is_err() {
        at_least(FAILURE_PAUSE, began).await;
    }
    (turn, played)
}

async fn whole(
    desk: &Arc<Desk>,
    turn: &Turn,
    from: Duration,
    is_ending: Arc<AtomicBool>,
) -> Result<(), Failure> {
    let most = desk.limit();
    let told = turn.item.duration_s.map(Duration::from_secs);
    check_length(told, most)?;
    let wanted = desk.wanted(&turn.item).await;
    let feed = desk.find(turn, &wanted).await?;
    let is_live = feed.live().is_some();
    // What is on air has no length, and is joined where it is.
    let (told, from) = if is_live {
        (None, Duration::ZERO)
    } else {
        (told, from)
    };
    let most = if is_live {
        Some(desk.live_limit())
    } else {
        most
    };
    let known = feed.post().map(|post| post.extraction.duration_ms);
    let known = known.filter(|ms| *ms > 0);
    let length = known.map(Duration::from_millis).or(told);
    check_length(length, most)?;
    let mode = desk.settings.borrow().video_mode;
    let (sink, serial) = desk.queue(turn, &feed, length, from).await;
    let deciding = desk.decide(mode).await;
    let item = Item {
        desk,
        turn,
        serial,
        length,
        most,
        is_ending,
        feed,
        sink,
        from,
        mode,
        deciding,
        has_audio: true,
        wanted,
        failures: Failures::default(),
    };
    item.play().await
}

/// An item that is being played.
pub(super) struct Item<'a> {
    desk: &'a Arc<Desk>,
    turn: &'a Turn,
    serial: u64,
    length: Option<Duration>,
    /// How much of it is wanted, from where it began.
    pub(super) most: Option<Duration>,
    is_ending: Arc<AtomicBool>,
    pub(super) feed: Feed,
    pub(super) sink: SourceSink,
    /// Up to where it was handed over.
    pub(super) from: Duration,
    mode: VideoMode,
    /// Held by the one whose records may become those that others are to have.
    deciding: Option<OwnedMutexGuard<()>>,
    has_audio: bool,
    pub(super) wanted: Wanted,
    failures: Failures,
}

impl Item<'_> {
    async fn play(mut self) -> Result<(), Failure> {
        loop {
            let began = Instant::now();
            let sound = match self.tune_in().await? {
                Next::Run(sound) => sound,
                Next::Done => return self.done().await,
                Next::Unwanted => return Ok(()),
            };
            let (outcome, got) = self.run(sound).await;
            let broken = match self.after(outcome, (began, got)).await? {
                Ok(Next::Run(_)) => {
                    self.failures.did_well();
                    continue;
                }
                Ok(Next::Done) => return self.done().await,
                Ok(Next::Unwanted) => return Ok(()),
                Err(broken) => broken,
            };
            // Of what it was about to hand over nothing is kept: its successor makes it again.
            self.sink.restart();
            let message = match &broken {
                Broken::TooSlow => {
                    self.go_lower().await?;
                    continue;
                }
                Broken::Unfit(message) => {
                    let from = self.from.as_millis();
                    self.say(format!("encoded from {from} ms: {message}")).await;
                    self.mode = VideoMode::Encode;
                    self.deciding = None;
                    self.sink.restart_as(self.desk.options(self.mode));
                    continue;
                }
                Broken::Stuck(message)
                | Broken::Upstream(message)
                | Broken::Program(message)
                | Broken::Failed(message) => message,
            };
            if self.has_audio && is_mute(message) {
                self.has_audio = false;
                continue;
            }
            let is_at_end = self
                .length
                .is_some_and(|length| self.from + ROUNDING >= length);
            if got.is_zero() && is_at_end {
                // A run that began here found nothing more.
                return Ok(());
            }
            if let Some(reason) = self.failures.note(&broken, got, began)
                && !self.leave_copy(&broken).await
            {
                return Err(Failure {
                    state: ItemState::Failed,
                    reason,
                    is_of_site: false,
                    from: self.from,
                    message: message.clone(),
                });
            }
            let line = format!("taken up again at {} ms: {message}", self.from.as_millis());
            self.say(line).await;
            at_least(FAILURE_PAUSE, began).await;
            if self.feed.live().is_none() {
                let found = self.desk.find_anew(self.turn, &self.wanted).await;
                self.feed = found.map_err(|failure| Failure {
                    from: self.from,
                    ..failure
                })?;
                let (serial, source) = (self.serial, self.feed.source());
                self.desk.tell(News::Source { serial, source }).await;
            }
        }
    }

    /// What comes after a run.
    async fn after(
        &mut self,
        outcome: Result<Played, Broken>,
        run: (Instant, Duration),
    ) -> Result<Result<Next, Broken>, Failure> {
        if let Some(tuner) = self.feed.live().cloned() {
            return self.after_live(&tuner, outcome, run).await;
        }
        let (_, got) = run;
        Ok(match outcome {
            Ok(Played::Done) => Ok(Next::Done),
            Ok(Played::Unwanted) => Ok(Next::Unwanted),
            Err(broken) => {
                self.from += got;
                Err(broken)
            }
        })
    }

    /// All of it was handed over.
    async fn done(self) -> Result<(), Failure> {
        self.sink.finish();
        self.is_ending.store(true, Ordering::Relaxed);
        self.desk.stirred.notify_waiters();
        if let Some(tee) = &self.wanted.tee {
            self.desk.keep(&self.turn.item, &self.feed, tee).await;
        }
        Ok(())
    }

    pub(super) async fn say(&self, line: String) {
        let item = self.turn.item.video_id.clone();
        self.desk.tell(News::Line { item, line }).await;
    }

    /// Gives up the copy on disk that is played, where that may be to blame: the item is played as it comes, and copied
    /// anew if it is to be. Whether it was one.
    async fn leave_copy(&mut self, broken: &Broken) -> bool {
        let shelf = self.desk.shelf.as_ref();
        let Some(shelf) = shelf.filter(|_| self.feed.is_saved() && broken.may_be_of_file()) else {
            return false;
        };
        self.say("the copy on disk can't be played, and is given up".to_owned())
            .await;
        shelf.give_up(&self.turn.item);
        self.wanted = self.desk.wanted(&self.turn.item).await;
        self.failures = Failures::default();
        true
    }

    /// Goes on with a file of fewer lines.
    async fn go_lower(&mut self) -> Result<(), Failure> {
        let lower = self.feed.post().and_then(Playable::lower);
        self.wanted.side = lower.or(self.wanted.side);
        let line = format!(
            "comes slower than it is played: taken up again at {} ms with at most {} lines",
            self.from.as_millis(),
            self.wanted.side.unwrap_or_default()
        );
        self.say(line).await;
        self.feed = self.desk.find(self.turn, &self.wanted).await?;
        Ok(())
    }

    /// One run of the program; how it ended, and how much it handed over.
    async fn run(&mut self, sound: Sound) -> (Result<Played, Broken>, Duration) {
        let (desk, serial) = (self.desk, self.serial);
        let settings = desk.settings.borrow().clone();
        let Some(encoding) = desk.context.encoding() else {
            let broken = Broken::Program("there is no ffmpeg".to_owned());
            return (Err(broken), Duration::ZERO);
        };
        let (post, is_live) = (self.feed.post(), self.feed.live().is_some());
        let sound_url = self.feed.sound_url();
        let rest = self.most.map(|most| most.saturating_sub(self.from));
        let input = Input {
            url: self.feed.url(),
            has_audio: self.has_audio
                && sound != Sound::Missing
                && post.is_none_or(|post| post.has_audio),
            from: if is_live { Duration::ZERO } else { self.from },
            most: rest,
            live: is_live.then_some(Live {
                sound: (sound == Sound::Apart).then_some(&sound_url),
                sound_delay_us: self.feed.live().map_or(0, |live| live.sound_delay_us()),
            }),
        };
        let monitor = self.sink.monitor();
        let (resumes, before) = (self.feed.resumes(), monitor.delivered());
        let watch = Watch {
            desk,
            feed: &self.feed,
            monitor: monitor.clone(),
            is_ending: &self.is_ending,
            rest: match self.length {
                Some(length) => Some(length.saturating_sub(self.from)),
                None => rest.filter(|_| is_live),
            },
        };
        let ended = match encoding.start(&input, &settings.profile, self.mode) {
            Ok(normaliser) => {
                let normaliser = normaliser.among(&desk.programs);
                let pid = normaliser.id();
                desk.tell(News::Child { serial, pid }).await;
                let pass_on = |said| pass_on(desk, (self.turn, serial), &self.feed, said);
                let ended = tokio::select! {
                    ended = normaliser.run(&mut self.sink, pass_on) => Ok(ended),
                    slow = watch.look() => Err(slow),
                };
                desk.tell(News::Child { serial, pid: None }).await;
                ended
            }
            Err(error) => Ok(Err(error)),
        };
        let resumed = self.feed.resumes().saturating_sub(resumes);
        desk.tell(News::Resumed(resumed)).await;
        desk.tell(News::Refreshed(self.feed.take_refreshes())).await;
        let outcome = match ended {
            Err(TooSlow) => Err(Broken::TooSlow),
            Ok(ended) => self.judge(ended),
        };
        let got = monitor.delivered().saturating_sub(before);
        if !got.is_zero() {
            desk.has_played.store(true, Ordering::Relaxed);
            desk.list.lock().delivered(self.turn.item.ord);
        }
        (outcome, got)
    }

    fn judge(&self, ended: Result<(), NormaliseError>) -> Result<Played, Broken> {
        let is_fed = !self.feed.take_broken();
        let error = match ended {
            Ok(()) if is_fed => return Ok(Played::Done),
            // The program takes a feed that breaks off for the end of the file.
            Ok(()) => return Err(Broken::Upstream("the upstream broke off".to_owned())),
            Err(NormaliseError::Source(SourceError::Closed)) => return Ok(Played::Unwanted),
            Err(error) => error,
        };
        let is_unfit = error.is_unfit();
        let message = error.described().replace(self.feed.url(), "feed");
        Err(match error {
            NormaliseError::Stuck(_) => Broken::Stuck(message),
            _ if !is_fed => Broken::Upstream(message),
            _ if !is_unfit => Broken::Program(message),
            _ if self.mode == VideoMode::Copy => Broken::Unfit(message),
            _ => Broken::Failed(message),
        })
    }
}

/// What the program says is passed on while there is room; it must not wait.
fn pass_on(desk: &Desk, (turn, serial): (&Turn, u64), feed: &Feed, said: Said) {
    let item = turn.item.video_id.clone();
    let _ = desk.news.try_send(match said {
        Said::Report(report) => News::Report { serial, report },
        Said::Line(line) => News::Line {
            line: line.replace(feed.url(), "feed"),
            item,
        },
    });
}

fn check_length(length: Option<Duration>, most: Option<Duration>) -> Result<(), Failure> {
    match (length, most) {
        (Some(length), Some(most)) if length > most => Err(Failure {
            state: ItemState::Skipped,
            reason: "too_long",
            is_of_site: false,
            from: Duration::ZERO,
            message: format!("{} s, longer than `max_item_minutes`", length.as_secs()),
        }),
        _ => Ok(()),
    }
}

/// Whether the program found no sound: files don't say beforehand whether they have any.
fn is_mute(message: &str) -> bool {
    message.contains("Stream map '0:a:0' matches no streams")
}
