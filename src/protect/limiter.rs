//! How often a client may ask: a quota per minute, counted per key or network and class.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::Class;

/// The time in which a quota may be used up.
pub(super) const WINDOW: Duration = Duration::from_secs(60);

/// Whose requests are counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// The holder of an API key, by its id.
    Key(Arc<str>),
    /// An IPv4 address or an IPv6 /64.
    Network(IpAddr),
}

/// What is counted together. `Display` writes a name for it that is the same in every process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Bucket {
    /// What the requests cost.
    pub class: Class,
    /// Whose they are.
    pub subject: Subject,
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = self.class.as_str();
        match &self.subject {
            Subject::Key(id) => write!(f, "{class}:key:{id}"),
            Subject::Network(address) => write!(f, "{class}:net:{address}"),
        }
    }
}

/// Requests per minute: all at once, or spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota(NonZeroU32);

impl Quota {
    /// `None` for 0, which is no limit.
    pub fn per_minute(requests: u32) -> Option<Self> {
        NonZeroU32::new(requests).map(Self)
    }

    /// Requests per minute.
    pub fn requests(self) -> u32 {
        self.0.get()
    }

    /// Time in which one request is earned back.
    pub fn interval(self) -> Duration {
        WINDOW / self.requests()
    }
}

/// How a client stands against its quota after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The quota.
    pub quota: Quota,
    /// Requests that may follow at once.
    pub remaining: u32,
    /// Until the whole quota is there again.
    pub reset: Duration,
    /// Set when the request was one too many: when the next may come.
    pub retry_after: Option<Duration>,
}

impl Standing {
    /// Whether the request was one too many.
    pub fn is_over(&self) -> bool {
        self.retry_after.is_some()
    }
}

/// Where requests are counted: in this process, or where several processes share one limit.
///
/// A request that is one too many is not counted. A store that can't answer lets requests in: [`None`].
pub trait Store: fmt::Debug + Send + Sync {
    /// Counts a request against a quota.
    fn take<'a>(&'a self, bucket: &'a Bucket, quota: Quota) -> BoxFuture<'a, Option<Standing>>;
}

/// Quotas by class for clients without one of their own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// For routes that ask a site.
    pub resolve: Option<Quota>,
    /// For routes that deliver.
    pub media: Option<Quota>,
}

/// Counts requests.
#[derive(Debug)]
pub struct Limiter {
    limits: Limits,
    store: Arc<dyn Store>,
}

impl Limiter {
    pub(super) fn new(limits: Limits, store: Arc<dyn Store>) -> Self {
        Self { limits, store }
    }

    /// Counts a request; `own` is what the key of the client says in place of the general limit, 0 for no limit.
    pub(super) async fn take(
        &self,
        class: Class,
        subject: Subject,
        own: Option<u32>,
    ) -> Option<Standing> {
        let general = match class {
            Class::Resolve => self.limits.resolve,
            Class::Media => self.limits.media,
        };
        let quota = own.map_or(general, Quota::per_minute)?;
        let bucket = Bucket { class, subject };
        self.store.take(&bucket, quota).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_buckets_are_the_same_everywhere() {
        let bucket = |class, subject| Bucket { class, subject }.to_string();
        let network = Subject::Network("2001:db8::".parse().unwrap());
        assert_eq!(bucket(Class::Media, network), "media:net:2001:db8::");
        assert_eq!(
            bucket(Class::Resolve, Subject::Key("alice".into())),
            "resolve:key:alice"
        );
    }
}
