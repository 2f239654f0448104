//! Broadcasts on air: started, stopped, looked at.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::{Broadcasts, key_context, to_its_end};
use crate::broadcast::list::{EMPTY_LIST, List};
use crate::broadcast::publisher::{Scheme, Target};
use crate::broadcast::run::{Actor, Begin, Command, Reading, Running};
use crate::broadcast::{
    Broadcast, BroadcastError, Effect, Event, Item, LogLevel, ServeMode, Settings, StreamSource,
};
use crate::config::Secret;

/// How long a start waits for the run before to end.
const ENDING: Duration = Duration::from_secs(15);

/// How a broadcast is to begin.
#[derive(Debug, Clone, Copy, Default)]
pub struct Start {
    /// Place of the first item; `None` for the one that the record names.
    pub index: Option<u32>,
    /// Whether it goes on where it was.
    pub from_position: bool,
}

impl Broadcasts {
    /// Starts a broadcast; the record, and whether that was news.
    ///
    /// # Errors
    /// [`BroadcastError`]; nothing runs then.
    pub async fn start(&self, id: &str, start: Start) -> Result<(Broadcast, bool), BroadcastError> {
        let broadcast = self.get(id).await?;
        if let Some(running) = self.running(id) {
            let is_ending = running.live().is_ending();
            if !is_ending {
                return Ok((broadcast, false));
            }
            let _ = timeout(ENDING, running.over()).await;
        }
        let begun = to_its_end(self.clone().begin(id.to_owned(), start)).await;
        Ok((begun?, true))
    }

    async fn begin(self, id: String, start: Start) -> Result<Broadcast, BroadcastError> {
        let mut started = self.launch(&id, start).await?;
        self.note_start(&mut started).await;
        Ok(started)
    }

    async fn launch(&self, id: &str, start: Start) -> Result<Broadcast, BroadcastError> {
        let _starting = self.inner.starting.lock().await;
        // Another request may have been faster, or have changed it.
        let mut broadcast = self.get(id).await?;
        if self.running(id).is_some() {
            return Ok(broadcast);
        }
        let way = self.way_out(&broadcast).await?;
        self.check_way(&broadcast.settings)?;
        check_source(&broadcast.settings, self.parts().config.media_dir.is_some())?;
        let most = self.parts().config.max_running;
        self.reap();
        if self.all_running().len() >= most {
            return Err(BroadcastError::TooMany(most));
        }
        if self.parts().lifecycle.is_draining() {
            return Err(BroadcastError::Draining);
        }
        let Some((status, effects)) = broadcast.facts.status.after(Event::Start) else {
            // It is just ending.
            return Err(BroadcastError::Running(None));
        };
        broadcast.facts.status = status;
        if effects.contains(&Effect::NoteStart) {
            broadcast.facts.started_at = Some(self.now());
            broadcast.facts.stopped_at = None;
            broadcast.facts.last_error = None;
        }
        if !self.store().set_facts(id, broadcast.facts.clone()).await? {
            return Err(BroadcastError::NotFound);
        }
        let begin = Begin {
            position: broadcast
                .facts
                .position
                .clone()
                .filter(|_| start.from_position),
            index: start.index,
        };
        let context = Arc::clone(&self.inner.context);
        let running = Actor::spawn(context, broadcast.clone(), way, begin);
        self.all_running().insert(id.to_owned(), running);
        self.due_with_server().remove(id);
        Ok(broadcast)
    }

    /// Where it is sent, and under which key.
    async fn way_out(&self, broadcast: &Broadcast) -> Result<(Target, Secret), BroadcastError> {
        let needed = |field| BroadcastError::field(field, "is needed to start");
        let Some(target) = &broadcast.settings.target_url else {
            return Err(needed("target_url"));
        };
        let target = self.check_target(target)?;
        let Some(sealed) = &broadcast.sealed_key else {
            // A stream of SRT needs no name.
            return match target.scheme() {
                Scheme::Srt => Ok((target, Secret::new(String::new()))),
                _ => Err(needed("stream_key")),
            };
        };
        let context = key_context(&broadcast.id);
        let opened = self.parts().sealer.open_secret(&context, sealed).await;
        let key = opened.and_then(|key| String::from_utf8(key.to_vec()).ok());
        let key = key.ok_or(BroadcastError::KeyUnreadable)?;
        Ok((target, Secret::new(key)))
    }

    /// A target that may be dialled, as far as its address tells.
    pub(super) fn check_target(&self, target: &str) -> Result<Target, BroadcastError> {
        // The address that is kept has no key in it: none is looked for.
        let (target, _) = Target::parse(target, Some(""))
            .map_err(|error| BroadcastError::field("target_url", error))?;
        let config = self.parts().dialer.config();
        let checked = config.check(target.host(), target.port());
        checked.map_err(|refused| BroadcastError::TargetForbidden(refused.to_string()))?;
        Ok(target)
    }

    /// Ends a broadcast; whether it ran. Waits for its end so long.
    ///
    /// # Errors
    /// [`BroadcastError::NotFound`], or the database.
    pub async fn stop(
        &self,
        id: &str,
        wait: Duration,
    ) -> Result<(Broadcast, bool), BroadcastError> {
        self.get(id).await?;
        let running = self.running(id);
        self.note_stop(id).await;
        self.give_up_start(id).await;
        if let Some(running) = &running {
            running.tell(Command::Stop).await;
            let _ = timeout(wait, running.over()).await;
        }
        Ok((self.get(id).await?, running.is_some()))
    }

