//! SRT by FFmpeg: it gets the tags on its standard input, as FLV, and sends them on.
//!
//! There is no SRT for Rust that is kept well; FFmpeg's builds have libsrt. The address that was judged is the literal
//! that it dials, and the key reaches it by a named pipe that only this user can open: neither its arguments nor its
//! environment nor a disk holds it.

#[cfg(any(test, feature = "fuzz"))]
pub(in crate::broadcast) mod fuzz;
mod options;

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::net::unix::pipe;
use tokio::sync::mpsc;
use tokio::time::{sleep, sleep_until, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::{Connect, PublishError, Publisher, PublisherStats, Target};
use crate::broadcast::flv::{Tag, write_header, write_tag};
use crate::media::ffmpeg::{Child, Ffmpeg, Job};
use crate::media::launch::Bounds;
use crate::media::normalise::Report;
use crate::media::relay;
use crate::net::TargetDialer;
use crate::task;
use crate::temp::{JobDir, Temp};
pub use options::SrtOptions;

/// Processor time of one connection: copying takes a hundredth of real time.
const CPU_SECONDS: u64 = 24 * 3600;
/// Its address space.
const ADDRESS_SPACE: u64 = 1024 * 1024 * 1024;
/// How long a connection may last.
const LIMIT: Duration = Duration::from_secs(365 * 24 * 3600);
/// How often is looked whether the program has begun to read its options, and whether it has said something more.
const OPEN_AGAIN: Duration = Duration::from_millis(10);
/// How long it may take nothing (ruling 41).
const STALL: Duration = Duration::from_secs(10);
/// What a receiver holds when the connection ends is lost to it: so much longer than its latency is waited before.
const LAST_WAY: Duration = Duration::from_millis(380);
/// And so long at most.
const LONGEST_WAY: Duration = Duration::from_millis(2500);
/// How long it may take to send the rest at the end of its input, before it is asked to end.
const DRAIN: Duration = Duration::from_secs(4);
/// What it has written so long before is taken for arrived: SRT gives up on anything older than its latency.
const ARRIVES_WITHIN: Duration = Duration::from_secs(1);
/// Lines that are told of its failure.
const LAST_LINES: usize = 4;
/// Lines that may wait to be heard.
const LINES: usize = 64;

/// Connects to one SRT target.
#[derive(Clone)]
pub struct Srt {
    dialer: Arc<TargetDialer>,
    target: Target,
    options: SrtOptions,
    ffmpeg: Ffmpeg,
    temp: Temp,
}

impl Srt {
    /// A publisher for `target`, one of SRT, by this program; `temp` is where it gets a pipe.
    pub(in crate::broadcast) fn new(
        dialer: Arc<TargetDialer>,
        (target, options): (Target, SrtOptions),
        ffmpeg: Ffmpeg,
        temp: Temp,
    ) -> Self {
        Self {
            dialer,
            target,
            options,
            ffmpeg,
            temp,
        }
    }
}

/// A program that sends.
pub struct SrtSession {
    child: Child,
    stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    heard: Arc<Heard>,
    /// Times in milliseconds of tags that were sent, and the bytes up to their ends.
    sent: VecDeque<(u64, u64)>,
    sent_bytes: u64,
    acknowledged: Option<u64>,
    /// How long the last bytes are on their way to where they are played.
    last_way: Duration,
    _listening: AbortOnDropHandle<()>,
    _telling: AbortOnDropHandle<()>,
    /// Its pipe lies there.
    _dir: JobDir,
}

/// What the program has said.
#[derive(Default)]
struct Heard {
    /// It has reported, which it does not before the target has answered.
    has_reported: AtomicBool,
    /// Media time that it has written, in milliseconds.
    written_ms: AtomicU64,
    lines: Mutex<VecDeque<String>>,
}

impl Heard {
    async fn listen(self: Arc<Self>, mut lines: mpsc::Receiver<String>, options: SrtOptions) {
        let mut report = Report::default();
        while let Some(line) = lines.recv().await {
            if report.read(&line) {
                self.has_reported.store(true, Ordering::Relaxed);
                let written = report.made.map_or(0, |made| made.as_millis());
                let written = u64::try_from(written).unwrap_or(u64::MAX);
                self.written_ms.store(written, Ordering::Relaxed);
                continue;
            }
            let mut last = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            last.push_back(options.clean(&line));
            if last.len() > LAST_LINES {
                last.pop_front();
            }
        }
    }

    fn last(&self) -> String {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        lines.join(" | ")
    }
}

impl Connect for Srt {
    type Publisher = SrtSession;

    /// The program has begun; whether the target takes what it sends shows later ([`Publisher::is_taken`]): it looks at what
    /// it gets before it reads its options and dials.
    async fn connect(&mut self) -> Result<SrtSession, PublishError> {
        let target = &self.target;
        let address = self.dialer.resolve(target.host(), target.port()).await?;
        let dir = self.temp.job_of_pipes().await?;
        let path = dir.pipe("options")?;
        let job = Job {
            arguments: relay::srt(&path, address),
            bounds: Bounds {
                cpu_seconds: CPU_SECONDS,
                address_space: ADDRESS_SPACE,
                file_bytes: 0,
            },
            time_limit: LIMIT,
            reads_stdin: true,
            writes_stdout: false,
        };
        let (sender, lines) = mpsc::channel(LINES);
        let started = self.ffmpeg.start_heard(&job, sender);
        let mut child = started.map_err(io::Error::other)?;
        let heard = Arc::new(Heard::default());
        let listening = Arc::clone(&heard).listen(lines, self.options.clone());
        let mut session = SrtSession {
            stdin: child
                .stdin()
                .map(|stdin| Box::new(stdin) as Box<dyn AsyncWrite + Send + Unpin>),
            child,
            heard,
            sent: VecDeque::new(),
            sent_bytes: 0,
            acknowledged: None,
            last_way: (self.options.latency() + LAST_WAY).min(LONGEST_WAY),
            _listening: task::owned(listening),
            _telling: task::owned(tell(path, self.options.clone())),
            _dir: dir,
        };
        let mut header = Vec::new();
        write_header(&mut header);
        session.write(&header).await?;
        Ok(session)
    }
}

/// Gives the program its options, once it has opened the pipe to read. If that fails it has none, and the target refuses
/// what has no name.
async fn tell(path: PathBuf, options: SrtOptions) {
    let told = async {
        let mut input = loop {
            match pipe::OpenOptions::new().open_sender(&path) {
                Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => {
                    sleep(OPEN_AGAIN).await;
                }
                opened => break opened?,
            }
        };
        input.write_all(options.to_lines().as_bytes()).await
    };
    if let Err(error) = told.await {
        let error: io::Error = error;
        tracing::warn!(%error, "ffmpeg not told its options");
    }
}

impl SrtSession {
    /// Waits for the end of the program, which is always too early.
    async fn ended(&mut self) -> PublishError {
        let status = self.child.ended().await;
        let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        // What it said last is on its way.
        sleep(OPEN_AGAIN).await;
        PublishError::Relay(format!("{status}: {}", self.heard.last()))
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), PublishError> {
        let writing = async {
            match &mut self.stdin {
                Some(stdin) => stdin.write_all(bytes).await,
                None => Err(io::ErrorKind::BrokenPipe.into()),
            }
        };
        let written = timeout(STALL, writing).await;
        match written.map_err(|_| PublishError::Stalled)? {
            Ok(()) => {
                self.sent_bytes += bytes.len() as u64;
                Ok(())
            }
            Err(_) => Err(self.ended().await),
        }
    }

    /// Notes up to where the program has passed on what it got.
    fn note_written(&mut self) {
        let written = self.heard.written_ms.load(Ordering::Relaxed);
        let margin = u64::try_from(ARRIVES_WITHIN.as_millis()).unwrap_or(u64::MAX);
        while let Some((_, end)) = self
            .sent
            .front()
            .copied()
            .filter(|(at, _)| at + margin <= written)
        {
            self.acknowledged = Some(end);
            self.sent.pop_front();
        }
    }
}

impl Publisher for SrtSession {
    async fn send(&mut self, tag: &Tag) -> Result<(), PublishError> {
        let mut bytes = Vec::with_capacity(tag.data.len() + 16);
        write_tag(tag, &mut bytes);
        self.write(&bytes).await?;
        self.sent
            .push_back((tag.timestamp_ms.into(), self.sent_bytes));
        self.note_written();
        Ok(())
    }

    async fn wait_until(&mut self, until: Instant) -> Result<(), PublishError> {
        tokio::select! {
            () = sleep_until(until.into()) => Ok(()),
            error = self.ended() => Err(error),
        }
    }

    fn is_taken(&self) -> bool {
        self.heard.has_reported.load(Ordering::Relaxed)
    }

    fn stats(&self) -> PublisherStats {
        PublisherStats {
            sent_bytes: self.sent_bytes,
            acknowledged_bytes: self.acknowledged,
        }
    }

    async fn close(mut self) {
        if !self.sent.is_empty() {
            let _ = timeout(self.last_way, self.child.ended()).await;
        }
        // The end of its input is the request to end.
        drop(self.stdin.take());
        if timeout(DRAIN, self.child.ended()).await.is_err() {
            self.child.stop().await;
        }
    }
}
