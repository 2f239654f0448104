//! Temporary files: one directory per run of the process, locked while it lives, swept when it is dead.
//!
//! `TEMP_DIR/run-<pid>-<random>/` belongs to one process, which holds a lock on the directory itself. The lock ends
//! with the process, however that ends, so a run whose lock can be had is dead and is removed: at start and from time
//! to time. Nothing else in `TEMP_DIR` is ever touched, and no link is followed. Within a run each job has a directory
//! of its own, removed with the job; a result that outlives its job is an open file without a name, so that even a
//! killed process leaves nothing of it.

mod config;
mod quota;

use std::fmt;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::runtime::Handle;

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
    /// The file system is full, or the quota is too small for it even when nothing else is there.
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

struct Run {
    base: PathBuf,
    dir: PathBuf,
    /// Held as long as the process lives.
    _lock: File,
    quota: Arc<Quota>,
    min_free: u64,
    relief: OnceLock<Relief>,
}

/// Gives up one thing that only saves time; `false` when there is none left.
type Relief = Box<dyn Fn() -> bool + Send + Sync>;

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("dir", &self.dir)
            .field("quota", &self.quota)
            .finish_non_exhaustive()
    }
}

impl Temp {
    /// Makes and locks the directory of this run, and sweeps those of dead ones. Blocks for a few system calls.
    ///
    /// # Errors
    /// [`TempError`] when `TEMP_DIR` can't be made or written to.
    pub fn open(config: &TempConfig) -> Result<Self, TempError> {
        make_private(&config.dir, true)?;
        let (dir, lock) = make_run(&config.dir)?;
        sweep(&config.dir);
        let free = free_bytes(&dir)?;
        let run = Run {
            base: config.dir.clone(),
            dir,
            _lock: lock,
            quota: Arc::new(Quota::new(config.quota(free))),
            min_free: config.min_free_bytes,
            relief: OnceLock::new(),
        };
        Ok(Self { run: Arc::new(run) })
    }

    /// Removes what dead runs left behind. Blocks; what can't be removed is logged and tried again the next time.
    pub fn sweep(&self) {
        sweep(&self.run.base);
    }

    /// Whether another process that lives has temporary files in the same place, or may have. Blocks for a few system
    /// calls.
    pub fn is_shared(&self) -> bool {
        let Ok(entries) = fs::read_dir(&self.run.base) else {
            return true;
        };
        let mut runs = entries.flatten().filter(|entry| {
            is_run_name(&entry.file_name().to_string_lossy()) && entry.path() != self.run.dir
        });
        runs.any(|entry| is_lived_in(&entry.path()))
    }

    /// Names what is given up, one thing at each call, before a job is refused for want of room. The first name counts.
    pub fn relieve_by(&self, relief: impl Fn() -> bool + Send + Sync + 'static) {
        // A second one would only ever find what the first has left.
        let _ = self.run.relief.set(Box::new(relief));
    }

    /// A directory for one job, in which `bytes` are reserved.
    ///
    /// # Errors
    /// [`TempError::Full`] when so much never fits, [`TempError::Busy`] when it doesn't now, [`TempError`] when the
    /// directory can't be made.
    pub async fn job(&self, bytes: u64) -> Result<JobDir, TempError> {
        let temp = self.clone();
        blocking(move || temp.new_job(bytes)).await
    }

    fn new_job(&self, bytes: u64) -> Result<JobDir, TempError> {
        let mut reservation = Reservation::new(&self.run.quota);
        self.make_room(&mut reservation, bytes)?;
        self.dir_for(reservation)
    }

    fn dir_for(&self, reservation: Reservation) -> Result<JobDir, TempError> {
        let dir = self.run.dir.join(format!("{:016x}", rand::random::<u64>()));
        make_private(&dir, false)?;
        Ok(JobDir {
            dir,
            temp: self.clone(),
            reservation: Some(Mutex::new(reservation)),
        })
    }

    /// A directory for one job that has so many bytes on the same file system already: they count, but the disk needs no
    /// room for them.
    ///
    /// # Errors
    /// [`TempError::Busy`] when the quota has no room for them, [`TempError`] when the directory can't be made.
    pub async fn job_holding(&self, bytes: u64) -> Result<JobDir, TempError> {
        let temp = self.clone();
        blocking(move || {
            let mut reservation = Reservation::new(&temp.run.quota);
            if reservation.grow(bytes) {
                temp.dir_for(reservation)
            } else {
                Err(TempError::Busy)
            }
        })
        .await
    }

    /// A directory for one job that writes no file and only makes pipes ([`JobDir::pipe`]): it needs no room, and is made
    /// however little is free.
    ///
    /// # Errors
    /// [`TempError`] when the directory can't be made.
    pub async fn job_of_pipes(&self) -> Result<JobDir, TempError> {
        let temp = self.clone();
        blocking(move || temp.dir_for(Reservation::new(&temp.run.quota))).await
    }

