//! Reads a few bytes of a track: its head, or the beginning of a run.

use std::ops::Range;
use std::sync::Arc;

use http_body_util::BodyExt as _;

use super::JoinError;
use super::reader::open_track;
use crate::media::{Container, HeadReader, Progress, TrackHead};
use crate::services::origin::LinkOrigin;
use crate::transfer::{Admission, Engine, TransferError};

/// Where a track's bytes come from.
#[derive(Clone, Copy)]
pub(super) struct Bytes<'a> {
    pub(super) engine: &'a Engine,
    pub(super) places: &'a Admission,
    pub(super) track: &'a Arc<LinkOrigin>,
    /// Bytes of the file.
    pub(super) total: u64,
}

impl Bytes<'_> {
    /// Reads the head; `index_end` is one past the last byte of the index, where the site says it.
    ///
    /// # Errors
    /// The file can't be read or can't be joined.
    pub(super) async fn head(
        self,
        container: Container,
        index_end: Option<u64>,
    ) -> Result<TrackHead, JoinError> {
        let mut reader = HeadReader::new(container, self.total);
        let mut need = reader.first(index_end);
        loop {
            if need.is_empty() {
                return Err(TransferError::Unusable("an empty file").into());
            }
            let bytes = self.read(need.clone()).await?;
            match reader.feed(need.start, &bytes)? {
                Progress::Need(next) => need = next,
                Progress::Done(head) => return Ok(head),
            }
        }
    }

    /// Reads bytes of the file, all or none.
    ///
    /// # Errors
    /// They can't be read.
    pub(super) async fn read(self, range: Range<u64>) -> Result<Vec<u8>, JoinError> {
        let wanted = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        let body = open_track(self.engine, self.places, self.track, self.total, range).await?;
        let read = body.collect().await;
        let bytes = read.map_err(|_| TransferError::Unusable("a head that breaks off"))?;
        let bytes = bytes.to_bytes();
        if bytes.len() != wanted {
            return Err(TransferError::Unusable("a head that breaks off").into());
        }
        Ok(bytes.into())
    }
}
