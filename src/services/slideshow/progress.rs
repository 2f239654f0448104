//! How far a rendering is.

use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::State;

/// Share of the whole that fetching takes, in percent.
const FETCHED: u64 = 30;
/// Share at which the last picture is encoded.
const ENCODED: u64 = 97;

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Waiting for a place.
    Queued,
    /// Fetching pictures and sound.
    Fetching,
    /// Making the video.
    Encoding,
    /// Checking the result.
    Finishing,
}

impl Step {
    /// The word for clients.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Fetching => "fetching",
            Self::Encoding => "encoding",
            Self::Finishing => "finishing",
        }
    }
}

/// How far a rendering is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub step: Step,
    /// Share of the whole, 0 to 99.
    pub percent: u64,
    /// Time left, once there is something to judge by.
    pub eta: Option<Duration>,
}

impl Progress {
    /// Nothing has begun.
    pub(super) fn queued() -> Self {
        Self {
            step: Step::Queued,
            percent: 0,
            eta: None,
        }
    }
}

/// Tells how far one step is.
pub(super) struct Reporter<'a> {
    state: &'a watch::Sender<State>,
    step: Step,
    done: u64,
    total: u64,
    started: Instant,
}

impl<'a> Reporter<'a> {
    /// Begins a step of `total` parts.
    pub(super) fn begin(state: &'a watch::Sender<State>, step: Step, total: usize) -> Self {
        let reporter = Self {
            state,
            step,
            done: 0,
            total: total.max(1) as u64,
            started: Instant::now(),
        };
        reporter.tell();
        reporter
    }

    /// One more part is done.
    pub(super) fn advance(&mut self) {
        self.done += 1;
        self.tell();
    }

    fn tell(&self) {
        self.state
            .send_replace(State::Running(self.progress(self.started.elapsed())));
    }

    fn progress(&self, elapsed: Duration) -> Progress {
        let done = self.done.min(self.total);
        let percent = match self.step {
            Step::Queued => 0,
            Step::Fetching => FETCHED * done / self.total,
            Step::Encoding => FETCHED + (ENCODED - FETCHED) * done / self.total,
            Step::Finishing => ENCODED,
        };
        // Fetching says nothing about encoding, which takes longer.
        let is_known = self.step == Step::Encoding && done > 0;
        let eta = is_known.then(|| elapsed.mul_f64((self.total - done) as f64 / done as f64));
        Progress {
            step: self.step,
            percent,
            eta,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_rises_over_the_steps_and_eta_follows_the_encoder() {
        let (sender, receiver) = watch::channel(State::Running(Progress::queued()));
        let told = || match &*receiver.borrow() {
            State::Running(progress) => (progress.step, progress.percent),
            State::Done(_) => panic!("done"),
        };
        let mut fetching = Reporter::begin(&sender, Step::Fetching, 2);
        assert_eq!(told(), (Step::Fetching, 0));
        fetching.advance();
        assert_eq!(told(), (Step::Fetching, 15));
        fetching.advance();
        fetching.advance();
        assert_eq!(told(), (Step::Fetching, 30));
        let mut encoding = Reporter::begin(&sender, Step::Encoding, 4);
        assert_eq!(encoding.progress(Duration::from_secs(9)).eta, None);
        encoding.advance();
        let progress = encoding.progress(Duration::from_secs(3));
        assert_eq!(
            (progress.percent, progress.eta),
            (46, Some(Duration::from_secs(9)))
        );
        Reporter::begin(&sender, Step::Finishing, 1);
        assert_eq!(told(), (Step::Finishing, 97));
    }
}
