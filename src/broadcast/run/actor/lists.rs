//! What the task of a broadcast does with its list: reads it, begins to play it, reads it anew.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::{Actor, Begin, Fault, NOTHING_PLAYS};
use crate::broadcast::list::{EMPTY_LIST, Reread, is_removed};
use crate::broadcast::pump::PumpHandle;
use crate::broadcast::run::driver::Driver;
use crate::broadcast::run::reading::Reading;
use crate::broadcast::source::Headers;
use crate::broadcast::{
    BroadcastError, Item, ItemState, LogLevel, LogSource, ServeMode, Settings, StreamSource,
};
use crate::services::ResolveError;
use crate::task;

/// How long a drawn order waits for the whole list.
const WHOLE_LIST: Duration = Duration::from_secs(10);
/// How long after a failure the list is read again, while only what is kept is played.
const READ_AGAIN: Duration = Duration::from_secs(30);
/// How long after a failure the list is read again, of which nothing is known yet, while the target is away, too.
const BEGIN_AGAIN: Duration = Duration::from_secs(10);
/// What is said while only what is kept is played.
const OFFLINE: &str = "the site is away: only what is kept is played";
/// The seed's words for a list that can't be read.
const NO_LIST: &str = "Failed to extract playlist videos";

/// Gets how many items came and went.
type Answer = oneshot::Sender<Result<(usize, usize), BroadcastError>>;

/// What a reading task brings.
pub(super) enum Read {
    Page(Vec<Item>),
    End,
    Failed(Arc<ResolveError>),
    Anew(Result<Vec<Item>, Arc<ResolveError>>, Option<Answer>),
}

impl Actor {
    /// Begins to read the list and to play it.
    pub(super) async fn begin(
        &mut self,
        settings: &Settings,
        begin: Begin,
        wire: (PumpHandle, Headers),
    ) {
        let mut driver = Driver::new(
            (Arc::clone(&self.context), &self.id),
            self.settings.clone(),
            Arc::clone(&self.list),
            wire,
            (self.news_sender.clone(), self.programs.clone()),
        )
        .await;
        self.shelf = driver.shelf();
        self.live().shelf = self.shelf.as_ref().map(Arc::downgrade).unwrap_or_default();
        let is_kept = settings.serve_mode() == ServeMode::Hybrid;
        // What is kept is played even when the list can't be read.
        let mut known = if begin.position.is_some() || is_kept {
            let items = self.context.store().items(&self.id).await;
            items.unwrap_or_default()
        } else {
            Vec::new()
        };
        let had_removed = known.iter().any(is_removed);
        let place = begin.position.as_ref();
        let is_place = |item: &Item| place.is_some_and(|place| place.item_id == item.video_id);
        known.retain(|item| !is_removed(item) || is_place(item));
        let is_files = settings.stream_source == StreamSource::MediaFiles;
        let known = if is_files {
            file_items(settings)
        } else {
            known
        };
        let is_known = !known.is_empty();
        {
            let mut list = self.list.lock();
            list.append(known);
            if is_known {
                list.complete();
            }
            match (&begin.position, begin.index) {
                (Some(position), None) => list.seek_item(position.index, &position.item_id),
                (_, index) => list.seek(index.unwrap_or(settings.start_index)),
            }
        }
        if let Some(position) = begin.position.filter(|_| begin.index.is_none()) {
            let offset = Duration::from_millis(position.offset_ms);
            driver.resume = Some((position.item_id, offset));
        }
        if is_files || had_removed {
            self.write_items().await;
        }
        if is_files {
            // They are all there is.
        } else if is_known {
            self.read_anew(None);
        } else {
            self.read_list(settings.shuffle_playlist);
        }
        self.driver = Some(task::owned(driver.drive()));
    }

    /// Reads the list from its beginning. A drawn order waits for all of it for a while.
    pub(super) fn read_list(&mut self, waits: bool) {
        let reading = self.reading(Duration::ZERO, waits);
        self.readings.begin(reading);
    }

    fn reading(&self, pause: Duration, waits: bool) -> impl Future<Output = ()> + Send + use<> {
        let read = self.read_sender.clone();
        let mut list = Reading::new(&self.context, &self.settings.borrow());
        async move {
            sleep(pause).await;
            let due = Instant::now() + WHOLE_LIST;
            let mut held = Vec::new();
            loop {
                let next = match list.next().await {
                    Ok(Some(page)) => {
                        held.extend(page);
                        None
                    }
                    Ok(None) => Some(Read::End),
                    Err(error) => Some(Read::Failed(error)),
                };
                let is_due = !waits || next.is_some() || Instant::now() >= due;
                if is_due && !held.is_empty() {
                    let _ = read.send(Read::Page(std::mem::take(&mut held))).await;
                }
                if let Some(end) = next {
                    let _ = read.send(end).await;
                    return;
                }
            }
        }
    }

    /// Reads the whole list again, to compare.
    pub(super) fn read_anew(&mut self, answer: Option<Answer>) {
        let reading = self.reading_anew(Duration::ZERO, answer);
        self.readings.begin(reading);
    }

