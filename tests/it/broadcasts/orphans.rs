//! Programs that outlive their server: ended by the next one, and nothing else is (broadcast.md §7).

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, params};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use super::air::{SMALL, Studio};
use super::{builder, get, has_ffmpeg, route};
use crate::harness::ingest::Manner;
use crate::harness::{eventually, skip};

/// What the database knows of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    pid: u32,
    parent: u32,
    started: i64,
    boot_id: String,
    executable: String,
}

impl Row {
    /// A process as it is now; `None` when it has ended.
    fn of(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let executable = std::fs::read_link(format!("/proc/{pid}/exe")).ok()?;
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        Some(Self {
            pid,
            parent: fields[1].parse().unwrap(),
            started: fields[19].parse().unwrap(),
            boot_id: boot_id.trim().to_owned(),
            executable: executable.to_string_lossy().into_owned(),
        })
    }
}

fn rows(database: &Path) -> Vec<Row> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY);
    let connection = connection.unwrap();
    let sql = "SELECT pid, parent, started, boot_id, executable FROM children ORDER BY pid";
    let mut statement = connection.prepare(sql).unwrap();
    let read = statement.query_map([], |row| {
        Ok(Row {
            pid: row.get(0)?,
            parent: row.get(1)?,
            started: row.get(2)?,
            boot_id: row.get(3)?,
            executable: row.get(4)?,
        })
    });
    read.unwrap().map(Result::unwrap).collect()
}

fn write(database: &Path, rows: &[Row]) {
    let connection = Connection::open(database).unwrap();
    for row in rows {
        let sql = "INSERT INTO children (pid, parent, started, boot_id, executable) VALUES (?1, ?2, ?3, ?4, ?5)";
        let values = params![
            row.pid,
            row.parent,
            row.started,
            row.boot_id,
            row.executable
        ];
        connection.execute(sql, values).unwrap();
    }
}

fn is_alive(pid: u32) -> bool {
    // A zombie has no command line.
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

/// A process whose parent is gone; ended with the test, if it is still the one.
struct Orphan {
    row: Row,
}

impl Orphan {
    /// Starts a program by a shell that ends at once; with `setsid` it leads a group of its own.
    async fn of(program: &str) -> Self {
        let line = format!("{program} </dev/null >/dev/null 2>&1 & echo $!");
        let output = Command::new("sh").args(["-c", &line]).output();
        let output = String::from_utf8(output.await.unwrap().stdout).unwrap();
        let pid = output.trim().parse().unwrap();
        // What starts it becomes it.
        let name = program.split(' ').find(|word| *word != "setsid").unwrap();
        let row = eventually("the program", async || {
            let row = Row::of(pid)?;
            row.executable.ends_with(name).then_some(row)
        });
        Self { row: row.await }
    }

    /// As its server noted it.
    fn noted(&self) -> Row {
        Row {
            // No process has this number.
            parent: 4_194_305,
            ..self.row.clone()
        }
    }
}

impl Drop for Orphan {
    fn drop(&mut self) {
        let now = Row::of(self.row.pid).map(|row| row.started);
        let pid = i32::try_from(self.row.pid).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|_| now == Some(self.row.started)) {
            let _is_gone = kill_process(pid, Signal::KILL);
        }
    }
}

/// A process whose parent, this test, lives.
fn child() -> Child {
    let mut command = Command::new("sleep");
    command.arg("600").process_group(0).kill_on_drop(true);
    command.spawn().unwrap()
}

