//! The columns of broadcasts: one table of them says how each value is kept, and whose it is.

use rusqlite::types::{Value as Cell, ValueRef};
use rusqlite::{Connection, Row, ToSql, params_from_iter};
use serde_json::{Map, Value};

use super::StoreError;
use crate::broadcast::Settings;
use crate::broadcast::record::{Broadcast, Facts};

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
/// The broadcasts of which this holds.
///
/// # Errors
/// The database's, or a row is none.
pub(super) fn select(
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

/// Adds a row.
pub(super) fn insert(connection: &Connection, broadcast: &Broadcast) -> rusqlite::Result<usize> {
    let names = COLUMNS.map(|(name, ..)| name).join(", ");
    let places = ["?"; COLUMNS.len() + 2].join(", ");
    let sql = format!("INSERT INTO broadcasts ({names}, stream_key, id) VALUES ({places})");
    connection.execute(&sql, params_from_iter(cells(broadcast)))
}

/// Writes what the user says of a broadcast; how many rows there were.
pub(super) fn write_settings(
    connection: &Connection,
    broadcast: Broadcast,
) -> rusqlite::Result<usize> {
    let is_meant = |name: &str, whose| whose == User || USERS_FACTS.contains(&name);
    let fields = fields(&broadcast);
    let key = broadcast.sealed_key.map_or(Cell::Null, Cell::Blob);
    let further = [("stream_key", key)];
    set(connection, &broadcast.id, &fields, is_meant, further)
}

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

/// Writes when a broadcast starts and ends by its schedule, and when its items are fetched.
pub(super) fn write_times(
    connection: &Connection,
    id: &str,
    [start, stop, prefetch]: &[Option<String>; 3],
) -> rusqlite::Result<usize> {
    let sql = "UPDATE broadcasts SET next_start_at = ?1, next_stop_at = ?2, next_prefetch_at = ?3 WHERE id = ?4";
    connection.execute(sql, rusqlite::params![start, stop, prefetch, id])
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
