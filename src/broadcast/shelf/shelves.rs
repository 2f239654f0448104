//! What lies on disk of all broadcasts, whether a run has it or not: where, and how much room it takes.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::stored::{self, Found};
use super::{Shelf, ShelfError, blocking, lock};
use crate::broadcast::{ServeMode, Settings, StreamSource, id};
use crate::temp::{JobDir, Temp};

/// Room of files that lie on disk while no run has them: what is kept of broadcasts that have ended, and what a process left
/// that was killed, until a run takes it up. It counts against the cap as all other does.
#[derive(Clone, Default)]
pub(super) struct Idle(Arc<Mutex<HashMap<PathBuf, JobDir>>>);

impl Idle {
    /// Holds the room of a file until it is taken or the file goes.
    pub(super) fn put(&self, file: PathBuf, room: JobDir) {
        lock(&self.0).insert(file, room);
    }

    /// Gives back the room of what lay in a directory.
    fn release(&self, dir: &Path) {
        lock(&self.0).retain(|file, _| !file.starts_with(dir));
    }

    /// The whole files in a directory, each with its room; what is not whole goes, and what has no room.
    ///
    /// # Errors
    /// [`ShelfError::Temp`] when the directory can't be read.
    pub(super) async fn take_up(
        &self,
        temp: &Temp,
        dir: &Path,
    ) -> Result<Vec<(Found, JobDir)>, ShelfError> {
        let place = dir.to_owned();
        let mut all = Vec::new();
        for found in blocking(move || Ok(stored::find(&place)?)).await? {
            let known = lock(&self.0).remove(&found.path);
            let room = match known {
                Some(room) => Ok(room),
                None => temp.job_holding(found.length).await,
            };
            match room {
                Ok(room) => all.push((found, room)),
                Err(_) => drop(tokio::fs::remove_file(&found.path).await),
            }
        }
        // Of what else had some nothing is there any more.
        self.release(dir);
        Ok(all)
    }
}

/// The directory below which every broadcast has its own.
pub(in crate::broadcast) struct Shelves {
    /// `None` where nothing is put on disk.
    temp: Option<Temp>,
    base: PathBuf,
    idle: Idle,
}

impl Shelves {
    /// Over a directory, within the cap of `temp`.
    pub(in crate::broadcast) fn new(temp: Option<Temp>, base: PathBuf) -> Self {
        Self {
            temp,
            base,
            idle: Idle::default(),
        }
    }

    /// The shelf of a broadcast, with what lies in its directory; that goes where nothing is put on disk.
    pub(in crate::broadcast) async fn open(&self, id: &str, settings: &Settings) -> Option<Shelf> {
        if settings.stream_source == StreamSource::MediaFiles {
            self.forget(id).await;
            return None;
        }
        let temp = self.temp.clone()?;
        if settings.serve_mode() == ServeMode::Direct {
            self.forget(id).await;
        }
        let is_kept = settings.serve_mode() == ServeMode::Hybrid;
        let kept = is_kept.then_some(u32::from(settings.cache_first));
        let room = (temp, self.idle.clone());
        let opened = Shelf::open(room, &settings.format, self.base.join(id), kept).await;
        opened
            .inspect_err(|error| tracing::warn!(%error, "directory of items not usable"))
            .ok()
    }

    /// Counts what lies in the directory of a broadcast, until a run takes it up.
    pub(in crate::broadcast) async fn count(&self, id: &str) {
        let Some(temp) = &self.temp else {
            return;
        };
        match self.idle.take_up(temp, &self.base.join(id)).await {
            Ok(all) => all
                .into_iter()
                .for_each(|(found, room)| self.idle.put(found.path, room)),
            Err(error) => tracing::warn!(id, %error, "items on disk not counted"),
        }
    }

    /// Removes what a broadcast has on disk, which no run may have now.
    pub(in crate::broadcast) async fn forget(&self, id: &str) {
        let (dir, idle) = (self.base.join(id), self.idle.clone());
        let removing = move || match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => {
                idle.release(&dir);
                Ok(())
            }
        };
        if let Err(error) = blocking(removing).await {
            tracing::warn!(id, %error, "items on disk not removed");
        }
    }

    /// Ids that directories have as their names.
    pub(in crate::broadcast) async fn ids(&self) -> Vec<String> {
        let base = self.base.clone();
        let reading = move || {
            let entries = fs::read_dir(base)?.flatten();
            // A link is none, wherever it leads.
            let dirs = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            let names = dirs.map(|entry| entry.file_name().to_string_lossy().into_owned());
            Ok(names.filter(|name| id::is_id(name)).collect())
        };
        if self.temp.is_none() {
            return Vec::new();
        }
        let read = blocking(reading).await;
        read.inspect_err(|error| tracing::warn!(%error, "directories of items not listed"))
            .unwrap_or_default()
    }

    /// Removes those directories of which no broadcast is known, unless other servers use the same place: they may be of
    /// their broadcasts.
    pub(in crate::broadcast) async fn sweep(&self, ids: Vec<String>, known: &[String]) {
        let known: HashSet<&String> = known.iter().collect();
        let strays: Vec<String> = ids.into_iter().filter(|id| !known.contains(id)).collect();
        let Some(temp) = self.temp.clone().filter(|_| !strays.is_empty()) else {
            return;
        };
        let is_shared = blocking(move || Ok(temp.is_shared())).await.unwrap_or(true);
        if is_shared {
            let count = strays.len();
            tracing::warn!(
                count,
                "`STREAM_TEMP_DIR` is used by another server, so directories of unknown broadcasts stay"
            );
            return;
        }
        for id in strays {
            tracing::info!(id, "removing items of a broadcast that is no more");
            self.forget(&id).await;
        }
    }
}
