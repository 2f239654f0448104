//! The task of one broadcast: the only one that changes its state.

mod lists;
mod news;
mod readings;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::driver::{News, SharedList};
use super::live::Live;
use super::{COMMANDS, Command, Running};
use crate::broadcast::context::{About, Context, NoSlate};
use crate::broadcast::list::List;
use crate::broadcast::publisher::{Metadata, Target};
use crate::broadcast::pump::{self, PumpConfig, PumpEnd, PumpHandle};
use crate::broadcast::redact::Redactor;
use crate::broadcast::shelf::Shelf;
use crate::broadcast::{
    Broadcast, Effect, Event, Facts, LastError, LogLevel, LogSource, Notice, Position, ServeMode,
    Settings, Status, VideoMode,
};
use crate::config::Secret;
use crate::media::normalise;
use crate::task;
use lists::Read;
use readings::Readings;

/// News of the driver that may wait.
const NEWS: usize = 64;
/// How often the position is written while an item plays.
const POSITION_EVERY: Duration = Duration::from_secs(5);
/// How long nothing may play after the start (ruling 44).
const NOTHING_FOR: Duration = Duration::from_secs(45);
/// How long the pump may take to say good-bye: what is on its way by SRT arrives, and its program drains and is ended.
const GOOD_BYE: Duration = Duration::from_secs(10);
/// How long programs may take that are asked to end: two seconds, and they are killed.
const PROGRAMS_END: Duration = Duration::from_secs(5);
/// The seed's words for a list of which nothing plays.
const NOTHING_PLAYS: &str = "Failed to extract any video URLs";

/// Where a broadcast begins.
#[derive(Debug, Clone, Default)]
pub(in crate::broadcast) struct Begin {
    /// Where it was before; `None` for its first item.
    pub(in crate::broadcast) position: Option<Position>,
    /// Place of the first item, where it isn't the settings' own.
    pub(in crate::broadcast) index: Option<u32>,
}

/// See the module.
pub(in crate::broadcast) struct Actor {
    context: Arc<Context>,
    id: String,
    facts: Facts,
    settings: watch::Receiver<Settings>,
    redactor: Redactor,
    list: Arc<SharedList>,
    live: Arc<Mutex<Live>>,
    commands: mpsc::Receiver<Command>,
    news_sender: mpsc::Sender<News>,
    news: mpsc::Receiver<News>,
    readings: Readings,
    read: mpsc::Receiver<Read>,
    read_sender: mpsc::Sender<Read>,
    driver: Option<AbortOnDropHandle<()>>,
    /// The programs that run for it, and those that play and fetch items.
    programs: TaskTracker,
    /// Items on disk.
    shelf: Option<Arc<Shelf>>,
    /// Held to its end, so that others see when that is.
    _ended: watch::Sender<()>,
}

/// What the pump works on.
struct OnWire {
    handle: PumpHandle,
    events: mpsc::Receiver<pump::Event>,
    task: AbortOnDropHandle<PumpEnd>,
}

/// Why it ends well.
enum End {
    /// It was told to, or the server ends.
    Told,
    /// The list is over.
    ListOver,
}

/// Why it can't go on.
struct Fault {
    code: &'static str,
    message: String,
}

impl Fault {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code, message }
    }
}

impl Actor {
    /// A task for a broadcast that is `starting`; runs in the background to its end.
    pub(in crate::broadcast) fn spawn(
        context: Arc<Context>,
        broadcast: Broadcast,
        (target, key): (Target, Secret),
        begin: Begin,
    ) -> Running {
        let lifecycle = context.parts.lifecycle.clone();
        let (commands, command_receiver) = mpsc::channel(COMMANDS);
        let (settings, settings_receiver) = watch::channel(broadcast.settings.clone());
        let (ended, ended_receiver) = watch::channel(());
        let (news_sender, news) = mpsc::channel(NEWS);
        let (read_sender, read) = mpsc::channel(4);
        let earlier_ms = begin.position.as_ref().map_or(0, |before| before.on_air_ms);
        let (since, shown) = (context.now(), target.to_string());
        let live = Live::new(since, shown, earlier_ms, settings_receiver.clone());
        let live = Arc::new(Mutex::new(live));
        let cycle = begin.position.as_ref().map_or(0, |position| position.cycle);
        let seed = broadcast.settings.seed();
        let actor = Self {
            id: broadcast.id,
            facts: broadcast.facts,
            settings: settings_receiver,
            redactor: Redactor::new(Some(key.reveal())),
            list: Arc::new(SharedList::new(List::new(seed, cycle))),
            live: Arc::clone(&live),
            commands: command_receiver,
            news_sender,
            news,
            readings: Readings::default(),
            read,
            read_sender,
            driver: None,
            programs: TaskTracker::new(),
            shelf: None,
            _ended: ended,
            context,
        };
        lifecycle.spawn(actor.run(target, key, begin));
        Running {
            commands,
            settings: Arc::new(settings),
            live,
            ended: ended_receiver,
        }
    }

