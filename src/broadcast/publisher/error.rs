//! Why nothing can be published, or no longer.

use std::fmt;
use std::io;

use super::rtmp::ChunkError;
use crate::net::{DialError, TargetRefused};
use crate::temp::TempError;

/// What was being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// The first bytes of both sides.
    Handshake,
    /// The application was asked for.
    Connect,
    /// A stream was asked for.
    CreateStream,
    /// The key was shown.
    Publish,
    /// Media was sent.
    Send,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Handshake => "handshake",
            Self::Connect => "connect",
            Self::CreateStream => "createStream",
            Self::Publish => "publish",
            Self::Send => "sending",
        })
    }
}

/// Why nothing can be published, or no longer. No text of it holds the stream key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The target could not be reached.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The target took too long over a step.
    #[error("target does not answer: {0}")]
    Timeout(Step),
    /// The target says no.
    #[error("target rejected {step}: {code} {description}")]
    Rejected {
        /// What it rejects.
        step: Step,
        /// Its word, such as `NetStream.Publish.BadName`.
        code: String,
        /// Its explanation.
        description: String,
    },
    /// The target closed the connection.
    #[error("target closed the connection: {0}")]
    Closed(Step),
    /// The connection broke.
    #[error("connection lost: {0}")]
    Lost(#[source] io::Error),
    /// The target took nothing for 10 s though there was something to send.
    #[error("target takes no more data")]
    Stalled,
    /// The program that sends has ended; its last words, without a key.
    #[error("target lost: ffmpeg ended: {0}")]
    Relay(String),
    /// There is no pipe through which the program that sends would get the key.
    #[error("no pipe for ffmpeg below `STREAM_TEMP_DIR`: {0}")]
    Pipe(#[from] TempError),
    /// The target doesn't speak RTMP, or breaks its rules.
    #[error("target breaks the protocol: {0}")]
    Protocol(#[from] ChunkError),
}

impl PublishError {
    /// Whether the target said no: the key is wrong, or in use. Trying for long is no use.
    pub fn is_rejection(&self) -> bool {
        matches!(self, Self::Rejected { .. })
    }

    /// Whether nothing that the target has not acknowledged may be taken for arrived: it kept the connection and took
    /// nothing, or what was sent lay with a program.
    pub fn is_stall(&self) -> bool {
        matches!(self, Self::Stalled | Self::Relay(_))
    }

    /// Whether the target must not be dialled at all.
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::Dial(DialError::Refused(_)))
    }
}

impl From<TargetRefused> for PublishError {
    fn from(refused: TargetRefused) -> Self {
        Self::Dial(refused.into())
    }
}

/// The system ends a connection whose send queue doesn't move with this word.
impl From<io::Error> for PublishError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => Self::Stalled,
            _ => Self::Lost(error),
        }
    }
}
