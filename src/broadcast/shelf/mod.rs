//! Items on disk: fetched ahead of their turn (serve mode `download`), kept after it (`hybrid`), or fetched because
//! they could not be played as they come (`fallback_download`).
//!
//! A file is written elsewhere, synced and renamed into the directory of its broadcast, so that what is found there is
//! whole. All that lies there takes no more than the cap of `STREAM_TEMP_DIR`, whether it has a run or not. Where there is
//! no room, items are played as they come. What is here goes with its run, but for what `hybrid` keeps, and for what is
//! left by a process that was killed: a broadcast has one run at a time, so that belongs to the one that was cut off, and
//! the one that goes on takes it up.

mod part;
mod shelves;
mod stored;
mod tee;

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::Item;
use super::list::REMOVED;
use crate::temp::{Temp, TempError};
pub(super) use part::Part;
use shelves::Idle;
pub(super) use shelves::Shelves;
pub(super) use stored::Saved;
pub(super) use tee::{Copier, Tee};

/// Why an item isn't on disk.
#[derive(Debug, thiserror::Error)]
pub(super) enum ShelfError {
    /// There is no room for it.
    #[error(transparent)]
    Temp(#[from] TempError),
    /// The upstream broke off.
    #[error("upstream: {0}")]
    Upstream(String),
    /// The upstream has other bytes now.
    #[error("the file has changed")]
    Changed,
    /// Nobody wants it any more.
    #[error("the run is over")]
    Closed,
}

impl From<io::Error> for ShelfError {
    fn from(error: io::Error) -> Self {
        Self::Temp(error.into())
    }
}

/// The files of one run.
pub(super) struct Shelf {
    temp: Temp,
    /// Takes the room of what stays after the run.
    idle: Idle,
    /// Where they lie.
    dir: PathBuf,
    /// The wanted format: another one is another file.
    format: String,
    /// So many of the first items of the list stay after the run; `None` where none do.
    kept: Option<u32>,
    files: Arc<Mutex<HashMap<String, Filed>>>,
    /// Held while files come into the directory; whether none may any more.
    is_closed: Arc<Mutex<bool>>,
    /// Copies of what is being played.
    copies: Mutex<Vec<Weak<Tee>>>,
    /// There was no room once.
    is_tight: AtomicBool,
}

struct Filed {
    saved: Saved,
    is_played: bool,
}

impl Shelf {
    /// A shelf over a directory, with what lies there as far as it has room; `kept` of the first items stay after the run.
    ///
    /// # Errors
    /// [`ShelfError::Temp`] when the directory can't be used.
    async fn open(
        (temp, idle): (Temp, Idle),
        format: &str,
        dir: PathBuf,
        kept: Option<u32>,
    ) -> Result<Self, ShelfError> {
        let mut files = HashMap::new();
        for (found, room) in idle.take_up(&temp, &dir).await? {
            let key = found.key.clone();
            let filed = Filed {
                saved: found.with_room((room, idle.clone()), kept.is_some()),
                is_played: false,
            };
            files.insert(key, filed);
        }
        Ok(Self {
            temp,
            idle,
            dir,
            format: format.to_owned(),
            kept,
            files: Arc::new(Mutex::new(files)),
            is_closed: Arc::default(),
            copies: Mutex::default(),
            is_tight: AtomicBool::new(false),
        })
    }

    fn files(&self) -> MutexGuard<'_, HashMap<String, Filed>> {
        lock(&self.files)
    }

    fn key(&self, item: &Item) -> String {
        stored::key(&self.format, &item.video_id)
    }

    /// The file of an item.
    pub(super) fn get(&self, item: &Item) -> Option<Saved> {
        let files = self.files();
        files.get(&self.key(item)).map(|filed| filed.saved.clone())
    }

    /// Whether an item is among those that stay.
    pub(super) fn keeps(&self, item: &Item) -> bool {
        self.kept.is_some_and(|count| item.ord < count)
    }

    /// Whether an item is to be copied while it is played: one that is kept and isn't yet; where nothing is kept for good,
    /// any that `is_wanted`, as long as everything has had room.
    pub(super) fn wants(&self, item: &Item, is_wanted: bool) -> bool {
        let has_room = || self.kept.is_none() && !self.is_tight.load(Ordering::Relaxed);
        let is_wanted = self.keeps(item) || (is_wanted && has_room());
        is_wanted && self.get(item).is_none()
    }

