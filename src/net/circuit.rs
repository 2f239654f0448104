//! Hosts that fail again and again are left alone for a while (reliability R4.2): every caller would wait for nothing.
//!
//! Only pages and API calls count; a media address that fails says little about its host (ruling 26). Pure but for the
//! lock around the hosts.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Failures in a row that open a circuit.
const THRESHOLD: u32 = 20;
/// How long it stays open before one call may probe.
const COOL_DOWN: Duration = Duration::from_secs(15);
/// Hosts that are counted, of those that failed last; some 100 bytes each.
const MAX_HOSTS: usize = 1024;
/// A host whose last failure is older may be forgotten to make room.
const STALE: Duration = Duration::from_secs(60);

/// What a call came to, for the circuit of its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The host answered.
    Alive,
    /// No connection, no answer in time, or 5xx.
    Failed,
    /// It says nothing about the host.
    Neither,
}

/// The circuit of one host.
#[derive(Debug, Clone, Copy)]
struct Circuit {
    failures: u32,
    failed_at: Instant,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Calls pass.
    Closed,
    /// None passes until then, and then one.
    Open(Instant),
    /// The one is out.
    Probing,
}

impl Circuit {
    fn new(now: Instant) -> Self {
        Self {
            failures: 0,
            failed_at: now,
            state: State::Closed,
        }
    }

    /// Whether a call may pass: `true` for a probe.
    ///
    /// # Errors
    /// How long to wait.
    fn enter(&mut self, now: Instant) -> Result<bool, Duration> {
        match self.state {
            State::Closed => Ok(false),
            State::Open(until) if now < until => Err(until - now),
            State::Open(_) => {
                self.state = State::Probing;
                Ok(true)
            }
            // It may take some seconds; then there is either an answer or another cool-down.
            State::Probing => Err(Duration::from_secs(1)),
        }
    }

    /// Counts a failure; returns whether it opens the circuit.
    fn fail(&mut self, is_probe: bool, now: Instant) -> bool {
        self.failed_at = now;
        self.failures = self.failures.saturating_add(1);
        let opens = match self.state {
            State::Closed => self.failures >= THRESHOLD,
            State::Probing => is_probe,
            // A call that was under way when it opened.
            State::Open(_) => false,
        };
        if opens {
            self.state = State::Open(now + COOL_DOWN);
        }
        opens
    }

    /// A probe ended without a verdict: the next call may be one.
    fn abandon(&mut self, is_probe: bool, now: Instant) {
        if is_probe && self.state == State::Probing {
            self.state = State::Open(now);
        }
    }
}

/// The circuits of all hosts. One that answers has none.
#[derive(Debug, Default)]
pub(super) struct Circuits(Mutex<HashMap<String, Circuit>>);

