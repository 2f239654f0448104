//! Plays a list: one item after the other is found, encoded and queued at the pump, always one ahead of what is on air.

mod finding;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use crate::broadcast::context::Context;
use crate::broadcast::feed::Feed;
use crate::broadcast::list::{List, Next, Turn};
use crate::broadcast::normaliser::{NormaliseError, Said};
use crate::broadcast::pump::PumpHandle;
use crate::broadcast::shelf::Shelf;
use crate::broadcast::source::{self, Headers, Limits, SourceError, SourceOptions, SourceSink};
use crate::broadcast::splicer;
use crate::broadcast::{ItemState, ServeMode, Settings, StreamSource};
use crate::media::normalise::{Input, Report};

/// Pause after a failure, so that a list of dead items asks the site once a second at most.
const FAILURE_PAUSE: Duration = Duration::from_secs(1);
/// Runs of one item without a picture before it is given up.
const RUNS: u32 = 2;
/// Runs of one item in all.
const MAX_RUNS: u32 = 12;
/// First pause when a whole cycle gave nothing.
const FIRST_BACK_OFF: Duration = Duration::from_secs(10);
/// Longest such pause.
const LAST_BACK_OFF: Duration = Duration::from_secs(300);
/// How much longer than its media an item may be said to be, because lengths are told in whole seconds.
const ROUNDING: Duration = Duration::from_millis(1500);

/// The list, shared with whoever reads it.
#[derive(Default)]
pub(super) struct SharedList {
    list: Mutex<List>,
    changed: Notify,
}