    async fn run(mut self, target: Target, key: Secret, begin: Begin) {
        self.log(LogLevel::Info, LogSource::Manager, "starting");
        let wire = match self.open(target, key, begin).await {
            Ok(Some(wire)) => wire,
            Ok(None) => {
                self.become_after(Event::Stop).await;
                self.leave_files().await;
                self.become_after(Event::Ended).await;
                return self.log(LogLevel::Info, LogSource::Manager, "stopped");
            }
            Err(fault) => {
                self.fail(fault).await;
                return self.leave_files().await;
            }
        };
        let OnWire {
            handle,
            mut events,
            mut task,
        } = wire;
        let ended = self.watch(&handle, &mut events, &mut task).await;
        self.driver = None;
        self.readings.clear();
        match ended {
            Err(fault) => {
                self.fail(fault).await;
                tokio::join!(finish(&handle, task), self.programs_end());
                return self.close_shelf().await;
            }
            Ok(End::Told) => self.note_position(),
            // The next start begins at the beginning.
            Ok(End::ListOver) => self.facts.position = None,
        }
        self.become_after(Event::Stop).await;
        tokio::join!(finish(&handle, task), self.programs_end());
        self.close_shelf().await;
        self.become_after(Event::Ended).await;
        self.log(LogLevel::Info, LogSource::Manager, "stopped");
    }

    /// Returns when no program runs any more, which all were asked to end, and nothing uses items on disk.
    async fn programs_end(&self) {
        self.programs.close();
        if timeout(PROGRAMS_END, self.programs.wait()).await.is_err() {
            tracing::error!(id = self.id, "a program of a broadcast doesn't end");
        }
    }

    /// Removes what goes with the run from the disk, so that the next one finds none of it.
    async fn close_shelf(&mut self) {
        if let Some(shelf) = self.shelf.take() {
            shelf.close().await;
        }
    }

    /// Removes what an earlier run left to this one, which has ended before it could take it up. What was fetched ahead
    /// for it waits for the next one.
    async fn leave_files(&self) {
        let is_kept = self.settings.borrow().serve_mode() == ServeMode::Hybrid;
        if !is_kept && self.context.early.shelf(&self.id).is_none() {
            self.context.shelves.forget(&self.id).await;
        }
    }

    /// Returns when it is told to end before it is on air.
    async fn told_to_stop(&mut self) {
        let soft = self.context.parts.lifecycle.soft.clone();
        loop {
            let command = tokio::select! {
                () = soft.cancelled() => return,
                command = self.commands.recv() => command,
            };
            // There is nothing to skip yet, and the list is about to be read.
            if matches!(command, None | Some(Command::Stop)) {
                return;
            }
        }
    }

    /// Brings everything up that is needed to send; `None` when it is told to stop meanwhile.
    async fn open(
        &mut self,
        target: Target,
        key: Secret,
        begin: Begin,
    ) -> Result<Option<OnWire>, Fault> {
        let settings = self.settings.borrow().clone();
        let account = self.context.check_account(&settings).await;
        account.map_err(|error| Fault::new("account_unavailable", format!("`account` {error}")))?;
        let context = Arc::clone(&self.context);
        let slate = tokio::select! {
            slate = context.slate(&settings.profile) => slate,
            () = self.told_to_stop() => return Ok(None),
        };
        let slate = slate.map_err(|error| self.no_slate(&error))?;
        let headers = slate.headers().clone();
        let config = PumpConfig {
            start_with_slate: settings.start_with_slate,
            give_up_after: self.context.parts.config.reconnect_max,
            resume: settings.resume,
            ..PumpConfig::new(slate, metadata(&settings))
        };
        let config = match settings.video_mode {
            VideoMode::Encode => config,
            // Items may be of any kind, each of its own.
            VideoMode::Copy => PumpConfig {
                metadata: None,
                ..config
            },
        };
        let way = settings.proxy.as_deref();
        let outlet = self.context.outlet(target, key, way).await;
        let outlet = outlet.map_err(|error| Fault::new(error.code(), error.to_string()))?;
        let (pump, handle, events) = pump::pump(config, outlet);
        let task = task::owned(pump.run());
        {
            let mut live = self.live();
            live.pump = Some(handle.clone());
            live.list = Some(Arc::clone(&self.list));
        }
        self.begin(&settings, begin, (handle.clone(), headers))
            .await;
        Ok(Some(OnWire {
            handle,
            events,
            task,
        }))
    }

