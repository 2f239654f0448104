//! Settings of broadcasts.

use std::path::PathBuf;
use std::time::Duration;

use super::encoding::EncoderConfig;
use crate::config::{Env, Origins, Secret};
use crate::net::TargetConfig;
use crate::temp::TempConfig;

/// Settings of broadcasts.
#[derive(Debug, Clone)]
pub struct BroadcastConfig {
    /// `BROADCAST_API_TOKEN`: what a caller must show; without it the whole family is off.
    pub token: Option<Secret>,
    /// `BROADCAST_API_CORS`: origins whose pages may use the family; none by default.
    pub cors_origins: Option<Origins>,
    /// `BROADCAST_DB` (`data/serverrs.db`): the database.
    pub database: PathBuf,
    /// `BROADCAST_MEDIA_DIR`: where `media_files` lie; without it there are none.
    pub media_dir: Option<PathBuf>,
    /// `BROADCAST_COOKIES_DIR`: where the files of cookies lie that `account` names; without it there are none.
    pub cookies_dir: Option<PathBuf>,
    /// `BROADCAST_MAX_RUNNING` (2): broadcasts on air at once; each encodes in real time.
    pub max_running: usize,
    /// `BROADCAST_MAX_ITEMS` (5000): items of one list; the rest is left out.
    pub max_items: usize,
    /// `BROADCAST_TARGET_ALLOW` and `BROADCAST_ALLOW_PRIVATE_TARGETS`: where broadcasts may go.
    pub targets: TargetConfig,
    /// `STREAM_TEMP_DIR` (`/var/tmp/streams`), `BROADCAST_DISK_CAP_MB` (10240) and a floor of 1 GiB: where and how much
    /// of items is fetched in the serve mode `download`.
    pub shelves: TempConfig,
    /// `BROADCAST_PREFETCH_ITEMS` (2): items fetched ahead of the one on air.
    pub prefetch_items: usize,
    /// `BROADCAST_REGION_FALLBACK`: names of ways out that are tried, in this order, where an item may not be seen from
    /// the first.
    pub region_fallback: Vec<String>,
    /// What encodes, and within which bounds.
    pub encoder: EncoderConfig,
    /// `BROADCAST_RECONNECT_MAX_S` (0 s, for ever): how long a lost target is tried again.
    pub reconnect_max: Option<Duration>,
    /// `FFMPEG_TIMEOUT` (300 s): how long the slate may take.
    pub ffmpeg_timeout: Duration,
}

impl BroadcastConfig {
    /// Reads the variables named at the fields.
    pub fn from_env(env: &mut Env) -> Self {
        let token = env.secret("BROADCAST_API_TOKEN");
        env.must_fit_header("BROADCAST_API_TOKEN", token.as_slice());
        Self {
            token,
            cors_origins: Origins::from_env(env, "BROADCAST_API_CORS"),
            database: env
                .path("BROADCAST_DB")
                .unwrap_or_else(|| PathBuf::from("data/serverrs.db")),
            media_dir: env.path("BROADCAST_MEDIA_DIR"),
            cookies_dir: env.path("BROADCAST_COOKIES_DIR"),
            max_running: env.count("BROADCAST_MAX_RUNNING", 2, 1, 1000),
            max_items: env.count("BROADCAST_MAX_ITEMS", 5000, 1, 100_000),
            targets: TargetConfig::from_env(env),
            shelves: shelves(env),
            prefetch_items: env.count("BROADCAST_PREFETCH_ITEMS", 2, 1, 100),
            region_fallback: env.list("BROADCAST_REGION_FALLBACK"),
            encoder: EncoderConfig::from_env(env),
            reconnect_max: Some(env.seconds("BROADCAST_RECONNECT_MAX_S", 0, 0))
                .filter(|limit| !limit.is_zero()),
            ffmpeg_timeout: env.seconds("FFMPEG_TIMEOUT", 300, 1),
        }
    }
}

fn shelves(env: &mut Env) -> TempConfig {
    /// Largest cap in mebibytes: a pebibyte.
    const MOST: usize = 1 << 30;
    let dir = env.path("STREAM_TEMP_DIR");
    let cap = env.count("BROADCAST_DISK_CAP_MB", 10_240, 0, MOST) as u64;
    TempConfig {
        dir: dir.unwrap_or_else(|| PathBuf::from("/var/tmp/streams")),
        quota_bytes: Some(cap << 20),
        min_free_bytes: 1 << 30,
        cleanup_interval: Duration::from_secs(900),
    }
}
