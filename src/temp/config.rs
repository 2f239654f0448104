//! Settings of the temporary files.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::Env;

const MEBIBYTE: u64 = 1024 * 1024;
/// Largest figure in mebibytes that is accepted: a pebibyte, far from any overflow in bytes.
const MAX_MEBIBYTES: usize = 1 << 30;

/// Where temporary files lie, and how much room they may take.
#[derive(Debug, Clone)]
pub struct TempConfig {
    /// `TEMP_DIR` (`./temp`): made when it isn't there.
    pub dir: PathBuf,
    /// `TEMP_QUOTA_MB` (2048), here in bytes: what this process may have there at once.
    pub quota_bytes: u64,
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
            quota_bytes: mebibytes(env, "TEMP_QUOTA_MB", 2048),
            min_free_bytes: mebibytes(env, "TEMP_MIN_FREE_MB", 500),
            cleanup_interval: env.seconds("CLEANUP_INTERVAL", 900, 1),
        }
    }
}

fn mebibytes(env: &mut Env, name: &str, default: usize) -> u64 {
    env.count(name, default, 0, MAX_MEBIBYTES) as u64 * MEBIBYTE
}
