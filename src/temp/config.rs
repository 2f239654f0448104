//! Settings of the temporary files.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::Env;

const MEBIBYTE: u64 = 1024 * 1024;
/// Largest figure in mebibytes that is accepted: a pebibyte, far from any overflow in bytes.
const MAX_MEBIBYTES: usize = 1 << 30;
const DEFAULT_QUOTA_MEBIBYTES: usize = 2048;
/// Of the free bytes a quota that nobody has set takes at most one in so many.
const FREE_SHARE: u64 = 10;

/// Where temporary files lie, and how much room they may take.
#[derive(Debug, Clone)]
pub struct TempConfig {
    /// `TEMP_DIR` (`./temp`): made when it isn't there.
    pub dir: PathBuf,
    /// `TEMP_QUOTA_MB`, here in bytes: what this process may have there at once. Unset, it is 2048 MiB, but no more
    /// than a tenth of what is free on that file system when the server starts (reliability R7.2).
    pub quota_bytes: Option<u64>,
    /// `TEMP_MIN_FREE_MB` (500), here in bytes: what must stay free on that file system.
    pub min_free_bytes: u64,
    /// `CLEANUP_INTERVAL` (900 s): how often what dead processes left behind is looked for.
    pub cleanup_interval: Duration,
}

impl TempConfig {
    /// Reads the variables named at the fields.
    pub fn from_env(env: &mut Env) -> Self {
        Self {
            dir: env
                .path("TEMP_DIR")
                .unwrap_or_else(|| PathBuf::from("./temp")),
            quota_bytes: quota(env),
            min_free_bytes: mebibytes(env, "TEMP_MIN_FREE_MB", 500),
            cleanup_interval: env.seconds("CLEANUP_INTERVAL", 900, 1),
        }
    }
}

impl TempConfig {
    /// The quota where so many bytes are free.
    pub(super) fn quota(&self, free: u64) -> u64 {
        let default = || (DEFAULT_QUOTA_MEBIBYTES as u64 * MEBIBYTE).min(free / FREE_SHARE);
        self.quota_bytes.unwrap_or_else(default)
    }
}

fn quota(env: &mut Env) -> Option<u64> {
    const NAME: &str = "TEMP_QUOTA_MB";
    let is_set = env.text(NAME).is_some();
    is_set.then(|| mebibytes(env, NAME, DEFAULT_QUOTA_MEBIBYTES))
}

fn mebibytes(env: &mut Env, name: &str, default: usize) -> u64 {
    env.count(name, default, 0, MAX_MEBIBYTES) as u64 * MEBIBYTE
}
