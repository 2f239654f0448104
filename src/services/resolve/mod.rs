//! Address -> extraction: cached, shared by callers at the same time, bounded in number and time.

mod ask;
mod error;
mod keep;
mod live;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::future::Cache;

use self::ask::{FlightKey, Question};
pub(super) use self::ask::{failed, within};
pub use self::error::ResolveError;
use self::keep::{Kept, KeptKey, PostKey, post_key};
use super::egress::{Way, by_egress};
use super::flight::Flights;
use super::{ServicesConfig, Shared, address};
use crate::extract::{Extraction, Extractor, Source, SourceKey};
use crate::lifecycle::Lifecycle;
use crate::net::{Client, Egresses, MediaSession, StoreStats, StoreStatus};
use crate::observe::Extractions;
use crate::transfer::Admission;

/// How long a "there is no such post" is remembered.
const NOT_FOUND_TTL: Duration = Duration::from_secs(30);

/// How long the target of a short link is remembered; sites never point one elsewhere.
const SHORT_LINK_TTL: Duration = Duration::from_secs(24 * 3600);

/// What the caller may ask for besides the address.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wish {
    /// Ask the site even when the answer is cached.
    pub no_cache: bool,
}

/// An extraction, and where it came from.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// What the site said.
    pub extraction: Arc<Extraction>,
    /// Whether it came out of the cache.
    pub is_hit: bool,
}

/// Figures of the cache since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Extractions kept now.
    pub entries: u64,
    /// Requests answered from the cache.
    pub hits: u64,
    /// Requests that asked a site.
    pub misses: u64,
}

type Outcome = Result<Resolved, Arc<ResolveError>>;

/// Resolves addresses. Cheap to clone.
#[derive(Clone)]
pub struct Resolver {
    inner: Arc<Inner>,
    /// The only way out that is taken, by its name; any for `None`.
    only: Option<Arc<str>>,
}

/// Where extractions come from.
pub struct Sources {
    /// Every site that is served.
    pub extractors: Vec<Arc<dyn Extractor>>,
    /// The ways out to them.
    pub egresses: Egresses,
    /// What other instances have asked them; `None` when nothing is shared.
    pub shared: Option<Shared>,
}

