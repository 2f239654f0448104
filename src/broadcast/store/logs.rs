//! The logs of broadcasts: rows are collected, written together, and the oldest go.

use std::collections::{BTreeSet, HashMap, VecDeque};

use rusqlite::{Connection, params};
use serde::Serialize;

use super::{Store, StoreError};
use crate::broadcast::record::Position;

/// Rows of one broadcast that are kept.
const KEPT: u32 = 5000;
/// Rows that may wait to be written.
const MAX_WAITING: usize = 10_000;

/// How much a row of the log matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
}

impl LogLevel {
    /// Every one, from the least on.
    pub const ALL: [Self; 4] = [Self::Debug, Self::Info, Self::Warn, Self::Error];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    /// The one written so.
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == text)
    }
}

/// Which part of a broadcast says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum LogSource {
    Manager,
    Resolver,
    Normaliser,
    Publisher,
}

impl LogSource {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manager => "manager",
            Self::Resolver => "resolver",
            Self::Normaliser => "normaliser",
            Self::Publisher => "publisher",
        }
    }

    fn read(text: &str) -> Self {
        let all = [Self::Resolver, Self::Normaliser, Self::Publisher];
        let found = all.into_iter().find(|source| source.as_str() == text);
        found.unwrap_or(Self::Manager)
    }
}

/// A row of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogRow {
    /// Rises over all broadcasts.
    pub id: i64,
    /// Whose it is.
    pub broadcast_id: String,
    /// When; RFC 3339.
    pub created_at: String,
    /// How much it matters.
    pub level: LogLevel,
    /// Who says it.
    pub source: LogSource,
    /// The item it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item_id: Option<String>,
    /// What is said; without secrets.
    pub message: String,
}

/// Which rows are wanted.
#[derive(Debug, Clone, Copy)]
pub struct LogQuery {
    /// At least so much.
    pub level: LogLevel,
    /// Most rows.
    pub limit: usize,
    /// Only older rows than this one.
    pub before: Option<i64>,
    /// Only newer rows than this one.
    pub after: Option<i64>,
}

/// What is collected.
#[derive(Debug, Default)]
pub(super) struct Pending {
    rows: VecDeque<LogRow>,
    positions: HashMap<String, Position>,
    newest: i64,
    dropped: u64,
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
    fn log(&mut self, mut row: LogRow) -> LogRow {
        self.newest += 1;
        row.id = self.newest;
        if self.rows.len() >= MAX_WAITING {
            let debug = self
                .rows
                .iter()
                .position(|row| row.level == LogLevel::Debug);
            self.rows.remove(debug.unwrap_or(0));
            self.dropped += 1;
        }
        self.rows.push_back(row.clone());
        row
    }

    pub(super) fn position(&mut self, id: &str, position: Position) {
        self.positions.insert(id.to_owned(), position);
    }

    /// What is to be written; `None` when nothing is.
    pub(super) fn take(&mut self) -> Option<Self> {
        if self.rows.is_empty() && self.positions.is_empty() {
            return None;
        }
        let newest = self.newest;
        let taken = std::mem::take(self);
        self.newest = newest;
        Some(taken)
    }

    pub(super) fn write(self, connection: &mut Connection) -> Result<(), StoreError> {
        if self.dropped > 0 {
            tracing::warn!(
                rows = self.dropped,
                "rows of the log of broadcasts were lost"
            );
        }
        let transaction = connection.transaction()?;
        {
            // A broadcast that has been deleted meanwhile takes no rows.
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
            let mut place =
                transaction.prepare_cached("UPDATE broadcasts SET position = ?2 WHERE id = ?1")?;
            for (id, position) in &self.positions {
                let position = serde_json::to_string(position);
                place.execute(params![id, position.unwrap_or_default()])?;
            }
        }
        Ok(transaction.commit()?)
    }
}

impl Store {
    /// Adds a row, written soon; returns it with its id.
    pub fn log(&self, row: LogRow) -> LogRow {
        let mut logged = None;
        self.collect(|pending| logged = Some(pending.log(row.clone())));
        logged.unwrap_or(row)
    }

    /// Rows of a broadcast, newest first; those behind a row oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn logs(&self, id: &str, query: LogQuery) -> Result<Vec<LogRow>, StoreError> {
        let id = id.to_owned();
        self.call(move |connection| {
            let levels: Vec<&str> = LogLevel::ALL
                .into_iter()
                .filter(|level| *level >= query.level)
                .map(LogLevel::as_str)
                .collect();
            let order = if query.after.is_some() { "ASC" } else { "DESC" };
            let sql = format!(
                "SELECT id, created_at, level, source, item_id, message FROM logs
                 WHERE broadcast_id = ?1 AND id < ?2 AND id > ?3 AND instr(?4, level) > 0
                 ORDER BY id {order} LIMIT ?5"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let (before, after) = (query.before.unwrap_or(i64::MAX), query.after.unwrap_or(0));
            let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
            let values = params![id, before, after, levels.join(" "), limit];
            let rows = statement.query_map(values, |row| {
                let level: String = row.get(2)?;
                let source: String = row.get(3)?;
                Ok(LogRow {
                    id: row.get(0)?,
                    broadcast_id: id.clone(),
                    created_at: row.get(1)?,
                    level: LogLevel::read(&level).unwrap_or(LogLevel::Info),
                    source: LogSource::read(&source),
                    item_id: row.get(4)?,
                    message: row.get(5)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }
}
