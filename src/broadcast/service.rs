//! What may be done with broadcasts.

use std::sync::Arc;

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::OnceCell;

use super::bus::Bus;
use super::record::hint;
use super::{
    Broadcast, BroadcastError, Facts, Follower, Item, LogLevel, LogQuery, LogRow, LogSource,
    Notice, Settings, Status, Store, StoreError, id, target,
};
use crate::clock::Clock;
use crate::links::Sealer;
use crate::services::Lister;

/// The field that never comes out again.
const KEY: &str = "stream_key";

/// What broadcasts are made of.
pub struct Parts {
    /// What is kept of them.
    pub store: Store,
    /// Seals their keys.
    pub sealer: Arc<Sealer>,
    /// Knows the lists of sites.
    pub lister: Lister,
    /// The time of day.
    pub clock: Clock,
}

/// Broadcasts. Cheap to clone.
#[derive(Clone)]
pub struct Broadcasts {
    inner: Arc<Inner>,
}

struct Inner {
    parts: Parts,
    bus: Bus,
    /// Whether the database fits to the server's key; found out once.
    usable: OnceCell<Result<(), BroadcastError>>,
}

/// What a request says of the stream key.
enum KeyChange {
    Keep,
    Clear,
    Set(String),
}

impl Broadcasts {
    /// Broadcasts over these parts.
    pub fn new(parts: Parts) -> Self {
        Self {
            inner: Arc::new(Inner {
                parts,
                bus: Bus::default(),
                usable: OnceCell::new(),
            }),
        }
    }

    /// Makes a broadcast.
    ///
    /// # Errors
    /// [`BroadcastError::Invalid`], or the database.
    pub async fn create(
        &self,
        mut fields: Map<String, Value>,
    ) -> Result<Broadcast, BroadcastError> {
        self.check_usable().await?;
        let key = take_key(&mut fields)?;
        let (mut settings, found) = Settings::read(fields).map_err(BroadcastError::Invalid)?;
        self.find_playlist(&mut settings)?;
        // Exact in the numbers of every client.
        settings
            .shuffle_seed
            .get_or_insert_with(|| rand::random::<u64>() >> 11);
        let now = self.now();
        let mut broadcast = Broadcast {
            id: id::new(self.inner.parts.clock.unix()),
            settings,
            sealed_key: None,
            facts: Facts::new(&now),
        };
        self.set_key(&mut broadcast, key, found).await?;
        self.store().insert(broadcast.clone()).await?;
        self.log(&broadcast.id, LogLevel::Info, "created");
        Ok(broadcast)
    }

    /// One broadcast.
    ///
    /// # Errors
    /// [`BroadcastError::NotFound`], or the database.
    pub async fn get(&self, id: &str) -> Result<Broadcast, BroadcastError> {
        self.check_usable().await?;
        if !id::is_id(id) {
            return Err(BroadcastError::NotFound);
        }
        let found = self.store().broadcast(id).await?;
        found.ok_or(BroadcastError::NotFound)
    }

    /// Broadcasts in the order in which they were made, from behind the id `after` on, and whether more follow.
    ///
    /// # Errors
    /// The database.
    pub async fn list(
        &self,
        status: Option<Status>,
        after: Option<String>,
        limit: usize,
    ) -> Result<(Vec<Broadcast>, bool), BroadcastError> {
        self.check_usable().await?;
        let mut found = self.store().broadcasts(status, after, limit + 1).await?;
        let has_more = found.len() > limit;
        found.truncate(limit);
        Ok((found, has_more))
    }

    /// Changes a broadcast by a merge patch (RFC 7396).
    ///
    /// # Errors
    /// [`BroadcastError::NotFound`], [`BroadcastError::Invalid`], or the database.
    pub async fn change(
        &self,
        id: &str,
        mut patch: Map<String, Value>,
    ) -> Result<Broadcast, BroadcastError> {
        let mut broadcast = self.get(id).await?;
        let key = take_key(&mut patch)?;
        let mut fields = broadcast.settings.to_map();
        for (name, value) in patch {
            merge(&mut fields, name, value);
        }
        let (mut settings, found) = Settings::read(fields).map_err(BroadcastError::Invalid)?;
        self.find_playlist(&mut settings)?;
        let is_other_list = settings.playlist_id != broadcast.settings.playlist_id
            || settings.media_files != broadcast.settings.media_files;
        broadcast.settings = settings;
        broadcast.facts.updated_at = self.now();
        if is_other_list {
            broadcast.facts.position = None;
            self.store().set_items(id, Vec::new()).await?;
        }
        self.set_key(&mut broadcast, key, found).await?;
        if !self.store().update(broadcast.clone()).await? {
            return Err(BroadcastError::NotFound);
        }
        self.log(id, LogLevel::Info, "changed");
        Ok(broadcast)
    }

    /// Takes a broadcast away with its items and its log.
    ///
    /// # Errors
    /// [`BroadcastError::NotFound`], or the database.
    pub async fn delete(&self, id: &str) -> Result<(), BroadcastError> {
        self.get(id).await?;
        if !self.store().delete(id).await? {
            return Err(BroadcastError::NotFound);
        }
        self.inner.bus.close(id);
        Ok(())
    }

