//! Counting in this process, in bounded memory.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::limiter::WINDOW;
use super::{Bucket, Quota, Standing, Store};

/// Buckets that are kept: about 8 MiB.
const MAX_BUCKETS: usize = 65_536;

/// Counts by the generic cell rate algorithm (ITU-T I.371): per bucket one moment, from which on the whole quota is
/// there again. Each request moves it on by the time in which one is earned back, and is one too many when that would
/// put it more than a minute ahead.
///
/// Buckets whose moment has passed are as good as absent, and go when room is needed. When a flood from ever new networks
/// fills all of it with others, those go that have used least of their quota: who is over the limit stays.
pub struct MemoryStore {
    buckets: Mutex<HashMap<Bucket, Instant>>,
    max: usize,
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::with_room_for(MAX_BUCKETS)
    }
}

impl MemoryStore {
    fn with_room_for(max: usize) -> Self {
        Self {
            buckets: Mutex::default(),
            max,
        }
    }

    fn take_at(&self, bucket: &Bucket, quota: Quota, now: Instant) -> Standing {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= self.max && !buckets.contains_key(bucket) {
            make_room(&mut buckets, self.max, now);
        }
        match buckets.entry(bucket.clone()) {
            Entry::Occupied(mut entry) => {
                let (full_at, standing) = count(*entry.get(), quota, now);
                entry.insert(full_at);
                standing
            }
            Entry::Vacant(entry) => {
                let (full_at, standing) = count(now, quota, now);
                entry.insert(full_at);
                standing
            }
        }
    }
}

/// Counts a request against a quota that is whole again at `full_at`; returns the new such moment.
fn count(full_at: Instant, quota: Quota, now: Instant) -> (Instant, Standing) {
    let interval = quota.interval();
    let next = full_at.max(now) + interval;
    let ahead = next - now;
    let standing = |used: std::time::Duration| Standing {
        quota,
        remaining: whole(WINDOW.saturating_sub(used), interval),
        reset: used,
        retry_after: None,
    };
    if ahead > WINDOW {
        let over = Standing {
            remaining: 0,
            retry_after: Some(ahead.saturating_sub(WINDOW)),
            ..standing(ahead.saturating_sub(interval))
        };
        return (full_at, over);
    }
    (next, standing(ahead))
}

/// How often `part` fits into `time`.
pub(super) fn whole(time: std::time::Duration, part: std::time::Duration) -> u32 {
    let times = time.as_nanos().checked_div(part.as_nanos()).unwrap_or(0);
    u32::try_from(times).unwrap_or(u32::MAX)
}

/// Drops what is as good as absent; when that is less than an eighth, also those that have used least.
fn make_room(buckets: &mut HashMap<Bucket, Instant>, max: usize, now: Instant) {
    buckets.retain(|_, full_at| *full_at > now);
    let keep = max - max.div_ceil(8);
    if buckets.len() <= keep {
        return;
    }
    let mut moments: Vec<Instant> = buckets.values().copied().collect();
    let surplus = moments.len() - keep;
    let (_, limit, _) = moments.select_nth_unstable(surplus - 1);
    let limit = *limit;
    // Of those at the limit itself only as many as must go.
    let mut left = surplus;
    buckets.retain(|_, full_at| {
        if *full_at > limit || left == 0 {
            return true;
        }
        left -= 1;
        false
    });
}

impl Store for MemoryStore {
    fn take<'a>(&'a self, bucket: &'a Bucket, quota: Quota) -> BoxFuture<'a, Option<Standing>> {
        let standing = self.take_at(bucket, quota, Instant::now());
        std::future::ready(Some(standing)).boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Duration;

    use super::*;
    use crate::protect::{Class, Subject};

    fn bucket(number: u32) -> Bucket {
        Bucket {
            class: Class::Resolve,
            subject: Subject::Network(IpAddr::V4(Ipv4Addr::from_bits(number))),
        }
    }

    fn quota(requests: u32) -> Quota {
        Quota::per_minute(requests).unwrap()
    }

    #[test]
    fn quota_may_be_used_at_once_and_comes_back_bit_by_bit() {
        let (store, start) = (MemoryStore::default(), Instant::now());
        let take = |after: u64| {
            let now = start + Duration::from_secs(after);
            store.take_at(&bucket(1), quota(3), now)
        };
        for remaining in [2, 1, 0] {
            let standing = take(0);
            assert_eq!(
                (standing.remaining, standing.retry_after),
                (remaining, None)
            );
        }
        for _ in 0..3 {
            let over = take(0);
            assert_eq!(over.retry_after, Some(Duration::from_secs(20)));
            assert_eq!((over.remaining, over.reset), (0, Duration::from_secs(60)));
        }
        assert_eq!(take(19).retry_after, Some(Duration::from_secs(1)));
        assert_eq!(take(20).retry_after, None);
        assert!(take(20).is_over());
        let rested = take(80);
        assert_eq!(
            (rested.remaining, rested.reset),
            (2, Duration::from_secs(20))
        );
    }

    #[test]
    fn buckets_are_counted_apart() {
        let (store, now) = (MemoryStore::default(), Instant::now());
        assert!(!store.take_at(&bucket(1), quota(1), now).is_over());
        assert!(store.take_at(&bucket(1), quota(1), now).is_over());
        assert!(!store.take_at(&bucket(2), quota(1), now).is_over());
        let media = Bucket {
            class: Class::Media,
            ..bucket(1)
        };
        assert!(!store.take_at(&media, quota(1), now).is_over());
    }

    #[test]
    fn flood_of_new_networks_takes_bounded_room_and_frees_nobody_who_is_over() {
        let (store, now) = (MemoryStore::with_room_for(64), Instant::now());
        while !store.take_at(&bucket(0), quota(10), now).is_over() {}
        for number in 1..10_000 {
            assert!(!store.take_at(&bucket(number), quota(10), now).is_over());
            assert!(store.buckets.lock().unwrap().len() <= 64);
        }
        assert!(store.take_at(&bucket(0), quota(10), now).is_over());
    }

    #[test]
    fn buckets_that_are_whole_again_go_first() {
        let (store, start) = (MemoryStore::with_room_for(64), Instant::now());
        for number in 0..64 {
            store.take_at(&bucket(number), quota(10), start);
        }
        store.take_at(&bucket(64), quota(10), start + WINDOW);
        assert_eq!(store.buckets.lock().unwrap().len(), 1);
    }

    #[test]
    fn huge_quota_does_not_overflow() {
        let (store, now) = (MemoryStore::default(), Instant::now());
        let standing = store.take_at(&bucket(1), quota(u32::MAX), now);
        assert!(!standing.is_over() && standing.remaining > 1_000_000_000);
    }
}
