//! Runs FFmpeg on one item: from the feed into a source of the splicer.

use std::convert::Infallible;
use std::future::pending;
use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::settings::LONGEST_ITEM;
use super::source::{SourceError, SourceSink};
use super::{EncoderConfig, Profile, SlateImage, VideoMode};
use crate::lifecycle::Lifecycle;
use crate::media::ffmpeg::{Child, Ffmpeg, FfmpegError, Job};
use crate::media::launch::Bounds;
use crate::media::normalise::{self, Input, Output, Report};

/// How long a run may last: twice as long as the longest item, because it is held back while the target is away.
const RUN_LIMIT: Duration = LONGEST_ITEM.saturating_mul(2);
/// How long the program may write nothing while it is wanted.
const SILENCE: Duration = Duration::from_secs(15);
/// How long its first bytes may take. Until they come nothing is held that could be played meanwhile, so it is silent
/// through no fault of its own for as long as the feed waits for an upstream, which is 30 s: ended earlier, it would take
/// a feed with it that may yet go on, and the second time the item.
const FIRST_SILENCE: Duration = Duration::from_secs(30).saturating_add(SILENCE);
/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;
/// Lines for the log that are told in a second.
const LINES_PER_SECOND: u32 = 50;
const SECOND: Duration = Duration::from_secs(1);
/// Lines that may wait to be told.
const LINES: usize = 64;
/// Largest slate; an ordinary one has some KiB.
const MAX_SLATE: usize = 8 * 1024 * 1024;
/// Lines of a failure that are told.
const LAST_LINES: usize = 20;

/// The program, and how it is run here.
#[derive(Clone)]
pub(super) struct Encoding {
    pub(super) ffmpeg: Ffmpeg,
    pub(super) config: EncoderConfig,
    /// Waits for runs that are being ended.
    pub(super) lifecycle: Lifecycle,
}

/// Why an item ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum NormaliseError {
    /// It is no longer wanted, or is not what it should be.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The program failed.
    #[error("{0}")]
    Ffmpeg(#[from] FfmpegError),
    /// It wrote nothing for too long.
    #[error("ffmpeg wrote nothing for {} s", .0.as_secs())]
    Stuck(Duration),
    /// It ended well without a picture.
    #[error("ffmpeg found nothing to play")]
    Empty,
    /// Its output could not be read.
    #[error("pipe from ffmpeg: {0}")]
    Pipe(#[from] std::io::Error),
}

/// What a run tells while it lasts.
#[derive(Debug)]
pub(super) enum Said {
    /// How far it is.
    Report(Report),
    /// A line for the log.
    Line(String),
}

impl NormaliseError {
    /// Whether what came is to blame: where it should pass through as it is, it must be encoded.
    pub(super) fn is_unfit(&self) -> bool {
        match self {
            Self::Source(error) => *error != SourceError::Closed,
            Self::Ffmpeg(error) => {
                matches!(error, FfmpegError::Failed { .. }) && !error.is_killed()
            }
            Self::Empty => true,
            Self::Stuck(_) | Self::Pipe(_) => false,
        }
    }

    /// The failure with the last of what the program said besides its reports.
    pub(super) fn described(&self) -> String {
        let stderr = match self {
            Self::Ffmpeg(error) if error.is_killed() => {
                return format!("{self}: from outside, as the kernel does when memory runs out");
            }
            Self::Ffmpeg(FfmpegError::Failed { stderr, .. }) => stderr,
            _ => return self.to_string(),
        };
        let is_log = |line: &&str| !Report::default().read(line.trim());
        let lines: Vec<&str> = stderr.lines().filter(is_log).collect();
        let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
        format!("{self}: {}", last.join(" | "))
    }
}

impl Encoding {
    /// Encodes the slate of a profile; its bytes are FLV.
    ///
    /// # Errors
    /// The program is missing, lacks an encoder, or fails.
    pub(super) async fn slate(
        &self,
        profile: &Profile,
        image: Option<&SlateImage>,
        time_limit: Duration,
    ) -> Result<Vec<u8>, NormaliseError> {
        let arguments = normalise::slate(&self.output(profile), image.map(|image| image.kind));
        let mut job = self.job(arguments, time_limit);
        job.reads_stdin = image.is_some();
        let mut child = self.ffmpeg.start(&job)?;
        let (stdin, stdout) = (child.stdin(), child.stdout());
        let feeding = async {
            if let (Some(mut stdin), Some(image)) = (stdin, image) {
                // A program that has seen enough, or fails, closes it: its end tells which.
                let _ = stdin.write_all(&image.bytes).await;
            }
        };
        let reading = async {
            let mut flv = Vec::new();
            if let Some(stdout) = stdout {
                let mut stdout = stdout.take(MAX_SLATE as u64);
                stdout.read_to_end(&mut flv).await?;
            }
            Ok::<_, NormaliseError>(flv)
        };
        let both = child.within(async { tokio::join!(feeding, reading) });
        let ((), flv) = both.await?;
        child.finish().await?;
        flv
    }

    /// Starts the program on an item, which it encodes or passes on.
    ///
    /// # Errors
    /// [`NormaliseError::Ffmpeg`].
    pub(super) fn start(
        &self,
        input: &Input<'_>,
        profile: &Profile,
        mode: VideoMode,
    ) -> Result<Normaliser, NormaliseError> {
        let (sender, lines) = mpsc::channel(LINES);
        let arguments = match mode {
            VideoMode::Encode => normalise::item(input, &self.output(profile)),
            VideoMode::Copy => normalise::copy(input),
        };
        let job = self.job(arguments, RUN_LIMIT);
        let child = self.ffmpeg.start_heard(&job, sender)?;
        Ok(Normaliser {
            child: Some(child),
            ear: Ear::new(lines),
            lifecycle: self.lifecycle.clone(),
            token: None,
        })
    }

    fn output<'a>(&self, profile: &'a Profile) -> Output<'a> {
        Output {
            width: profile.width,
            height: profile.height,
            fps: profile.fps,
            video_kbps: profile.video_kbps,
            audio_kbps: profile.audio_kbps,
            preset: &profile.preset,
            gop_s: profile.gop_s,
            encoder: self.config.video,
        }
    }

    fn job(&self, arguments: Vec<std::ffi::OsString>, time_limit: Duration) -> Job {
        Job {
            arguments,
            bounds: Bounds {
                cpu_seconds: cpu_seconds(time_limit),
                address_space: self.config.memory_bytes,
                file_bytes: 0,
            },
            time_limit,
            reads_stdin: false,
            writes_stdout: true,
        }
    }
}

