//! How often a host may be asked again (reliability R4.1): a site in trouble must not get more requests for being so.
//!
//! Retries may be a tenth of the requests of late, and some are always allowed, so that a quiet server is not without
//! any. Pure but for the lock around the hosts.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// Seconds that count as of late.
const WINDOW: u32 = 10;
/// Retries of one second that are always allowed.
const FLOOR: u32 = 10;
/// One retry for so many requests.
const REQUESTS_PER_RETRY: u32 = 10;
/// Hosts that are counted, some 200 bytes each; sites have tens of them.
const MAX_HOSTS: usize = 1024;

/// Requests and retries of one second.
#[derive(Debug, Clone, Copy, Default)]
struct Second {
    requests: u32,
    retries: u32,
}

/// The late seconds of one host, as a ring.
#[derive(Debug, Clone, Copy, Default)]
struct Ledger {
    seconds: [Second; WINDOW as usize],
    now: u64,
}

impl Ledger {
    /// The second `now`, with those that have passed since the last look emptied.
    fn at(&mut self, now: u64) -> &mut Second {
        // A look that comes out of order counts as one of the newest second.
        let now = now.max(self.now);
        for passed in (self.now + 1..=now).rev().take(self.seconds.len()) {
            self.seconds[Self::place(passed)] = Second::default();
        }
        self.now = now;
        &mut self.seconds[Self::place(now)]
    }

    fn place(second: u64) -> usize {
        usize::try_from(second % u64::from(WINDOW)).unwrap_or_default()
    }

    fn note_request(&mut self, now: u64) {
        let second = self.at(now);
        second.requests = second.requests.saturating_add(1);
    }

    fn take_retry(&mut self, now: u64) -> bool {
        let is_below_floor = self.at(now).retries < FLOOR;
        let sum = |part: fn(&Second) -> u32| {
            let parts = self.seconds.iter().map(part);
            parts.fold(0, u32::saturating_add)
        };
        let (requests, retries) = (sum(|second| second.requests), sum(|second| second.retries));
        let may = is_below_floor || retries < requests / REQUESTS_PER_RETRY;
        if may {
            self.at(now).retries += 1;
        }
        may
    }

    fn is_idle(&self, now: u64) -> bool {
        now >= self.now + u64::from(WINDOW)
    }
}

/// The budgets of all hosts.
#[derive(Debug)]
pub(super) struct RetryBudget {
    start: Instant,
    hosts: Mutex<HashMap<String, Ledger>>,
}

impl RetryBudget {
    /// Budgets with nothing counted yet.
    pub(super) fn new(start: Instant) -> Self {
        Self {
            start,
            hosts: Mutex::default(),
        }
    }

    /// Counts a request, be it a retry or not.
    pub(super) fn note_request(&self, host: &str, now: Instant) {
        self.with(host, now, Ledger::note_request);
    }

    /// Takes a retry out of the budget; `false` when it is used up. A host that isn't counted has one without limit.
    pub(super) fn take_retry(&self, host: &str, now: Instant) -> bool {
        self.with(host, now, Ledger::take_retry).unwrap_or(true)
    }

    fn with<T>(&self, host: &str, now: Instant, act: fn(&mut Ledger, u64) -> T) -> Option<T> {
        let now = now.saturating_duration_since(self.start).as_secs();
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ledger) = hosts.get_mut(host) {
            return Some(act(ledger, now));
        }
        if hosts.len() >= MAX_HOSTS {
            hosts.retain(|_, ledger| !ledger.is_idle(now));
        }
        if hosts.len() >= MAX_HOSTS {
            return None;
        }
        let ledger = hosts.entry(host.to_owned()).or_default();
        Some(act(ledger, now))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HOST: &str = "a.example";

    /// A budget, and the time so many milliseconds after its start.
    fn budget() -> (RetryBudget, impl Fn(u64) -> Instant) {
        let start = Instant::now();
        let at = move |milliseconds| start + Duration::from_millis(milliseconds);
        (RetryBudget::new(start), at)
    }

    /// How many of a hundred retries are allowed at this time.
    fn allowed(budget: &RetryBudget, now: Instant) -> usize {
        (0..100).filter(|_| budget.take_retry(HOST, now)).count()
    }

    #[test]
    fn budget_of_a_quiet_host_is_the_floor_of_every_second() {
        let (budget, at) = budget();
        for (milliseconds, expected) in [
            (0, 10),
            (999, 0),
            (1000, 10),
            (1500, 0),
            (2000, 10),
            (60_000, 10),
        ] {
            assert_eq!(
                allowed(&budget, at(milliseconds)),
                expected,
                "{milliseconds} ms"
            );
        }
    }

    #[test]
    fn budget_of_a_busy_host_is_a_tenth_of_its_requests() {
        for (requests, expected) in [
            (0, 10),
            (100, 10),
            (109, 10),
            (110, 11),
            (500, 50),
            (10_000, 100),
        ] {
            let (budget, at) = budget();
            (0..requests).for_each(|_| budget.note_request(HOST, at(0)));
            assert_eq!(allowed(&budget, at(0)), expected, "{requests} requests");
        }
    }

    #[test]
    fn budget_counts_the_late_seconds_only() {
        for (seconds, expected) in [(0, 50), (9, 50), (10, 10), (1_000_000, 10)] {
            let (budget, at) = budget();
            (0..500).for_each(|_| budget.note_request(HOST, at(0)));
            assert_eq!(
                allowed(&budget, at(seconds * 1000)),
                expected,
                "{seconds} s later"
            );
        }
    }

    #[test]
    fn budget_spent_above_the_floor_comes_back_with_requests() {
        let (budget, at) = budget();
        (0..500).for_each(|_| budget.note_request(HOST, at(0)));
        assert_eq!(allowed(&budget, at(0)), 50);
        assert_eq!(allowed(&budget, at(1000)), 10);
        (0..200).for_each(|_| budget.note_request(HOST, at(1000)));
        assert_eq!(allowed(&budget, at(1000)), 10);
    }

    #[test]
    fn budget_survives_a_clock_that_steps_back() {
        let (budget, at) = budget();
        assert_eq!(allowed(&budget, at(50_000)), 10);
        assert_eq!(allowed(&budget, at(1000)), 0);
    }

    #[test]
    fn budgets_of_hosts_are_apart_and_bounded_in_number() {
        let (budget, at) = budget();
        assert_eq!(allowed(&budget, at(0)), 10);
        for number in 0..2 * MAX_HOSTS {
            let host = format!("{number}.example");
            assert!(budget.take_retry(&host, at(5000)));
        }
        assert_eq!(budget.hosts.lock().unwrap().len(), MAX_HOSTS);
        assert!(budget.take_retry("late.example", at(16_000)));
        assert_eq!(budget.hosts.lock().unwrap().len(), 1);
    }
}
