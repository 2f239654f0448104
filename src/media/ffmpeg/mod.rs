//! FFmpeg as a supervised child (reliability R1.8, R3.8).
//!
//! A child runs in a process group of its own, with bounds set before it begins ([`super::launch`]), an environment that
//! is empty but for a mark of whose it is, no standard input but what is piped to it, and a time limit. Its standard error
//! is read all the time, and the end of it kept for the log. Dropping a [`Child`] kills the whole group. A result counts
//! only after [`Child::finish`] has seen exit status 0.
//!
//! Arguments are a list, never a shell line, and never contain an address of a client or a site.

mod error;
mod group;
pub(super) mod said;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::process::{ChildStderr, Command};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use super::abilities::{Abilities, LIST_BYTES, list_job, lists};
use super::launch::Bounds;
use crate::task;
pub use error::FfmpegError;
use group::Group;
use said::{Lines, Tail};

/// How often a program that lacks something is looked at again: it may be replaced while the server runs.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);
/// How long a killed group may take to let go of standard error.
const KILL_PATIENCE: Duration = Duration::from_secs(2);
/// How long a group that was asked to end may take before it is killed.
const TERM_PATIENCE: Duration = Duration::from_secs(2);

/// The program, ready to be started. Cheap enough to clone.
#[derive(Debug, Clone)]
pub struct Ffmpeg {
    program: PathBuf,
    launcher: PathBuf,
    version: String,
    running: Arc<AtomicUsize>,
    /// `None` until it was looked at.
    abilities: watch::Sender<Option<Abilities>>,
}

/// One run of it.
#[derive(Debug, Clone)]
pub struct Job {
    /// Arguments after those that every run has.
    pub arguments: Vec<OsString>,
    /// What it may use.
    pub bounds: Bounds,
    /// How long it may take.
    pub time_limit: Duration,
    /// Whether standard input is a pipe; else there is none.
    pub reads_stdin: bool,
    /// Whether standard output is a pipe; else it goes nowhere.
    pub writes_stdout: bool,
}

/// A running child.
#[derive(Debug)]
pub struct Child {
    process: tokio::process::Child,
    group: Group,
    stderr: Arc<Mutex<Tail>>,
    reader: AbortOnDropHandle<()>,
    deadline: Instant,
    _running: Running,
}

/// Counts as running until dropped.
#[derive(Debug)]
struct Running(Arc<AtomicUsize>);

impl Running {
    fn begin(running: &Arc<AtomicUsize>) -> Self {
        running.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(running))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Ffmpeg {
    /// FFmpeg at `program`, started through `launcher`, which is this program.
    pub fn new(program: PathBuf, launcher: PathBuf) -> Self {
        Self {
            version: version(&program),
            program,
            launcher,
            running: Arc::default(),
            abilities: watch::Sender::new(None),
        }
    }

    /// Runs of it, and of its clones, that go on now.
    pub fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }

    /// What it can do. Waits for the first look of [`Ffmpeg::examine`], which must run.
    pub async fn abilities(&self) -> Abilities {
        let mut abilities = self.abilities.subscribe();
        match abilities.wait_for(Option::is_some).await {
            Ok(known) => known.unwrap_or_default(),
            Err(_) => Abilities::default(),
        }
    }

