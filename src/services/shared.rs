//! Extractions that instances share: what one has asked a site, the others needn't ask.
//!
//! Whoever can write to the store could plant addresses and cookies there, and whoever can read it would have them; so
//! each value is sealed with a key that only the instances have, for its own place alone, and has its time in it.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use crate::clock::Clock;
use crate::extract::{Extraction, Extractor, Source, SourceKey};
use crate::links::Sealer;
use crate::net::{Egress, Lock, Store, StoreStats, StoreStatus};

/// What all keys begin with; another layout of the values gets another number.
const PREFIX: &str = "srs:1";
/// Largest sealed value; a video of many formats and captions takes some 200 KiB.
const MAX_BYTES: usize = 2 * 1024 * 1024;
/// What clocks of instances may differ.
const CLOCK_SLACK: u64 = 60;
/// Longest wait for what another instance is asking a site.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked for: at first, and later.
const FIRST_LOOK: Duration = Duration::from_millis(50);
const LAST_LOOK: Duration = Duration::from_millis(400);
/// A lock outlives the longest extraction by so much.
const LOCK_SLACK: Duration = Duration::from_secs(5);

/// The shared extractions. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Shared {
    store: Store,
    sealer: Arc<Sealer>,
    clock: Clock,
    ttl: Duration,
    /// What tells this instance from the others.
    instance: Arc<str>,
}

/// Where a post's extraction lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place(String);

impl Place {
    /// What a value is sealed for: this place, and nothing else that is sealed with the same key.
    fn context(&self) -> String {
        format!("shared extraction at {}", self.0)
    }
}

/// Who asks the site.
#[derive(Debug)]
pub(super) enum Duty {
    /// We do, and the others wait for it.
    Ours(Lock),
    /// We do, as far as is known.
    Alone,
    /// Another one has.
    Done(Box<Found>),
}

/// An extraction by this or another instance.
#[derive(Debug, PartialEq)]
pub(super) struct Found {
    pub(super) extraction: Extraction,
    /// How long it may still be served.
    pub(super) left: Duration,
}

#[derive(Serialize)]
struct Written<'a> {
    at: u64,
    extraction: &'a Extraction,
}

#[derive(Deserialize)]
struct Read {
    at: u64,
    extraction: Extraction,
}

impl Shared {
    /// Extractions in `store`, each for `ttl`. `instance` is the name of this instance, if it has one.
    pub fn new(
        store: Store,
        sealer: Arc<Sealer>,
        clock: Clock,
        ttl: Duration,
        instance: Option<&str>,
    ) -> Self {
        let unnamed = || format!("{:032x}", rand::random::<u128>());
        Self {
            store,
            sealer,
            clock,
            ttl,
            instance: instance.map_or_else(unnamed, str::to_owned).into(),
        }
    }

    /// How the store is.
    pub fn status(&self) -> StoreStatus {
        self.store.status()
    }

    /// What came of the calls to the store.
    pub fn stats(&self) -> StoreStats {
        self.store.stats()
    }

    /// Where the extraction of `post` by `egress` lies: where only those look who have the same way out.
    pub(super) async fn place(
        &self,
        extractor: &dyn Extractor,
        post: &Source,
        egress: &Egress,
    ) -> Place {
        let (SourceKey::Post(id) | SourceKey::Short(id)) = &post.key;
        let mut key = format!("{PREFIX}:post:{}:{id}", post.site);
        if let Some(owner) = self.owner(egress, extractor.are_addresses_bound()) {
            key.push(':');
            // There are too few addresses for a plain hash to hide one.
            key.push_str(&self.sealer.pseudonym(&format!("place of {owner}")).await);
        }
        Place(key)
    }

