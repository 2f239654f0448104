//! A cookie file on disk, read again when it changes.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::OperatorCookies;
use crate::config::FileStamp;

/// Largest file in bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// How long an answer is good before the file is looked at again.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// A Netscape cookie file that is read again when it changes.
///
/// The file is read in place, not on a thread of its own: it is small (1 MiB at most), local, and looked at once a
/// second at most.
#[derive(Debug)]
pub struct CookieFile {
    candidates: Vec<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    checked_at: Option<Instant>,
    /// What was last looked at, broken or not.
    seen: Option<(PathBuf, FileStamp)>,
    cookies: Option<Arc<OperatorCookies>>,
}

impl CookieFile {
    /// A file to be watched: the first of `candidates` that exists at the time of a load.
    pub fn new(candidates: Vec<PathBuf>) -> Self {
        Self {
            candidates,
            state: Mutex::default(),
        }
    }

    /// The cookies as the file has them now; `None` when there is no file. Checks for a change at most once a
    /// second; a broken file keeps the cookies read before and is logged once.
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
        state.cookies.clone()
    }

    fn refresh(&self, state: &mut State) {
        let Some((path, metadata)) = self.existing() else {
            state.seen = None;
            state.cookies = None;
            return;
        };
        let seen = Some((path.to_owned(), FileStamp::from(&metadata)));
        if state.seen == seen {
            return;
        }
        warn_if_readable_by_others(path, state.seen.as_ref(), &metadata);
        // The stamp is that of before the reading: a change meanwhile is seen the next time.
        state.seen = seen;
        match read(path) {
            Ok(mut cookies) => {
                cookies.modified = metadata.modified().ok();
                state.cookies = Some(Arc::new(cookies));
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "cookie file can't be read");
            }
        }
    }

    fn existing(&self) -> Option<(&Path, Metadata)> {
        self.candidates.iter().find_map(|path| {
            let metadata = std::fs::metadata(path).ok()?;
            Some((path.as_path(), metadata))
        })
    }
}

/// Warns when the file is found so, and again only after it was right in between.
fn warn_if_readable_by_others(
    path: &Path,
    before: Option<&(PathBuf, FileStamp)>,
    found: &Metadata,
) {
    let was = before.is_some_and(|(old, stamp)| old == path && stamp.is_open_to_others());
    if !was && FileStamp::from(found).is_open_to_others() {
        tracing::warn!(path = %path.display(), "cookie file is open to other users: use mode 0600");
    }
}

fn read(path: &Path) -> io::Result<OperatorCookies> {
    let mut content = Vec::new();
    File::open(path)?
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut content)?;
    if content.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other("larger than 1 MiB"));
    }
    let parsed = OperatorCookies::parse(&content);
    if parsed.cookies.is_empty() && parsed.skipped > 0 {
        return Err(io::Error::other("no line is a Netscape cookie"));
    }
    if parsed.skipped > 0 {
        tracing::warn!(path = %path.display(), lines = parsed.skipped, "cookie file has lines that are no cookies");
    }
    Ok(parsed.cookies)
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    /// Loads at moments of its own, each later than the check interval.
    struct Watch {
        file: CookieFile,
        now: Instant,
    }

    impl Watch {
        fn new(candidates: Vec<PathBuf>) -> Self {
            Self {
                file: CookieFile::new(candidates),
                now: Instant::now(),
            }
        }

        fn names(&mut self) -> Option<Vec<String>> {
            self.now += CHECK_INTERVAL;
            self.file.load_at(self.now).map(|cookies| names(&cookies))
        }
    }

    fn names(cookies: &OperatorCookies) -> Vec<String> {
        let url = Url::parse("https://a.example/").unwrap();
        let names = cookies
            .covering(&url, 1)
            .map(|(_, name, _)| name.to_owned());
        names.collect()
    }

    fn line(name: &str) -> String {
        format!("a.example\tFALSE\t/\tFALSE\t0\t{name}\t1\n")
    }

    #[test]
    fn cookie_file_first_existing_candidate_counts() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("1"), folder.path().join("2"));
        let mut watch = Watch::new(vec![first.clone(), second.clone()]);
        assert_eq!(watch.names(), None);
        std::fs::write(&second, line("two")).unwrap();
        assert_eq!(watch.names().unwrap(), ["two"]);
        std::fs::write(&first, line("one")).unwrap();
        assert_eq!(watch.names().unwrap(), ["one"]);
        std::fs::remove_file(&first).unwrap();
        std::fs::remove_file(&second).unwrap();
        assert_eq!(watch.names(), None);
    }

    #[test]
    fn cookie_file_is_looked_at_once_a_second() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c");
        std::fs::write(&path, line("old")).unwrap();
        let mut watch = Watch::new(vec![path.clone()]);
        assert_eq!(watch.names().unwrap(), ["old"]);
        std::fs::write(&path, line("newer")).unwrap();
        let soon = watch.now + CHECK_INTERVAL / 2;
        assert_eq!(names(&watch.file.load_at(soon).unwrap()), ["old"]);
        assert_eq!(watch.names().unwrap(), ["newer"]);
    }

    #[test]
    fn cookie_file_replaced_by_a_rename_of_equal_length_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let (path, next) = (folder.path().join("c"), folder.path().join("n"));
        std::fs::write(&path, line("aaa")).unwrap();
        let mut watch = Watch::new(vec![path.clone()]);
        assert_eq!(watch.names().unwrap(), ["aaa"]);
        std::fs::write(&next, line("bbb")).unwrap();
        std::fs::rename(&next, &path).unwrap();
        assert_eq!(watch.names().unwrap(), ["bbb"]);
    }

    #[test]
    fn cookie_file_broken_later_keeps_what_was_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c");
        std::fs::write(&path, line("good")).unwrap();
        let mut watch = Watch::new(vec![path.clone()]);
        watch.names().unwrap();
        let large = line("a").repeat(1024 * 1024 / line("a").len() + 1);
        for broken in ["[{\"json\": true}]", &large] {
            std::fs::write(&path, broken).unwrap();
            assert_eq!(watch.names().unwrap(), ["good"]);
        }
        std::fs::write(&path, "# no cookies any more\n").unwrap();
        assert_eq!(watch.names().unwrap(), Vec::<String>::new());
    }

    #[test]
    fn cookie_file_broken_from_the_start_is_no_cookies() {
        let folder = tempfile::tempdir().unwrap();
        assert!(
            CookieFile::new(vec![folder.path().to_owned()])
                .load()
                .is_none()
        );
    }
}
