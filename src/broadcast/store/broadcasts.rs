//! Rows of broadcasts. One table of columns says how each value is kept.

use std::collections::BTreeMap;

use rusqlite::types::{Value as Cell, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, params_from_iter};
use serde_json::{Map, Value};

use super::{Store, StoreError};
use crate::broadcast::Settings;
use crate::broadcast::record::{Broadcast, Facts, Position};
use crate::broadcast::state::Status;

/// How a value is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// As text or null.
    Text,
    /// As a number or null.
    Number,
    /// As 0 or 1.
    Flag,
    /// As JSON or null.
    Json,
}

/// Whose field a column is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    User,
    Server,
}

use Kind::{Flag, Json, Number, Text};
use Whose::{Server, User};

const COLUMNS: [(&str, Kind, Whose); 37] = [
    ("title", Text, User),
    ("description", Text, User),
    ("owner", Text, User),
    ("account", Text, User),
    ("stream_source", Text, User),
    ("media_files", Json, User),
    ("playlist_id", Text, User),
    ("playlist_serve_mode", Text, User),
    ("cache_first", Number, User),
    ("shuffle_playlist", Flag, User),
    // Unsigned, up to 64 bits: more than a number of SQLite holds.
    ("shuffle_seed", Json, User),
    ("loop_enabled", Flag, User),
    ("start_index", Number, User),
    ("format", Text, User),
    ("profile", Json, User),
    ("video_mode", Text, User),
    ("target_url", Text, User),
    ("resume", Text, User),
    ("proxy", Text, User),
    ("schedule", Json, User),
    ("on_item_failure", Text, User),
    ("max_item_minutes", Number, User),
    ("allow_live", Flag, User),
    ("autostart", Flag, User),
    ("start_with_slate", Flag, User),
    ("stream_key_hint", Text, Server),
    ("status", Text, Server),
    ("pid", Number, Server),
    ("started_at", Text, Server),
    ("stopped_at", Text, Server),
    ("next_start_at", Text, Server),
    ("next_stop_at", Text, Server),
    ("next_prefetch_at", Text, Server),
    ("created_at", Text, Server),
    ("updated_at", Text, Server),
    ("last_error", Json, Server),
    ("position", Json, Server),
];

