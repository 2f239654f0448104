//! Why an upstream gave no answer.

use std::time::Duration;

use super::GuardError;

/// The part of a request that took too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// DNS, TCP, TLS or proxy handshake.
    Connect,
    /// From the request to the head of the answer.
    Head,
    /// Between two pieces of the body.
    Body,
    /// The whole fetch.
    Whole,
}

/// Why an upstream gave no answer, by what the caller can do. Its text never holds a query string.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetError {
    /// The address is not one we ask; nothing was dialled.
    #[error("refused by the address guard: {0}")]
    Guard(#[from] GuardError),
    /// No connection: DNS, TCP, TLS or the proxy.
    #[error("connect to {host}: {message}")]
    Connect {
        /// Host that was asked.
        host: String,
        /// What the library says, without the address.
        message: String,
    },
    /// Too slow.
    #[error("{host}: {phase:?} took too long")]
    Timeout {
        /// Host that was asked.
        host: String,
        /// Which part.
        phase: Phase,
    },
    /// The answer is larger than its kind may be, counted after decompression.
    #[error("{host}: answer larger than {limit} bytes")]
    TooLarge {
        /// Host that was asked.
        host: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The connection broke, or the answer is no HTTP.
    #[error("{host}: broken answer: {message}")]
    Broken {
        /// Host that was asked.
        host: String,
        /// What the library says, without the address.
        message: String,
    },
    /// Too many redirects, or one without a target.
    #[error("{host}: redirect that leads nowhere")]
    Redirect {
        /// Host that was asked.
        host: String,
    },
    /// The host failed too often of late and is left alone for a while; nothing was dialled.
    #[error("{host}: left alone after many failures")]
    Suspended {
        /// Host that was to be asked.
        host: String,
        /// How long it still is.
        retry_after: Duration,
    },
    /// The client could not be built; only at start.
    #[error("client set-up: {0}")]
    Setup(String),
}

impl NetError {
    /// Whether the same request may succeed when it is sent again at once.
    pub fn may_retry(&self) -> bool {
        matches!(
            self,
            Self::Connect { .. } | Self::Timeout { .. } | Self::Broken { .. }
        )
    }
}
