//! The database of broadcasts, owned by one thread.
//!
//! Work comes to the thread through a bounded channel and is done in order. Rows of the log and positions are collected
//! and written together, at the latest a tenth of a second later. A database that can't be used takes broadcasts with
//! it and nothing else: every call then says why.

mod broadcasts;
mod children;
mod items;
mod logs;
mod schema;

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;

pub use items::{Item, ItemState};
use logs::Pending;
pub use logs::{LogLevel, LogQuery, LogRow, LogSource};

/// Calls that may wait for the thread.
const QUEUE: usize = 256;
/// How long rows are collected.
const COLLECTING: Duration = Duration::from_millis(100);
/// How long a statement waits for another process that has the database.
const BUSY: Duration = Duration::from_secs(5);

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
    /// One statement failed.
    #[error("the database failed: {0}")]
    Failed(String),
    /// Too many calls wait for it.
    #[error("the database is busy")]
    Busy,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

type Opened<'a> = Result<&'a mut Connection, &'a StoreError>;
type Work = Box<dyn FnOnce(Opened<'_>) + Send>;

enum Job {
    /// A call.
    Do(Work),
    /// Rows wait to be written.
    Wake,
}

/// The database. Cheap to clone; the thread ends with the last one.
#[derive(Clone)]
pub struct Store {
    jobs: SyncSender<Job>,
    pending: Arc<Mutex<Pending>>,
}

impl Store {
    /// Opens the database, or makes it, on a thread of its own; faults show in the first call.
    ///
    /// # Errors
    /// There is no thread for it.
    pub fn open(path: &Path) -> io::Result<Self> {
        let (jobs, queue) = sync_channel(QUEUE);
        let pending = Arc::new(Mutex::new(Pending::default()));
        let (path, collected) = (path.to_owned(), Arc::clone(&pending));
        std::thread::Builder::new()
            .name("broadcast-db".to_owned())
            .spawn(move || own(&path, &queue, &collected))?;
        Ok(Self { jobs, pending })
    }

    /// Does something with the database, after everything that was asked for before.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Work = Box::new(move |opened| {
            // Nobody waits any more when the caller has gone.
            let _ = answer.send(match opened {
                Ok(connection) => work(connection),
                Err(error) => Err(error.clone()),
            });
        });
        self.jobs
            .try_send(Job::Do(job))
            .map_err(|error| match error {
                TrySendError::Full(_) => StoreError::Busy,
                TrySendError::Disconnected(_) => ended(),
            })?;
        answered.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Returns when the database is open and everything asked for before is written.
    ///
    /// # Errors
    /// [`StoreError::Unusable`].
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.call(|_| Ok(())).await
    }

    fn pending(&self) -> std::sync::MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Collects something to be written soon.
    fn collect(&self, add: impl FnOnce(&mut Pending)) {
        add(&mut self.pending());
        // A full queue keeps the thread awake by itself.
        let _ = self.jobs.try_send(Job::Wake);
    }
}

fn ended() -> StoreError {
    StoreError::Failed("its thread has ended".to_owned())
}

/// The life of the thread.
fn own(path: &Path, queue: &Receiver<Job>, pending: &Mutex<Pending>) {
    let mut opened = open(path);
    match &opened {
        Ok(connection) => note_newest(connection, pending),
        Err(error) => tracing::error!(%error, "no broadcasts"),
    }
    while let Ok(job) = queue.recv() {
        let mut job = Some(job);
        while let Some(Job::Do(work)) = job {
            flush(&mut opened, pending);
            work(opened.as_mut().map_err(|error| &*error));
            job = queue.try_recv().ok();
        }
        // What is collected while this waits is written with it.
        match queue.recv_timeout(COLLECTING) {
            Ok(Job::Do(work)) => {
                flush(&mut opened, pending);
                work(opened.as_mut().map_err(|error| &*error));
            }
            Ok(Job::Wake) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        flush(&mut opened, pending);
    }
    flush(&mut opened, pending);
}

fn flush(opened: &mut Result<Connection, StoreError>, pending: &Mutex<Pending>) {
    let collected = {
        let mut pending = pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.take()
    };
    let (Some(collected), Ok(connection)) = (collected, opened) else {
        return;
    };
    if let Err(error) = collected.write(connection) {
        tracing::error!(%error, "log and position of broadcasts not written");
    }
}

/// Ids go on behind those that are there.
fn note_newest(connection: &Connection, pending: &Mutex<Pending>) {
    let newest = connection.query_row("SELECT coalesce(max(id), 0) FROM logs", [], |row| {
        row.get(0)
    });
    pending
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .start_behind(newest.unwrap_or(0));
}

fn open(path: &Path) -> Result<Connection, StoreError> {
    let unusable = |reason: String| StoreError::Unusable {
        path: path.to_owned(),
        reason,
    };
    make(path).map_err(|error| {
        unusable(format!(
            "{error}; `BROADCAST_DB` names a file in a directory that can be written to"
        ))
    })?;
    let mut connection = Connection::open(path).map_err(|error| unusable(error.to_string()))?;
    schema::prepare(&mut connection, BUSY).map_err(unusable)?;
    Ok(connection)
}

/// Makes the file, so that nobody else may read it; what the library puts beside it gets the same rights.
fn make(path: &Path) -> io::Result<()> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.open(path).map(drop)
}
