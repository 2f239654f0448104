//! Files that are read again while the server runs.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// Opens a regular file for reading.
///
/// Whatever else lies there is refused and not waited for: opening a pipe ends when somebody writes to it (`open`,
/// POSIX.1-2024), which may be never, and a device may never end. What was opened is what is judged, so that nothing can
/// take the file's place in between.
///
/// # Errors
/// It can't be opened, or is no regular file.
pub fn open_regular(path: &Path) -> io::Result<File> {
    // Without meaning for a regular file once it is open. No terminal becomes this process's own either.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::io::retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()))?;
    let file = File::from(file);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("is no regular file"));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::net::UnixListener;

    use rustix::fs::{CWD, FileType, mknodat};

    use super::*;

    #[test]
    fn only_regular_files_are_opened_and_nothing_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "content").unwrap();
        std::os::unix::fs::symlink("file", at("link")).unwrap();
        for name in ["file", "link"] {
            let mut text = String::new();
            let mut file = open_regular(&at(name)).unwrap();
            file.read_to_string(&mut text).unwrap();
            assert_eq!(text, "content", "{name}");
        }
        mknodat(CWD, at("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        std::os::unix::fs::symlink("pipe", at("link-to-pipe")).unwrap();
        std::fs::create_dir(at("folder")).unwrap();
        for path in [
            at("pipe"),
            at("link-to-pipe"),
            at("folder"),
            "/dev/zero".into(),
        ] {
            let error = open_regular(&path).unwrap_err();
            assert_eq!(error.to_string(), "is no regular file", "{path:?}");
        }
        let _listener = UnixListener::bind(at("socket")).unwrap();
        assert!(open_regular(&at("socket")).is_err());
        let missing = open_regular(&at("missing")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }
}