    /// Ends a broadcast if it runs, and starts it again.
    ///
    /// # Errors
    /// As [`Broadcasts::start`].
    pub async fn restart(&self, id: &str, start: Start) -> Result<Broadcast, BroadcastError> {
        self.get(id).await?;
        // Stopped, it could not be started again.
        self.store().check_writable()?;
        self.stop(id, ENDING).await?;
        Ok(self.start(id, start).await?.0)
    }

    /// Leaves the item that is on air.
    ///
    /// # Errors
    /// [`BroadcastError::NotRunning`] among others.
    pub async fn skip(&self, id: &str) -> Result<Broadcast, BroadcastError> {
        let broadcast = self.get(id).await?;
        let running = self.running(id).ok_or(BroadcastError::NotRunning)?;
        running.tell(Command::Skip).await;
        Ok(broadcast)
    }

    /// Reads the list anew; how many items came and went.
    ///
    /// # Errors
    /// [`BroadcastError::Playlist`] among others.
    pub async fn refresh(&self, id: &str) -> Result<(usize, usize), BroadcastError> {
        loop {
            let broadcast = self.get(id).await?;
            if let Some(running) = self.running(id) {
                let (answer, answered) = tokio::sync::oneshot::channel();
                running.tell(Command::Refresh(answer)).await;
                return answered.await.unwrap_or(Err(BroadcastError::NotRunning));
            }
            let list = &broadcast.settings.playlist_id;
            if list.is_none() {
                return Ok((0, 0));
            }
            let reading = Reading::anew(&self.inner.context, &broadcast.settings);
            let read = reading.rest().await.map_err(BroadcastError::Playlist)?;
            // That takes a while, in which it may have been deleted, started, or given another list.
            let _starting = self.inner.starting.lock().await;
            let now = self.get(id).await?;
            if self.running(id).is_none() && now.settings.playlist_id == *list {
                return self.compare(&now, read).await;
            }
        }
    }

    /// Compares the list of a broadcast that doesn't run with a newer reading.
    async fn compare(
        &self,
        broadcast: &Broadcast,
        read: Vec<Item>,
    ) -> Result<(usize, usize), BroadcastError> {
        let id = &broadcast.id;
        if read.is_empty() {
            self.log(id, LogLevel::Warn, EMPTY_LIST);
        }
        let mut list = List::new(None, 0);
        list.append(self.store().items(id).await?);
        let reread = list.refresh(read);
        self.store().set_items(id, list.items().to_vec()).await?;
        let context = &self.inner.context;
        if let Some(early) = context.early.shelf(id) {
            early.retain(list.items());
        } else if broadcast.settings.serve_mode() == ServeMode::Hybrid
            && let Some(shelf) = context.shelves.open(id, &broadcast.settings).await
        {
            shelf.retain(list.items());
            shelf.close().await;
        }
        Ok((reread.came, reread.gone))
    }

    /// What a broadcast is doing (broadcast.md §3.1).
    ///
    /// # Errors
    /// [`BroadcastError::NotFound`], or the database.
    pub async fn status(&self, id: &str) -> Result<Value, BroadcastError> {
        let live = self.running(id).map(|running| running.live().to_json());
        let broadcast = self.get(id).await?;
        let mut status = match live {
            Some(live) => live,
            None => json!({
                "status": broadcast.facts.status, "since": broadcast.facts.stopped_at, "uptime_s": 0,
                "pid": null, "pids": [], "now": null, "next": null, "output": null, "faults": null, "encoder": null,
            }),
        };
        if let Some(fields) = status.as_object_mut() {
            fields.insert("id".to_owned(), json!(id));
            fields.insert("last_error".to_owned(), json!(broadcast.facts.last_error));
            fields.insert("position".to_owned(), json!(broadcast.facts.position));
        }
        Ok(status)
    }

    /// Whether a broadcast of these fields could be started: reads the first page of its list and checks its target,
    /// without connecting and without making a record.
    ///
    /// # Errors
    /// What would be wrong.
    pub async fn validate(&self, mut fields: Map<String, Value>) -> Result<Value, BroadcastError> {
        self.check_usable().await?;
        let key = super::take_key(&mut fields)?;
        fields.retain(|_, value| !value.is_null());
        let read = Settings::read(fields, key.text());
        let (mut settings, _) = read.map_err(BroadcastError::Invalid)?;
        self.find_playlist(&mut settings)?;
        self.check_account(&settings).await?;
        self.check_way(&settings)?;
        self.check_address(&settings)?;
        let mut items = Vec::new();
        if settings.playlist_id.is_some() {
            let page = Reading::new(&self.inner.context, &settings).next().await;
            items = page.map_err(BroadcastError::Playlist)?.unwrap_or_default();
        }
        Ok(
            json!({"playlist_id": settings.playlist_id, "target_url": settings.target_url, "items": items}),
        )
    }
}

/// Whether its items can be had here.
fn check_source(settings: &Settings, has_files: bool) -> Result<(), BroadcastError> {
    if has_files || settings.stream_source != StreamSource::MediaFiles {
        return Ok(());
    }
    let message = "can't be played: `BROADCAST_MEDIA_DIR` is not set on this server";
    Err(BroadcastError::field("media_files", message))
}

impl Running {
    pub(super) fn live(&self) -> std::sync::MutexGuard<'_, crate::broadcast::run::Live> {
        let live = &self.live;
        live.lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