impl Circuits {
    /// Lets a call to `host` pass, whose [`Call`] must be told how it ended.
    ///
    /// # Errors
    /// The circuit is open: how long to wait.
    pub(super) fn enter(&self, host: &str, now: Instant) -> Result<Call<'_>, Duration> {
        let is_probe = match self.lock().get_mut(host) {
            Some(circuit) => circuit.enter(now)?,
            None => false,
        };
        Ok(Call {
            circuits: self,
            host: host.to_owned(),
            is_probe,
            is_over: false,
        })
    }

    fn end(&self, host: &str, is_probe: bool, verdict: Verdict, now: Instant) {
        let mut circuits = self.lock();
        match verdict {
            Verdict::Alive => {
                let circuit = circuits.remove(host);
                drop(circuits);
                if circuit.is_some_and(|circuit| circuit.state != State::Closed) {
                    tracing::info!(host, "host answers again");
                }
            }
            Verdict::Failed => {
                let Some(circuit) = counted(&mut circuits, host, now) else {
                    return;
                };
                let opens = circuit.fail(is_probe, now);
                let failures = circuit.failures;
                drop(circuits);
                if opens {
                    let pause_ms = COOL_DOWN.as_secs() * 1000;
                    tracing::warn!(host, failures, pause_ms, "host fails and is left alone");
                }
            }
            Verdict::Neither => {
                if let Some(circuit) = circuits.get_mut(host) {
                    circuit.abandon(is_probe, now);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Circuit>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The circuit of a host that failed; `None` when there is no room for another.
fn counted<'c>(
    circuits: &'c mut HashMap<String, Circuit>,
    host: &str,
    now: Instant,
) -> Option<&'c mut Circuit> {
    if circuits.len() >= MAX_HOSTS && !circuits.contains_key(host) {
        circuits.retain(|_, circuit| now.saturating_duration_since(circuit.failed_at) < STALE);
        if circuits.len() >= MAX_HOSTS {
            return None;
        }
    }
    let circuit = circuits.entry(host.to_owned());
    Some(circuit.or_insert_with(|| Circuit::new(now)))
}

/// A call under way. Dropped without a word, as when its caller leaves, it says nothing about the host.
#[derive(Debug)]
pub(super) struct Call<'c> {
    circuits: &'c Circuits,
    host: String,
    is_probe: bool,
    is_over: bool,
}

impl Call<'_> {
    /// Tells how it ended.
    pub(super) fn end(mut self, verdict: Verdict, now: Instant) {
        self.is_over = true;
        self.circuits.end(&self.host, self.is_probe, verdict, now);
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            let now = Instant::now();
            self.circuits
                .end(&self.host, self.is_probe, Verdict::Neither, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "a.example";
    const SECOND: Duration = Duration::from_secs(1);

    fn call(circuits: &Circuits, verdict: Verdict, now: Instant) -> Result<(), Duration> {
        circuits.enter(HOST, now)?.end(verdict, now);
        Ok(())
    }

    /// Circuits of which one was opened at this time.
    fn opened(now: Instant) -> Circuits {
        let circuits = Circuits::default();
        for _ in 0..THRESHOLD {
            call(&circuits, Verdict::Failed, now).unwrap();
        }
        circuits
    }

    #[test]
    fn circuit_opens_after_twenty_failures_in_a_row_for_fifteen_seconds() {
        let now = Instant::now();
        let circuits = Circuits::default();
        for _ in 0..19 {
            call(&circuits, Verdict::Failed, now).unwrap();
        }
        call(&circuits, Verdict::Neither, now).unwrap();
        call(&circuits, Verdict::Failed, now).unwrap();
        assert_eq!(call(&circuits, Verdict::Alive, now), Err(15 * SECOND));
        let soon = now + 14 * SECOND;
        assert_eq!(call(&circuits, Verdict::Alive, soon), Err(SECOND));
        assert!(circuits.enter("b.example", now).is_ok());
    }

    #[test]
    fn circuit_counts_failures_in_a_row_only() {
        let now = Instant::now();
        let circuits = Circuits::default();
        for _ in 0..3 {
            for _ in 0..19 {
                call(&circuits, Verdict::Failed, now).unwrap();
            }
            call(&circuits, Verdict::Alive, now).unwrap();
        }
        assert!(circuits.lock().is_empty());
    }

    #[test]
    fn circuit_lets_one_probe_pass_which_decides() {
        for (verdict, wait) in [(Verdict::Alive, None), (Verdict::Failed, Some(15 * SECOND))] {
            let now = Instant::now();
            let circuits = opened(now);
            let later = now + COOL_DOWN;
            let probe = circuits.enter(HOST, later).unwrap();
            assert_eq!(call(&circuits, Verdict::Alive, later), Err(SECOND));
            probe.end(verdict, later);
            assert_eq!(circuits.enter(HOST, later).err(), wait, "{verdict:?}");
        }
    }

    #[test]
    fn circuit_whose_probe_is_given_up_lets_another_pass() {
        let now = Instant::now();
        let circuits = opened(now);
        let later = now + COOL_DOWN;
        circuits
            .enter(HOST, later)
            .unwrap()
            .end(Verdict::Neither, later);
        assert!(circuits.enter(HOST, later).unwrap().is_probe);
        // Dropped by the caller that left.
        let after = Instant::now() + COOL_DOWN;
        assert!(circuits.enter(HOST, after).unwrap().is_probe);
    }

    #[test]
    fn circuit_is_neither_prolonged_nor_closed_unseen_by_calls_under_way() {
        let now = Instant::now();
        let circuits = Circuits::default();
        let under_way: Vec<_> = (0..22)
            .map(|_| circuits.enter(HOST, now).unwrap())
            .collect();
        for (number, call) in (0..).zip(under_way) {
            call.end(Verdict::Failed, now + number * Duration::from_millis(1));
        }
        let wait = circuits
            .enter(HOST, now + 19 * Duration::from_millis(1))
            .err();
        assert_eq!(wait, Some(COOL_DOWN));
        let late = opened(now);
        late.end(HOST, false, Verdict::Alive, now);
        assert!(late.enter(HOST, now).is_ok());
    }

    #[test]
    fn circuits_are_bounded_in_number() {
        let now = Instant::now();
        let circuits = Circuits::default();
        for number in 0..2 * MAX_HOSTS {
            circuits.end(&format!("{number}.example"), false, Verdict::Failed, now);
        }
        assert_eq!(circuits.lock().len(), MAX_HOSTS);
        circuits.end("late.example", false, Verdict::Failed, now + STALE);
        assert_eq!(circuits.lock().len(), 1);
    }
}
