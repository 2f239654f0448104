//! Tasks of tests.

use tokio::task::JoinHandle;

/// A task of a test, dropped with the test's runtime.
#[expect(
    clippy::disallowed_methods,
    reason = "as the server's tasks have owners, those of a test have its runtime"
)]
pub(crate) fn spawn<W>(work: W) -> JoinHandle<W::Output>
where
    W: Future<Output: Send + 'static> + Send + 'static,
{
    tokio::spawn(work)
}
