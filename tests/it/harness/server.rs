//! The server under test: the shipped binary as a child process, with nothing of the tester's surroundings.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, PipeReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::api::Api;
use super::canary::{Canaries, Overheard};
use super::panics::assert_no_panic_in;
use super::upstream::Upstream;

/// Time for start and stop; generous, because test machines are busy.
const PATIENCE: Duration = Duration::from_secs(30);
/// Time that a server has to cut what it does when the test is over.
const END_PATIENCE: Duration = Duration::from_secs(10);
/// What stands before the address in the line that the server prints when it is up, and in the log for machines, where
/// that line is all there is.
const LISTENING: &str = "listening on ";
const LISTENING_JSON: &str = r#""message":"listening""#;
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
    secrets: Vec<String>,
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
            secrets: Vec::new(),
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

    /// Names a secret that stands in no variable and no file as it is.
    pub(crate) fn secret(mut self, secret: &str) -> Self {
        self.secrets.push(secret.to_owned());
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
        server.canaries.assert_long_enough();
        let address = server.listening().await;
        server.api = Some(Api::new(&address));
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
        let folder = self.dir.path();
        let canaries = Canaries::of(folder, &self.variables, self.given, self.secrets);
        let named = self.variables.get(FFMPEG_PATH).map(String::as_str);
        let overheard = Overheard::begin(folder, named);
        if let Some(overheard) = &overheard {
            let program = overheard.program.to_string_lossy().into_owned();
            self.variables.insert(FFMPEG_PATH.to_owned(), program);
        }
        let mut words = self.under;
        words.push(env!("CARGO_BIN_EXE_serverrs").to_owned());
        let (pipe, writer) = std::io::pipe().expect("a pipe");
        let child = Command::new(&words[0])
            .args(&words[1..])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", folder)
            .envs(&self.variables)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(writer.try_clone().expect("a pipe"))
            .stderr(writer)
            .kill_on_drop(true)
            .spawn()
            .expect("the binary under test");
        let output = Output::default();
        TestServer {
            child,
            ended: output.read(pipe),
            output,
            api: None,
            canaries: canaries.watched(),
            overheard,
            logs_json: self
                .variables
                .get("LOG_FORMAT")
                .is_some_and(|format| format == "json"),
            dir: self.dir,
        }
    }
}

/// Lines of both outputs, in the order of their arrival.
#[derive(Clone, Default)]
struct Output {
    lines: Arc<Mutex<Vec<String>>>,
    progress: watch::Sender<Progress>,
}

/// How far the outputs were read.
#[derive(Debug, Default)]
struct Progress {
    lines: usize,
    is_ended: bool,
}

impl Output {
    /// Reads to the end, on a thread of its own, so that it goes on while the test is at its end. What is returned is
    /// disconnected then.
    fn read(&self, pipe: PipeReader) -> mpsc::Receiver<()> {
        let output = self.clone();
        let (reading, ended) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n') {
                let line = String::from_utf8_lossy(&line.expect("output")).into_owned();
                output.lines.lock().expect("lines").push(line);
                output.progress.send_modify(|progress| progress.lines += 1);
            }
            output
                .progress
                .send_modify(|progress| progress.is_ended = true);
            drop(reading);
        });
        ended
    }

    fn find(&self, part: &str) -> Option<String> {
        let lines = self.lines.lock().expect("lines");
        lines.iter().find(|line| line.contains(part)).cloned()
    }
}

/// A server that is running. It is ended when dropped; a secret that it has printed, written or told a child by then
/// fails the test, and so does a panic.
pub(crate) struct TestServer {
    child: Child,
    output: Output,
    ended: mpsc::Receiver<()>,
    api: Option<Api>,
    canaries: Arc<Canaries>,
    overheard: Option<Overheard>,
    logs_json: bool,
    dir: TempDir,
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        // Once before files are taken away, and once with what is written last.
        let written = self.canaries.found_below(self.dir.path());
        self.end();
        let written = written.or_else(|| self.canaries.found_below(self.dir.path()));
        assert!(written.is_none(), "written by the server: {written:?}");
        let logs = self.logs();
        let printed = self.canaries.found_inside(&logs);
        assert!(printed.is_none(), "printed by the server: {printed:?}");
        assert_no_panic_in(&logs);
        let told = self.overheard.as_ref().map(Overheard::text);
        let told = self.canaries.found_inside(&told.unwrap_or_default());
        assert!(told.is_none(), "told to a child: {told:?}");
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

    /// Fails unless a line contains `part`: what was printed before an answer may come after it.
    pub(crate) async fn assert_logged(&self, part: &str) {
        super::eventually(part, async || self.output.find(part).map(drop)).await;
    }

    /// Returns the first line that contains `part`, when there is one.
    ///
    /// # Panics
    /// None comes in time, or the server ends without.
    pub(crate) async fn wait_for_log(&mut self, part: &str) -> String {
        let output = self.output.clone();
        let mut progress = output.progress.subscribe();
        let found = async {
            loop {
                if let Some(line) = output.find(part) {
                    return line;
                }
                // What it printed last may still be on its way when it has ended.
                if progress.borrow_and_update().is_ended {
                    return output.find(part).unwrap_or_default();
                }
                progress.changed().await.expect("the sender lives here");
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

    async fn outputs_ended(&self) {
        let mut progress = self.output.progress.subscribe();
        let ended = progress.wait_for(|progress| progress.is_ended).await;
        ended.expect("the sender lives here");
    }

    /// Ends it and waits until all that it has printed is here, without a runtime.
    fn end(&mut self) {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok());
        let Some(pid) = pid.and_then(Pid::from_raw) else {
            return;
        };
        // The second one cuts what is under way, the third one ends what doesn't listen.
        for signal in [Signal::TERM, Signal::INT, Signal::KILL] {
            let _is_gone = kill_process(pid, signal);
            let patience = if signal == Signal::TERM {
                Duration::ZERO
            } else {
                END_PATIENCE
            };
            if self.ended.recv_timeout(patience) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
        }
    }

    async fn listening(&mut self) -> String {
        if self.logs_json {
            let line = self.wait_for_log(LISTENING_JSON).await;
            let line: serde_json::Value = serde_json::from_str(&line).expect("JSON");
            let field = |name: &str| line["fields"][name].as_str().expect("a field");
            return format!("{}://{}", field("scheme"), field("address"));
        }
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