impl SharedList {
    pub(super) fn new(list: List) -> Self {
        Self {
            list: Mutex::new(list),
            changed: Notify::new(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the driver that there is more.
    pub(super) fn tell(&self) {
        self.changed.notify_waiters();
    }
}

/// What the driver tells.
#[derive(Debug)]
pub(super) enum News {
    /// An item is on its way to the pump, under this number.
    Queued {
        serial: u64,
        turn: Turn,
        duration: Option<Duration>,
        title: String,
    },
    /// A program runs; `None` when it has ended.
    Child(Option<u32>),
    /// How far that program is.
    Report(Report),
    /// A line of that program.
    Line { item: String, line: String },
    /// An item was fetched ahead.
    Fetched(String),
    /// How an item fared.
    Fared {
        turn: Turn,
        state: ItemState,
        reason: Option<&'static str>,
        message: String,
    },
    /// An upstream was taken up again so often.
    Resumed(u64),
    /// No item of the whole list could be played, and none was before.
    NothingPlays,
    /// A whole cycle gave nothing; so long nothing is tried.
    BackingOff(Duration),
}

/// Why an item was not played to its end.
struct Failure {
    state: ItemState,
    reason: &'static str,
    message: String,
}

/// How a run ended that is no failure.
#[derive(PartialEq, Eq)]
enum Played {
    /// To its end, or as far as it was wanted.
    Done,
    /// Nobody takes it any more: skipped, or all is over.
    Unwanted,
}

/// See the module.
pub(super) struct Driver {
    pub(super) context: Arc<Context>,
    pub(super) settings: watch::Receiver<Settings>,
    pub(super) list: Arc<SharedList>,
    pub(super) pump: PumpHandle,
    pub(super) headers: Headers,
    pub(super) news: mpsc::Sender<News>,
    /// Files fetched ahead; `None` when items are played as they come.
    shelf: Option<Arc<Shelf>>,
    /// The task that fetches them.
    fetching: Option<AbortOnDropHandle<()>>,
    /// Where the first item is taken up, when it is still the one.
    pub(super) resume: Option<(String, Duration)>,
    serial: u64,
    has_played: bool,
    plays_of_cycle: u32,
    back_off: Duration,
}

impl Driver {
    pub(super) fn new(
        context: Arc<Context>,
        settings: watch::Receiver<Settings>,
        list: Arc<SharedList>,
        (pump, headers): (PumpHandle, Headers),
        news: mpsc::Sender<News>,
    ) -> Self {
        Self {
            context,
            settings,
            list,
            pump,
            headers,
            news,
            shelf: None,
            fetching: None,
            resume: None,
            serial: 0,
            has_played: false,
            plays_of_cycle: 0,
            back_off: FIRST_BACK_OFF,
        }
    }

    /// Plays until the list ends. Dropping it ends the program that runs.
    pub(super) async fn drive(mut self) {
        let mode = self.settings.borrow().serve_mode();
        let is_list = self.settings.borrow().stream_source != StreamSource::MediaFiles;
        if is_list && mode == ServeMode::Download {
            let shelf = self.context.parts.shelves.clone().map(Shelf::new);
            self.shelf = shelf.map(Arc::new);
        }
        loop {
            let list = Arc::clone(&self.list);
            let mut changed = std::pin::pin!(list.changed.notified());
            changed.as_mut().enable();
            let next = list.lock().next();
            match next {
                Next::Turn(turn) => self.take_turn(*turn).await,
                Next::Wait => changed.await,
                Next::CycleEnd => {
                    if !self.end_cycle().await {
                        return;
                    }
                }
            }
        }
    }

    /// Whether it goes on with another cycle.
    async fn end_cycle(&mut self) -> bool {
        let settings = self.settings.borrow().clone();
        if self.plays_of_cycle == 0 && !self.has_played {
            self.tell(News::NothingPlays).await;
            return false;
        }
        if !settings.loop_enabled {
            self.pump.finish();
            return false;
        }
        if self.plays_of_cycle == 0 {
            self.tell(News::BackingOff(self.back_off)).await;
            // A list that was read anew may have something.
            let _ = timeout(self.back_off, self.list.changed.notified()).await;
            self.back_off = (self.back_off * 2).min(LAST_BACK_OFF);
        } else {
            self.back_off = FIRST_BACK_OFF;
        }
        self.plays_of_cycle = 0;
        let seed = settings
            .shuffle_playlist
            .then_some(settings.shuffle_seed)
            .flatten();
        self.list.lock().begin_cycle(seed);
        true
    }

    async fn take_turn(&mut self, turn: Turn) {
        self.fetch_ahead();
        let resume = self.resume.take();
        let resume = resume.filter(|(id, _)| *id == turn.item.video_id);
        let from = resume.map_or(Duration::ZERO, |(_, from)| from);
        let began = Instant::now();
        let played = self.play(&turn, from).await;
        if let Some(shelf) = &self.shelf {
            shelf.remove(turn.item.ord);
        }
        match played {
            Ok(_) => {
                self.has_played = true;
                self.plays_of_cycle += 1;
                let message = String::new();
                self.fared(turn, ItemState::Ok, None, message).await;
            }
            Err(failure) => {
                let Failure {
                    state,
                    reason,
                    message,
                } = failure;
                self.fared(turn, state, Some(reason), message).await;
                sleep(FAILURE_PAUSE.saturating_sub(began.elapsed())).await;
            }
        }
    }

    async fn fared(
        &self,
        turn: Turn,
        state: ItemState,
        reason: Option<&'static str>,
        message: String,
    ) {
        self.tell(News::Fared {
            turn,
            state,
            reason,
            message,
        })
        .await;
    }

    async fn play(&mut self, turn: &Turn, mut from: Duration) -> Result<Played, Failure> {
        let most = self.limit();
        let told = turn.item.duration_s.map(Duration::from_secs);
        check_length(told, most)?;
        let mut feed = self.find(turn, false).await?;
        let known = feed.post().map(|post| post.extraction.duration_ms);
        let known = known.filter(|ms| *ms > 0);
        let length = known.map(Duration::from_millis).or(told);
        check_length(length, most)?;
        let mut sink = self.queue(turn, &feed, length, from).await;
        let (mut fruitless, mut runs, mut has_audio) = (0, 0, true);
        loop {
            let most = most.map(|most| most.saturating_sub(from));
            let (outcome, got) = self
                .run(turn, &feed, &mut sink, (from, most, has_audio))
                .await;
            let message = match outcome {
                Ok(Played::Done) => {
                    sink.finish();
                    return Ok(Played::Done);
                }
                Ok(Played::Unwanted) => return Ok(Played::Unwanted),
                Err(message) => message,
            };
            from += got;
            // Of what it was about to hand over nothing is kept: its successor makes it again.
            sink.restart();
            if has_audio && is_mute(&message) {
                has_audio = false;
                continue;
            }
            let is_at_end = length.is_some_and(|length| from + ROUNDING >= length);
            if got.is_zero() && is_at_end {
                // A run that began here found nothing more.
                return Ok(Played::Done);
            }
            fruitless = if got.is_zero() { fruitless + 1 } else { 0 };
            runs += 1;
            if fruitless >= RUNS || runs >= MAX_RUNS {
                return Err(Failure {
                    state: ItemState::Failed,
                    reason: "broken",
                    message,
                });
            }
            let item = turn.item.video_id.clone();
            let line = format!("taken up again at {} ms: {message}", from.as_millis());
            self.tell(News::Line { item, line }).await;
            feed = self.find(turn, true).await?;
        }
    }

    /// Puts an item behind those that wait at the pump. What its runs write follows without a step, so that it stays
    /// one item however many there are.
    async fn queue(
        &mut self,
        turn: &Turn,
        feed: &Feed,
        length: Option<Duration>,
        from: Duration,
    ) -> SourceSink {
        let settings = self.settings.borrow().clone();
        let profile = &settings.profile;
        let rate = u64::from(profile.video_kbps + profile.audio_kbps) * 1000;
        let gop = Duration::from_secs(profile.gop_s.into());
        let (sink, source) = source::channel(SourceOptions {
            limits: Limits::for_rate(rate, gop),
            fps: Some(profile.fps),
            headers: Some(self.headers.clone()),
        });
        self.serial += 1;
        let queued = News::Queued {
            serial: self.serial,
            turn: turn.clone(),
            duration: length,
            title: title(turn, feed),
        };
        self.tell(queued).await;
        self.pump.queue(splicer::Item {
            id: self.serial,
            source,
            base: from,
        });
        sink
    }

    /// One run of the program; how it ended, and how much it handed over.
    async fn run(
        &self,
        turn: &Turn,
        feed: &Feed,
        sink: &mut SourceSink,
        (from, most, has_audio): (Duration, Option<Duration>, bool),
    ) -> (Result<Played, String>, Duration) {
        let settings = self.settings.borrow().clone();
        let profile = &settings.profile;
        let Some(encoding) = self.context.encoding() else {
            return (Err("there is no ffmpeg".to_owned()), Duration::ZERO);
        };
        let input = Input {
            url: feed.url(),
            has_audio: has_audio && feed.post().is_none_or(|post| post.has_audio),
            from,
            most,
        };
        let monitor = sink.monitor();
        let (resumes, before) = (feed.resumes(), monitor.delivered());
        let outcome = match encoding.start(&input, profile) {
            Ok(normaliser) => {
                self.tell(News::Child(normaliser.id())).await;
                let outcome = normaliser
                    .run(sink, |said| self.pass_on(turn, feed, said))
                    .await;
                self.tell(News::Child(None)).await;
                outcome
            }
            Err(error) => Err(error),
        };
        self.tell(News::Resumed(feed.resumes().saturating_sub(resumes)))
            .await;
        let outcome = match outcome {
            // The program takes a feed that breaks off for the end of the file.
            Ok(()) if feed.take_broken() => Err("the upstream broke off".to_owned()),
            Ok(()) => Ok(Played::Done),
            Err(NormaliseError::Source(SourceError::Closed)) => Ok(Played::Unwanted),
            Err(error) => Err(error.described().replace(feed.url(), "feed")),
        };
        (outcome, monitor.delivered().saturating_sub(before))
    }

    /// What the program says is passed on while there is room; it must not wait.
    fn pass_on(&self, turn: &Turn, feed: &Feed, said: Said) {
        let item = turn.item.video_id.clone();
        let _ = self.news.try_send(match said {
            Said::Report(report) => News::Report(report),
            Said::Line(line) => News::Line {
                line: line.replace(feed.url(), "feed"),
                item,
            },
        });
    }

    /// How long one item may be.
    fn limit(&self) -> Option<Duration> {
        let minutes = u64::from(self.settings.borrow().max_item_minutes);
        (minutes > 0).then(|| Duration::from_secs(60 * minutes))
    }

    async fn tell(&self, news: News) {
        // Nobody listens any more when all is over.
        let _ = self.news.send(news).await;
    }
}

fn check_length(length: Option<Duration>, most: Option<Duration>) -> Result<(), Failure> {
    match (length, most) {
        (Some(length), Some(most)) if length > most => Err(Failure {
            state: ItemState::Skipped,
            reason: "too_long",
            message: format!("{} s, longer than `max_item_minutes`", length.as_secs()),
        }),
        _ => Ok(()),
    }
}

fn title(turn: &Turn, feed: &Feed) -> String {
    let told = feed.post().map(|post| &post.extraction.title);
    let told = told.filter(|title| !title.is_empty());
    told.unwrap_or(&turn.item.title).clone()
}

/// Whether the program found no sound: files don't say beforehand whether they have any.
fn is_mute(message: &str) -> bool {
    message.contains("Stream map '0:a:0' matches no streams")
}
