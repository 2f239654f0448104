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
use crate::broadcast::shelf::{Part, ShelfError, Tee};
use crate::broadcast::{Item, ItemState, ServeMode, Settings, StreamSource};
use crate::services::{PlayoutError, Taste};

/// Pauses before an item is looked for again, when that may help.
const FIND_PAUSES: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// Pauses before an item is fetched on, when nothing came.
const FETCH_PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(16),
];

/// How an item is wanted.
#[derive(Default)]
pub(super) struct Wanted {
    /// Lines of the picture at most, once the file of choice came too slowly.
    pub(super) side: Option<u32>,
    /// Copies it to disk.
    pub(super) tee: Option<Arc<Tee>>,
}

impl Desk {
    /// How an item is wanted at first.
    pub(super) fn wanted(&self, item: &Item) -> Wanted {
        let shelf = self.shelf.as_ref().filter(|shelf| shelf.wants(item));
        let tee = shelf.map(|shelf| Arc::new(Tee::new(Arc::clone(shelf))));
        Wanted { side: None, tee }
    }

    /// Asks the site, more than once where that may help, and begins to feed.
    pub(super) async fn find(&self, turn: &Turn, wanted: &Wanted) -> Result<Feed, Failure> {
        self.find_by(turn, wanted, false).await
    }

    /// As [`Desk::find`], but what the site said before counts no longer.
    pub(super) async fn find_anew(&self, turn: &Turn, wanted: &Wanted) -> Result<Feed, Failure> {
        let feed = self.find_by(turn, wanted, true).await?;
        if feed.post().is_some() {
            self.tell(News::Refreshed(1)).await;
        }
        Ok(feed)
    }

    async fn find_by(&self, turn: &Turn, wanted: &Wanted, is_fresh: bool) -> Result<Feed, Failure> {
        let mut pauses = FIND_PAUSES.into_iter();
        loop {
            let error = match self.look(turn, wanted, is_fresh).await {
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
        wanted: &Wanted,
        is_fresh: bool,
    ) -> Result<Feed, PlayoutError> {
        let settings = self.settings.borrow().clone();
        if settings.stream_source == StreamSource::MediaFiles {
            return self.open_file(&turn.item.video_id).await;
        }
        let saved = self.shelf.as_ref().and_then(|shelf| shelf.get(&turn.item));
        if let Some(saved) = saved {
            let opened = self.context.feeds.open(Content::Saved(saved)).await;
            return opened.map_err(|error| PlayoutError::Bytes(error.to_string()));
        }
        let list = settings.playlist_id.as_deref().unwrap_or_default();
        let taste = taste(&settings, wanted.side);
        let playout = self.context.playout(&settings).await?;
        let found = playout.find(list, &turn.item.video_id, &taste, is_fresh);
        let playable = Box::pin(found).await?;
        let opened = self
            .context
            .feeds
            .open(Content::Post(Arc::new(playable), wanted.tee.clone()))
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
        if is_fetching || !self.desk.fetches_ahead() {
            return;
        }
        let desk = Arc::clone(&self.desk);
        let most = desk.context.parts.config.prefetch_items;
        let coming = desk.list.lock().coming(most);
        let fetching = async move {
            for item in coming {
                if desk.is_saved(&item) {
                    continue;
                }
                let fetched = desk.fetch(&item).await;
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
    fn fetches_ahead(&self) -> bool {
        self.shelf.is_some() && self.settings.borrow().serve_mode() == ServeMode::Download
    }

    /// Fetches an item whole, at as many goes as it takes while each brings something.
    pub(super) async fn fetch(&self, item: &Item) -> Result<(), String> {
        let Some(shelf) = &self.shelf else {
            return Err("there is no room".to_owned());
        };
        let begin = async || shelf.begin().await.map_err(|error| error.to_string());
        let mut part = begin().await?;
        let mut pauses = FETCH_PAUSES.into_iter();
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
                pauses = FETCH_PAUSES.into_iter();
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
        let settings = self.settings.borrow().clone();
        let list = settings.playlist_id.as_deref().unwrap_or_default();
        let taste = taste(&settings, None);
        let playout = self.context.playout(&settings).await?;
        let found = playout.find(list, &item.video_id, &taste, is_fresh);
        let playable = Box::pin(found).await?;
        Ok(part.complete(&playable).await?)
    }

    /// Keeps the copy that was made of an item while it was played.
    pub(super) async fn keep(&self, item: &Item, feed: &Feed, tee: &Tee) {
        let kept = Box::pin(self.try_keep(item, feed, tee)).await;
        let id = item.video_id.clone();
        let news = match kept {
            Ok(true) => News::Kept(id),
            Ok(false) => return,
            Err(error) => News::Line {
                item: id,
                line: format!("not kept: {error}"),
            },
        };
        self.tell(news).await;
    }

    async fn try_keep(&self, item: &Item, feed: &Feed, tee: &Tee) -> Result<bool, ShelfError> {
        let (Some(shelf), Some(post)) = (&self.shelf, feed.post()) else {
            return Ok(false);
        };
        let Some(mut part) = tee.finish().await? else {
            return Ok(false);
        };
        part.complete(post).await?;
        shelf.put(item, part).await?;
        Ok(true)
    }
}

/// Why an item was not fetched.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error(transparent)]
    Playout(#[from] PlayoutError),
    #[error(transparent)]
    Shelf(#[from] ShelfError),
}

impl FetchError {
    fn is_passing(&self) -> bool {
        match self {
            Self::Playout(error) => error.is_passing(),
            Self::Shelf(_) => true,
        }
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
        is_of_site: true,
        message: error.to_string(),
    }
}
