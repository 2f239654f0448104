//! The thread that owns the interpreters, which can't leave it.

use std::io;
use std::thread;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::interpreter::Interpreter;
use super::lru::Lru;
use super::player::PlayerKey;
use super::{Fault, Limits};

/// Jobs that wait for the thread, each at most a script of [`Limits::script`] bytes.
const QUEUE: usize = 8;

/// Stack of the thread: the interpreter's own limit and room for what calls it.
const STACK_MARGIN: usize = 2 << 20;

/// What is asked of one player.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Questions {
    /// Challenges `n`.
    pub(super) n: Vec<String>,
    /// Texts to be treated as signatures.
    pub(super) signatures: Vec<String>,
}

impl Questions {
    /// Whether nothing is asked.
    pub(super) fn is_empty(&self) -> bool {
        self.n.is_empty() && self.signatures.is_empty()
    }
}

/// What the player said to [`Questions`], in their order, unchecked.
pub(super) type Answers = Questions;

/// Something for the thread to do.
#[derive(Debug)]
pub(super) struct Job {
    /// Which player.
    pub(super) player: PlayerKey,
    /// Its script, when it may have to be loaded.
    pub(super) script: Option<Bytes>,
    /// What to ask.
    pub(super) questions: Questions,
    /// Who waits; without one the player is only loaded. `None` is sent when the player would have to be loaded
    /// first and there is no script.
    pub(super) done: Option<oneshot::Sender<Result<Option<Answers>, Fault>>>,
}

/// Starts the thread; it ends when the sender is dropped.
///
/// # Errors
/// When the system gives no thread.
pub(super) fn start(limits: Limits) -> io::Result<mpsc::Sender<Job>> {
    let (jobs, queue) = mpsc::channel(QUEUE);
    thread::Builder::new()
        .name("player-js".to_owned())
        .stack_size(limits.stack.saturating_add(STACK_MARGIN))
        .spawn(move || Worker::new(limits).run(queue))?;
    Ok(jobs)
}

struct Worker {
    limits: Limits,
    live: Lru<PlayerKey, Interpreter>,
}

impl Worker {
    fn new(limits: Limits) -> Self {
        Self {
            live: Lru::new(limits.live),
            limits,
        }
    }

    fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        while let Some(job) = queue.blocking_recv() {
            self.take(job);
        }
    }

    fn take(&mut self, job: Job) {
        let Job {
            player,
            script,
            questions,
            done,
        } = job;
        let is_unwanted = || done.as_ref().is_some_and(oneshot::Sender::is_closed);
        if is_unwanted() {
            return;
        }
        let answers = self.answer(&player, script.as_deref(), &questions, is_unwanted);
        if answers.is_err() {
            self.live.remove(&player);
        }
        if let Some(done) = done {
            // The one who asked may have left meanwhile.
            let _ = done.send(answers);
        }
    }

    fn answer(
        &mut self,
        player: &PlayerKey,
        script: Option<&[u8]>,
        questions: &Questions,
        is_unwanted: impl Fn() -> bool,
    ) -> Result<Option<Answers>, Fault> {
        if self.live.get(player).is_none() {
            let Some(script) = script else {
                return Ok(None);
            };
            let interpreter = Interpreter::load(script, &self.limits)?;
            self.live.insert(player.clone(), interpreter);
        }
        let Some(interpreter) = self.live.get(player) else {
            return Ok(None);
        };
        let mut answers = Answers::default();
        for n in questions.n.iter().take_while(|_| !is_unwanted()) {
            answers.n.push(interpreter.n(n)?);
        }
        for signature in questions.signatures.iter().take_while(|_| !is_unwanted()) {
            answers.signatures.push(interpreter.signature(signature)?);
        }
        Ok(Some(answers))
    }
}
