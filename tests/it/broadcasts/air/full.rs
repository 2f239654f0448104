//! The disk of the database is full while a broadcast is on air: it stays there, and nothing is lost.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use http::Method;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::kept::seen_by;
use super::{LIST, SMALL, Studio, TOKEN, UPRIGHT, assert_smooth, kill};
use crate::broadcasts::{ask, assert_error, get, route};
use crate::harness::ingest::Manner;
use crate::harness::{can_mount, eventually, try_fetch};

/// Takes all the room of a disk until it is dropped.
struct Filler(PathBuf);

impl Filler {
    fn fill(dir: &Path) -> Self {
        let path = dir.join("filler");
        let mut file = File::create(&path).unwrap();
        for size in [64 * 1024, 1] {
            let piece = vec![b'x'; size];
            let full = loop {
                if let Err(full) = file.write(&piece) {
                    break full;
                }
            };
            assert_eq!(full.kind(), ErrorKind::StorageFull, "{full}");
        }
        Self(path)
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        let _is_gone = std::fs::remove_file(&self.0);
    }
}

/// Ids of the rows of its log, the newest first.
async fn logged(studio: &Studio, record: &Value) -> Vec<i64> {
    let path = format!("{}/logs?limit=1000", route(record));
    let logs = get(studio.server(), &path).await;
    let rows = logs["logs"].as_array().unwrap().iter();
    rows.map(|row| row["id"].as_i64().unwrap()).collect()
}

/// Whether `/health` says that something is wrong with the database.
async fn is_missed(studio: &Studio) -> bool {
    let health = studio.server().api().get("/health").await.json();
    assert_eq!(health["status"], "ok");
    let words = health["degraded"].as_array().unwrap();
    words.contains(&json!("broadcasts"))
}

