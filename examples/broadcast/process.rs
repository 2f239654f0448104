//! A process as `/proc` shows it.

use std::fs;
use std::path::Path;

/// One look at a process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Look {
    /// `VmRSS`, bytes.
    pub(crate) resident: u64,
    /// Threads.
    pub(crate) threads: u64,
    /// Children that run.
    pub(crate) children: usize,
    /// Children that ended and were not waited for.
    pub(crate) zombies: Vec<u32>,
    /// User and system time so far, in ticks.
    pub(crate) ticks: u64,
}

impl Look {
    /// Looks at the process with this id; zeroes where there is none.
    pub(crate) fn at(id: u32) -> Self {
        let children = children(id);
        let (zombies, running): (Vec<u32>, Vec<u32>) =
            children.into_iter().partition(|id| is_zombie(*id));
        Self {
            resident: status(id, "VmRSS:") * 1024,
            threads: status(id, "Threads:"),
            children: running.len(),
            zombies,
            ticks: ticks(id),
        }
    }
}

/// The first number of a line of `/proc/PID/status`.
fn status(id: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_ascii_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_default()
}

/// Each thread has a list of the children that it made.
fn children(id: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{id}/task"));
    let lists = threads.into_iter().flatten().flatten();
    let lists =
        lists.map(|thread| fs::read_to_string(thread.path().join("children")).unwrap_or_default());
    let ids = |list: String| -> Vec<u32> {
        let words = list.split_ascii_whitespace();
        words.filter_map(|word| word.parse().ok()).collect()
    };
    lists.flat_map(ids).collect()
}

/// Fields of `/proc/PID/stat` behind the name.
fn fields(id: u32) -> Vec<String> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let behind = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    behind.split_ascii_whitespace().map(str::to_owned).collect()
}

fn is_zombie(id: u32) -> bool {
    fields(id).first().is_some_and(|state| state == "Z")
}

/// `proc_pid_stat(5)`: user and system time.
fn ticks(id: u32) -> u64 {
    let fields = fields(id);
    let times = fields.iter().skip(11).take(2);
    times.filter_map(|field| field.parse::<u64>().ok()).sum()
}

/// Bytes of the files in a folder.
pub(crate) fn bytes_in(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = files.filter_map(|file| file.metadata().ok());
    sizes.map(|file| file.len()).sum()
}

/// Load averages of the last 1, 5 and 15 minutes.
pub(crate) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let numbers: Vec<&str> = text.split_ascii_whitespace().take(3).collect();
    numbers.join(" ")
}
