//! Rows of broadcasts.

use std::collections::BTreeMap;

use rusqlite::OptionalExtension as _;

use super::columns::select;
use super::{Store, StoreError, columns};
use crate::broadcast::record::{Broadcast, Facts, Position};
use crate::broadcast::state::Status;

impl Store {
    /// Adds a broadcast.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn insert(&self, broadcast: Broadcast) -> Result<(), StoreError> {
        self.call(move |connection| {
            columns::insert(connection, &broadcast)?;
            Ok(())
        })
        .await
    }

    /// Writes anew what the user says of a broadcast, and forgets its items and position where its list is another one;
    /// whether there is one.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is changed then.
    pub async fn update(
        &self,
        broadcast: Broadcast,
        is_other_list: bool,
    ) -> Result<bool, StoreError> {
        self.call(move |connection| {
            let transaction = connection.transaction()?;
            if is_other_list {
                let id = &broadcast.id;
                transaction.execute("DELETE FROM items WHERE broadcast_id = ?1", [id])?;
                transaction.execute("UPDATE broadcasts SET position = NULL WHERE id = ?1", [id])?;
            }
            let is_there = columns::write_settings(&transaction, broadcast)? > 0;
            transaction.commit()?;
            Ok(is_there)
        })
        .await
    }

    /// Writes anew what the server says of a broadcast; whether there is one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_facts(&self, id: &str, facts: Facts) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.call(move |connection| Ok(columns::write_facts(connection, &id, &facts)? > 0))
            .await
    }

    /// Notes what the server says of a broadcast that runs; written now, or as soon as it can be.
    pub async fn note_facts(&self, id: &str, facts: Facts) {
        self.note_now(|pending| pending.facts(id, facts)).await;
    }

    /// Notes when a broadcast starts and ends by its schedule, and when its items are fetched; written now, or as soon as it
    /// can be.
    pub async fn note_times(&self, id: &str, times: [Option<String>; 3]) {
        self.note_now(|pending| pending.times(id, times)).await;
    }

    /// One broadcast.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn broadcast(&self, id: &str) -> Result<Option<Broadcast>, StoreError> {
        let id = id.to_owned();
        self.read(move |connection, shared| {
            let mut found = select(connection, "id = ?1 LIMIT 1", &[&id])?;
            shared.renew(&mut found);
            Ok(found.pop())
        })
        .await
    }

    /// The ids of all broadcasts in order, also of those that can't be read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ids(&self) -> Result<Vec<String>, StoreError> {
        self.read(|connection, _| {
            let mut statement =
                connection.prepare_cached("SELECT id FROM broadcasts ORDER BY id")?;
            let ids = statement.query_map([], |row| row.get(0))?;
            Ok(ids.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Broadcasts in the order of their ids, from behind `after` on, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn broadcasts(
        &self,
        status: Option<Status>,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<Broadcast>, StoreError> {
        let after = after.unwrap_or_default();
        self.read(move |connection, shared| {
            let most = i64::try_from(limit).unwrap_or(i64::MAX);
            // Where some stand the database does not know yet: all are looked at then.
            let is_known = shared.pending().stand().is_empty();
            let mut found = match status {
                Some(status) if is_known => select(
                    connection,
                    "status = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
                    &[&status.as_str(), &after, &most],
                ),
                Some(_) => select(connection, "id > ?1 ORDER BY id", &[&after]),
                None => select(connection, "id > ?1 ORDER BY id LIMIT ?2", &[&after, &most]),
            }?;
            shared.renew(&mut found);
            found.retain(|found| status.is_none_or(|status| found.facts.status == status));
            found.truncate(limit);
            Ok(found)
        })
        .await
    }

    /// How many broadcasts stand where; only where there are any.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_by_status(&self) -> Result<BTreeMap<&'static str, u64>, StoreError> {
        self.read(|connection, shared| {
            let mut counts = BTreeMap::new();
            let sql = "SELECT status, count(*) FROM broadcasts GROUP BY status";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map([], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
            })?;
            for row in rows {
                let (status, count) = row?;
                let known = Status::read(&status).zip(u64::try_from(count).ok());
                counts.extend(known.map(|(status, count)| (status.as_str(), count)));
            }
            let sql = "SELECT status FROM broadcasts WHERE id = ?1";
            let mut statement = connection.prepare_cached(sql)?;
            let stand = shared.pending().stand();
            for (id, status) in stand {
                let read = statement.query_row([id], |row| row.get::<_, String>(0));
                // One that was deleted meanwhile counts nowhere.
                let Some(old) = read.optional()?.as_deref().and_then(Status::read) else {
                    continue;
                };
                if let Some(count) = counts.get_mut(old.as_str()) {
                    *count -= 1;
                }
                *counts.entry(status.as_str()).or_default() += 1;
            }
            Ok(counts)
        })
        .await
    }

    /// Whether any broadcast has a stream key.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn has_keys(&self) -> Result<bool, StoreError> {
        self.read(|connection, _| {
            let sql = "SELECT EXISTS (SELECT 1 FROM broadcasts WHERE stream_key IS NOT NULL)";
            Ok(connection.query_row(sql, [], |row| row.get(0))?)
        })
        .await
    }

    /// Takes a broadcast away with its items and log; whether there was one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn delete(&self, id: &str) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.call(move |connection| {
            Ok(connection.execute("DELETE FROM broadcasts WHERE id = ?1", [id])? > 0)
        })
        .await
    }

    /// Notes where a broadcast is in its list; written soon.
    pub fn note_position(&self, id: &str, position: Position) {
        self.note(|pending| pending.position(id, position));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::broadcast::Settings;

    /// A value of every field that is not the default.
    fn settings() -> Settings {
        let fields = json!({
            "title": "T", "description": "D", "owner": "O", "account": "a", "stream_source": "playlist_direct",
            "media_files": ["a b.mp4"], "playlist_id": "PL", "playlist_serve_mode": "hybrid", "cache_first": 4,
            "shuffle_playlist": true, "shuffle_seed": u64::MAX, "loop_enabled": true, "start_index": 7,
            "format": "best", "profile": {"fps": 25}, "video_mode": "copy", "target_url": "rtmp://a.example/b",
            "resume": "live", "proxy": "p", "schedule": {
                "tz": "Europe/Vienna", "windows": [{"days": ["mon"], "from": "18:00", "to": "23:00"}],
                "start_at": "2026-01-01T00:00:00Z", "stop_at": "2027-01-01T00:00:00",
                "prefetch": {"from": "03:00", "to": "05:00", "items": 3}},
            "on_item_failure": "fallback_download", "max_item_minutes": 9, "allow_live": true, "autostart": true,
            "start_with_slate": false,
        });
        serde_json::from_value(fields).unwrap()
    }

    #[tokio::test]
    async fn every_field_comes_back_as_it_went_in() {
        let settings = settings();
        let unset = Settings::default().differences(&settings);
        assert_eq!(unset.len(), Settings::default().to_map().len(), "{unset:?}");
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("db")).unwrap();
        let broadcast = Broadcast {
            id: "A".to_owned(),
            settings: settings.clone(),
            sealed_key: Some(vec![0, 255]),
            facts: Facts::new("2026-01-01T00:00:00Z"),
        };
        store.insert(broadcast.clone()).await.unwrap();
        for (id, settings) in [("A", settings.clone()), ("B", Settings::default())] {
            let changed = Broadcast {
                id: id.to_owned(),
                settings,
                ..broadcast.clone()
            };
            assert_eq!(store.update(changed, false).await.unwrap(), id == "A");
        }
        let times = ["10", "12", "03"].map(|hour| Some(format!("2026-11-21T{hour}:00:00Z")));
        store.note_times("A", times.clone()).await;
        // The task of a run knows nothing of them.
        for (id, is_there) in [("A", true), ("B", false)] {
            let written = store.set_facts(id, broadcast.facts.clone()).await;
            assert_eq!(written.unwrap(), is_there);
        }
        let mut found = store.broadcast("A").await.unwrap().unwrap();
        let facts = &mut found.facts;
        assert_eq!(
            [
                facts.next_start_at.take(),
                facts.next_stop_at.take(),
                facts.next_prefetch_at.take()
            ],
            times
        );
        assert_eq!((found.settings, found.facts), (settings, broadcast.facts));
        assert_eq!(found.sealed_key, broadcast.sealed_key);
    }
}
