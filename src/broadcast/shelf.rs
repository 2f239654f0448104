//! Items fetched to disk ahead of their turn, for broadcasts in the serve mode `download`.
//!
//! A file is written under another name, synced and renamed, so that what is found is whole. Where there is no room,
//! nothing is fetched, and items are played as they come. What is here goes with its run.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http_body_util::BodyExt as _;
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;

use crate::services::Playable;
use crate::temp::{JobDir, Temp, TempError};
use crate::transfer::Transfer;

/// Name of a whole file.
const WHOLE: &str = "item";
/// Name of a file that is being written.
const PART: &str = "item.part";

/// Room that is asked for at a time where the length isn't known beforehand: more than a piece has.
const STEP: u64 = 8 * 1024 * 1024;

/// Why an item isn't on disk.
#[derive(Debug, thiserror::Error)]
pub(super) enum ShelfError {
    /// There is no room for it.
    #[error(transparent)]
    Temp(#[from] TempError),
    /// The upstream broke off.
    #[error("upstream: {0}")]
    Upstream(String),
}

/// The files of one run.
pub(super) struct Shelf {
    temp: Temp,
    files: Mutex<HashMap<u32, Arc<JobDir>>>,
}

/// A whole file, there as long as this lives.
pub(super) struct Saved(Arc<JobDir>);

impl Saved {
    /// Where it lies.
    pub(super) fn path(&self) -> PathBuf {
        self.0.path(WHOLE)
    }
}

impl Shelf {
    /// A shelf without files.
    pub(super) fn new(temp: Temp) -> Self {
        Self {
            temp,
            files: Mutex::default(),
        }
    }

    fn files(&self) -> MutexGuard<'_, HashMap<u32, Arc<JobDir>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file of the item at this place of the list.
    pub(super) fn get(&self, ord: u32) -> Option<Saved> {
        self.files().get(&ord).cloned().map(Saved)
    }

    /// Fetches a file.
    ///
    /// # Errors
    /// [`ShelfError`]; nothing is left of it then.
    pub(super) async fn fetch(&self, ord: u32, playable: &Playable) -> Result<(), ShelfError> {
        let opened = playable.open(None).await;
        let Transfer { head, mut body, .. } =
            opened.map_err(|error| ShelfError::Upstream(error.to_string()))?;
        let mut room = head.content_length().unwrap_or(0);
        let dir = self.temp.job(room).await?;
        let mut file = File::create(dir.path(PART))
            .await
            .map_err(TempError::from)?;
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| ShelfError::Upstream(error.to_string()))?;
            let piece = frame.into_data().unwrap_or_default();
            length += piece.len() as u64;
            if length > room {
                dir.reserve(STEP).await?;
                room += STEP;
            }
            file.write_all(&piece).await.map_err(TempError::from)?;
        }
        file.sync_all().await.map_err(TempError::from)?;
        let renamed = tokio::fs::rename(dir.path(PART), dir.path(WHOLE)).await;
        renamed.map_err(TempError::from)?;
        self.files().insert(ord, Arc::new(dir));
        Ok(())
    }

    /// Takes a file away, once nobody reads it any more.
    pub(super) fn remove(&self, ord: u32) {
        self.files().remove(&ord);
    }
}