    /// Reads it again some time later, while the site is away.
    fn read_later(&mut self) {
        let reading = self.reading_anew(READ_AGAIN, None);
        self.readings.set_later(reading);
    }

    fn reading_anew(
        &self,
        pause: Duration,
        answer: Option<Answer>,
    ) -> impl Future<Output = ()> + Send + use<> {
        let read = self.read_sender.clone();
        let list = Reading::anew(&self.context, &self.settings.borrow());
        async move {
            sleep(pause).await;
            let items = list.rest().await;
            let _ = read.send(Read::Anew(items, answer)).await;
        }
    }

    pub(super) fn refresh(&mut self, answer: Answer) {
        if self.settings.borrow().stream_source == StreamSource::MediaFiles {
            // The list stands in the record.
            let _ = answer.send(Ok((0, 0)));
            return;
        }
        self.read_anew(Some(answer));
    }

    pub(super) async fn take_read(&mut self, read: Read) -> Result<(), Fault> {
        match read {
            Read::Page(items) => {
                self.list.lock().append(items);
                self.write_items().await;
            }
            Read::End => {
                self.list.lock().complete();
                self.drop_files();
            }
            Read::Failed(error) => {
                let message = format!("{NO_LIST}: {error}");
                let is_empty = self.list.lock().items().is_empty();
                if is_empty && !self.is_cut_off() {
                    return Err(Fault::new("no_playable_items", message));
                }
                self.log(LogLevel::Warn, LogSource::Resolver, &message);
                if is_empty {
                    // The target can't be had either: what is away is the way out, as before the network is up.
                    let waits = self.settings.borrow().shuffle_playlist;
                    let reading = self.reading(BEGIN_AGAIN, waits);
                    self.readings.begin(reading);
                    return Ok(());
                }
                self.list.lock().complete();
            }
            Read::Anew(read, answer) => {
                let result = self.take_anew(read).await;
                match &result {
                    Ok(_) => self.note_back(),
                    Err(_) if answer.is_none() => self.note_away(),
                    // Whoever asked hears of it.
                    Err(_) => {}
                }
                if let Some(answer) = answer {
                    let _ = answer.send(result);
                }
            }
        }
        if self.list.lock().is_complete() && self.list.lock().items().is_empty() {
            return Err(Fault::new("no_playable_items", NOTHING_PLAYS));
        }
        self.list.tell();
        Ok(())
    }

    /// Whether there is no connection to the target.
    fn is_cut_off(&self) -> bool {
        let live = self.live();
        let pump = live.pump.as_ref().map(PumpHandle::status);
        pump.is_none_or(|pump| pump.connected_for.is_none())
    }

    /// The list can be read: all of it is played.
    fn note_back(&mut self) {
        self.list.note_offline(false);
        self.readings.no_later();
    }

    /// While the list can't be read only what is kept is played.
    fn note_away(&mut self) {
        if self.settings.borrow().serve_mode() != ServeMode::Hybrid {
            return;
        }
        if !self.list.note_offline(true) {
            self.log(LogLevel::Warn, LogSource::Resolver, OFFLINE);
        }
        self.read_later();
    }

    /// The driver has found the site to be away.
    pub(super) fn take_offline(&mut self) {
        self.log(LogLevel::Warn, LogSource::Resolver, OFFLINE);
        if !self.readings.has_later() {
            self.read_later();
        }
    }

    pub(super) async fn take_anew(
        &mut self,
        read: Result<Vec<Item>, Arc<ResolveError>>,
    ) -> Result<(usize, usize), BroadcastError> {
        let items = read.map_err(|error| {
            let message = format!("{NO_LIST}: {error}");
            self.log(LogLevel::Warn, LogSource::Resolver, &message);
            BroadcastError::Playlist(error)
        })?;
        if items.is_empty() {
            self.log(LogLevel::Warn, LogSource::Resolver, EMPTY_LIST);
        }
        let reread = self.list.lock().refresh(items);
        let Reread {
            came,
            gone,
            changed,
        } = reread;
        self.drop_files();
        if reread != Reread::default() {
            let message = format!("list read anew: {came} came, {gone} went, {changed} changed");
            self.log(LogLevel::Info, LogSource::Resolver, &message);
            self.write_items().await;
        }
        Ok((came, gone))
    }

    /// Gives up the files of items that are in the list no more.
    fn drop_files(&self) {
        if let Some(shelf) = &self.shelf {
            shelf.retain(self.list.lock().items());
        }
    }

    pub(super) async fn write_items(&self) {
        let items = self.list.lock().items().to_vec();
        self.context.store().note_items(&self.id, items).await;
    }
}

/// The files of a record as items.
fn file_items(settings: &Settings) -> Vec<Item> {
    let item = |name: &String| Item {
        ord: 0,
        video_id: name.clone(),
        title: name.clone(),
        duration_s: None,
        state: ItemState::Pending,
        reason: None,
        checked_at: None,
    };
    settings.media_files.iter().map(item).collect()
}
