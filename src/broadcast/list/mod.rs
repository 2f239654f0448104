//! The list of a broadcast as it is played: what is next, what came later, what left, what is tried again. Pure.

mod left;
mod retry;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};

use tokio::time::Instant;

use self::left::Left;
use self::retry::Retry;
use super::{Item, ItemState, order};

/// Why an item left the list.
pub(super) const REMOVED: &str = "removed";

/// What is said when a reading brings no entry.
pub(super) const EMPTY_LIST: &str = "list read anew: nothing in it, so it stays as it was";
/// Turns that are remembered until their items are found: more are never looked for at once.
const MAX_BEGUN: usize = 4;

/// An item whose turn it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Turn {
    /// Place in the order of the cycle.
    pub(super) index: u32,
    /// How often the list was begun before.
    pub(super) cycle: u32,
    /// The item.
    pub(super) item: Item,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// An item.
    Turn(Box<Turn>),
    /// More of the list is on its way.
    Wait,
    /// The cycle is over.
    CycleEnd,
}

/// What comes after the last item of a cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AtEnd {
    /// Nothing.
    Stop,
    /// The list again; with a seed in an order that is drawn.
    Again(Option<u64>),
}

/// What became of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Noted {
    /// The item as it stands now.
    pub(super) item: Item,
    /// Whether it stood otherwise before.
    pub(super) is_news: bool,
}

/// What a newer reading has changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reread {
    /// Items that came.
    pub(super) came: usize,
    /// Items that went.
    pub(super) gone: usize,
    /// Items of which the list says something else now.
    pub(super) changed: usize,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct List {
    items: Vec<Item>,
    order: Vec<u32>,
    next: usize,
    /// Where the cycle was begun: not at its first place when it was resumed, or told to begin elsewhere.
    begun_at: usize,
    cycle: u32,
    /// The seed, while the order is drawn.
    seed: Option<u64>,
    is_complete: bool,
    last: Option<u32>,
    /// Items that go before what is next in the order.
    before: VecDeque<Turn>,
    /// What was given out and is being looked for, the oldest first.
    begun: VecDeque<Turn>,
    /// When items that could not be played are tried again; at once where nothing is said here.
    retries: HashMap<u32, Retry>,
    /// Where the order was left, because what comes there may not be played for now.
    left: Option<Left>,
}

impl List {
    /// A list of which nothing is known yet, in this cycle; with a seed its order is drawn.
    pub(super) fn new(seed: Option<u64>, cycle: u32) -> Self {
        Self {
            cycle,
            seed,
            ..Self::default()
        }
    }

    /// The items as they stand.
    pub(super) fn items(&self) -> &[Item] {
        &self.items
    }

    /// Whether no more of it is on its way.
    pub(super) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Adds items at the end. Before anything was played the order is drawn anew; later they get places behind the
    /// play head.
    pub(super) fn append(&mut self, items: Vec<Item>) {
        for mut item in items {
            let ord = u32::try_from(self.items.len()).unwrap_or(u32::MAX);
            item.ord = ord;
            if is_said_by_list(&item) {
                self.retries.insert(ord, Retry::first(self.cycle));
            }
            self.items.push(item);
            match self.seed {
                Some(seed) if self.last.is_some() => {
                    order::insert(&mut self.order, self.next, ord, seed, self.cycle);
                }
                _ => self.order.push(ord),
            }
        }
        if self.last.is_none() {
            self.draw();
        }
    }

    /// No more of it is on its way.
    pub(super) fn complete(&mut self) {
        self.is_complete = true;
    }

    /// Whether the cycle was begun at its first place, so that its end has passed everything.
    pub(super) fn is_whole_cycle(&self) -> bool {
        self.begun_at == 0
    }

    /// Goes to where an item is in the cycle: at the place where it was, unless the order has changed since.
    pub(super) fn seek_item(&mut self, index: u32, id: &str) {
        let is_it = |ord: &u32| {
            let item = usize::try_from(*ord)
                .ok()
                .and_then(|ord| self.items.get(ord));
            item.is_some_and(|item| item.video_id == id)
        };
        let place = usize::try_from(index).unwrap_or(usize::MAX);
        let is_there = self.order.get(place).is_some_and(is_it);
        let elsewhere = || self.order.iter().position(is_it);
        self.begin_at(if is_there {
            place
        } else {
            elsewhere().unwrap_or(place)
        });
    }

