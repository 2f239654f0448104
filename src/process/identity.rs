//! Which process a number stands for, so that it can be told later from another one that got the number after it.

use std::fs;
use std::io;
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process_group};

/// Changes with every start of the machine.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// What the system adds to the path of a program whose file was replaced or removed.
const REPLACED: &str = " (deleted)";

/// A process that leads a group of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its number, and that of its group.
    pub pid: u32,
    /// Number of the process that it is a child of; another one as soon as that has ended.
    pub parent: u32,
    /// When it began, in clock ticks since the machine did (field 22 of `/proc/PID/stat`).
    pub started: u64,
    /// The start of the machine in which it runs.
    pub boot_id: String,
    /// The file of its program.
    pub executable: PathBuf,
}

/// What became of a process that was known before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It has ended; its number may stand for another process.
    Ended,
    /// It runs, and so does the process that it is a child of.
    Kept,
    /// It runs, and the process that it was a child of has ended.
    Orphaned,
}

impl Identity {
    /// The process of this number; `None` when there is none, it has ended, is somebody else's or leads no group, and on
    /// systems without `/proc`.
    pub fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let Stat {
            parent,
            group,
            started,
        } = Stat::read(&stat)?;
        let executable = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
        let boot_id = fs::read_to_string(BOOT_ID).ok()?;
        (group == pid).then(|| Self {
            pid,
            parent,
            started,
            boot_id: boot_id.trim().to_owned(),
            executable: whole(executable),
        })
    }

    /// What became of it, by what its number stands for now.
    pub fn fate(&self) -> Fate {
        self.judge(Self::of(self.pid).as_ref())
    }

    fn judge(&self, now: Option<&Self>) -> Fate {
        match now {
            Some(now) if !self.is(now) => Fate::Ended,
            Some(now) if now.parent == self.parent => Fate::Kept,
            Some(_) => Fate::Orphaned,
            None => Fate::Ended,
        }
    }

    fn is(&self, other: &Self) -> bool {
        let facts = |of: &Self| {
            (
                of.pid,
                of.started,
                of.boot_id.clone(),
                of.executable.clone(),
            )
        };
        facts(self) == facts(other)
    }

    /// Kills it and all of its group.
    ///
    /// # Errors
    /// It may not be killed, or is gone.
    pub fn kill_group(&self) -> io::Result<()> {
        // 0 and 1 stand for other groups than those of their numbers.
        let leader = i32::try_from(self.pid).ok().filter(|pid| *pid > 1);
        let leader = leader.and_then(Pid::from_raw);
        let leader = leader.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(kill_process_group(leader, Signal::KILL)?)
    }
}

/// The file of a program, also when another one has taken its place.
fn whole(executable: PathBuf) -> PathBuf {
    let text = executable.to_str();
    let replaced = text.and_then(|text| text.strip_suffix(REPLACED));
    replaced.map(PathBuf::from).unwrap_or(executable)
}

/// What of `proc_pid_stat(5)` is used.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    group: u32,
    started: u64,
}

impl Stat {
    fn read(text: &str) -> Option<Self> {
        // The second field is a name in brackets, in which anything may stand, brackets and blanks too.
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number.checked_sub(3)?).copied();
        // Nothing is to be done about one that has ended and is not yet buried.
        if matches!(field(3)?, "Z" | "X" | "x") {
            return None;
        }
        Some(Self {
            parent: field(4)?.parse().ok()?,
            group: field(5)?.parse().ok()?,
            started: field(22)?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Identity {
        Identity {
            pid: 4711,
            parent: 12,
            started: 98_765,
            boot_id: "a".to_owned(),
            executable: PathBuf::from("/usr/bin/ffmpeg"),
        }
    }

    #[test]
    fn process_is_an_orphan_only_if_everything_fits_and_its_parent_is_gone() {
        let orphan = Identity {
            parent: 1,
            ..known()
        };
        for (now, fate) in [
            (None, Fate::Ended),
            (Some(known()), Fate::Kept),
            (Some(orphan.clone()), Fate::Orphaned),
            (
                Some(Identity {
                    started: 98_766,
                    ..orphan.clone()
                }),
                Fate::Ended,
            ),
            (
                Some(Identity {
                    boot_id: "b".to_owned(),
                    ..orphan.clone()
                }),
                Fate::Ended,
            ),
            (
                Some(Identity {
                    executable: PathBuf::from("/usr/bin/vi"),
                    ..orphan.clone()
                }),
                Fate::Ended,
            ),
            // The same number for another process, whose parent has the number of ours.
            (
                Some(Identity {
                    started: 98_766,
                    ..known()
                }),
                Fate::Ended,
            ),
        ] {
            assert_eq!(known().judge(now.as_ref()), fate, "{now:?}");
        }
    }

    #[test]
    fn fields_are_found_behind_any_name() {
        let rest = "S 12 4711 4711 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 98765 9 10";
        let expected = Stat {
            parent: 12,
            group: 4711,
            started: 98_765,
        };
        for name in ["ffmpeg", "a b", ") R 1 1", "(((", ""] {
            let text = format!("4711 ({name}) {rest}");
            assert_eq!(Stat::read(&text).as_ref(), Some(&expected), "{name}");
        }
        let ended = format!("4711 (ffmpeg) {}", rest.replacen('S', "Z", 1));
        for text in ["", "4711", "4711 (a) S 12", &ended, "4711 (a) S x y z"] {
            assert_eq!(Stat::read(text), None, "{text}");
        }
    }

    #[test]
    fn file_that_was_replaced_has_the_same_name() {
        let name = |text: &str| whole(PathBuf::from(text));
        assert_eq!(name("/usr/bin/ffmpeg (deleted)"), name("/usr/bin/ffmpeg"));
        assert_ne!(name("/usr/bin/ffmpeg2"), name("/usr/bin/ffmpeg"));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn number_of_nobody_stands_for_nobody() {
        // Larger than any number that Linux gives.
        assert_eq!(Identity::of(u32::MAX), None);
        let nobody = Identity {
            pid: u32::MAX,
            ..known()
        };
        assert_eq!(nobody.fate(), Fate::Ended);
        for pid in [0, 1, u32::MAX] {
            let wrong = Identity { pid, ..known() };
            assert!(wrong.kill_group().is_err(), "{pid}");
        }
    }
}
