//! A broadcast that runs: one task that owns its state, and those that it started.

mod actor;
mod driver;
mod early;
mod fetching;
mod live;
mod reading;
mod tally;

use std::sync::{Arc, Mutex};

use tokio::sync::{mpsc, oneshot, watch};

use super::{BroadcastError, Settings};
pub(super) use actor::{Actor, Begin};
pub(super) use early::Early;
pub(super) use live::Live;
pub(super) use reading::Reading;
pub use tally::Tally;

/// Commands that may wait for the task.
const COMMANDS: usize = 16;

/// What a running broadcast is told.
pub(super) enum Command {
    /// End it.
    Stop,
    /// Leave the item that is on air.
    Skip,
    /// Read the list anew; answers how many items came and went.
    Refresh(oneshot::Sender<Result<(usize, usize), BroadcastError>>),
}

/// A running broadcast as others see it.
#[derive(Clone)]
pub(super) struct Running {
    commands: mpsc::Sender<Command>,
    settings: Arc<watch::Sender<Settings>>,
    pub(super) live: Arc<Mutex<Live>>,
    /// Closed when the task has ended.
    ended: watch::Receiver<()>,
}

impl Running {
    /// Tells the task; without effect when it has ended.
    pub(super) async fn tell(&self, command: Command) {
        let _ = self.commands.send(command).await;
    }

    /// Lets it go on with other settings.
    pub(super) fn change(&self, settings: Settings) {
        self.settings.send_replace(settings);
    }

    /// Whether it has ended.
    pub(super) fn is_over(&self) -> bool {
        self.commands.is_closed()
    }

    /// Returns when it has ended.
    pub(super) async fn over(&self) {
        let mut ended = self.ended.clone();
        // An error says that the task, which has the other end, is gone.
        while ended.changed().await.is_ok() {}
    }
}
