//! Photo posts as videos: one rendering per post however many ask for it, given up when nobody waits any more, and kept
//! for a while so that ranges and retries cost nothing.

mod fetch;
mod file;
mod key;
mod progress;
mod render;
mod shelf;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Instrument;

use super::feed::Feed;
use super::jobs::Jobs;
use super::origin::Post;
use crate::clock::Clock;
use crate::media::ffmpeg::{Ffmpeg, FfmpegError};
use crate::temp::{Temp, TempError};
use crate::transfer::{Admission, Busy, ShutdownHandles};

pub(super) use file::FileOrigin;
use key::{Key, key};
pub use progress::{Progress, Step};
use render::Renderer;
pub(super) use render::Rendering;
use shelf::Shelf;

/// How often videos whose time is over are really dropped, and their room with them.
const TIDY_INTERVAL: Duration = Duration::from_secs(30);

/// Why there is no video.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SlideshowError {
    /// The post is no photo post.
    #[error("not a photo post")]
    NotPhotos,
    /// There is no FFmpeg here.
    #[error("no ffmpeg")]
    NoFfmpeg,
    /// A picture can't be had or read, from no address.
    #[error("picture {number} can't be used")]
    Picture {
        /// Its number, from 1.
        number: usize,
    },
    /// The sound can't be had or read.
    #[error("the sound can't be used")]
    Sound,
    /// FFmpeg failed.
    #[error(transparent)]
    Ffmpeg(#[from] FfmpegError),
    /// FFmpeg ended well but made something else than the video.
    #[error("the result is not the video that was wanted")]
    Result,
    /// It took longer than it may.
    #[error("rendering took too long")]
    TimedOut,
    /// Too many at once.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// No room.
    #[error(transparent)]
    Temp(#[from] TempError),
    /// The server ends, or the work panicked.
    #[error("rendering was given up")]
    GivenUp,
}

/// How a rendering stands.
#[derive(Debug, Clone)]
pub enum State {
    /// It runs.
    Running(Progress),
    /// It has ended.
    Done(Result<Arc<Rendering>, Arc<SlideshowError>>),
}

/// Limits of the renderings.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    /// Renderings at once.
    pub concurrency: usize,
    /// How many may wait.
    pub max_queue: usize,
    /// How long one may take.
    pub time_limit: Duration,
    /// How long its video is kept.
    pub keep: Duration,
}

/// Renders slideshows. Cheap to clone.
#[derive(Clone)]
pub(super) struct Slideshows {
    inner: Arc<Inner>,
}

struct Inner {
    /// `None` without FFmpeg or temporary files.
    renderer: Option<Renderer>,
    admission: Admission,
    jobs: Jobs,
    running: Mutex<HashMap<Key, Weak<Flight>>>,
    kept: Arc<Shelf>,
    handles: ShutdownHandles,
}

/// A rendering under way; it is given up when the last who waits for it is gone.
struct Flight {
    state: watch::Receiver<State>,
    _give_up: DropGuard,
}

/// Somebody who waits for a rendering.
pub struct Waiter {
    state: watch::Receiver<State>,
    /// Keeps it going; `None` for one that is finished.
    _flight: Option<Arc<Flight>>,
}

/// How long a rendering waits for its turn (api.md §8).
const QUEUE_PATIENCE: Duration = Duration::from_secs(30);

impl Slideshows {
    /// Slideshows of what `feed` reads; none without `ffmpeg` and `temp`.
    pub(super) fn new(
        feed: Feed,
        (ffmpeg, temp): (Option<Ffmpeg>, Option<Temp>),
        limits: &Limits,
        jobs: Jobs,
        handles: ShutdownHandles,
        clock: Clock,
    ) -> Self {
        let kept = Arc::new(Shelf::new(limits.keep));
        if let Some(temp) = &temp {
            // What is kept only saves time: it makes room for what is wanted now.
            let kept = Arc::clone(&kept);
            temp.relieve_by(move || kept.shed());
        }
        let renderer = ffmpeg.zip(temp).map(|(ffmpeg, temp)| Renderer {
            feed,
            ffmpeg,
            temp,
            time_limit: limits.time_limit,
            clock,
        });
        let inner = Arc::new(Inner {
            renderer,
            admission: Admission::new(limits.concurrency, limits.max_queue, QUEUE_PATIENCE),
            jobs,
            running: Mutex::default(),
            kept,
            handles,
        });
        Self { inner }
    }

    /// Drops videos whose time is over, until the server ends.
    pub(super) async fn tidy(self) {
        let often = self.inner.kept.keep().min(TIDY_INTERVAL);
        let mut ticks = tokio::time::interval(often);
        loop {
            ticks.tick().await;
            self.inner.kept.tidy();
        }
    }

