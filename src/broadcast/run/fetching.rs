//! Fetches items whole, for a run or before one.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::broadcast::context::Context;
use crate::broadcast::shelf::{Part, Shelf, ShelfError};
use crate::broadcast::{Item, Settings};
use crate::services::{PlayoutError, Taste};
use crate::temp::TempError;

/// Pauses before an item is fetched on, when nothing came.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(16),
];

/// How often it is looked whether there is room again.
const LOOK_FOR_ROOM: Duration = Duration::from_secs(1);

/// Brings items of a broadcast to a shelf.
pub(super) struct Fetcher {
    pub(super) context: Arc<Context>,
    pub(super) settings: Settings,
    pub(super) shelf: Arc<Shelf>,
}

/// What is done when the disk has no room for an item now.
#[derive(Clone, Copy)]
pub(super) enum NoRoom<'a> {
    /// It is given up.
    GiveUp,
    /// Room is waited for, however long that takes. This is told.
    Wait(&'a (dyn Fn(&str) + Send + Sync)),
}

impl Fetcher {
    /// Fetches an item whole, at as many goes as it takes while each brings something.
    ///
    /// # Errors
    /// Why it isn't there, for the log.
    pub(super) async fn fetch(&self, item: &Item, no_room: NoRoom<'_>) -> Result<(), String> {
        let fetched = Box::pin(self.fetch_whole(item, no_room)).await;
        fetched.map_err(|error| error.to_string())
    }

    async fn fetch_whole(&self, item: &Item, no_room: NoRoom<'_>) -> Result<(), FetchError> {
        let told = item.duration_s.map(Duration::from_secs);
        check_length(told, &self.settings)?;
        let mut part = None;
        let mut pauses = PAUSES.into_iter();
        let mut is_fresh = false;
        loop {
            let before = part.as_ref().map_or(0, Part::held);
            let Err(error) = self.fetch_on(&mut part, item, is_fresh).await else {
                return Ok(());
            };
            if matches!(error, FetchError::Shelf(ShelfError::Temp(TempError::Busy))) {
                part = Some(self.until_room(part, no_room).await?);
                continue;
            }
            if !error.is_passing() {
                return Err(error);
            }
            let held = part.as_ref().map_or(0, Part::held);
            if matches!(error, FetchError::Shelf(ShelfError::Changed)) {
                part = None;
            } else if held > before {
                pauses = PAUSES.into_iter();
            }
            let Some(pause) = pauses.next() else {
                return Err(error);
            };
            sleep(pause).await;
            is_fresh = true;
        }
    }

    /// Goes on with a file, or begins it; what is there of it when that breaks off stays.
    async fn fetch_on(
        &self,
        held: &mut Option<Part>,
        item: &Item,
        is_fresh: bool,
    ) -> Result<(), FetchError> {
        let mut part = match held.take() {
            Some(part) => part,
            None => self.shelf.begin(0).await?,
        };
        match self.fetch_part(&mut part, item, is_fresh).await {
            Ok(()) => Ok(self.shelf.put(item, part).await?),
            Err(error) => {
                *held = Some(part);
                Err(error)
            }
        }
    }

    /// The file anew, once there is room for as much as it wanted. Nothing is held meanwhile: another one may need it.
    async fn until_room(
        &self,
        part: Option<Part>,
        no_room: NoRoom<'_>,
    ) -> Result<Part, FetchError> {
        let mut wanted = 0;
        if let Some(part) = part {
            wanted = part.wanted();
            part.discard().await;
        }
        loop {
            let busy = match self.shelf.begin(wanted).await {
                Err(ShelfError::Temp(error @ TempError::Busy)) => error,
                begun => return Ok(begun?),
            };
            if self.shelf.make_room().await {
                continue;
            }
            let NoRoom::Wait(tell) = no_room else {
                return Err(ShelfError::from(busy).into());
            };
            tell(&format!("waits for room on disk: {busy}"));
            sleep(LOOK_FOR_ROOM).await;
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

/// Whether an item would not be played, as far as the list tells its length.
pub(super) fn is_too_long(item: &Item, settings: &Settings) -> bool {
    check_length(item.duration_s.map(Duration::from_secs), settings).is_err()
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
            Self::Shelf(error) => matches!(error, ShelfError::Upstream(_) | ShelfError::Changed),
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
