//! What the task of a broadcast makes of what it hears.

use serde_json::json;
use tokio::time::Instant;

use super::{Actor, End, Fault, NOTHING_PLAYS};
use crate::broadcast::pump::{self, PumpEnd};
use crate::broadcast::run::driver::News;
use crate::broadcast::run::live::{OnAir, Queued};
use crate::broadcast::splicer::Change;
use crate::broadcast::{Event, Item, ItemState, LogLevel, LogSource, Notice};

impl Actor {
    pub(super) async fn take_news(&mut self, news: News) -> Result<(), Fault> {
        match news {
            News::Queued {
                serial,
                turn,
                duration,
                title,
                source,
                monitor,
            } => {
                let ord = turn.item.ord;
                let item = OnAir {
                    index: turn.index,
                    cycle: turn.cycle,
                    id: turn.item.video_id,
                    title,
                    duration,
                    source,
                };
                let queued = Queued::new(item, monitor);
                self.live().queued.insert(serial, queued);
                self.list.lock().found(ord);
            }
            News::Source { serial, source } => self.live().note_source(serial, source),
            News::Child { serial, pid } => {
                self.live().note_child(serial, pid);
                self.write_pid().await;
            }
            News::Fetched(item) => {
                self.log_item(LogLevel::Info, LogSource::Resolver, &item, "fetched ahead");
            }
            News::Direct(item) => {
                let message = "not on disk: played as it comes";
                self.log_item(LogLevel::Info, LogSource::Resolver, &item, message);
            }
            News::Kept(item) => {
                self.log_item(LogLevel::Info, LogSource::Resolver, &item, "kept");
            }
            News::Offline => self.take_offline(),
            News::Report { serial, report } => self.live().note_report(serial, report),
            News::Line { item, line } => {
                self.log_item(LogLevel::Warn, LogSource::Normaliser, &item, &line);
            }
            News::Fared {
                turn,
                state,
                reason,
                message,
            } => {
                self.take_fared(&turn.item, state, reason, &message).await;
            }
            News::Resumed(count) => self.live().resumes += count,
            News::Refreshed(count) => self.live().refreshes += count,
            News::Pausing { failures, pause } => {
                let message = format!(
                    "{failures} items failed in a row, next try in {} s",
                    pause.as_secs()
                );
                self.log(LogLevel::Warn, LogSource::Manager, &message);
            }
            News::NothingPlays => return Err(Fault::new("no_playable_items", NOTHING_PLAYS)),
            News::BackingOff(pause) => {
                let message = format!(
                    "nothing in the list can be played, next try in {} s",
                    pause.as_secs()
                );
                self.log(LogLevel::Warn, LogSource::Manager, &message);
            }
        }
        Ok(())
    }

    pub(super) async fn take_fared(
        &mut self,
        item: &Item,
        state: ItemState,
        reason: Option<&'static str>,
        message: &str,
    ) {
        let now = self.context.now();
        let now = (now.as_str(), Instant::now());
        let noted = self.list.lock().note(item.ord, state, reason, now);
        let is_news = noted.as_ref().is_some_and(|noted| noted.is_news);
        match state {
            ItemState::Skipped => self.live().skipped += 1,
            ItemState::Failed => {
                let mut live = self.live();
                live.failures += 1;
                live.skipped += 1;
            }
            ItemState::Ok => self.live().played += 1,
            ItemState::Pending => {}
        }
        // What still can't be played was told when that was found out.
        if let Some(reason) = reason.filter(|_| is_news || state == ItemState::Failed) {
            let message = format!("{reason}: {message}");
            self.log_item(
                LogLevel::Warn,
                LogSource::Resolver,
                &item.video_id,
                &message,
            );
        }
        if let Some(noted) = noted {
            self.context.store().note_item(&self.id, noted.item).await;
        }
    }

    pub(super) async fn take_event(&mut self, event: pump::Event) {
        match event {
            pump::Event::Connected => {
                self.log(LogLevel::Info, LogSource::Publisher, "connected");
                self.become_after(Event::TargetBack).await;
            }
            pump::Event::Lost { error, retry_in } => {
                let message = format!(
                    "target lost: {error}; next try in {} ms",
                    retry_in.as_millis()
                );
                self.log(LogLevel::Warn, LogSource::Publisher, &message);
                self.become_after(Event::TargetLost).await;
            }
            pump::Event::OnAir(Change::Started(id)) => self.item_started(id).await,
            pump::Event::OnAir(Change::Ended { id, .. }) => {
                self.live().queued.remove(&id);
                self.write_pid().await;
            }
            pump::Event::OnAir(Change::SlateOn | Change::SlateOff) => {}
        }
    }

    /// Writes which program works on the item on air, if that is another one.
    async fn write_pid(&mut self) {
        let pid = self.live().pid();
        if self.facts.pid != pid {
            self.facts.pid = pid;
            self.write_facts().await;
        }
    }

    pub(super) async fn item_started(&mut self, serial: u64) {
        let queued = self
            .live()
            .queued
            .get(&serial)
            .map(|queued| queued.item.clone());
        let Some(on_air) = queued else {
            return;
        };
        let message = json!({"index": on_air.index, "cycle": on_air.cycle, "id": on_air.id, "title": on_air.title});
        let is_new = self.live().take_on_air(serial, on_air.clone());
        if is_new {
            let said = self.redactor.clean(&on_air.title);
            self.log_item(
                LogLevel::Info,
                LogSource::Manager,
                &on_air.id,
                &format!("on air: {said}"),
            );
            self.context.bus.tell(&self.id, Notice::Item(message));
        }
        self.note_position();
        self.become_after(Event::OnAir).await;
    }

    pub(super) fn take_end(
        &self,
        end: Result<PumpEnd, tokio::task::JoinError>,
    ) -> Result<End, Fault> {
        let (code, error) = match end {
            Ok(PumpEnd::Finished) => return Ok(End::ListOver),
            Ok(PumpEnd::Stopped) => return Ok(End::Told),
            Ok(PumpEnd::Rejected(error)) => ("target_rejected", error),
            Ok(PumpEnd::Forbidden(error)) => ("target_forbidden", error),
            Ok(PumpEnd::GaveUp(error)) => ("target_unreachable", error),
            Err(_) => return Err(Fault::new("internal", "the sender broke; the log says how")),
        };
        Err(Fault::new(code, self.redactor.clean(&error.to_string())))
    }
}
