//! The list of a broadcast as it is played: what is next, what came later, what left. Pure.

use std::collections::HashMap;

use super::{Item, ItemState, order};

/// Why an item left the list.
pub(super) const REMOVED: &str = "removed";

/// What is said when a reading brings no entry.
pub(super) const EMPTY_LIST: &str = "list read anew: nothing in it, so it stays as it was";

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

/// See the module.
#[derive(Debug, Default)]
pub(super) struct List {
    items: Vec<Item>,
    order: Vec<u32>,
    next: usize,
    cycle: u32,
    /// The seed, while the order is drawn.
    seed: Option<u64>,
    is_complete: bool,
    last: Option<u32>,
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

    /// Goes to where an item is in the cycle: at the place where it was, unless the order has changed since.
    pub(super) fn seek_item(&mut self, index: u32, id: &str) {
        let is_it = |ord: &u32| {
            let item = usize::try_from(*ord)
                .ok()
                .and_then(|ord| self.items.get(ord));
            item.is_some_and(|item| item.video_id == id)
        };
        let place = usize::try_from(index).unwrap_or(usize::MAX);
        if self.order.get(place).is_some_and(is_it) {
            self.next = place;
        } else {
            self.next = self.order.iter().position(is_it).unwrap_or(place);
        }
    }

    /// Goes to a place of the cycle.
    pub(super) fn seek(&mut self, index: u32) {
        self.next = usize::try_from(index).unwrap_or(usize::MAX);
    }

    /// Begins the next cycle, in an order that fits to how the list is to be played now.
    pub(super) fn begin_cycle(&mut self, seed: Option<u64>) {
        self.cycle += 1;
        self.next = 0;
        self.seed = seed;
        self.draw();
    }

    fn draw(&mut self) {
        let count = u32::try_from(self.items.len()).unwrap_or(u32::MAX);
        self.order = match self.seed {
            Some(seed) => order::shuffled(count, seed, self.cycle, self.last),
            None => (0..count).collect(),
        };
    }

    /// What is next, and goes on behind it.
    pub(super) fn next(&mut self) -> Next {
        while let Some(ord) = self.order.get(self.next).copied() {
            let index = u32::try_from(self.next).unwrap_or(u32::MAX);
            self.next += 1;
            let Some(item) = usize::try_from(ord)
                .ok()
                .and_then(|ord| self.items.get(ord))
            else {
                continue;
            };
            if item.state == ItemState::Skipped && is_for_good(item.reason.as_deref()) {
                continue;
            }
            self.last = Some(ord);
            return Next::Turn(Box::new(Turn {
                index,
                cycle: self.cycle,
                item: item.clone(),
            }));
        }
        if self.is_complete {
            Next::CycleEnd
        } else {
            Next::Wait
        }
    }

    /// The item after the one that was given out last, when it is known.
    pub(super) fn following(&self) -> Option<&Item> {
        let ord = *self.order.get(self.next)?;
        self.items.get(usize::try_from(ord).ok()?)
    }

    /// The items after the one that was given out last, at most so many, that may be played.
    pub(super) fn coming(&self, most: usize) -> Vec<Item> {
        let behind = self.order.iter().skip(self.next);
        let items = behind.filter_map(|ord| self.items.get(usize::try_from(*ord).ok()?));
        let playable = |item: &&Item| item.state != ItemState::Skipped;
        items.filter(playable).take(most).cloned().collect()
    }

    /// Notes how an item fared; returns it when that is news. One that left the list meanwhile stays away.
    pub(super) fn note(
        &mut self,
        ord: u32,
        state: ItemState,
        reason: Option<&str>,
        at: &str,
    ) -> Option<Item> {
        let item = self.items.get_mut(usize::try_from(ord).ok()?)?;
        let is_gone = item.reason.as_deref() == Some(REMOVED);
        if is_gone || (item.state == state && item.reason.as_deref() == reason) {
            return None;
        }
        item.state = state;
        item.reason = reason.map(str::to_owned);
        item.checked_at = Some(at.to_owned());
        Some(item.clone())
    }