impl Store {
    /// Adds a broadcast.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn insert(&self, broadcast: Broadcast) -> Result<(), StoreError> {
        self.call(move |connection| {
            let names = COLUMNS.map(|(name, ..)| name).join(", ");
            let places = ["?"; COLUMNS.len() + 2].join(", ");
            let sql = format!("INSERT INTO broadcasts ({names}, stream_key, id) VALUES ({places})");
            connection.execute(&sql, params_from_iter(cells(&broadcast)))?;
            Ok(())
        })
        .await
    }

    /// Writes anew what the user says of a broadcast; whether there is one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn update(&self, broadcast: Broadcast) -> Result<bool, StoreError> {
        self.call(move |connection| {
            let is_meant = |name: &str, whose| whose == User || USERS_FACTS.contains(&name);
            let fields = fields(&broadcast);
            let key = broadcast.sealed_key.map_or(Cell::Null, Cell::Blob);
            let further = [("stream_key", key)];
            let changed = set(connection, &broadcast.id, &fields, is_meant, further)?;
            Ok(changed > 0)
        })
        .await
    }

    /// Writes anew what the server says of a broadcast; whether there is one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_facts(&self, id: &str, facts: Facts) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.call(move |connection| Ok(write_facts(connection, &id, &facts)? > 0))
            .await
    }

    /// Notes what the server says of a broadcast that runs; written now, or as soon as it can be.
    pub async fn note_facts(&self, id: &str, facts: Facts) {
        self.note_now(|pending| pending.facts(id, facts)).await;
    }

    /// Writes when a broadcast starts and ends by its schedule, and when its items are fetched.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_times(
        &self,
        id: &str,
        [start, stop, prefetch]: [Option<String>; 3],
    ) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.call(move |connection| {
            let sql = "UPDATE broadcasts SET next_start_at = ?1, next_stop_at = ?2, next_prefetch_at = ?3 WHERE id = ?4";
            connection.execute(sql, rusqlite::params![start, stop, prefetch, id])?;
            Ok(())
        })
        .await
    }

    /// Forgets items and position, because the list is another one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_list(&self, id: &str) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.call(move |connection| {
            connection.execute("DELETE FROM items WHERE broadcast_id = ?1", [&id])?;
            connection.execute("UPDATE broadcasts SET position = NULL WHERE id = ?1", [&id])?;
            Ok(())
        })
        .await
    }

    /// One broadcast.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn broadcast(&self, id: &str) -> Result<Option<Broadcast>, StoreError> {
        let id = id.to_owned();
        self.read(move |connection, pending| {
            let mut found = select(connection, "id = ?1 LIMIT 1", &[&id])?;
            found.iter_mut().for_each(|found| pending.renew(found));
            Ok(found.pop())
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
        self.read(move |connection, pending| {
            let most = i64::try_from(limit).unwrap_or(i64::MAX);
            // Where some stand the database does not know yet: all are looked at then.
            let is_known = pending.stand().next().is_none();
            let mut found = match status {
                Some(status) if is_known => select(
                    connection,
                    "status = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
                    &[&status.as_str(), &after, &most],
                ),
                Some(_) => select(connection, "id > ?1 ORDER BY id", &[&after]),
                None => select(connection, "id > ?1 ORDER BY id LIMIT ?2", &[&after, &most]),
            }?;
            found.iter_mut().for_each(|found| pending.renew(found));
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
        self.read(|connection, pending| {
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
            for (id, status) in pending.stand() {
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

fn select(
    connection: &Connection,
    condition: &str,
    values: &[&dyn ToSql],
) -> Result<Vec<Broadcast>, StoreError> {
    let names = COLUMNS.map(|(name, ..)| name).join(", ");
    let sql = format!("SELECT {names}, stream_key, id FROM broadcasts WHERE {condition}");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

fn read(row: &Row<'_>) -> Result<Broadcast, StoreError> {
    let (mut user, mut server) = (Map::new(), Map::new());
    for (index, (name, kind, whose)) in COLUMNS.into_iter().enumerate() {
        let fields = match whose {
            User => &mut user,
            Server => &mut server,
        };
        fields.insert(name.to_owned(), value(row.get_ref(index)?, kind));
    }
    let broken = |error: serde_json::Error| StoreError::Failed(format!("a row: {error}"));
    Ok(Broadcast {
        settings: serde_json::from_value::<Settings>(user.into()).map_err(broken)?,
        facts: serde_json::from_value::<Facts>(server.into()).map_err(broken)?,
        sealed_key: row.get(COLUMNS.len())?,
        id: row.get(COLUMNS.len() + 1)?,
    })
}

fn value(cell: ValueRef<'_>, kind: Kind) -> Value {
    match (cell, kind) {
        (ValueRef::Text(text), Json) => serde_json::from_slice(text).unwrap_or(Value::Null),
        (ValueRef::Text(text), _) => String::from_utf8_lossy(text).into(),
        (ValueRef::Integer(number), Flag) => (number != 0).into(),
        (ValueRef::Integer(number), _) => number.into(),
        _ => Value::Null,
    }
}

/// Columns of the server that change with what the user says.
const USERS_FACTS: [&str; 3] = ["stream_key_hint", "created_at", "updated_at"];
/// Columns of the server that its timetable writes alone.
const TIMES: [&str; 3] = ["next_start_at", "next_stop_at", "next_prefetch_at"];

/// Writes what the server says of a broadcast, without what others write; how many rows there were.
pub(super) fn write_facts(
    connection: &Connection,
    id: &str,
    facts: &Facts,
) -> rusqlite::Result<usize> {
    let is_meant = |name: &str, whose| {
        whose == Server && !USERS_FACTS.contains(&name) && !TIMES.contains(&name)
    };
    set(connection, id, &facts_map(facts), is_meant, [])
}

/// Keeps of the facts that were read those that [`write_facts`] doesn't write.
pub(super) fn keep_others(facts: &mut Facts, read: Facts) {
    *facts = Facts {
        status: facts.status,
        pid: facts.pid,
        started_at: facts.started_at.take(),
        stopped_at: facts.stopped_at.take(),
        last_error: facts.last_error.take(),
        position: facts.position.take(),
        ..read
    };
}

/// Writes some columns of a row; how many rows there were.
fn set<const N: usize>(
    connection: &Connection,
    id: &str,
    fields: &Map<String, Value>,
    is_meant: impl Fn(&str, Whose) -> bool,
    further: [(&str, Cell); N],
) -> rusqlite::Result<usize> {
    let meant = COLUMNS
        .into_iter()
        .filter(|(name, _, whose)| is_meant(name, *whose));
    let of = |name: &str, kind| cell(fields.get(name).unwrap_or(&Value::Null), kind);
    let mut values: Vec<(&str, Cell)> = meant
        .map(|(name, kind, _)| (name, of(name, kind)))
        .collect();
    values.extend(further);
    let sets: Vec<String> = values
        .iter()
        .map(|(name, _)| format!("{name} = ?"))
        .collect();
    let sql = format!("UPDATE broadcasts SET {} WHERE id = ?", sets.join(", "));
    let cells = values.into_iter().map(|(_, cell)| cell);
    let id = std::iter::once(Cell::Text(id.to_owned()));
    connection.execute(&sql, params_from_iter(cells.chain(id)))
}

fn facts_map(facts: &Facts) -> Map<String, Value> {
    match serde_json::to_value(facts) {
        Ok(Value::Object(facts)) => facts,
        _ => Map::new(),
    }
}

fn fields(broadcast: &Broadcast) -> Map<String, Value> {
    let mut fields = broadcast.settings.to_map();
    fields.extend(facts_map(&broadcast.facts));
    fields
}

/// The values of all columns, then the key, then the id.
fn cells(broadcast: &Broadcast) -> Vec<Cell> {
    let fields = fields(broadcast);
    let cell = |(name, kind, _)| cell(fields.get(name).unwrap_or(&Value::Null), kind);
    let mut cells: Vec<Cell> = COLUMNS.map(cell).into();
    let key = broadcast.sealed_key.clone();
    cells.push(key.map_or(Cell::Null, Cell::Blob));
    cells.push(Cell::Text(broadcast.id.clone()));
    cells
}

fn cell(value: &Value, kind: Kind) -> Cell {
    match value {
        Value::Null => Cell::Null,
        value if kind == Json => Cell::Text(value.to_string()),
        Value::Bool(flag) => Cell::Integer((*flag).into()),
        Value::Number(number) => number.as_i64().map_or(Cell::Null, Cell::Integer),
        Value::String(text) => Cell::Text(text.clone()),
        Value::Array(_) | Value::Object(_) => Cell::Text(value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
            assert_eq!(store.update(changed).await.unwrap(), id == "A");
        }
        let times = ["10", "12", "03"].map(|hour| Some(format!("2026-11-21T{hour}:00:00Z")));
        store.set_times("A", times.clone()).await.unwrap();
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