    /// Whoever has the addresses of `egress`: its own name and address. Of a way without a name nobody has
    /// said whose it is: what `is_bound` to the address that asked is this instance's alone, and the rest everybody's who
    /// has no names either.
    fn owner(&self, egress: &Egress, is_bound: bool) -> Option<String> {
        let public_ip = egress.public_ip();
        let address = public_ip.map_or_else(
            || egress.generation().to_string(),
            |address| address.to_string(),
        );
        match (egress.name(), public_ip) {
            (Some(name), _) => Some(format!("egress\0{name}\0{address}")),
            (None, _) if is_bound => Some(format!("instance\0{}\0{address}", self.instance)),
            (None, Some(_)) => Some(format!("address\0{address}")),
            (None, None) => None,
        }
    }

    /// The extraction at `place`, if it is one of `post` that may still be served.
    pub(super) async fn get(&self, place: &Place, post: &Source) -> Option<Found> {
        let sealed = self.store.get(&place.0, MAX_BYTES).await.ok()??;
        let value = self.sealer.open_secret(&place.context(), &sealed).await?;
        find(&value, post, self.clock.unix_seconds(), self.ttl)
    }

    /// Lays an extraction down for the others.
    pub(super) async fn put(&self, place: &Place, extraction: &Extraction) {
        let written = Written {
            at: self.clock.unix_seconds(),
            extraction,
        };
        let Ok(value) = serde_json::to_vec(&written) else {
            return;
        };
        let sealed = self.sealer.seal_secret(&place.context(), &value).await;
        if self.ttl.is_zero() || sealed.len() > MAX_BYTES {
            return;
        }
        // Whether it is there makes no difference to this answer.
        let _ = self.store.put(&place.0, &sealed, self.ttl).await;
    }

    /// Finds out who asks the site for what lies at `place`, and waits for another instance that does, within bounds. A
    /// lock that is lost costs no more than a second extraction.
    pub(super) async fn duty(&self, place: &Place, post: &Source, deadline: Duration) -> Duty {
        let (begun, patience) = (Instant::now(), PATIENCE.min(deadline));
        let key = format!("{}:lock", place.0);
        let mut pause = FIRST_LOOK;
        loop {
            match self
                .store
                .lock(&key, deadline.saturating_add(LOCK_SLACK))
                .await
            {
                Ok(Some(lock)) => return self.unless_done(place, post, lock).await,
                Ok(None) if begun.elapsed() < patience => {
                    tracing::debug!(site = post.site, "another instance asks the site");
                }
                Ok(None) | Err(_) => return Duty::Alone,
            }
            sleep(pause).await;
            pause = pause.saturating_mul(2).min(LAST_LOOK);
            if let Some(found) = self.get(place, post).await {
                return Duty::Done(Box::new(found));
            }
        }
    }

    /// Between the first look and the lock somebody may have been done.
    async fn unless_done(&self, place: &Place, post: &Source, lock: Lock) -> Duty {
        match self.get(place, post).await {
            Some(found) => {
                self.release(Duty::Ours(lock)).await;
                Duty::Done(Box::new(found))
            }
            None => Duty::Ours(lock),
        }
    }

    /// Ends a duty, however it went.
    pub(super) async fn release(&self, duty: Duty) {
        if let Duty::Ours(lock) = duty {
            // It ends by itself otherwise.
            let _ = self.store.unlock(lock).await;
        }
    }
}

/// The extraction in a value, if it is one of `post` that may still be served.
pub(super) fn find(value: &[u8], post: &Source, now: u64, ttl: Duration) -> Option<Found> {
    let read: Read = serde_json::from_slice(value).ok()?;
    let (SourceKey::Post(id) | SourceKey::Short(id)) = &post.key;
    if read.extraction.site != post.site || read.extraction.id != *id {
        return None;
    }
    if read.at > now.saturating_add(CLOCK_SLACK) {
        return None;
    }
    let age = Duration::from_secs(now.saturating_sub(read.at));
    let left = ttl.checked_sub(age).filter(|left| !left.is_zero())?;
    Some(Found {
        extraction: read.extraction,
        left,
    })
}
