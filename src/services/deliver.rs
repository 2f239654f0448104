//! Link -> bytes.

use std::sync::Arc;

use bytes::Bytes;

use super::joined::{JoinError, Joiner, PairId};
use super::origin::LinkOrigin;
use super::{OriginError, Resolver, ServicesConfig, captions};
use crate::extract::{Extractor, Source};
use crate::links::{Kind, Link, LinkError, Purpose, Sealer};
use crate::media::fmp4::Fault;
use crate::transfer::{
    Admission, Ask, Busy, Engine, Expected, Permit, Stats, Transfer, TransferError,
};

/// Why a link gives no bytes; decided before the head goes out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeliverError {
    /// The link is not ours, or too old.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Too many transfers at once.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// No addresses for it.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// The upstream gave nothing usable.
    #[error(transparent)]
    Transfer(TransferError<OriginError>),
    /// Two tracks that don't make one file.
    #[error("not joinable: {0}")]
    Join(Fault),
}

impl From<JoinError> for DeliverError {
    fn from(error: JoinError) -> Self {
        match error {
            JoinError::Fault(fault) => Self::Join(fault),
            JoinError::Origin(error) => Self::Origin(error),
            JoinError::Transfer(error) => error.into(),
            JoinError::Busy(busy) => Self::Busy(busy),
        }
    }
}

impl From<TransferError<OriginError>> for DeliverError {
    fn from(error: TransferError<OriginError>) -> Self {
        match error {
            TransferError::Refresh(error) => Self::Origin(error),
            error => Self::Transfer(error),
        }
    }
}

/// A link's bytes, ready to be sent.
#[derive(Debug)]
pub struct Delivery {
    /// What the link says.
    pub link: Link,
    /// Head and body.
    pub transfer: Transfer,
}

/// A small file that was read whole.
#[derive(Debug)]
pub struct TextFile {
    /// What the link says.
    pub link: Link,
    /// The file.
    pub text: Bytes,
}

/// What a link names, ready to be sent.
#[derive(Debug)]
pub enum Delivered {
    /// Bytes as they come.
    Media(Box<Delivery>),
    /// A text.
    Text(Box<TextFile>),
}

/// Delivers what links name. Cheap to clone.
#[derive(Clone)]
pub struct Deliverer {
    resolver: Resolver,
    sealer: Arc<Sealer>,
    engine: Arc<Engine>,
    joiner: Joiner,
    admission: Admission,
}

impl Deliverer {
    /// A deliverer over the same sites and keys as the resolver and the minter.
    pub fn new(
        config: &ServicesConfig,
        resolver: Resolver,
        sealer: Arc<Sealer>,
        engine: Arc<Engine>,
        joiner: Joiner,
    ) -> Self {
        Self {
            resolver,
            sealer,
            engine,
            joiner,
            admission: Admission::new(config.max_streams, config.max_queue, config.queue_timeout),
        }
    }

    /// Opens a link and starts its transfer.
    ///
    /// # Errors
    /// [`DeliverError`]; nothing has been sent then.
    pub async fn deliver(&self, token: &str, ask: Ask) -> Result<Delivered, DeliverError> {
        let link = self.sealer.open(Purpose::Media, token).await?;
        let extractor = self
            .resolver
            .extractor(&link.site)
            .ok_or(LinkError::Invalid)?;
        let post = extractor.source(&link.id).ok_or(LinkError::Invalid)?;
        let permit = self.admission.admit().await?;
        if link.kind == Kind::Caption {
            let text = captions::fetch(&self.resolver, extractor, post, &link).await?;
            return Ok(Delivered::Text(Box::new(TextFile { link, text })));
        }
        let transfer = if let Some(pair) = PairId::read(&link.format) {
            self.join(extractor, post, &pair, ask, permit).await?
        } else {
            let origin = LinkOrigin::find(&self.resolver, extractor, post, &link).await?;
            self.start(Arc::new(origin), &link, ask, permit).await?
        };
        Ok(Delivered::Media(Box::new(Delivery { link, transfer })))
    }

    /// The places for transfers.
    pub fn admission(&self) -> &Admission {
        &self.admission
    }

    /// What became of the transfers since the start.
    pub fn stats(&self) -> Stats {
        self.engine.stats()
    }

    async fn join(
        &self,
        extractor: &Arc<dyn Extractor>,
        post: Source,
        pair: &PairId,
        ask: Ask,
        permit: Permit,
    ) -> Result<Transfer, DeliverError> {
        // Boxed, for most links are of one file.
        let origin = Box::pin(self.joiner.open(extractor, post, pair)).await?;
        let started = self
            .engine
            .start(Arc::new(origin), Expected::Media, None, ask, permit);
        Ok(started.await?)
    }

    async fn start(
        &self,
        origin: Arc<LinkOrigin>,
        link: &Link,
        ask: Ask,
        permit: Permit,
    ) -> Result<Transfer, DeliverError> {
        let started = self.run(&origin, link, ask.clone(), permit).await;
        let Err(TransferError::Refresh(OriginError::FormatGone)) = started else {
            return Ok(started?);
        };
        let nearest = Arc::new(origin.nearest(link).await?);
        let permit = self.admission.admit().await?;
        Ok(self.run(&nearest, link, ask, permit).await?)
    }

    async fn run(
        &self,
        origin: &Arc<LinkOrigin>,
        link: &Link,
        ask: Ask,
        permit: Permit,
    ) -> Result<Transfer, TransferError<OriginError>> {
        let known_length = origin.known_length();
        let expected = match link.kind {
            Kind::Image => Expected::Image,
            Kind::Video | Kind::Audio | Kind::Slideshow | Kind::Caption => Expected::Media,
        };
        self.engine
            .start(Arc::clone(origin), expected, known_length, ask, permit)
            .await
    }
}
