//! Address -> extraction: cached, shared by callers at the same time, bounded in number and time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::future::Cache;
use tracing::{debug, warn};

use super::flight::Flights;
use super::{ServicesConfig, address};
use crate::extract::{
    ExtractError, Extraction, Extractor, OK, Refusal, Source, SourceKey, Unavailable,
};
use crate::lifecycle::Lifecycle;
use crate::net::Client;
use crate::observe::{Extractions, Verdict};
use crate::transfer::{Admission, Busy};

/// How long a "there is no such post" is remembered.
const NOT_FOUND_TTL: Duration = Duration::from_secs(30);

/// How long the target of a short link is remembered; sites never point one elsewhere.
const SHORT_LINK_TTL: Duration = Duration::from_secs(24 * 3600);

/// Why an address gave no extraction.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The text holds no usable address.
    #[error("not an address")]
    BadUrl,
    /// An address of a site that isn't served.
    #[error("unsupported host")]
    UnsupportedHost {
        /// Names of the sites that are.
        served: Vec<&'static str>,
    },
    /// An address of a known site that names no single post.
    #[error("unsupported address: {0:?}")]
    Refused(Refusal),
    /// The site gave nothing.
    #[error(transparent)]
    Extract(#[from] ExtractError),
    /// Too many extractions at once.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The extraction took longer than its deadline.
    #[error("extraction took longer than {} seconds", .0.as_secs())]
    Timeout(Duration),
    /// The work panicked; it is in the log.
    #[error("extraction failed inside")]
    Internal,
}

impl ResolveError {
    /// The word for metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::BadUrl | Self::UnsupportedHost { .. } | Self::Refused(_) => "refused",
            Self::Extract(error) => error.as_str(),
            Self::Busy(_) => "busy",
            Self::Timeout(_) => "timeout",
            Self::Internal => "internal",
        }
    }
}

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

