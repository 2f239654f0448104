//! The thread that has the database.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};

use super::pending::Pending;
use super::schema::Unfit;
use super::{Job, Shared, StoreError, schema};

/// How long rows are collected.
const COLLECTING: Duration = Duration::from_millis(100);
/// How long a statement waits for another process that has the database.
const BUSY: Duration = Duration::from_secs(5);
/// How long is waited before what could not be opened or written is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// What the thread has.
pub(super) struct Owner {
    path: PathBuf,
    opened: Result<Connection, StoreError>,
    /// Whether what could not be opened may be later.
    may_open: bool,
    shared: Arc<Shared>,
    /// When it is tried again to open or write what could not be.
    again: Instant,
}

impl Owner {
    pub(super) fn open(path: PathBuf, shared: Arc<Shared>) -> Self {
        let mut owner = Self {
            path,
            opened: Err(super::ended()),
            may_open: true,
            shared,
            again: Instant::now(),
        };
        owner.try_open();
        if let Err(error) = &owner.opened {
            tracing::error!(%error, "no broadcasts");
        }
        owner
    }

    fn try_open(&mut self) {
        self.may_open = false;
        self.opened = open(&self.path).map_err(|unfit| {
            self.may_open = unfit.may_pass;
            StoreError::Unusable {
                path: self.path.clone(),
                reason: unfit.reason,
            }
        });
        if let Ok(connection) = &self.opened {
            note_newest(connection, &self.shared);
        }
        self.again = Instant::now() + AGAIN;
    }

    /// Tries again to open what could not be, when it is time to.
    fn open_again(&mut self) {
        if !self.may_open || Instant::now() < self.again {
            return;
        }
        self.try_open();
        if self.opened.is_ok() {
            tracing::info!("the database of broadcasts can be used now");
        }
    }

