//! The server under test: the shipped binary as a child process, with nothing of the tester's surroundings.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::api::Api;
use super::canary::{Canaries, Overheard};
use super::upstream::Upstream;

/// Time for start and stop; generous, because test machines are busy.
const PATIENCE: Duration = Duration::from_secs(30);
/// What stands before the address in the line that the server prints when it is up.
const LISTENING: &str = "listening on ";
/// Names the program that makes media.
const FFMPEG_PATH: &str = "FFMPEG_PATH";
/// The encoders that the server needs for everything.
pub(crate) const ENCODERS: [&str; 3] = ["libx264", "aac", "libmp3lame"];
/// A key for links that passes the server's checks; as good as public, since it stands here.
pub(crate) const KEY: &str = "a-key-for-tests-only-8Hq2vXwZ4pLm";

/// Settings of a server to be started.
pub(crate) struct Builder {
    variables: BTreeMap<String, String>,
    under: Vec<String>,
    given: BTreeSet<PathBuf>,
    dir: TempDir,
}

impl Builder {
    /// A server whose way out is the simulated upstream.
    pub(crate) fn new(upstream: &Upstream) -> Self {
        Self::offline()
            .env("PROXY", &upstream.proxy_url())
            .env("EXTRA_CA_FILE", &upstream.ca_file().to_string_lossy())
    }

    /// A server without any settings for its way out.
    pub(crate) fn offline() -> Self {
        let dir = TempDir::new().expect("temporary directory");
        let temp = dir.path().join("temp");
        Self {
            variables: BTreeMap::new(),
            under: Vec::new(),
            given: BTreeSet::new(),
            dir,
        }
        .env("HOST", "127.0.0.1")
        .env("PORT", "0")
        .env("ENCRYPTION_KEY", KEY)
        .env("TEMP_DIR", &temp.to_string_lossy())
        .env("RUST_LOG", "trace")
    }

    /// Sets a variable, in place of the harness's own value.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Starts the server by another program, which gets the server as its last argument and becomes it.
    pub(crate) fn under(mut self, program: &[&str]) -> Self {
        self.under = program.iter().map(|part| (*part).to_owned()).collect();
        self
    }

    /// Takes a variable away.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.variables.remove(name);
        self
    }

    /// Writes a file below the server's working directory (`.env`, `cookies/…`).
    pub(crate) fn file(mut self, name: &str, content: &str) -> Self {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folder");
        std::fs::write(&path, content).expect("file");
        self.given.insert(path);
        self
    }

    /// Gives the server a program that says of itself to be an FFmpeg with these encoders, and can do nothing: what is
    /// offered doesn't depend on the machine then.
    pub(crate) fn ffmpeg_with(self, encoders: &[&str]) -> Self {
        let lines: Vec<_> = encoders
            .iter()
            .map(|encoder| format!(" V..... {encoder} its name"))
            .collect();
        let script = format!("#!/bin/sh\necho ' ------\n{}'\n", lines.join("\n"));
        let server = self.file("ffmpeg-stand-in", &script);
        let path = server.dir.path().join("ffmpeg-stand-in");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("mode");
        server.env(FFMPEG_PATH, &path.to_string_lossy())
    }

    /// Starts the server and waits until it listens.
    ///
    /// # Panics
    /// It ends instead, or doesn't listen in time.
    pub(crate) async fn start(self) -> TestServer {
        let mut server = self.spawn();
        let address = server.listening().await;
        server.api = Some(Api::new(&address).without(&server.canaries));
        server
    }

    /// Runs the server and waits for its end: for settings that it must refuse.
    pub(crate) async fn run_to_end(self) -> (ExitStatus, String) {
        let mut server = self.spawn();
        let status = server.wait().await;
        server.outputs_ended().await;
        (status, server.logs())
    }

    fn spawn(mut self) -> TestServer {
        let canaries = Arc::new(Canaries::of(&self.variables, self.given));
        let is_named = self.variables.contains_key(FFMPEG_PATH);
        let overheard = Overheard::begin(self.dir.path()).filter(|_| !is_named);
        if let Some(overheard) = &overheard {
            let program = overheard.program.to_string_lossy().into_owned();
            self.variables.insert(FFMPEG_PATH.to_owned(), program);
        }
        let mut words = self.under;
        words.push(env!("CARGO_BIN_EXE_serverrs").to_owned());
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir.path())
            .envs(&self.variables)
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary under test");
        let output = Output::default();
        let readers = vec![
            output.read(child.stdout.take().expect("stdout")),
            output.read(child.stderr.take().expect("stderr")),
        ];
        TestServer {
            child,
            output,
            readers,
            api: None,
            canaries,
            overheard,
            dir: self.dir,
        }
    }
}

