//! When to try again: at once after a good connection was lost, then ever more rarely, but soon enough that what comes
//! back is found quickly.

use std::time::{Duration, Instant};

/// Before the first try.
const FIRST: Duration = Duration::from_millis(50);
/// Before the second; each further one is longer by the factor.
const SECOND: Duration = Duration::from_millis(100);
const FACTOR: f64 = 1.6;
/// Longest wait so long after the loss.
const CAPS: [(Duration, Duration); 2] = [
    (Duration::from_secs(30), Duration::from_secs(1)),
    (Duration::from_secs(600), Duration::from_secs(5)),
];
const LAST_CAP: Duration = Duration::from_secs(30);
/// Each wait is longer or shorter by up to this part.
const JITTER: f64 = 0.2;

/// The waits after one loss.
#[derive(Debug, Clone)]
pub struct Backoff {
    lost: Instant,
    tries: u32,
}

impl Backoff {
    /// The connection was lost at `now`.
    pub fn new(now: Instant) -> Self {
        Self {
            lost: now,
            tries: 0,
        }
    }

    /// How long to wait before the next try; `chance` is evenly between 0 and 1.
    pub fn next(&mut self, now: Instant, chance: f64) -> Duration {
        let tries = self.tries;
        self.tries = tries.saturating_add(1);
        if tries == 0 {
            return FIRST;
        }
        let away = now.saturating_duration_since(self.lost);
        let cap = CAPS.iter().find(|(until, _)| away < *until);
        let cap = cap.map_or(LAST_CAP, |(_, cap)| *cap);
        // Beyond that power any cap is reached.
        let power = i32::try_from(tries - 1).unwrap_or(i32::MAX).min(30);
        let wait = SECOND.as_secs_f64() * FACTOR.powi(power);
        let jitter = 1.0 + JITTER * (2.0 * chance - 1.0);
        Duration::from_secs_f64(wait.min(cap.as_secs_f64()) * jitter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(chance: f64, until: Duration) -> Vec<(Duration, Duration)> {
        let start = Instant::now();
        let mut backoff = Backoff::new(start);
        let mut now = start;
        let mut waits = Vec::new();
        while now - start < until {
            let wait = backoff.next(now, chance);
            waits.push((now - start, wait));
            now += wait;
        }
        waits
    }

    #[test]
    fn backoff_grows_from_50_ms_to_its_caps() {
        let waits = waits(0.5, Duration::from_secs(700));
        let ms: Vec<_> = waits
            .iter()
            .take(7)
            .map(|(_, wait)| wait.as_millis())
            .collect();
        assert_eq!(ms, [50, 100, 160, 256, 409, 655, 1000]);
        for (at, wait) in waits {
            let cap = if at.as_secs() < 30 {
                1
            } else if at.as_secs() < 600 {
                5
            } else {
                30
            };
            assert!(wait <= Duration::from_secs(cap), "{at:?} {wait:?}");
        }
    }

    #[test]
    fn backoff_finds_what_returns_within_the_gates() {
        for chance in [0.0, 0.5, 1.0] {
            for (away_s, found_ms) in [(3, 1500), (60, 6500), (1200, 37_000)] {
                let waits = waits(chance, Duration::from_secs(1300));
                let longest = waits
                    .iter()
                    .filter(|(at, _)| at.as_secs() < away_s)
                    .map(|(_, wait)| wait)
                    .max();
                assert!(longest.unwrap().as_millis() < found_ms, "{chance} {away_s}");
            }
        }
    }

    #[test]
    fn backoff_never_overflows() {
        let start = Instant::now();
        let mut backoff = Backoff {
            lost: start,
            tries: u32::MAX - 1,
        };
        for _ in 0..3 {
            assert!(backoff.next(start, 1.0) <= Duration::from_millis(1200));
        }
    }
}
