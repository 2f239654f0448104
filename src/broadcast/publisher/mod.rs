//! From tags to an ingest.

pub mod amf0;
mod backoff;
mod error;
mod metadata;
mod outlet;
pub mod rtmp;
pub(super) mod srt;
mod target;

use std::time::Instant;

use super::flv::Tag;
pub use backoff::Backoff;
pub use error::{PublishError, Step};
pub use metadata::{Metadata, described};
pub use outlet::{Outlet, OutletSession};
pub use rtmp::Rtmp;
pub use srt::{Srt, SrtOptions, SrtSession};
pub use target::{Scheme, Target, TargetError};

/// Makes connections to one ingest.
pub trait Connect: Send {
    /// A connection that takes tags.
    type Publisher: Publisher;

    /// Connects up to where the ingest wants media.
    ///
    /// # Errors
    /// [`PublishError`], in bounded time.
    fn connect(&mut self) -> impl Future<Output = Result<Self::Publisher, PublishError>> + Send;
}

/// A connection to an ingest. After an error it is of no use any more.
pub trait Publisher: Send {
    /// Sends a tag. Waits until the system has taken it; the times of a connection begin at 0.
    ///
    /// # Errors
    /// [`PublishError`]; a target that takes nothing for 10 s is one.
    fn send(&mut self, tag: &Tag) -> impl Future<Output = Result<(), PublishError>> + Send;

    /// Waits until then and meanwhile answers what the target asks. May be dropped while it waits.
    ///
    /// # Errors
    /// [`PublishError`], as soon as the connection ends.
    fn wait_until(
        &mut self,
        until: Instant,
    ) -> impl Future<Output = Result<(), PublishError>> + Send;

    /// Whether the target takes what is sent. Where that doesn't show before something was sent, it does so soon after.
    fn is_taken(&self) -> bool {
        true
    }

    /// Its figures.
    fn stats(&self) -> PublisherStats;

    /// Says good-bye and closes, in bounded time: within 2 s where this process does it itself.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// Figures of a connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PublisherStats {
    /// Bytes that the system took.
    pub sent_bytes: u64,
    /// Bytes that the target says it has; `None` until it says so for the first time, which some never do.
    pub acknowledged_bytes: Option<u64>,
}
