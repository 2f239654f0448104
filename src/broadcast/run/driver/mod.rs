//! Plays a list: items are found, encoded and queued at the pump, some seconds ahead of what is on air.
//!
//! Each item is a task of its own ([`play`]). The next one begins when the one before is about to hand over its last
//! bytes, so that two programs run at most.

mod away;
mod cycles;
mod failures;
mod finding;
mod live;
mod news;
mod play;
mod queueing;
mod rescue;
mod watch;

use std::collections::{HashMap, VecDeque};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch as settings};
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::broadcast::context::Context;
use crate::broadcast::list::{List, Next, Turn};
use crate::broadcast::pump::PumpHandle;
use crate::broadcast::shelf::Shelf;
use crate::broadcast::source::{Headers, Monitor};
use crate::broadcast::{Item, ItemState, ServeMode, Settings};
use cycles::Course;
use failures::Failure;
pub(super) use news::News;
use rescue::Rescues;

/// Media held for the pump beyond which no further item is begun: what two sources hold.
const AHEAD: Duration = Duration::from_secs(24);
/// Items queued at the pump beyond which no further one is begun, however short they are.
const MAX_QUEUED: usize = 4;
/// How often it is looked whether enough has gone on air.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The list, shared with whoever reads it.
#[derive(Default)]
pub(super) struct SharedList {
    list: Mutex<List>,
    changed: Notify,
    /// The site is away: only what is kept of it is played.
    is_offline: AtomicBool,
}

impl SharedList {
    pub(super) fn new(list: List) -> Self {
        Self {
            list: Mutex::new(list),
            changed: Notify::new(),
            is_offline: AtomicBool::new(false),
        }
    }

    /// Notes whether the site is away; whether it was before.
    pub(super) fn note_offline(&self, is_offline: bool) -> bool {
        self.is_offline.swap(is_offline, Ordering::Relaxed)
    }

    pub(super) fn is_offline(&self) -> bool {
        self.is_offline.load(Ordering::Relaxed)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the driver that there is more.
    pub(super) fn tell(&self) {
        self.changed.notify_waiters();
    }
}

/// What all items of a run share.
struct Desk {
    context: Arc<Context>,
    settings: settings::Receiver<Settings>,
    list: Arc<SharedList>,
    pump: PumpHandle,
    headers: Headers,
    /// Waits for the ends of programs, and of those that play and fetch items.
    programs: TaskTracker,
    /// Those of items that pass through as they are, once there was one.
    copied: Arc<OnceLock<Headers>>,
    /// Held by the item whose records may become those.
    deciding: Arc<tokio::sync::Mutex<()>>,
    news: mpsc::Sender<News>,
    /// Items on disk; `None` when there is no room for any, or they are files anyway.
    shelf: Option<Arc<Shelf>>,
    /// Id of the item that is being fetched ahead.
    fetching: Mutex<Option<String>>,
    /// What was said last of items that are not fetched ahead, by their ids.
    told: Mutex<HashMap<String, String>>,
    /// Number of the item queued last.
    serial: AtomicU64,
    /// What is queued at the pump.
    queued: Mutex<Vec<Monitor>>,
    /// An item is about to hand over its last bytes.
    stirred: Notify,
    /// Something of the list was played, to its end or not: from then on the list is not given up.
    has_played: AtomicBool,
}

impl Desk {
    async fn tell(&self, news: News) {
        // Nobody listens any more when all is over.
        let _ = self.news.send(news).await;
    }

    /// Items queued at the pump that are not over, and what is held of them.
    fn ahead(&self) -> (usize, Duration) {
        let mut queued = self.queued.lock().unwrap_or_else(PoisonError::into_inner);
        queued.retain(|monitor| !monitor.is_over());
        let held = queued.iter().map(|monitor| monitor.buffered().duration);
        (queued.len(), held.sum())
    }

    /// Whether only what is kept is played.
    fn is_offline(&self) -> bool {
        let shelf = self.shelf.as_ref();
        self.list.is_offline() && shelf.is_some_and(|shelf| shelf.has_kept())
    }

