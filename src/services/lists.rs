//! Address of a list -> the posts in it: cached, shared by callers at the same time, bounded in number and time.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use tracing::{info, warn};

use super::flight::Flights;
use super::resolve::{failed, within};
use super::{ResolveError, Resolver, ServicesConfig, address};
use crate::extract::{Extractor, Part, Playlist, PlaylistSource};
use crate::lifecycle::Lifecycle;

/// How long a part of a list is served again; lists change more often than posts (ruling 14).
const LIST_TTL: Duration = Duration::from_secs(60);
/// Entries that are kept of all lists together, some 400 bytes each.
const MAX_ENTRIES: u64 = 50_000;

type Key = (PlaylistSource, Part);
type Outcome = Result<Arc<Playlist>, Arc<ResolveError>>;

/// Lists what lists hold. Shares the places for extractions with its resolver. Cheap to clone.
#[derive(Clone)]
pub struct Lister {
    resolver: Resolver,
    parts: Cache<Key, Arc<Playlist>>,
    listing: Flights<Key, Outcome>,
}

impl Lister {
    /// A lister over the sites of `resolver`; its tasks end with `lifecycle`.
    pub fn new(config: &ServicesConfig, resolver: Resolver, lifecycle: &Lifecycle) -> Self {
        let weight = |_: &Key, list: &Arc<Playlist>| {
            u32::try_from(list.entries.len().max(1)).unwrap_or(u32::MAX)
        };
        Self {
            resolver,
            parts: Cache::builder()
                .max_capacity(MAX_ENTRIES)
                .weigher(weight)
                .time_to_live(LIST_TTL.min(config.cache_ttl))
                .build(),
            listing: Flights::new(lifecycle.clone()),
        }
    }

    /// The bare id of the list that a posted text names.
    ///
    /// # Errors
    /// [`ResolveError`]; nothing is dialled.
    pub fn id_of(&self, text: &str) -> Result<String, ResolveError> {
        address::playlist(self.resolver.extractors(), text).map(|(_, list)| list.id)
    }

    /// Lists a part of the list that a posted text names.
    ///
    /// # Errors
    /// [`ResolveError`], shared by all callers that waited for it.
    pub async fn list(&self, text: &str, part: Part) -> Outcome {
        let (extractor, list) = address::playlist(self.resolver.extractors(), text)?;
        let key = (list, part);
        if let Some(listed) = self.parts.get(&key).await {
            return Ok(listed);
        }
        let lister = self.clone();
        let work = key.clone();
        self.listing
            .join(key, || async move { lister.fetch(extractor, work).await })
            .await
            .unwrap_or_else(|| Err(Arc::new(ResolveError::Internal)))
    }

    async fn fetch(self, extractor: Arc<dyn Extractor>, key: Key) -> Outcome {
        let _place = self.resolver.admission().admit().await.map_err(failed)?;
        let (list, part) = &key;
        let (site, source_id) = (list.site, list.id.as_str());
        let listed = extractor.list(self.resolver.net(), list, part);
        match within(self.resolver.deadline(), listed).await {
            Ok(listed) => {
                info!(site, source_id, entries = listed.entries.len(), "listed");
                let listed = Arc::new(listed);
                self.parts.insert(key.clone(), Arc::clone(&listed)).await;
                Ok(listed)
            }
            Err(error) => {
                warn!(site, source_id, err = %error, "listing failed");
                Err(error)
            }
        }
    }
}
