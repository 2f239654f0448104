//! Broadcasts that go on air and off it by themselves.
//!
//! The record says what comes next, and that is all there is to know: `next_start_at` is when it starts by itself, in the
//! past while that is due; `next_stop_at` is when what is on air by its schedule ends. A stop by hand takes the latter
//! away, so what still has it after a restart of the server was cut off, and goes on.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{Broadcasts, Start};
use crate::broadcast::run::{Command, Early};
use crate::broadcast::schedule::{Plan, Span};
use crate::broadcast::{Broadcast, Facts, LogLevel, Settings};

/// How often it is looked what is due.
const LOOKING: Duration = Duration::from_millis(500);
/// How long items may be fetched where that time has no end.
const LONGEST_FETCH: Duration = Duration::from_secs(24 * 3600);
/// Pause before a start that failed is tried again, while its time on air lasts.
const AGAIN: Duration = Duration::from_secs(30);

/// Schedules by the id of their broadcast.
pub(super) type Timetable = HashMap<String, Entry>;

/// One schedule, and what comes next of it.
#[derive(Debug)]
pub(super) struct Entry {
    plan: Plan,
    /// When items are fetched before, and how many.
    early: Option<(Plan, u32)>,
    times: Times,
    /// When a start that failed is tried again.
    again: Option<Instant>,
    /// Whether it was cut off, and goes on where it was.
    goes_on: bool,
}

/// What comes next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Times {
    start: Option<Timestamp>,
    stop: Option<Timestamp>,
    /// When items are fetched.
    early: Option<Timestamp>,
}

impl Times {
    fn of(facts: &Facts) -> Self {
        let read = |text: &Option<String>| text.as_ref()?.parse().ok();
        Self {
            start: read(&facts.next_start_at),
            stop: read(&facts.next_stop_at),
            early: read(&facts.next_prefetch_at),
        }
    }

    fn write(self, facts: &mut Facts) {
        let text = |time: Option<Timestamp>| time.map(|time| time.to_string());
        facts.next_start_at = text(self.start);
        facts.next_stop_at = text(self.stop);
        facts.next_prefetch_at = text(self.early);
    }
}

/// What is to be done now.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    Start {
        goes_on: bool,
    },
    Stop,
    /// So many items are fetched, until then.
    Fetch {
        count: u32,
        until: Option<Timestamp>,
    },
    /// Nothing but to note what comes next.
    Note,
}

impl Entry {
    /// Of these settings, which were accepted; `None` without a schedule.
    fn new(settings: &Settings, times: Times) -> Option<Self> {
        let schedule = settings.schedule.as_ref()?;
        let plan = Plan::new(schedule).ok()?;
        let early = Plan::early(schedule).ok()?;
        Some(Self {
            plan,
            early: early.zip(schedule.prefetch.as_ref().map(|prefetch| prefetch.items)),
            times,
            again: None,
            goes_on: false,
        })
    }

    /// What comes next when it is on air, or not, for other reasons than this schedule.
    fn begin(&mut self, now: Timestamp, is_on_air: bool) {
        let current = self.plan.current(now);
        let next = self.plan.next(now).map(|span| span.start);
        let (start, stop) = match current {
            Some(span) if is_on_air => (next, span.stop),
            Some(_) => (Some(now), None),
            None => (next, None),
        };
        self.note(now, start, stop);
        self.again = None;
        self.goes_on = false;
    }

    /// Nothing before the next time on air.
    fn pass(&mut self, now: Timestamp) {
        let start = self.plan.next(now).map(|span| span.start);
        self.note(now, start, None);
        self.again = None;
        self.goes_on = false;
    }

    /// After a restart of the server: a start that was missed is due, and so is what was cut off in a time on air that
    /// still lasts.
    fn resume(&mut self, now: Timestamp) {
        let is_due = self.times.start.is_some_and(|start| start <= now);
        self.goes_on = self.times.stop.is_some_and(|stop| now < stop);
        // The rules of the zone may have changed since they were kept.
        let next = self.plan.next(now).map(|span| span.start);
        let start = if is_due || self.goes_on {
            Some(now)
        } else {
            next
        };
        self.note(now, start, None);
    }

