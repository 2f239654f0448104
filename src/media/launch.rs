//! Between our process and FFmpeg: the child bounds itself before it becomes the program.
//!
//! What a child may use can only be set from inside it. Running code of ours between `fork` and `exec` would need
//! `unsafe`, so the child is this very program, called as `serverrs launch`, which sets the limits and is then replaced
//! (reliability R3.8). The end of its parent kills it, so that a killed server leaves no FFmpeg behind.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;

use rustix::process::{Pid, Resource, Rlimit, Signal, getppid, setrlimit};

/// Steps by which a child is nicer than the server: transfers go before renderings.
const NICENESS: i32 = 5;
/// Share of `oom_score_adj` (-1000 to 1000): when memory runs out, a child goes before the server.
const OOM_SCORE: &str = "500";
/// Open files that a child may have; FFmpeg needs its inputs, its output and the shared libraries' none.
const MAX_FILES: u64 = 64;

/// What a child may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Seconds of processor time, over all threads.
    pub cpu_seconds: u64,
    /// Bytes of address space; FFmpeg's own libraries take about 300 MiB of it.
    pub address_space: u64,
    /// Bytes of the largest file it may write. Pipes don't count.
    pub file_bytes: u64,
}

/// What a child becomes.
#[derive(Debug, Clone, Copy)]
pub struct Program<'a> {
    /// Its file.
    pub file: &'a OsStr,
    /// Its arguments.
    pub arguments: &'a [OsString],
    /// A variable of its environment, which says whose it is.
    pub mark: Option<(&'a str, &'a str)>,
}

/// Bounds this process and replaces it by `program`; returns only if that fails.
///
/// `parent` is the process that asked for it: when that one is gone already, nothing is started.
pub fn replace(parent: u32, bounds: Bounds, program: Program<'_>) -> io::Error {
    if let Err(error) = bind(parent, bounds) {
        return error;
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "no child is made: this process, already supervised, becomes the program"
    )]
    let mut command = std::process::Command::new(program.file);
    command.args(program.arguments).envs(program.mark).exec()
}

fn bind(parent: u32, bounds: Bounds) -> io::Result<()> {
    end_with_parent(parent)?;
    for (resource, limit) in [
        (Resource::Core, 0),
        (Resource::Nofile, MAX_FILES),
        (Resource::As, bounds.address_space),
        (Resource::Fsize, bounds.file_bytes),
    ] {
        lower(resource, limit, limit)?;
    }
    // At the soft limit the system sends SIGXCPU, at the hard one SIGKILL, which is to mean something else.
    let cpu_seconds = bounds.cpu_seconds;
    lower(Resource::Cpu, cpu_seconds, cpu_seconds.saturating_add(1))?;
    // Both are courtesies: a container may forbid them.
    let _ = rustix::process::nice(NICENESS);
    let _ = std::fs::write("/proc/self/oom_score_adj", OOM_SCORE);
    Ok(())
}

/// Sets a limit, soft and hard; one that is lower already stays.
fn lower(resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    let maximum = rustix::process::getrlimit(resource).maximum;
    let bounded = |limit: u64| Some(maximum.map_or(limit, |maximum| maximum.min(limit)));
    let bounds = Rlimit {
        current: bounded(soft),
        maximum: bounded(hard),
    };
    Ok(setrlimit(resource, bounds)?)
}

#[cfg(target_os = "linux")]
fn end_with_parent(parent: u32) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have ended before the line above.
    let is_there = getppid()
        .map(Pid::as_raw_nonzero)
        .map(std::num::NonZeroI32::get)
        == i32::try_from(parent).ok();
    if is_there {
        return Ok(());
    }
    Err(io::Error::other("the server is gone"))
}

#[cfg(not(target_os = "linux"))]
fn end_with_parent(_parent: u32) -> io::Result<()> {
    Ok(())
}
