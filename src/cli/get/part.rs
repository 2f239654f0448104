//! A file that isn't whole yet: `FILE.part`, and in `FILE.part.json` what it is a part of.
//!
//! It is gone on with only when the site still has the same representation: the same validator (`If-Range`), the same
//! length, and the same bytes where the old and the new overlap. It gets its name when all of it is there and written.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use super::target::{cant_create, refuse_existing};
use crate::cli::exit::{Exit, Failure};
use crate::transfer::{Ask, Head};

/// Bytes before the end of a part that are fetched again and compared.
const OVERLAP: u64 = 64 * 1024;
/// Largest note that is read.
const MAX_NOTE_BYTES: u64 = 64 * 1024;
/// How often a part is opened anew that got its name before it was locked.
const MAX_TRIES: u32 = 5;

/// What a part is a part of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    /// Site.
    pub(super) site: String,
    /// The site's id of the post.
    pub(super) id: String,
    /// Format id, or what else was picked.
    pub(super) format: String,
    /// Bytes of the whole.
    total: u64,
    /// Strong entity tag, or date of the last change.
    validator: String,
}

/// Which representation is wanted: site, post, format.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) site: &'a str,
    pub(super) id: &'a str,
    pub(super) format: &'a str,
}

impl Wanted<'_> {
    /// The note of a representation with this head; `None` for one that can't be gone on with.
    fn note(self, head: &Head) -> Option<Note> {
        let strong = head.etag.clone().filter(|tag| tag.starts_with('"'));
        Some(Note {
            site: self.site.to_owned(),
            id: self.id.to_owned(),
            format: self.format.to_owned(),
            total: head.total?,
            validator: strong.or_else(|| head.last_modified.clone())?,
        })
    }

    fn is_of(self, note: &Note) -> bool {
        (self.site, self.id, self.format) == (&note.site, &note.id, &note.format)
    }
}

/// A part, open and locked.
#[derive(Debug)]
pub(super) struct Part {
    path: PathBuf,
    file: File,
    length: u64,
    note: Option<Note>,
    /// Bytes that the next ones must be equal to.
    overlap: Vec<u8>,
}

/// What comes is not what is there.
#[derive(Debug)]
pub(super) struct Different;

impl Part {
    /// Opens the part of the file that is to lie at `finished`, or makes it.
    ///
    /// # Errors
    /// It can't be made, or another process writes to it.
    pub(super) fn open(finished: &Path) -> Result<Self, Failure> {
        let path = beside(finished, ".part");
        for _ in 0..MAX_TRIES {
            let file = open(&path).map_err(|error| cant_create(&path, &error))?;
            if let Err(TryLockError::WouldBlock) = file.try_lock() {
                let message = format!("{}: another process writes to it", path.display());
                return Err(Failure::new(Exit::Temporary, message));
            }
            let found = file
                .metadata()
                .map_err(|error| cant_create(&path, &error))?;
            // Another name of a file that somebody has, such as a whole one that had just got its name: leave it to him.
            if found.nlink() > 1 {
                fs::remove_file(&path).map_err(|error| cant_create(&path, &error))?;
                continue;
            }
            // Whoever held the lock before may have finished the file: then it isn't ours to write to.
            let is_ours = fs::symlink_metadata(&path)
                .is_ok_and(|named| (named.dev(), named.ino()) == (found.dev(), found.ino()));
            if is_ours {
                return Ok(Self {
                    note: read_note(&beside(&path, ".json")),
                    length: found.len(),
                    overlap: Vec::new(),
                    path,
                    file,
                });
            }
        }
        let message = format!("{}: changes all the time", path.display());
        Err(Failure::new(Exit::Temporary, message))
    }

    /// What to ask for to go on with it; `None` when it must be begun anew.
    pub(super) fn ask(&self, wanted: Wanted<'_>) -> Option<Ask> {
        let note = self.note.as_ref().filter(|note| wanted.is_of(note))?;
        let from = self.length.min(note.total).checked_sub(OVERLAP)?;
        Some(Ask {
            range: Some(format!("bytes={from}-")),
            if_range: Some(note.validator.clone()),
            ..Ask::default()
        })
    }

    /// Prepares for the body of an answer with this head, to go on or to begin anew; returns how many bytes are there.
    ///
    /// # Errors
    /// The file can't be read or written.
    pub(super) fn prepare(&mut self, wanted: Wanted<'_>, head: &Head) -> Result<u64, Failure> {
        let ready = match &head.range {
            Some(range) => self.go_on(range.start),
            None => self.begin(wanted.note(head)),
        };
        ready.map_err(|error| self.failed(&error))?;
        Ok(self.length)
    }

