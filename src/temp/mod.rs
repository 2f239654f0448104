//! Temporary files: one directory per run of the process, locked while it lives, swept when it is dead.
//!
//! `TEMP_DIR/run-<pid>-<random>/` belongs to one process, which holds a lock on the directory itself. The lock ends
//! with the process, however that ends, so a run whose lock can be had is dead and is removed: at start and from time
//! to time. Nothing else in `TEMP_DIR` is ever touched, and no link is followed. Within a run each job has a directory
//! of its own, removed with the job; a result that outlives its job is an open file without a name, so that even a
//! killed process leaves nothing of it.

mod config;
mod quota;

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

pub use config::TempConfig;
use quota::{Quota, Reservation};

/// What the name of a run's directory begins with.
const RUN_PREFIX: &str = "run-";
/// How often a directory is made anew that another process swept before it was locked.
const MAX_TRIES: u32 = 5;

/// Why there is no temporary file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TempError {
    /// The quota or the free space doesn't allow it now; later it may.
    #[error("temporary space is used up")]
    Busy,
    /// The file system is full.
    #[error("no space left for temporary files")]
    Full,
    /// Something else with the file system.
    #[error("temporary files: {0}")]
    Io(io::Error),
}

impl From<io::Error> for TempError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Io(error),
        }
    }
}

/// The temporary files of this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Temp {
    run: Arc<Run>,
}

#[derive(Debug)]
struct Run {
    base: PathBuf,
    dir: PathBuf,
    /// Held as long as the process lives.
    _lock: File,
    quota: Arc<Quota>,
    min_free: u64,
}

impl Temp {
    /// Makes and locks the directory of this run, and sweeps those of dead ones. Blocks for a few system calls.
    ///
    /// # Errors
    /// [`TempError`] when `TEMP_DIR` can't be made or written to.
    pub fn open(config: &TempConfig) -> Result<Self, TempError> {
        make_private(&config.dir, true)?;
        let (dir, lock) = make_run(&config.dir)?;
        let temp = Self {
            run: Arc::new(Run {
                base: config.dir.clone(),
                dir,
                _lock: lock,
                quota: Arc::new(Quota::new(config.quota_bytes)),
                min_free: config.min_free_bytes,
            }),
        };
        temp.sweep();
        Ok(temp)
    }

    /// Removes what dead runs left behind. Blocks; what can't be removed is logged and tried again the next time.
    pub fn sweep(&self) {
        let entries = match fs::read_dir(&self.run.base) {
            Ok(entries) => entries,
            Err(error) => {
                tracing::warn!(err = %error, "temporary directory not read");
                return;
            }
        };
        for entry in entries.flatten() {
            if is_run_name(&entry.file_name().to_string_lossy()) {
                sweep_run(&entry.path());
            }
        }
    }

    /// A directory for one job, with nothing reserved yet.
    ///
    /// # Errors
    /// [`TempError::Busy`] when too little is free, [`TempError`] when it can't be made.
    pub fn job(&self) -> Result<JobDir, TempError> {
        self.check_free(0)?;
        let dir = self.run.dir.join(format!("{:016x}", rand::random::<u64>()));
        make_private(&dir, false)?;
        Ok(JobDir {
            dir,
            temp: self.clone(),
            reservation: Mutex::new(Some(Reservation::new(&self.run.quota))),
        })
    }

    /// Removes the directory of this run; for the end of the process. What is open stays readable.
    pub fn close(&self) {
        remove(&self.run.dir);
    }

    fn check_free(&self, wanted: u64) -> Result<(), TempError> {
        let system = rustix::fs::statvfs(&self.run.dir).map_err(io::Error::from)?;
        let free = system.f_bavail.saturating_mul(system.f_frsize);
        if free < self.run.min_free.saturating_add(wanted) {
            return Err(TempError::Busy);
        }
        Ok(())
    }
}

/// The files of one job; removed with all that is in it when dropped.
#[derive(Debug)]
pub struct JobDir {
    dir: PathBuf,
    temp: Temp,
    reservation: Mutex<Option<Reservation>>,
}