    /// Finds out what it can do, and again from time to time while it lacks something. Says so in the log.
    pub async fn examine(self) {
        loop {
            let found = self.look().await.unwrap_or_else(|error| {
                tracing::debug!(err = %error, "ffmpeg not looked at");
                Abilities::default()
            });
            if self.abilities.send_replace(Some(found)) != Some(found) {
                tell_lacks(found);
            }
            if found == Abilities::ALL {
                return;
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    async fn look(&self) -> Result<Abilities, FfmpegError> {
        Ok(Abilities::of(&self.encoders().await?))
    }

    /// Whether it was built with this encoder.
    ///
    /// # Errors
    /// It does not run.
    pub async fn has_encoder(&self, name: &str) -> Result<bool, FfmpegError> {
        Ok(lists(&self.encoders().await?, name))
    }

    /// Whether it can send by this protocol.
    ///
    /// # Errors
    /// It does not run.
    pub async fn sends_by(&self, protocol: &str) -> Result<bool, FfmpegError> {
        let list = self.list("-protocols").await?;
        let sending = list.lines().skip_while(|line| line.trim() != "Output:");
        Ok(sending.into_iter().any(|line| line.trim() == protocol))
    }

    async fn encoders(&self) -> Result<String, FfmpegError> {
        self.list("-encoders").await
    }

    async fn list(&self, what: &str) -> Result<String, FfmpegError> {
        let list = self.start(&list_job(what))?.output(LIST_BYTES).await?;
        Ok(String::from_utf8_lossy(&list).into_owned())
    }

    /// Names the program as it was when the server started: two that differ here may write other bytes.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Starts a run. Call it from a task, not from a blocking thread: the child ends with the thread that made it.
    ///
    /// # Errors
    /// [`FfmpegError::Start`]. A program that isn't there shows only in [`Child::finish`].
    pub fn start(&self, job: &Job) -> Result<Child, FfmpegError> {
        self.start_with(job, None)
    }

    /// As [`Ffmpeg::start`]; every line that it says, cut at 2 KiB, goes to `lines` as well. They must be taken, or
    /// dropped: a child that nobody listens to waits.
    ///
    /// # Errors
    /// As [`Ffmpeg::start`].
    pub fn start_heard(
        &self,
        job: &Job,
        lines: mpsc::Sender<String>,
    ) -> Result<Child, FfmpegError> {
        self.start_with(job, Some(lines))
    }

    fn start_with(
        &self,
        job: &Job,
        lines: Option<mpsc::Sender<String>>,
    ) -> Result<Child, FfmpegError> {
        let pipe_if = |wanted| {
            if wanted {
                Stdio::piped()
            } else {
                Stdio::null()
            }
        };
        let mut child = Command::new(&self.launcher)
            .args(launch_arguments(job.bounds))
            .arg(&self.program)
            .args(["-nostdin", "-hide_banner", "-loglevel", "warning", "-y"])
            .args(&job.arguments)
            .env_clear()
            // Fewer arenas: less address space and less memory that is free but not given back.
            .env("MALLOC_ARENA_MAX", "2")
            .stdin(pipe_if(job.reads_stdin))
            .stdout(pipe_if(job.writes_stdout))
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(FfmpegError::Start)?;
        let stderr = Arc::new(Mutex::new(Tail::default()));
        let reader = read_stderr(child.stderr.take(), Arc::clone(&stderr), lines);
        Ok(Child {
            group: Group(child.id()),
            process: child,
            stderr,
            reader: task::owned(reader),
            deadline: Instant::now() + job.time_limit,
            _running: Running::begin(&self.running),
        })
    }
}

impl Child {
    /// Number of its process; `None` once it has ended.
    pub fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Waits for its end. May be dropped while it waits.
    ///
    /// # Errors
    /// The wait failed.
    pub async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.process.wait().await
    }

    /// The way into it, once.
    pub fn stdin(&mut self) -> Option<impl AsyncWrite + Send + Unpin + use<>> {
        self.process.stdin.take()
    }

    /// The way out of it, once.
    pub fn stdout(&mut self) -> Option<impl AsyncRead + Send + Unpin + use<>> {
        self.process.stdout.take()
    }

    /// Does something with its pipes, within its time.
    ///
    /// # Errors
    /// [`FfmpegError::TimedOut`].
    pub async fn within<T>(&self, work: impl Future<Output = T>) -> Result<T, FfmpegError> {
        timeout_at(self.deadline, work)
            .await
            .map_err(|_| FfmpegError::TimedOut)
    }

    /// Waits for its end and returns what it has written, of which `limit` bytes are read.
    ///
    /// # Errors
    /// As [`Child::finish`].
    pub async fn output(mut self, limit: u64) -> Result<Vec<u8>, FfmpegError> {
        let mut output = Vec::new();
        if let Some(stdout) = self.process.stdout.take() {
            let mut stdout = stdout.take(limit);
            let ended = async {
                let _ = self.process.wait().await;
                // What it has left running holds the pipe open.
                self.group.kill();
                std::future::pending().await
            };
            let reading = async {
                tokio::select! {
                    read = stdout.read_to_end(&mut output) => read,
                    never = ended => never,
                }
            };
            let read = timeout_at(self.deadline, reading).await;
            read.map_err(|_| FfmpegError::TimedOut)?
                .map_err(FfmpegError::Pipe)?;
        }
        self.finish().await?;
        Ok(output)
    }

    /// Asks it and what it has started to end; what is left after 2 s is killed.
    pub async fn stop(mut self) {
        self.group.ask();
        let _ = tokio::time::timeout(TERM_PATIENCE, self.process.wait()).await;
        self.group.kill();
        // The end of a killed process needs nobody's consent.
        let _ = self.process.wait().await;
    }

    /// Waits for its end, and ends what it may have left running.
    ///
    /// # Errors
    /// [`FfmpegError`] unless it ended with 0 in time.
    pub async fn finish(mut self) -> Result<(), FfmpegError> {
        let status = match timeout_at(self.deadline, self.process.wait()).await {
            Ok(status) => status.map_err(FfmpegError::Pipe)?,
            Err(_elapsed) => return Err(FfmpegError::TimedOut),
        };
        // The program is gone, but processes that it made may still hold its pipes.
        self.group.kill();
        if status.success() {
            return Ok(());
        }
        let _ = tokio::time::timeout(KILL_PATIENCE, &mut self.reader).await;
        let stderr = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        Err(FfmpegError::Failed {
            status,
            stderr: stderr.text(),
        })
    }
}

fn tell_lacks(found: Abilities) {
    let Abilities { slideshows, mp3 } = found;
    if !found.any() {
        tracing::warn!("ffmpeg can't be used: `FFMPEG_PATH` names a program that runs here");
    } else if found != Abilities::ALL {
        tracing::warn!(
            slideshows,
            mp3,
            "ffmpeg lacks encoders: slideshows need libx264 and aac, MP3 libmp3lame"
        );
    }
}

fn launch_arguments(bounds: Bounds) -> Vec<OsString> {
    let Bounds {
        cpu_seconds,
        address_space,
        file_bytes,
    } = bounds;
    [
        "launch".to_owned(),
        format!("--parent={}", std::process::id()),
        format!("--cpu-seconds={cpu_seconds}"),
        format!("--address-space={address_space}"),
        format!("--file-bytes={file_bytes}"),
        "--".to_owned(),
    ]
    .map(OsString::from)
    .into()
}

/// Size and time of the file stand for the version: asking the program would take longer than starting the server.
fn version(program: &Path) -> String {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(program).map_or_else(
        |_| String::new(),
        |facts| format!("{}.{}", facts.size(), facts.mtime()),
    )
}

async fn read_stderr(
    pipe: Option<ChildStderr>,
    tail: Arc<Mutex<Tail>>,
    mut lines: Option<mpsc::Sender<String>>,
) {
    let Some(mut pipe) = pipe else {
        return;
    };
    let mut buffer = vec![0; 4096];
    let mut cutter = Lines::default();
    while let Ok(length @ 1..) = pipe.read(&mut buffer).await {
        let said = &buffer[..length];
        tail.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(said);
        let Some(sender) = &lines else {
            continue;
        };
        if tell(&mut cutter, said, sender).await.is_err() {
            // Nobody listens any more; the tail is kept all the same.
            lines = None;
        }
    }
}

async fn tell(
    cutter: &mut Lines,
    said: &[u8],
    lines: &mpsc::Sender<String>,
) -> Result<(), mpsc::error::SendError<String>> {
    for line in cutter.push(said) {
        lines.send(line).await?;
    }
    Ok(())
}

/// Arguments from texts.
pub fn words(texts: &[&str]) -> Vec<OsString> {
    texts.iter().map(OsString::from).collect()
}

/// `file:` before a path, so that nothing in it is taken for a protocol.
pub fn file(path: &Path) -> OsString {
    let mut name = OsString::from("file:");
    name.push(path);
    name
}
