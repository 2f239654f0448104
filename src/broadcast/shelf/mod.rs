//! Items on disk: fetched ahead of their turn (serve mode `download`), kept after it (`hybrid`), or fetched because
//! they could not be played as they come (`fallback_download`).
//!
//! A file is written under another name, synced and renamed, so that what is found is whole. All of them together take
//! no more than the cap of `STREAM_TEMP_DIR`. Where there is no room, items are played as they come. What is here goes
//! with its run, but for what `hybrid` keeps: that lies in a directory of the broadcast's own.

mod part;
mod tee;

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use super::context::Context;
use super::list::REMOVED;
use super::{Item, ServeMode, Settings, StreamSource};
use crate::temp::{JobDir, Temp, TempError};
pub(super) use part::Part;
pub(super) use tee::{Copier, Tee};

/// Characters of the name of a kept file.
const NAME: usize = 32;

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
}

impl From<io::Error> for ShelfError {
    fn from(error: io::Error) -> Self {
        Self::Temp(error.into())
    }
}

/// Files that stay after the run.
struct Kept {
    /// Where they lie.
    dir: PathBuf,
    /// So many of the first items of the list are kept.
    count: u32,
}

/// The files of one run.
pub(super) struct Shelf {
    temp: Temp,
    /// The wanted format: another one is another file.
    format: String,
    kept: Option<Kept>,
    files: Mutex<HashMap<String, Filed>>,
    /// There was no room once.
    is_tight: AtomicBool,
}

struct Filed {
    saved: Saved,
    is_played: bool,
}

/// A whole file, there as long as this lives.
#[derive(Clone)]
pub(super) struct Saved {
    path: PathBuf,
    /// Its room.
    dir: Arc<JobDir>,
    /// Set where it stays after the run.
    kept: Option<Arc<KeptFile>>,
}

/// A file that stays, unless it is given up: then it goes with its last reader.
struct KeptFile {
    path: PathBuf,
    is_given_up: AtomicBool,
}

impl KeptFile {
    fn new(path: PathBuf) -> Arc<Self> {
        Arc::new(Self {
            path,
            is_given_up: AtomicBool::new(false),
        })
    }
}

impl Drop for KeptFile {
    fn drop(&mut self) {
        if *self.is_given_up.get_mut()
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::warn!(err = %error, "item that left the list not removed");
        }
    }
}

impl Saved {
    /// Where it lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Shelf {
    /// A shelf without files.
    pub(super) fn new(temp: Temp, format: &str) -> Self {
        Self {
            temp,
            format: format.to_owned(),
            kept: None,
            files: Mutex::default(),
            is_tight: AtomicBool::new(false),
        }
    }

    /// A shelf that keeps the first `count` items of a list in `dir`, with what lies there.
    ///
    /// # Errors
    /// [`ShelfError::Temp`] when the directory can't be used.
    pub(super) async fn keeping(
        temp: Temp,
        format: &str,
        (dir, count): (PathBuf, u32),
    ) -> Result<Self, ShelfError> {
        make_private(&dir)?;
        let mut files = HashMap::new();
        let mut entries = tokio::fs::read_dir(&dir).await?;
        while let Some(entry) = entries.next_entry().await? {
            let name = entry.file_name().to_string_lossy().into_owned();
            let facts = entry.metadata().await?;
            let is_ours = facts.is_file() && name.len() == NAME;
            // One for which there is no room any more goes too.
            let room = if is_ours {
                temp.job(facts.len()).await.ok()
            } else {
                None
            };
            let Some(room) = room else {
                let _ = tokio::fs::remove_file(entry.path()).await;
                continue;
            };
            let saved = Saved {
                kept: Some(KeptFile::new(entry.path())),
                path: entry.path(),
                dir: Arc::new(room),
            };
            let filed = Filed {
                saved,
                is_played: true,
            };
            files.insert(name, filed);
        }
        Ok(Self {
            kept: Some(Kept { dir, count }),
            files: Mutex::new(files),
            ..Self::new(temp, format)
        })
    }

    fn files(&self) -> MutexGuard<'_, HashMap<String, Filed>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The name of an item's file: of digits, whatever the site calls it.
    fn name(&self, item: &Item) -> String {
        let digest = Sha256::digest(format!("{}\n{}", self.format, item.video_id));
        let mut name = String::with_capacity(NAME);
        for byte in &digest[..NAME / 2] {
            // Writing to a text doesn't fail.
            let _ = write!(name, "{byte:02x}");
        }
        name
    }

    /// The file of an item.
    pub(super) fn get(&self, item: &Item) -> Option<Saved> {
        let files = self.files();
        files.get(&self.name(item)).map(|filed| filed.saved.clone())
    }

    /// Whether an item is among those that are kept.
    fn keeps(&self, item: &Item) -> bool {
        self.kept.as_ref().is_some_and(|kept| item.ord < kept.count)
    }