    /// Goes to a place of the cycle.
    pub(super) fn seek(&mut self, index: u32) {
        self.begin_at(usize::try_from(index).unwrap_or(usize::MAX));
    }

    fn begin_at(&mut self, place: usize) {
        (self.next, self.begun_at) = (place, place);
    }

    /// Begins the next cycle, in an order that fits to how the list is to be played now.
    pub(super) fn begin_cycle(&mut self, seed: Option<u64>) {
        self.cycle += 1;
        self.begin_at(0);
        self.seed = seed;
        self.draw();
    }

    fn draw(&mut self) {
        self.order = self.drawn(self.seed, self.cycle);
    }

    fn drawn(&self, seed: Option<u64>, cycle: u32) -> Vec<u32> {
        let count = u32::try_from(self.items.len()).unwrap_or(u32::MAX);
        match seed {
            Some(seed) => order::shuffled(count, seed, cycle, self.last),
            None => (0..count).collect(),
        }
    }

    /// What is next of those that `may` be played, and goes on behind it. The first that is passed over because it may not
    /// is where [`List::go_back`] leads.
    pub(super) fn next(&mut self, now: Instant, may: impl Fn(&Item) -> bool) -> Next {
        let turn = self.before.pop_front().or_else(|| {
            let at = (self.cycle, now);
            let turn = self.first_of(&self.order, self.next, at, may);
            let first = self.first_of(&self.order, self.next, at, |_| true);
            if let Some(first) = first.filter(|first| turn.as_ref() != Some(first)) {
                self.leave(first.index);
            }
            let place = turn.as_ref().map(|turn| turn.index + 1);
            let place = place.and_then(|place| usize::try_from(place).ok());
            self.next = place.unwrap_or(self.next.max(self.order.len()));
            self.last = turn.as_ref().map_or(self.last, |turn| Some(turn.item.ord));
            turn
        });
        if let Some(turn) = turn {
            self.begun.push_back(turn.clone());
            if self.begun.len() > MAX_BEGUN {
                self.begun.pop_front();
            }
            return Next::Turn(Box::new(turn));
        }
        if self.is_complete {
            Next::CycleEnd
        } else {
            Next::Wait
        }
    }

    /// What [`List::next`] would give out now, or after the end of the cycle, as far as it is known.
    pub(super) fn following(
        &self,
        now: Instant,
        at_end: AtEnd,
        may: impl Fn(&Item) -> bool,
    ) -> Option<Turn> {
        let before = self.before.front().cloned();
        let next =
            before.or_else(|| self.first_of(&self.order, self.next, (self.cycle, now), &may));
        match at_end {
            AtEnd::Again(seed) if next.is_none() && self.is_complete => {
                let cycle = self.cycle + 1;
                self.first_of(&self.drawn(seed, cycle), 0, (cycle, now), may)
            }
            AtEnd::Again(_) | AtEnd::Stop => next,
        }
    }

    /// What was given out first of that which is being looked for.
    pub(super) fn begun(&self) -> Option<&Turn> {
        self.begun.front()
    }

    /// What was given out of this item was found, or won't be.
    pub(super) fn found(&mut self, ord: u32) {
        if let Some(place) = self.begun.iter().position(|turn| turn.item.ord == ord) {
            self.begun.remove(place);
        }
    }

    /// Gives this one out before what is next in the order.
    pub(super) fn put_before(&mut self, turn: Turn) {
        self.before.push_back(turn);
    }

    /// The first item from a place of an order on that is to be played.
    fn first_of(
        &self,
        order: &[u32],
        from: usize,
        (cycle, now): (u32, Instant),
        may: impl Fn(&Item) -> bool,
    ) -> Option<Turn> {
        let places = order.iter().enumerate().skip(from);
        let mut turns = places.filter_map(|(place, ord)| {
            let item = self.items.get(usize::try_from(*ord).ok()?)?;
            let index = u32::try_from(place).ok()?;
            Some((index, item))
        });
        let (index, item) =
            turns.find(|(_, item)| self.is_tried(item, (cycle, now)) && may(item))?;
        let item = item.clone();
        Some(Turn { index, cycle, item })
    }

    fn is_tried(&self, item: &Item, (cycle, now): (u32, Instant)) -> bool {
        let retry = self.retries.get(&item.ord);
        match item.state {
            ItemState::Skipped if is_removed(item) => false,
            ItemState::Skipped => retry.is_none_or(|retry| retry.is_due(cycle, now)),
            ItemState::Pending | ItemState::Ok | ItemState::Failed => true,
        }
    }