    /// Gives up the files of items that aren't among these, or left their list; those that are kept no more, for they lie
    /// too far behind, go with the run. One that is being read goes with its reader. A list of nothing says nothing: it is
    /// more likely to be the site's fault.
    pub(super) fn retain(&self, items: &[Item]) {
        if items.is_empty() {
            return;
        }
        let is_here = |item: &&Item| item.reason.as_deref() != Some(REMOVED);
        let keys = |items: &mut dyn Iterator<Item = &Item>| -> HashSet<String> {
            items.map(|item| self.key(item)).collect()
        };
        let all = keys(&mut items.iter().filter(is_here));
        let kept = keys(&mut items.iter().filter(is_here).filter(|item| self.keeps(item)));
        self.files().retain(|key, filed| {
            filed.saved.stay(kept.contains(key));
            all.contains(key)
        });
    }

    /// Whether something is kept, to be played when the site is away.
    pub(super) fn has_kept(&self) -> bool {
        self.kept.is_some() && !self.files().is_empty()
    }

    /// A file of which nothing is there, with room for so many bytes.
    ///
    /// # Errors
    /// [`ShelfError::Temp`].
    pub(super) async fn begin(&self, bytes: u64) -> Result<Part, ShelfError> {
        Part::begin(&self.temp, bytes).await
    }

    /// A copy of what is being played. It goes where room is made for what comes.
    pub(super) fn copy(self: &Arc<Self>) -> Arc<Tee> {
        let tee = Arc::new(Tee::new(Arc::clone(self)));
        let mut copies = lock(&self.copies);
        copies.retain(|copy| copy.strong_count() > 0);
        copies.push(Arc::downgrade(&tee));
        tee
    }

    /// Takes a whole file in.
    ///
    /// # Errors
    /// [`ShelfError::Temp`], [`ShelfError::Closed`]; nothing is left of it then.
    pub(super) async fn put(&self, item: &Item, part: Part) -> Result<(), ShelfError> {
        let whole = part.finish().await?;
        let (key, stays) = (self.key(item), self.keeps(item));
        let (dir, idle, files) = (self.dir.clone(), self.idle.clone(), Arc::clone(&self.files));
        let is_closed = Arc::clone(&self.is_closed);
        blocking(move || {
            let is_closed = lock(&is_closed);
            if *is_closed {
                return Err(ShelfError::Closed);
            }
            let filed = Filed {
                saved: stored::take_in(&dir, &key, whole, (idle, stays))?,
                is_played: false,
            };
            if let Some(other) = lock(&files).insert(key, filed) {
                other.saved.stay(false);
            }
            Ok(())
        })
        .await
    }

    /// Gives up the file of an item, also one that is kept.
    pub(super) fn give_up(&self, item: &Item) {
        if let Some(filed) = self.files().remove(&self.key(item)) {
            filed.saved.stay(false);
        }
    }

    /// An item was played: its file goes, unless it is kept, or comes again and everything has had room.
    pub(super) fn played(&self, item: &Item, comes_again: bool) {
        let key = self.key(item);
        let mut files = self.files();
        let Some(filed) = files.get_mut(&key) else {
            return;
        };
        filed.is_played = true;
        if !self.keeps(item) && (!comes_again || self.is_tight.load(Ordering::Relaxed)) {
            files.remove(&key);
        }
    }

    /// Gives up what only waits for the next cycle, and what is copied for it; whether there was any. From now on nothing
    /// is kept for it.
    pub(super) async fn make_room(&self) -> bool {
        self.is_tight.store(true, Ordering::Relaxed);
        if self.kept.is_some() {
            return false;
        }
        let copies = std::mem::take(&mut *lock(&self.copies));
        let mut has_some = false;
        for tee in copies.iter().filter_map(Weak::upgrade) {
            has_some |= tee.give_up().await;
        }
        let played: Vec<Filed> = {
            let mut files = self.files();
            let keys: Vec<String> = files
                .iter()
                .filter(|(_, filed)| filed.is_played)
                .map(|(key, _)| key.clone())
                .collect();
            keys.iter().filter_map(|key| files.remove(key)).collect()
        };
        has_some |= !played.is_empty();
        for filed in played {
            filed.saved.remove().await;
        }
        has_some
    }

    /// Removes all but what is kept, and the directory with it; nothing comes in any more.
    pub(super) async fn close(&self) {
        let (dir, files) = (self.dir.clone(), Arc::clone(&self.files));
        let is_closed = Arc::clone(&self.is_closed);
        let closing = move || {
            let mut is_closed = lock(&is_closed);
            *is_closed = true;
            let all = std::mem::take(&mut *lock(&files));
            for filed in all.values() {
                filed.saved.remove_now();
            }
            // What is kept lies in it.
            let _ = std::fs::remove_dir(&dir);
            Ok(())
        };
        if let Err(error) = blocking(closing).await {
            tracing::warn!(%error, "items on disk not removed");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for the disk where that holds up nobody else.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ShelfError> + Send + 'static,
) -> Result<T, ShelfError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(io::Error::from)?
}

#[cfg(test)]
mod tests;