    fn note(&mut self, now: Timestamp, start: Option<Timestamp>, stop: Option<Timestamp>) {
        self.times = Times {
            start,
            stop,
            early: None,
        };
        self.note_early(now);
    }

    /// Notes when items are fetched next: at once where that time lasts.
    fn note_early(&mut self, now: Timestamp) {
        let early = self.early.as_ref().filter(|_| self.times.start.is_some());
        self.times.early = early.and_then(|(plan, _)| {
            let lasts = plan.current(now).map(|_| now);
            lasts.or_else(|| Some(plan.next(now)?.start))
        });
    }

    /// Whether items are to be fetched now; on air they are fetched as the run wants them.
    fn look_early(&mut self, now: Timestamp, is_on_air: bool) -> Option<Due> {
        self.times.early.filter(|early| *early <= now)?;
        let (plan, count) = self.early.as_ref()?;
        let span = plan.current(now).filter(|_| !is_on_air);
        self.times.early = plan.next(now).map(|span| span.start);
        let fetch = |span: Span| Due::Fetch {
            count: *count,
            until: span.stop,
        };
        Some(span.map_or(Due::Note, fetch))
    }

    /// What is due, and notes what comes next but for a start, which has to succeed first.
    fn look(&mut self, now: Timestamp, is_on_air: bool) -> Option<Due> {
        let is_past = |time: Option<Timestamp>| time.is_some_and(|time| time <= now);
        if is_past(self.times.stop) && is_on_air {
            self.pass(now);
            return Some(Due::Stop);
        }
        if self.times.stop.is_some() && !is_on_air {
            // It came to its end by itself.
            self.times.stop = None;
            return Some(Due::Note);
        }
        if !is_past(self.times.start) {
            return self.look_early(now, is_on_air);
        }
        if is_on_air || self.plan.current(now).is_none() {
            self.begin(now, is_on_air);
            return Some(Due::Note);
        }
        if self.again.is_some_and(|again| Instant::now() < again) {
            return None;
        }
        self.again = Some(Instant::now() + AGAIN);
        Some(Due::Start {
            goes_on: self.goes_on,
        })
    }
}

impl Broadcasts {
    /// Lets broadcasts go on air and off it at their times.
    pub async fn keep_times(self) {
        let mut ticks = interval(LOOKING);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut again = Instant::now() + AGAIN;
        loop {
            ticks.tick().await;
            if !self.parts().lifecycle.is_draining() {
                let is_time = again <= Instant::now();
                self.boot_again(is_time).await;
                if is_time {
                    again = Instant::now() + AGAIN;
                }
            }
            for (id, due) in self.due() {
                self.act(&id, due).await;
            }
        }
    }

    fn due(&self) -> Vec<(String, Due)> {
        if self.parts().lifecycle.is_draining() {
            return Vec::new();
        }
        let now = self.timestamp();
        let mut timetable = self.timetable();
        let due = timetable.iter_mut().filter_map(|(id, entry)| {
            let due = entry.look(now, self.running(id).is_some())?;
            Some((id.clone(), due))
        });
        due.collect()
    }

    async fn act(&self, id: &str, due: Due) {
        match due {
            Due::Stop => {
                self.log(id, LogLevel::Info, "its time on air is over");
                if let Some(running) = self.running(id) {
                    running.tell(Command::Stop).await;
                }
            }
            Due::Start { goes_on } => {
                self.log(id, LogLevel::Info, "its time on air has come");
                let start = Start {
                    index: None,
                    from_position: goes_on,
                };
                if let Err(error) = self.start(id, start).await {
                    self.log(id, LogLevel::Error, &format!("not started: {error}"));
                }
            }
            Due::Fetch { count, until } => Box::pin(self.fetch_early(id, count, until)).await,
            Due::Note => {}
        }
        self.write_times(id).await;
    }

    /// Writes what comes next of a schedule into its record.
    async fn write_times(&self, id: &str) {
        let times = self.timetable().get(id).map(|entry| entry.times);
        if let Some(times) = times {
            self.write_times_of(id, times).await;
        }
    }

    async fn write_times_of(&self, id: &str, times: Times) {
        let mut facts = Facts::new("");
        times.write(&mut facts);
        let times = [
            facts.next_start_at,
            facts.next_stop_at,
            facts.next_prefetch_at,
        ];
        self.store().note_times(id, times).await;
    }

