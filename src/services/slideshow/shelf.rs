//! Finished videos, kept for a while. Whoever is taken off gives its room back at once, which a general cache doesn't
//! promise.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Rendering;
use super::key::Key;

/// The videos, with the end of their time. Their number is bounded by the quota of the temporary files.
#[derive(Debug)]
pub(super) struct Shelf {
    videos: Mutex<HashMap<Key, (Instant, Arc<Rendering>)>>,
    keep: Duration,
}

impl Shelf {
    /// One on which each video is kept for so long.
    pub(super) fn new(keep: Duration) -> Self {
        Self {
            videos: Mutex::default(),
            keep,
        }
    }

    /// How long a video is kept.
    pub(super) fn keep(&self) -> Duration {
        self.keep
    }

    pub(super) fn put(&self, key: Key, rendering: Arc<Rendering>) {
        let until = Instant::now() + self.keep;
        self.lock().insert(key, (until, rendering));
    }

    pub(super) fn get(&self, key: &Key) -> Option<Arc<Rendering>> {
        let videos = self.lock();
        let (until, rendering) = videos.get(key)?;
        (Instant::now() < *until).then(|| Arc::clone(rendering))
    }

    /// Takes off what has been there too long.
    pub(super) fn tidy(&self) {
        let now = Instant::now();
        self.lock().retain(|_, (until, _)| now < *until);
    }

    /// Takes off the one that has been there longest; `false` when there is none.
    pub(super) fn shed(&self) -> bool {
        let mut videos = self.lock();
        let oldest = videos
            .iter()
            .min_by_key(|(_, (until, _))| *until)
            .map(|(key, _)| key.clone());
        oldest.is_some_and(|key| videos.remove(&key).is_some())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, (Instant, Arc<Rendering>)>> {
        self.videos.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::temp::{Temp, TempConfig};

    async fn rendering(dir: &TempDir) -> Arc<Rendering> {
        let config = TempConfig {
            dir: dir.path().to_owned(),
            quota_bytes: Some(1000),
            min_free_bytes: 0,
            cleanup_interval: Duration::from_secs(900),
        };
        let job = Temp::open(&config).unwrap().job(1).await.unwrap();
        std::fs::write(job.path("a"), "x").unwrap();
        Arc::new(Rendering {
            file: job.keep("a").await.unwrap(),
            etag: String::new(),
            made_at: 0,
        })
    }

    const KEEP: Duration = Duration::from_secs(600);

    #[tokio::test(start_paused = true)]
    async fn video_is_there_for_its_time_and_its_room_is_free_after() {
        let dir = TempDir::new().unwrap();
        let key = ("site".to_owned(), "1".to_owned(), [0; 16]);
        let shelf = Shelf::new(KEEP);
        let first = rendering(&dir).await;
        shelf.put(key.clone(), Arc::clone(&first));
        tokio::time::advance(KEEP.saturating_sub(Duration::from_secs(1))).await;
        shelf.tidy();
        assert!(shelf.get(&key).is_some());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(shelf.get(&key).is_none());
        shelf.tidy();
        assert_eq!(Arc::strong_count(&first), 1);
        shelf.put(key.clone(), Arc::clone(&first));
        tokio::time::advance(Duration::from_secs(1)).await;
        let later = ("site".to_owned(), "2".to_owned(), [0; 16]);
        shelf.put(later.clone(), Arc::clone(&first));
        assert!(shelf.shed());
        assert!(shelf.get(&key).is_none() && shelf.get(&later).is_some());
        assert!(shelf.shed() && !shelf.shed());
        assert_eq!(Arc::strong_count(&first), 1);
    }
}
