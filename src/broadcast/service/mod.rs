//! What may be done with broadcasts.

mod boot;
mod changes;
mod figures;
mod on_air;
mod timetable;

pub use figures::Figures;
pub use on_air::Start;

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};
use tokio::sync::OnceCell;

use super::context::{Context, Parts};
use super::record::hint;
use super::run::{Running, Tally};

use super::{
    Broadcast, BroadcastError, Facts, Follower, Item, LogLevel, LogQuery, LogRow, LogSource,
    Settings, Status, Store, StoreError, id,
};
use crate::config::Secret;
use crate::task;
use figures::Runs;
use timetable::Timetable;

/// Bytes of a key.
const MAX_KEY: usize = 1024;
/// The field that never comes out again.
const KEY: &str = "stream_key";

/// Broadcasts. Cheap to clone.
#[derive(Clone)]
pub struct Broadcasts {
    inner: Arc<Inner>,
}

struct Inner {
    context: Arc<Context>,
    /// Those that run, and some that have just ended.
    running: Mutex<Runs>,
    /// What those did that are gone.
    past: Mutex<Tally>,
    timetable: Mutex<Timetable>,
    due_with_server: Mutex<BTreeSet<String>>,
    /// Held while one is started, changed or deleted, so that each sees what the others left.
    starting: tokio::sync::Mutex<()>,
    /// Whether the database fits to the server's key; found out once.
    is_usable: OnceCell<bool>,
    /// Whether what an earlier process left was taken up.
    is_booted: AtomicBool,
}

/// What a request says of the stream key.
enum KeyChange {
    Keep,
    Clear,
    Set(String),
}

impl KeyChange {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Set(key) => Some(key),
            Self::Keep | Self::Clear => None,
        }
    }
}