    /// Lets it run until it ends: well, or by a fault.
    async fn watch(
        &mut self,
        handle: &PumpHandle,
        events: &mut mpsc::Receiver<pump::Event>,
        task: &mut AbortOnDropHandle<PumpEnd>,
    ) -> Result<End, Fault> {
        let soft = self.context.parts.lifecycle.soft.clone();
        let mut ticks = interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut written = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = soft.cancelled() => return Ok(End::Told),
                command = self.commands.recv() => match command {
                    None | Some(Command::Stop) => return Ok(End::Told),
                    Some(Command::Skip) => handle.skip(),
                    Some(Command::Refresh(answer)) => self.refresh(answer),
                },
                Some(news) = self.news.recv() => self.take_news(news).await?,
                Some(event) = events.recv() => self.take_event(event).await,
                Some(read) = self.read.recv() => self.take_read(read).await?,
                end = &mut *task => return self.take_end(end),
                _ = ticks.tick() => {
                    if written.elapsed() >= POSITION_EVERY {
                        written = Instant::now();
                        self.note_position();
                    }
                    self.check_start(handle)?;
                }
            }
        }
    }

    /// Something must play within a while, once there is somebody to play it to.
    fn check_start(&self, handle: &PumpHandle) -> Result<(), Fault> {
        let live = self.live();
        let connected_for = handle.status().connected_for;
        let is_late = connected_for.is_some_and(|time| time >= NOTHING_FOR);
        if is_late && live.status == Status::Starting {
            return Err(Fault::new("no_playable_items", NOTHING_PLAYS));
        }
        Ok(())
    }

    /// Ends it by a fault.
    async fn fail(&mut self, fault: Fault) {
        self.driver = None;
        self.readings.clear();
        let message = self.redactor.clean(&fault.message);
        let said = format!("failed: {}: {message}", fault.code);
        self.log(LogLevel::Error, LogSource::Manager, &said);
        self.facts.last_error = Some(LastError {
            code: fault.code.to_owned(),
            message,
            at: self.context.now(),
        });
        self.note_position();
        self.become_after(Event::Fault).await;
    }

    /// Changes the state: one write and one event each.
    async fn become_after(&mut self, event: Event) {
        let Some((status, effects)) = self.facts.status.after(event) else {
            return;
        };
        self.facts.status = status;
        let now = self.context.now();
        if effects.contains(&Effect::NoteEnd) {
            self.facts.stopped_at = Some(now.clone());
            self.facts.pid = None;
        }
        self.write_facts().await;
        {
            // Last, so that whoever sees it finds the record in accord with it.
            let mut live = self.live();
            if effects.contains(&Effect::NoteEnd) {
                live.queued.clear();
            }
            live.status = status;
            live.since.clone_from(&now);
        }
        let state = json!({"status": status, "at": now, "last_error": self.facts.last_error});
        self.context.bus.tell(&self.id, Notice::State(state));
    }

    async fn write_facts(&self) {
        let store = self.context.store();
        store.note_facts(&self.id, self.facts.clone()).await;
    }

    fn note_position(&mut self) {
        let position = {
            let mut live = self.live();
            live.note_offset();
            live.position()
        };
        if let Some(position) = position {
            self.facts.position = Some(position.clone());
            self.context.store().note_position(&self.id, position);
        }
    }

    fn no_slate(&self, error: &NoSlate) -> Fault {
        let encoder = self.context.parts.config.encoder.video;
        let message =
            format!("{error}: FFmpeg with {encoder} and aac is needed; `FFMPEG_PATH` names it");
        Fault::new("ffmpeg_missing", message)
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log(&self, level: LogLevel, source: LogSource, message: &str) {
        let message = self.redactor.clean(message);
        self.context
            .log(&self.id, level, source, About::from(message.as_str()));
    }

    fn log_item(&self, level: LogLevel, source: LogSource, item: &str, message: &str) {
        let message = self.redactor.clean(message);
        let about = About {
            item: Some(item),
            message: &message,
        };
        self.context.log(&self.id, level, source, about);
    }
}

/// Says good-bye to the target; a pump that doesn't end in time is dropped.
async fn finish(handle: &PumpHandle, mut task: AbortOnDropHandle<PumpEnd>) {
    if task.is_finished() {
        return;
    }
    handle.stop();
    let _ = timeout(GOOD_BYE, &mut task).await;
}

fn metadata(settings: &Settings) -> Metadata {
    let profile = &settings.profile;
    Metadata {
        width: profile.width,
        height: profile.height,
        fps: profile.fps,
        video_kbps: profile.video_kbps,
        audio_kbps: profile.audio_kbps,
        sample_rate: normalise::SAMPLE_RATE,
    }
}
