//! Address -> extraction: cached, shared by callers at the same time, bounded in number and time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use moka::future::Cache;
use tracing::{debug, warn};

use super::egress::{Done, by_egress};
use super::flight::Flights;
use super::shared::{Duty, Found};
use super::{ServicesConfig, Shared, address};
use crate::extract::{
    ExtractError, Extraction, Extractor, OK, Refusal, Source, SourceKey, Unavailable,
};
use crate::lifecycle::Lifecycle;
use crate::net::{Client, Egress, Egresses, MediaSession, NoEgress, StoreStatus};
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
    /// No way out to the site may be taken now.
    #[error(transparent)]
    NoEgress(#[from] NoEgress),
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
            Self::NoEgress(_) => "no_egress",
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
/// A post and the number of the way out that it was asked for by.
type KeptKey = (&'static str, String, usize);
/// A post, the name of the way out that is wanted, and whether the site is to be asked whatever others know.
type FlightKey = (&'static str, String, Option<String>, bool);
type Outcome = Result<Resolved, Arc<ResolveError>>;

/// Resolves addresses. Cheap to clone.
#[derive(Clone)]
pub struct Resolver {
    inner: Arc<Inner>,
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

/// An extraction that is kept, until when, and the [`Egress::generation`] it belongs to.
#[derive(Debug, Clone)]
struct Kept {
    extraction: Arc<Extraction>,
    generation: u64,
    until: Instant,
}

/// A post to be asked for.
#[derive(Clone)]
struct Question {
    extractor: Arc<dyn Extractor>,
    post: Source,
    /// Name of the way out that is wanted.
    egress: Option<String>,
    /// Whether the site is to be asked, whatever others know.
    is_fresh: bool,
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
                egress: None,
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

    /// The cached extraction of a post: the one by the way out named `egress` where that may be taken, else any.
    pub(super) async fn cached(
        &self,
        post: &Source,
        egress: Option<&str>,
    ) -> Option<Arc<Extraction>> {
        let egresses = &self.inner.egresses;
        let is_usable = |egress: &&Arc<Egress>| egresses.is_usable(egress, post.site);
        let wanted = egress.and_then(|name| egresses.named(Some(name)));
        if let Some(wanted) = wanted.filter(is_usable) {
            return self.kept(post, wanted).await;
        }
        let (usable, resting): (Vec<_>, Vec<_>) = egresses.all().iter().partition(is_usable);
        for egress in usable.into_iter().chain(resting) {
            let kept = self.kept(post, egress).await;
            if kept.is_some() {
                return kept;
            }
        }
        None
    }

    async fn kept(&self, post: &Source, egress: &Egress) -> Option<Arc<Extraction>> {
        let kept = self.inner.posts.get(&kept_key(post, egress)).await?;
        let is_good = kept.generation == egress.generation() && Instant::now() < kept.until;
        is_good.then_some(kept.extraction)
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
        let located = by_egress(&self.inner.egresses, short.site, None, |client: Client| {
            let (extractor, short) = (Arc::clone(&extractor), short.clone());
            async move { extractor.locate(&client, &short).await }
        });
        let post = within(self.inner.deadline, located).await?.value;
        self.inner
            .short_links
            .insert(post_key(&short), post.clone())
            .await;
        Ok(post)
    }

    async fn fetch(&self, question: Question) -> Outcome {
        let key = post_key(&question.post);
        if let Some(error) = self.inner.not_found.get(&key).await {
            return Err(error);
        }
        let key = (key.0, key.1, question.egress.clone(), question.is_fresh);
        let resolver = self.clone();
        self.inner
            .extracting
            .join(key, || async move { resolver.answer(question).await })
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

    /// What other instances know, else what the site says.
    async fn answer(self, question: Question) -> Outcome {
        let Some((shared, egress)) = self.sharing(&question) else {
            let _place = self.inner.admission.admit().await.map_err(failed)?;
            return Ok(self.extract(&question).await?.0);
        };
        let place = shared.place(question.extractor.as_ref(), &question.post, &egress);
        if !question.is_fresh
            && let Some(found) = shared.get(&place, &question.post).await
        {
            return Ok(self.keep_found(&question, found, &egress).await);
        }
        let _place = self.inner.admission.admit().await.map_err(failed)?;
        let duty = if question.is_fresh {
            Duty::Alone
        } else {
            let deadline = self.inner.deadline;
            shared.duty(&place, &question.post, deadline).await
        };
        if let Duty::Done(found) = duty {
            return Ok(self.keep_found(&question, *found, &egress).await);
        }
        let question = Question {
            // The place is that of this way out.
            egress: egress.name().map(str::to_owned),
            ..question
        };
        let outcome = self.extract(&question).await;
        if let Ok((resolved, by)) = &outcome {
            let place = if by.number() == egress.number() {
                place
            } else {
                shared.place(question.extractor.as_ref(), &question.post, by)
            };
            shared.put(&place, &resolved.extraction).await;
        }
        shared.release(duty).await;
        Ok(outcome?.0)
    }

    /// What is shared, and the way out that the site would be asked by; where none may be taken, others may still know.
    fn sharing(&self, question: &Question) -> Option<(Shared, Arc<Egress>)> {
        let shared = self.inner.shared.clone()?;
        let wanted = question.egress.as_deref();
        let (egresses, site) = (&self.inner.egresses, question.post.site);
        let best = egresses.best(site, wanted);
        let egress = best.unwrap_or_else(|| egresses.for_media(wanted, site));
        Some((shared, Arc::clone(egress)))
    }

    /// Asks the site; the caller holds a place.
    async fn extract(
        &self,
        question: &Question,
    ) -> Result<(Resolved, Arc<Egress>), Arc<ResolveError>> {
        let Question {
            extractor,
            post,
            egress,
            ..
        } = question;
        let key = post_key(post);
        let started = Instant::now();
        let egresses = &self.inner.egresses;
        let extracted = by_egress(egresses, key.0, egress.as_deref(), |client: Client| {
            let (extractor, post) = (Arc::clone(extractor), post.clone());
            async move { extractor.extract(&client, &post).await }
        });
        let outcome = within(self.inner.deadline, extracted).await;
        let took = started.elapsed();
        self.count(key.0, &outcome, took);
        let elapsed_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let (site, source_id) = (key.0, key.1.as_str());
        match outcome {
            Ok(done) => {
                let egress = done.egress.name();
                debug!(site, source_id, egress, elapsed_ms, "extracted");
                let by = Arc::clone(&done.egress);
                Ok((self.keep(post, done).await, by))
            }
            Err(error) => {
                warn!(site, source_id, elapsed_ms, err = %error, "extraction failed");
                if is_not_found(&error) {
                    for egress in egresses.all() {
                        self.inner.posts.invalidate(&kept_key(post, egress)).await;
                    }
                    self.inner.not_found.insert(key, Arc::clone(&error)).await;
                }
                Err(error)
            }
        }
    }

    /// Keeps an extraction for the way out that it took, whose name its session bears from now on.
    async fn keep(&self, post: &Source, done: Done<Extraction>) -> Resolved {
        let mut extraction = done.value;
        extraction.session.egress = done.egress.name().map(str::to_owned);
        let kept = Kept {
            extraction: Arc::new(extraction),
            generation: done.generation,
            until: Instant::now() + self.inner.cache_ttl,
        };
        self.insert(post, &done.egress, kept, false).await
    }

    /// Keeps an extraction by another instance for the way out of the name that its session bears, else for `egress`.
    async fn keep_found(&self, question: &Question, found: Found, egress: &Egress) -> Resolved {
        let name = found.extraction.session.egress.as_deref();
        let named = self.inner.egresses.named(name);
        let egress = named.map_or(egress, Arc::as_ref);
        let kept = Kept {
            extraction: Arc::new(found.extraction),
            generation: egress.generation(),
            until: Instant::now() + found.left,
        };
        self.insert(&question.post, egress, kept, true).await
    }

    async fn insert(&self, post: &Source, egress: &Egress, kept: Kept, is_hit: bool) -> Resolved {
        let extraction = Arc::clone(&kept.extraction);
        self.inner.posts.insert(kept_key(post, egress), kept).await;
        Resolved { extraction, is_hit }
    }
}

pub(super) async fn within<T>(
    deadline: Duration,
    work: impl Future<Output = Result<T, ResolveError>>,
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

fn kept_key(post: &Source, egress: &Egress) -> KeptKey {
    let (site, id) = post_key(post);
    (site, id, egress.number())
}

fn post_key(source: &Source) -> PostKey {
    match &source.key {
        SourceKey::Post(id) | SourceKey::Short(id) => (source.site, id.clone()),
    }
}