impl JobDir {
    /// Where a file of this job lies or will lie.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Counts bytes before they are written.
    ///
    /// # Errors
    /// [`TempError::Busy`] when the quota or the free space doesn't allow it.
    pub fn reserve(&self, bytes: u64) -> Result<(), TempError> {
        self.temp.check_free(bytes)?;
        let has_room = self
            .lock()
            .as_mut()
            .is_some_and(|reservation| reservation.grow(bytes));
        if has_room {
            Ok(())
        } else {
            Err(TempError::Busy)
        }
    }

    /// Keeps one file and drops the rest. The file has no name from then on.
    ///
    /// # Errors
    /// [`TempError`] when it isn't there or can't be read.
    pub fn keep(self, name: &str) -> Result<KeptFile, TempError> {
        let path = self.path(name);
        let file = File::open(&path)?;
        let length = file.metadata()?.len();
        fs::remove_file(&path)?;
        let mut reservation = self.lock().take();
        if let Some(reservation) = &mut reservation {
            reservation.shrink_to(length);
        }
        Ok(KeptFile {
            file,
            length,
            _reservation: reservation,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Reservation>> {
        self.reservation
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for JobDir {
    fn drop(&mut self) {
        remove(&self.dir);
    }
}

/// A file without a name: it is gone when this is dropped or the process ends.
#[derive(Debug)]
pub struct KeptFile {
    file: File,
    length: u64,
    _reservation: Option<Reservation>,
}

impl KeptFile {
    /// Bytes of the file.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Reads as much as fits from a position; 0 at the end. Blocks.
    ///
    /// # Errors
    /// The disk failed.
    pub fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        self.file.read_at(buffer, position)
    }
}

/// Makes a directory that only this user can use. One that is already there is left as it is, with its `parents`.
fn make_private(dir: &Path, parents: bool) -> io::Result<()> {
    DirBuilder::new().mode(0o700).recursive(parents).create(dir)
}

fn make_run(base: &Path) -> Result<(PathBuf, File), TempError> {
    for _ in 0..MAX_TRIES {
        let name = format!(
            "{RUN_PREFIX}{}-{:016x}",
            std::process::id(),
            rand::random::<u64>()
        );
        let dir = base.join(name);
        make_private(&dir, false)?;
        if let Some(lock) = lock_dir(&dir)?
            && is_still_there(&dir, &lock)
        {
            return Ok((dir, lock));
        }
    }
    Err(TempError::Io(io::Error::other(
        "the directory of this run can't be locked",
    )))
}

/// The lock on a directory; `None` when another process has it.
fn lock_dir(dir: &Path) -> io::Result<Option<File>> {
    let file = match File::open(dir) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether the name still stands for the directory that was locked: it may have been swept in between.
fn is_still_there(dir: &Path, lock: &File) -> bool {
    let (Ok(named), Ok(locked)) = (fs::symlink_metadata(dir), lock.metadata()) else {
        return false;
    };
    (named.dev(), named.ino()) == (locked.dev(), locked.ino())
}

/// `run-<pid>-<16 hex digits>`, as [`make_run`] names them.
fn is_run_name(name: &str) -> bool {
    let Some((pid, random)) = name
        .strip_prefix(RUN_PREFIX)
        .and_then(|rest| rest.split_once('-'))
    else {
        return false;
    };
    let is_pid = !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit());
    is_pid && random.len() == 16 && random.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Removes a run's directory if it is one, ours, and nobody lives there.
fn sweep_run(dir: &Path) {
    let Ok(facts) = fs::symlink_metadata(dir) else {
        return;
    };
    if !facts.is_dir() || facts.uid() != rustix::process::getuid().as_raw() {
        return;
    }
    if let Ok(Some(lock)) = lock_dir(dir)
        && is_still_there(dir, &lock)
    {
        tracing::info!(run = ?dir.file_name(), "removing what a dead process left");
        remove(dir);
    }
}

/// Removes a directory with everything in it; the standard library follows no links on the way.
fn remove(dir: &Path) {
    match fs::remove_dir_all(dir) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(err = %error, "temporary files not removed"),
    }
}

#[cfg(test)]
mod tests;
