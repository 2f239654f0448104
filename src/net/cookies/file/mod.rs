//! A cookie file on disk, read again when it changes.
//!
//! Cookies in force are only given up for a whole file or a deliberate removal. A change counts once it has settled: the
//! file (or, where it is gone, its folder) was last written a second ago or more, or looks the same a second time. What is
//! caught half-written after that, empty, cut in a line, unreadable, or away together with its folder, leaves the cookies
//! in force, with one warning for each state that is seen.

use std::fs::Metadata;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::OperatorCookies;
use crate::clock::Clock;
use crate::config::{Env, FileStamp, open_regular};

/// Largest file in bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// How long an answer is good before the file is looked at again.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// How long ago a file was last written when its writer is taken to be done.
const SETTLED: Duration = Duration::from_secs(1);

/// A Netscape cookie file that is read again when it changes.
///
/// The file is read in place, not on a thread of its own: it is small (1 MiB at most), local, and looked at once a
/// second at most.
#[derive(Debug)]
pub struct CookieFile {
    candidates: Vec<PathBuf>,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    checked_at: Option<Instant>,
    /// What was last looked at.
    seen: Option<Sight>,
    /// What was last judged, good or not.
    judged: Option<Sight>,
    in_force: Option<InForce>,
}

/// Cookies, and where they are from.
#[derive(Debug)]
struct InForce {
    cookies: Arc<OperatorCookies>,
    path: PathBuf,
    /// Whether the file's last line ended: one whose tool never ends it may be followed by another such.
    has_final_newline: bool,
}

/// What there is to be seen at the places of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Sight {
    File(PathBuf, FileStamp),
    /// No file; the folder of the one that was.
    Gone(Option<FileStamp>),
    /// Something that can't be looked at, for this reason.
    Hidden(PathBuf, String),
}

impl Sight {
    /// Whether whoever wrote is done, as far as the clock says.
    fn is_settled(&self, clock: Clock) -> bool {
        let stamp = match self {
            Self::File(_, stamp) | Self::Gone(Some(stamp)) => stamp,
            // Neither changes what is in force.
            Self::Gone(None) | Self::Hidden(..) => return true,
        };
        let age = clock.now().duration_since(stamp.modified());
        age.is_ok_and(|age| age >= SETTLED)
    }
}

impl CookieFile {
    /// A file to be watched: the first of `candidates` that exists at the time of a load.
    pub fn new(candidates: Vec<PathBuf>) -> Self {
        Self {
            candidates,
            clock: Clock::System,
            state: Mutex::default(),
        }
    }

    /// The file that `variable` names, else one of `defaults` in `./cookies`. One that is named and is none yet, or is a
    /// folder, is warned about: it may come later.
    pub fn from_env(env: &mut Env, variable: &'static str, defaults: &[&str]) -> Self {
        let Some(path) = env.path(variable) else {
            let folder = Path::new("./cookies");
            return Self::new(defaults.iter().map(|name| folder.join(name)).collect());
        };
        if !path.exists() {
            tracing::warn!(variable, "the cookie file does not exist yet");
        } else if path.is_dir() {
            tracing::warn!(variable, "names a folder, where a cookie file is needed");
        }
        Self::new(vec![path])
    }

    /// The cookies as the file has them now; `None` when there is no file. Checks for a change at most once a
    /// second; a file that can't be used leaves the cookies read before in force and is logged once.
    pub fn load(&self) -> Option<Arc<OperatorCookies>> {
        self.load_at(Instant::now())
    }

    fn load_at(&self, now: Instant) -> Option<Arc<OperatorCookies>> {
        // The state is only replaced whole fields at a time, so it is sound even after a panic elsewhere.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |at: Instant| now.saturating_duration_since(at) < CHECK_INTERVAL;
        if !state.checked_at.is_some_and(is_fresh) {
            state.checked_at = Some(now);
            self.refresh(&mut state);
        }
        let in_force = state.in_force.as_ref();
        in_force.map(|in_force| Arc::clone(&in_force.cookies))
    }

