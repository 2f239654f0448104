//! Figures over the last seconds, in buckets of one second.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Seconds over which rates are measured.
const RATE_SECONDS: u64 = 5;
/// Seconds over which the longest gap is told.
const GAP_SECONDS: u64 = 60;

/// Bytes and pictures a second.
#[derive(Debug, Default)]
pub(super) struct Rates {
    start: Option<Instant>,
    buckets: VecDeque<(u64, u64, u64)>,
}

impl Rates {
    pub(super) fn add(&mut self, bytes: usize, pictures: u64, now: Instant) {
        let second = now
            .saturating_duration_since(*self.start.get_or_insert(now))
            .as_secs();
        match self.buckets.back_mut() {
            Some(last) if last.0 == second => {
                last.1 += bytes as u64;
                last.2 += pictures;
            }
            _ => self.buckets.push_back((second, bytes as u64, pictures)),
        }
        while self.buckets.len() as u64 > RATE_SECONDS + 1 {
            self.buckets.pop_front();
        }
    }

    /// Bits and pictures a second, over the last whole seconds.
    pub(super) fn per_second(&self, now: Instant) -> (f64, f64) {
        let Some(start) = self.start else {
            return (0.0, 0.0);
        };
        let second = now.saturating_duration_since(start).as_secs();
        let since = second.saturating_sub(RATE_SECONDS);
        let whole = self
            .buckets
            .iter()
            .filter(|bucket| (since..second).contains(&bucket.0));
        let (bytes, pictures) =
            whole.fold((0, 0), |sum, bucket| (sum.0 + bucket.1, sum.1 + bucket.2));
        let seconds = second.clamp(1, RATE_SECONDS) as f64;
        (bytes as f64 * 8.0 / seconds, pictures as f64 / seconds)
    }
}

/// The longest time between two tags on one connection.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    start: Option<Instant>,
    last: Option<Instant>,
    longest: Duration,
    buckets: VecDeque<(u64, Duration)>,
}

impl Gaps {
    pub(super) fn add(&mut self, now: Instant) {
        let start = *self.start.get_or_insert(now);
        let gap = self
            .last
            .map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        self.last = Some(now);
        self.longest = self.longest.max(gap);
        let second = now.saturating_duration_since(start).as_secs();
        match self.buckets.back_mut() {
            Some(bucket) if bucket.0 == second => bucket.1 = bucket.1.max(gap),
            _ => self.buckets.push_back((second, gap)),
        }
        while self.buckets.len() as u64 > GAP_SECONDS {
            self.buckets.pop_front();
        }
    }

    /// The connection is gone: what follows is no gap of it.
    pub(super) fn interrupt(&mut self) {
        self.last = None;
    }

    /// The longest of all, and of the last minute.
    pub(super) fn longest(&self, now: Instant) -> (Duration, Duration) {
        let Some(start) = self.start else {
            return (Duration::ZERO, Duration::ZERO);
        };
        let second = now.saturating_duration_since(start).as_secs();
        let since = second.saturating_sub(GAP_SECONDS);
        let recent = self.buckets.iter().filter(|bucket| bucket.0 >= since);
        (
            self.longest,
            recent.map(|bucket| bucket.1).max().unwrap_or_default(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    #[test]
    fn rates_cover_the_last_five_whole_seconds() {
        let (mut rates, start) = (Rates::default(), Instant::now());
        assert_eq!(rates.per_second(start), (0.0, 0.0));
        for tick in 0..200_u64 {
            rates.add(1000, 1, start + ms(tick * 100));
        }
        assert_eq!(rates.per_second(start + ms(19_950)), (80_000.0, 10.0));
        assert_eq!(rates.per_second(start + ms(60_000)), (0.0, 0.0));
    }

    #[test]
    fn gaps_forget_what_is_older_than_a_minute_and_what_a_loss_explains() {
        let (mut gaps, start) = (Gaps::default(), Instant::now());
        for at in [0, 100, 900, 1000] {
            gaps.add(start + ms(at));
        }
        gaps.interrupt();
        gaps.add(start + ms(30_000));
        gaps.add(start + ms(30_050));
        assert_eq!(gaps.longest(start + ms(30_100)), (ms(800), ms(800)));
        assert_eq!(gaps.longest(start + ms(62_000)), (ms(800), ms(50)));
    }
}
