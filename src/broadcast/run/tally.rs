//! What came of broadcasts, in numbers that can be added.

use std::ops::AddAssign;
use std::time::Duration;

/// What came of the items and connections of a broadcast.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Items that were played.
    pub played: u64,
    /// Items that could not be played.
    pub skipped: u64,
    /// Items that broke.
    pub failed: u64,
    /// Times that an upstream was taken up again.
    pub resumes: u64,
    /// Connections after the first.
    pub reconnects: u64,
    /// Media time of the slate.
    pub slate: Duration,
    /// Bytes sent.
    pub sent_bytes: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.played += other.played;
        self.skipped += other.skipped;
        self.failed += other.failed;
        self.resumes += other.resumes;
        self.reconnects += other.reconnects;
        self.slate += other.slate;
        self.sent_bytes += other.sent_bytes;
    }
}