    /// Whether an item lies on disk.
    fn is_saved(&self, item: &Item) -> bool {
        let shelf = self.shelf.as_ref();
        shelf.is_some_and(|shelf| shelf.get(item).is_some())
    }

    /// Whether a file is worth to be kept for the next cycle.
    fn comes_again(&self) -> bool {
        let settings = self.settings.borrow();
        settings.loop_enabled && settings.serve_mode() == ServeMode::Download
    }

    fn note_queued(&self, monitor: Monitor) {
        let mut queued = self.queued.lock().unwrap_or_else(PoisonError::into_inner);
        queued.push(monitor);
    }
}

/// How a task that played an item ended.
type PlayEnd = Result<(task::Id, (Turn, Result<(), Failure>)), JoinError>;

/// See the module.
pub(super) struct Driver {
    desk: Arc<Desk>,
    /// Items that are being played.
    plays: JoinSet<(Turn, Result<(), Failure>)>,
    /// The same, the oldest first; whether each is about to hand over its last bytes.
    running: VecDeque<(task::Id, Arc<AtomicBool>)>,
    /// The task that fetches what comes.
    fetching: Option<AbortOnDropHandle<()>>,
    rescues: Rescues,
    /// Where the next item is taken up, when it is the one.
    pub(super) resume: Option<(String, Duration)>,
    /// The same of the item that was left because the site went away.
    left: Option<(String, Duration)>,
    course: Course,
}

impl Driver {
    pub(super) async fn new(
        (context, id): (Arc<Context>, &str),
        settings: settings::Receiver<Settings>,
        list: Arc<SharedList>,
        (pump, headers): (PumpHandle, Headers),
        (news, programs): (mpsc::Sender<News>, TaskTracker),
    ) -> Self {
        let now = settings.borrow().clone();
        let shelf = match context.early.take(id, &now).await {
            Some(shelf) => Some(shelf),
            None => context.shelves.open(id, &now).await.map(Arc::new),
        };
        let desk = Desk {
            context,
            settings,
            list,
            pump,
            headers,
            programs,
            copied: Arc::default(),
            deciding: Arc::default(),
            news,
            shelf,
            fetching: Mutex::default(),
            told: Mutex::default(),
            serial: AtomicU64::new(0),
            queued: Mutex::default(),
            stirred: Notify::new(),
            has_played: AtomicBool::new(false),
        };
        Self {
            desk: Arc::new(desk),
            plays: JoinSet::new(),
            running: VecDeque::new(),
            fetching: None,
            rescues: Rescues::default(),
            resume: None,
            left: None,
            course: Course::default(),
        }
    }

    /// Plays until the list ends. Dropping it ends the programs that run.
    pub(super) async fn drive(mut self) {
        let list = Arc::clone(&self.desk.list);
        loop {
            self.until_wanted().await;
            let mut changed = pin!(list.changed.notified());
            changed.as_mut().enable();
            match self.next() {
                Next::Turn(turn) => self.begin(*turn),
                Next::Wait => tokio::select! {
                    () = changed => {}
                    ended = self.ended(), if self.is_busy() => self.take(ended).await,
                },
                Next::CycleEnd if self.must_wait() => {
                    let ended = self.ended().await;
                    self.take(ended).await;
                }
                Next::CycleEnd => {
                    if !self.end_cycle().await {
                        return;
                    }
                }
            }
        }
    }

    /// Returns when another item may begin.
    async fn until_wanted(&mut self) {
        let desk = Arc::clone(&self.desk);
        loop {
            let mut stirred = pin!(desk.stirred.notified());
            stirred.as_mut().enable();
            let has_place = match self.running.front() {
                None => true,
                Some((_, is_ending)) => {
                    self.running.len() == 1 && is_ending.load(Ordering::Relaxed)
                }
            };
            let (queued, held) = desk.ahead();
            let is_enough = queued >= MAX_QUEUED || held >= AHEAD;
            let due = self.course.pause.filter(|due| *due > Instant::now());
            if has_place && !is_enough && due.is_none() {
                return;
            }
            let look = due.filter(|_| has_place && !is_enough);
            let look = look.unwrap_or_else(|| Instant::now() + LOOK_EVERY);
            tokio::select! {
                () = stirred => {}
                ended = self.ended(), if self.is_busy() => self.take(ended).await,
                () = sleep_until(look), if is_enough || due.is_some() => {}
            }
        }
    }

