//! How transfers ended: what is logged of each, and the counters of all.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    /// Times that a site was asked anew because the addresses of a transfer had expired.
    pub refreshes: u64,
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
    refreshes: AtomicU64,
    ended: [AtomicU64; Outcome::ALL.len()],
    /// Whether other transfers are made of these, and their own line says how it ended.
    is_of_tracks: bool,
}

impl Counters {
    pub(super) fn of_tracks() -> Self {
        Self {
            is_of_tracks: true,
            ..Self::default()
        }
    }

    pub(super) fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refresh(&self) {
        self.refreshes.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn snapshot(&self) -> Stats {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            started: load(&self.started),
            refused: load(&self.refused),
            bytes: load(&self.bytes),
            resumes: load(&self.resumes),
            refreshes: load(&self.refreshes),
            ended: Outcome::ALL.map(|outcome| (outcome, load(&self.ended[outcome as usize]))),
        }
    }
}

/// The record of one transfer, shared by its pump and its body. Closed once, by whoever is first to know the end.
#[derive(Debug)]
pub(super) struct Record {
    counters: Arc<Counters>,
    span: Span,
    host: String,
    started: Instant,
    bytes: AtomicU64,
    resumes: AtomicU32,
    state: Mutex<State>,
}

/// A transfer holds its place until it ends.
#[derive(Debug)]
enum State {
    Running(Permit),
    Ended(Outcome),
}

impl Record {
    /// Opens the record of a transfer from `host`, within the current span.
    pub(super) fn open(counters: Arc<Counters>, permit: Permit, host: String) -> Self {
        counters.started.fetch_add(1, Ordering::Relaxed);
        Self {
            counters,
            span: Span::current(),
            host,
            started: Instant::now(),
            bytes: AtomicU64::new(0),
            resumes: AtomicU32::new(0),
            state: Mutex::new(State::Running(permit)),
        }
    }

    /// Counts bytes handed over.
    pub(super) fn add(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.counters.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts an upstream taken up again.
    pub(super) fn note_resume(&self) {
        self.resumes.fetch_add(1, Ordering::Relaxed);
        self.counters.resumes.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts that the site was asked anew.
    pub(super) fn note_refresh(&self) {
        self.counters.refresh();
    }

    /// Frees the permit, counts and logs; nothing the second time.
    pub(super) fn close(&self, outcome: Outcome) {
        let Some(permit) = self.end(outcome) else {
            return;
        };
        self.counters.ended[outcome as usize].fetch_add(1, Ordering::Relaxed);
        let elapsed_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        // At info the request's own line says it, when the last of the answer is gone.
        let what = if self.counters.is_of_tracks {
            "track"
        } else {
            "transfer"
        };
        tracing::debug!(
            parent: &self.span,
            host = %self.host,
            bytes = self.bytes.load(Ordering::Relaxed),
            elapsed_ms,
            resumes = self.resumes.load(Ordering::Relaxed),
            %outcome,
            "{what} ended"
        );
        // Last, so that a free place means a transfer that has been told of.
        drop(permit);
    }

    /// The place that was held; `None` when the transfer has ended before.
    fn end(&self, outcome: Outcome) -> Option<Permit> {
        let mut state = self.lock();
        match std::mem::replace(&mut *state, State::Ended(outcome)) {
            State::Running(permit) => Some(permit),
            ended @ State::Ended(_) => {
                *state = ended;
                None
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the log line of a request tells of its transfer. Clones are about the same transfer.
#[derive(Debug, Clone)]
pub struct Report(Arc<Record>);

impl Report {
    pub(super) fn of(record: &Arc<Record>) -> Self {
        Self(Arc::clone(record))
    }

    /// Host of the upstream that answered first.
    pub fn host(&self) -> &str {
        &self.0.host
    }

    /// Times that an upstream was taken up again in the middle.
    pub fn resumes(&self) -> u32 {
        self.0.resumes.load(Ordering::Relaxed)
    }

    /// How it ended; `None` while it runs.
    pub fn outcome(&self) -> Option<Outcome> {
        match *self.0.lock() {
            State::Running(_) => None,
            State::Ended(outcome) => Some(outcome),
        }
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
