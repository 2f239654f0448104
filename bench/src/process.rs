//! Child processes: started, looked at through `/proc`, and ended by their ids.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::Result;

/// How often memory is looked at.
const SAMPLE: Duration = Duration::from_millis(200);
/// Time to end after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(5);

/// A child and its children, ended with this value at the latest.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    id: u32,
}

impl Process {
    /// Starts `command`; what it has to say goes to `log`.
    pub(crate) fn start(mut command: Command, log: &Path) -> Result<Self> {
        let log = fs::File::create(log)?;
        command.stderr(log).kill_on_drop(true);
        let child = command
            .spawn()
            .map_err(|error| format!("{:?}: {error}", command.as_std().get_program()))?;
        let id = child.id().ok_or("the child has ended already")?;
        Ok(Self { child, id })
    }

    /// Standard output, once, if it was piped.
    pub(crate) fn output(&mut self) -> Option<tokio::process::ChildStdout> {
        self.child.stdout.take()
    }

    /// Its id, for a profiler.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// CPU time of the family so far, with that of children that have ended.
    pub(crate) fn cpu(&self) -> Duration {
        family(self.id).into_iter().map(cpu).sum()
    }

    /// Resident bytes of the family.
    pub(crate) fn resident(&self) -> u64 {
        resident(self.id)
    }

    /// Resident bytes of the process alone.
    pub(crate) fn own_resident(&self) -> u64 {
        status_bytes(self.id, "VmRSS:")
    }

    /// Largest resident bytes of the process alone, ever.
    pub(crate) fn peak(&self) -> u64 {
        status_bytes(self.id, "VmHWM:")
    }

    /// Programs that it has started and that run.
    pub(crate) fn children(&self) -> usize {
        family(self.id).len() - 1
    }

    /// Begins to look at the memory, until dropped.
    pub(crate) fn watch(&self) -> Watch {
        self.watch_every(SAMPLE)
    }

    /// As [`Process::watch`], at another pace.
    pub(crate) fn watch_every(&self, sample: Duration) -> Watch {
        let peak = Arc::new(AtomicU64::new(0));
        let (id, seen) = (self.id, Arc::clone(&peak));
        let task = tokio::spawn(async move {
            let mut tick = tokio::time::interval(sample);
            loop {
                tick.tick().await;
                seen.fetch_max(resident(id), Ordering::Relaxed);
            }
        });
        Watch { peak, task }
    }

    /// Asks it to end, and waits.
    pub(crate) async fn stop(self) -> Result<()> {
        self.end().await.map(drop)
    }

    /// As [`Process::stop`]; whether it ended by itself and says that all was well.
    pub(crate) async fn end(mut self) -> Result<bool> {
        if let Some(pid) = i32::try_from(self.id).ok().and_then(Pid::from_raw) {
            kill_process(pid, Signal::TERM)?;
        }
        if let Ok(ended) = tokio::time::timeout(PATIENCE, self.child.wait()).await {
            return Ok(ended?.success());
        }
        self.child.kill().await?;
        Ok(false)
    }
}

/// Memory over a time.
#[derive(Debug)]
pub(crate) struct Watch {
    peak: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Watch {
    /// Most resident bytes seen.
    pub(crate) fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The process and its children (nginx has one master and its workers); each thread has a list of those that it made.
fn family(id: u32) -> Vec<u32> {
    let mut family = vec![id];
    let tasks = fs::read_dir(format!("/proc/{id}/task"));
    for task in tasks.into_iter().flatten().flatten() {
        let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        let children = children.split_ascii_whitespace();
        family.extend(children.filter_map(|child| child.parse::<u32>().ok()));
    }
    family
}

/// proc_pid_stat(5): utime and stime are fields 14 and 15, those of children that were waited for 16 and 17, in ticks.
fn cpu(id: u32) -> Duration {
    times(id, 11..15)
}

/// The sum of these fields behind the name, in ticks.
fn times(id: u32, fields: std::ops::Range<usize>) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 = after_name
        .split_ascii_whitespace()
        .skip(fields.start)
        .take(fields.len())
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// CPU time of this program's own children that have ended.
pub(crate) fn children_cpu() -> Duration {
    times(std::process::id(), 13..15)
}

fn resident(id: u32) -> u64 {
    family(id)
        .into_iter()
        .map(|id| status_bytes(id, "VmRSS:"))
        .sum()
}

fn status_bytes(id: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes =
        line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}