    /// Adds to a reservation; where there is no room, what can be given up is, piece by piece.
    fn make_room(&self, reservation: &mut Reservation, bytes: u64) -> Result<(), TempError> {
        if !reservation.may_ever_grow(bytes) {
            return Err(TempError::Full);
        }
        loop {
            let has_room = self.has_free(bytes)? && reservation.grow(bytes);
            if has_room {
                return Ok(());
            }
            if !self.run.relief.get().is_some_and(|relief| relief()) {
                return Err(TempError::Busy);
            }
        }
    }

    /// Removes the directory of this run; for the end of the process. What is open stays readable.
    pub fn close(&self) {
        remove(&self.run.dir);
    }

    fn has_free(&self, wanted: u64) -> Result<bool, TempError> {
        Ok(free_bytes(&self.run.dir)? >= self.run.min_free.saturating_add(wanted))
    }
}

/// Bytes that this user may still write to the file system of a directory.
fn free_bytes(dir: &Path) -> io::Result<u64> {
    let system = rustix::fs::statvfs(dir)?;
    Ok(system.f_bavail.saturating_mul(system.f_frsize))
}

/// Runs what waits for the disk where it holds up nobody else.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TempError> + Send + 'static,
) -> Result<T, TempError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| TempError::Io(error.into()))?
}

#[cfg(not(target_vendor = "apple"))]
fn make_pipe(path: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let mode = Mode::RUSR | Mode::WUSR;
    Ok(mknodat(CWD, path, FileType::Fifo, mode, 0)?)
}

#[cfg(target_vendor = "apple")]
fn make_pipe(_path: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The files of one job; removed with all that is in it when dropped.
#[derive(Debug)]
pub struct JobDir {
    dir: PathBuf,
    temp: Temp,
    /// Taken when the directory goes.
    reservation: Option<Mutex<Reservation>>,
}

impl JobDir {
    /// Where a file of this job lies or will lie.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Makes a named pipe: bytes go through it, and none are kept. Only this user can open it.
    ///
    /// # Errors
    /// [`TempError`] when it can't be made.
    pub fn pipe(&self, name: &str) -> Result<PathBuf, TempError> {
        let path = self.path(name);
        make_pipe(&path)?;
        Ok(path)
    }

    /// Counts bytes before they are written.
    ///
    /// # Errors
    /// [`TempError::Full`] when so much never fits, [`TempError::Busy`] when it doesn't now.
    pub async fn reserve(&self, bytes: u64) -> Result<(), TempError> {
        let temp = self.temp.clone();
        let had = self.lock().map_or(0, |reservation| reservation.bytes());
        let more = blocking(move || {
            let mut more = Reservation::beside(&temp.run.quota, had);
            temp.make_room(&mut more, bytes)?;
            Ok(more)
        });
        let more = more.await?;
        if let Some(mut reservation) = self.lock() {
            reservation.join(more);
        }
        Ok(())
    }

    /// Keeps one file and drops the rest. The file has no name from then on.
    ///
    /// # Errors
    /// [`TempError`] when it isn't there or can't be read.
    pub async fn keep(self, name: &str) -> Result<KeptFile, TempError> {
        let path = self.path(name);
        blocking(move || self.kept(&path)).await
    }

    fn kept(mut self, path: &Path) -> Result<KeptFile, TempError> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        remove(&self.dir);
        let mut reservation = self.take_reservation();
        if let Some(reservation) = &mut reservation {
            reservation.shrink_to(length);
        }
        Ok(KeptFile {
            file,
            length,
            _reservation: reservation,
        })
    }

    /// Removes it now. Dropping it does so soon.
    pub async fn remove(mut self) {
        let Some(removing) = self.removing() else {
            return;
        };
        // It fails only when the process ends.
        let _ = tokio::task::spawn_blocking(removing).await;
    }

    /// What removes it and then gives its room back, once.
    fn removing(&mut self) -> Option<impl FnOnce() + Send + use<>> {
        let reservation = self.take_reservation()?;
        let dir = std::mem::take(&mut self.dir);
        Some(move || {
            remove(&dir);
            drop(reservation);
        })
    }

    fn lock(&self) -> Option<MutexGuard<'_, Reservation>> {
        let reservation = self.reservation.as_ref()?;
        Some(reservation.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn take_reservation(&mut self) -> Option<Reservation> {
        let reservation = self.reservation.take()?;
        Some(
            reservation
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

impl Drop for JobDir {
    /// Removing many files takes a while, so it is done beside the tasks; its room is free when it is done.
    fn drop(&mut self) {
        let Some(removing) = self.removing() else {
            return;
        };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(removing)),
            Err(_) => removing(),
        }
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

/// Whether a run's directory is one of a process that lives, or can't be looked at.
fn is_lived_in(dir: &Path) -> bool {
    match lock_dir(dir) {
        Ok(Some(_)) => false,
        // It may have gone meanwhile.
        Ok(None) => dir.exists(),
        Err(_) => true,
    }
}

/// Removes what dead runs left behind in `base`.
fn sweep(base: &Path) {
    let entries = match fs::read_dir(base) {
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
