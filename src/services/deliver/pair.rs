//! Two tracks as one file: joined in process, else by FFmpeg.

use std::sync::Arc;

use super::{DeliverError, Deliverer, Delivery};
use crate::extract::{Extractor, Source};
use crate::links::Link;
use crate::media::Container;
use crate::services::OriginError;
use crate::services::feed::FeedError;
use crate::services::joined::PairId;
use crate::services::origin::Post;
use crate::services::remux::Remuxed;
use crate::transfer::{Ask, Permit, Transfer};

impl Deliverer {
    /// The pair that a link names, of a post.
    pub(super) async fn deliver_pair(
        &self,
        link: Link,
        (extractor, source): (&Arc<dyn Extractor>, Source),
        pair: &PairId,
        (ask, permit): (Ask, Permit),
    ) -> Result<Delivery, DeliverError> {
        let way = (pair, link.egress.as_deref());
        let joined = self.join(extractor, source.clone(), way, ask.clone(), permit);
        match joined.await {
            Err(DeliverError::Join(reason)) if self.remuxes.helps(reason, pair) => {
                // Before the place of the job, as for every other job: two that hold one and wait for the other would
                // both wait in vain.
                let permit = self.admission.admit().await?;
                let post = self.post(extractor, source, &link).await?;
                self.remux(link, &post, pair, (ask, permit)).await
            }
            joined => Ok(Delivery::new(link, joined?)),
        }
    }

    /// Two tracks as one file by FFmpeg.
    async fn remux(
        &self,
        link: Link,
        post: &Post,
        pair: &PairId,
        (ask, permit): (Ask, Permit),
    ) -> Result<Delivery, DeliverError> {
        let output = match link.extension.as_str() {
            "webm" => Container::Webm,
            _ => Container::Mp4,
        };
        let opened = self.remuxes.open(post, pair, output, ask.is_head);
        let Remuxed { origin, estimate } = opened.await.map_err(|error| match error {
            FeedError::Missing => OriginError::FormatGone.into(),
            error => DeliverError::from(error),
        })?;
        let transfer = self.run(Arc::new(origin), ask, permit).await?;
        Ok(Delivery {
            estimate,
            ..Delivery::new(link, transfer)
        })
    }

    async fn join(
        &self,
        extractor: &Arc<dyn Extractor>,
        source: Source,
        (pair, egress): (&PairId, Option<&str>),
        ask: Ask,
        permit: Permit,
    ) -> Result<Transfer, DeliverError> {
        let start = async |ask, permit| {
            // Boxed, for most links are of one file.
            let origin =
                Box::pin(self.joiner.open(extractor, source.clone(), pair, egress)).await?;
            let origin = Arc::new(origin);
            let started = self.run(Arc::clone(&origin), ask, permit).await;
            Ok::<_, DeliverError>((started, origin))
        };
        let (started, origin) = start(ask.clone(), permit).await?;
        if started.is_ok() || origin.is_same() {
            return Ok(started?);
        }
        // The site has other files by now, and nothing has been sent.
        let permit = self.admission.admit().await?;
        Ok(start(ask, permit).await?.0?)
    }
}
