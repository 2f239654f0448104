//! Files of a post for our own use, read by the rules of every transfer: mirrors, one new extraction, resumption.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::io::AsyncWriteExt;

use super::origin::{LinkOrigin, Post};
use super::{OriginError, Resolver};
use crate::temp::{JobDir, TempError};
use crate::transfer::{
    Admission, Ask, Broken, Busy, Engine, Engines, Expected, Origin, Transfer, TransferBody,
    TransferConfig, TransferError,
};

/// How long a reader of ours may take nothing: it waits for a program or a client, which are watched themselves.
const READER_STALL: Duration = Duration::from_secs(3600);

/// Bytes for which room is made at once where a file doesn't say its length.
const RESERVED_AT_ONCE: u64 = 1024 * 1024;

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FeedError {
    /// The post has no such file.
    #[error("no such file")]
    Missing,
    /// The upstream gave nothing usable.
    #[error(transparent)]
    Transfer(#[from] TransferError<OriginError>),
    /// It broke off.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// Too many at once.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// It is larger than its kind may be.
    #[error("larger than {0} bytes")]
    TooLarge(u64),
    /// There is no room for it here.
    #[error(transparent)]
    Temp(#[from] TempError),
}

impl FeedError {
    /// Whether another address of the same file can't help, because the fault is ours.
    pub(super) fn is_ours(&self) -> bool {
        matches!(self, Self::Temp(_) | Self::Busy(_))
    }
}

/// The beginning of a file.
#[derive(Debug)]
pub(super) struct Beginning {
    /// As many bytes as were asked for, or all that there are.
    pub(super) bytes: Vec<u8>,
    /// Bytes of the whole file, when known.
    pub(super) total: Option<u64>,
    /// `ETag` and `Last-Modified`, which name the bytes; empty when the upstream gives neither.
    pub(super) name: String,
}

/// Reads files of posts. Cheap to clone.
#[derive(Clone)]
pub(super) struct Feed {
    resolver: Resolver,
    engine: Arc<Engine>,
    places: Admission,
}

impl Feed {
    /// A feed whose transfers end with the server.
    pub(super) fn new(resolver: Resolver, engines: &Engines) -> Self {
        let engine = engines.for_tracks(|config| TransferConfig {
            client_stall: READER_STALL,
            client_min_rate: 0,
            ..config.clone()
        });
        Self {
            resolver,
            engine: Arc::new(engine),
            // Whoever reads holds a place of its own already.
            places: Admission::new(usize::MAX, 0, Duration::ZERO),
        }
    }

    /// The same one for what another resolver knows.
    pub(super) fn over(&self, resolver: Resolver) -> Self {
        Self {
            resolver,
            ..self.clone()
        }
    }

    /// Who knows the posts.
    pub(super) fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// One file of a post, at all its addresses or at number `mirror` alone.
    ///
    /// # Errors
    /// [`FeedError::Missing`].
    pub(super) fn origin(
        &self,
        post: &Post,
        format: &str,
        mirror: Option<usize>,
    ) -> Result<Arc<LinkOrigin>, FeedError> {
        LinkOrigin::for_use(&self.resolver, post, format, mirror)
            .map(Arc::new)
            .ok_or(FeedError::Missing)
    }

    /// Opens a file from byte `from` on.
    ///
    /// # Errors
    /// Everything that can be known before the first byte.
    pub(super) async fn open(
        &self,
        origin: Arc<LinkOrigin>,
        expected: Expected,
        from: u64,
    ) -> Result<Transfer, FeedError> {
        let range = (from > 0).then(|| format!("bytes={from}-"));
        self.start(origin, expected, range).await
    }

    /// Reads the first `length` bytes.
    ///
    /// # Errors
    /// [`FeedError`].
    pub(super) async fn beginning(
        &self,
        origin: Arc<LinkOrigin>,
        expected: Expected,
        length: usize,
    ) -> Result<Beginning, FeedError> {
        let range = format!("bytes=0-{}", length.saturating_sub(1));
        let mut transfer = self.start(origin, expected, Some(range)).await?;
        let head = transfer.head;
        let mut bytes = Vec::new();
        while bytes.len() < length
            && let Some(piece) = piece(&mut transfer.body).await?
        {
            bytes.extend_from_slice(&piece);
        }
        bytes.truncate(length);
        let name = [head.etag, head.last_modified].map(Option::unwrap_or_default);
        Ok(Beginning {
            bytes,
            total: head.total,
            name: name.concat(),
        })
    }

    /// Writes a file of at most `limit` bytes to `path` in `dir`; returns its length.
    ///
    /// # Errors
    /// [`FeedError`].
    pub(super) async fn save(
        &self,
        origin: Arc<LinkOrigin>,
        expected: Expected,
        limit: u64,
        (dir, path): (&JobDir, &Path),
    ) -> Result<u64, FeedError> {
        let mut transfer = self.open(origin, expected, 0).await?;
        let announced = transfer.head.total.unwrap_or(0);
        if announced > limit {
            return Err(FeedError::TooLarge(limit));
        }
        dir.reserve(announced).await?;
        let mut file = tokio::fs::File::create(path)
            .await
            .map_err(TempError::from)?;
        let (mut length, mut reserved) = (0, announced);
        while let Some(piece) = piece(&mut transfer.body).await? {
            length += piece.len() as u64;
            if length > limit {
                return Err(FeedError::TooLarge(limit));
            }
            if length > reserved {
                let step = RESERVED_AT_ONCE.max(length - reserved);
                dir.reserve(step).await?;
                reserved += step;
            }
            file.write_all(&piece).await.map_err(TempError::from)?;
        }
        file.flush().await.map_err(TempError::from)?;
        Ok(length)
    }

    async fn start(
        &self,
        origin: Arc<LinkOrigin>,
        expected: Expected,
        range: Option<String>,
    ) -> Result<Transfer, FeedError> {
        let known_length = origin.known_length();
        let ask = Ask {
            range,
            ..Ask::default()
        };
        let permit = self.places.admit().await?;
        let started = self
            .engine
            .start(origin, expected, known_length, ask, permit);
        // Boxed, for it runs within the start of another transfer.
        Ok(Box::pin(started).await?)
    }

    /// Opens media of any origin.
    ///
    /// # Errors
    /// Everything that can be known before the first byte.
    pub(super) async fn transfer<O: Origin<Error = OriginError>>(
        &self,
        origin: Arc<O>,
        known_length: Option<u64>,
        ask: Ask,
    ) -> Result<Transfer, FeedError> {
        let permit = self.places.admit().await?;
        let started = self
            .engine
            .start(origin, Expected::Media, known_length, ask, permit);
        Ok(Box::pin(started).await?)
    }
}

/// The next piece of a body; `None` at its proven end.
///
/// # Errors
/// [`Broken`].
pub(super) async fn piece(body: &mut TransferBody) -> Result<Option<Bytes>, Broken> {
    while let Some(frame) = body.frame().await {
        if let Ok(piece) = frame?.into_data() {
            return Ok(Some(piece));
        }
    }
    Ok(None)
}