    fn go_on(&mut self, from: u64) -> io::Result<()> {
        let total = self.note.as_ref().map_or(0, |note| note.total);
        self.length = self.length.min(total);
        let length = usize::try_from(self.length.saturating_sub(from)).unwrap_or(0);
        self.overlap = vec![0; length];
        self.file.read_exact_at(&mut self.overlap, from)?;
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::Start(self.length))?;
        Ok(())
    }

    /// Whether the answer to [`Part::ask`] belongs to what is there, or is the whole.
    pub(super) fn fits(&self, head: &Head) -> bool {
        let Some(range) = &head.range else {
            return true;
        };
        let note = self.note.as_ref();
        note.is_some_and(|note| head.total == Some(note.total) && range.end == note.total)
            && range.start <= self.length
    }

    /// Forgets everything.
    fn begin(&mut self, note: Option<Note>) -> io::Result<()> {
        // In this order: a note never stands beside bytes that it doesn't describe.
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.length = 0;
        self.overlap.clear();
        let place = beside(&self.path, ".json");
        match &note {
            Some(note) => fs::write(&place, serde_json::to_vec(note)?)?,
            None => remove(&place)?,
        }
        self.note = note;
        Ok(())
    }

    /// Adds a piece; returns how many of its bytes are new.
    ///
    /// # Errors
    /// The outer one: it can't be written. The inner one: it isn't what was there before.
    pub(super) fn add(&mut self, piece: &[u8]) -> Result<Result<u64, Different>, Failure> {
        let known = self.overlap.len().min(piece.len());
        let (old, new) = piece.split_at(known);
        if self.overlap[..known] != *old {
            return Ok(Err(Different));
        }
        self.overlap.drain(..known);
        self.file
            .write_all(new)
            .map_err(|error| self.failed(&error))?;
        self.length += new.len() as u64;
        Ok(Ok(new.len() as u64))
    }

    /// Gives the whole file its name.
    ///
    /// # Errors
    /// It isn't whole, or another file has that name by now; the part stays.
    pub(super) fn finish(
        self,
        finished: &Path,
        total: Option<u64>,
        force: bool,
    ) -> Result<(), Failure> {
        if total.is_some_and(|total| total != self.length) || !self.overlap.is_empty() {
            let message = format!("{}: not as long as announced", self.path.display());
            return Err(Failure::new(Exit::Temporary, message));
        }
        // On the disk before it looks finished, so that not even a power cut makes a short file of that name.
        self.file.sync_all().map_err(|error| self.failed(&error))?;
        self.name(finished, force)?;
        let _ = remove(&beside(&self.path, ".json"));
        if let Some(folder) = finished.parent() {
            let folder = if folder == Path::new("") {
                Path::new(".")
            } else {
                folder
            };
            let _ = File::open(folder).and_then(|folder| folder.sync_all());
        }
        Ok(())
    }

    fn name(&self, finished: &Path, force: bool) -> Result<(), Failure> {
        let named = if force {
            fs::rename(&self.path, finished)
        } else {
            // Unlike a rename it never replaces what somebody put there meanwhile.
            fs::hard_link(&self.path, finished).and_then(|()| fs::remove_file(&self.path))
        };
        match named {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                refuse_existing(finished, false)
            }
            // Not every file system has links.
            Err(_) if !force => {
                refuse_existing(finished, false)?;
                fs::rename(&self.path, finished).map_err(|error| cant_create(finished, &error))
            }
            Err(error) => Err(cant_create(finished, &error)),
        }
    }

    /// Where it lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes that are there.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Whether it can be gone on with.
    pub(super) fn is_resumable(&self) -> bool {
        self.note.is_some() && self.length > OVERLAP
    }

    fn failed(&self, error: &io::Error) -> Failure {
        Failure::new(Exit::Io, format!("{}: {error}", self.path.display()))
    }
}

/// A part of nothing is of use to nobody.
impl Drop for Part {
    fn drop(&mut self) {
        if self.length == 0 {
            let _ = remove(&beside(&self.path, ".json"));
            let _ = remove(&self.path);
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::other("is no file"))
}

fn read_note(path: &Path) -> Option<Note> {
    let mut text = Vec::new();
    let mut file = File::open(path).ok()?.take(MAX_NOTE_BYTES);
    file.read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}