impl Broadcasts {
    /// Broadcasts over these parts.
    pub fn new(parts: Parts) -> Self {
        Self {
            inner: Arc::new(Inner {
                context: Arc::new(Context::new(parts)),
                running: Mutex::default(),
                past: Mutex::default(),
                timetable: Mutex::default(),
                due_with_server: Mutex::default(),
                starting: tokio::sync::Mutex::default(),
                is_usable: OnceCell::new(),
                is_booted: AtomicBool::default(),
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
        fields.retain(|_, value| !value.is_null());
        let read = Settings::read(fields, key.text());
        let (mut settings, key) = read.map_err(BroadcastError::Invalid)?;
        self.find_playlist(&mut settings)?;
        self.check_account(&settings).await?;
        self.check_way(&settings)?;
        self.check_address(&settings)?;
        // Exact in the numbers of every client.
        settings
            .shuffle_seed
            .get_or_insert_with(|| rand::random::<u64>() >> 11);
        let now = self.now();
        let mut broadcast = Broadcast {
            id: id::new(self.parts().clock.unix()),
            settings,
            sealed_key: None,
            facts: Facts::new(&now),
        };
        self.set_key(&mut broadcast, key).await?;
        // Who lists it may delete it before its schedule is taken up.
        let _starting = self.inner.starting.lock().await;
        self.store().insert(broadcast.clone()).await?;
        self.schedule(&mut broadcast).await;
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
    /// [`BroadcastError::NotFound`], [`BroadcastError::TooManyFollowers`], [`BroadcastError::Draining`], or the database.
    pub async fn follow(&self, id: &str) -> Result<Follower, BroadcastError> {
        self.get(id).await?;
        self.inner.context.bus.follow(id)
    }

    /// Waits for the end of the server, then ends every following once nothing is on air: followers hear of that, and
    /// the server need not wait for them to go.
    pub async fn end_following(self) {
        self.parts().lifecycle.soft.cancelled().await;
        let last: Vec<Running> = {
            // A start that is under way is through then, and no other is let through.
            let _starting = self.inner.starting.lock().await;
            self.all_running().values().cloned().collect()
        };
        for running in last {
            running.over().await;
        }
        self.inner.context.bus.end();
    }

    /// Writes what is still to be written.
    pub async fn flush(&self) {
        // An unusable database has nothing to write.
        let _ = self.store().flush().await;
    }

    /// The task of a broadcast that runs.
    fn running(&self, id: &str) -> Option<Running> {
        let running = self.all_running();
        running
            .get(id)
            .filter(|running| !running.is_over())
            .cloned()
    }

    fn all_running(&self) -> MutexGuard<'_, Runs> {
        let running = &self.inner.running;
        running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn timetable(&self) -> MutexGuard<'_, Timetable> {
        let timetable = &self.inner.timetable;
        timetable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn past(&self) -> MutexGuard<'_, Tally> {
        let past = &self.inner.past;
        past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self) -> &Store {
        self.inner.context.store()
    }

    fn now(&self) -> String {
        self.inner.context.now()
    }

    fn log(&self, id: &str, level: LogLevel, message: &str) {
        self.inner
            .context
            .log(id, level, LogSource::Manager, message.into());
    }

    fn parts(&self) -> &Parts {
        &self.inner.context.parts
    }

    /// Keys that were sealed by another process without `ENCRYPTION_KEY` are lost, and so is every later one.
    async fn check_usable(&self) -> Result<(), BroadcastError> {
        let Parts { store, sealer, .. } = self.parts();
        // A database that could not be asked may be later.
        let check = async {
            store.ready().await?;
            Ok::<_, StoreError>(sealer.is_lasting() || !store.has_keys().await?)
        };
        if *self.inner.is_usable.get_or_try_init(|| check).await? {
            return Ok(());
        }
        Err(BroadcastError::NoServerKey)
    }

    /// Whatever names a list becomes its bare id.
    fn find_playlist(&self, settings: &mut Settings) -> Result<(), BroadcastError> {
        let Some(text) = &settings.playlist_id else {
            return Ok(());
        };
        let found = self.parts().lister.id_of(text);
        settings.playlist_id =
            Some(found.map_err(|error| BroadcastError::Playlist(Arc::new(error)))?);
        Ok(())
    }

    /// There must be cookies of the account, if one is named.
    async fn check_account(&self, settings: &Settings) -> Result<(), BroadcastError> {
        let checked = self.inner.context.check_account(settings).await;
        checked.map_err(|error| BroadcastError::field("account", error))
    }

    /// The way out must be one of this server.
    fn check_way(&self, settings: &Settings) -> Result<(), BroadcastError> {
        let is_known = |name: &String| self.parts().playout.has_way(name);
        if settings.proxy.as_ref().is_none_or(is_known) {
            return Ok(());
        }
        Err(BroadcastError::field(
            "proxy",
            "names no entry of `EGRESS` of this server",
        ))
    }

    /// The target must not say by itself that it may not be dialled (ruling 43).
    fn check_address(&self, settings: &Settings) -> Result<(), BroadcastError> {
        match &settings.target_url {
            Some(target) => self.check_target(target).map(drop),
            None => Ok(()),
        }
    }

    /// Seals a key, if there is one.
    async fn set_key(
        &self,
        broadcast: &mut Broadcast,
        key: Option<Secret>,
    ) -> Result<(), BroadcastError> {
        let Some(key) = key else {
            return Ok(());
        };
        let key = key.reveal();
        if key.is_empty() || key.len() > MAX_KEY || key.chars().any(char::is_control) {
            return Err(BroadcastError::field(
                KEY,
                "must be 1 to 1024 characters, no control characters",
            ));
        }
        let sealer = &self.parts().sealer;
        if !sealer.is_lasting() {
            return Err(BroadcastError::NoServerKey);
        }
        broadcast.facts.stream_key_hint = hint(key);
        let context = key_context(&broadcast.id);
        broadcast.sealed_key = Some(sealer.seal_secret(&context, key.as_bytes()).await);
        Ok(())
    }
}

/// Lets work come to its end though the client goes away meanwhile, which would leave it half done.
///
/// # Errors
/// Those of the work.
async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, BroadcastError>> + Send + 'static,
) -> Result<T, BroadcastError> {
    let done = task::to_its_end(work).await;
    done.map_err(|error| StoreError::Failed(error.to_string()))?
}

/// What a sealed key is bound to.
fn key_context(id: &str) -> String {
    format!("broadcast/{id}/{KEY}")
}

fn take_key(fields: &mut Map<String, Value>) -> Result<KeyChange, BroadcastError> {
    match fields.remove(KEY) {
        None => Ok(KeyChange::Keep),
        Some(Value::Null) => Ok(KeyChange::Clear),
        Some(Value::String(key)) if !key.is_empty() => Ok(KeyChange::Set(key)),
        Some(Value::String(_)) => Err(BroadcastError::field(KEY, "must not be empty")),
        Some(_) => Err(BroadcastError::field(KEY, "must be a string")),
    }
}
