//! Where the bytes of an item come from: the site, the operator's files, or what was fetched ahead.

use std::collections::HashSet;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use super::failures::Failure;
use super::{Desk, Driver, News};
use crate::broadcast::feed::{Content, Feed};
use crate::broadcast::files;
use crate::broadcast::list::Turn;
use crate::broadcast::run::fetching::{Fetcher, NoRoom, is_too_long, taste};
use crate::broadcast::shelf::{Shelf, ShelfError, Tee};
use crate::broadcast::tuner::Tuner;
use crate::broadcast::{Item, ItemState, ServeMode, StreamSource};
use crate::services::{PlayoutError, Room};
use crate::task;
use crate::temp::TempError;

/// Pauses before an item is looked for again, when that may help.
const FIND_PAUSES: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// How long an item waits for the target at most, before the site is asked again.
const HELD: Duration = Duration::from_secs(60);

/// How an item is wanted.
pub(super) struct Wanted {
    /// For what is read of it while it is on air.
    pub(super) room: Room,
    /// Lines of the picture at most, once the file of choice came too slowly.
    pub(super) side: Option<u32>,
    /// Copies it to disk.
    pub(super) tee: Option<Arc<Tee>>,
}

impl Desk {
    /// How an item is wanted at first. In the mode `download` what is played as it comes, such as the first item, is saved
    /// meanwhile.
    pub(super) async fn wanted(&self, item: &Item) -> Wanted {
        self.look_for_copy(item).await;
        let is_saved = self.fetches_ahead();
        let shelf = self.shelf.as_ref();
        let shelf = shelf.filter(|shelf| shelf.wants(item, is_saved));
        let tee = shelf.map(Shelf::copy);
        Wanted {
            room: self.context.live_room.shared(),
            side: None,
            tee,
        }
    }

    /// Gives up the copy of an item that is not on disk any more, or not as it was.
    async fn look_for_copy(&self, item: &Item) {
        let shelf = self.shelf.as_ref();
        let Some((shelf, saved)) = shelf.and_then(|shelf| Some((shelf, shelf.get(item)?))) else {
            return;
        };
        if !saved.is_there().await {
            shelf.give_up(item);
            let line = "the copy on disk is gone, or was changed".to_owned();
            let item = item.video_id.clone();
            self.tell(News::Line { item, line }).await;
        }
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
                None if error.is_passing() && self.is_cut_off() => {
                    self.wait_for_target(turn, HELD).await;
                    pauses = FIND_PAUSES.into_iter();
                }
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
        let id = &turn.item.video_id;
        let content = match Box::pin(playout.find(list, id, &taste, is_fresh)).await {
            Err(error) if error.is_live() && settings.allow_live => {
                let stream = Box::pin(playout.tune(list, id)).await?;
                Content::Live(Tuner::new(stream, taste, wanted.room.clone()))
            }
            found => Content::Post(Arc::new(found?), wanted.tee.clone()),
        };
        let opened = self.context.feeds.open(content).await;
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
    /// Begins to fetch what comes next, unless it is being fetched already. What isn't there when its turn comes is played
    /// as it comes, and not fetched besides.
    pub(super) fn fetch_ahead(&mut self, turn: &Turn) {
        if self.desk.fetches_ahead() && !self.desk.is_saved(&turn.item) {
            if self.desk.lock_fetching().as_ref() == Some(&turn.item.video_id) {
                self.fetching = None;
            }
            if !is_too_long(&turn.item, &self.desk.settings.borrow()) {
                let news = News::Direct(turn.item.video_id.clone());
                // One line of the log less when nobody has the time to hear it.
                let _ = self.desk.news.try_send(news);
            }
        }
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
        let fetching = desk.fetch_all_ahead(coming);
        self.fetching = Some(task::owned(self.desk.programs.track_future(fetching)));
    }
}

impl Desk {
    fn lock_fetching(&self) -> MutexGuard<'_, Option<String>> {
        self.fetching.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fetches_ahead(&self) -> bool {
        self.shelf.is_some() && self.settings.borrow().serve_mode() == ServeMode::Download
    }

    /// Tells [`Desk::once`] without waiting.
    fn say_once(&self, item: &str, line: &str) {
        if let Some(news) = self.once(item, line) {
            // One line of the log less when nobody has the time to hear it.
            let _ = self.news.try_send(news);
        }
    }

    /// Fetches items whole, one after the other.
    async fn fetch_all_ahead(self: Arc<Self>, items: Vec<Item>) {
        for item in items.iter().filter(|item| !self.is_saved(item)) {
            let id = item.video_id.as_str();
            *self.lock_fetching() = Some(id.to_owned());
            let waits = |line: &str| self.say_once(id, line);
            let fetched = self.fetch(item, NoRoom::Wait(&waits)).await;
            *self.lock_fetching() = None;
            let news = match fetched {
                Ok(()) => Some(News::Fetched(id.to_owned())),
                Err(message) => self.once(id, &format!("not fetched ahead: {message}")),
            };
            if let Some(news) = news {
                self.tell(news).await;
            }
        }
    }

    /// A line about an item that is not fetched ahead, unless it is what was said of it before: each cycle comes to the
    /// same.
    pub(super) fn once(&self, item: &str, line: &str) -> Option<News> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let before = told.insert(item.to_owned(), line.to_owned());
        (before.as_deref() != Some(line)).then(|| News::Line {
            item: item.to_owned(),
            line: line.to_owned(),
        })
    }

    /// Forgets what was said of items that are in the list no more.
    pub(super) fn forget_told(&self) {
        let list = self.list.lock();
        let ids: HashSet<&str> = list.items().iter().map(|item| &*item.video_id).collect();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|id, _| ids.contains(id.as_str()));
    }

    /// Fetches an item whole.
    pub(super) async fn fetch(&self, item: &Item, no_room: NoRoom<'_>) -> Result<(), String> {
        let Some(shelf) = &self.shelf else {
            return Err("there is no room".to_owned());
        };
        let fetcher = Fetcher {
            context: Arc::clone(&self.context),
            settings: self.settings.borrow().clone(),
            shelf: Arc::clone(shelf),
        };
        fetcher.fetch(item, no_room).await
    }

    /// Keeps the copy that was made of an item while it was played.
    pub(super) async fn keep(&self, item: &Item, feed: &Feed, tee: &Tee) {
        let kept = Box::pin(self.try_keep(item, feed, tee)).await;
        let id = item.video_id.clone();
        let news = match kept {
            Ok(true) => News::Kept(id),
            Ok(false) => return,
            Err(error) => {
                self.give_way(&error).await;
                News::Line {
                    item: id,
                    line: format!("not kept: {error}"),
                }
            }
        };
        self.tell(news).await;
    }

    /// Where there is no room for all, nothing is kept for the next cycle.
    async fn give_way(&self, error: &ShelfError) {
        if let (Some(shelf), ShelfError::Temp(TempError::Busy)) = (&self.shelf, error) {
            shelf.make_room().await;
        }
    }

    async fn try_keep(&self, item: &Item, feed: &Feed, tee: &Tee) -> Result<bool, ShelfError> {
        let (Some(shelf), Some(post)) = (&self.shelf, feed.post()) else {
            return Ok(false);
        };
        let Some(mut part) = tee.finish().await? else {
            return Ok(false);
        };
        // What was left out on the way is read again, if it is going to be played again.
        if !part.is_whole() && !self.comes_again() && !shelf.keeps(item) {
            return Ok(false);
        }
        part.complete(post).await?;
        shelf.put(item, part).await?;
        Ok(true)
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
        from: Duration::ZERO,
        message: error.to_string(),
    }
}
