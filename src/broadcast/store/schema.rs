//! The tables, and how older ones become newer.

use std::time::Duration;

use rusqlite::Connection;

use super::owner::may_pass;

/// Each brings the tables from the version that is its place to the next one. Never changed, only added to.
const MIGRATIONS: [&str; 7] = [
    "CREATE TABLE broadcasts (
        id TEXT PRIMARY KEY, title TEXT NOT NULL, description TEXT NOT NULL, owner TEXT NOT NULL,
        stream_source TEXT NOT NULL, media_files TEXT NOT NULL, playlist_id TEXT,
        shuffle_playlist INTEGER NOT NULL, shuffle_seed TEXT, loop_enabled INTEGER NOT NULL,
        start_index INTEGER NOT NULL, format TEXT NOT NULL, profile TEXT NOT NULL, target_url TEXT,
        stream_key BLOB, stream_key_hint TEXT, on_item_failure TEXT NOT NULL,
        max_item_minutes INTEGER NOT NULL, autostart INTEGER NOT NULL, start_with_slate INTEGER NOT NULL,
        status TEXT NOT NULL, pid INTEGER, started_at TEXT, stopped_at TEXT, created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL, last_error TEXT, position TEXT
     ) STRICT;
     CREATE INDEX broadcasts_status ON broadcasts (status, id);
     CREATE TABLE items (
        broadcast_id TEXT NOT NULL REFERENCES broadcasts (id) ON DELETE CASCADE, ord INTEGER NOT NULL,
        video_id TEXT NOT NULL, title TEXT NOT NULL, duration_s INTEGER, state TEXT NOT NULL, reason TEXT,
        checked_at TEXT, PRIMARY KEY (broadcast_id, ord)
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE logs (
        id INTEGER PRIMARY KEY, broadcast_id TEXT NOT NULL REFERENCES broadcasts (id) ON DELETE CASCADE,
        created_at TEXT NOT NULL, level TEXT NOT NULL, source TEXT NOT NULL, item_id TEXT, message TEXT NOT NULL
     ) STRICT;
     CREATE INDEX logs_broadcast ON logs (broadcast_id, id);",
    "ALTER TABLE broadcasts ADD COLUMN playlist_serve_mode TEXT NOT NULL DEFAULT 'download';
     ALTER TABLE broadcasts ADD COLUMN cache_first INTEGER NOT NULL DEFAULT 3;",
    "ALTER TABLE broadcasts ADD COLUMN account TEXT;
     ALTER TABLE broadcasts ADD COLUMN proxy TEXT;
     ALTER TABLE broadcasts ADD COLUMN schedule TEXT;
     ALTER TABLE broadcasts ADD COLUMN video_mode TEXT NOT NULL DEFAULT 'encode';
     ALTER TABLE broadcasts ADD COLUMN resume TEXT NOT NULL DEFAULT 'all';
     ALTER TABLE broadcasts ADD COLUMN allow_live INTEGER NOT NULL DEFAULT 0;",
    "ALTER TABLE broadcasts ADD COLUMN next_start_at TEXT;
     ALTER TABLE broadcasts ADD COLUMN next_stop_at TEXT;",
    "ALTER TABLE broadcasts ADD COLUMN next_prefetch_at TEXT;",
    "CREATE TABLE children (
        pid INTEGER PRIMARY KEY, parent INTEGER NOT NULL, started INTEGER NOT NULL, boot_id TEXT NOT NULL,
        executable TEXT NOT NULL
     ) STRICT;",
    // Programs say themselves whose they are.
    "DROP TABLE children;",
];

/// Why a database can't be used.
#[derive(Debug)]
pub(super) struct Unfit {
    /// For people.
    pub(super) reason: String,
    /// Whether it may be used later as it is.
    pub(super) may_pass: bool,
}

impl Unfit {
    fn for_good(reason: String) -> Self {
        Self {
            reason,
            may_pass: false,
        }
    }
}