    fn refresh(&self, state: &mut State) {
        let sight = self.look(state.in_force.as_ref());
        if state.judged.as_ref() == Some(&sight) {
            return;
        }
        let is_settled = state.in_force.is_none()
            || state.seen.as_ref() == Some(&sight)
            || sight.is_settled(self.clock);
        state.seen = Some(sight.clone());
        if !is_settled {
            return;
        }
        let before = state.judged.replace(sight.clone());
        match sight {
            Sight::File(path, stamp) => {
                warn_if_readable_by_others(&path, before.as_ref(), stamp);
                let read = read(&path, stamp, state.in_force.as_ref());
                state.take_over(&path, read);
            }
            Sight::Gone(_) => state.end(),
            Sight::Hidden(path, reason) => state.complain(&path, &reason),
        }
    }

    /// Looks at the candidates in their order. One that is hidden might be the one that counts.
    fn look(&self, in_force: Option<&InForce>) -> Sight {
        for path in &self.candidates {
            match std::fs::metadata(path) {
                Ok(metadata) => return Sight::File(path.clone(), FileStamp::from(&metadata)),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Sight::Hidden(path.clone(), error.to_string()),
            }
        }
        let Some(in_force) = in_force else {
            return Sight::Gone(None);
        };
        // A whole folder that is away was not emptied by hand: its volume is.
        match folder_of(&in_force.path) {
            Ok(metadata) => Sight::Gone(Some(FileStamp::from(&metadata))),
            Err(error) => Sight::Hidden(in_force.path.clone(), format!("its folder: {error}")),
        }
    }
}

fn folder_of(path: &Path) -> io::Result<Metadata> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    std::fs::metadata(folder.unwrap_or(Path::new(".")))
}

impl State {
    fn take_over(&mut self, path: &Path, read: io::Result<InForce>) {
        match read {
            Ok(new) => {
                if self.in_force.is_some() {
                    tracing::info!(path = %path.display(), "cookies renewed");
                }
                self.in_force = Some(new);
            }
            Err(error) => self.complain(path, &error.to_string()),
        }
    }

    fn end(&mut self) {
        if let Some(old) = self.in_force.take() {
            tracing::warn!(path = %old.path.display(), "cookie file is gone, and its cookies with it");
        }
    }

    fn complain(&self, path: &Path, reason: &str) {
        let path = path.display();
        if self.in_force.is_some() {
            tracing::warn!(%path, reason, "cookies not renewed: those from before stay in force");
        } else {
            tracing::warn!(%path, reason, "cookie file can't be read");
        }
    }
}

/// Warns when the file is found so, and again only after it was right in between.
fn warn_if_readable_by_others(path: &Path, before: Option<&Sight>, found: FileStamp) {
    let was =
        matches!(before, Some(Sight::File(old, stamp)) if old == path && stamp.is_open_to_others());
    if !was && found.is_open_to_others() {
        tracing::warn!(path = %path.display(), "cookie file is open to other users: use mode 0600");
    }
}

/// Reads a file that was seen as `stamp`. Where cookies may be lost to it, it must be whole.
fn read(path: &Path, stamp: FileStamp, in_force: Option<&InForce>) -> io::Result<InForce> {
    let mut content = Vec::new();
    open_regular(path)?
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut content)?;
    if content.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other("larger than 1 MiB"));
    }
    let mut parsed = OperatorCookies::parse(&content);
    let has_final_newline = content.ends_with(b"\n");
    if let Some(old) = in_force.filter(|old| !old.cookies.is_empty()) {
        let may_end_so = has_final_newline || (!old.has_final_newline && parsed.skipped == 0);
        if content.len() as u64 != stamp.length() {
            return Err(io::Error::other("changed while it was read"));
        } else if content.is_empty() {
            return Err(io::Error::other(
                "empty; remove it, or leave a line that begins with `#`, to use no cookies",
            ));
        } else if !may_end_so {
            return Err(io::Error::other(
                "ends in the middle of a line; if it is whole, end it with a line break",
            ));
        }
    }
    if parsed.cookies.is_empty() && parsed.skipped > 0 {
        return Err(io::Error::other("no line is a Netscape cookie"));
    }
    if parsed.skipped > 0 {
        tracing::warn!(path = %path.display(), lines = parsed.skipped, "cookie file has lines that are no cookies");
    }
    parsed.cookies.modified = Some(stamp.modified());
    Ok(InForce {
        cookies: Arc::new(parsed.cookies),
        path: path.to_owned(),
        has_final_newline,
    })
}

#[cfg(test)]
mod tests;
