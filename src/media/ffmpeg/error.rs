//! Why a child gave no result.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::process::Signal;

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

#[cfg(test)]
mod tests {
    use super::*;

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
