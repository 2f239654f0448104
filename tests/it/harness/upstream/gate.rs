//! A gate that holds an answer back until a test opens it.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// Closed when made; once open it stays open. Clones are the same gate.
#[derive(Debug, Clone)]
pub(crate) struct Gate(Arc<Semaphore>);

impl Gate {
    /// A closed gate.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Opens the gate for all who wait and all who come.
    pub(crate) fn open(&self) {
        self.0.close();
    }

    /// Returns when the gate is open.
    pub(crate) async fn passed(&self) {
        // The semaphore never has permits: `acquire` ends only when it is closed.
        self.0.acquire().await.expect_err("a gate has no permits");
    }
}