    /// The life of the thread.
    pub(super) fn work(mut self, queue: &Receiver<Job>) {
        loop {
            let job = match self.next(queue) {
                Ok(job) => job,
                Err(RecvTimeoutError::Timeout) => Job::Wake,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let mut job = Some(job);
            while job.as_ref().is_some_and(|job| !matches!(job, Job::Wake)) {
                self.attend(job.take());
                job = queue.try_recv().ok();
            }
            // What is collected while this waits is written with it.
            match queue.recv_timeout(COLLECTING) {
                Ok(job) => self.attend(Some(job)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.flush();
        }
        self.again = Instant::now();
        self.flush();
        let lost = self.shared.pending().waiting();
        if lost > 0 {
            tracing::error!(rows = lost, "rows of the log of broadcasts were lost");
        }
    }

    /// What is to be done next; nothing, when it is time to open or write what could not be.
    fn next(&self, queue: &Receiver<Job>) -> Result<Job, RecvTimeoutError> {
        if self.may_open || self.shared.failing().is_some() {
            return queue.recv_timeout(AGAIN);
        }
        queue.recv().map_err(|_| RecvTimeoutError::Disconnected)
    }

    fn attend(&mut self, job: Option<Job>) {
        if let Some(Job::Flush(_)) = job {
            self.again = Instant::now();
        }
        self.flush();
        let failing = self.shared.failing().clone();
        let opened = self.opened.as_mut().map_err(|error| error.clone());
        match (job, failing) {
            // What waits is older, and must not be written over what is newer.
            (Some(Job::Change(work)), Some(error)) => work(opened.and(Err(error))),
            (Some(Job::Change(work) | Job::Read(work) | Job::Flush(work)), _) => work(opened),
            (Some(Job::Wake) | None, _) => {}
        }
    }

    /// Writes what waits. If that can't be done now but may be later, it goes on to wait.
    fn flush(&mut self) {
        self.open_again();
        let is_failing = self.shared.failing().is_some();
        if is_failing && Instant::now() < self.again {
            return;
        }
        let Ok(connection) = &mut self.opened else {
            return;
        };
        let taken = self.shared.pending().take();
        let left = taken.and_then(|mut taken| Some((write(&mut taken, connection).err()?, taken)));
        let Some((error, taken)) = left else {
            if is_failing {
                tracing::info!("the database of broadcasts is written again");
                *self.shared.failing() = None;
            }
            return;
        };
        if !is_failing {
            tracing::error!(
                %error,
                "the database of broadcasts can't be written: what belongs into it waits in memory, and nothing can be \
                 changed meanwhile"
            );
        }
        self.again = Instant::now() + AGAIN;
        self.shared.pending().put_back(taken);
        *self.shared.failing() = Some(error.into());
    }
}

/// Writes what waits: where broadcasts stand first, which rows of the log that can't be written must not keep from it.
/// What can never be written is given up.
///
/// # Errors
/// What is left may be written later.
fn write(pending: &mut Pending, connection: &mut Connection) -> rusqlite::Result<()> {
    unless_hopeless(pending.write_state(connection))?;
    pending.forget_state();
    unless_hopeless(pending.write_rows(connection))
}

/// Tells of what can never be written.
///
/// # Errors
/// It may be written later.
fn unless_hopeless(written: rusqlite::Result<()>) -> rusqlite::Result<()> {
    match written {
        Err(error) if !may_pass(&error) => {
            tracing::error!(%error, "log or state of broadcasts not written");
            Ok(())
        }
        written => written,
    }
}

/// Whether a write that failed so may do well later, when there is room again for instance.
pub(super) fn may_pass(error: &rusqlite::Error) -> bool {
    use ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, OutOfMemory, ReadOnly, SystemIoFailure,
    };
    let code = error.sqlite_error_code();
    code.is_some_and(|code| {
        matches!(
            code,
            DiskFull
                | SystemIoFailure
                | ReadOnly
                | CannotOpen
                | OutOfMemory
                | DatabaseBusy
                | DatabaseLocked
        )
    })
}

/// Ids go on behind those that are there.
fn note_newest(connection: &Connection, shared: &Shared) {
    let newest = connection.query_row("SELECT coalesce(max(id), 0) FROM logs", [], |row| {
        row.get(0)
    });
    shared.pending().start_behind(newest.unwrap_or(0));
}

fn open(path: &Path) -> Result<Connection, Unfit> {
    make(path).map_err(|error| Unfit {
        reason: format!(
            "{error}; `BROADCAST_DB` names a file in a directory that can be written to"
        ),
        may_pass: true,
    })?;
    let mut connection = Connection::open(path)?;
    schema::prepare(&mut connection, BUSY)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broadcast::record::{Broadcast, Facts, Position};
    use crate::broadcast::store::{LogLevel, LogRow, LogSource, columns};

    /// The thread's things over a new database with one broadcast.
    fn owner(dir: &Path) -> Owner {
        let owner = Owner::open(dir.join("db"), Arc::default());
        let broadcast = Broadcast {
            id: "A".to_owned(),
            settings: crate::broadcast::Settings::default(),
            sealed_key: None,
            facts: Facts::new("2026-01-01T00:00:00Z"),
        };
        columns::insert(owner.opened.as_ref().unwrap(), &broadcast).unwrap();
        owner
    }

    fn row() -> LogRow {
        LogRow {
            id: 0,
            broadcast_id: "A".to_owned(),
            created_at: String::new(),
            level: LogLevel::Info,
            source: LogSource::Manager,
            item_id: None,
            message: String::new(),
        }
    }

    fn position(owner: &Owner) -> Option<String> {
        let connection = owner.opened.as_ref().unwrap();
        let sql = "SELECT position FROM broadcasts WHERE id = 'A'";
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn nothing_left_to_write_is_no_failure() {
        let dir = tempfile::tempdir().unwrap();
        let mut owner = owner(dir.path());
        *owner.shared.failing() = Some(StoreError::Full);
        owner.again = Instant::now();
        owner.flush();
        assert!(owner.shared.failing().is_none());
    }

    #[test]
    fn rows_that_can_never_be_written_take_nothing_else_with_them() {
        let dir = tempfile::tempdir().unwrap();
        let mut owner = owner(dir.path());
        owner.shared.pending().log(row());
        owner.shared.pending().position("A", Position::default());
        let connection = owner.opened.as_ref().unwrap();
        connection.execute_batch("DROP TABLE logs").unwrap();
        // It failed otherwise before.
        *owner.shared.failing() = Some(StoreError::Full);
        owner.again = Instant::now();
        owner.flush();
        assert!(position(&owner).is_some());
        assert!(owner.shared.failing().is_none());
        assert!(owner.shared.pending().take().is_none());
    }

    #[test]
    fn last_flush_does_not_wait_for_its_turn() {
        let dir = tempfile::tempdir().unwrap();
        let mut owner = owner(dir.path());
        owner.shared.pending().position("A", Position::default());
        *owner.shared.failing() = Some(StoreError::Full);
        owner.again = Instant::now() + 100 * AGAIN;
        owner.attend(Some(Job::Read(Box::new(|_| {}))));
        assert_eq!(position(&owner), None);
        owner.attend(Some(Job::Flush(Box::new(|_| {}))));
        assert!(position(&owner).is_some());
    }

    #[test]
    fn what_could_not_be_opened_is_tried_again_unless_it_is_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("folder");
        std::fs::write(&folder, "in the way").unwrap();
        let mut owner = Owner::open(folder.join("db"), Arc::default());
        assert!(matches!(owner.opened, Err(StoreError::Unusable { .. })));
        std::fs::remove_file(&folder).unwrap();
        owner.again = Instant::now() + 100 * AGAIN;
        owner.flush();
        assert!(owner.opened.is_err(), "before its time");
        owner.again = Instant::now();
        owner.flush();
        assert!(owner.opened.is_ok());
        let damaged = dir.path().join("damaged");
        std::fs::write(&damaged, "no database at all".repeat(100)).unwrap();
        let owner = Owner::open(damaged, Arc::default());
        assert!(owner.opened.is_err() && !owner.may_open);
    }
}