    /// Whether an item is to be copied while it is played: one that is kept and isn't yet; where nothing is kept for good,
    /// one that comes again, as long as everything has had room.
    pub(super) fn wants(&self, item: &Item, comes_again: bool) -> bool {
        let has_room = || self.kept.is_none() && !self.is_tight.load(Ordering::Relaxed);
        let is_wanted = self.keeps(item) || (comes_again && has_room());
        is_wanted && self.get(item).is_none()
    }

    /// Gives up the files of items that aren't among these, or left their list; of those that are kept also what lies too
    /// far behind. One that is being read goes with its reader.
    pub(super) fn retain(&self, items: &[Item]) {
        let is_here = |item: &&Item| item.reason.as_deref() != Some(REMOVED);
        let names = |items: &mut dyn Iterator<Item = &Item>| -> HashSet<String> {
            items.map(|item| self.name(item)).collect()
        };
        let all = names(&mut items.iter().filter(is_here));
        let kept = names(&mut items.iter().filter(is_here).filter(|item| self.keeps(item)));
        self.files().retain(|name, filed| {
            let Some(file) = &filed.saved.kept else {
                return all.contains(name);
            };
            let stays = kept.contains(name);
            file.is_given_up.store(!stays, Ordering::Relaxed);
            stays
        });
    }

    /// Whether something is kept, to be played when the site is away.
    pub(super) fn has_kept(&self) -> bool {
        self.kept.is_some() && !self.files().is_empty()
    }

    /// A file of which nothing is there.
    ///
    /// # Errors
    /// [`ShelfError::Temp`].
    pub(super) async fn begin(&self) -> Result<Part, ShelfError> {
        Part::begin(&self.temp).await
    }

    /// Takes a whole file in.
    ///
    /// # Errors
    /// [`ShelfError::Temp`]; nothing is left of it then.
    pub(super) async fn put(&self, item: &Item, part: Part) -> Result<(), ShelfError> {
        let name = self.name(item);
        let (mut path, dir) = part.finish().await?;
        let mut file = None;
        if let Some(kept) = self.kept.as_ref().filter(|_| self.keeps(item)) {
            let stays = kept.dir.join(&name);
            tokio::fs::rename(&path, &stays).await?;
            file = Some(KeptFile::new(stays.clone()));
            path = stays;
        }
        let saved = Saved {
            path,
            dir: Arc::new(dir),
            kept: file,
        };
        let filed = Filed {
            saved,
            is_played: false,
        };
        self.files().insert(name, filed);
        Ok(())
    }

    /// An item was played: its file goes, unless it is kept, or comes again and everything has had room.
    pub(super) fn played(&self, item: &Item, comes_again: bool) {
        let name = self.name(item);
        let mut files = self.files();
        let Some(filed) = files.get_mut(&name) else {
            return;
        };
        filed.is_played = true;
        if !self.keeps(item) && (!comes_again || self.is_tight.load(Ordering::Relaxed)) {
            files.remove(&name);
        }
    }

    /// Gives up the files that only wait for the next cycle; whether there were any. From now on none is kept for it.
    pub(super) async fn make_room(&self) -> bool {
        self.is_tight.store(true, Ordering::Relaxed);
        if self.kept.is_some() {
            return false;
        }
        let played: Vec<Filed> = {
            let mut files = self.files();
            let names: Vec<String> = files
                .iter()
                .filter(|(_, filed)| filed.is_played)
                .map(|(name, _)| name.clone())
                .collect();
            names.iter().filter_map(|name| files.remove(name)).collect()
        };
        let has_some = !played.is_empty();
        for filed in played {
            // One that is being read goes with its reader.
            if let Some(dir) = Arc::into_inner(filed.saved.dir) {
                dir.remove().await;
            }
        }
        has_some
    }
}

/// The shelf of a broadcast. What it has kept goes when it keeps nothing any more.
pub(super) async fn open(context: &Context, id: &str, settings: &Settings) -> Option<Shelf> {
    let dir = context.kept_items(id);
    if settings.stream_source == StreamSource::MediaFiles {
        forget(&dir).await;
        return None;
    }
    let temp = context.parts.shelves.clone()?;
    if settings.serve_mode() != ServeMode::Hybrid {
        forget(&dir).await;
        return Some(Shelf::new(temp, &settings.format));
    }
    let kept = (dir, u32::from(settings.cache_first));
    let opened = Shelf::keeping(temp, &settings.format, kept).await;
    opened
        .inspect_err(|error| tracing::warn!(%error, "directory of kept items not usable"))
        .ok()
}

/// Makes a directory that only this user can use.
fn make_private(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut builder = std::fs::DirBuilder::new();
    builder.mode(0o700).recursive(true).create(dir)
}

/// Removes what a broadcast has kept.
pub(super) async fn forget(dir: &Path) {
    match tokio::fs::remove_dir_all(dir).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(err = %error, "kept items not removed");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
