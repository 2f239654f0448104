//! Items of the lists of broadcasts.

use rusqlite::params;
use serde::{Deserialize, Serialize};

use super::{Store, StoreError};

/// How an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemState {
    /// Nothing is known of it yet.
    Pending,
    /// It was played, or is being played.
    Ok,
    /// It can't be played.
    Skipped,
    /// It broke.
    Failed,
}

impl ItemState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }

    fn read(text: &str) -> Self {
        let all = [Self::Ok, Self::Skipped, Self::Failed];
        let found = all.into_iter().find(|state| state.as_str() == text);
        found.unwrap_or(Self::Pending)
    }
}

/// An item of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// Place in the list, counted from 0.
    pub ord: u32,
    /// The site's id, or the name of the file.
    pub video_id: String,
    /// Title.
    pub title: String,
    /// Length in seconds, where the list tells it.
    pub duration_s: Option<u64>,
    /// How it stands.
    pub state: ItemState,
    /// Why it can't be played: a stable word.
    pub reason: Option<String>,
    /// When that was found out.
    pub checked_at: Option<String>,
}

impl Store {
    /// The items of a broadcast in order.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn items(&self, id: &str) -> Result<Vec<Item>, StoreError> {
        let id = id.to_owned();
        self.read(move |connection, shared| {
            let mut statement = connection.prepare_cached(
                "SELECT ord, video_id, title, duration_s, state, reason, checked_at FROM items
                 WHERE broadcast_id = ?1 ORDER BY ord",
            )?;
            let items = statement.query_map([&id], |row| {
                Ok(Item {
                    ord: row.get(0)?,
                    video_id: row.get(1)?,
                    title: row.get(2)?,
                    duration_s: row
                        .get::<_, Option<i64>>(3)?
                        .and_then(|s| s.try_into().ok()),
                    state: ItemState::read(&row.get::<_, String>(4)?),
                    reason: row.get(5)?,
                    checked_at: row.get(6)?,
                })
            })?;
            let items = items.collect::<Result<_, _>>()?;
            Ok(shared.pending().renew_items(&id, items))
        })
        .await
    }

    /// Replaces the items of a broadcast.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_items(&self, id: &str, items: Vec<Item>) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.call(move |connection| {
            let transaction = connection.transaction()?;
            replace(&transaction, &id, &items)?;
            Ok(transaction.commit()?)
        })
        .await
    }

    /// Replaces the items of a broadcast that runs; written now, or as soon as they can be.
    pub async fn note_items(&self, id: &str, items: Vec<Item>) {
        self.note_now(|pending| pending.items(id, items)).await;
    }

    /// Notes one of its items anew; written now, or as soon as it can be.
    pub async fn note_item(&self, id: &str, item: Item) {
        self.note_now(|pending| pending.item(id, item)).await;
    }
}

pub(super) fn replace(
    connection: &rusqlite::Connection,
    id: &str,
    items: &[Item],
) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM items WHERE broadcast_id = ?1", [id])?;
    items.iter().try_for_each(|item| put(connection, id, item))
}

pub(super) fn put(
    connection: &rusqlite::Connection,
    id: &str,
    item: &Item,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO items (broadcast_id, ord, video_id, title, duration_s, state, reason, checked_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let duration = item
        .duration_s
        .and_then(|seconds| i64::try_from(seconds).ok());
    statement.execute(params![
        id,
        item.ord,
        item.video_id,
        item.title,
        duration,
        item.state.as_str(),
        item.reason,
        item.checked_at,
    ])?;
    Ok(())
}
