//! The server's memory stays in the server: nothing of it in a core file, and nothing for other processes of its user, while
//! it counts its own open files as ever.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::harness::upstream::Upstream;
use crate::harness::{Builder, ENCODERS, eventually, has_tool, skip};
use crate::raw::h1::Raw;

/// Becomes a program that may leave a core file of any size.
const WITH_CORES: [&str; 4] = ["sh", "-c", "ulimit -S -c unlimited && exec \"$@\"", "sh"];
/// Becomes a program of an unprivileged user.
const UNPRIVILEGED: [&str; 8] = [
    "setpriv",
    "--reuid",
    "65532",
    "--regid",
    "65532",
    "--clear-groups",
    "--no-new-privs",
    "--bounding-set=-all",
];

fn command(words: &[&str], dir: &Path) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).current_dir(dir);
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Ends a program by the signal that makes a core file.
async fn quit(child: &mut Child) -> ExitStatus {
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    let id = id.and_then(Pid::from_raw).expect("a running program");
    kill_process(id, Signal::QUIT).expect("a signal");
    child.wait().await.expect("its end")
}

/// Whether another program, with the same limits, leaves a core file here.
async fn are_cores_made() -> bool {
    let dir = tempfile::tempdir().expect("a folder");
    let words = [&WITH_CORES[..], &["sleep", "600"]].concat();
    let Ok(mut other) = command(&words, dir.path()).spawn() else {
        return false;
    };
    // It is the program, no longer the shell, once that is its name; the shell that can't ends.
    let comm = format!("/proc/{}/comm", other.id().expect("a running program"));
    while std::fs::read_to_string(&comm).is_ok_and(|name| name.trim() != "sleep") {
        if other.try_wait().expect("its state").is_some() {
            return false;
        }
        tokio::task::yield_now().await;
    }
    quit(&mut other).await.core_dumped()
}

#[tokio::test]
async fn server_leaves_no_core_file() {
    let mut builder = Builder::offline();
    let are_made = are_cores_made().await;
    if are_made {
        builder = builder.under(&WITH_CORES);
    } else {
        skip("cores", "no program leaves a core file here");
    }
    let mut server = builder.start().await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.pid()));
    let limits = limits.expect("its limits");
    let of_cores = limits
        .lines()
        .find(|line| line.starts_with("Max core file"));
    let words: Vec<&str> = of_cores.expect("the limit").split_whitespace().collect();
    assert_eq!(words[4..], ["0", "0", "bytes"], "{limits}");
    server.signal("QUIT").await;
    let status = server.wait().await;
    assert_eq!(status.signal(), Some(Signal::QUIT.as_raw()), "{status}");
    assert!(!status.core_dumped(), "{status}");
}

/// Whether an unprivileged user may read the environment of a process.
async fn is_open(pid: u32, dir: &Path) -> bool {
    let environ = format!("/proc/{pid}/environ");
    let words = [&UNPRIVILEGED[..], &["cat", &environ]].concat();
    let read = command(&words, dir).output().await.expect("cat");
    let said = String::from_utf8_lossy(&read.stderr);
    assert!(
        read.status.success() || said.contains("ermission denied"),
        "{said}"
    );
    read.status.success()
}

#[tokio::test]
async fn server_of_another_user_sees_itself_and_is_seen_by_nobody() {
    if !(rustix::process::geteuid().is_root() && has_tool("setpriv").await) {
        skip("setpriv", "it takes root and setpriv");
        return;
    }
    let upstream = Upstream::start().await;
    let opened = "chmod 755 . \"$(dirname \"$EXTRA_CA_FILE\")\"; chmod 666 children; mkdir -m 777 temp; exec \"$@\"";
    let under = [&["sh", "-c", opened, "sh"], &UNPRIVILEGED[..]].concat();
    let server = Builder::new(&upstream)
        .ffmpeg_with(&ENCODERS)
        .under(&under)
        .start()
        .await;
    // Any other process of that user can be looked into.
    let words = [&UNPRIVILEGED[..], &["sleep", "600"]].concat();
    let other = command(&words, server.dir()).spawn().expect("setpriv");
    let other_id = other.id().expect("a running program");
    let comm = format!("/proc/{other_id}/comm");
    while std::fs::read_to_string(&comm).expect("it runs").trim() != "sleep" {
        tokio::task::yield_now().await;
    }
    assert!(is_open(other_id, server.dir()).await);
    assert!(!is_open(server.pid(), server.dir()).await);
    // It sees itself, and starts its programs, all the same.
    let health = server.api().get("/health").await.json();
    assert!(
        health["file_descriptors"]["current"].as_u64() > Some(3),
        "{health:#}"
    );
    assert!(
        health["memory"]["rss_bytes"].as_u64() > Some(0),
        "{health:#}"
    );
    assert_eq!(health["ffmpeg"], true, "{health:#}");
    let metrics = server.api().get("/metrics").await;
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    let figure = |name: &str| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|value| value.trim().parse::<f64>().ok())
    };
    assert!(figure("process_open_fds ") > Some(3.0), "{metrics}");
    // What it says is so: by this figure tests count where they may not look.
    let fds = format!("/proc/{}/fd", server.pid());
    eventually("as many files as it says", async || {
        let mut asking = Raw::connect(server.base()).await;
        let told = asking.metric("process_open_fds").await;
        let seen = std::fs::read_dir(&fds).expect("its files").count();
        (told == seen).then_some(())
    })
    .await;
    assert!(
        figure("process_resident_memory_bytes ") > Some(0.0),
        "{metrics}"
    );
}
