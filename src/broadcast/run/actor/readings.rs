//! The tasks that read the list of a broadcast.

use tokio_util::task::AbortOnDropHandle;

use crate::task;

/// See the module. They end when this is dropped.
#[derive(Default)]
pub(super) struct Readings {
    now: Vec<AbortOnDropHandle<()>>,
    /// The one to come while the site is away.
    later: Option<AbortOnDropHandle<()>>,
}

impl Readings {
    /// Begins one.
    pub(super) fn begin(&mut self, reading: impl Future<Output = ()> + Send + 'static) {
        self.now.retain(|reading| !reading.is_finished());
        self.now.push(task::owned(reading));
    }

    /// Lets one come, in place of another that was to come.
    pub(super) fn set_later(&mut self, reading: impl Future<Output = ()> + Send + 'static) {
        self.later = Some(task::owned(reading));
    }

    /// Whether one is to come, or its outcome is on its way.
    pub(super) fn has_later(&self) -> bool {
        self.later.is_some()
    }

    /// None is to come any more.
    pub(super) fn no_later(&mut self) {
        self.later = None;
    }

    /// Ends all.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_reading_is_to_come_however_often_the_site_is_found_to_be_away() {
        let pause = Duration::from_secs(30);
        let count = Arc::new(AtomicU32::new(0));
        let reading = || {
            let count = Arc::clone(&count);
            async move {
                sleep(pause).await;
                count.fetch_add(1, Ordering::Relaxed);
            }
        };
        let mut readings = Readings::default();
        assert!(!readings.has_later());
        for _ in 0..3 {
            readings.set_later(reading());
            sleep(pause / 3).await;
        }
        readings.begin(reading());
        sleep(2 * pause).await;
        // Besides that which is to come one that was asked for.
        assert_eq!(count.load(Ordering::Relaxed), 2);
        assert!(readings.has_later());
        readings.set_later(reading());
        readings.no_later();
        readings.begin(reading());
        readings.clear();
        sleep(2 * pause).await;
        assert_eq!(count.load(Ordering::Relaxed), 2);
        assert!(!readings.has_later());
    }
}
