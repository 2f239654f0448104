//! Whole files in the directory of a broadcast. A name says what a file is and how long, so that what a process left that
//! was killed is told from anything else.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sha2::{Digest, Sha256};
use tokio::runtime::Handle;

use super::part::Whole;
use super::shelves::Idle;
use crate::temp::JobDir;

/// Hex digits that say what a file is.
const KEY: usize = 32;
/// Hex digits that no two names share: a file that is given up late must not take its successor along.
const SERIAL: usize = 16;

/// What a file is: the wanted format of a post, in digits, whatever the site calls it.
pub(super) fn key(format: &str, id: &str) -> String {
    let digest = Sha256::digest(format!("{format}\n{id}"));
    let mut key = String::with_capacity(KEY);
    for byte in &digest[..KEY / 2] {
        // Writing to a text doesn't fail.
        let _ = write!(key, "{byte:02x}");
    }
    key
}

/// The name of a file of so many bytes.
fn name(key: &str, length: u64) -> String {
    format!("{key}-{length}-{:016x}", rand::random::<u64>())
}

/// What a name says of its file: its key, and its bytes. `None` for a name that isn't one of [`name`].
fn read_name(name: &str) -> Option<(&str, u64)> {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let (key, rest) = name.split_once('-')?;
    let (length, serial) = rest.split_once('-')?;
    let is_ours = key.len() == KEY && serial.len() == SERIAL && is_hex(key) && is_hex(serial);
    let length = length.parse().ok().filter(|length| *length > 0)?;
    is_ours.then_some((key, length))
}

/// A whole file, there as long as this lives.
#[derive(Clone)]
pub(in crate::broadcast) struct Saved(Arc<Stored>);

/// A file that goes with its last reader, unless it stays.
struct Stored {
    path: PathBuf,
    length: u64,
    /// Its room; taken when the file goes.
    room: Option<JobDir>,
    /// Takes the room when the file stays.
    idle: Idle,
    /// Whether it outlives this.
    stays: AtomicBool,
}

impl Saved {
    fn new((path, length): (PathBuf, u64), (room, idle): (JobDir, Idle), stays: bool) -> Self {
        Self(Arc::new(Stored {
            path,
            length,
            room: Some(room),
            idle,
            stays: AtomicBool::new(stays),
        }))
    }

    /// Where it lies.
    pub(in crate::broadcast) fn path(&self) -> &Path {
        &self.0.path
    }

    /// Whether it is still there, as long as it was. What else may have become of it shows when it is played.
    pub(in crate::broadcast) async fn is_there(&self) -> bool {
        let facts = tokio::fs::metadata(self.path()).await;
        facts.is_ok_and(|facts| facts.is_file() && facts.len() == self.0.length)
    }

    /// Lets it outlive its readers, or not.
    pub(super) fn stay(&self, stays: bool) {
        self.0.stays.store(stays, Ordering::Relaxed);
    }

    /// Removes it though it may be read, unless it stays. Blocks.
    pub(super) fn remove_now(&self) {
        if !self.0.stays.load(Ordering::Relaxed) {
            remove(self.path());
        }
    }

    /// Removes it and gives its room back, unless it is being read: then its reader does.
    pub(super) async fn remove(self) {
        let Some(mut stored) = Arc::into_inner(self.0) else {
            return;
        };
        let Some(room) = stored.room.take() else {
            return;
        };
        let removing = move || {
            drop(stored);
            room
        };
        // It fails only when the process ends.
        if let Ok(room) = tokio::task::spawn_blocking(removing).await {
            room.remove().await;
        }
    }
}

impl Drop for Stored {
    /// A long file takes a while to go, so that is done beside the tasks; its room is free when it is done.
    fn drop(&mut self) {
        let path = std::mem::take(&mut self.path);
        let room = self.room.take();
        if *self.stays.get_mut() {
            if let Some(room) = room {
                self.idle.put(path, room);
            }
            return;
        }
        let Some(room) = room else {
            return remove(&path);
        };
        let removing = move || {
            remove(&path);
            drop(room);
        };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(removing)),
            Err(_) => removing(),
        }
    }
}

fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(err = %error, "item on disk not removed");
        }
        _ => {}
    }
}

/// Gives a whole file its name in `dir`, which is made if need be. Blocks.
///
/// # Errors
/// It can't be; nothing is left of it then.
pub(super) fn take_in(
    dir: &Path,
    key: &str,
    whole: Whole,
    (idle, stays): (Idle, bool),
) -> io::Result<Saved> {
    let mut builder = DirBuilder::new();
    builder.mode(0o700).recursive(true).create(dir)?;
    let Whole { path, length, room } = whole;
    let stored = dir.join(name(key, length));
    fs::rename(path, &stored)?;
    Ok(Saved::new((stored, length), (room, idle), stays))
}

/// A whole file that an earlier process left.
pub(super) struct Found {
    pub(super) key: String,
    pub(super) length: u64,
    pub(super) path: PathBuf,
}

impl Found {
    /// Takes it over; `stays` as in [`Saved::stay`].
    pub(super) fn with_room(self, room: (JobDir, Idle), stays: bool) -> Saved {
        Saved::new((self.path, self.length), room, stays)
    }
}

/// Whole files that lie in a directory. All else in it goes: what has another name, another length than its name says,
/// and what is there twice. Blocks.
///
/// # Errors
/// The directory can't be read. One that isn't there is empty.
pub(super) fn find(dir: &Path) -> io::Result<Vec<Found>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut all: Vec<Found> = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // It may have gone meanwhile.
        let Ok(facts) = entry.metadata() else {
            continue;
        };
        let is_whole = |(_, length): &(&str, u64)| facts.is_file() && facts.len() == *length;
        let is_new = |(key, _): &(&str, u64)| all.iter().all(|found| found.key != *key);
        match read_name(&name).filter(is_whole).filter(is_new) {
            Some((key, length)) => all.push(Found {
                key: key.to_owned(),
                length,
                path: entry.path(),
            }),
            None => remove(&entry.path()),
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_a_file_is_and_how_long() {
        let key = key("best", "a video\n../of any name");
        let made = name(&key, 1234);
        assert_eq!(read_name(&made), Some((key.as_str(), 1234)));
        assert_ne!(name(&key, 1234), made);
        let serial = "0123456789abcdef";
        for other in [
            key.clone(),
            format!("{key}-1234"),
            format!("{key}-0-{serial}"),
            format!("{key}--1-{serial}"),
            format!("{key}-1-{serial}0"),
            format!("{key}-1-{serial}.part"),
            format!("{}-1-{serial}", &key[1..]),
            format!("{}x-1-{serial}", &key[1..]),
            format!("{key}-99999999999999999999-{serial}"),
            "item.part".to_owned(),
        ] {
            assert_eq!(read_name(&other), None, "{other}");
        }
    }
}
