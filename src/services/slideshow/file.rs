//! A finished video as an upstream of the engine that sends it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;

use super::Rendering;
use crate::net::{MediaResponse, NetError, RangeAsk};
use crate::services::OriginError;
use crate::services::made::Made;
use crate::transfer::Origin;

/// Bytes read from the disk at once.
const READ_BYTES: usize = 128 * 1024;
/// How long the disk may take.
const DISK_TIMEOUT: Duration = Duration::from_secs(30);

/// A finished video.
pub(in crate::services) struct FileOrigin {
    rendering: Arc<Rendering>,
    made: Made,
}

impl FileOrigin {
    /// The bytes of `rendering`.
    pub(in crate::services) fn new(rendering: Arc<Rendering>) -> Self {
        let made = Made {
            total: Some(rendering.file.length()),
            etag: rendering.etag.clone(),
            content_type: "video/mp4",
            idle_timeout: DISK_TIMEOUT,
        };
        Self { rendering, made }
    }
}

impl Origin for FileOrigin {
    type Error = OriginError;

    fn mirrors(&self) -> usize {
        1
    }

    async fn open(&self, _mirror: usize, ask: RangeAsk) -> Result<MediaResponse, NetError> {
        let start = self.made.start(ask).unwrap_or(u64::MAX);
        let reading = (Arc::clone(&self.rendering), start);
        self.made.answer(ask, stream::try_unfold(reading, next))
    }

    /// It is all here already.
    async fn refresh(&self) -> Result<(), OriginError> {
        Ok(())
    }
}

type Reading = (Arc<Rendering>, u64);

async fn next((rendering, position): Reading) -> io::Result<Option<(Bytes, Reading)>> {
    let read = move || -> io::Result<_> {
        let mut buffer = vec![0; READ_BYTES];
        let length = rendering.file.read_at(&mut buffer, position)?;
        buffer.truncate(length);
        Ok((buffer, rendering))
    };
    let (buffer, rendering) = tokio::task::spawn_blocking(read).await??;
    let after = position + buffer.len() as u64;
    let is_there = !buffer.is_empty();
    Ok(is_there.then(|| (buffer.into(), (rendering, after))))
}
