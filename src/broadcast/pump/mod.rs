//! The pump: takes groups from the splicer when it is their time and sends them, through losses of the connection,
//! until it is told to stop or the list ends.
//!
//! It waits for nothing but the clock and the ingest. What is slow (resolving, starting a child, reaping it) happens
//! elsewhere and reaches it as items that are queued and sources that fill.

mod history;
mod meters;
mod status;
#[cfg(test)]
mod tests;
mod transmit;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc};

use super::Resume;
use super::pacing::Pacer;
use super::publisher::{Backoff, Connect, Metadata, PublishError, Publisher};
use super::source::Headers;
use super::splicer::{Change, Item, Slate, Splicer, Step};
use history::History;
use status::Gauges;
pub use status::PumpStatus;
use transmit::Interrupted;

/// Changes that are kept for whoever follows them. One that doesn't read so many has gone.
const MAX_EVENTS: usize = 1024;
/// How far tags leave before their time: the ingest's cushion.
const LEAD: Duration = Duration::from_millis(500);
/// A connection that has lasted so long was a good one: when it is lost, tries begin anew.
const STEADY: Duration = Duration::from_secs(10);
/// How often what nobody is there to get is left out, with [`Resume::Live`].
const LEAVE_OUT_EVERY: Duration = Duration::from_millis(200);
/// Waits between tries of a target that says no: it may still hold the session before. Three tries over 30 s.
const REJECTED_WAITS: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(20)];

/// What a pump needs besides a target.
#[derive(Debug, Clone)]
pub struct PumpConfig {
    /// Shown while nothing is ready.
    pub slate: Slate,
    /// What the ingest is told of the stream; `None` for what its configuration records say, item by item.
    pub metadata: Option<Metadata>,
    /// How far tags leave before their time.
    pub lead: Duration,
    /// Whether the slate goes out before a first item is ready.
    pub start_with_slate: bool,
    /// For how long a lost target is tried again; `None` for ever.
    pub give_up_after: Option<Duration>,
    /// What becomes of the media of a time without a connection.
    pub resume: Resume,
}

impl PumpConfig {
    /// The usual: half a second of cushion, the slate first, never giving up.
    pub fn new(slate: Slate, metadata: Metadata) -> Self {
        Self {
            slate,
            metadata: Some(metadata),
            lead: LEAD,
            start_with_slate: true,
            give_up_after: None,
            resume: Resume::All,
        }
    }
}

/// What happened. In order; none says a key.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The target wants media, and gets it.
    Connected,
    /// There is no connection: it was lost, or could not be made.
    Lost {
        /// Why.
        error: PublishError,
        /// When it is tried again.
        retry_in: Duration,
    },
    /// What is on air has changed.
    OnAir(Change),
}

/// Why a pump ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum PumpEnd {
    /// All items were sent and no further one comes.
    Finished,
    /// It was told to.
    Stopped,
    /// The target said no, three times over 30 s.
    Rejected(PublishError),
    /// The target must not be dialled.
    Forbidden(PublishError),
    /// The target stayed away for longer than it is waited for.
    GaveUp(PublishError),
}

#[derive(Debug)]
enum Command {
    Queue(Item),
    Skip,
    Finish,
    Stop,
}

#[derive(Debug)]
struct Shared {
    commands: Mutex<VecDeque<Command>>,
    wake: Notify,
    gauges: Mutex<Gauges>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that holds one of these panics half-way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Directs a pump from elsewhere. None of this waits.
#[derive(Debug, Clone)]
pub struct PumpHandle {
    shared: Arc<Shared>,
}

impl PumpHandle {
    /// Puts an item behind those that wait. It goes on air when those before have ended and its first group is there.
    pub fn queue(&self, item: Item) {
        self.command(Command::Queue(item));
    }

    /// Leaves the item on air after the group that is being sent.
    pub fn skip(&self) {
        self.command(Command::Skip);
    }

    /// Sends what is queued, then ends.
    pub fn finish(&self) {
        self.command(Command::Finish);
    }