impl From<rusqlite::Error> for Unfit {
    fn from(error: rusqlite::Error) -> Self {
        Self {
            reason: error.to_string(),
            may_pass: may_pass(&error),
        }
    }
}

/// Sets the connection up, checks the file and brings its tables up to date.
///
/// # Errors
/// Why it can't be used.
pub(super) fn prepare(connection: &mut Connection, busy: Duration) -> Result<(), Unfit> {
    connection.busy_timeout(busy)?;
    let sound: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if sound != "ok" {
        return Err(Unfit::for_good(format!("it is damaged: {sound}")));
    }
    // Nothing is written before it is known that it may be.
    let version = version(connection)?;
    for (pragma, value) in [
        ("journal_mode", "WAL"),
        ("synchronous", "NORMAL"),
        ("foreign_keys", "ON"),
        // A key that was cleared must not stay in a free page.
        ("secure_delete", "ON"),
    ] {
        connection.pragma_update(None, pragma, value)?;
    }
    migrate(connection, version)
}

/// How many migrations the file has had.
fn version(connection: &Connection) -> Result<usize, Unfit> {
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let known = MIGRATIONS.len();
    let done = usize::try_from(version).unwrap_or(usize::MAX);
    if done <= known {
        return Ok(done);
    }
    Err(Unfit::for_good(format!(
        "it is of version {version}, made by a newer server; this one knows {known}"
    )))
}

fn migrate(connection: &mut Connection, done: usize) -> Result<(), Unfit> {
    for (number, migration) in MIGRATIONS.iter().enumerate().skip(done) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(migration)?;
        let version = i64::try_from(number + 1).unwrap_or(i64::MAX);
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(connection: &Connection, table: &str) -> Vec<String> {
        let mut statement = connection
            .prepare(&format!("SELECT name FROM pragma_table_info('{table}')"))
            .unwrap();
        let names = statement.query_map([], |row| row.get(0)).unwrap();
        names.map(Result::unwrap).collect()
    }

    #[test]
    fn rows_of_each_older_version_are_kept() {
        for older in 1..MIGRATIONS.len() {
            let mut connection = Connection::open_in_memory().unwrap();
            for migration in &MIGRATIONS[..older] {
                connection.execute_batch(migration).unwrap();
            }
            connection
                .execute_batch(&format!("PRAGMA user_version = {older}"))
                .unwrap();
            connection
                .execute_batch(
                    "INSERT INTO broadcasts (id, title, description, owner, stream_source, media_files,
                     shuffle_playlist, loop_enabled, start_index, format, profile, on_item_failure,
                     max_item_minutes, autostart, start_with_slate, status, created_at, updated_at)
                     VALUES ('A', 'T', '', '', 'playlist', '[]', 0, 0, 0, 'best', '{}', 'skip', 0, 0, 1,
                     'created', '', '')",
                )
                .unwrap();
            prepare(&mut connection, Duration::ZERO).unwrap();
            let kept: [String; 4] = connection
                .query_row(
                    "SELECT title, playlist_serve_mode, video_mode, resume FROM broadcasts",
                    [],
                    |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]),
                )
                .unwrap();
            assert_eq!(kept, ["T", "download", "encode", "all"]);
        }
    }

    #[test]
    fn second_opening_changes_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        prepare(&mut connection, Duration::ZERO).unwrap();
        let before = columns(&connection, "broadcasts");
        prepare(&mut connection, Duration::ZERO).unwrap();
        assert_eq!(columns(&connection, "broadcasts"), before);
    }

    #[test]
    fn newer_version_is_refused_and_left_alone() {
        let mut connection = Connection::open_in_memory().unwrap();
        let newer = MIGRATIONS.len() + 1;
        connection
            .execute_batch(&format!("PRAGMA user_version = {newer}"))
            .unwrap();
        let reason = prepare(&mut connection, Duration::ZERO).unwrap_err().reason;
        assert!(reason.contains("newer server"), "{reason}");
        assert_eq!(columns(&connection, "broadcasts"), Vec::<String>::new());
    }
}
