//! What was learnt of player scripts, kept across restarts in a folder of the operator's choice.
//!
//! The file holds no address, no challenge and nothing of a user. It is read as untrusted text: capped, and what can't be
//! true is left out. It is replaced as a whole, so that a reader or a crash never sees half of it.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::warn;

use super::SITE;
use super::js::Knowledge;
use crate::config::open_regular;

/// Name of the file.
const NAME: &str = "youtube-players.json";
/// Largest file that is read; 32 players with ten permutations each are some 200 KB.
const MAX_BYTES: u64 = 2 << 20;

/// The file, and what it holds. Clones are the same file.
#[derive(Debug, Clone)]
pub(super) struct Store {
    path: Arc<Path>,
    /// Locked while the file is written.
    written: Arc<Mutex<Knowledge>>,
}

impl Store {
    /// The file in `folder`, which is made when it isn't there, and what it holds. `None` when nothing can be kept
    /// there, which is in the log.
    pub(super) fn open(folder: &Path) -> Option<(Self, Knowledge)> {
        let path = folder.join(NAME);
        let knowledge = read(&path).unwrap_or_else(|error| {
            warn!(site = SITE, file = %path.display(), %error, "what was learnt of player scripts can't be read");
            Knowledge::default()
        });
        // Writing at once tells an operator of a wrong folder at the start.
        let tried = fs::create_dir_all(folder).and_then(|()| write(&path, &knowledge));
        if let Err(error) = tried {
            warn!(site = SITE, file = %path.display(), %error, "what is learnt of player scripts is not kept");
            return None;
        }
        let store = Self {
            path: path.into(),
            written: Arc::new(Mutex::new(knowledge.clone())),
        };
        Some((store, knowledge))
    }

    /// Writes what is known, if the file doesn't hold it yet. The file system is waited for on a thread of its own.
    pub(super) async fn keep(&self, knowledge: Knowledge) {
        let store = self.clone();
        let kept = tokio::task::spawn_blocking(move || store.keep_now(knowledge)).await;
        if let Ok(Err(error)) = kept {
            warn!(site = SITE, %error, "what was learnt of player scripts is not kept");
        }
    }

    fn keep_now(&self, knowledge: Knowledge) -> io::Result<()> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if *written != knowledge {
            write(&self.path, &knowledge)?;
            *written = knowledge;
        }
        Ok(())
    }
}

/// What the file holds; nothing when there is none.
fn read(path: &Path) -> io::Result<Knowledge> {
    let file = match open_regular(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Knowledge::default()),
        Err(error) => return Err(error),
    };
    let mut text = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(io::Error::other("too large"));
    }
    Ok(serde_json::from_slice(&text)?)
}

/// Replaces the file.
fn write(path: &Path, knowledge: &Knowledge) -> io::Result<()> {
    let text = serde_json::to_vec(knowledge)?;
    // Another process may use the same folder.
    let new = with_suffix(path, &format!(".{}.new", std::process::id()));
    let done = fill(&new, &text).and_then(|()| fs::rename(&new, path));
    if done.is_err() {
        // The reason of the failure is what counts.
        let _ = fs::remove_file(&new);
    }
    done
}

fn fill(path: &Path, text: &[u8]) -> io::Result<()> {
    // Left behind by an earlier process with the same number.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn knowledge(days: u32) -> Knowledge {
        let text = format!(
            r#"{{"players":[{{"player":"0123abcd-main","facts":{{"signature_timestamp":{days},"permutations":{{"3":[2,0]}}}}}}]}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[tokio::test]
    async fn knowledge_is_kept_in_a_file_of_its_owner() {
        let folder = tempfile::TempDir::new().unwrap();
        let folder = folder.path().join("state");
        let (store, before) = Store::open(&folder).unwrap();
        assert_eq!(before, Knowledge::default());
        store.keep(knowledge(20_000)).await;
        let path = folder.join(NAME);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let (_, after) = Store::open(&folder).unwrap();
        assert_eq!(after, knowledge(20_000));
        let names: Vec<_> = fs::read_dir(&folder).unwrap().collect();
        assert_eq!(names.len(), 1, "{names:?}");
    }

    #[tokio::test]
    async fn file_that_is_known_already_is_not_written() {
        let folder = tempfile::TempDir::new().unwrap();
        let (store, _) = Store::open(folder.path()).unwrap();
        store.keep(knowledge(20_000)).await;
        fs::remove_file(folder.path().join(NAME)).unwrap();
        store.keep(knowledge(20_000)).await;
        assert!(!folder.path().join(NAME).exists());
        store.keep(knowledge(20_001)).await;
        assert!(folder.path().join(NAME).exists());
    }

    #[test]
    fn damaged_files_are_nothing_and_are_replaced() {
        for text in [
            Vec::new(),
            b"{".to_vec(),
            b"[]".to_vec(),
            b"\xff\xfe".to_vec(),
            vec![b' '; 3 << 20],
        ] {
            let folder = tempfile::TempDir::new().unwrap();
            let path = folder.path().join(NAME);
            fs::write(&path, text).unwrap();
            let (_, found) = Store::open(folder.path()).unwrap();
            assert_eq!(found, Knowledge::default());
            assert_eq!(fs::read_to_string(&path).unwrap(), r#"{"players":[]}"#);
        }
    }

    #[test]
    fn folder_that_is_none_keeps_nothing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(Store::open(file.path()).is_none());
        assert!(Store::open(&file.path().join("below")).is_none());
    }
}
