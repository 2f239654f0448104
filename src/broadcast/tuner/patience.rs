//! How long what does not come is waited for.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::TunerError;
use crate::services::Arrived;

/// How long nothing new is put up with.
const SILENCE: Duration = Duration::from_secs(60);
/// How long at the beginning, however much has come of it: sooner than a broadcast is given up that plays nothing.
const FIRST_SILENCE: Duration = Duration::from_secs(30);
/// How long for what did not come before.
const SHORT_SILENCE: Duration = Duration::from_secs(5);
/// How long there may be no whole segment, however much comes of one.
const LONGEST: Duration = Duration::from_secs(180);
/// How often it is looked whether more has come.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long is waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Patience {
    /// For any further byte.
    silence: Duration,
    /// For what is waited for.
    longest: Duration,
}

impl Patience {
    /// Nothing has come so far.
    pub(super) const FIRST: Self = Self {
        silence: FIRST_SILENCE,
        longest: FIRST_SILENCE,
    };
    /// It was waited for before.
    pub(super) const AGAIN: Self = Self {
        silence: SHORT_SILENCE,
        longest: SHORT_SILENCE,
    };
    /// For what goes on.
    pub(super) const FURTHER: Self = Self {
        silence: SILENCE,
        longest: LONGEST,
    };

    /// What a search brings, or that it brought nothing for so long, whatever it waits for then: a playlist may say that
    /// it isn't to be read again for minutes. A segment of which more and more has `arrived` is worth waiting for.
    pub(super) async fn wait<T>(
        self,
        arrived: &Arrived,
        search: impl Future<Output = Result<T, TunerError>>,
    ) -> Result<T, TunerError> {
        let mut search = Box::pin(search);
        let began = Instant::now();
        let (mut since, mut seen) = (began, arrived.bytes());
        loop {
            if let Ok(found) = timeout(LOOK_EVERY, &mut search).await {
                return found;
            }
            let held = arrived.bytes();
            if held > seen {
                since = Instant::now();
            }
            seen = held;
            if since.elapsed() >= self.silence || began.elapsed() >= self.longest {
                return Err(TunerError::Silent(self.silence));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    /// How many seconds a search lasts that takes so long, and whether it brought something; so many bytes come each
    /// second of it, and are thrown away where that is more than 100.
    async fn waited(patience: Patience, seconds: u64, bytes: usize) -> (u64, bool) {
        let arrived = Arrived::default();
        let began = Instant::now();
        let search = async {
            for _ in 0..seconds * 2 {
                let held = arrived.bytes() + bytes;
                arrived.set(if held > 100 { 0 } else { held });
                sleep(Duration::from_millis(500)).await;
            }
            Ok(())
        };
        let found = patience.wait(&arrived, search).await;
        (began.elapsed().as_secs(), found.is_ok())
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends_in_the_midst_of_a_wait() {
        assert_eq!(waited(Patience::FIRST, 29, 0).await, (29, true));
        assert_eq!(waited(Patience::FIRST, 300, 0).await, (30, false));
        assert_eq!(waited(Patience::FURTHER, 59, 0).await, (59, true));
        assert_eq!(waited(Patience::FURTHER, 300, 0).await, (60, false));
    }

    #[tokio::test(start_paused = true)]
    async fn segment_that_comes_slowly_is_waited_for_though_not_for_ever() {
        assert_eq!(waited(Patience::FURTHER, 150, 1).await, (150, true));
        assert_eq!(waited(Patience::FURTHER, 600, 1).await, (180, false));
        assert_eq!(waited(Patience::FIRST, 600, 1).await, (30, false));
        // Pages in place of segments, which are thrown away.
        assert_eq!(waited(Patience::FURTHER, 600, 101).await, (60, false));
    }
}