/// Lines of both outputs, in the order of their arrival.
#[derive(Clone)]
struct Output {
    lines: Arc<Mutex<Vec<String>>>,
    count: watch::Sender<usize>,
}

impl Default for Output {
    fn default() -> Self {
        Self {
            lines: Arc::default(),
            count: watch::Sender::new(0),
        }
    }
}

impl Output {
    fn read(&self, pipe: impl AsyncRead + Send + Unpin + 'static) -> tokio::task::JoinHandle<()> {
        let output = self.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(pipe).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                output.lines.lock().expect("lines").push(line);
                output.count.send_modify(|count| *count += 1);
            }
        })
    }

    fn find(&self, part: &str) -> Option<String> {
        let lines = self.lines.lock().expect("lines");
        lines.iter().find(|line| line.contains(part)).cloned()
    }
}

/// A server that is running. It is killed when dropped; a secret that it has printed, written or told a child by then
/// fails the test.
pub(crate) struct TestServer {
    child: Child,
    output: Output,
    readers: Vec<tokio::task::JoinHandle<()>>,
    api: Option<Api>,
    canaries: Arc<Canaries>,
    overheard: Option<Overheard>,
    dir: TempDir,
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let logs = self.logs();
        if let Some(secret) = self.canaries.found_in(&logs) {
            let line = logs.lines().find(|line| line.contains(secret));
            panic!("printed by the server: {}", line.unwrap_or_default());
        }
        if let Some(found) = self.canaries.found_below(self.dir.path()) {
            panic!("written by the server: {found}");
        }
        let told = self.overheard.as_ref().map(Overheard::text);
        if let Some(secret) = self.canaries.found_in(&told.unwrap_or_default()) {
            panic!("told to a child: {secret}");
        }
    }
}

impl TestServer {
    /// A server on the simulated upstream, with the harness's settings.
    pub(crate) async fn start(upstream: &Upstream) -> Self {
        Builder::new(upstream).start().await
    }

    /// A client for it.
    pub(crate) fn api(&self) -> &Api {
        self.api.as_ref().expect("a started server")
    }

    /// `http://127.0.0.1:<port>`.
    pub(crate) fn base(&self) -> &str {
        self.api().base()
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("a running process")
    }

    /// Its working directory.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Everything printed so far, both outputs.
    pub(crate) fn logs(&self) -> String {
        self.output.lines.lock().expect("lines").join("\n")
    }

    /// Returns the first line that contains `part`, when there is one.
    ///
    /// # Panics
    /// None comes in time, or the server ends without.
    pub(crate) async fn wait_for_log(&mut self, part: &str) -> String {
        let output = self.output.clone();
        let mut count = output.count.subscribe();
        let found = async {
            loop {
                if let Some(line) = output.find(part) {
                    return line;
                }
                tokio::select! {
                    changed = count.changed() => changed.expect("the sender lives here"),
                    _ = self.child.wait() => {
                        join_all(&mut self.readers).await;
                        return output.find(part).unwrap_or_default();
                    }
                }
            }
        };
        let line = tokio::time::timeout(PATIENCE, found)
            .await
            .unwrap_or_default();
        assert!(
            !line.is_empty(),
            "no line with `{part}`; the server printed:\n{}",
            self.logs()
        );
        line
    }

    /// Asks the server to stop (SIGTERM) and waits for its end.
    pub(crate) async fn stop(mut self) -> (ExitStatus, String) {
        self.signal("TERM").await;
        let status = self.wait().await;
        self.outputs_ended().await;
        (status, self.logs())
    }

    /// Sends a signal by name.
    pub(crate) async fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.pid().to_string())
            .status()
            .await
            .expect("kill");
        assert!(status.success(), "kill -{name}: {status}");
    }

    /// Waits for the server's end.
    ///
    /// # Panics
    /// It goes on.
    pub(crate) async fn wait(&mut self) -> ExitStatus {
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        assert!(
            status.is_ok(),
            "the server doesn't end; it printed:
{}",
            self.logs()
        );
        // What it printed last may still be on its way through the pipes.
        self.outputs_ended().await;
        status.expect("in time").expect("exit status")
    }

    async fn outputs_ended(&mut self) {
        join_all(&mut self.readers).await;
    }

    async fn listening(&mut self) -> String {
        let line = self.wait_for_log(LISTENING).await;
        let (_, address) = line
            .split_once(LISTENING)
            .expect("the line was found by it");
        address
            .split_whitespace()
            .next()
            .expect("an address")
            .to_owned()
    }
}

async fn join_all(readers: &mut Vec<tokio::task::JoinHandle<()>>) {
    for reader in readers.drain(..) {
        reader.await.expect("output reader");
    }
}
