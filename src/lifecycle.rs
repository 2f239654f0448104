//! How the process stops: signals, the soft and the hard end, and the tasks that are waited for.
//!
//! First signal: `draining` is shown at once, after `SHUTDOWN_DELAY` nothing new is accepted, running responses have
//! `SHUTDOWN_GRACE`, then what is left is cut. Second signal: cut at once. `main` starts it, `server` and whoever
//! spawns tasks obey it.

use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long cut tasks may take to go; a cancelled task ends at its next await.
const CUT_PATIENCE: Duration = Duration::from_secs(2);

/// The ends of the process as values; clones share them.
#[derive(Debug, Clone)]
pub struct Lifecycle {
    draining: CancellationToken,
    /// Cancelled when nothing new may begin and what runs should finish.
    pub soft: CancellationToken,
    /// Cancelled when what runs must stop; it cancels `soft` too.
    pub hard: CancellationToken,
    /// Every task that has to end before the process does.
    pub tracker: TaskTracker,
}

/// How long each step of stopping may take.
#[derive(Debug, Clone, Copy)]
pub struct StopTimes {
    /// From the first signal to the soft end.
    pub delay: Duration,
    /// From the soft end to the hard end.
    pub grace: Duration,
}

/// How the process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything that ran came to its own end.
    Drained,
    /// Something was cut.
    Cut,
}

impl Outcome {
    /// Exit code of the process: 0 drained, 3 cut.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Drained => 0,
            Self::Cut => 3,
        }
    }
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self::new()
    }
}

impl Lifecycle {
    /// A process that has just started.
    pub fn new() -> Self {
        let hard = CancellationToken::new();
        Self {
            draining: CancellationToken::new(),
            soft: hard.child_token(),
            hard,
            tracker: TaskTracker::new(),
        }
    }

    /// Whether the first signal has come; `/health` says so.
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Spawns a task that is waited for at the end and dropped at the hard end.
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let hard = self.hard.clone();
        self.tracker.spawn(async move {
            hard.run_until_cancelled_owned(task).await;
        });
    }

    /// Does `work` until nothing new may begin: for what only tidies up, and must not be waited for.
    pub async fn until_soft(self, work: impl Future<Output = ()> + Send) {
        self.soft.run_until_cancelled(work).await;
    }

    /// Waits for a signal, then stops everything in order. Each item of `signals` is one signal.
    pub async fn supervise(
        &self,
        signals: impl Stream<Item = ()> + Send,
        times: StopTimes,
    ) -> Outcome {
        let mut signals = std::pin::pin!(signals.chain(stream::pending()).fuse());
        signals.next().await;
        self.draining.cancel();
        tracing::info!(
            delay_ms = millis(times.delay),
            grace_ms = millis(times.grace),
            "draining"
        );
        let drained = async {
            sleep(times.delay).await;
            self.soft.cancel();
            self.tracker.close();
            timeout(times.grace, self.tracker.wait()).await.is_ok()
        };
        let is_drained = tokio::select! {
            is_drained = drained => is_drained,
            _ = signals.next() => false,
        };
        if is_drained {
            return Outcome::Drained;
        }
        self.cut().await;
        Outcome::Cut
    }

    async fn cut(&self) {
        tracing::warn!(tasks = self.tracker.len(), "cutting what still runs");
        self.hard.cancel();
        self.tracker.close();
        if timeout(CUT_PATIENCE, self.tracker.wait()).await.is_err() {
            tracing::error!(tasks = self.tracker.len(), "tasks ignore the end");
        }
    }
}

/// SIGTERM and SIGINT as one stream.
///
/// # Errors
/// The handlers can't be installed.
pub fn signals() -> std::io::Result<impl Stream<Item = ()> + Send> {
    let terminate = each(signal(SignalKind::terminate())?);
    let interrupt = each(signal(SignalKind::interrupt())?);
    Ok(stream::select(terminate, interrupt))
}

fn each(signal: Signal) -> impl Stream<Item = ()> + Send {
    stream::unfold(signal, |mut signal| async move {
        signal.recv().await.map(|()| ((), signal))
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn one_signal() -> impl Stream<Item = ()> {
        stream::iter([()])
    }

    #[tokio::test]
    async fn both_signals_are_heard() {
        use rustix::process::{Signal, getpid, kill_process};
        let mut heard = Box::pin(signals().unwrap());
        for sent in [Signal::TERM, Signal::INT] {
            kill_process(getpid(), sent).unwrap();
            assert_eq!(heard.next().await, Some(()));
        }
    }

    #[tokio::test]
    async fn idle_process_drains_at_once() {
        let life = Lifecycle::new();
        let times = StopTimes {
            delay: Duration::ZERO,
            grace: LONG,
        };
        assert!(!life.is_draining());
        let outcome = life.supervise(one_signal(), times).await;
        assert_eq!(outcome, Outcome::Drained);
        assert_eq!(outcome.exit_code(), 0);
        assert!(life.is_draining() && life.soft.is_cancelled());
        assert!(!life.hard.is_cancelled());
    }

    #[tokio::test]
    async fn running_task_may_finish_inside_the_grace() {
        let life = Lifecycle::new();
        let (finish, finished) = oneshot::channel();
        let soft = life.soft.clone();
        life.spawn(async move {
            soft.cancelled().await;
            finish.send(()).unwrap();
        });
        let times = StopTimes {
            delay: Duration::ZERO,
            grace: LONG,
        };
        assert_eq!(life.supervise(one_signal(), times).await, Outcome::Drained);
        finished.await.unwrap();
    }

    #[tokio::test]
    async fn task_that_outlives_the_grace_is_cut() {
        let life = Lifecycle::new();
        life.spawn(std::future::pending());
        let times = StopTimes {
            delay: Duration::ZERO,
            grace: Duration::from_millis(1),
        };
        let outcome = life.supervise(one_signal(), times).await;
        assert_eq!(outcome, Outcome::Cut);
        assert_eq!(outcome.exit_code(), 3);
        assert!(life.hard.is_cancelled());
        assert!(life.tracker.is_empty());
    }

    #[tokio::test]
    async fn second_signal_cuts_during_delay_and_grace() {
        for (delay, grace) in [(LONG, LONG), (Duration::ZERO, LONG)] {
            let life = Lifecycle::new();
            life.spawn(std::future::pending());
            let outcome = life
                .supervise(stream::iter([(), ()]), StopTimes { delay, grace })
                .await;
            assert_eq!(outcome, Outcome::Cut);
            assert!(life.soft.is_cancelled() && life.tracker.is_empty());
        }
    }

    #[tokio::test]
    async fn draining_is_shown_while_the_delay_runs() {
        let life = Lifecycle::new();
        let (second, signals) = tokio::sync::mpsc::channel(2);
        second.send(()).await.unwrap();
        let signals = stream::unfold(signals, |mut signals| async move {
            signals.recv().await.map(|()| ((), signals))
        });
        let times = StopTimes {
            delay: LONG,
            grace: LONG,
        };
        let watcher = async {
            life.draining.cancelled().await;
            assert!(!life.soft.is_cancelled());
            second.send(()).await.unwrap();
        };
        let (outcome, ()) = tokio::join!(life.supervise(signals, times), watcher);
        assert_eq!(outcome, Outcome::Cut);
    }
}