    /// Takes up the schedule of a broadcast that is new, or was changed.
    pub(super) async fn schedule(&self, broadcast: &mut Broadcast) {
        let entry = Entry::new(&broadcast.settings, Times::default());
        let id = &broadcast.id;
        let is_on_air = self.running(id).is_some();
        let times = entry.map_or_else(Times::default, |mut entry| {
            entry.begin(self.timestamp(), is_on_air);
            let times = entry.times;
            self.timetable().insert(id.clone(), entry);
            times
        });
        if broadcast.settings.schedule.is_none() {
            self.timetable().remove(id);
        }
        times.write(&mut broadcast.facts);
        self.write_times_of(id, times).await;
    }

    /// Fetches the first items of a broadcast that isn't on air.
    async fn fetch_early(&self, id: &str, count: u32, until: Option<Timestamp>) {
        // So that nobody starts it meanwhile.
        let _starting = self.inner.starting.lock().await;
        let Ok(broadcast) = self.get(id).await else {
            return;
        };
        if self.running(id).is_some() {
            return;
        }
        let left = until.map(|until| until.duration_since(self.timestamp()).unsigned_abs());
        let within = left.unwrap_or(LONGEST_FETCH);
        self.log(id, LogLevel::Info, "its first items are fetched");
        Early::begin(&self.inner.context, &broadcast, count, within).await;
    }

    /// Gives up items that were fetched for what a broadcast was before it was changed, and fetches others.
    pub(super) async fn renew_early(&self, broadcast: &Broadcast) {
        let settings = &broadcast.settings;
        let schedule = settings.schedule.as_ref();
        let is_wanted = schedule.is_some_and(|schedule| schedule.prefetch.is_some());
        let early = &self.inner.context.early;
        let wanted = is_wanted.then_some(settings);
        if !early.forget_unless(&broadcast.id, wanted).await {
            return;
        }
        let now = self.timestamp();
        if let Some(entry) = self.timetable().get_mut(&broadcast.id) {
            entry.note_early(now);
        }
        self.write_times(&broadcast.id).await;
    }

    /// Notes that a broadcast was started; it ends with the time on air that it is in.
    pub(super) async fn note_start(&self, broadcast: &mut Broadcast) {
        let now = self.timestamp();
        let times = {
            let mut timetable = self.timetable();
            let Some(entry) = timetable.get_mut(&broadcast.id) else {
                return;
            };
            entry.begin(now, true);
            entry.times
        };
        times.write(&mut broadcast.facts);
        self.write_times(&broadcast.id).await;
    }

    /// Notes that a broadcast was ended by hand: until its next time on air it stays so.
    pub(super) async fn note_stop(&self, id: &str) {
        let now = self.timestamp();
        if let Some(entry) = self.timetable().get_mut(id) {
            entry.pass(now);
        }
        self.write_times(id).await;
    }

    /// Takes up the schedule of a broadcast after a restart of the server; whether it may be on air now.
    pub(super) fn resume_times(&self, broadcast: &Broadcast) -> bool {
        let kept = Times::of(&broadcast.facts);
        let Some(mut entry) = Entry::new(&broadcast.settings, kept) else {
            return true;
        };
        let now = self.timestamp();
        let is_time = entry.plan.current(now).is_some();
        entry.resume(now);
        self.timetable().insert(broadcast.id.clone(), entry);
        is_time
    }

    /// Whether no schedule keeps it off the air now.
    pub(super) fn may_be_on_air(&self, id: &str) -> bool {
        let now = self.timestamp();
        let timetable = self.timetable();
        let entry = timetable.get(id);
        entry.is_none_or(|entry| entry.plan.current(now).is_some())
    }

    /// Whether it is to go on air by itself some time.
    pub(super) fn is_awaited(&self, id: &str) -> bool {
        let timetable = self.timetable();
        timetable
            .get(id)
            .is_some_and(|entry| entry.times.start.is_some())
    }

    fn timestamp(&self) -> Timestamp {
        // Beyond the calendar there is nothing to be done.
        Timestamp::try_from(self.parts().clock.now()).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests;
