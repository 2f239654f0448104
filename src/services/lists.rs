//! Address of a list -> the posts in it: cached, shared by callers at the same time, bounded in number and time.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use tokio::time::Instant;
use tracing::{info, warn};

use super::egress::{Done, Way, by_egress};
use super::flight::Flights;
use super::resolve::{failed, within};
use super::{ResolveError, Resolver, ServicesConfig, address};
use crate::extract::{Extractor, Part, Playlist, PlaylistSource};
use crate::lifecycle::Lifecycle;
use crate::net::Client;

/// How long a part of a list is served again; lists change more often than posts (ruling 14).
const LIST_TTL: Duration = Duration::from_secs(60);
/// Memory that all lists together may take, in bytes, with what they are found by.
const MAX_BYTES: u64 = 16 * 1024 * 1024;
/// What an entry or key takes besides its texts, in bytes.
const RECORD_BYTES: usize = 256;
/// Share of the deadline after which what was read is given as it is, in tenths: the rest is for a page on its way.
const READING_TENTHS: u32 = 9;

/// A list, a part of it, and the only way out by which it may be asked for.
type Key = (PlaylistSource, Part, Option<Arc<str>>);
type Outcome = Result<Arc<Playlist>, Arc<ResolveError>>;

/// Lists what lists hold. Shares the places for extractions with its resolver. Cheap to clone.
#[derive(Clone)]
pub struct Lister {
    resolver: Resolver,
    parts: Cache<Key, Arc<Playlist>>,
    listing: Flights<Key, Outcome>,
    way: Option<Arc<str>>,
    /// Whether the site is asked also for what is known.
    is_fresh: bool,
}

impl Lister {
    /// A lister over the sites of `resolver`; its tasks end with `lifecycle`.
    pub fn new(config: &ServicesConfig, resolver: Resolver, lifecycle: &Lifecycle) -> Self {
        Self {
            resolver,
            parts: Cache::builder()
                .max_capacity(MAX_BYTES)
                .weigher(|key: &Key, list: &Arc<Playlist>| {
                    u32::try_from(weight(key, list)).unwrap_or(u32::MAX)
                })
                .time_to_live(LIST_TTL.min(config.cache_ttl))
                .build(),
            listing: Flights::new(lifecycle.clone()),
            way: None,
            is_fresh: false,
        }
    }

    /// The same one, by the way out of this name and no other; by any for `None`.
    #[must_use]
    pub fn by(&self, way: Option<&str>) -> Self {
        Self {
            way: way.map(Arc::from),
            ..self.clone()
        }
    }

    /// The same one, which asks the site also for what is known.
    #[must_use]
    pub fn fresh(self) -> Self {
        Self {
            is_fresh: true,
            ..self
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
        let key = (list, part, self.way.clone());
        if !self.is_fresh
            && let Some(listed) = self.parts.get(&key).await
        {
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
        let list = &key.0;
        let (site, source_id) = (list.site, list.id.as_str());
        let deadline = self.resolver.deadline();
        let until = Instant::now() + deadline * READING_TENTHS / 10;
        let way = key.2.as_deref().map_or(Way::Any, Way::Only);
        let listed = by_egress(self.resolver.egresses(), site, way, |client: Client| {
            let (extractor, key) = (Arc::clone(&extractor), key.clone());
            async move { extractor.list(&client, &key.0, &key.1, until).await }
        });
        match within(deadline, listed).await {
            Ok(Done { value: listed, .. }) => {
                info!(site, source_id, entries = listed.entries.len(), "listed");
                let listed = Arc::new(listed);
                if is_all(&key.1, &listed) {
                    self.parts.insert(key.clone(), Arc::clone(&listed)).await;
                }
                Ok(listed)
            }
            Err(error) => {
                warn!(site, source_id, err = %error, "listing failed");
                Err(error)
            }
        }
    }
}

/// Whether nothing is missing of what was asked for.
fn is_all(part: &Part, list: &Playlist) -> bool {
    list.next_cursor.is_none() || list.entries.len() >= part.limit
}

/// What a kept part takes, in bytes.
fn weight((source, part, _): &Key, list: &Playlist) -> usize {
    let texts = [&source.post, &part.cursor, &list.next_cursor];
    let optional = texts.into_iter().flatten().map(String::len);
    let author = &list.author;
    let texts = [
        &source.id,
        &list.id,
        &list.title,
        &list.url,
        &author.id,
        &author.handle,
        &author.name,
    ];
    let head = texts.into_iter().map(String::len);
    let entries = list.entries.iter().map(|entry| {
        let texts = [&entry.id, &entry.url, &entry.title, &entry.author];
        let thumbnail = entry.thumbnail.as_ref().map_or(0, String::len);
        RECORD_BYTES + thumbnail + texts.into_iter().map(String::len).sum::<usize>()
    });
    RECORD_BYTES + optional.chain(head).chain(entries).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::{Availability, PlaylistAuthor, PlaylistEntry};

    fn key(cursor: usize) -> Key {
        let source = PlaylistSource {
            site: "site",
            id: "list".to_owned(),
            post: None,
        };
        let part = Part {
            cursor: Some("c".repeat(cursor)),
            limit: 100,
        };
        (source, part, None)
    }

    fn list(titles: &[usize]) -> Playlist {
        let entry = |title: &usize| PlaylistEntry {
            index: 1,
            id: "post".to_owned(),
            url: "https://site.test/post".to_owned(),
            title: "t".repeat(*title),
            duration_ms: None,
            author: String::new(),
            thumbnail: None,
            availability: Availability::Available,
        };
        Playlist {
            site: "site".to_owned(),
            id: "list".to_owned(),
            title: String::new(),
            url: String::new(),
            author: PlaylistAuthor::default(),
            entry_count: None,
            entries: titles.iter().map(entry).collect(),
            next_cursor: None,
        }
    }

    #[test]
    fn long_keys_and_long_texts_weigh_what_they_take() {
        let empty = weight(&key(0), &list(&[]));
        assert_eq!(weight(&key(8000), &list(&[])), empty + 8000);
        let entries = weight(&key(0), &list(&[10, 2000])) - empty;
        assert_eq!(entries, 2 * (RECORD_BYTES + 26) + 2010);
        assert!(empty >= RECORD_BYTES, "an empty part is not for nothing");
    }

    #[test]
    fn part_that_broke_off_is_not_kept() {
        let cut = Playlist {
            next_cursor: Some("further".to_owned()),
            ..list(&[1])
        };
        assert!(!is_all(&key(0).1, &cut));
        assert!(is_all(&key(0).1, &list(&[1])), "the end of the list");
        let whole = Playlist {
            next_cursor: Some("further".to_owned()),
            ..list(&[1; 100])
        };
        assert!(is_all(&key(0).1, &whole));
    }
}