    /// Says good-bye to the target, and ends.
    pub fn stop(&self) {
        self.command(Command::Stop);
    }

    /// Its figures now.
    pub fn status(&self) -> PumpStatus {
        lock(&self.shared.gauges).snapshot(Instant::now())
    }

    fn command(&self, command: Command) {
        lock(&self.shared.commands).push_back(command);
        self.shared.wake.notify_one();
    }
}

/// A pump, to be run as a task of its own.
pub struct Pump<C> {
    connect: C,
    config: PumpConfig,
    splicer: Splicer,
    pacer: Pacer,
    history: History,
    /// What the target was told last that a decoder needs.
    announced: Headers,
    shared: Arc<Shared>,
    events: mpsc::Sender<Event>,
    /// Whether this connection was told of.
    is_told: bool,
    /// What went on air before that.
    untold: Vec<Change>,
    is_stopping: bool,
}

/// A pump to what `connect` connects to, its handle, and what will happen to it.
pub fn pump<C: Connect>(
    config: PumpConfig,
    connect: C,
) -> (Pump<C>, PumpHandle, mpsc::Receiver<Event>) {
    let (events, receiver) = mpsc::channel(MAX_EVENTS);
    let shared = Arc::new(Shared {
        commands: Mutex::default(),
        wake: Notify::new(),
        gauges: Mutex::default(),
    });
    let handle = PumpHandle {
        shared: Arc::clone(&shared),
    };
    let pump = Pump {
        connect,
        splicer: Splicer::new(config.slate.clone(), config.start_with_slate),
        pacer: Pacer::new(config.lead),
        history: History::default(),
        announced: Headers::default(),
        config,
        shared,
        events,
        is_told: false,
        untold: Vec::new(),
        is_stopping: false,
    };
    (pump, handle, receiver)
}

impl<C: Connect> Pump<C> {
    /// Runs until the end.
    pub async fn run(mut self) -> PumpEnd {
        let mut lost = Loss::new(Instant::now());
        loop {
            let mut publisher = match self.connected(&mut lost).await {
                Ok(publisher) => publisher,
                Err(end) => return end,
            };
            let connected = Instant::now();
            let error = match self.transmit(&mut publisher).await {
                Interrupted::Lost(error) => error,
                Interrupted::Ended(end) => {
                    publisher.close().await;
                    self.gauges(|gauges| gauges.disconnected(Instant::now()));
                    return end;
                }
            };
            let now = Instant::now();
            self.history.lost(publisher.stats(), now, error.is_stall());
            self.gauges(|gauges| gauges.disconnected(now));
            drop(publisher);
            // One that is closed as soon as it is made is no better than none.
            if lost.is_first() || now.saturating_duration_since(connected) >= STEADY {
                lost = Loss::new(now);
            }
            if let Err(end) = self.pause(&mut lost, error).await {
                return end;
            }
        }
    }

    /// A connection, however many tries it takes.
    async fn connected(&mut self, lost: &mut Loss) -> Result<C::Publisher, PumpEnd> {
        loop {
            let error = match self.try_connect().await? {
                Ok(publisher) => return Ok(publisher),
                Err(error) => error,
            };
            self.pause(lost, error).await?;
        }
    }

    async fn try_connect(&mut self) -> Result<Result<C::Publisher, PublishError>, PumpEnd> {
        let shared = Arc::clone(&self.shared);
        let Self {
            connect,
            splicer,
            pacer,
            config,
            is_stopping,
            ..
        } = self;
        let connecting = connect.connect();
        tokio::pin!(connecting);
        loop {
            obey(&shared, splicer, is_stopping);
            if *is_stopping {
                return Err(PumpEnd::Stopped);
            }
            if leave_out(&shared, splicer, pacer, config.resume) {
                return Err(PumpEnd::Finished);
            }
            tokio::select! {
                result = &mut connecting => return Ok(result),
                () = shared.wake.notified() => {}
                () = tokio::time::sleep(LEAVE_OUT_EVERY), if config.resume == Resume::Live => {}
            }
        }
    }

