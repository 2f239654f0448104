//! How transfers ended: the one log line of each, and the counters of all.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;
use tracing::Span;

use super::Permit;

/// How a transfer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// Every byte was handed over.
    Complete,
    /// The client went away.
    ClientGone,
    /// The client took nothing for too long.
    ClientStall,
    /// The upstream's connection broke, more often than is put up with.
    UpstreamReset,
    /// The upstream sent nothing for too long, more often than is put up with.
    UpstreamStall,
    /// The upstream ended early, more often than is put up with.
    UpstreamShort,
    /// The address expired, and asking the site anew didn't help.
    Forbidden,
    /// The upstream has something else now.
    IdentityChanged,
    /// A body that only counting delimits has more bytes than the site declares.
    LengthMismatch,
    /// The server shuts down.
    Cancelled,
    /// The pump went away without a word, as after a panic.
    Lost,
}

impl Outcome {
    /// Every outcome, in the order of their counters.
    pub const ALL: [Self; 11] = [
        Self::Complete,
        Self::ClientGone,
        Self::ClientStall,
        Self::UpstreamReset,
        Self::UpstreamStall,
        Self::UpstreamShort,
        Self::Forbidden,
        Self::IdentityChanged,
        Self::LengthMismatch,
        Self::Cancelled,
        Self::Lost,
    ];

    /// The word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::ClientGone => "client_gone",
            Self::ClientStall => "client_stall",
            Self::UpstreamReset => "upstream_reset",
            Self::UpstreamStall => "upstream_stall",
            Self::UpstreamShort => "upstream_short",
            Self::Forbidden => "forbidden",
            Self::IdentityChanged => "identity_changed",
            Self::LengthMismatch => "length_mismatch",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The counters as they stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// Transfers whose first byte was there.
    pub started: u64,
    /// Transfers refused before their first byte.
    pub refused: u64,
    /// Bytes handed to clients.
    pub bytes: u64,
    /// Times that an upstream was taken up again in the middle.
    pub resumes: u64,
    /// Transfers ended, by how.
    pub ended: [(Outcome, u64); Outcome::ALL.len()],
}

impl Stats {
    /// Transfers that ended so.
    pub fn ended(&self, outcome: Outcome) -> u64 {
        self.ended[outcome as usize].1
    }

    /// Transfers whose every byte was handed over.
    pub fn completed(&self) -> u64 {
        self.ended(Outcome::Complete)
    }
}

/// The counters, shared by an engine and its transfers.
#[derive(Debug, Default)]
pub(super) struct Counters {
    started: AtomicU64,
    refused: AtomicU64,
    bytes: AtomicU64,
    resumes: AtomicU64,
    ended: [AtomicU64; Outcome::ALL.len()],
}

impl Counters {
    pub(super) fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn snapshot(&self) -> Stats {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            started: load(&self.started),
            refused: load(&self.refused),
            bytes: load(&self.bytes),
            resumes: load(&self.resumes),
            ended: Outcome::ALL.map(|outcome| (outcome, load(&self.ended[outcome as usize]))),
        }
    }
}

/// What the pump and the body of one transfer share besides the channel.
#[derive(Debug)]
pub(super) struct Shared {
    counters: Arc<Counters>,
    resumes: AtomicU32,
    permit: Mutex<Option<Permit>>,
}

impl Shared {
    pub(super) fn new(counters: Arc<Counters>, permit: Permit) -> Self {
        Self {
            counters,
            resumes: AtomicU32::new(0),
            permit: Mutex::new(Some(permit)),
        }
    }

    pub(super) fn note_resume(&self) {
        self.resumes.fetch_add(1, Ordering::Relaxed);
        self.counters.resumes.fetch_add(1, Ordering::Relaxed);
    }

    /// Frees the permit, whoever comes first.
    pub(super) fn free_permit(&self) {
        let permit = self
            .permit
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(permit);
    }
}

/// The record of one running transfer; closed once, with a log line.
#[derive(Debug)]
pub(super) struct Record {
    shared: Arc<Shared>,
    span: Span,
    host: String,
    started: Instant,
    bytes: u64,
}

impl Record {
    /// Opens the record of a transfer from `host`, within the current span.
    pub(super) fn open(shared: Arc<Shared>, host: String) -> Self {
        shared.counters.started.fetch_add(1, Ordering::Relaxed);
        Self {
            shared,
            span: Span::current(),
            host,
            started: Instant::now(),
            bytes: 0,
        }
    }

    pub(super) fn add(&mut self, bytes: u64) {
        self.bytes += bytes;
        self.shared
            .counters
            .bytes
            .fetch_add(bytes, Ordering::Relaxed);
    }

    /// Frees the permit, counts and logs.
    pub(super) fn close(self, outcome: Outcome) {
        self.shared.free_permit();
        self.shared.counters.ended[outcome as usize].fetch_add(1, Ordering::Relaxed);
        let elapsed_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(
            parent: &self.span,
            host = %self.host,
            bytes = self.bytes,
            elapsed_ms,
            resumes = self.shared.resumes.load(Ordering::Relaxed),
            %outcome,
            "transfer ended"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcome_counters_are_in_the_order_of_the_enum() {
        for (index, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, index);
        }
    }
}
