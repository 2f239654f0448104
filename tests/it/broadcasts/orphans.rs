//! Programs that outlive their server: ended by the next one, and nothing else is (broadcast.md §7).

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::process::{Child, Command};

use super::air::{SMALL, Studio, impostor};
use super::builder;
use crate::harness::ingest::Manner;
use crate::harness::{eventually, has_tool, skip};

/// The variable that names the server of a program.
const MARK: &str = "SERVERRS_CHILD_OF";
/// A server that is not there: no process has this number.
const NOBODY: &str = "4194305:1";

/// Every FFmpeg that has a word among its arguments; ended with this, if it still runs.
struct Worded(String);

impl Worded {
    fn new(word: &str) -> Self {
        Self(format!("{word}-{}", std::process::id()))
    }

    fn pids(&self) -> Vec<u32> {
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            let program = line.split('\0').next().unwrap_or_default();
            program.ends_with("ffmpeg") && line.contains(&self.0)
        })
        .collect()
    }

    /// A server whose FFmpeg is behind a script that doesn't become it, and has nothing to say when it works on items.
    async fn studio(&self, dir: &Path) -> Option<Studio> {
        let dir = dir.join(&self.0);
        std::fs::create_dir(&dir).unwrap();
        let silent = format!(
            "\"$real\" -v quiet -re -f lavfi -i anullsrc -t 600 -metadata comment={} -f null -\nexit $?",
            self.0
        );
        let program = impostor(&dir, &silent);
        let studio = Studio::with([Manner::Keep], |builder| {
            builder.env("FFMPEG_PATH", &program.to_string_lossy())
        });
        let studio = studio.await?;
        studio.list(&[(SMALL, 30)]).await;
        studio.start(json!({})).await;
        let begun = async || (!self.pids().is_empty()).then_some(());
        eventually("its program", begun).await;
        Some(studio)
    }
}

impl Drop for Worded {
    fn drop(&mut self) {
        for pid in self.pids() {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
            let _is_gone = pid.map(|pid| kill_process(pid, Signal::KILL));
        }
    }
}

/// The mark of this test's own programs, if it were a server.
fn own_mark() -> String {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    let started = rest.split_whitespace().nth(19).unwrap();
    format!("{}:{started}", std::process::id())
}

/// A program of ten minutes with this mark, by other programs that become it.
fn sleeper(by: &[&str], mark: &str) -> Child {
    let mark = format!("{MARK}={mark}");
    let words = [by, &["env", &mark, "sleep", "600"]].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).kill_on_drop(true);
    command.spawn().unwrap()
}

fn is_alive(child: &mut Child) -> bool {
    child.try_wait().unwrap().is_none()
}

#[tokio::test]
async fn programs_that_outlived_their_server_are_ended_by_the_next_one_and_no_others_are() {
    let dir = tempfile::tempdir().unwrap();
    let (left, kept) = (Worded::new("left"), Worded::new("kept"));
    let Some(killed) = left.studio(dir.path()).await else {
        return;
    };
    let Some(_living) = kept.studio(dir.path()).await else {
        return;
    };
    let mut others: Vec<Child> = [own_mark().as_str(), "", "x", "1", "4194305", "4194305:x"]
        .map(|mark| sleeper(&[], mark))
        .into();
    // Numbers mean others there: that of nobody is somebody's here, or the other way round.
    if has_tool("unshare").await {
        others.push(sleeper(&["unshare", "-rpf", "--kill-child"], NOBODY));
    } else {
        skip("unshare", "it is not installed");
    }
    let streams = dir.path().join("streams");
    let run = streams.join("run-4000000-00000000000000aa/00000000000000bb");
    std::fs::create_dir_all(&run).unwrap();

    killed.server().signal("KILL").await;
    let mut orphan = sleeper(&[], NOBODY);
    let next = builder().env("STREAM_TEMP_DIR", &streams.to_string_lossy());
    let next = next.start().await;
    eventually("the end of what was left", async || {
        left.pids().is_empty().then_some(())
    })
    .await;
    let ended = orphan.wait().await.unwrap();
    assert!(!ended.success(), "{ended}");
    assert!(!kept.pids().is_empty(), "that of a living server was ended");
    for other in &mut others {
        assert!(is_alive(other), "{other:?}");
    }
    assert!(!run.exists(), "what the dead run left is still there");
    assert_eq!(next.stop().await.0.code(), Some(0));
}
