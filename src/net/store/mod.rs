//! What instances share: a Redis, asked within a budget and never waited for.
//!
//! Nothing here is needed for an answer: without the store each instance works by itself. One task ([`Store::keep`])
//! holds the connection. The first call that takes too long or goes wrong gives the connection up for all, so that no
//! other call waits, and the task alone finds out when the store is well again. What is read is what anybody wrote who
//! may write there: callers bound it and prove where it comes from.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

mod config;
mod connection;
#[cfg(any(test, feature = "fuzz"))]
pub(super) mod fuzz;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use futures_util::FutureExt as _;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, cmd};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

pub use config::StoreConfig;
use connection::OpenError;

/// Time for one call (reliability R7.5).
const BUDGET: Duration = Duration::from_millis(150);
/// Time to connect, TLS and log-in included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How often an idle connection is tried.
const PING_INTERVAL: Duration = Duration::from_secs(2);
/// Waits before a new connection: doubled from the first to the last.
const MIN_PAUSE: Duration = Duration::from_millis(250);
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// Deletes a lock that still is the caller's.
const UNLOCK: &str =
    "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0";
/// Moves the moment of a counter on by an interval, unless that puts it more than a window ahead of now; gives whether it
/// does, and how far ahead the moment is. All in microseconds of the server's clock. What is no such moment is none.
const PACE: &str = "local clock = redis.call('TIME') \
    local now = clock[1] * 1000000 + clock[2] \
    local interval, window = tonumber(ARGV[1]), tonumber(ARGV[2]) \
    local moment = tonumber(redis.call('GET', KEYS[1]) or '') or now \
    if not (moment > now) then moment = now end \
    if moment > now + window then moment = now + window end \
    local next = moment + interval \
    if next - now > window then return {1, moment - now} end \
    redis.call('SET', KEYS[1], string.format('%.0f', next), 'PX', math.ceil((next - now) / 1000)) \
    return {0, next - now}";

/// Why the store gave no answer. Callers go on without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no connection now.
    #[error("no connection to Redis")]
    Away,
    /// The answer took too long or was none; the connection is given up.
    #[error("Redis failed")]
    Failed,
    /// The server said no to this call.
    #[error("Redis refused")]
    Refused,
}

/// How the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreStatus {
    /// It answers.
    Connected,
    /// It can't be reached.
    Disconnected,
    /// Something is there that is no Redis, or doesn't let us in.
    Error,
}

impl StoreStatus {
    /// Its word in `/health`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::Error => "error",
        }
    }
}

/// What came of calls since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Calls that were answered.
    pub ok: u64,
    /// Calls that were not made, for there was no connection.
    pub away: u64,
    /// Calls whose answer took too long or was none.
    pub failed: u64,
    /// Calls that the server said no to.
    pub refused: u64,
    /// Times that a connection was given up after it had been well.
    pub lost: u64,
}

#[derive(Debug, Default)]
struct Counts {
    ok: AtomicU64,
    away: AtomicU64,
    failed: AtomicU64,
    refused: AtomicU64,
    lost: AtomicU64,
}

impl Counts {
    fn add<T>(&self, outcome: &Result<T, StoreError>) {
        let count = match outcome {
            Ok(_) => &self.ok,
            Err(StoreError::Away) => &self.away,
            Err(StoreError::Failed) => &self.failed,
            Err(StoreError::Refused) => &self.refused,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self) -> StoreStats {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        StoreStats {
            ok: of(&self.ok),
            away: of(&self.away),
            failed: of(&self.failed),
            refused: of(&self.refused),
            lost: of(&self.lost),
        }
    }
}

/// A lock that is held until it is given back or its time is over.
#[derive(Debug)]
pub struct Lock {
    key: String,
    token: String,
}

/// How a counter stands after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paced {
    /// Until nothing of its window is used any more.
    pub ahead: Duration,
    /// Whether the request was one too many, and was not counted.
    pub is_over: bool,
}