/// Title, status and rows of the log as the file has them, which is copied: its place can only be reached by a link.
fn kept(database: &Path, id: &str, aside: &Path) -> rusqlite::Result<(String, String, Vec<i64>)> {
    for name in ["db", "db-wal"] {
        std::fs::copy(database.join(name), aside.join(name)).unwrap();
    }
    let connection = Connection::open(aside.join("db"))?;
    let sql = "SELECT title, status FROM broadcasts WHERE id = ?1";
    let (title, status) = connection.query_row(sql, [id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let sql = "SELECT id FROM logs WHERE broadcast_id = ?1 ORDER BY id DESC";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([id], |row| row.get(0))?;
    Ok((title, status, rows.collect::<Result<_, _>>()?))
}

#[tokio::test]
async fn full_disk_of_the_database_takes_nothing_off_the_air_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    if !can_mount(dir.path()).await {
        return;
    }
    let database = dir.path().join("db").to_string_lossy().into_owned();
    let small = r#"mount -t tmpfs -o size=8m none "${BROADCAST_DB%/*}" && exec "$0" "$@""#;
    let studio = Studio::with([Manner::Keep], |builder| {
        builder
            .env("BROADCAST_DB", &database)
            .under(&["unshare", "-rm", "sh", "-c", small])
    });
    let Some(studio) = studio.await else {
        return;
    };
    studio.list(&[(SMALL, 3), (UPRIGHT, 3)]).await;
    let other = studio.make(json!({ "title": "Other" })).await;
    let record = studio.start(json!({ "loop_enabled": true })).await;
    let rename = async |title: &str| {
        let patch = json!({ "title": title });
        ask(studio.server(), Method::PATCH, &route(&record), Some(patch)).await
    };
    studio
        .until(&record, "on air", |status| status["status"] == "running")
        .await;
    assert_eq!(rename("Before").await.status, 200);
    assert!(!is_missed(&studio).await);

    let seen = seen_by(&studio, dir.path());
    let filler = Filler::fill(&seen);
    let refused = rename("During").await;
    assert_error(&refused, 503, "broadcast_unavailable");
    let message = refused.json()["message"].to_string();
    assert!(message.contains("no room on the disk"), "{message}");
    let new = json!({ "title": "New", "playlist_id": LIST });
    let start = format!("{}/start", route(&other));
    for (path, body) in [("/broadcasts", Some(new)), (&start, None)] {
        let refused = ask(studio.server(), Method::POST, path, body).await;
        assert_error(&refused, 503, "broadcast_unavailable");
    }
    let missed = async || is_missed(&studio).await.then_some(());
    eventually("a word about it", missed).await;
    // It could not be started again, and not be deleted: it isn't ended for that.
    let restart = format!("{}/restart", route(&record));
    let forced = format!("{}?force=true", route(&record));
    for (method, path) in [(Method::POST, &restart), (Method::DELETE, &forced)] {
        let refused = ask(studio.server(), method, path, None).await;
        assert_error(&refused, 503, "broadcast_unavailable");
    }
    let cycle = |status: &Value| status["now"]["cycle"].as_u64();
    let before = studio.until(&record, "an item", |status| cycle(status).is_some());
    let before = cycle(&before.await);
    studio
        .until(&record, "two more cycles", |status| {
            cycle(status) >= before.map(|before| before + 2)
        })
        .await;
    // What is told is what is so, though it isn't written.
    let shown = get(studio.server(), &route(&record)).await;
    assert_eq!(
        (&shown["title"], &shown["status"]),
        (&json!("Before"), &json!("running"))
    );
    assert!(shown["position"]["cycle"].as_u64() > before, "{shown}");
    let stopped = studio.post(&record, "stop?wait=30").await;
    assert_eq!(
        (&stopped["status"], &stopped["pid"]),
        (&json!("stopped"), &Value::Null)
    );
    let list = get(studio.server(), "/broadcasts?status=stopped").await;
    assert_eq!(list["broadcasts"][0]["id"], record["id"]);
    let list = get(studio.server(), "/broadcasts").await;
    assert_eq!(list["broadcasts"].as_array().map(Vec::len), Some(2));
    let health = studio.server().api().get("/health").await.json();
    assert_eq!(health["broadcast"]["running"], 0);
    let told = studio.messages(&record).await;
    assert!(
        told.matches("on air: ").count() >= 5 && told.contains("stopped"),
        "{told}"
    );
    let told = logged(&studio, &record).await;

    drop(filler);
    let well = async || (!is_missed(&studio).await).then_some(());
    eventually("that it is well again", well).await;
    let aside = tempfile::tempdir().unwrap();
    let id = record["id"].as_str().unwrap();
    let (title, status, rows) = kept(&seen, id, aside.path()).unwrap();
    assert_eq!((title.as_str(), status.as_str()), ("Before", "stopped"));
    assert_eq!(rows, told);
    assert_eq!(logged(&studio, &record).await, told);
    assert_eq!(rename("After").await.json()["title"], "After");
    assert_smooth(&studio.only());
    let said = studio.server().logs();
    for words in [
        "database of broadcasts can't be written",
        "is written again",
    ] {
        assert_eq!(said.matches(words).count(), 1, "{words}");
    }
}

/// The children of a process.
fn children(pid: u32) -> Vec<u64> {
    let of = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let of = of.unwrap_or_default();
    of.split_whitespace().flat_map(str::parse).collect()
}

/// The record as the server that runs now tells it; `None` while there is none.
async fn told(studio: &Studio, record: &Value) -> Option<Value> {
    let request = studio.server().api().request(Method::GET, &route(record));
    let request = request.header("authorization", format!("Bearer {TOKEN}"));
    let answer = try_fetch(request).await.ok()?;
    (answer.status == 200).then(|| answer.json())
}

#[tokio::test]
async fn server_that_starts_on_a_full_disk_tells_what_is_so() {
    let dir = tempfile::tempdir().unwrap();
    if !can_mount(dir.path()).await {
        return;
    }
    let database = dir.path().join("db").to_string_lossy().into_owned();
    // The second one in the place of the first, behind the same door.
    let twice = r#"mount -t tmpfs -o size=8m none "${BROADCAST_DB%/*}" && { "$0"; exec "$0"; }"#;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    drop(listener);
    let studio = Studio::with([Manner::Keep], |builder| {
        builder
            .env("BROADCAST_DB", &database)
            .env("PORT", &port)
            .under(&["unshare", "-rm", "sh", "-c", twice])
    });
    let Some(studio) = studio.await else {
        return;
    };
    studio.list(&[(SMALL, 30)]).await;
    let record = studio.start(json!({ "autostart": true })).await;
    studio
        .until(&record, "on air", |status| status["status"] == "running")
        .await;
    let filler = Filler::fill(&seen_by(&studio, dir.path()));
    let first = children(studio.server().pid());
    assert_eq!(first.len(), 1, "{first:?}");
    kill(first[0]).await;
    let shown = eventually("what the next one tells", async || {
        let shown = told(&studio, &record).await?;
        (shown["status"] != "running").then_some(shown)
    })
    .await;
    assert_eq!(
        (
            &shown["status"],
            &shown["last_error"]["code"],
            &shown["pid"]
        ),
        (&json!("stopped"), &json!("interrupted"), &Value::Null)
    );
    // It can't be started, and says so where it should have been.
    let refused = async || {
        let said = studio.messages(&record).await;
        said.contains("not started: no room on the disk")
            .then_some(())
    };
    eventually("a word about the start", refused).await;
    let missed = async || is_missed(&studio).await.then_some(());
    eventually("a word about the database", missed).await;
    drop(filler);
    let well = async || (!is_missed(&studio).await).then_some(());
    eventually("that it is well again", well).await;
    studio.post(&record, "start").await;
    studio
        .until(&record, "on air", |status| status["status"] == "running")
        .await;
    studio.post(&record, "stop?wait=30").await;
}