/// Processor time of a run that may last so long: that of all processors, so that none is ended by it that is in time.
fn cpu_seconds(time_limit: Duration) -> u64 {
    let processors = available_parallelism().map_or(1, NonZeroUsize::get);
    time_limit.as_secs().saturating_mul(processors as u64)
}

/// A run of the program on one item. Dropping it asks the program to end, and kills it if it doesn't.
pub(super) struct Normaliser {
    /// `None` once its end is being waited for.
    child: Option<Child>,
    ear: Ear,
    lifecycle: Lifecycle,
    /// Held until the program has ended.
    token: Option<TaskTrackerToken>,
}

impl Drop for Normaliser {
    fn drop(&mut self) {
        let token = self.token.take();
        if let Some(child) = self.child.take() {
            self.lifecycle.spawn(async move {
                child.stop().await;
                drop(token);
            });
        }
    }
}

/// What is heard of a program.
struct Ear {
    lines: mpsc::Receiver<String>,
    report: Report,
    since: Instant,
    told: u32,
    suppressed: u32,
}

impl Ear {
    fn new(lines: mpsc::Receiver<String>) -> Self {
        Self {
            lines,
            report: Report::default(),
            since: Instant::now(),
            told: 0,
            suppressed: 0,
        }
    }

    /// Tells what is said, until it is dropped.
    async fn listen(&mut self, tell: &mut impl FnMut(Said)) -> Infallible {
        loop {
            tokio::select! {
                line = self.lines.recv() => match line {
                    Some(line) => self.hear(line, tell),
                    None => pending().await,
                },
                () = sleep_until(self.since + SECOND), if self.suppressed > 0 => self.begin_second(tell),
            }
        }
    }

    /// Tells what is left, once nothing more is said.
    fn finish(&mut self, tell: &mut impl FnMut(Said)) {
        while let Ok(line) = self.lines.try_recv() {
            self.hear(line, tell);
        }
        self.begin_second(tell);
    }

