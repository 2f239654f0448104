//! The thread that owns the interpreters, which can't leave it.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout_at;

use super::failures::Failures;
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
        self.len() == 0
    }

    /// Number of challenges.
    pub(super) fn len(&self) -> usize {
        self.n.len() + self.signatures.len()
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

/// A thread, as others see it. It ends when `jobs` is dropped.
#[derive(Debug, Clone)]
pub(super) struct Thread {
    /// Takes what it shall do.
    pub(super) jobs: mpsc::Sender<Job>,
    /// What it does now; closed when it has ended.
    pub(super) work: watch::Receiver<Option<Work>>,
}

/// What a thread does.
#[derive(Debug, Clone)]
pub(super) struct Work {
    player: PlayerKey,
    /// When it should be done at the latest.
    until: Instant,
}

impl Thread {
    /// Waits until the thread works longer than it should; for ever, once it has ended.
    pub(super) async fn overdue(&self) {
        let mut work = self.work.clone();
        loop {
            let until = work.borrow_and_update().as_ref().map(|work| work.until);
            let changed = match until {
                Some(until) => match timeout_at(until.into(), work.changed()).await {
                    Ok(changed) => changed,
                    Err(_) => return,
                },
                None => work.changed().await,
            };
            if changed.is_err() {
                return pending().await;
            }
        }
    }

    /// The player that holds the thread longer than it should.
    pub(super) fn overdue_player(&self) -> Option<PlayerKey> {
        let work = self.work.borrow();
        let overdue = work.as_ref().filter(|work| work.until <= Instant::now())?;
        Some(overdue.player.clone())
    }
}

/// Starts a thread, which notes in `failures` what fails.
///
/// # Errors
/// When the system gives no thread.
pub(super) fn start(limits: Limits, failures: Arc<Failures>) -> io::Result<Thread> {
    let (jobs, queue) = mpsc::channel(QUEUE);
    let (now, work) = watch::channel(None);
    thread::Builder::new()
        .name("player-js".to_owned())
        .stack_size(limits.stack.saturating_add(STACK_MARGIN))
        .spawn(move || Worker::new(limits, failures, now).run(queue))?;
    Ok(Thread { jobs, work })
}

struct Worker {
    limits: Limits,
    failures: Arc<Failures>,
    live: Lru<PlayerKey, Interpreter>,
    now: watch::Sender<Option<Work>>,
}

impl Worker {
    fn new(limits: Limits, failures: Arc<Failures>, now: watch::Sender<Option<Work>>) -> Self {
        Self {
            live: Lru::new(limits.live),
            limits,
            failures,
            now,
        }
    }

    fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        while let Some(job) = queue.blocking_recv() {
            if queue.is_closed() {
                // Given up: what still waits here is asked elsewhere.
                return;
            }
            self.take(job);
            self.now.send_replace(None);
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
        if let Err(fault) = &answers {
            self.live.remove(&player);
            self.failures.add(&player, fault.clone());
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
            let until = self.begin(player, self.limits.load);
            let interpreter = Interpreter::load(script, &self.limits)?;
            in_time(until)?;
            self.live.insert(player.clone(), interpreter);
        }
        let until = self.begin(player, self.limits.time_of(questions.len()));
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
        in_time(until)?;
        Ok(Some(answers))
    }

    /// Tells the others what is done from now on, and until when.
    fn begin(&self, player: &PlayerKey, time: Duration) -> Instant {
        let until = Instant::now() + time + self.limits.margin;
        self.now.send_replace(Some(Work {
            player: player.clone(),
            until,
        }));
        until
    }
}

/// Fails what came too late, which the interpreter doesn't see when the last step was the long one.
fn in_time(until: Instant) -> Result<(), Fault> {
    (Instant::now() < until)
        .then_some(())
        .ok_or(Fault::Deadline)
}
