//! The solver: what is known is answered at once, the rest by the thread, and each player's script is fetched once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::answer::{Permutation, is_n, is_signature, solves_n};
use super::failures::Failures;
use super::flights::Flights;
use super::knowledge::{Knowledge, Known};
use super::player::PlayerKey;
use super::threads::Threads;
use super::timestamp::signature_timestamp;
use super::worker::{Answers, Questions};
use super::{Fault, Limits, ScriptSource, Solutions, SolveError, Solver};

/// Challenges of one kind at once. A reply has some 40 formats, which share two or three `n`.
const MAX_CHALLENGES: usize = 256;

/// Solves challenges with an interpreter on a thread of its own, which is started by the first script.
#[derive(Debug)]
pub(super) struct Engine {
    limits: Limits,
    known: Mutex<Known>,
    failures: Arc<Failures>,
    flights: Flights,
    threads: Threads,
}

impl Engine {
    /// An engine that knows what an earlier run has left.
    pub(super) fn new(limits: Limits, knowledge: Knowledge) -> Self {
        let failures = Arc::new(Failures::new(limits.failed));
        Self {
            limits,
            known: Mutex::new(Known::new(knowledge, limits.answers.max(MAX_CHALLENGES))),
            flights: Flights::default(),
            threads: Threads::new(limits, Arc::clone(&failures)),
            failures,
        }
    }

    async fn days(&self, player: &PlayerKey, source: &dyn ScriptSource) -> Result<u32, SolveError> {
        if let Some(days) = lock(&self.known).signature_timestamp(player) {
            return Ok(days);
        }
        let flight = self.flights.of(player);
        let _turn = flight.lock().await;
        if let Some(days) = lock(&self.known).signature_timestamp(player) {
            return Ok(days);
        }
        self.threads.relieve();
        self.failures.check(player)?;
        let script = self.fetch(player, source).await?;
        let days = lock(&self.known).signature_timestamp(player);
        let days = days.ok_or_else(|| self.failures.add(player, Fault::NoTimestamp))?;
        self.threads.begin_to_load(player, script);
        Ok(days)
    }

    async fn solutions(
        &self,
        player: &PlayerKey,
        source: &dyn ScriptSource,
        n: &[String],
        signatures: &[String],
    ) -> Result<Solutions, SolveError> {
        check(n, signatures)?;
        if let Some(solutions) = self.recall(player, n, signatures) {
            return Ok(solutions);
        }
        let flight = self.flights.of(player);
        let _turn = flight.lock().await;
        let questions = self.questions(player, n, signatures);
        if !questions.is_empty() {
            self.threads.relieve();
            self.failures.check(player)?;
            let answers = self.ask_or_load(player, source, &questions).await?;
            self.learn(player, &questions, &answers)?;
        }
        self.recall(player, n, signatures)
            .ok_or(SolveError::Stopped)
    }

    /// Everything from memory, or `None`.
    fn recall(&self, player: &PlayerKey, n: &[String], signatures: &[String]) -> Option<Solutions> {
        let mut known = lock(&self.known);
        Some(Solutions {
            n: n.iter()
                .map(|n| known.n(player, n))
                .collect::<Option<_>>()?,
            signatures: signatures
                .iter()
                .map(|signature| known.signature(player, signature))
                .collect::<Option<_>>()?,
        })
    }

    /// What is not known yet: each `n` once, and one probe for each length of a signature.
    fn questions(&self, player: &PlayerKey, n: &[String], signatures: &[String]) -> Questions {
        let mut known = lock(&self.known);
        let mut unknown: Vec<String> = n
            .iter()
            .filter(|n| known.n(player, n).is_none())
            .cloned()
            .collect();
        unknown.sort_unstable();
        unknown.dedup();
        let mut lengths: Vec<usize> = signatures
            .iter()
            .filter(|signature| known.signature(player, signature).is_none())
            .map(String::len)
            .collect();
        lengths.sort_unstable();
        lengths.dedup();
        let probes = lengths.into_iter().map(Permutation::probe).collect();
        Questions {
            n: unknown,
            signatures: probes,
        }
    }

    async fn ask_or_load(
        &self,
        player: &PlayerKey,
        source: &dyn ScriptSource,
        questions: &Questions,
    ) -> Result<Answers, SolveError> {
        if let Some(answers) = self.threads.ask(player, None, questions).await? {
            return Ok(answers);
        }
        // It may have failed while this question waited.
        self.failures.check(player)?;
        let script = self.fetch(player, source).await?;
        let answers = self.threads.ask(player, Some(&script), questions).await?;
        answers.ok_or(SolveError::Stopped)
    }

    async fn fetch(
        &self,
        player: &PlayerKey,
        source: &dyn ScriptSource,
    ) -> Result<Bytes, SolveError> {
        let script = source.fetch(player).await?;
        if script.len() > self.limits.script {
            return Err(self.failures.add(player, Fault::TooLarge(script.len())));
        }
        if let Some(days) = signature_timestamp(&script) {
            lock(&self.known).learn_signature_timestamp(player, days);
        }
        Ok(script)
    }

    /// Checks the answers and keeps the good ones.
    fn learn(
        &self,
        player: &PlayerKey,
        questions: &Questions,
        answers: &Answers,
    ) -> Result<(), SolveError> {
        let mut known = lock(&self.known);
        for (n, answer) in questions.n.iter().zip(&answers.n) {
            if !solves_n(n, answer) {
                return Err(self.failures.add(player, Fault::Answer));
            }
            known.learn_n(player, n, answer);
        }
        for (probe, answer) in questions.signatures.iter().zip(&answers.signatures) {
            let length = probe.chars().count();
            let permutation = Permutation::of_answer(length, answer)
                .ok_or_else(|| self.failures.add(player, Fault::Answer))?;
            known.learn_permutation(player, length, permutation);
        }
        Ok(())
    }
}

impl Solver for Engine {
    fn signature_timestamp<'a>(
        &'a self,
        player: &'a PlayerKey,
        source: &'a dyn ScriptSource,
    ) -> BoxFuture<'a, Result<u32, SolveError>> {
        Box::pin(self.days(player, source))
    }

    fn solve<'a>(
        &'a self,
        player: &'a PlayerKey,
        source: &'a dyn ScriptSource,
        n: &'a [String],
        signatures: &'a [String],
    ) -> BoxFuture<'a, Result<Solutions, SolveError>> {
        Box::pin(self.solutions(player, source, n, signatures))
    }

    fn knowledge(&self) -> Knowledge {
        lock(&self.known).knowledge()
    }
}

fn check(n: &[String], signatures: &[String]) -> Result<(), SolveError> {
    if n.len() > MAX_CHALLENGES || signatures.len() > MAX_CHALLENGES {
        return Err(SolveError::TooMany);
    }
    let is_known = n.iter().all(|n| is_n(n)) && signatures.iter().all(|s| is_signature(s));
    is_known.then_some(()).ok_or(SolveError::Challenge)
}

/// The value behind a lock; a panic elsewhere leaves it whole, since no change is made in two steps.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
