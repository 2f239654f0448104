//! Reads the list of a site, page by page.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::broadcast::context::Context;
use crate::broadcast::{Item, ItemState, Settings};
use crate::extract::{Availability, ExtractError, Part, PlaylistEntry};
use crate::services::ResolveError;

/// Entries of the first page, which is all that is waited for: what a site gives in one answer.
const FIRST: usize = 100;
/// Entries of further pages.
const FURTHER: usize = 500;
/// Pauses of one who waits for the list.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
];

/// A list that is being read.
pub(in crate::broadcast) struct Reading {
    context: Arc<Context>,
    settings: Settings,
    /// Names of the ways out that are left, any for `None`; the first one is taken, the next one where the list is closed.
    ways: VecDeque<Option<String>>,
    /// Entries that are accepted.
    most: usize,
    cursor: Option<String>,
    seen: HashSet<String>,
    count: usize,
    is_over: bool,
    /// Whether what was read a moment ago counts no longer.
    is_anew: bool,
    /// Before a page is asked for again, when that may help.
    pauses: &'static [Duration],
}

impl Reading {
    /// From the first page on.
    pub(in crate::broadcast) fn new(context: &Arc<Context>, settings: &Settings) -> Self {
        let config = &context.parts.config;
        let is_further = |name: &&String| settings.proxy.as_ref() != Some(*name);
        let further = config.region_fallback.iter().filter(is_further);
        let ways = std::iter::once(settings.proxy.clone()).chain(further.cloned().map(Some));
        Self {
            context: Arc::clone(context),
            settings: settings.clone(),
            ways: ways.collect(),
            most: config.max_items,
            cursor: None,
            seen: HashSet::new(),
            count: 0,
            is_over: false,
            is_anew: false,
            pauses: &PAUSES,
        }
    }

    /// The same, as the list is now.
    pub(in crate::broadcast) fn anew(context: &Arc<Context>, settings: &Settings) -> Self {
        Self {
            is_anew: true,
            ..Self::new(context, settings)
        }
    }

    /// Whether the site gives the list now, asked once.
    pub(in crate::broadcast) async fn can_be_had(self) -> bool {
        let mut once = Self {
            pauses: &[],
            ..self
        };
        once.next().await.is_ok()
    }

    /// The next page; `None` at the end: the list's own, that of what is accepted, or a page without a new id.
    ///
    /// # Errors
    /// The site gives none, after as many tries as may help.
    pub(in crate::broadcast) async fn next(
        &mut self,
    ) -> Result<Option<Vec<Item>>, Arc<ResolveError>> {
        let most = self.most;
        if self.is_over || self.count >= most {
            return Ok(None);
        }
        let limit = if self.cursor.is_none() {
            FIRST
        } else {
            FURTHER
        };
        let part = Part {
            cursor: self.cursor.clone(),
            limit: limit.min(most - self.count),
        };
        let page = self.page(part).await?;
        self.cursor.clone_from(&page.next_cursor);
        self.count += page.entries.len();
        let mut has_new = false;
        for entry in &page.entries {
            has_new |= self.seen.insert(entry.id.clone());
        }
        self.is_over = self.cursor.is_none() || !has_new;
        if !has_new {
            return Ok(None);
        }
        Ok(Some(page.entries.iter().map(item).collect()))
    }

    /// All that is left.
    ///
    /// # Errors
    /// As [`Reading::next`].
    pub(in crate::broadcast) async fn rest(mut self) -> Result<Vec<Item>, Arc<ResolveError>> {
        let mut items = Vec::new();
        while let Some(page) = self.next().await? {
            items.extend(page);
        }
        Ok(items)
    }

    async fn page(
        &mut self,
        part: Part,
    ) -> Result<Arc<crate::extract::Playlist>, Arc<ResolveError>> {
        let mut pauses = self.pauses.iter();
        loop {
            let way = self.ways.front().and_then(Option::as_deref);
            let lister = self.context.lister(&self.settings, way).await?;
            let lister = if self.is_anew { lister.fresh() } else { lister };
            let playlist = self.settings.playlist_id.as_deref().unwrap_or_default();
            let error = match lister.list(playlist, part.clone()).await {
                Ok(page) => return Ok(page),
                // The pages of a list go on where the first one was to be had.
                Err(error) if error.is_closed() && part.cursor.is_none() && self.ways.len() > 1 => {
                    self.ways.pop_front();
                    continue;
                }
                Err(error) => error,
            };
            match pauses.next().filter(|_| is_passing(&error)) {
                Some(pause) => tokio::time::sleep(*pause).await,
                None => return Err(error),
            }
        }
    }
}

/// Whether asking again may help.
fn is_passing(error: &ResolveError) -> bool {
    match error {
        ResolveError::Extract(error) => !matches!(
            error,
            ExtractError::Unavailable { .. }
                | ExtractError::RegionBlocked { .. }
                | ExtractError::Refused(_)
        ),
        ResolveError::Busy(_) | ResolveError::Timeout(_) | ResolveError::Internal => true,
        _ => false,
    }
}

/// An entry as an item; one that the site says can't be had is not even asked for.
fn item(entry: &PlaylistEntry) -> Item {
    let reason = match entry.availability {
        Availability::Private => Some("private"),
        Availability::Deleted => Some("deleted"),
        // Of the others the site is asked: with the operator's cookies some may be had.
        Availability::Available
        | Availability::Live
        | Availability::Upcoming
        | Availability::MembersOnly
        | Availability::Unavailable => None,
    };
    Item {
        ord: 0,
        video_id: entry.id.clone(),
        title: entry.title.clone(),
        duration_s: entry.duration_ms.map(|ms| ms / 1000),
        state: if reason.is_some() {
            ItemState::Skipped
        } else {
            ItemState::Pending
        },
        reason: reason.map(str::to_owned),
        checked_at: None,
    }
}
