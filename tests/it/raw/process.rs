//! The server's process as the system sees it. What it has open it tells itself (`/metrics`): others may not see that.

use std::io;

/// A running process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process(pub(crate) u32);

impl Process {
    /// What the open files are.
    ///
    /// # Errors
    /// Only root may look (reliability R6.6).
    pub(crate) fn open(self) -> io::Result<Vec<String>> {
        let entries = std::fs::read_dir(format!("/proc/{}/fd", self.0))?.flatten();
        let targets = entries.filter_map(|entry| std::fs::read_link(entry.path()).ok());
        let mut targets: Vec<String> = targets.map(|target| target.display().to_string()).collect();
        targets.sort();
        Ok(targets)
    }

    /// Processor time so far, of user and system, in hundredths of a second.
    pub(crate) fn ticks(self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0));
        let stat = stat.expect("a running process");
        // The name before it may hold anything.
        let (_, fields) = stat.rsplit_once(')').expect("a process");
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let number = |at: usize| fields[at].parse::<u64>().expect("a number");
        number(11) + number(12)
    }

    /// Resident memory in bytes.
    pub(crate) fn resident(self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0));
        let status = status.expect("a running process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix("kB"));
        let kibibytes: u64 = kibibytes.expect("VmRSS").trim().parse().expect("a number");
        kibibytes * 1024
    }
}
