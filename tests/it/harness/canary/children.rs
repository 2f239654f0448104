//! What every FFmpeg of a server was told, in its arguments and its environment.

use std::fs::{File, Permissions};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use tokio::net::unix::pipe::{OpenOptions, Receiver};
use tokio_util::task::AbortOnDropHandle;

/// Where children leave their words and surroundings, below the server's folder. A pipe: they may write no files.
const CHILDREN: &str = "children";
/// The program in front of FFmpeg, there too.
const LISTENER: &str = "ffmpeg-overheard";

/// A program in front of FFmpeg, and what it has told.
pub(crate) struct Overheard {
    /// The program to be run in place of FFmpeg; it tells, and becomes it.
    pub(crate) program: PathBuf,
    text: Arc<Mutex<Vec<u8>>>,
    rest: File,
    _task: AbortOnDropHandle<()>,
}

impl Overheard {
    /// Begins to listen below a server's folder, before the program that the test has named or the one that is installed;
    /// `None` when it isn't one that can be run.
    pub(crate) fn begin(folder: &Path, named: Option<&str>) -> Option<Self> {
        let ffmpeg = named.map_or_else(installed, |named| Some(PathBuf::from(named)))?;
        let facts = ffmpeg.metadata().ok()?;
        if !facts.is_file() || facts.permissions().mode() & 0o111 == 0 {
            return None;
        }
        let pipe = folder.join(CHILDREN);
        let mode = Mode::RUSR | Mode::WUSR;
        mknodat(CWD, &pipe, FileType::Fifo, mode, 0).expect("a pipe");
        // Open for writing too, so that it never ends.
        let receiver = OpenOptions::new().read_write(true).open_receiver(&pipe);
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let rest = rustix::fs::open(&pipe, flags, Mode::empty()).expect("a pipe");
        let script = format!(
            "#!/bin/sh\n{{ printf '%s\\n' \"$@\"; export -p; }} >'{}'\nexec '{}' \"$@\"\n",
            pipe.display(),
            ffmpeg.display()
        );
        let program = folder.join(LISTENER);
        std::fs::write(&program, script).expect("a program");
        std::fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("mode");
        let text = Arc::<Mutex<Vec<u8>>>::default();
        let task = crate::harness::spawn(listen(receiver.expect("a pipe"), Arc::clone(&text)));
        Some(Self {
            program,
            text,
            rest: rest.into(),
            _task: AbortOnDropHandle::new(task),
        })
    }

    /// Everything so far.
    pub(crate) fn text(&self) -> String {
        let mut text = self.text.lock().expect("what was told");
        // What is left behind what was read ends where waiting would begin.
        let _would_wait = (&self.rest).read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// FFmpeg where programs are looked for.
fn installed() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut programs = std::env::split_paths(&path).map(|folder| folder.join("ffmpeg"));
    programs.find(|program| program.is_file())
}

async fn listen(pipe: Receiver, text: Arc<Mutex<Vec<u8>>>) {
    let mut buffer = vec![0; 64 * 1024];
    while pipe.readable().await.is_ok() {
        let mut text = text.lock().expect("what was told");
        if let Ok(count) = pipe.try_read(&mut buffer) {
            text.extend_from_slice(&buffer[..count]);
        }
    }
}