type PostKey = (&'static str, String);
type Outcome = Result<Arc<Extraction>, Arc<ResolveError>>;

/// Resolves addresses. Cheap to clone.
#[derive(Clone)]
pub struct Resolver {
    inner: Arc<Inner>,
}

struct Inner {
    extractors: Vec<Arc<dyn Extractor>>,
    net: Client,
    admission: Admission,
    deadline: Duration,
    posts: Cache<PostKey, Arc<Extraction>>,
    not_found: Cache<PostKey, Arc<ResolveError>>,
    short_links: Cache<PostKey, Source>,
    extracting: Flights<PostKey, Outcome>,
    locating: Flights<PostKey, Result<Source, Arc<ResolveError>>>,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Resolver {
    /// A resolver over these sites; its tasks end with `lifecycle`.
    pub fn new(
        config: &ServicesConfig,
        extractors: Vec<Arc<dyn Extractor>>,
        net: Client,
        lifecycle: &Lifecycle,
    ) -> Self {
        let cache = |ttl: Duration| {
            Cache::builder()
                .max_capacity(config.cache_max_entries)
                .time_to_live(ttl)
        };
        let inner = Inner {
            extractors,
            net,
            admission: Admission::new(
                config.max_extractions,
                config.max_queue,
                config.queue_timeout,
            ),
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
        }
    }

    /// Resolves a posted text.
    ///
    /// # Errors
    /// [`ResolveError`], shared by all callers that waited for it.
    pub async fn resolve(&self, text: &str, wish: Wish) -> Result<Resolved, Arc<ResolveError>> {
        let (extractor, source) = address::classify(&self.inner.extractors, text)?;
        let post = self.locate(&extractor, source).await?;
        if !wish.no_cache
            && let Some(extraction) = self.cached(&post).await
        {
            self.inner.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(Resolved {
                extraction,
                is_hit: true,
            });
        }
        self.inner.misses.fetch_add(1, Ordering::Relaxed);
        let extraction = self.fetch(extractor, post).await?;
        Ok(Resolved {
            extraction,
            is_hit: false,
        })
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

    /// The way out, for the media of what was resolved.
    pub(super) fn net(&self) -> &Client {
        &self.inner.net
    }

    /// Time for one extraction.
    pub(super) fn deadline(&self) -> Duration {
        self.inner.deadline
    }

    /// The cached extraction of a post.
    pub(super) async fn cached(&self, post: &Source) -> Option<Arc<Extraction>> {
        self.inner.posts.get(&post_key(post)).await
    }

    /// Asks the site, unless somebody has asked it since `stale` was made.
    pub(super) async fn refresh(
        &self,
        extractor: &Arc<dyn Extractor>,
        post: Source,
        stale: Option<&Arc<Extraction>>,
    ) -> Outcome {
        if let Some(cached) = self.cached(&post).await
            && stale.is_none_or(|stale| !Arc::ptr_eq(stale, &cached))
        {
            return Ok(cached);
        }
        self.fetch(Arc::clone(extractor), post).await
    }

    /// The counts of what came of asking the sites.
    pub fn extractions(&self) -> &Extractions {
        self.inner.net.extractions()
    }

    /// Whether private addresses may be dialled.
    pub fn is_guard_relaxed(&self) -> bool {
        self.inner.net.is_guard_relaxed()
    }

    /// Figures for `/health`.
    pub fn cache_stats(&self) -> CacheStats {
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
        let located = extractor.locate(&self.inner.net, &short);
        let post = within(self.inner.deadline, located).await?;
        self.inner
            .short_links
            .insert(post_key(&short), post.clone())
            .await;
        Ok(post)
    }

    async fn fetch(&self, extractor: Arc<dyn Extractor>, post: Source) -> Outcome {
        let key = post_key(&post);
        if let Some(error) = self.inner.not_found.get(&key).await {
            return Err(error);
        }
        let resolver = self.clone();
        self.inner
            .extracting
            .join(
                key,
                || async move { resolver.extract(extractor, post).await },
            )
            .await
            .unwrap_or_else(|| Err(Arc::new(ResolveError::Internal)))
    }

    /// Counts an extraction. One that failed for a reason of the post says nothing against the site.
    fn count<T>(&self, site: &'static str, outcome: &Result<T, Arc<ResolveError>>, took: Duration) {
        let (result, verdict) = match outcome {
            Ok(_) => (OK, Verdict::Good),
            Err(error) => match error.as_ref() {
                ResolveError::Extract(reason) if reason.is_of_post() => {
                    (reason.as_str(), Verdict::Neither)
                }
                reason => (reason.as_str(), Verdict::Failed),
            },
        };
        self.extractions().done(site, result, verdict, took);
    }

    async fn extract(self, extractor: Arc<dyn Extractor>, post: Source) -> Outcome {
        let _place = self.inner.admission.admit().await.map_err(failed)?;
        let key = post_key(&post);
        let started = std::time::Instant::now();
        let extracted = extractor.extract(&self.inner.net, &post);
        let outcome = within(self.inner.deadline, extracted).await;
        let took = started.elapsed();
        self.count(key.0, &outcome, took);
        let elapsed_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let (site, source_id) = (key.0, key.1.as_str());
        match outcome {
            Ok(extraction) => {
                debug!(site, source_id, elapsed_ms, "extracted");
                let extraction = Arc::new(extraction);
                self.inner.posts.insert(key, Arc::clone(&extraction)).await;
                Ok(extraction)
            }
            Err(error) => {
                warn!(site, source_id, elapsed_ms, err = %error, "extraction failed");
                if is_not_found(&error) {
                    self.inner.posts.invalidate(&key).await;
                    self.inner.not_found.insert(key, Arc::clone(&error)).await;
                }
                Err(error)
            }
        }
    }
}

pub(super) async fn within<T>(
    deadline: Duration,
    work: impl Future<Output = Result<T, ExtractError>>,
) -> Result<T, Arc<ResolveError>> {
    match tokio::time::timeout(deadline, work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(failed(error)),
        Err(_) => Err(failed(ResolveError::Timeout(deadline))),
    }
}

pub(super) fn failed(error: impl Into<ResolveError>) -> Arc<ResolveError> {
    Arc::new(error.into())
}

fn is_not_found(error: &ResolveError) -> bool {
    matches!(
        error,
        ResolveError::Extract(ExtractError::Unavailable {
            reason: Unavailable::NotFound,
            ..
        })
    )
}

fn post_key(source: &Source) -> PostKey {
    match &source.key {
        SourceKey::Post(id) | SourceKey::Short(id) => (source.site, id.clone()),
    }
}