    /// Waits for the video of a post: a kept one, one under way, or a new one.
    ///
    /// # Errors
    /// [`SlideshowError`] when it can't even be begun.
    pub(super) async fn wait_for(&self, post: Post) -> Result<Waiter, SlideshowError> {
        let key = key(&post)?;
        if let Some(kept) = self.inner.kept.get(&key) {
            let (_, state) = watch::channel(State::Done(Ok(kept)));
            return Ok(Waiter {
                state,
                _flight: None,
            });
        }
        let renderer = self.renderer().await.ok_or(SlideshowError::NoFfmpeg)?;
        let flight = self.join(key, renderer, post);
        Ok(Waiter {
            state: flight.state.clone(),
            _flight: Some(flight),
        })
    }

    async fn renderer(&self) -> Option<Renderer> {
        let renderer = self.inner.renderer.clone()?;
        let abilities = renderer.ffmpeg.abilities().await;
        abilities.slideshows.then_some(renderer)
    }

    fn join(&self, key: Key, renderer: Renderer, post: Post) -> Arc<Flight> {
        let mut running = self
            .inner
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = running.get(&key).and_then(Weak::upgrade) {
            return flight;
        }
        let (sender, state) = watch::channel(State::Running(Progress::queued()));
        let give_up = CancellationToken::new();
        let flight = Arc::new(Flight {
            state,
            _give_up: give_up.clone().drop_guard(),
        });
        running.insert(key.clone(), Arc::downgrade(&flight));
        let slideshows = self.clone();
        let work = async move {
            let hard = slideshows.inner.handles.cancel.clone();
            let outcome = tokio::select! {
                biased;
                () = give_up.cancelled() => Err(SlideshowError::GivenUp),
                () = hard.cancelled() => Err(SlideshowError::GivenUp),
                outcome = slideshows.render(&renderer, &post, &sender) => outcome,
            };
            slideshows.land(&key, outcome, &sender);
        };
        self.inner.handles.tracker.spawn(work.in_current_span());
        flight
    }

    async fn render(
        &self,
        renderer: &Renderer,
        post: &Post,
        sender: &watch::Sender<State>,
    ) -> Result<Rendering, SlideshowError> {
        let _place = self.inner.admission.admit().await?;
        let _job = self.inner.jobs.admit().await?;
        renderer.render(post, sender).await
    }

    /// Keeps the video, tells everybody, and makes room for another try.
    fn land(
        &self,
        key: &Key,
        outcome: Result<Rendering, SlideshowError>,
        sender: &watch::Sender<State>,
    ) {
        let outcome = outcome.map(Arc::new).map_err(Arc::new);
        match &outcome {
            Ok(rendering) => {
                self.inner.kept.put(key.clone(), Arc::clone(rendering));
            }
            Err(error) => log(error),
        }
        self.inner
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|known, flight| known != key || is_another(flight, sender));
        sender.send_replace(State::Done(outcome));
    }
}

/// Whether somebody waits for this flight who doesn't wait for `sender`: it was begun after ours was given up.
fn is_another(flight: &Weak<Flight>, sender: &watch::Sender<State>) -> bool {
    flight
        .upgrade()
        .is_some_and(|flight| !flight.state.same_channel(&sender.subscribe()))
}

impl Waiter {
    /// How it stands now.
    pub fn state(&mut self) -> State {
        self.state.borrow_and_update().clone()
    }

    /// Returns when it stands differently.
    pub async fn changed(&mut self) {
        if self.state.changed().await.is_err() && !matches!(self.state(), State::Done(_)) {
            // The work went away without a word, as after a panic: there will be no change.
            let (_, state) = watch::channel(State::Done(Err(Arc::new(SlideshowError::GivenUp))));
            self.state = state;
        }
    }

    /// The finished video.
    ///
    /// # Errors
    /// [`SlideshowError`], shared by all who waited.
    pub async fn finished(mut self) -> Result<Arc<Rendering>, Arc<SlideshowError>> {
        loop {
            if let State::Done(outcome) = self.state() {
                return outcome;
            }
            self.changed().await;
        }
    }
}

fn log(error: &SlideshowError) {
    match error {
        SlideshowError::GivenUp => tracing::info!("slideshow given up, nobody waits for it"),
        SlideshowError::Ffmpeg(FfmpegError::Failed { status, stderr }) => {
            tracing::warn!(%status, stderr, "slideshow failed");
        }
        error => tracing::warn!(err = %error, "slideshow failed"),
    }
}
