//! Who may ask, and how often: API keys and rate limits. Off unless configured.
//!
//! [`client_address`] finds the client behind trusted proxies, [`Keys`] knows the API keys, [`Limiter`] counts requests
//! against a [`Store`]. Knows no HTTP answer: `http` asks [`Protect::admit`] before a handler runs and words the refusal.

mod client;
mod config;
mod keys;
mod limiter;
mod memory;
mod shared;

pub use client::{block, client_address};
pub use config::ProtectConfig;
pub use keys::{KEYED_ROUTES, Key, KeyDigest, KeyFault, KeyFile, Keys, KeysConfig};
pub use limiter::{Bucket, Limiter, Limits, Quota, Standing, Store, Subject};
pub use memory::MemoryStore;
pub use shared::SharedStore;

use std::net::IpAddr;
use std::sync::Arc;

use crate::clock::Clock;

/// What a request costs: asking sites, or passing bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Routes that ask a site about an address.
    Resolve,
    /// Routes that deliver what a link names.
    Media,
}

impl Class {
    /// The word for metrics and for the names of shared counts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Media => "media",
        }
    }
}

/// A request that wants to be let in.
#[derive(Debug, Clone, Copy)]
pub struct Visit<'a> {
    /// What it costs.
    pub class: Class,
    /// Template of its route.
    pub route: &'a str,
    /// The key that it shows.
    pub key: Option<&'a [u8]>,
    /// Who sends it.
    pub client: IpAddr,
}

/// Why a request is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// It shows no key, or one that doesn't count.
    Unauthorized(KeyFault),
    /// Its key is not for this route.
    Forbidden,
    /// It comes too soon after others.
    RateLimited(Standing),
}

/// Keys and limits together.
#[derive(Debug)]
pub struct Protect {
    keys: Keys,
    limiter: Limiter,
    media_needs_key: bool,
}

impl Protect {
    /// With limits that are counted in `store`.
    pub fn new(config: ProtectConfig, clock: Clock, store: Arc<dyn Store>) -> Self {
        Self {
            keys: Keys::new(config.keys, clock),
            limiter: Limiter::new(config.limits, store),
            media_needs_key: config.media_needs_key,
        }
    }

    /// Lets a request in, and says how its client stands against its limit; `None` when it has none.
    ///
    /// # Errors
    /// [`Denied`]. Requests without a good key count against the limit of their network, so that keys can't be tried out
    /// faster than requests are allowed.
    pub async fn admit(&self, visit: Visit<'_>) -> Result<Option<Standing>, Denied> {
        let is_needed = self.keys.are_configured()
            && match visit.class {
                Class::Resolve => true,
                Class::Media => self.media_needs_key,
            };
        match self.keys.find(visit.key) {
            Ok(key) if key.opens(visit.route) => self.count(visit, Some(&key)).await,
            Ok(_) if is_needed => {
                self.count(visit, None).await?;
                Err(Denied::Forbidden)
            }
            Err(fault) if is_needed => {
                self.count(visit, None).await?;
                Err(Denied::Unauthorized(fault))
            }
            _ => self.count(visit, None).await,
        }
    }

    async fn count(&self, visit: Visit<'_>, key: Option<&Key>) -> Result<Option<Standing>, Denied> {
        let subject = match key {
            Some(key) => Subject::Key(Arc::clone(&key.id)),
            None => Subject::Network(block(visit.client)),
        };
        let own = key.and_then(|key| key.limit_per_minute);
        match self.limiter.take(visit.class, subject, own).await {
            Some(standing) if standing.is_over() => Err(Denied::RateLimited(standing)),
            standing => Ok(standing),
        }
    }
}
