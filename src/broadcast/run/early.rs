//! Items that are fetched before the time on air of a broadcast (`prefetch` of its schedule). The run that starts takes
//! them over; when it is changed or deleted before, they go.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::Reading;
use super::fetching::{Fetcher, NoRoom};
use crate::broadcast::context::{About, Context};
use crate::broadcast::list::List;
use crate::broadcast::redact::Redactor;
use crate::broadcast::shelf::Shelf;
use crate::broadcast::{Broadcast, Item, LogLevel, LogSource, ServeMode, Settings};
use crate::services::ResolveError;
use crate::task;

/// See the module; by the ids of broadcasts.
#[derive(Default)]
pub(in crate::broadcast) struct Early(Mutex<HashMap<String, Fetched>>);

struct Fetched {
    /// What they were fetched for.
    settings: Settings,
    shelf: Arc<Shelf>,
    /// Ends with the entry.
    task: AbortOnDropHandle<()>,
}

impl Fetched {
    /// Gives up what was fetched; no more is.
    async fn forget(self) {
        self.task.abort();
        self.shelf.close().await;
    }
}

impl Early {
    /// Begins to fetch the first `count` items of a broadcast that isn't on air, within a time.
    pub(in crate::broadcast) async fn begin(
        context: &Arc<Context>,
        broadcast: &Broadcast,
        count: u32,
        within: Duration,
    ) {
        let (id, settings) = (&broadcast.id, &broadcast.settings);
        let early = &context.early;
        // What is there from the time before is not fetched again.
        let kept = early.take(id, settings).await;
        let shelf = match kept {
            Some(shelf) => Some(shelf),
            None => context.shelves.open(id, settings).await.map(Arc::new),
        };
        let Some(shelf) = shelf else {
            return;
        };
        let work = Work {
            id: id.clone(),
            fetcher: Fetcher {
                context: Arc::clone(context),
                settings: settings.clone(),
                shelf: Arc::clone(&shelf),
            },
        };
        let lifecycle = context.parts.lifecycle.clone();
        let task = task::owned(lifecycle.until_soft(async move {
            if timeout(within, work.run(count)).await.is_err() {
                work.say(
                    LogLevel::Warn,
                    None,
                    "not all could be fetched ahead in time",
                );
            }
        }));
        let fetched = Fetched {
            settings: settings.clone(),
            shelf,
            task,
        };
        early.all().insert(id.clone(), fetched);
    }

    /// The items that were fetched for these settings, for the run that begins; those for others go. No more are fetched.
    pub(in crate::broadcast) async fn take(
        &self,
        id: &str,
        settings: &Settings,
    ) -> Option<Arc<Shelf>> {
        let fetched = self.all().remove(id)?;
        if fetched.settings.is_fetched_alike(settings) {
            return Some(fetched.shelf);
        }
        fetched.forget().await;
        None
    }

    /// The items that were fetched so far.
    pub(in crate::broadcast) fn shelf(&self, id: &str) -> Option<Arc<Shelf>> {
        self.all().get(id).map(|fetched| Arc::clone(&fetched.shelf))
    }

    /// Gives them up, unless they are as good for these settings; whether it has.
    pub(in crate::broadcast) async fn forget_unless(
        &self,
        id: &str,
        settings: Option<&Settings>,
    ) -> bool {
        let is_other = |fetched: &Fetched| {
            settings.is_none_or(|settings| !fetched.settings.is_fetched_alike(settings))
        };
        let other = {
            let mut all = self.all();
            let is_other = all.get(id).is_some_and(is_other);
            is_other.then(|| all.remove(id)).flatten()
        };
        let Some(other) = other else {
            return false;
        };
        other.forget().await;
        true
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Fetched>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The fetching for one time on air.
struct Work {
    id: String,
    fetcher: Fetcher,
}

impl Work {
    async fn run(&self, count: u32) {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let items = match self.first(count).await {
            Ok(items) => items,
            Err(error) => {
                let message = format!("not fetched ahead: {error}");
                return self.say(LogLevel::Warn, None, &message);
            }
        };
        for item in items {
            if self.fetcher.shelf.get(&item).is_some() {
                continue;
            }
            let id = Some(item.video_id.as_str());
            let is_told = AtomicBool::new(false);
            let waits = |line: &str| {
                if !is_told.swap(true, Ordering::Relaxed) {
                    self.say(LogLevel::Info, id, line);
                }
            };
            match self.fetcher.fetch(&item, NoRoom::Wait(&waits)).await {
                Ok(()) => self.say(LogLevel::Info, id, "fetched ahead"),
                Err(error) => {
                    let message = format!("not fetched ahead: {error}");
                    self.say(LogLevel::Warn, id, &message);
                }
            }
        }
    }

    /// The items with which a run begins; of others nothing stays but what is kept for good. A drawn order needs the whole
    /// list.
    async fn first(&self, count: usize) -> Result<Vec<Item>, Arc<ResolveError>> {
        let settings = &self.fetcher.settings;
        let seed = settings.seed();
        let mut list = List::new(seed, 0);
        list.seek(settings.start_index);
        let kept = match settings.serve_mode() {
            ServeMode::Hybrid => usize::from(settings.cache_first),
            _ => 0,
        };
        let mut reading = Reading::new(&self.fetcher.context, settings);
        while seed.is_some() || list.coming(count).len() < count || list.items().len() < kept {
            let Some(page) = reading.next().await? else {
                break;
            };
            list.append(page);
        }
        let coming = list.coming(count);
        // What was fetched the day before may have left the list, or comes later now.
        let stays: Vec<Item> = coming
            .iter()
            .chain(list.items().iter().take(kept))
            .cloned()
            .collect();
        self.fetcher.shelf.retain(&stays);
        Ok(coming)
    }

    fn say(&self, level: LogLevel, item: Option<&str>, message: &str) {
        let message = Redactor::new(None).clean(message);
        let about = About {
            item,
            message: &message,
        };
        let context = &self.fetcher.context;
        context.log(&self.id, level, LogSource::Resolver, about);
    }
}
