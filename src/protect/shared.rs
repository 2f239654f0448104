//! Counting where several instances share one limit; in this process while the shared store is away.
//!
//! Whoever can read the store learns that somebody asks, not who: counts have names that only the instances can tell.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::limiter::WINDOW;
use super::memory::whole;
use super::{Bucket, MemoryStore, Quota, Standing, Store};
use crate::links::Sealer;
use crate::net::{self, Paced};

/// What the names of counts begin with.
const PREFIX: &str = "srs:1:limit";

/// Counts by the same algorithm as [`MemoryStore`], with the moments in Redis and by its clock.
#[derive(Debug)]
pub struct SharedStore {
    shared: net::Store,
    sealer: Arc<Sealer>,
    own: MemoryStore,
}

impl SharedStore {
    /// Counts in `shared`, under names by `sealer`.
    pub fn new(shared: net::Store, sealer: Arc<Sealer>) -> Self {
        Self {
            shared,
            sealer,
            own: MemoryStore::default(),
        }
    }
}

impl Store for SharedStore {
    fn take<'a>(&'a self, bucket: &'a Bucket, quota: Quota) -> BoxFuture<'a, Option<Standing>> {
        let taking = async move {
            let name = self.sealer.pseudonym(&format!("count of {bucket}")).await;
            let key = format!("{PREFIX}:{}:{name}", bucket.class.as_str());
            match self.shared.pace(&key, quota.interval(), WINDOW).await {
                Ok(paced) => Some(standing(quota, paced)),
                Err(_) => self.own.take(bucket, quota).await,
            }
        };
        taking.boxed()
    }
}

fn standing(quota: Quota, paced: Paced) -> Standing {
    let interval = quota.interval();
    let free = WINDOW.saturating_sub(paced.ahead);
    Standing {
        quota,
        remaining: if paced.is_over {
            0
        } else {
            whole(free, interval)
        },
        reset: paced.ahead,
        retry_after: paced
            .is_over
            .then(|| interval.saturating_sub(free).max(Duration::from_millis(1))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ahead_ms: u64, is_over: bool) -> Standing {
        let ahead = Duration::from_millis(ahead_ms);
        standing(Quota::per_minute(6).unwrap(), Paced { ahead, is_over })
    }

    #[test]
    fn standing_follows_from_the_moment_at_which_all_is_there_again() {
        let first = of(10_000, false);
        assert_eq!((first.remaining, first.reset.as_secs()), (5, 10));
        assert_eq!(of(60_000, false).remaining, 0);
        let over = of(58_000, true);
        assert_eq!((over.remaining, over.reset.as_secs()), (0, 58));
        assert_eq!(over.retry_after, Some(Duration::from_secs(8)));
    }
}