    /// Tells a line; of those for the log so many a second.
    fn hear(&mut self, line: String, tell: &mut impl FnMut(Said)) {
        if self.since.elapsed() >= SECOND {
            self.begin_second(tell);
        }
        if self.report.read(&line) {
            tell(Said::Report(self.report));
        } else if self.told < LINES_PER_SECOND {
            self.told += 1;
            tell(Said::Line(line));
        } else {
            self.suppressed += 1;
        }
    }

    fn begin_second(&mut self, tell: &mut impl FnMut(Said)) {
        if self.suppressed > 0 {
            let line = format!("{} similar lines suppressed", self.suppressed);
            tell(Said::Line(line));
        }
        (self.since, self.told, self.suppressed) = (Instant::now(), 0, 0);
    }
}

impl Normaliser {
    /// The same one, for whose end `programs` waits, however it comes about.
    pub(super) fn among(mut self, programs: &TaskTracker) -> Self {
        self.token = Some(programs.token());
        self
    }

    /// Number of its process.
    pub(super) fn id(&self) -> Option<u32> {
        self.child.as_ref()?.id()
    }

    /// Leads everything it writes into `sink`, at the pace of whoever takes it, and tells `tell` what it says.
    ///
    /// # Errors
    /// [`NormaliseError`], unless the program ended well after it had written something.
    pub(super) async fn run(
        mut self,
        sink: &mut SourceSink,
        mut tell: impl FnMut(Said),
    ) -> Result<(), NormaliseError> {
        let stdout = self.child.as_mut().and_then(Child::stdout);
        if let Some(stdout) = stdout {
            tokio::select! {
                copied = copy(stdout, sink) => copied?,
                never = self.ear.listen(&mut tell) => match never {},
            }
        }
        if let Some(child) = self.child.take() {
            let ended = tokio::select! {
                ended = child.finish() => ended,
                never = self.ear.listen(&mut tell) => match never {},
            };
            // What it said last is the most telling.
            self.ear.finish(&mut tell);
            ended?;
        }
        if sink.monitor().headers().is_none() {
            return Err(NormaliseError::Empty);
        }
        Ok(())
    }
}

/// Copies to the end of the output, which must not be silent for long.
async fn copy(
    mut stdout: impl tokio::io::AsyncRead + Unpin,
    sink: &mut SourceSink,
) -> Result<(), NormaliseError> {
    let mut buffer = vec![0; READ_BYTES];
    let mut patience = FIRST_SILENCE;
    loop {
        let length = timeout(patience, stdout.read(&mut buffer))
            .await
            .map_err(|_| NormaliseError::Stuck(patience))??;
        if length == 0 {
            return Ok(());
        }
        patience = SILENCE;
        sink.write(&buffer[..length]).await?;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::broadcast::Settings;

    #[test]
    fn longest_item_that_may_be_set_is_within_the_bounds_of_its_program() {
        let minutes = |max_item_minutes: u32| {
            let fields =
                json!({ "title": "T", "playlist_id": "PL", "max_item_minutes": max_item_minutes });
            let Value::Object(fields) = fields else {
                panic!("{fields}");
            };
            Settings::read(fields, None)
                .ok()
                .map(|(settings, _)| settings)
        };
        let longest = (0..100_000).rev().find_map(minutes).unwrap();
        let longest = longest.longest_item().unwrap();
        assert_eq!(longest, LONGEST_ITEM);
        assert!(RUN_LIMIT > longest, "{RUN_LIMIT:?}");
        let all_at_work = available_parallelism().unwrap().get() as u64 * longest.as_secs();
        let bounded = cpu_seconds(RUN_LIMIT);
        assert!(bounded > all_at_work, "{bounded} s of {all_at_work} s");
    }

    #[test]
    fn program_that_says_much_is_heard_in_part() {
        let (sender, lines) = mpsc::channel(1000);
        let mut ear = Ear::new(lines);
        for number in 0..100 {
            sender.try_send(format!("[warning] {number}")).unwrap();
            sender.try_send("speed=2x".to_owned()).unwrap();
        }
        let (mut told, mut reports) = (Vec::new(), 0);
        ear.finish(&mut |said| match said {
            Said::Line(line) => told.push(line),
            Said::Report(_) => reports += 1,
        });
        assert_eq!(reports, 100);
        assert_eq!(told.len(), LINES_PER_SECOND as usize + 1);
        assert_eq!(told.last().unwrap(), "50 similar lines suppressed");
    }
}