    /// Waits before the next try.
    async fn pause(&mut self, lost: &mut Loss, error: PublishError) -> Result<(), PumpEnd> {
        let wait = lost.judge(&error, self.config.give_up_after, Instant::now());
        let retry_in = match wait {
            Ok(wait) => wait,
            Err(verdict) => return Err(verdict(error)),
        };
        self.tell(Event::Lost { error, retry_in });
        let until = tokio::time::Instant::now() + retry_in;
        loop {
            self.obey();
            if self.is_stopping {
                return Err(PumpEnd::Stopped);
            }
            if self.leave_out() {
                return Err(PumpEnd::Finished);
            }
            let is_live = self.config.resume == Resume::Live;
            tokio::select! {
                () = tokio::time::sleep_until(until) => return Ok(()),
                () = self.shared.wake.notified() => {}
                () = tokio::time::sleep(LEAVE_OUT_EVERY), if is_live => {}
            }
        }
    }

    fn obey(&mut self) {
        obey(&self.shared, &mut self.splicer, &mut self.is_stopping);
    }

    /// As the function of this name, and tells what has changed by it.
    fn leave_out(&mut self) -> bool {
        let resume = self.config.resume;
        let is_over = leave_out(&self.shared, &mut self.splicer, &self.pacer, resume);
        for change in self.splicer.take_changes() {
            self.tell(Event::OnAir(change));
        }
        is_over
    }

    fn tell(&self, event: Event) {
        if self.events.try_send(event).is_err() {
            tracing::debug!("nobody follows the broadcast's changes");
        }
    }

    fn gauges(&self, change: impl FnOnce(&mut Gauges)) {
        change(&mut lock(&self.shared.gauges));
    }
}

fn obey(shared: &Shared, splicer: &mut Splicer, is_stopping: &mut bool) {
    for command in lock(&shared.commands).drain(..) {
        match command {
            Command::Queue(item) => splicer.queue(item),
            Command::Skip => splicer.skip(),
            Command::Finish => splicer.finish(),
            Command::Stop => *is_stopping = true,
        }
    }
}

/// With [`Resume::Live`]: takes away the groups that should have begun by now, so that items go on in time though nobody
/// gets them. Whether the list has come to its end by that.
fn leave_out(shared: &Shared, splicer: &mut Splicer, pacer: &Pacer, resume: Resume) -> bool {
    let plays = pacer.plays(Instant::now());
    let Some(plays) = plays.filter(|_| resume == Resume::Live) else {
        return false;
    };
    while splicer.end() < plays {
        match splicer.step() {
            Step::Unit(unit) => lock(&shared.gauges).left_out(&unit),
            Step::Waiting => return false,
            Step::Finished => return true,
        }
    }
    false
}

/// A time without a connection.
#[derive(Debug)]
struct Loss {
    began: Instant,
    backoff: Backoff,
    tries: u32,
    rejections: usize,
}

impl Loss {
    fn new(now: Instant) -> Self {
        Self {
            began: now,
            backoff: Backoff::new(now),
            tries: 0,
            rejections: 0,
        }
    }

    /// Whether nothing was tried yet.
    fn is_first(&self) -> bool {
        self.tries == 0
    }

    /// How long to wait before the next try, or how it ends.
    fn judge(
        &mut self,
        error: &PublishError,
        give_up_after: Option<Duration>,
        now: Instant,
    ) -> Result<Duration, fn(PublishError) -> PumpEnd> {
        self.tries = self.tries.saturating_add(1);
        if error.is_forbidden() {
            return Err(PumpEnd::Forbidden);
        }
        if give_up_after.is_some_and(|limit| now.saturating_duration_since(self.began) >= limit) {
            return Err(PumpEnd::GaveUp);
        }
        if !error.is_rejection() {
            return Ok(self.backoff.next(now, rand::random()));
        }
        let wait = REJECTED_WAITS.get(self.rejections).copied();
        self.rejections += 1;
        wait.ok_or(PumpEnd::Rejected)
    }
}
