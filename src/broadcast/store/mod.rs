//! The database of broadcasts, owned by one thread.
//!
//! Work comes to the thread through a bounded channel and is done in order. Rows of the log, and what changes while a
//! broadcast runs, are collected and written together, at the latest a tenth of a second later ([`pending`]). A database
//! that can't be used takes broadcasts with it and nothing else: every call then says why.
//!
//! One that can't be written for a while, because the disk is full, takes none off the air: what they note waits in memory
//! and is told from there, and what users change is refused until it is written.

mod broadcasts;
mod columns;
mod items;
mod logs;
mod owner;
mod pending;
mod schema;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, ErrorCode};
use tokio::sync::oneshot;

pub use items::{Item, ItemState};
pub use logs::{LogLevel, LogQuery, LogRow, LogSource};
use owner::Owner;
use pending::Pending;

use crate::broadcast::record::Broadcast;
use crate::broadcast::state::Status;

/// Calls that may wait for the thread.
const QUEUE: usize = 256;

/// Why the database can't be used.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It couldn't be opened; everything fails with it.
    #[error("the database `{}` can't be used: {reason}", path.display())]
    Unusable {
        /// Which.
        path: PathBuf,
        /// Why, and what helps.
        reason: String,
    },
    /// There is no room for it on its disk; nothing can be changed until there is.
    #[error("no room on the disk for the database")]
    Full,
    /// One statement failed.
    #[error("the database failed: {0}")]
    Failed(String),
    /// Too many calls wait for it.
    #[error("the database is busy")]
    Busy,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            _ => Self::Failed(error.to_string()),
        }
    }
}

type Opened<'a> = Result<&'a mut Connection, StoreError>;
type Work = Box<dyn FnOnce(Opened<'_>) + Send>;
type Answered<T> = oneshot::Receiver<Result<T, StoreError>>;

enum Job {
    /// Changes something.
    Change(Work),
    /// Only looks.
    Read(Work),
    /// Writes what waits, though that failed a moment ago.
    Flush(Work),
    /// Something waits to be written.
    Wake,
}

/// What waits, and why it can't be written, if it can't.
#[derive(Default)]
struct Shared {
    pending: Mutex<Pending>,
    failing: Mutex<Option<StoreError>>,
}

impl Shared {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings records that were read up to date.
    fn renew(&self, found: &mut [Broadcast]) {
        let pending = self.pending();
        for found in found {
            pending.renew(found);
        }
    }

    fn failing(&self) -> MutexGuard<'_, Option<StoreError>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The database. Cheap to clone; the thread ends with the last one.
#[derive(Clone)]
pub struct Store {
    jobs: SyncSender<Job>,
    shared: Arc<Shared>,
}

impl Store {
    /// Opens the database, or makes it, on a thread of its own; faults show in the first call.
    ///
    /// # Errors
    /// There is no thread for it.
    pub fn open(path: &Path) -> io::Result<Self> {
        let (jobs, queue) = sync_channel(QUEUE);
        let shared = Arc::<Shared>::default();
        let (path, noted) = (path.to_owned(), Arc::clone(&shared));
        std::thread::Builder::new()
            .name("broadcast-db".to_owned())
            .spawn(move || Owner::open(path, noted).work(&queue))?;
        Ok(Self { jobs, shared })
    }

    /// Changes something in the database, after everything that was asked for before.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        answer(self.ask(Job::Change, work)?).await
    }

    /// Reads from the database, after everything that was asked for before, and then from what still waits to be written:
    /// whoever notes something must not wait for the disk.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection, &Shared) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(&self.shared);
        let work = move |connection: &mut Connection| work(connection, &shared);
        answer(self.ask(Job::Read, work)?).await
    }

    fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(Work) -> Job,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<Answered<T>, StoreError> {
        let (answer, answered) = oneshot::channel();
        let work: Work = Box::new(move |opened| {
            // Nobody waits any more when the caller has gone.
            let _ = answer.send(opened.and_then(work));
        });
        let sent = self.jobs.try_send(job(work));
        sent.map(|()| answered).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Busy,
            TrySendError::Disconnected(_) => ended(),
        })
    }

    /// Returns when the database is open and everything asked for before is written, as far as it can be.
    ///
    /// # Errors
    /// [`StoreError::Unusable`].
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.read(|_, _| Ok(())).await
    }

    /// Writes everything that waits, as far as it can be written; returns when it is.
    ///
    /// # Errors
    /// [`StoreError::Unusable`].
    pub async fn flush(&self) -> Result<(), StoreError> {
        answer(self.ask(Job::Flush, |_| Ok(()))?).await
    }

    /// Whether something can't be written at the moment.
    pub fn is_behind(&self) -> bool {
        self.shared.failing().is_some()
    }

    /// That records can be changed, as far as is known.
    ///
    /// # Errors
    /// Why they can't be at the moment.
    pub fn check_writable(&self) -> Result<(), StoreError> {
        self.shared.failing().clone().map_or(Ok(()), Err)
    }

    /// Notes something to be written soon.
    fn note(&self, add: impl FnOnce(&mut Pending)) {
        add(&mut self.shared.pending());
        // A full queue keeps the thread awake by itself.
        let _ = self.jobs.try_send(Job::Wake);
    }

    /// Notes something and waits until it is written, if that can be done now.
    async fn note_now(&self, add: impl FnOnce(&mut Pending)) {
        add(&mut self.shared.pending());
        let _ = self.ready().await;
    }
}

async fn answer<T>(answered: Answered<T>) -> Result<T, StoreError> {
    answered.await.unwrap_or_else(|_| Err(ended()))
}

fn ended() -> StoreError {
    StoreError::Failed("its thread has ended".to_owned())
}
