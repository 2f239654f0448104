//! What tells one content of a file from another without reading it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Facts about a file that change when its content does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    mode: u32,
}

impl FileStamp {
    /// Of the file at `path`; `None` when it can't be looked at.
    pub fn of(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().map(|facts| Self::from(&facts))
    }

    /// Its length in bytes.
    pub fn length(self) -> u64 {
        self.length
    }

    /// When it was last written; the epoch for what claims to be older.
    pub fn modified(self) -> SystemTime {
        let (seconds, nanoseconds) = self.modified;
        let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        let nanoseconds = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0));
        UNIX_EPOCH
            .checked_add(seconds.saturating_add(nanoseconds))
            .unwrap_or(UNIX_EPOCH)
    }

    /// Whether others than its owner may read, write or run it.
    pub fn is_open_to_others(self) -> bool {
        self.mode & 0o077 != 0
    }
}

impl From<&Metadata> for FileStamp {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            mode: metadata.mode(),
        }
    }
}
