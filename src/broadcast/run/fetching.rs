//! Fetches items whole, for a run or before one.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::broadcast::context::Context;
use crate::broadcast::shelf::{Part, Shelf, ShelfError};
use crate::broadcast::{Item, Settings};
use crate::services::{PlayoutError, Taste};

/// Pauses before an item is fetched on, when nothing came.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(16),
];

/// Brings items of a broadcast to a shelf.
pub(super) struct Fetcher {
    pub(super) context: Arc<Context>,
    pub(super) settings: Settings,
    pub(super) shelf: Arc<Shelf>,
}

impl Fetcher {
    /// Fetches an item whole, at as many goes as it takes while each brings something.
    ///
    /// # Errors
    /// Why it isn't there, for the log.
    pub(super) async fn fetch(&self, item: &Item) -> Result<(), String> {
        let told = item.duration_s.map(Duration::from_secs);
        check_length(told, &self.settings).map_err(|error| error.to_string())?;
        let shelf = &self.shelf;
        let begin = async || shelf.begin().await.map_err(|error| error.to_string());
        let mut part = begin().await?;
        let mut pauses = PAUSES.into_iter();
        let mut is_fresh = false;
        loop {
            let before = part.held();
            let Err(error) = self.fetch_part(&mut part, item, is_fresh).await else {
                let put = shelf.put(item, part).await;
                return put.map_err(|error| error.to_string());
            };
            if !error.is_passing() {
                return Err(error.to_string());
            }
            if matches!(error, FetchError::Shelf(ShelfError::Temp(_))) {
                if shelf.make_room().await {
                    continue;
                }
                return Err(error.to_string());
            }
            if matches!(error, FetchError::Shelf(ShelfError::Changed)) {
                part = begin().await?;
            } else if part.held() > before {
                pauses = PAUSES.into_iter();
            }
            let Some(pause) = pauses.next() else {
                return Err(error.to_string());
            };
            sleep(pause).await;
            is_fresh = true;
        }
    }

    async fn fetch_part(
        &self,
        part: &mut Part,
        item: &Item,
        is_fresh: bool,
    ) -> Result<(), FetchError> {
        let settings = &self.settings;
        let list = settings.playlist_id.as_deref().unwrap_or_default();
        let taste = taste(settings, None);
        let playout = self.context.playout(settings).await?;
        let found = playout.find(list, &item.video_id, &taste, is_fresh);
        let playable = Box::pin(found).await?;
        let known = Some(playable.extraction.duration_ms).filter(|ms| *ms > 0);
        check_length(known.map(Duration::from_millis), settings)?;
        Ok(part.complete(&playable).await?)
    }
}

/// Which file of a post is wanted.
pub(super) fn taste(settings: &Settings, side: Option<u32>) -> Taste {
    match settings.format.parse() {
        Ok(selector) if !settings.is_default_format() => Taste::Selector(selector),
        _ => side.map_or(Taste::Usual, Taste::Smaller),
    }
}

/// What would not be played is not fetched.
fn check_length(length: Option<Duration>, settings: &Settings) -> Result<(), FetchError> {
    match (length, settings.longest_item()) {
        (Some(length), Some(most)) if length > most => Err(FetchError::TooLong(length)),
        _ => Ok(()),
    }
}

/// Why an item was not fetched.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error(transparent)]
    Playout(#[from] PlayoutError),
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    #[error("{} s, longer than `max_item_minutes`", .0.as_secs())]
    TooLong(Duration),
}

impl FetchError {
    fn is_passing(&self) -> bool {
        match self {
            Self::Playout(error) => error.is_passing(),
            Self::Shelf(_) => true,
            Self::TooLong(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_to_be_played_is_not_fetched() {
        let minutes = |max_item_minutes| Settings {
            max_item_minutes,
            ..Settings::default()
        };
        for (seconds, most, is_fetched) in [
            (Some(60), 1, true),
            (Some(61), 1, false),
            (None, 1, true),
            (Some(86_400), 0, true),
        ] {
            let checked = check_length(seconds.map(Duration::from_secs), &minutes(most));
            assert_eq!(checked.is_ok(), is_fetched, "{seconds:?} of {most}");
        }
        let error = check_length(Some(Duration::from_secs(61)), &minutes(1)).unwrap_err();
        assert!(!error.is_passing(), "{error}");
    }
}