    /// Compares the list with a newer reading: what is new comes at the end, what is gone is left out. Returns how many
    /// came and went. A reading of nothing at all changes nothing: it is more likely to be the site's fault than its list.
    pub(super) fn refresh(&mut self, read: Vec<Item>) -> (usize, usize) {
        if read.is_empty() {
            return (0, 0);
        }
        let mut known: HashMap<String, usize> = HashMap::new();
        let is_here = |item: &&Item| item.reason.as_deref() != Some(REMOVED);
        for item in self.items.iter().filter(is_here) {
            *known.entry(item.video_id.clone()).or_default() += 1;
        }
        let mut wanted: HashMap<String, usize> = HashMap::new();
        let mut new = Vec::new();
        for item in read {
            *wanted.entry(item.video_id.clone()).or_default() += 1;
            match known.get_mut(&item.video_id) {
                Some(count) if *count > 0 => *count -= 1,
                _ => new.push(item),
            }
        }
        let mut gone = 0;
        for item in &mut self.items {
            if item.reason.as_deref() == Some(REMOVED) {
                continue;
            }
            match wanted.get_mut(&item.video_id) {
                Some(count) if *count > 0 => *count -= 1,
                _ => {
                    item.state = ItemState::Skipped;
                    item.reason = Some(REMOVED.to_owned());
                    gone += 1;
                }
            }
        }
        let came = new.len();
        self.append(new);
        (came, gone)
    }
}

/// What the list itself says can't change before it is read again.
fn is_for_good(reason: Option<&str>) -> bool {
    matches!(reason, Some(REMOVED | "private" | "deleted"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(id: &str) -> Item {
        Item {
            ord: 0,
            video_id: id.to_owned(),
            title: String::new(),
            duration_s: None,
            state: ItemState::Pending,
            reason: None,
            checked_at: None,
        }
    }

    fn items(ids: &[&str]) -> Vec<Item> {
        ids.iter().map(|id| item(id)).collect()
    }

    fn play(list: &mut List) -> Vec<String> {
        let turn = || match list.next() {
            Next::Turn(turn) => Some(turn.item.video_id),
            Next::Wait | Next::CycleEnd => None,
        };
        std::iter::from_fn(turn).collect()
    }

    #[test]
    fn items_come_in_order_and_doubles_stay() {
        let mut list = List::new(None, 0);
        list.append(items(&["a", "b", "a"]));
        assert_eq!(play(&mut list), ["a", "b", "a"]);
        assert_eq!(list.next(), Next::Wait);
        list.append(items(&["c"]));
        list.complete();
        assert_eq!(play(&mut list), ["c"]);
        assert_eq!(list.next(), Next::CycleEnd);
        list.begin_cycle(None);
        assert_eq!(play(&mut list), ["a", "b", "a", "c"]);
    }

    #[test]
    fn drawn_order_is_the_same_whether_the_list_comes_at_once_or_in_parts() {
        let ids: Vec<String> = (0..20).map(|id| id.to_string()).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let (mut whole, mut parts) = (List::new(Some(7), 0), List::new(Some(7), 0));
        whole.append(items(&ids));
        parts.append(items(&ids[..5]));
        parts.append(items(&ids[5..]));
        let order = play(&mut whole);
        assert_eq!(order, play(&mut parts));
        assert_ne!(order, ids);
        let mut resumed = List::new(Some(7), 0);
        resumed.append(items(&ids));
        resumed.seek(12);
        assert_eq!(play(&mut resumed), order[12..]);
    }

    #[test]
    fn item_is_found_again_wherever_it_is_by_now() {
        let mut list = List::new(None, 0);
        list.append(items(&["a", "b", "a", "c"]));
        for (index, id, expected) in [(2, "a", 2), (0, "a", 0), (1, "c", 3), (1, "gone", 1)] {
            list.seek_item(index, id);
            assert_eq!(list.next, expected, "{id}");
        }
    }

    #[test]
    fn what_the_list_says_is_gone_is_not_tried() {
        let mut list = List::new(None, 0);
        list.append(items(&["a", "b", "c"]));
        let note =
            |list: &mut List, ord, reason| list.note(ord, ItemState::Skipped, Some(reason), "now");
        assert!(note(&mut list, 0, "private").is_some());
        assert!(note(&mut list, 0, "private").is_none());
        note(&mut list, 1, "region_blocked");
        assert_eq!(play(&mut list), ["b", "c"]);
    }

    #[test]
    fn refresh_appends_what_is_new_and_leaves_out_what_is_gone() {
        let mut list = List::new(None, 0);
        list.append(items(&["a", "b", "b", "c"]));
        list.complete();
        assert!(matches!(list.next(), Next::Turn(turn) if turn.item.video_id == "a"));
        assert_eq!(list.refresh(items(&["b", "d", "c", "a"])), (1, 1));
        // It was on air when it left the list.
        assert!(list.note(2, ItemState::Ok, None, "now").is_none());
        assert_eq!(play(&mut list), ["b", "c", "d"]);
        assert_eq!(list.refresh(items(&["b", "d", "c", "a"])), (0, 0));
        assert_eq!(list.items().len(), 5);
        assert_eq!(list.refresh(Vec::new()), (0, 0));
        list.begin_cycle(None);
        assert_eq!(play(&mut list), ["a", "b", "c", "d"]);
    }
}
