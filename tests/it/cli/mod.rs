//! The command line of the shipped binary: what it prints, writes and returns, against the simulated upstream.

mod doctor;
mod formats;
mod info;
mod papers;
mod refusals;
mod resume;
mod save;
mod streams;
mod terminal;

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::harness::upstream::tiktok::{Item, Post};
use crate::harness::upstream::{Fault, Media, Rule, Upstream, World};
use crate::harness::{KEY, address, assert_no_panic_in};

/// Longest run of one command; generous, because machines are busy.
const PATIENCE: Duration = Duration::from_secs(120);
const ID: &str = "7524919459643919701";
/// What a video of [`Item::video`] is called, and where the file lies that is picked by default.
const SAVED: &str = "harbour.keeper_7524919459643919701.mp4";
const DEFAULT_FILE: &str = "/video/bitrateInfo/1/PlayAddr/UrlList/0";

/// The simulated sites, and a folder to run commands in.
struct Bench {
    upstream: Upstream,
    dir: TempDir,
}

/// How a command ended.
#[derive(Debug)]
struct Done {
    code: Option<i32>,
    stdout: Vec<u8>,
    stderr: String,
}

impl Bench {
    async fn open() -> Self {
        Self {
            upstream: Upstream::start().await,
            dir: TempDir::new().expect("temporary directory"),
        }
    }

    /// With the video of [`Item::video`]; returns its address too.
    async fn with_video() -> (Self, Item, String) {
        let bench = Self::open().await;
        let item = Item::video(ID);
        let url = bench.serve(&item);
        (bench, item, url)
    }

    fn world(&self) -> &World {
        &self.upstream.world
    }

    fn serve(&self, item: &Item) -> String {
        let post = Post::new(item);
        let url = post.url();
        post.serve(self.world());
        url
    }

    /// No file of any post is given out any more.
    fn refuse_files(&self) {
        for path in ["/video/tos/", "/aweme/"] {
            let refusal = Rule::path_prefix(path, Fault::Status(403));
            self.world().fault(refusal);
        }
    }

    /// The file behind the address at a pointer of an item.
    fn file(&self, item: &Item, pointer: &str) -> Media {
        self.world().media_at(&address(item, pointer))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The names in the folder, hidden ones aside.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir.path()).expect("the folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let names = names.map(|name| name.into_string().expect("a name"));
        let mut names: Vec<_> = names.filter(|name| !name.starts_with('.')).collect();
        names.sort();
        names
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.under(env!("CARGO_BIN_EXE_serverrs"), arguments)
    }

    /// Another program with the same surroundings.
    fn under(&self, program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir.path())
            .env("ENCRYPTION_KEY", KEY)
            .env("PROXY", self.upstream.proxy_url())
            .env("EXTRA_CA_FILE", self.upstream.ca_file())
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    async fn run(&self, arguments: &[&str]) -> Done {
        ended(self.command(arguments)).await
    }

    fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments)
            .spawn()
            .expect("the binary under test")
    }
}

async fn ended(mut command: Command) -> Done {
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    Done::of(output.expect("in time").expect("the binary under test"))
}

impl Done {
    fn of(output: Output) -> Self {
        let stderr = String::from_utf8(output.stderr).expect("text");
        assert_no_panic_in(&stderr);
        Self {
            code: output.status.code(),
            stdout: output.stdout,
            stderr,
        }
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("text")
    }

    #[track_caller]
    fn assert_code(&self, code: i32) {
        let text = String::from_utf8_lossy(&self.stdout[..self.stdout.len().min(4096)]);
        assert_eq!(self.code, Some(code), "{}\n{text}", self.stderr);
    }
}

/// Sends a signal by name.
async fn signal(child: &Child, name: &str) {
    let pid = child.id().expect("a running process").to_string();
    let status = Command::new("kill").args(["-s", name, &pid]).status().await;
    assert!(status.expect("kill").success());
}

/// Bytes of a file that may not be there yet.
fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |found| found.len())
}
