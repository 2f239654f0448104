//! Programs that outlived the server that started them, and their end.
//!
//! The system kills a program with its server ([`crate::media::launch`]), but not what that program has started: an FFmpeg
//! behind a script that doesn't `exec` it, for instance. So every program has a mark in its environment, which all that it
//! starts inherits: which server it is of. A process that only got the number of one of ours is never taken for it, because
//! the mark is its own.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal, test_kill_process};

/// The variable of the mark.
const MARK: &str = "SERVERRS_CHILD_OF";
/// How often it is looked for more: what is ended may just have started another program.
const LOOKS: usize = 8;

/// A process, told from any other that gets its number later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Process {
    pid: u32,
    /// When it began, in clock ticks since the machine did (field 22 of `/proc/PID/stat`).
    started: u64,
}

impl Process {
    /// The process of this number; `None` when there is none or it has ended.
    fn of(pid: u32) -> Option<Self> {
        let started = started(&stat_of(pid).ok()?)?;
        Some(Self { pid, started })
    }

    fn parse(text: &str) -> Option<Self> {
        let (pid, started) = text.split_once(':')?;
        Some(Self {
            pid: pid.parse().ok()?,
            started: started.parse().ok()?,
        })
    }

    /// Whether it is no more.
    fn has_ended(self) -> bool {
        match stat_of(self.pid) {
            Ok(stat) => started(&stat) != Some(self.started),
            // It may only be hidden: `hidepid` of proc(5), which `ProtectProc=` of a unit sets.
            Err(_) => raw(self.pid).is_none_or(|pid| test_kill_process(pid) == Err(Errno::SRCH)),
        }
    }
}

fn stat_of(pid: u32) -> std::io::Result<String> {
    fs::read_to_string(format!("/proc/{pid}/stat"))
}

fn raw(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// Field 22 of `proc_pid_stat(5)`; `None` for a process that has ended and is not yet buried.
fn started(stat: &str) -> Option<u64> {
    // The second field is a name in brackets, in which anything may stand, brackets and blanks too.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X" | "x") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// Name and value of the variable that marks a program of the server with this number; `None` when there is none.
pub fn mark(server: u32) -> Option<(&'static str, String)> {
    let Process { pid, started } = Process::of(server)?;
    Some((MARK, format!("{pid}:{started}")))
}

/// The server that the environment of a process names.
fn server_in(environment: &[u8]) -> Option<Process> {
    let mut variables = environment.split(|byte| *byte == 0);
    let value = variables.find_map(|variable| {
        let value = variable.strip_prefix(MARK.as_bytes())?;
        value.strip_prefix(b"=")
    })?;
    Process::parse(str::from_utf8(value).ok()?)
}

/// Ends every program whose server is gone.
pub fn end_orphans() {
    let mut ended = HashSet::new();
    for _ in 0..LOOKS {
        let before = ended.len();
        ended.extend(numbers().filter(|pid| end_if_orphan(*pid)));
        if ended.len() == before {
            return;
        }
    }
}

fn numbers() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Whether it was one.
fn end_if_orphan(pid: u32) -> bool {
    let Some(raw) = raw(pid) else {
        return false;
    };
    if !is_orphan(pid) {
        return false;
    }
    // Held before it is looked at for good: from here on the number may be given to another process, and the handle isn't.
    let Ok(handle) = pidfd_open(raw, PidfdFlags::empty()) else {
        return false;
    };
    if !is_orphan(pid) {
        return false;
    }
    match pidfd_send_signal(&handle, Signal::KILL) {
        Ok(()) => tracing::warn!(pid, "ended a program that outlived its server"),
        Err(error) => {
            tracing::error!(pid, err = %error, "a program that outlived its server is not ended");
        }
    }
    true
}

/// Whether a process names a server that is gone. One that we may not look into names none, and in another name space of
/// processes numbers are others.
fn is_orphan(pid: u32) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let server = server_in(&environment);
    server.is_some_and(Process::has_ended) && space_of(pid) == space_of("self")
}

/// The name space in which the numbers of its processes count.
fn space_of(process: impl std::fmt::Display) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{process}/ns/pid")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_is_found_behind_any_name() {
        let rest = "S 12 4711 4711 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 98765 9 10";
        for name in ["ffmpeg", "a b", ") R 1 1", "(((", ""] {
            let text = format!("4711 ({name}) {rest}");
            assert_eq!(started(&text), Some(98_765), "{name}");
        }
        let ended = format!("4711 (ffmpeg) {}", rest.replacen('S', "Z", 1));
        for text in ["", "4711", "4711 (a) S 12", &ended] {
            assert_eq!(started(text), None, "{text}");
        }
    }

    #[test]
    fn mark_is_read_as_it_is_written_and_nothing_else_is() {
        let server = Some(Process {
            pid: 12,
            started: 345,
        });
        for (environment, expected) in [
            ("SERVERRS_CHILD_OF=12:345\0", server),
            ("A=b\0SERVERRS_CHILD_OF=12:345\0C=d\0", server),
            ("", None),
            ("A=SERVERRS_CHILD_OF=12:345\0", None),
            ("SERVERRS_CHILD_OF_A=12:345\0", None),
            ("SERVERRS_CHILD_OF=12\0", None),
            ("SERVERRS_CHILD_OF=-12:345\0", None),
            ("SERVERRS_CHILD_OF=12:345:6\0", None),
            ("SERVERRS_CHILD_OF=99999999999:1\0", None),
        ] {
            assert_eq!(server_in(environment.as_bytes()), expected, "{environment}");
        }
    }

    #[test]
    fn process_is_told_from_others_of_its_number() {
        let own = Process::of(std::process::id()).unwrap();
        assert!(!own.has_ended());
        let (_, value) = mark(own.pid).unwrap();
        assert_eq!(Process::parse(&value), Some(own));
        let started = own.started + 1;
        assert!(Process { started, ..own }.has_ended());
        // Larger than any number that Linux gives.
        let pid = u32::MAX;
        assert_eq!((Process::of(pid), mark(pid)), (None, None));
        assert!(Process { pid, ..own }.has_ended());
    }
}
