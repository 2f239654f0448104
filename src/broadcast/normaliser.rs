//! Runs FFmpeg on one item: from the feed into a source of the splicer.

use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Profile;
use super::source::{SourceError, SourceSink};
use crate::media::ffmpeg::{Child, Ffmpeg, FfmpegError, Job};
use crate::media::launch::Bounds;
use crate::media::normalise::{self, Input, Output, Report};

/// Processor time of one item: a day of picture on four cores.
const CPU_SECONDS: u64 = 4 * 24 * 3600;
/// Address space: 4K with the frames that the encoder looks ahead.
const ADDRESS_SPACE: u64 = 4 * 1024 * 1024 * 1024;
/// How long one item may last.
const ITEM_LIMIT: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long the program may write nothing while it is wanted.
const SILENCE: Duration = Duration::from_secs(15);
/// How long its first bytes may take: it seeks and looks ahead, and the upstream may be away for a while.
const FIRST_SILENCE: Duration = Duration::from_secs(45);
/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;
/// Lines for the log that are told in a second.
const LINES_PER_SECOND: u32 = 50;
/// Lines that may wait to be told.
const LINES: usize = 64;
/// Largest slate; an ordinary one has some KiB.
const MAX_SLATE: usize = 8 * 1024 * 1024;

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

fn output(profile: &Profile) -> Output<'_> {
    Output {
        width: profile.width,
        height: profile.height,
        fps: profile.fps,
        video_kbps: profile.video_kbps,
        audio_kbps: profile.audio_kbps,
        preset: &profile.preset,
        gop_s: profile.gop_s,
    }
}

fn job(arguments: Vec<std::ffi::OsString>, time_limit: Duration) -> Job {
    Job {
        arguments,
        bounds: Bounds {
            cpu_seconds: CPU_SECONDS,
            address_space: ADDRESS_SPACE,
            file_bytes: 0,
        },
        time_limit,
        reads_stdin: false,
        writes_stdout: true,
    }
}

/// Encodes the slate of a profile; its bytes are FLV.
///
/// # Errors
/// The program is missing, lacks an encoder, or fails.
pub(super) async fn slate(
    ffmpeg: &Ffmpeg,
    profile: &Profile,
    time_limit: Duration,
) -> Result<Vec<u8>, NormaliseError> {
    let mut child = ffmpeg.start(&job(normalise::slate(&output(profile)), time_limit))?;
    let mut flv = Vec::new();
    if let Some(stdout) = child.stdout() {
        let mut stdout = stdout.take(MAX_SLATE as u64);
        child.within(stdout.read_to_end(&mut flv)).await??;
    }
    child.finish().await?;
    Ok(flv)
}

/// A run of the program on one item. Dropping it kills the program.
pub(super) struct Normaliser {
    child: Child,
    ear: Ear,
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

    /// Tells what was said since the last time; of lines for the log so many a second.
    fn hear(&mut self, tell: &mut impl FnMut(Said)) {
        if self.since.elapsed() >= Duration::from_secs(1) {
            if self.suppressed > 0 {
                tell(Said::Line(format!("{} lines suppressed", self.suppressed)));
            }
            (self.since, self.told, self.suppressed) = (Instant::now(), 0, 0);
        }
        while let Ok(line) = self.lines.try_recv() {
            if self.report.read(&line) {
                tell(Said::Report(self.report));
            } else if self.told < LINES_PER_SECOND {
                self.told += 1;
                tell(Said::Line(line));
            } else {
                self.suppressed += 1;
            }
        }
    }
}

impl Normaliser {
    /// Starts the program.
    ///
    /// # Errors
    /// [`NormaliseError::Ffmpeg`].
    pub(super) fn start(
        ffmpeg: &Ffmpeg,
        input: &Input<'_>,
        profile: &Profile,
    ) -> Result<Self, NormaliseError> {
        let (sender, lines) = mpsc::channel(LINES);
        let arguments = normalise::item(input, &output(profile));
        let child = ffmpeg.start_heard(&job(arguments, ITEM_LIMIT), sender)?;
        Ok(Self {
            child,
            ear: Ear::new(lines),
        })
    }

    /// Number of its process.
    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
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
        let mut has_written = false;
        if let Some(mut stdout) = self.child.stdout() {
            let mut buffer = vec![0; READ_BYTES];
            loop {
                let patience = if has_written { SILENCE } else { FIRST_SILENCE };
                let length = tokio::time::timeout(patience, stdout.read(&mut buffer))
                    .await
                    .map_err(|_| NormaliseError::Stuck(patience))??;
                self.ear.hear(&mut tell);
                if length == 0 {
                    break;
                }
                has_written = true;
                sink.write(&buffer[..length]).await?;
            }
        }
        let Self { child, mut ear } = self;
        let ended = child.finish().await;
        // What it said last is the most telling.
        ear.hear(&mut tell);
        ended?;
        if sink.monitor().headers().is_none() {
            return Err(NormaliseError::Empty);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn program_that_says_much_is_heard_in_part() {
        let (sender, lines) = mpsc::channel(1000);
        let mut ear = Ear::new(lines);
        for number in 0..100 {
            sender.try_send(format!("[warning] {number}")).unwrap();
            sender.try_send("speed=2x".to_owned()).unwrap();
        }
        let (mut told, mut reports) = (0, 0);
        ear.hear(&mut |said| match said {
            Said::Line(_) => told += 1,
            Said::Report(_) => reports += 1,
        });
        assert_eq!((told, reports, ear.suppressed), (LINES_PER_SECOND, 100, 50));
    }
}