    /// Lets all that could not be played be tried when its turn comes, however short a time ago it was.
    pub(super) fn retry_all(&mut self) {
        self.retries.clear();
    }

    /// The items after the one that was given out last, at most so many, that may be played.
    pub(super) fn coming(&self, most: usize) -> Vec<Item> {
        let behind = self.order.iter().skip(self.next);
        let items = behind.filter_map(|ord| self.items.get(usize::try_from(*ord).ok()?));
        let playable = |item: &&Item| item.state != ItemState::Skipped;
        items.filter(playable).take(most).cloned().collect()
    }

    /// Something of an item was handed over: tries in vain before count no longer, however it ends.
    pub(super) fn delivered(&mut self, ord: u32) {
        self.retries.remove(&ord);
    }

    /// Notes how an item fared, at this time of day and now. `None` for one that left the list meanwhile, and stays away,
    /// and for one that was played as before.
    pub(super) fn note(
        &mut self,
        ord: u32,
        state: ItemState,
        reason: Option<&str>,
        (at, now): (&str, Instant),
    ) -> Option<Noted> {
        self.found(ord);
        let item = self.items.get_mut(usize::try_from(ord).ok()?)?;
        if is_removed(item) {
            return None;
        }
        if state == ItemState::Skipped {
            let cycle = self.cycle;
            let again = |retry: &mut Retry| *retry = retry.again(cycle, now);
            let retry = self.retries.entry(ord).and_modify(again);
            retry.or_insert_with(|| Retry::first(cycle));
        } else {
            self.retries.remove(&ord);
        }
        let is_news = item.state != state || item.reason.as_deref() != reason;
        if !is_news && state != ItemState::Skipped {
            return None;
        }
        item.state = state;
        item.reason = reason.map(str::to_owned);
        item.checked_at = Some(at.to_owned());
        let item = item.clone();
        Some(Noted { item, is_news })
    }

    /// Compares the list with a newer reading: what is new comes at the end, what is gone is left out, and what the list
    /// says of the others now counts. A reading of nothing at all changes nothing: it is more likely to be the site's fault
    /// than its list.
    pub(super) fn refresh(&mut self, read: Vec<Item>) -> Reread {
        if read.is_empty() {
            return Reread::default();
        }
        let mut known: HashMap<String, VecDeque<usize>> = HashMap::new();
        for (place, item) in self.items.iter().enumerate() {
            if !is_removed(item) {
                let places = known.entry(item.video_id.clone()).or_default();
                places.push_back(place);
            }
        }
        let mut reread = Reread::default();
        let mut new = Vec::new();
        for item in read {
            let place = known.get_mut(&item.video_id);
            match place.and_then(VecDeque::pop_front) {
                Some(place) => reread.changed += usize::from(self.renew(place, item)),
                None => new.push(item),
            }
        }
        for place in known.into_values().flatten() {
            if let Some(item) = self.items.get_mut(place) {
                item.state = ItemState::Skipped;
                item.reason = Some(REMOVED.to_owned());
                reread.gone += 1;
            }
        }
        reread.came = new.len();
        self.append(new);
        reread
    }

    /// Takes over what a newer reading says of an item: that it can't be had any more, or that it can again; whether it has
    /// changed.
    fn renew(&mut self, place: usize, read: Item) -> bool {
        let Some(known) = self.items.get_mut(place) else {
            return false;
        };
        let was_closed = known.state == ItemState::Skipped && is_closed(known.reason.as_deref());
        let is_closed = is_said_by_list(&read);
        if was_closed == is_closed {
            return false;
        }
        let ord = known.ord;
        *known = Item { ord, ..read };
        if is_closed {
            self.retries.insert(ord, Retry::first(self.cycle));
        } else {
            self.retries.remove(&ord);
        }
        true
    }
}

/// Whether an item has left the list.
pub(super) fn is_removed(item: &Item) -> bool {
    item.reason.as_deref() == Some(REMOVED)
}

/// Whether the list says itself that an item can't be had; the site was not asked for it.
fn is_said_by_list(item: &Item) -> bool {
    item.state == ItemState::Skipped
        && item.checked_at.is_none()
        && is_closed(item.reason.as_deref())
}

/// What a list tells of its items.
fn is_closed(reason: Option<&str>) -> bool {
    matches!(reason, Some("private" | "deleted"))
}