    /// The items of its list, as far as they are known.
    ///
    /// # Errors
    /// [`BroadcastError::NotFound`], or the database.
    pub async fn items(&self, id: &str) -> Result<Vec<Item>, BroadcastError> {
        self.get(id).await?;
        Ok(self.store().items(id).await?)
    }

    /// Rows of its log.
    ///
    /// # Errors
    /// [`BroadcastError::NotFound`], or the database.
    pub async fn logs(&self, id: &str, query: LogQuery) -> Result<Vec<LogRow>, BroadcastError> {
        self.get(id).await?;
        Ok(self.store().logs(id, query).await?)
    }

    /// Its news from now on.
    ///
    /// # Errors
    /// [`BroadcastError::NotFound`], [`BroadcastError::TooManyFollowers`], or the database.
    pub async fn follow(&self, id: &str) -> Result<Follower, BroadcastError> {
        self.get(id).await?;
        self.inner.bus.follow(id)
    }

    /// Writes what is still to be written.
    pub async fn flush(&self) {
        // An unusable database has nothing to write.
        let _ = self.store().ready().await;
    }

    fn store(&self) -> &Store {
        &self.inner.parts.store
    }

    fn now(&self) -> String {
        let now = OffsetDateTime::from(self.inner.parts.clock.now());
        let now = now.replace_millisecond(now.millisecond());
        now.unwrap_or(OffsetDateTime::UNIX_EPOCH)
            .format(&Rfc3339)
            .unwrap_or_default()
    }

    fn log(&self, id: &str, level: LogLevel, message: &str) {
        let row = self.store().log(LogRow {
            id: 0,
            broadcast_id: id.to_owned(),
            created_at: self.now(),
            level,
            source: LogSource::Manager,
            item_id: None,
            message: message.to_owned(),
        });
        self.inner.bus.tell(id, Notice::Log(row));
    }

    /// Keys that were sealed by another process without `ENCRYPTION_KEY` are lost, and so is every later one.
    async fn check_usable(&self) -> Result<(), BroadcastError> {
        let Parts { store, sealer, .. } = &self.inner.parts;
        let check = async {
            store.ready().await?;
            if !sealer.is_lasting() && store.has_keys().await? {
                return Err(BroadcastError::NoServerKey);
            }
            Ok(())
        };
        match self.inner.usable.get_or_init(|| check).await {
            Ok(()) => Ok(()),
            Err(BroadcastError::NoServerKey) => Err(BroadcastError::NoServerKey),
            Err(BroadcastError::Store(error)) => Err(error.clone().into()),
            Err(error) => Err(StoreError::Failed(error.to_string()).into()),
        }
    }

    /// Whatever names a list becomes its bare id.
    fn find_playlist(&self, settings: &mut Settings) -> Result<(), BroadcastError> {
        let Some(text) = &settings.playlist_id else {
            return Ok(());
        };
        let found = self.inner.parts.lister.id_of(text);
        settings.playlist_id =
            Some(found.map_err(|error| BroadcastError::Playlist(Arc::new(error)))?);
        Ok(())
    }

    /// Seals what is to be kept: the key that is sent, or else the one that was found in the address.
    async fn set_key(
        &self,
        broadcast: &mut Broadcast,
        change: KeyChange,
        found: Option<String>,
    ) -> Result<(), BroadcastError> {
        let key = match (change, found) {
            (KeyChange::Set(_), Some(_)) => {
                return Err(BroadcastError::field(
                    "target_url",
                    "has a key besides `stream_key`",
                ));
            }
            (KeyChange::Set(key), None) | (KeyChange::Keep, Some(key)) => key,
            (KeyChange::Keep, None) => return Ok(()),
            (KeyChange::Clear, _) => {
                (broadcast.sealed_key, broadcast.facts.stream_key_hint) = (None, None);
                return Ok(());
            }
        };
        if !target::is_key(&key) {
            return Err(BroadcastError::field(
                KEY,
                "must be 1 to 1024 printable characters",
            ));
        }
        let sealer = &self.inner.parts.sealer;
        if !sealer.is_lasting() {
            return Err(BroadcastError::NoServerKey);
        }
        broadcast.facts.stream_key_hint = hint(&key);
        let context = key_context(&broadcast.id);
        broadcast.sealed_key = Some(sealer.seal_secret(&context, key.as_bytes()).await);
        Ok(())
    }
}

/// What a sealed key is bound to.
fn key_context(id: &str) -> String {
    format!("broadcast/{id}/{KEY}")
}

fn take_key(fields: &mut Map<String, Value>) -> Result<KeyChange, BroadcastError> {
    match fields.remove(KEY) {
        None => Ok(KeyChange::Keep),
        Some(Value::Null) => Ok(KeyChange::Clear),
        Some(Value::String(key)) => Ok(KeyChange::Set(key)),
        Some(_) => Err(BroadcastError::field(KEY, "must be a string")),
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
