//! Broadcasts changed and deleted, while others start and change them too.

use serde_json::{Map, Value};
use tokio::sync::MutexGuard;

use super::{Broadcasts, KEY, KeyChange, take_key, to_its_end};
use crate::broadcast::run::Command;
use crate::broadcast::{Broadcast, BroadcastError, LogLevel, Settings};

/// Fields that take effect on a broadcast that runs.
const LIVE_FIELDS: [&str; 7] = [
    "title",
    "description",
    "loop_enabled",
    "shuffle_playlist",
    "on_item_failure",
    "max_item_minutes",
    "schedule",
];

impl Broadcasts {
    /// Changes a broadcast by a merge patch (RFC 7396).
    ///
    /// # Errors
    /// [`BroadcastError::NotFound`], [`BroadcastError::Invalid`], or the database.
    pub async fn change(
        &self,
        id: &str,
        patch: Map<String, Value>,
    ) -> Result<Broadcast, BroadcastError> {
        to_its_end(self.clone().merge_in(id.to_owned(), patch)).await
    }

    async fn merge_in(
        self,
        id: String,
        mut patch: Map<String, Value>,
    ) -> Result<Broadcast, BroadcastError> {
        // From what is read to what is written: others change and start it too.
        let _starting = self.inner.starting.lock().await;
        let mut broadcast = self.get(&id).await?;
        let key = take_key(&mut patch)?;
        let has_target = patch.contains_key("target_url");
        let mut fields = broadcast.settings.to_map();
        for (name, value) in patch {
            merge(&mut fields, name, value);
        }
        // The address that is kept has no key in it: none is looked for.
        let given = key.text().or((!has_target).then_some(""));
        let read = Settings::read(fields, given).map_err(BroadcastError::Invalid)?;
        let (mut settings, found) = read;
        let found = found.filter(|found| !found.reveal().is_empty());
        self.find_playlist(&mut settings)?;
        self.check_way(&settings)?;
        self.check_address(&settings)?;
        if settings.account != broadcast.settings.account {
            self.check_account(&settings).await?;
        }
        let running = self.running(&id);
        if running.is_some() {
            let has_key = found.is_some() || matches!(key, KeyChange::Clear);
            check_live(&broadcast.settings, &settings, has_key)?;
        }
        let is_running = running.is_some();
        let is_kept_alike = settings.is_kept_alike(&broadcast.settings);
        let is_other_schedule = settings.schedule != broadcast.settings.schedule;
        let is_other_list = settings.playlist_id != broadcast.settings.playlist_id
            || settings.media_files != broadcast.settings.media_files;
        broadcast.settings = settings;
        broadcast.facts.updated_at = self.now();
        if matches!(key, KeyChange::Clear) {
            (broadcast.sealed_key, broadcast.facts.stream_key_hint) = (None, None);
        }
        self.set_key(&mut broadcast, found).await?;
        let updated = self.store().update(broadcast.clone(), is_other_list);
        if !updated.await? {
            return Err(BroadcastError::NotFound);
        }
        if is_other_list {
            broadcast.facts.position = None;
        }
        if let Some(running) = running {
            running.change(broadcast.settings.clone());
        }
        if is_other_schedule {
            self.schedule(&mut broadcast).await;
        }
        self.renew_early(&broadcast).await;
        if !is_running && !is_kept_alike {
            self.inner.context.shelves.forget(&id).await;
        }
        self.log(&id, LogLevel::Info, "changed");
        Ok(broadcast)
    }

    /// Takes a broadcast away with its items and its log; `is_forced` ends it before.
    ///
    /// # Errors
    /// [`BroadcastError::NotFound`], [`BroadcastError::Running`], or the database.
    pub async fn delete(&self, id: &str, is_forced: bool) -> Result<(), BroadcastError> {
        to_its_end(self.clone().take_away(id.to_owned(), is_forced)).await
    }

    async fn take_away(self, id: String, is_forced: bool) -> Result<(), BroadcastError> {
        let starting = self.idle(&id, is_forced).await?;
        if !self.store().delete(&id).await? {
            return Err(BroadcastError::NotFound);
        }
        self.timetable().remove(&id);
        // None are fetched for it any more.
        self.inner.context.early.forget_unless(&id, None).await;
        drop(starting);
        self.inner.context.shelves.forget(&id).await;
        self.inner.context.bus.close(&id);
        Ok(())
    }

    /// Waits until a broadcast doesn't run; nobody starts it while the guard is held. `is_forced` ends it, as often as
    /// others start it meanwhile.
    async fn idle(&self, id: &str, is_forced: bool) -> Result<MutexGuard<'_, ()>, BroadcastError> {
        loop {
            let starting = self.inner.starting.lock().await;
            self.get(id).await?;
            let Some(running) = self.running(id) else {
                return Ok(starting);
            };
            if !is_forced {
                return Err(BroadcastError::Running(None));
            }
            // Stopped, it could not be deleted.
            self.store().check_writable()?;
            // Its end takes seconds, in which others may be started.
            drop(starting);
            running.tell(Command::Stop).await;
            running.over().await;
        }
    }
}

/// On a broadcast that runs only some fields may change.
fn check_live(old: &Settings, new: &Settings, has_key: bool) -> Result<(), BroadcastError> {
    let mut changed = old.differences(new);
    changed.retain(|field| !LIVE_FIELDS.contains(&field.as_str()));
    if has_key {
        changed.push(KEY.to_owned());
    }
    match changed.pop() {
        Some(field) => Err(BroadcastError::Running(Some(field))),
        None => Ok(()),
    }
}

/// RFC 7396 §2: null takes a member away, so that it has its default again; objects are merged.
fn merge(fields: &mut Map<String, Value>, name: String, value: Value) {
    match (value, fields.get_mut(&name)) {
        (Value::Null, _) => {
            fields.remove(&name);
        }
        (Value::Object(patch), Some(Value::Object(inner))) => {
            for (name, value) in patch {
                merge(inner, name, value);
            }
        }
        (value, _) => {
            fields.insert(name, value);
        }
    }
}
