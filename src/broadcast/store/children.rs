//! Programs that run for broadcasts, so that those that outlived their server are found.

use rusqlite::params;

use super::{Store, StoreError};
use crate::process::Identity;

impl Store {
    /// Notes a program that runs, in place of what its number stood for before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(in crate::broadcast) async fn note_child(&self, child: Identity) -> Result<(), StoreError> {
        self.call(move |connection| {
            let mut statement = connection.prepare_cached(
                "INSERT OR REPLACE INTO children (pid, parent, started, boot_id, executable)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            statement.execute(params![
                child.pid,
                child.parent,
                cell(child.started),
                child.boot_id,
                child.executable.to_string_lossy(),
            ])?;
            Ok(())
        })
        .await
    }

    /// Forgets a program that has ended; another one that got its number stays.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(in crate::broadcast) async fn forget_child(
        &self,
        child: Identity,
    ) -> Result<(), StoreError> {
        self.call(move |connection| {
            let sql = "DELETE FROM children WHERE pid = ?1 AND started = ?2 AND boot_id = ?3";
            let started = cell(child.started);
            connection.execute(sql, params![child.pid, started, child.boot_id])?;
            Ok(())
        })
        .await
    }

    /// The programs that are known.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(in crate::broadcast) async fn children(&self) -> Result<Vec<Identity>, StoreError> {
        self.call(|connection| {
            let sql = "SELECT pid, parent, started, boot_id, executable FROM children";
            let mut statement = connection.prepare_cached(sql)?;
            let children = statement.query_map([], |row| {
                Ok(Identity {
                    pid: row.get(0)?,
                    parent: row.get(1)?,
                    started: row.get::<_, i64>(2)?.cast_unsigned(),
                    boot_id: row.get(3)?,
                    executable: row.get::<_, String>(4)?.into(),
                })
            })?;
            Ok(children.collect::<Result<_, _>>()?)
        })
        .await
    }
}

/// A number of 64 bits in the form in which `SQLite` keeps such.
fn cell(number: u64) -> i64 {
    number.cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(pid: u32, started: u64) -> Identity {
        Identity {
            pid,
            parent: 2,
            started,
            boot_id: "b".to_owned(),
            executable: "/usr/bin/ff mpeg".into(),
        }
    }

    #[tokio::test]
    async fn children_come_back_as_they_went_in_until_they_are_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("db")).unwrap();
        for child in [child(7, 1), child(8, u64::MAX), child(7, 2)] {
            store.note_child(child).await.unwrap();
        }
        assert_eq!(
            store.children().await.unwrap(),
            [child(7, 2), child(8, u64::MAX)]
        );
        // Its number stands for another one now.
        store.forget_child(child(7, 1)).await.unwrap();
        store.forget_child(child(8, u64::MAX)).await.unwrap();
        assert_eq!(store.children().await.unwrap(), [child(7, 2)]);
    }
}
