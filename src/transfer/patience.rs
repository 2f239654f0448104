//! How long a client may make a transfer wait: nothing taken for too long (reliability R2.2), or too little (R2.1).

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::channel::{Closed, Watch};
use super::pace::Pace;
use super::stats::Outcome;

/// The patience with one client. Only time spent in [`Patience::wait`] counts, so a slow upstream is no fault of the
/// client's.
#[derive(Debug)]
pub(super) struct Patience {
    stall: Duration,
    pace: Pace,
}

impl Patience {
    /// Gives a client up that takes nothing for `stall`, or less than `min_rate` bytes per second over a window.
    pub(super) fn new(stall: Duration, min_rate: u64) -> Self {
        Self {
            stall,
            pace: Pace::new(min_rate),
        }
    }

    /// Waits for something that the client must do; `watch` tells whether it does anything.
    ///
    /// # Errors
    /// [`Outcome::ClientGone`] when it has left, [`Outcome::ClientStall`] when it is given up.
    pub(super) async fn wait(
        &mut self,
        watch: &Watch<Outcome>,
        waiting: impl Future<Output = Result<(), Closed>>,
    ) -> Result<(), Outcome> {
        let mut waiting = pin!(waiting);
        // Mostly it is done already, and no timer is needed.
        let polled = poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context))).await;
        if let Poll::Ready(done) = polled {
            return done.map_err(|Closed| Outcome::ClientGone);
        }
        loop {
            let (start, before) = (Instant::now(), watch.taken());
            let look = self.end(watch).min(start + self.pace.left());
            let done = timeout_at(look, waiting.as_mut()).await;
            let taken = watch.taken() - before;
            let is_too_slow = self.pace.is_too_slow(start.elapsed(), taken);
            match done {
                Ok(Err(Closed)) => return Err(Outcome::ClientGone),
                _ if is_too_slow => return Err(Outcome::ClientStall),
                Ok(Ok(())) => return Ok(()),
                Err(_) if self.end(watch) <= Instant::now() => return Err(Outcome::ClientStall),
                Err(_) => {}
            }
        }
    }

    /// When a client that goes on taking nothing is given up.
    fn end(&self, watch: &Watch<Outcome>) -> Instant {
        watch.pressed_since().unwrap_or_else(Instant::now) + self.stall
    }
}
