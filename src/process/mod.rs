//! Facts about our own process: memory and open files, and the limit on the latter; who may look into it; and what earlier
//! ones left running.
//!
//! Read from `/proc`, a few microseconds each; unknown on systems without it. `/health` shows them, start-up raises
//! the limit.

#[cfg(target_os = "linux")]
mod orphans;

use std::os::unix::fs::MetadataExt;
use std::{fs, io};

#[cfg(target_os = "linux")]
pub use orphans::{end_orphans, mark};
use rustix::io::Errno;
#[cfg(target_os = "linux")]
use rustix::process::DumpableBehavior;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors one transfer needs: the client's connection and the upstream's.
const DESCRIPTORS_PER_STREAM: u64 = 2;
/// Descriptors for everything else: listener, idle clients, log, cookie files, child processes.
const DESCRIPTORS_RESERVED: u64 = 256;

/// Memory of this process and of the machine, in bytes; `None` when unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// Resident set.
    pub resident: Option<u64>,
    /// Address space.
    pub address_space: Option<u64>,
    /// Memory of the machine.
    pub total: Option<u64>,
}

/// Open files of this process; `None` when unknown or unlimited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Descriptors {
    /// Open now.
    pub current: Option<u64>,
    /// Limit in force.
    pub soft_limit: Option<u64>,
    /// What the limit may be raised to.
    pub hard_limit: Option<u64>,
}

/// Memory as it is now.
pub fn memory() -> Memory {
    let page = u64::try_from(rustix::param::page_size()).unwrap_or(0);
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    parse_memory(&statm, &meminfo, page)
}

fn parse_memory(statm: &str, meminfo: &str, page: u64) -> Memory {
    // proc_pid_statm(5): size resident shared text lib data dt, in pages.
    let mut pages = statm
        .split_ascii_whitespace()
        .map(|field| field.parse::<u64>().ok()?.checked_mul(page));
    Memory {
        address_space: pages.next().flatten(),
        resident: pages.next().flatten(),
        total: parse_total(meminfo),
    }
}

fn parse_total(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// Open files as they are now.
pub fn descriptors() -> Descriptors {
    let limit = getrlimit(Resource::Nofile);
    Descriptors {
        current: open_descriptors(limit.current),
        soft_limit: limit.current,
        hard_limit: limit.maximum,
    }
}

fn open_descriptors(soft_limit: Option<u64>) -> Option<u64> {
    // Since Linux 6.2 the size of this folder is the number of its entries; before it is 0.
    let size = fs::metadata("/proc/self/fd").ok()?.size();
    if size > 0 {
        return Some(size);
    }
    let entries = fs::read_dir("/proc/self/fd").map(Iterator::count);
    counted(entries, soft_limit)
}

/// What the folder of open files tells that was read by one more of them, or that could not be read for want of it.
fn counted(entries: io::Result<usize>, soft_limit: Option<u64>) -> Option<u64> {
    match entries {
        Ok(entries) => u64::try_from(entries.saturating_sub(1)).ok(),
        Err(error) if Errno::from_io_error(&error) == Some(Errno::MFILE) => soft_limit,
        Err(_) => None,
    }
}

/// Keeps the memory of this process to itself, with the keys and cookies in it (reliability R6.6): no core file is written of
/// it, and no other process of its user may read it, or its environment, such as a child taken over by the file that it
/// reads. Root still may. A program that replaces this one begins anew, but for core files.
///
/// What a process finds in its own `/proc/self` can still be read, but no longer be written without being root.
///
/// # Errors
/// The system refuses.
pub fn keep_to_itself() -> io::Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)?;
    // Where core files go to a program (core(5)), the limit doesn't count, and this alone does.
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// Programs can't be told to be ours here.
#[cfg(not(target_os = "linux"))]
pub fn mark(_server: u32) -> Option<(&'static str, String)> {
    None
}

/// As [`mark`]: nothing is found.
#[cfg(not(target_os = "linux"))]
pub fn end_orphans() {}

/// Raises the soft limit of open files to the hard one, and warns when that is too low for `max_streams` transfers.
pub fn raise_descriptor_limit(max_streams: usize) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(err = %error, "limit of open files not raised");
        }
    }
    let soft_limit = getrlimit(Resource::Nofile).current;
    let missing = missing_descriptors(soft_limit, max_streams);
    if missing > 0 {
        tracing::warn!(
            soft_limit,
            missing,
            max_streams,
            "limit of open files too low for MAX_STREAMS"
        );
    }
}

/// How many descriptors the limit lacks for `max_streams` transfers at once; 0 when it is enough.
fn missing_descriptors(soft_limit: Option<u64>, max_streams: usize) -> u64 {
    let Some(limit) = soft_limit else {
        return 0;
    };
    let streams = u64::try_from(max_streams).unwrap_or(u64::MAX);
    streams
        .saturating_mul(DESCRIPTORS_PER_STREAM)
        .saturating_add(DESCRIPTORS_RESERVED)
        .saturating_sub(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_reads_pages_and_kibibytes() {
        let meminfo = "MemTotal:       16384 kB\nMemFree:   12 kB\n";
        let memory = parse_memory("300 20 5 1 0 9 0\n", meminfo, 4096);
        let expected = Memory {
            resident: Some(81_920),
            address_space: Some(1_228_800),
            total: Some(16_777_216),
        };
        assert_eq!(memory, expected);
    }

    #[test]
    fn memory_of_unknown_shape_is_unknown() {
        for statm in ["", "x y", "99999999999999999999 1"] {
            let memory = parse_memory(statm, "MemTotal: many\n", 4096);
            assert_eq!(
                (memory.address_space, memory.total),
                (None, None),
                "{statm}"
            );
        }
        assert_eq!(
            parse_memory("18446744073709551615", "", 4096),
            Memory::default()
        );
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn own_process_is_known() {
        let memory = memory();
        let (resident, total) = (memory.resident.unwrap(), memory.total.unwrap());
        assert!(0 < resident && resident < total);
        assert!(memory.address_space.unwrap() >= resident);
        assert!(descriptors().current.unwrap() >= 3);
    }

    #[test]
    fn descriptors_are_counted_without_the_one_that_counts_and_all_taken_when_there_is_none() {
        assert_eq!(counted(Ok(12), Some(96)), Some(11));
        assert_eq!(counted(Err(Errno::MFILE.into()), Some(96)), Some(96));
        assert_eq!(counted(Err(Errno::NOENT.into()), Some(96)), None);
    }

    #[test]
    fn raised_limit_equals_the_hard_limit() {
        raise_descriptor_limit(1);
        let raised = descriptors();
        assert_eq!(raised.soft_limit, raised.hard_limit);
    }

    #[test]
    fn missing_descriptors_says_by_how_much() {
        assert_eq!(missing_descriptors(Some(1024), 2000), 3232);
        assert_eq!(missing_descriptors(Some(4256), 2000), 0);
        assert_eq!(missing_descriptors(None, usize::MAX), 0);
        assert_eq!(missing_descriptors(Some(0), usize::MAX), u64::MAX);
    }
}