struct Inner {
    extractors: Vec<Arc<dyn Extractor>>,
    egresses: Egresses,
    shared: Option<Shared>,
    cache_ttl: Duration,
    admission: Admission,
    deadline: Duration,
    posts: Cache<KeptKey, Kept>,
    not_found: Cache<PostKey, Arc<ResolveError>>,
    short_links: Cache<PostKey, Source>,
    extracting: Flights<FlightKey, Outcome>,
    locating: Flights<PostKey, Result<Source, Arc<ResolveError>>>,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Resolver {
    /// A resolver over these sites; its tasks end with `lifecycle`.
    pub fn new(config: &ServicesConfig, sources: Sources, lifecycle: &Lifecycle) -> Self {
        let admission = Admission::new(
            config.max_extractions,
            config.max_queue,
            config.queue_timeout,
        );
        Self::within(config, sources, admission, lifecycle)
    }

    /// One over the sites of an account, with a memory of its own: what one account is told is never told another. It
    /// shares the ways out and the places with this one, and nothing with other instances.
    pub(super) fn by_account(
        &self,
        config: &ServicesConfig,
        extractors: Vec<Arc<dyn Extractor>>,
        lifecycle: &Lifecycle,
    ) -> Self {
        let sources = Sources {
            extractors,
            egresses: self.inner.egresses.clone(),
            shared: None,
        };
        let admission = self.inner.admission.clone();
        Self::within(config, sources, admission, lifecycle)
    }

    fn within(
        config: &ServicesConfig,
        sources: Sources,
        admission: Admission,
        lifecycle: &Lifecycle,
    ) -> Self {
        let Sources {
            extractors,
            egresses,
            shared,
        } = sources;
        let cache = |ttl: Duration| {
            Cache::builder()
                .max_capacity(config.cache_max_entries)
                .time_to_live(ttl)
        };
        let inner = Inner {
            extractors,
            egresses,
            shared,
            cache_ttl: config.cache_ttl,
            admission,
            deadline: config.extract_timeout,
            posts: cache(config.cache_ttl).build(),
            not_found: Cache::builder()
                .max_capacity(config.cache_max_entries)
                .time_to_live(NOT_FOUND_TTL.min(config.cache_ttl))
                .build(),
            short_links: Cache::builder()
                .max_capacity(config.cache_max_entries)
                .time_to_live(SHORT_LINK_TTL)
                .build(),
            extracting: Flights::new(lifecycle.clone()),
            locating: Flights::new(lifecycle.clone()),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        };
        Self {
            inner: Arc::new(inner),
            only: None,
        }
    }

    /// The same one, by the way out of this name and no other: while that can't be taken nothing is asked for, not even
    /// anew.
    pub(super) fn only(&self, way: &str) -> Self {
        Self {
            only: Some(Arc::from(way)),
            ..self.clone()
        }
    }

    /// Resolves a posted text.
    ///
    /// # Errors
    /// [`ResolveError`], shared by all callers that waited for it; [`ResolveError::NoEgress`] while the only way out can't
    /// be taken.
    pub async fn resolve(&self, text: &str, wish: Wish) -> Result<Resolved, Arc<ResolveError>> {
        let (extractor, source) = address::classify(&self.inner.extractors, text)?;
        let post = self.locate(&extractor, source).await?;
        if !wish.no_cache
            && let Some(extraction) = self.cached(&post, None).await
        {
            self.inner.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(Resolved {
                extraction,
                is_hit: true,
            });
        }
        // It asks the site, as far as is known.
        self.inner.misses.fetch_add(1, Ordering::Relaxed);
        let resolved = self
            .fetch(Question {
                extractor,
                post,
                egress: self.only.as_deref().map(str::to_owned),
                is_only: self.only.is_some(),
                is_fresh: wish.no_cache,
            })
            .await;
        if resolved.as_ref().is_ok_and(|resolved| resolved.is_hit) {
            self.inner.misses.fetch_sub(1, Ordering::Relaxed);
            self.inner.hits.fetch_add(1, Ordering::Relaxed);
        }
        resolved
    }

    /// How the store is that extractions are shared by; `None` when nothing is shared.
    pub fn shared_status(&self) -> Option<StoreStatus> {
        self.inner.shared.as_ref().map(Shared::status)
    }

    /// What came of the calls to that store; `None` when nothing is shared.
    pub fn shared_stats(&self) -> Option<StoreStats> {
        self.inner.shared.as_ref().map(Shared::stats)
    }

    /// The extractor called `site`.
    pub fn extractor(&self, site: &str) -> Option<&Arc<dyn Extractor>> {
        self.inner
            .extractors
            .iter()
            .find(|extractor| extractor.site() == site)
    }

    /// Every site that is served.
    pub fn extractors(&self) -> &[Arc<dyn Extractor>] {
        &self.inner.extractors
    }

    /// The ways out.
    pub fn egresses(&self) -> &Egresses {
        &self.inner.egresses
    }

    /// The client by which the session of an extraction goes on.
    pub(super) fn client_of(&self, session: &MediaSession, site: &str) -> Client {
        self.client_by(session.egress.as_deref(), site)
    }

    /// The client for media of `site` that were promised to the way out named `egress`.
    pub(super) fn client_by(&self, egress: Option<&str>, site: &str) -> Client {
        self.inner.egresses.for_media(egress, site).client()
    }

    /// Longest wait for a piece of a body.
    pub(super) fn idle_timeout(&self) -> Duration {
        self.inner
            .egresses
            .for_media(None, "")
            .client()
            .idle_timeout()
    }

    /// Time for one extraction.
    pub(super) fn deadline(&self) -> Duration {
        self.inner.deadline
    }

    /// Asks the site, by the way out named `egress` where that may be taken, unless somebody has asked it since `stale`
    /// was made.
    pub(super) async fn refresh(
        &self,
        extractor: &Arc<dyn Extractor>,
        post: Source,
        stale: Option<&Arc<Extraction>>,
        egress: Option<&str>,
    ) -> Result<Arc<Extraction>, Arc<ResolveError>> {
        let only = self.only.as_deref();
        let egress = only.or(egress);
        if let Some(cached) = self.cached(&post, egress).await
            && stale.is_none_or(|stale| !Arc::ptr_eq(stale, &cached))
        {
            return Ok(cached);
        }
        let resolved = self
            .fetch(Question {
                extractor: Arc::clone(extractor),
                post,
                egress: egress.map(str::to_owned),
                is_only: only.is_some(),
                // What others know may be as stale.
                is_fresh: stale.is_some(),
            })
            .await?;
        Ok(resolved.extraction)
    }

    /// The counts of what came of asking the sites.
    pub fn extractions(&self) -> &Extractions {
        self.inner.egresses.extractions()
    }

    /// Whether private addresses may be dialled.
    pub fn is_guard_relaxed(&self) -> bool {
        self.inner.egresses.is_guard_relaxed()
    }

    /// Figures for `/health`.
    pub async fn cache_stats(&self) -> CacheStats {
        // What was kept or has expired a moment ago is counted only then.
        self.inner.posts.run_pending_tasks().await;
        CacheStats {
            entries: self.inner.posts.entry_count(),
            hits: self.inner.hits.load(Ordering::Relaxed),
            misses: self.inner.misses.load(Ordering::Relaxed),
        }
    }

    /// The places for extractions.
    pub fn admission(&self) -> &Admission {
        &self.inner.admission
    }

    /// Turns a short link into its post; a post stays as it is.
    async fn locate(
        &self,
        extractor: &Arc<dyn Extractor>,
        source: Source,
    ) -> Result<Source, Arc<ResolveError>> {
        if matches!(source.key, SourceKey::Post(_)) {
            return Ok(source);
        }
        let key = post_key(&source);
        if let Some(post) = self.inner.short_links.get(&key).await {
            return Ok(post);
        }
        let resolver = self.clone();
        let extractor = Arc::clone(extractor);
        self.inner
            .locating
            .join(
                key,
                || async move { resolver.follow(extractor, source).await },
            )
            .await
            .unwrap_or_else(|| Err(Arc::new(ResolveError::Internal)))
    }

    async fn follow(
        self,
        extractor: Arc<dyn Extractor>,
        short: Source,
    ) -> Result<Source, Arc<ResolveError>> {
        let _place = self.inner.admission.admit().await.map_err(failed)?;
        let located = by_egress(
            &self.inner.egresses,
            short.site,
            Way::Any,
            |client: Client| {
                let (extractor, short) = (Arc::clone(&extractor), short.clone());
                async move { extractor.locate(&client, &short).await }
            },
        );
        let post = within(self.inner.deadline, located).await?.value;
        self.inner
            .short_links
            .insert(post_key(&short), post.clone())
            .await;
        Ok(post)
    }
}