/// The store. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    config: StoreConfig,
    /// The connection while it is well.
    connection: ArcSwapOption<MultiplexedConnection>,
    lost: Notify,
    /// Whether something that is no Redis was met last.
    is_strange: AtomicBool,
    counts: Counts,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// A store that [`Store::keep`] has to connect.
    pub fn new(config: StoreConfig) -> Self {
        Self {
            inner: Arc::new(Inner {
                config,
                connection: ArcSwapOption::empty(),
                lost: Notify::new(),
                is_strange: AtomicBool::new(false),
                counts: Counts::default(),
            }),
        }
    }

    /// How it is, as was seen last.
    pub fn status(&self) -> StoreStatus {
        if self.inner.connection.load().is_some() {
            StoreStatus::Connected
        } else if self.inner.is_strange.load(Ordering::Relaxed) {
            StoreStatus::Error
        } else {
            StoreStatus::Disconnected
        }
    }

    /// What came of calls, those of the task that holds the connection left out.
    pub fn stats(&self) -> StoreStats {
        self.inner.counts.read()
    }

    /// The value at `key`; `None` when there is none, or one of more than `max` bytes.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn get(&self, key: &str, max: usize) -> Result<Option<Vec<u8>>, StoreError> {
        // One byte more than is taken: a longer value is known by it, and never read whole.
        let value: Vec<u8> = self.call(cmd("GETRANGE").arg(key).arg(0).arg(max)).await?;
        Ok(bounded(value, max))
    }

    /// Keeps `value` at `key` for `ttl`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put(&self, key: &str, value: &[u8], ttl: Duration) -> Result<(), StoreError> {
        let mut set = cmd("SET");
        set.arg(key).arg(value).arg("PX").arg(millis(ttl));
        self.call(&set).await
    }

    /// Takes the lock `key` for at most `ttl`; `None` when somebody else holds it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn lock(&self, key: &str, ttl: Duration) -> Result<Option<Lock>, StoreError> {
        let token = format!("{:032x}", rand::random::<u128>());
        let mut set = cmd("SET");
        set.arg(key)
            .arg(&token)
            .arg("NX")
            .arg("PX")
            .arg(millis(ttl));
        let taken: Option<String> = self.call(&set).await?;
        let key = key.to_owned();
        Ok(taken.map(|_| Lock { key, token }))
    }

    /// Gives a lock back, unless it has become another's.
    ///
    /// # Errors
    /// [`StoreError`]; it ends by itself then.
    pub async fn unlock(&self, lock: Lock) -> Result<(), StoreError> {
        let mut eval = cmd("EVAL");
        eval.arg(UNLOCK).arg(1).arg(lock.key).arg(lock.token);
        self.call::<u64>(&eval).await.map(|_| ())
    }

    /// Counts a request at `key` by the generic cell rate algorithm: each takes `interval` of the `window`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn pace(
        &self,
        key: &str,
        interval: Duration,
        window: Duration,
    ) -> Result<Paced, StoreError> {
        let mut eval = cmd("EVAL");
        eval.arg(PACE).arg(1).arg(key);
        eval.arg(micros(interval)).arg(micros(window));
        Ok(paced(self.call(&eval).await?, window))
    }

    async fn call<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let outcome = self.attempt(command).await;
        self.inner.counts.add(&outcome);
        outcome
    }

    async fn attempt<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let Some(connection) = self.inner.connection.load_full() else {
            return Err(StoreError::Away);
        };
        match ask(&connection, command).await {
            Ok(value) => Ok(value),
            Err(StoreError::Refused) => Err(StoreError::Refused),
            Err(error) => {
                self.give_up(&connection);
                Err(error)
            }
        }
    }

    /// Takes the connection away from all callers.
    fn give_up(&self, connection: &Arc<MultiplexedConnection>) {
        let current = self.inner.connection.load_full();
        if current.is_some_and(|current| Arc::ptr_eq(&current, connection)) {
            self.inner.connection.store(None);
            self.inner.lost.notify_one();
        }
    }

    /// Holds the connection, until the server ends.
    pub async fn keep(self) {
        let login = connection::login(&self.inner.config);
        let mut pause = MIN_PAUSE;
        let mut is_told = false;
        loop {
            let opening = connection::open(&self.inner.config, &login);
            let was_well = AtomicBool::default();
            let ended = match timeout(CONNECT_TIMEOUT, opening).await {
                Ok(Ok((connection, driver))) => {
                    let connection = Arc::new(connection);
                    tokio::select! {
                        () = driver => Err(OpenError::Ping),
                        ended = self.serve(&connection, &was_well) => ended,
                    }
                }
                Ok(Err(error)) => Err(error),
                Err(_elapsed) => Err(OpenError::Slow),
            };
            // A caller may have taken it away already.
            self.inner.connection.store(None);
            if was_well.into_inner() {
                (pause, is_told) = (MIN_PAUSE, true);
                self.inner.counts.lost.fetch_add(1, Ordering::Relaxed);
                tracing::warn!("Redis is lost; each instance works by itself meanwhile");
            } else if let Err(error) = ended {
                self.note(&error, &mut is_told);
            }
            sleep(pause).await;
            pause = pause.saturating_mul(2).min(MAX_PAUSE);
        }
    }

    /// Lets callers use the connection while it answers, which makes it one that `was_well`; returns when it does no more.
    ///
    /// # Errors
    /// It never did.
    async fn serve(
        &self,
        connection: &Arc<MultiplexedConnection>,
        was_well: &AtomicBool,
    ) -> Result<(), OpenError> {
        let ping = cmd("PING");
        let is_well = async || ask::<String>(connection, &ping).await == Ok("PONG".to_owned());
        if !is_well().await {
            return Err(OpenError::Ping);
        }
        self.inner.is_strange.store(false, Ordering::Relaxed);
        // What was said of a former connection.
        let _ = self.inner.lost.notified().now_or_never();
        self.inner.connection.store(Some(Arc::clone(connection)));
        was_well.store(true, Ordering::Relaxed);
        tracing::info!("Redis connected");
        loop {
            tokio::select! {
                () = self.inner.lost.notified() => return Ok(()),
                () = sleep(PING_INTERVAL) => {}
            }
            if !is_well().await {
                return Ok(());
            }
        }
    }

    fn note(&self, error: &OpenError, is_told: &mut bool) {
        let is_strange = error.is_strange();
        self.inner.is_strange.store(is_strange, Ordering::Relaxed);
        if !std::mem::replace(is_told, true) {
            tracing::warn!(err = %error, "no connection to Redis; it is tried again");
        }
    }
}

/// What lies at a key, of which one byte more was read than may be.
fn bounded(value: Vec<u8>, max: usize) -> Option<Vec<u8>> {
    Some(value).filter(|value| !value.is_empty() && value.len() <= max)
}

/// What [`PACE`] gives.
fn paced((is_over, ahead): (u8, u64), window: Duration) -> Paced {
    Paced {
        ahead: Duration::from_micros(ahead).min(window),
        is_over: is_over == 1,
    }
}

/// One call within its budget.
async fn ask<T: FromRedisValue>(
    connection: &MultiplexedConnection,
    command: &Cmd,
) -> Result<T, StoreError> {
    let mut connection = connection.clone();
    match timeout(BUDGET, command.query_async(&mut connection)).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(judge(&error)),
        Err(_elapsed) => Err(StoreError::Failed),
    }
}

/// A server that says no is well; whatever else goes wrong, the connection is not to be trusted.
fn judge(error: &RedisError) -> StoreError {
    match error.kind() {
        ErrorKind::Server(_) | ErrorKind::Extension => StoreError::Refused,
        _ => StoreError::Failed,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis())
        .unwrap_or(u64::MAX)
        .max(1)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros())
        .unwrap_or(u64::MAX)
        .max(1)
}
