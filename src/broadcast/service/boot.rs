//! What a server does with broadcasts when it starts: tidies up after the one before, and goes on.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};

use super::{Broadcasts, Start};
use crate::broadcast::{
    Broadcast, BroadcastError, LastError, LogLevel, ServeMode, Status, StreamSource,
};

impl Broadcasts {
    /// Tidies up what an earlier process left, and starts what is to start with the server. What fails of one broadcast is
    /// told, and is no matter of the others.
    pub async fn boot(&self) {
        if let Err(error) = self.take_up().await {
            tracing::error!(%error, "broadcasts not started");
        }
    }

    /// Starts what is still to start with the server; all of it, where the database couldn't be read so far.
    pub(super) async fn boot_again(&self, is_time: bool) {
        if !self.inner.is_booted.load(Ordering::Relaxed) {
            // It was told before.
            let _ = self.take_up().await;
        } else if is_time {
            self.start_due().await;
        }
    }

    async fn take_up(&self) -> Result<(), BroadcastError> {
        self.check_usable().await?;
        let context = &self.inner.context;
        // Before the records are read, so that none can be of one that is made meanwhile.
        let on_disk = context.shelves.ids().await;
        let ids = self.store().ids().await?;
        self.inner.is_booted.store(true, Ordering::Relaxed);
        context.shelves.sweep(on_disk, &ids).await;
        for id in ids {
            if let Err(error) = self.tidy(&id).await {
                tracing::error!(id, %error, "broadcast not tidied up");
                context.shelves.count(&id).await;
            }
        }
        // All that lies on disk is counted by now.
        self.start_due().await;
        Ok(())
    }

    /// Starts what is still to start with the server. What the database refuses stays to be started.
    async fn start_due(&self) {
        let due = self.due_with_server().clone();
        for id in due {
            let Err(error) = self.start_with_server(&id).await else {
                continue;
            };
            self.log(&id, LogLevel::Error, &format!("not started: {error}"));
            // What it has on disk serves the next try, or the next server.
            if !matches!(error, BroadcastError::Store(_) | BroadcastError::Draining) {
                self.give_up_start(&id).await;
            }
        }
    }

    /// Starts one, unless what its record says has changed meanwhile.
    async fn start_with_server(&self, id: &str) -> Result<(), BroadcastError> {
        let is_wanted = match self.get(id).await {
            Ok(broadcast) => broadcast.settings.autostart && self.may_be_on_air(id),
            Err(BroadcastError::NotFound) => false,
            Err(error) => return Err(error),
        };
        if !is_wanted {
            self.give_up_start(id).await;
            return Ok(());
        }
        // Somebody may have started or stopped it since the others were.
        if !self.due_with_server().contains(id) {
            return Ok(());
        }
        let start = Start {
            index: None,
            from_position: true,
        };
        self.start(id, start).await.map(drop)
    }

    /// Those that are to start with the server and haven't yet.
    pub(super) fn due_with_server(&self) -> MutexGuard<'_, BTreeSet<String>> {
        let due = &self.inner.due_with_server;
        due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A broadcast doesn't start with the server any more, if it was to.
    pub(super) async fn give_up_start(&self, id: &str) {
        let was_due = self.due_with_server().remove(id);
        if was_due {
            self.leave(id).await;
        }
    }

    /// Tidies up what an earlier process left of a broadcast, and notes whether it is to start with the server. Requests
    /// are answered already: one that was started meanwhile is on air, and one that was deleted is no more.
    async fn tidy(&self, id: &str) -> Result<(), BroadcastError> {
        let _starting = self.inner.starting.lock().await;
        let Some(mut broadcast) = self.store().broadcast(id).await? else {
            return Ok(());
        };
        if self.running(id).is_some() {
            return Ok(());
        }
        if broadcast.facts.status.is_active() {
            broadcast.facts.status = Status::Stopped;
            broadcast.facts.pid = None;
            broadcast.facts.stopped_at = Some(self.now());
            broadcast.facts.last_error = Some(LastError {
                code: "interrupted".to_owned(),
                message: "the server ended while it was on air".to_owned(),
                at: self.now(),
            });
            self.store().note_facts(id, broadcast.facts.clone()).await;
            self.log(id, LogLevel::Warn, "interrupted by the end of the server");
        }
        let is_time = self.resume_times(&broadcast);
        let is_due = broadcast.settings.autostart && is_time;
        if is_due {
            self.due_with_server().insert(id.to_owned());
        }
        self.tidy_files(&broadcast, is_due).await;
        Ok(())
    }

    /// Counts what lies on disk of a broadcast that doesn't run, or removes it where no run will take it up; one that
    /// `is_due` will be.
    async fn tidy_files(&self, broadcast: &Broadcast, is_due: bool) {
        let (id, settings) = (&broadcast.id, &broadcast.settings);
        let is_wanted = match settings.serve_mode() {
            _ if settings.stream_source == StreamSource::MediaFiles => false,
            ServeMode::Hybrid => true,
            ServeMode::Download => is_due || self.is_awaited(id),
            ServeMode::Direct => false,
        };
        let shelves = &self.inner.context.shelves;
        if is_wanted {
            shelves.count(id).await;
        } else {
            shelves.forget(id).await;
        }
    }

    /// A broadcast that was to go on is not started after all.
    async fn leave(&self, id: &str) {
        let _starting = self.inner.starting.lock().await;
        match self.store().broadcast(id).await {
            Ok(Some(broadcast)) if self.running(id).is_none() => {
                self.tidy_files(&broadcast, false).await;
            }
            // It was started by somebody else, or deleted.
            Ok(_) => {}
            Err(error) => tracing::error!(id, %error, "broadcast not tidied up"),
        }
    }
}
