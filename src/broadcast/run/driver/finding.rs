//! Where the bytes of an item come from: the site, the operator's files, or what was fetched ahead.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::play::Failure;
use super::{Desk, Driver, News};
use crate::broadcast::feed::{Content, Feed};
use crate::broadcast::files;
use crate::broadcast::list::Turn;
use crate::broadcast::shelf::Shelf;
use crate::broadcast::{Item, ItemState, Settings, StreamSource};
use crate::services::{PlayoutError, Taste};

/// Pauses before an item is looked for again, when that may help.
const FIND_PAUSES: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

impl Desk {
    /// Asks the site, more than once where that may help, and begins to feed; with `side` a picture of so many lines at
    /// most.
    pub(super) async fn find(&self, turn: &Turn, side: Option<u32>) -> Result<Feed, Failure> {
        self.find_by(turn, side, false).await
    }

    /// As [`Desk::find`], but what the site said before counts no longer.
    pub(super) async fn find_anew(&self, turn: &Turn, side: Option<u32>) -> Result<Feed, Failure> {
        let feed = self.find_by(turn, side, true).await?;
        if feed.post().is_some() {
            self.tell(News::Refreshed(1)).await;
        }
        Ok(feed)
    }

    async fn find_by(
        &self,
        turn: &Turn,
        side: Option<u32>,
        is_fresh: bool,
    ) -> Result<Feed, Failure> {
        let mut pauses = FIND_PAUSES.into_iter();
        loop {
            let error = match self.look(turn, side, is_fresh).await {
                Ok(feed) => return Ok(feed),
                Err(error) => error,
            };
            match pauses.next().filter(|_| error.is_passing()) {
                Some(pause) => sleep(pause).await,
                None => return Err(failure(&error)),
            }
        }
    }

    async fn look(
        &self,
        turn: &Turn,
        side: Option<u32>,
        is_fresh: bool,
    ) -> Result<Feed, PlayoutError> {
        let settings = self.settings.borrow().clone();
        if settings.stream_source == StreamSource::MediaFiles {
            return self.open_file(&turn.item.video_id).await;
        }
        let saved = self
            .shelf
            .as_ref()
            .and_then(|shelf| shelf.get(turn.item.ord));
        if let Some(saved) = saved {
            let opened = self.context.feeds.open(Content::Saved(saved)).await;
            return opened.map_err(|error| PlayoutError::Bytes(error.to_string()));
        }
        let list = settings.playlist_id.as_deref().unwrap_or_default();
        let taste = taste(&settings, side);
        let playout = self.context.playout(&settings);
        let found = playout.find(list, &turn.item.video_id, &taste, is_fresh);
        let playable = Box::pin(found).await?;
        let opened = self
            .context
            .feeds
            .open(Content::Post(Arc::new(playable)))
            .await;
        opened.map_err(|error| PlayoutError::Bytes(error.to_string()))
    }

    /// A file of the operator's directory.
    async fn open_file(&self, name: &str) -> Result<Feed, PlayoutError> {
        let dir = self.context.parts.config.media_dir.as_deref();
        let dir = dir.ok_or(PlayoutError::NoFormat)?;
        let found = files::find(dir, name).await;
        let path = found.map_err(|_| PlayoutError::NoFormat)?;
        let opened = self.context.feeds.open(Content::File(path)).await;
        opened.map_err(|error| PlayoutError::Bytes(error.to_string()))
    }
}

impl Driver {
    /// Begins to fetch what comes next, unless it is being fetched already. What can't be fetched is played as it comes.
    pub(super) fn fetch_ahead(&mut self) {
        let is_fetching = self
            .fetching
            .as_ref()
            .is_some_and(|task| !task.is_finished());
        let (Some(shelf), false) = (self.desk.shelf.clone(), is_fetching) else {
            return;
        };
        let desk = Arc::clone(&self.desk);
        let most = desk.context.parts.config.prefetch_items;
        let coming = desk.list.lock().coming(most);
        let fetching = async move {
            for item in coming {
                if shelf.get(item.ord).is_some() {
                    continue;
                }
                let fetched = desk.fetch(&shelf, &item).await;
                let item = item.video_id;
                desk.tell(match fetched {
                    Ok(()) => News::Fetched(item),
                    Err(message) => News::Line {
                        line: format!("not fetched ahead: {message}"),
                        item,
                    },
                })
                .await;
            }
        };
        self.fetching = Some(AbortOnDropHandle::new(tokio::spawn(fetching)));
    }
}

impl Desk {
    async fn fetch(&self, shelf: &Shelf, item: &Item) -> Result<(), String> {
        let settings = self.settings.borrow().clone();
        let list = settings.playlist_id.as_deref().unwrap_or_default();
        let taste = taste(&settings, None);
        let playout = self.context.playout(&settings);
        let found = playout.find(list, &item.video_id, &taste, false);
        let playable = Box::pin(found).await.map_err(|error| error.to_string())?;
        let fetched = shelf.fetch(item.ord, &playable).await;
        fetched.map_err(|error| error.to_string())
    }
}

/// Which file of a post is wanted.
fn taste(settings: &Settings, side: Option<u32>) -> Taste {
    match settings.format.parse() {
        Ok(selector) if !settings.is_default_format() => Taste::Selector(selector),
        _ => side.map_or(Taste::Usual, Taste::Smaller),
    }
}

fn failure(error: &PlayoutError) -> Failure {
    Failure {
        state: if error.is_passing() {
            ItemState::Failed
        } else {
            ItemState::Skipped
        },
        reason: error.reason(),
        message: error.to_string(),
    }
}
