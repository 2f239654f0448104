//! What is remembered of posts, each for the way out that it was asked for by.

use std::sync::Arc;
use std::time::Instant;

use super::ask::Question;
use super::{Resolved, Resolver};
use crate::extract::{Extraction, Source, SourceKey};
use crate::net::Egress;
use crate::services::egress::Done;
use crate::services::shared::Found;

pub(super) type PostKey = (&'static str, String);
/// A post and the number of the way out that it was asked for by.
pub(super) type KeptKey = (&'static str, String, usize);

/// An extraction that is kept, until when, and the [`Egress::generation`] it belongs to.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    extraction: Arc<Extraction>,
    generation: u64,
    until: Instant,
}

impl Resolver {
    /// The cached extraction of a post: the one by the way out named `egress` where that may be taken, else any; by the
    /// only way out where there is one.
    pub(in crate::services) async fn cached(
        &self,
        post: &Source,
        egress: Option<&str>,
    ) -> Option<Arc<Extraction>> {
        let egresses = &self.inner.egresses;
        if let Some(only) = &self.only {
            return self.kept(post, egresses.named(Some(only))?).await;
        }
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

    pub(super) async fn kept(&self, post: &Source, egress: &Egress) -> Option<Arc<Extraction>> {
        let kept = self.inner.posts.get(&kept_key(post, egress)).await?;
        let is_good = kept.generation == egress.generation() && Instant::now() < kept.until;
        is_good.then_some(kept.extraction)
    }

    /// Keeps an extraction for the way out that it took, whose name its session bears from now on.
    pub(super) async fn keep(&self, post: &Source, done: Done<Extraction>) -> Resolved {
        let mut extraction = done.value;
        extraction.session.egress = done.egress.name().map(str::to_owned);
        let kept = Kept {
            extraction: Arc::new(extraction),
            generation: done.generation,
            until: Instant::now() + self.inner.cache_ttl,
        };
        self.insert(post, &done.egress, kept, false).await
    }

    /// Keeps an extraction by another instance for `egress`, which is the way out that it took there.
    pub(super) async fn keep_found(
        &self,
        question: &Question,
        found: Found,
        egress: &Egress,
    ) -> Resolved {
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

pub(super) fn kept_key(post: &Source, egress: &Egress) -> KeptKey {
    let (site, id) = post_key(post);
    (site, id, egress.number())
}

pub(super) fn post_key(source: &Source) -> PostKey {
    match &source.key {
        SourceKey::Post(id) | SourceKey::Short(id) => (source.site, id.clone()),
    }
}
