//! Programs that run for broadcasts, known to the database while they do (broadcast.md §7).
//!
//! The end of the server ends its programs: the system kills them with it. What outlives it all the same, on a system that
//! can't do that for instance, is found by the next server and ended; a process that only got the number of one is
//! never touched, nor one whose server still runs.

use std::convert::Infallible;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::sleep;

use super::{Store, StoreError};
use crate::lifecycle::Lifecycle;
use crate::process::{Fate, Identity};

/// When it is looked for the first time whether a program has become another one, as ours does when it becomes FFmpeg, and a
/// script that calls FFmpeg may; each further pause is twice as long.
const FIRST_LOOK: Duration = Duration::from_millis(20);
/// Longest such pause.
const LAST_LOOK: Duration = Duration::from_secs(30);

/// See the module. Cheap to clone.
#[derive(Clone)]
pub(super) struct Children {
    store: Store,
    lifecycle: Lifecycle,
}

/// A program is known while this lives.
pub(super) struct Known {
    /// Its end is heard by the task that keeps the row.
    _held: oneshot::Sender<Infallible>,
}

impl Children {
    pub(super) fn new(store: Store, lifecycle: Lifecycle) -> Self {
        Self { store, lifecycle }
    }

    /// Makes a program known that was started a moment ago, and for whose end nobody has waited yet.
    pub(super) fn note(&self, pid: Option<u32>) -> Known {
        let (held, ended) = oneshot::channel();
        // Now its number can't stand for another process.
        if let Some(child) = pid.and_then(Identity::of) {
            let store = self.store.clone();
            self.lifecycle.spawn(keep(store, child, ended));
        }
        Known { _held: held }
    }

    /// Ends programs that outlived their server, and forgets those that didn't.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(super) async fn end_orphans(&self) -> Result<(), StoreError> {
        for child in self.store.children().await? {
            match child.fate() {
                Fate::Kept => continue,
                Fate::Ended => {}
                Fate::Orphaned => end(&child),
            }
            self.store.forget_child(child).await?;
        }
        Ok(())
    }
}

fn end(child: &Identity) {
    let pid = child.pid;
    match child.kill_group() {
        Ok(()) => tracing::warn!(pid, "ended a program that outlived its server"),
        Err(error) => {
            tracing::error!(pid, err = %error, "a program that outlived its server is not ended");
        }
    }
}

/// Keeps the row of a program until the other end of `ended` is gone.
async fn keep(store: Store, first: Identity, mut ended: oneshot::Receiver<Infallible>) {
    let mut child = first;
    let mut pause = FIRST_LOOK;
    note(&store, child.clone()).await;
    loop {
        tokio::select! {
            _ = &mut ended => break,
            () = sleep(pause) => {}
        }
        pause = (2 * pause).min(LAST_LOOK);
        let now = Identity::of(child.pid);
        // One that began later only has its number.
        if let Some(now) = now.filter(|now| now.started == child.started && *now != child) {
            child = now;
            note(&store, child.clone()).await;
        }
    }
    if let Err(error) = store.forget_child(child).await {
        tracing::warn!(%error, "end of a program not written");
    }
}

async fn note(store: &Store, child: Identity) {
    // It still ends with the server.
    if let Err(error) = store.note_child(child).await {
        tracing::warn!(%error, "start of a program not written");
    }
}
