//! Programs of others that tests run, and what happens when they are missing.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;

use super::panics::assert_no_panic_in;

/// Longest run of one program.
const PATIENCE: Duration = Duration::from_secs(300);

/// Says that a test can't run here. In `SERVERRS_REQUIRE` (comma list) stands what must not be skipped.
///
/// # Panics
/// `what` must not be skipped.
pub(crate) fn skip(what: &str, reason: &str) {
    let required = std::env::var_os("SERVERRS_REQUIRE").unwrap_or_default();
    let is_required = required
        .to_string_lossy()
        .split(',')
        .any(|name| name.trim() == what);
    assert!(!is_required, "{what} is required, but can't run: {reason}");
    eprintln!("SKIPPED: {what}: {reason}");
}

/// What others see of a process in a file of its `/proc`. `None`, said aloud, where only root may look: no other process of
/// its user looks into a server (reliability R6.6).
///
/// # Panics
/// It is not there any more.
pub(crate) fn seen_of(pid: u32, file: &str) -> Option<String> {
    let path = format!("/proc/{pid}/{file}");
    match std::fs::read(&path) {
        Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            skip("root", &format!("only root may read {path} of a server"));
            None
        }
        Err(error) => panic!("{path}: {error}"),
    }
}

/// Whether proofs run in full (`SERVERRS_PROOFS=full`): every case, not the part that fits into every run.
pub(crate) fn is_long_form() -> bool {
    std::env::var_os("SERVERRS_PROOFS").is_some_and(|form| form == "full")
}

/// Whether a program can be started.
pub(crate) async fn has_tool(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg(match program {
        // They take two dashes for an option that doesn't exist, and fail.
        "ffmpeg" | "ffprobe" => "-version",
        _ => "--version",
    });
    output(command)
        .await
        .is_some_and(|output| output.status.success())
}

/// Whether a server can have file systems of its own here; if not, it is said aloud.
pub(crate) async fn can_mount(dir: &Path) -> bool {
    let mount = "-rm mount -t tmpfs none .";
    let mounted = run("unshare", mount.split_whitespace(), &BTreeMap::new(), dir).await;
    let is_mounted = mounted.status.success();
    if !is_mounted {
        skip("mountns", &String::from_utf8_lossy(&mounted.stderr));
    }
    is_mounted
}

/// Runs a program with these variables, and no others besides `PATH` and `HOME`, in `dir`.
///
/// # Panics
/// It can't be started, doesn't end in time, or panics.
pub(crate) async fn run<A: AsRef<OsStr>>(
    program: impl AsRef<OsStr>,
    arguments: impl IntoIterator<Item = A>,
    variables: &BTreeMap<&str, String>,
    dir: &Path,
) -> Output {
    let program = program.as_ref();
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", dir)
        .envs(variables)
        .current_dir(dir);
    let output = output(command)
        .await
        .unwrap_or_else(|| panic!("{} doesn't run", program.display()));
    assert_no_panic_in(&String::from_utf8_lossy(&output.stderr));
    output
}

async fn output(mut command: Command) -> Option<Output> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    tokio::time::timeout(PATIENCE, command.output())
        .await
        .ok()?
        .ok()
}

/// Chromium without a window and without errands of its own, which keeps its files in `profile` and is ended with its
/// handle. What it writes goes nowhere unless the caller says otherwise.
pub(crate) fn chromium(profile: &Path) -> Command {
    let mut command = Command::new("chromium");
    command
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-proxy-server",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .env("HOME", profile)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command
}

/// A Python environment below `target`, made once for each set of packages.
pub(crate) struct PythonEnv {
    dir: PathBuf,
}

impl PythonEnv {
    /// Makes the environment if it isn't there yet.
    ///
    /// # Errors
    /// Why it can't be made: no Python, no `venv`, no way to the package index.
    pub(crate) async fn with(name: &str, packages: &[&str]) -> Result<Self, String> {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name(name);
        let done = dir.join("complete");
        if done.exists() {
            return Ok(Self { dir });
        }
        if !has_tool("python3").await {
            return Err("python3 is not installed".to_owned());
        }
        // Made aside and moved: another test process may be doing the same.
        let aside = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).map_err(|e| e.to_string())?;
        let made = Self {
            dir: aside.path().join("venv"),
        };
        step(Command::new("python3").args(["-m", "venv"]).arg(&made.dir)).await?;
        let mut pip = Command::new(made.python());
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]);
        step(pip.args(packages)).await?;
        tokio::fs::write(made.dir.join("complete"), "")
            .await
            .map_err(|e| e.to_string())?;
        if tokio::fs::rename(&made.dir, &dir).await.is_err() && !done.exists() {
            return Err(format!("{} is in the way", dir.display()));
        }
        Ok(Self { dir })
    }

    /// The interpreter.
    pub(crate) fn python(&self) -> PathBuf {
        self.dir.join("bin/python")
    }
}

async fn step(command: &mut Command) -> Result<(), String> {
    let output = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| error.to_string())?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        return Ok(());
    }
    Err(stderr
        .lines()
        .last()
        .unwrap_or("it failed without a word")
        .to_owned())
}
