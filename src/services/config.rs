//! Settings of the services.

use std::time::Duration;

use crate::config::Env;

/// Limits and life times of the services.
#[derive(Debug, Clone)]
pub struct ServicesConfig {
    /// `MAX_WORKERS` (20): extractions that run at once, unless `MAX_EXTRACTIONS` says otherwise.
    pub max_workers: usize,
    /// `MAX_EXTRACTIONS` (`MAX_WORKERS`).
    pub max_extractions: usize,
    /// `MAX_STREAMS` (2000): transfers that run at once.
    pub max_streams: usize,
    /// `MAX_QUEUE` (200): requests that may wait in front of either.
    pub max_queue: usize,
    /// `QUEUE_TIMEOUT` (5 s): how long one waits.
    pub queue_timeout: Duration,
    /// `YTDLP_TIMEOUT`, alias `EXTRACT_TIMEOUT` (30 s): deadline of one extraction with all its retries.
    pub extract_timeout: Duration,
    /// `CACHE_TTL` (300 s): how long an extraction is served again.
    pub cache_ttl: Duration,
    /// `CACHE_MAX_ENTRIES` (1000).
    pub cache_max_entries: u64,
    /// `SLIDESHOW_CONCURRENCY` (2): slideshows that are rendered at once.
    pub slideshow_concurrency: usize,
    /// `SLIDESHOW_TIMEOUT` (300 s): how long one may take.
    pub slideshow_timeout: Duration,
    /// `SLIDESHOW_KEEP` (600 s): how long a rendered one is kept, so that parts of it and the same again cost nothing.
    pub slideshow_keep: Duration,
}

impl ServicesConfig {
    /// Reads the variables named at the fields.
    pub fn from_env(env: &mut Env) -> Self {
        let max_workers = env.count("MAX_WORKERS", 20, 1, 10_000);
        let old_name = env.seconds("YTDLP_TIMEOUT", 30, 1);
        Self {
            max_workers,
            max_extractions: env.count("MAX_EXTRACTIONS", max_workers, 1, 10_000),
            max_streams: env.count("MAX_STREAMS", 2000, 1, 100_000),
            max_queue: env.count("MAX_QUEUE", 200, 0, 100_000),
            queue_timeout: env.seconds("QUEUE_TIMEOUT", 5, 0),
            extract_timeout: env.seconds("EXTRACT_TIMEOUT", old_name.as_secs(), 1),
            cache_ttl: env.seconds("CACHE_TTL", 300, 0),
            cache_max_entries: env.count("CACHE_MAX_ENTRIES", 1000, 0, 1_000_000) as u64,
            slideshow_concurrency: env.count("SLIDESHOW_CONCURRENCY", 2, 1, 1000),
            slideshow_timeout: env.seconds("SLIDESHOW_TIMEOUT", 300, 1),
            slideshow_keep: env.seconds("SLIDESHOW_KEEP", 600, 1),
        }
    }
}