#[tokio::test]
async fn program_that_outlived_its_server_is_ended_at_the_next_start_and_no_other_is() {
    if !has_ffmpeg().await {
        return skip("ffmpeg", "ffmpeg is not installed");
    }
    let dir = tempfile::TempDir::new().unwrap();
    let database = dir.path().join("db");
    let streams = dir.path().join("streams");
    let server = || {
        let builder = builder().env("BROADCAST_DB", &database.to_string_lossy());
        builder.env("STREAM_TEMP_DIR", &streams.to_string_lossy())
    };
    let first = server().start().await;
    get(&first, "/broadcasts").await;
    assert_eq!(first.stop().await.0.code(), Some(0));
    let left = streams.join("run-4000000-00000000000000aa/00000000000000bb");
    std::fs::create_dir_all(&left).unwrap();

    let orphan = Orphan::of("setsid ffmpeg -re -f lavfi -i anullsrc -f null -").await;
    let mut others = Vec::new();
    for _ in 0..3 {
        others.push(Orphan::of("setsid sleep 600").await);
    }
    let of_foreign_group = Orphan::of("sleep 600").await;
    let child = child();
    let kept = Row::of(child.id().unwrap()).unwrap();
    let later = Row {
        started: others[0].row.started - 1,
        ..others[0].noted()
    };
    let another_program = Row {
        executable: orphan.row.executable.clone(),
        ..others[1].noted()
    };
    let another_boot = Row {
        boot_id: "00000000-0000-4000-8000-000000000000".to_owned(),
        ..others[2].noted()
    };
    let gone = Row {
        pid: 4_194_306,
        ..orphan.noted()
    };
    write(
        &database,
        &[
            orphan.noted(),
            later,
            another_program,
            another_boot,
            of_foreign_group.noted(),
            kept.clone(),
            gone,
        ],
    );

    let second = server().start().await;
    // That of a server that still runs.
    let tidied = async || (rows(&database) == [kept.clone()]).then_some(());
    eventually("a tidied table", tidied).await;
    let ended = async || (!is_alive(orphan.row.pid)).then_some(());
    eventually("the orphan's end", ended).await;
    for other in others.iter().chain([&of_foreign_group]) {
        assert!(is_alive(other.row.pid), "{other:?}", other = other.row);
    }
    assert!(is_alive(kept.pid));
    assert!(!left.exists(), "what the dead run left is still there");
    assert_eq!(second.stop().await.0.code(), Some(0));
}

/// The programs of a broadcast as it tells them.
fn pids(status: &Value) -> Vec<u32> {
    let pids = status["pids"].as_array().unwrap().iter();
    pids.map(|program| program["pid"].as_u64().unwrap().try_into().unwrap())
        .collect()
}

#[tokio::test]
async fn programs_are_known_to_the_database_while_they_run() {
    let Some(studio) = Studio::lasting([Manner::Keep, Manner::Keep]).await else {
        return;
    };
    let database: PathBuf = studio.dir.path().join("db");
    studio.list(&[(SMALL, 40)]).await;
    let record = studio.start(json!({})).await;
    let on_air = async || {
        let holds = |status: &Value| status["status"] == "running" && !pids(status).is_empty();
        pids(&studio.until(&record, "on air", holds).await)[0]
    };
    let pid = on_air().await;
    let known = eventually("its row", async || {
        let row = rows(&database).into_iter().find(|row| row.pid == pid)?;
        (Some(&row) == Row::of(pid).as_ref()).then_some(row)
    })
    .await;
    assert_eq!(known.parent, studio.server().pid());
    studio.post(&record, "stop?wait=30").await;
    let empty = async || rows(&database).is_empty().then_some(());
    eventually("an empty table", empty).await;

    studio.post(&record, "start").await;
    let pid = on_air().await;
    let is_known = async || {
        rows(&database)
            .iter()
            .any(|row| row.pid == pid)
            .then_some(())
    };
    eventually("its row", is_known).await;
    studio.server().signal("KILL").await;
    eventually("its end", async || (!is_alive(pid)).then_some(())).await;
    assert!(rows(&database).iter().any(|row| row.pid == pid));
    let successor = studio.successor().await;
    eventually("an empty table", empty).await;
    let logs = get(&successor, &format!("{}/logs?limit=50", route(&record))).await;
    assert!(logs.to_string().contains("interrupted"), "{logs}");
}
