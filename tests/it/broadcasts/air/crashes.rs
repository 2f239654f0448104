//! Programs that crash or hang, and sites that refuse everything.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::{Value, json};

use super::ends::is_alive;
use super::{SMALL, Studio, UPRIGHT, assert_smooth};
use crate::broadcasts::{get, route};
use crate::harness::ingest::Manner;
use crate::harness::upstream::{Fault, Rule};

/// A program in place of FFmpeg that does what a script says; `$real` is FFmpeg.
fn script(dir: &Path, text: &str) -> PathBuf {
    let path = dir.join("impostor");
    let text = format!("#!/bin/sh\nreal=$(command -v ffmpeg)\n{text}\n");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// A program in place of FFmpeg: does this with items (`$real` is FFmpeg), and with all else what FFmpeg does.
pub(in crate::broadcasts) fn impostor(dir: &Path, with_items: &str) -> PathBuf {
    let all_else = r#"case "$*" in *http://127.0.0.1*) ;; *) exec "$real" "$@";; esac"#;
    script(dir, &format!("{all_else}\n{with_items}"))
}

/// Plays a list with such a program; returns the first item and the log as they are at the end.
async fn play_with(with_items: &str) -> Option<(Studio, Value, String)> {
    let dir = tempfile::tempdir().unwrap();
    let program = impostor(dir.path(), with_items);
    let studio = Studio::with([Manner::Keep], |builder| {
        builder.env("FFMPEG_PATH", &program.to_string_lossy())
    })
    .await?;
    studio.list(&[(UPRIGHT, 30)]).await;
    let record = studio.start(json!({})).await;
    studio
        .until(&record, "the end", |status| {
            ["stopped", "failed"].contains(&status["status"].as_str().unwrap())
        })
        .await;
    let items = studio.items(&record).await;
    let path = format!("{}/logs?limit=200", route(&record));
    let logs = get(studio.server(), &path).await.to_string();
    Some((studio, items[0].clone(), logs))
}

#[tokio::test]
async fn program_that_crashes_again_and_again_is_given_up() {
    let Some((studio, item, logs)) = play_with(r#""$real" "$@" | head -c 30000; exit 1"#).await
    else {
        return;
    };
    assert_eq!(
        (&item["state"], &item["reason"]),
        (&json!("failed"), &json!("crash_loop"))
    );
    // Five crashes; a run that a busy machine made last two seconds is none.
    assert!(logs.matches("taken up again").count() >= 4, "{logs}");
    assert_smooth(&studio.only());
}

#[tokio::test]
async fn program_that_hangs_is_ended_and_tried_once_more() {
    let Some((studio, item, logs)) = play_with(r#""$real" "$@" | head -c 30000; sleep 600"#).await
    else {
        return;
    };
    assert_eq!(
        (&item["state"], &item["reason"]),
        (&json!("failed"), &json!("stuck"))
    );
    assert_eq!(logs.matches("taken up again").count(), 1, "{logs}");
    assert!(logs.contains("wrote nothing for 15 s"), "{logs}");
    assert_smooth(&studio.only());
}

#[tokio::test]
async fn program_that_is_killed_is_told_from_one_that_fails() {
    let Some((_, item, logs)) = play_with("kill -9 $$").await else {
        return;
    };
    assert_eq!(item["reason"], "broken");
    assert!(
        logs.contains("as the kernel does when memory runs out"),
        "{logs}"
    );
}

/// Times that the site was asked for a post so far.
async fn extractions(studio: &Studio) -> u64 {
    let page = studio.stage.api().get("/metrics").await;
    let text = String::from_utf8_lossy(&page.body).into_owned();
    let lines = text.lines();
    let counts = lines.filter(|line| line.starts_with("serverrs_extraction_seconds_count{"));
    counts
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}

#[tokio::test]
async fn site_that_refuses_all_media_is_asked_once_a_second_at_most() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    studio.list(&[(SMALL, 2); 4]).await;
    let record = studio.start(json!({ "loop_enabled": true })).await;
    studio
        .until(&record, "an item", |status| status["status"] == "running")
        .await;
    studio
        .stage
        .world()
        .fault(Rule::path_prefix("/videoplayback", Fault::Status(403)));
    let path = format!("{}/logs?limit=500", route(&record));
    let paused = async || {
        let logs = get(studio.server(), &path).await.to_string();
        logs.contains("3 items failed in a row").then_some(())
    };
    crate::harness::eventually("a pause", paused).await;
    let (began, before) = (Instant::now(), extractions(&studio).await);
    let longer = async || {
        let logs = get(studio.server(), &path).await.to_string();
        logs.contains("5 items failed in a row").then_some(())
    };
    crate::harness::eventually("a longer pause", longer).await;
    let asked = extractions(&studio).await - before;
    let seconds = began.elapsed().as_secs();
    assert!(asked > 0, "the site was not asked");
    assert!(asked <= seconds, "{asked} times in {seconds} s");
    let status = get(studio.server(), &format!("{}/status", route(&record))).await;
    assert_eq!(
        (&status["status"], &status["output"]["connected"]),
        (&json!("running"), &json!(true))
    );
    studio.stage.world().clear_faults();
    let slate = status["now"]["cycle"].as_u64();
    studio
        .until(&record, "an item again", |status| {
            status["now"]["cycle"].as_u64() > slate
        })
        .await;
    studio.post(&record, "stop?wait=30").await;
    assert_smooth(&studio.only());
}

#[tokio::test]
async fn stopped_broadcast_waits_for_a_program_that_does_not_want_to_end() {
    let dir = tempfile::tempdir().unwrap();
    let program = impostor(dir.path(), r#"trap '' TERM; "$real" "$@"; sleep 600"#);
    let studio = Studio::with([Manner::Keep], |builder| {
        builder.env("FFMPEG_PATH", &program.to_string_lossy())
    });
    let Some(studio) = studio.await else {
        return;
    };
    studio.list(&[(UPRIGHT, 30)]).await;
    let record = studio.start(json!({})).await;
    let running = studio.until(&record, "on air", |status| {
        status["status"] == "running" && status["pid"].is_u64()
    });
    let pid = running.await["pid"].as_u64().unwrap();
    assert!(is_alive(pid));
    let stopped = studio.post(&record, "stop?wait=30").await;
    assert_eq!(stopped["status"], "stopped");
    assert!(!is_alive(pid), "it outlives its broadcast");
}

#[tokio::test]
async fn broadcast_is_stopped_while_its_slate_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let hang = r#"case "$*" in *"-f flv"*) sleep 600;; *) exec "$real" "$@";; esac"#;
    let program = script(dir.path(), hang);
    let studio = Studio::with([Manner::Keep], |builder| {
        builder.env("FFMPEG_PATH", &program.to_string_lossy())
    });
    let Some(studio) = studio.await else {
        return;
    };
    studio.list(&[(SMALL, 3)]).await;
    let record = studio.start(json!({})).await;
    let of_program = || {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let lines =
            processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
        let name = program.to_string_lossy().into_owned();
        lines
            .filter(|line| String::from_utf8_lossy(line).contains(&name))
            .count()
    };
    crate::harness::eventually("the program", async || (of_program() > 0).then_some(())).await;
    let stopped = studio.post(&record, "stop?wait=20").await;
    assert_eq!(
        (&stopped["status"], &stopped["last_error"]),
        (&json!("stopped"), &Value::Null)
    );
    crate::harness::eventually("its end", async || (of_program() == 0).then_some(())).await;
}
