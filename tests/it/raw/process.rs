//! The server's process as the system sees it.

/// A running process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process(pub(crate) u32);

impl Process {
    /// Open files.
    pub(crate) fn descriptors(self) -> usize {
        let folder = std::fs::read_dir(format!("/proc/{}/fd", self.0));
        folder.expect("a running process").count()
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
