//! The thread that solves, and what happens when a script doesn't let go of it.
//!
//! The interpreter asks for the time between the steps of a script, but a single step can last: a search in a long text
//! is one call of native code. A thread can't be ended from outside, so one that is overdue is given up: it ends by
//! itself once the call returns. Meanwhile another thread takes its place.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{oneshot, watch};

use super::failures::Failures;
use super::player::PlayerKey;
use super::worker::{self, Answers, Job, Questions, Thread, Work};
use super::{Fault, Limits, SolveError};

/// Threads that were given up and still run; with so many there is no other one.
const MAX_STUCK: usize = 2;

/// The thread of now and those that were given up.
#[derive(Debug)]
pub(super) struct Threads {
    limits: Limits,
    failures: Arc<Failures>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    current: Option<Thread>,
    stuck: Vec<watch::Receiver<Option<Work>>>,
}

impl Threads {
    /// No thread yet: the first script starts it.
    pub(super) fn new(limits: Limits, failures: Arc<Failures>) -> Self {
        Self {
            limits,
            failures,
            state: Mutex::default(),
        }
    }

    /// Asks a player; `None` when it would have to be loaded first and there is no script.
    ///
    /// # Errors
    /// [`SolveError::Player`] when it fails or is overdue, [`SolveError::Busy`] when other players hold every thread,
    /// [`SolveError::Stopped`] when there is no thread.
    pub(super) async fn ask(
        &self,
        player: &PlayerKey,
        script: Option<&Bytes>,
        questions: &Questions,
    ) -> Result<Option<Answers>, SolveError> {
        loop {
            let thread = self.current()?;
            let (done, answers) = oneshot::channel();
            let job = Job {
                player: player.clone(),
                script: script.cloned(),
                questions: questions.clone(),
                done: Some(done),
            };
            let answered = async {
                thread.jobs.send(job).await.ok()?;
                answers.await.ok()
            };
            tokio::select! {
                biased;
                answers = answered => {
                    return answers.ok_or(SolveError::Stopped)?.map_err(|fault| SolveError::Player {
                        player: player.clone(),
                        fault,
                    });
                }
                () = thread.overdue() => {
                    // Held by this player, which is to blame then, or by one before it.
                    self.relieve();
                    self.failures.check(player)?;
                }
            }
        }
    }

    /// Lets the thread load a script whose challenges will come; when it is busy, they load it themselves.
    pub(super) fn begin_to_load(&self, player: &PlayerKey, script: Bytes) {
        let job = Job {
            player: player.clone(),
            script: Some(script),
            questions: Questions::default(),
            done: None,
        };
        let is_taken = self
            .current()
            .is_ok_and(|thread| thread.jobs.try_send(job).is_ok());
        if !is_taken {
            tracing::debug!(%player, "interpreter is busy, player is loaded later");
        }
    }

    /// Gives up a thread that is overdue: the player that holds it failed.
    pub(super) fn relieve(&self) {
        self.relieve_in(&mut self.lock());
    }

    fn relieve_in(&self, state: &mut State) {
        state.stuck.retain(|work| work.has_changed().is_ok());
        let overdue = state.current.as_ref().and_then(Thread::overdue_player);
        if let Some(player) = overdue
            && let Some(thread) = state.current.take()
        {
            self.failures.add(&player, Fault::Deadline);
            state.stuck.push(thread.work);
        }
    }

    /// The thread, started when there is none: before the first script, after one was given up, and should it ever
    /// have ended.
    fn current(&self) -> Result<Thread, SolveError> {
        let mut state = self.lock();
        self.relieve_in(&mut state);
        let running = state
            .current
            .as_ref()
            .filter(|thread| !thread.jobs.is_closed());
        if let Some(thread) = running {
            return Ok(thread.clone());
        }
        if state.stuck.len() >= MAX_STUCK {
            return Err(SolveError::Busy);
        }
        let thread = worker::start(self.limits, Arc::clone(&self.failures))
            .map_err(|_| SolveError::Stopped)?;
        Ok(state.current.insert(thread).clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the state whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
