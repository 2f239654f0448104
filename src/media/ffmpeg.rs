//! FFmpeg as a supervised child (reliability R1.8, R3.8).
//!
//! A child runs in a process group of its own, with bounds set before it begins ([`super::launch`]), an empty
//! environment, no standard input but what is piped to it, and a time limit. Its standard error is read all the time,
//! and the end of it kept for the log. Dropping a [`Child`] kills the whole group. A result counts only after
//! [`Child::finish`] has seen exit status 0.
//!
//! Arguments are a list, never a shell line, and never contain an address of a client or a site.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::process::{ChildStderr, Command};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use super::abilities::{Abilities, LIST_BYTES, list_job, lists};
use super::launch::Bounds;

/// Bytes of standard error that are kept, from its end.
const STDERR_BYTES: usize = 16 * 1024;
/// How often a program that lacks something is looked at again: it may be replaced while the server runs.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);
/// Bytes of one line that are passed on.
const LINE_BYTES: usize = 2048;
/// How long a killed group may take to let go of standard error.
const KILL_PATIENCE: Duration = Duration::from_secs(2);
/// How long a group that was asked to end may take before it is killed.
const TERM_PATIENCE: Duration = Duration::from_secs(2);

/// Why FFmpeg gave no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FfmpegError {
    /// It could not be started.
    #[error("ffmpeg not started: {0}")]
    Start(io::Error),
    /// It ended with something else than 0.
    #[error("ffmpeg failed: {status}")]
    Failed {
        /// Exit code or signal.
        status: ExitStatus,
        /// The end of what it said.
        stderr: String,
    },
    /// It took longer than it may.
    #[error("ffmpeg took too long")]
    TimedOut,
    /// The pipes to it, or the wait for it, failed.
    #[error("pipe to ffmpeg: {0}")]
    Pipe(io::Error),
}

impl FfmpegError {
    /// Whether the program was killed from outside, as by the system when memory runs out: its input is not to blame. The
    /// bounds that we set never end a run so.
    pub fn is_killed(&self) -> bool {
        let signal = match self {
            Self::Failed { status, .. } => status.signal(),
            _ => None,
        };
        signal == Some(Signal::KILL.as_raw())
    }

    /// Whether the file system was full.
    pub fn is_disk_full(&self) -> bool {
        // What `strerror(ENOSPC)` says in the C locale, in which the child runs.
        matches!(self, Self::Failed { stderr, .. } if stderr.contains("No space left on device"))
    }
}

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
                tell(found);
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
        let reader = tokio::spawn(reader);
        Ok(Child {
            group: Group(child.id()),
            process: child,
            stderr,
            reader: AbortOnDropHandle::new(reader),
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

fn tell(found: Abilities) {
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

/// A process group; killed when dropped.
#[derive(Debug)]
struct Group(Option<u32>);

impl Group {
    fn ask(&self) {
        self.signal(Signal::TERM);
    }

    fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.0 = None;
    }

    fn signal(&self, signal: Signal) {
        let leader = self.0.and_then(|pid| i32::try_from(pid).ok());
        if let Some(leader) = leader.and_then(Pid::from_raw) {
            // It fails when nobody is left in the group, which is what is wanted.
            let _ = kill_process_group(leader, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
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

/// The last bytes of a text.
#[derive(Debug, Default)]
struct Tail(VecDeque<u8>);

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(STDERR_BYTES)..];
        let surplus = (self.0.len() + bytes.len()).saturating_sub(STDERR_BYTES);
        self.0.drain(..surplus);
        self.0.extend(bytes);
    }

    fn text(&self) -> String {
        let bytes: Vec<u8> = self.0.iter().copied().collect();
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }
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
    let mut begun = Vec::new();
    while let Ok(length @ 1..) = pipe.read(&mut buffer).await {
        let said = &buffer[..length];
        tail.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(said);
        let Some(sender) = &lines else {
            continue;
        };
        if tell_lines(&mut begun, said, sender).await.is_err() {
            // Nobody listens any more; the tail is kept all the same.
            lines = None;
        }
    }
}

/// Passes on the lines that are whole, cut at [`LINE_BYTES`].
async fn tell_lines(
    begun: &mut Vec<u8>,
    said: &[u8],
    lines: &mpsc::Sender<String>,
) -> Result<(), mpsc::error::SendError<String>> {
    for part in said.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
        let room = LINE_BYTES.saturating_sub(begun.len()).min(part.len());
        begun.extend_from_slice(&part[..room]);
        if part.ends_with(b"\n") || part.ends_with(b"\r") {
            let line = String::from_utf8_lossy(begun).trim().to_owned();
            begun.clear();
            if !line.is_empty() {
                lines.send(line).await?;
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tail_keeps_the_last_bytes() {
        let mut tail = Tail::default();
        tail.push(&vec![b'a'; STDERR_BYTES + 5]);
        tail.push(b"the end \xff\n");
        assert_eq!(tail.0.len(), STDERR_BYTES);
        assert!(tail.text().ends_with("athe end \u{fffd}"));
    }

    #[tokio::test]
    async fn lines_are_whole_and_cut() {
        let (sender, mut lines) = mpsc::channel(8);
        let mut begun = Vec::new();
        for said in [
            &b"one\ntw"[..],
            b"o\r\n\n",
            &[b'a'; 2 * LINE_BYTES],
            b"\nend",
        ] {
            tell_lines(&mut begun, said, &sender).await.unwrap();
        }
        let heard = std::iter::from_fn(|| lines.try_recv().ok());
        let heard: Vec<usize> = heard.map(|line| line.len()).collect();
        assert_eq!(heard, [3, 3, LINE_BYTES]);
        drop(lines);
        assert!(tell_lines(&mut begun, b"\n", &sender).await.is_err());
    }

    #[test]
    fn full_disk_is_known_by_what_the_child_says() {
        let failed = |stderr: &str| FfmpegError::Failed {
            status: ExitStatus::from_raw(256),
            stderr: stderr.to_owned(),
        };
        assert!(failed("av_interleaved_write_frame(): No space left on device").is_disk_full());
        assert!(!failed("Invalid data").is_disk_full());
        assert!(!FfmpegError::TimedOut.is_disk_full());
    }

    #[test]
    fn killed_child_is_told_from_one_that_broke_down() {
        let ended = |raw| FfmpegError::Failed {
            status: ExitStatus::from_raw(raw),
            stderr: String::new(),
        };
        assert!(ended(9).is_killed());
        // SIGSEGV, SIGXCPU, exit 1.
        assert!(![11, 24, 256].map(ended).iter().any(FfmpegError::is_killed));
        assert!(!FfmpegError::TimedOut.is_killed());
    }
}
