//! What is to be written soon: rows of the log, and where broadcasts and their items stand.
//!
//! Those who note it don't wait. What a full disk keeps from being written stays here, in an order of its own, until it can
//! be; whoever reads meanwhile is told it all the same.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use rusqlite::{Connection, Transaction, params};

use super::logs::{LogQuery, LogRow};
use super::{LogLevel, Status, columns, items};
use crate::broadcast::record::{Broadcast, Facts, Position};
use crate::broadcast::store::Item;

/// Rows of one broadcast that are kept.
const KEPT: u32 = 5000;
/// Rows that may wait to be written.
const MAX_WAITING: usize = 10_000;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Pending {
    rows: VecDeque<LogRow>,
    newest: i64,
    dropped: u64,
    facts: HashMap<String, Facts>,
    positions: HashMap<String, Position>,
    times: HashMap<String, Times>,
    lists: HashMap<String, Change>,
}

/// When a broadcast starts and ends by its schedule, and when its items are fetched.
pub(super) type Times = [Option<String>; 3];

/// What changes in a list.
#[derive(Debug, Default)]
struct Change {
    /// All of it, in place of what there is.
    whole: Option<Vec<Item>>,
    /// Items that changed since, by their places.
    items: BTreeMap<u32, Item>,
}

impl Change {
    /// This one after another.
    fn after(self, earlier: Self) -> Self {
        if self.whole.is_some() {
            return self;
        }
        let mut items = earlier.items;
        items.extend(self.items);
        Self {
            whole: earlier.whole,
            items,
        }
    }
}

impl Pending {
    /// Ids follow this one.
    pub(super) fn start_behind(&mut self, newest: i64) {
        self.newest = self.newest.saturating_add(newest);
        for row in &mut self.rows {
            row.id += newest;
        }
    }

    /// Adds a row and returns it with its id.
    pub(super) fn log(&mut self, mut row: LogRow) -> LogRow {
        self.newest += 1;
        row.id = self.newest;
        self.rows.push_back(row.clone());
        self.bound();
        row
    }

    /// Drops what is too much: rows that matter least, the oldest first.
    fn bound(&mut self) {
        while self.rows.len() > MAX_WAITING {
            let mut rows = self.rows.iter();
            let debug = rows.position(|row| row.level == LogLevel::Debug);
            self.rows.remove(debug.unwrap_or(0));
            self.dropped += 1;
        }
    }

    /// They hold the position, too: one that was noted before is older.
    pub(super) fn facts(&mut self, id: &str, facts: Facts) {
        self.positions.remove(id);
        self.facts.insert(id.to_owned(), facts);
    }

    pub(super) fn position(&mut self, id: &str, position: Position) {
        self.positions.insert(id.to_owned(), position);
    }

    pub(super) fn times(&mut self, id: &str, times: Times) {
        self.times.insert(id.to_owned(), times);
    }

    pub(super) fn items(&mut self, id: &str, items: Vec<Item>) {
        let change = Change {
            whole: Some(items),
            items: BTreeMap::new(),
        };
        self.lists.insert(id.to_owned(), change);
    }

    pub(super) fn item(&mut self, id: &str, item: Item) {
        let change = self.lists.entry(id.to_owned()).or_default();
        change.items.insert(item.ord, item);
    }

    fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.has_no_state()
    }

    fn has_no_state(&self) -> bool {
        self.facts.is_empty()
            && self.positions.is_empty()
            && self.times.is_empty()
            && self.lists.is_empty()
    }

    /// Rows that wait.
    pub(super) fn waiting(&self) -> usize {
        self.rows.len()
    }

    /// What is to be written; `None` when nothing is.
    pub(super) fn take(&mut self) -> Option<Self> {
        if self.is_empty() {
            return None;
        }
        let newest = self.newest;
        let taken = std::mem::take(self);
        self.newest = newest;
        Some(taken)
    }

    /// Takes back what could not be written; what was noted since is newer.
    pub(super) fn put_back(&mut self, earlier: Self) {
        let mut rows = earlier.rows;
        rows.append(&mut self.rows);
        self.rows = rows;
        self.dropped += earlier.dropped;
        for (id, position) in earlier.positions {
            if !self.facts.contains_key(&id) {
                self.positions.entry(id).or_insert(position);
            }
        }
        for (id, facts) in earlier.facts {
            self.facts.entry(id).or_insert(facts);
        }
        for (id, times) in earlier.times {
            self.times.entry(id).or_insert(times);
        }
        for (id, change) in earlier.lists {
            let newer = self.lists.remove(&id).unwrap_or_default();
            self.lists.insert(id, newer.after(change));
        }
        self.bound();
    }

    /// Writes where broadcasts and their items stand: all of it or nothing. A broadcast that has been deleted meanwhile
    /// takes none.
    ///
    /// # Errors
    /// The database's.
    pub(super) fn write_state(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        if self.has_no_state() {
            return Ok(());
        }
        let transaction = connection.transaction()?;
        for (id, facts) in &self.facts {
            columns::write_facts(&transaction, id, facts)?;
        }
        {
            let sql = "UPDATE broadcasts SET position = ?2 WHERE id = ?1";
            let mut place = transaction.prepare_cached(sql)?;
            for (id, position) in &self.positions {
                let position = serde_json::to_string(position);
                place.execute(params![id, position.unwrap_or_default()])?;
            }
        }
        for (id, times) in &self.times {
            columns::write_times(&transaction, id, times)?;
        }
        for (id, change) in &self.lists {
            let mut is_there =
                transaction.prepare_cached("SELECT 1 FROM broadcasts WHERE id = ?1")?;
            if !is_there.exists([id])? {
                continue;
            }
            if let Some(items) = &change.whole {
                items::replace(&transaction, id, items)?;
            }
            for item in change.items.values() {
                items::put(&transaction, id, item)?;
            }
        }
        transaction.commit()
    }

    /// Forgets what [`Self::write_state`] has written.
    pub(super) fn forget_state(&mut self) {
        self.facts.clear();
        self.positions.clear();
        self.times.clear();
        self.lists.clear();
    }

    /// Writes the rows of the log: all of them or none, and none of a broadcast that has been deleted meanwhile.
    ///
    /// # Errors
    /// The database's.
    pub(super) fn write_rows(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let transaction = connection.transaction()?;
        self.insert_rows(&transaction)?;
        transaction.commit()?;
        if self.dropped > 0 {
            let rows = self.dropped;
            tracing::warn!(rows, "rows of the log of broadcasts were lost");
        }
        Ok(())
    }

    fn insert_rows(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let mut insert = transaction.prepare_cached(
            "INSERT INTO logs (id, broadcast_id, created_at, level, source, item_id, message)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE EXISTS (SELECT 1 FROM broadcasts WHERE id = ?2)",
        )?;
        for row in &self.rows {
            insert.execute(params![
                row.id,
                row.broadcast_id,
                row.created_at,
                row.level.as_str(),
                row.source.as_str(),
                row.item_id,
                row.message,
            ])?;
        }
        let mut prune = transaction.prepare_cached(
            "DELETE FROM logs WHERE broadcast_id = ?1 AND id <= (SELECT id FROM logs
             WHERE broadcast_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        )?;
        let touched: BTreeSet<&str> = self.rows.iter().map(|row| &*row.broadcast_id).collect();
        for id in touched {
            prune.execute(params![id, KEPT])?;
        }
        Ok(())
    }

    /// Brings a record that was read up to date.
    pub(super) fn renew(&self, broadcast: &mut Broadcast) {
        if let Some(facts) = self.facts.get(&broadcast.id) {
            let kept = std::mem::replace(&mut broadcast.facts, facts.clone());
            columns::keep_others(&mut broadcast.facts, kept);
        }
        if let Some(position) = self.positions.get(&broadcast.id) {
            broadcast.facts.position = Some(position.clone());
        }
        if let Some(times) = self.times.get(&broadcast.id) {
            let facts = &mut broadcast.facts;
            [
                facts.next_start_at,
                facts.next_stop_at,
                facts.next_prefetch_at,
            ] = times.clone();
        }
    }

    /// Where broadcasts stand of which the database does not know it yet.
    pub(super) fn stand(&self) -> Vec<(String, Status)> {
        let facts = self.facts.iter();
        facts
            .map(|(id, facts)| (id.clone(), facts.status))
            .collect()
    }

    /// Brings a list that was read up to date.
    pub(super) fn renew_items(&self, id: &str, items: Vec<Item>) -> Vec<Item> {
        let Some(change) = self.lists.get(id) else {
            return items;
        };
        let mut items = change.whole.clone().unwrap_or(items);
        for item in &mut items {
            if let Some(newer) = change.items.get(&item.ord) {
                item.clone_from(newer);
            }
        }
        items
    }

    /// Puts those that wait to the rows that were read; they are newer than all of them.
    pub(super) fn renew_rows(&self, id: &str, query: LogQuery, read: Vec<LogRow>) -> Vec<LogRow> {
        let is_meant = |row: &&LogRow| {
            row.broadcast_id == id
                && row.level >= query.level
                && query.before.is_none_or(|before| row.id < before)
                && query.after.is_none_or(|after| row.id > after)
        };
        let waiting = self.rows.iter().filter(is_meant).cloned();
        let mut rows: Vec<LogRow> = if query.after.is_some() {
            read.into_iter().chain(waiting).collect()
        } else {
            waiting.rev().chain(read).collect()
        };
        rows.truncate(query.limit);
        rows
    }
}

#[cfg(test)]
mod tests;
