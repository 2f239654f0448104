//! The logs of broadcasts: rows are collected, written together, and the oldest go.

use rusqlite::params;
use serde::Serialize;

use super::{Store, StoreError};

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

impl Store {
    /// Adds a row, written soon; returns it with its id.
    pub fn log(&self, row: LogRow) -> LogRow {
        let mut logged = None;
        self.note(|pending| logged = Some(pending.log(row.clone())));
        logged.unwrap_or(row)
    }

    /// Rows of a broadcast, newest first; those behind a row oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn logs(&self, id: &str, query: LogQuery) -> Result<Vec<LogRow>, StoreError> {
        let id = id.to_owned();
        self.read(move |connection, shared| {
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
            let rows = rows.collect::<Result<_, _>>()?;
            Ok(shared.pending().renew_rows(&id, query, rows))
        })
        .await
    }
}
