//! Asking whether a post is on air. Nothing of it is kept: what goes on changes.

use std::sync::Arc;
use std::time::Instant;

use super::{ResolveError, Resolver, failed, within};
use crate::extract::{Extractor, LivePost, Source};
use crate::net::{Client, MediaSession};
use crate::services::egress::{Way, by_egress};

impl Resolver {
    /// Asks the site whether a post is on air, and where, by the way out of this name and no other, by any for `None`;
    /// `None` when it is not.
    ///
    /// # Errors
    /// As [`Resolver::resolve`].
    pub(in crate::services) async fn live(
        &self,
        extractor: &Arc<dyn Extractor>,
        post: &Source,
        way: Option<&str>,
    ) -> Result<Option<LivePost>, Arc<ResolveError>> {
        let _place = self.inner.admission.admit().await.map_err(failed)?;
        let way = way.map_or(Way::Any, Way::Only);
        let started = Instant::now();
        let asked = by_egress(&self.inner.egresses, post.site, way, |client: Client| {
            let (extractor, post) = (Arc::clone(extractor), post.clone());
            async move { extractor.live(&client, &post).await }
        });
        let outcome = within(self.inner.deadline, asked).await;
        self.count(post.site, &outcome, started.elapsed());
        let done = outcome?;
        let egress = done.egress.name().map(str::to_owned);
        Ok(done.value.map(|live| LivePost {
            session: MediaSession {
                egress,
                ..live.session
            },
            ..live
        }))
    }
}
