//! Files that change, in whole and in part, by a clock for which nobody or everybody is still writing.

use std::time::SystemTime;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use url::Url;

use super::*;

/// Loads at moments of its own, each later than the check interval.
struct Watch {
    file: CookieFile,
    now: Instant,
}

impl Watch {
    /// By a clock for which whatever is written was written long ago.
    fn new(candidates: Vec<PathBuf>) -> Self {
        let later = Clock::System.now() + Duration::from_secs(3600);
        Self::by(Clock::Fixed(later), candidates)
    }

    /// By a clock for which everybody is still writing.
    fn of_writers(candidates: Vec<PathBuf>) -> Self {
        Self::by(Clock::Fixed(SystemTime::UNIX_EPOCH), candidates)
    }

    fn by(clock: Clock, candidates: Vec<PathBuf>) -> Self {
        let file = CookieFile {
            clock,
            ..CookieFile::new(candidates)
        };
        Self {
            file,
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
    for broken in ["[{\"json\": true}]\n", &large] {
        std::fs::write(&path, broken).unwrap();
        assert_eq!(watch.names().unwrap(), ["good"]);
    }
    std::fs::write(&path, "# no cookies any more\n").unwrap();
    assert_eq!(watch.names().unwrap(), Vec::<String>::new());
}

#[test]
fn cookie_file_cut_anywhere_but_between_lines_keeps_what_was_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c");
    let whole = format!("# Netscape\n{}{}", line("new"), line("newer"));
    for cut in (0..whole.len()).filter(|cut| !whole[..*cut].ends_with('\n')) {
        std::fs::write(&path, line("good")).unwrap();
        let mut watch = Watch::new(vec![path.clone()]);
        watch.names().unwrap();
        std::fs::write(&path, &whole[..cut]).unwrap();
        for _ in 0..3 {
            assert_eq!(watch.names().unwrap(), ["good"], "cut at {cut}");
        }
        std::fs::write(&path, &whole).unwrap();
        assert_eq!(watch.names().unwrap(), ["new", "newer"]);
    }
}

#[test]
fn cookie_file_whose_tool_ends_no_line_is_followed_by_another_such() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c");
    let unended = |names: [&str; 2]| format!("{}{}", line(names[0]), line(names[1]).trim_end());
    std::fs::write(&path, unended(["a", "b"])).unwrap();
    let mut watch = Watch::new(vec![path.clone()]);
    assert_eq!(watch.names().unwrap(), ["a", "b"]);
    std::fs::write(&path, unended(["c", "d"])).unwrap();
    assert_eq!(watch.names().unwrap(), ["c", "d"]);
    // Its last line is no cookie: cut.
    let next = unended(["e", "f"]);
    std::fs::write(&path, &next[..next.len() - 4]).unwrap();
    assert_eq!(watch.names().unwrap(), ["c", "d"]);
}

#[test]
fn cookie_file_that_is_being_written_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c");
    std::fs::write(&path, line("old")).unwrap();
    let mut watch = Watch::of_writers(vec![path.clone()]);
    assert_eq!(watch.names().unwrap(), ["old"], "there is nothing to lose");
    // Between two lines it looks whole.
    for so_far in [line("a"), line("a") + &line("b")] {
        std::fs::write(&path, so_far).unwrap();
        assert_eq!(watch.names().unwrap(), ["old"]);
    }
    assert_eq!(watch.names().unwrap(), ["a", "b"], "it looks the same");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(watch.names().unwrap(), ["a", "b"]);
    std::fs::write(&path, line("c")).unwrap();
    assert_eq!(watch.names().unwrap(), ["a", "b"]);
    assert_eq!(watch.names().unwrap(), ["c"]);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(watch.names().unwrap(), ["c"]);
    assert_eq!(watch.names(), None, "it stays away");
}

#[test]
fn cookie_file_whose_folder_is_away_or_which_is_hidden_keeps_what_was_read() {
    let folder = tempfile::tempdir().unwrap();
    let (inside, aside) = (folder.path().join("in"), folder.path().join("aside"));
    std::fs::create_dir(&inside).unwrap();
    let path = inside.join("c");
    std::fs::write(&path, line("good")).unwrap();
    let mut watch = Watch::new(vec![path.clone()]);
    watch.names().unwrap();
    std::fs::rename(&inside, &aside).unwrap();
    assert_eq!(watch.names().unwrap(), ["good"], "no folder");
    // No folder either, and another error than that there is none.
    std::fs::write(&inside, "").unwrap();
    assert_eq!(watch.names().unwrap(), ["good"], "a file in its place");
    std::fs::remove_file(&inside).unwrap();
    std::fs::create_dir_all(&path).unwrap();
    assert_eq!(watch.names().unwrap(), ["good"], "a folder in its place");
    std::fs::remove_dir(&path).unwrap();
    std::fs::write(&path, line("better")).unwrap();
    assert_eq!(watch.names().unwrap(), ["better"]);
}

#[test]
fn cookie_file_broken_from_the_start_is_no_cookies_until_it_is_mended() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c");
    std::fs::create_dir(&path).unwrap();
    let mut watch = Watch::of_writers(vec![path.clone()]);
    assert_eq!(watch.names(), None);
    std::fs::remove_dir(&path).unwrap();
    std::fs::write(&path, line("late").trim_end()).unwrap();
    assert_eq!(watch.names().unwrap(), ["late"]);
}

#[test]
fn cookie_file_that_is_a_pipe_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let (path, next) = (folder.path().join("c"), folder.path().join("n"));
    let pipe = |path: &Path| mknodat(CWD, path, FileType::Fifo, Mode::RUSR, 0).unwrap();
    pipe(&path);
    let mut watch = Watch::new(vec![path.clone()]);
    assert_eq!(watch.names(), None);
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, line("good")).unwrap();
    assert_eq!(watch.names().unwrap(), ["good"]);
    pipe(&next);
    std::fs::rename(&next, &path).unwrap();
    assert_eq!(watch.names().unwrap(), ["good"]);
}
