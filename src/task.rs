//! Tasks, each with somebody who decides on its end. Nothing else spawns any (reliability R3.1) but the trackers and sets
//! that count theirs.
#![expect(clippy::disallowed_methods, reason = "the one place that spawns tasks")]

use tokio::task::JoinError;
#[cfg(test)]
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// A task that is dropped with what is returned.
pub fn owned<W>(work: W) -> AbortOnDropHandle<W::Output>
where
    W: Future<Output: Send + 'static> + Send + 'static,
{
    AbortOnDropHandle::new(tokio::spawn(work))
}

/// A task that is dropped when `end` is cancelled, and that nobody waits for.
pub fn until(end: CancellationToken, work: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(end.run_until_cancelled_owned(work));
}

/// Waits for work that comes to its end though nobody waits for it any more: half of it done would be worse.
///
/// # Errors
/// It panicked.
pub async fn to_its_end<W>(work: W) -> Result<W::Output, JoinError>
where
    W: Future<Output: Send + 'static> + Send + 'static,
{
    tokio::spawn(work).await
}

/// A task of a test, dropped with the test's runtime.
#[cfg(test)]
pub(crate) fn spawn<W>(work: W) -> JoinHandle<W::Output>
where
    W: Future<Output: Send + 'static> + Send + 'static,
{
    tokio::spawn(work)
}