    /// The items on disk.
    pub(super) fn shelf(&self) -> Option<Arc<Shelf>> {
        self.desk.shelf.clone()
    }

    fn begin(&mut self, turn: Turn) {
        self.fetch_ahead(&turn);
        let resume = self.resume.take();
        let resume = resume.filter(|(id, _)| *id == turn.item.video_id);
        let from = resume.map_or(Duration::ZERO, |(_, from)| from);
        let is_ending = Arc::new(AtomicBool::new(false));
        let play = play::play(Arc::clone(&self.desk), turn, from, Arc::clone(&is_ending));
        let id = self.plays.spawn(self.desk.programs.track_future(play)).id();
        self.running.push_back((id, is_ending));
    }

    /// What is next: an item that was fetched after all, or one of the list; while the site is away one that is kept, and
    /// when it is back what would have come.
    fn next(&mut self) -> Next {
        let desk = &self.desk;
        let is_offline = desk.is_offline();
        self.course.has_passed_over |= is_offline;
        let may = |item: &Item| !is_offline || desk.is_saved(item);
        let mut list = desk.list.lock();
        if !is_offline && list.go_back() {
            self.resume = self.left.take();
        }
        list.next(Instant::now(), may)
    }

    /// Whether the end of a cycle isn't its end yet.
    fn must_wait(&self) -> bool {
        let goes_on = self.desk.settings.borrow().loop_enabled && self.course.plays > 0;
        !self.plays.is_empty() || (self.rescues.is_busy() && !goes_on)
    }

    fn is_busy(&self) -> bool {
        !self.plays.is_empty() || self.rescues.is_busy()
    }

    /// Waits until an item has ended, or was fetched after all.
    async fn ended(&mut self) -> Ended {
        tokio::select! {
            Some(ended) = self.plays.join_next_with_id() => Ended::Play(ended),
            Some(ended) = self.rescues.ended() => Ended::Rescue(ended),
            else => Ended::Nothing,
        }
    }

    async fn take(&mut self, ended: Ended) {
        let (turn, fetched) = match ended {
            Ended::Play(ended) => return self.take_end(ended).await,
            Ended::Rescue(ended) => ended,
            Ended::Nothing => return,
        };
        let item = turn.item.video_id.clone();
        if fetched.is_err() {
            self.rescues.forget(&turn);
        }
        let news = match fetched.map(|()| self.desk.list.lock().put_before(turn)) {
            Ok(()) => News::Fetched(item),
            Err(message) => News::Line {
                line: format!("not fetched: {message}"),
                item,
            },
        };
        self.desk.tell(news).await;
    }

    /// Notes how an item fared.
    async fn take_end(&mut self, ended: PlayEnd) {
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        self.running.retain(|(running, _)| *running != id);
        let (turn, played) = match ended {
            Ok((_, played)) => played,
            Err(error) => {
                tracing::error!(%error, "playing an item broke");
                return self.note_failure().await;
            }
        };
        if let Some(shelf) = &self.desk.shelf {
            shelf.played(&turn.item, self.desk.comes_again());
        }
        let (state, reason, message) = match played {
            Ok(()) => {
                self.course.plays += 1;
                self.course.failures = 0;
                self.rescues.forget(&turn);
                (ItemState::Ok, None, String::new())
            }
            Err(failure) => {
                self.look_for_another_way(&turn, &failure).await;
                (failure.state, Some(failure.reason), failure.message)
            }
        };
        let fared = News::Fared {
            turn,
            state,
            reason,
            message,
        };
        self.desk.tell(fared).await;
        if state == ItemState::Failed {
            self.note_failure().await;
        }
    }
}

/// What has ended.
enum Ended {
    /// The playing of an item.
    Play(PlayEnd),
    /// The fetching of one, and why it failed, if it did.
    Rescue((Turn, Result<(), String>)),
    Nothing,
}

/// Waits until so much time has gone by since `began`.
async fn at_least(pause: Duration, began: Instant) {
    sleep(pause.saturating_sub(began.elapsed())).await;
}
