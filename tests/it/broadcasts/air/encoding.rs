//! The programs that encode: how they are bounded, listened to and ended, and what the operator may choose.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{SMALL, Studio, assert_smooth};
use crate::broadcasts::{builder, get, route};
use crate::harness::ingest::{Ingest, Manner};
use crate::harness::{Builder, eventually, has_tool, run, skip};

/// A program in FFmpeg's place: for an item these lines of shell, in which `$ffmpeg` is the true one; else the true one.
fn stand_in(dir: &Path, item: &str) -> PathBuf {
    let search = std::env::var_os("PATH").unwrap_or_default();
    let ffmpeg = std::env::split_paths(&search)
        .map(|folder| folder.join("ffmpeg"))
        .find(|path| path.is_file())
        .unwrap_or_default();
    let script = format!(
        "#!/bin/sh\nffmpeg='{}'\ncase \" $* \" in\n*' -progress '*)\n{item}\n;;\n*) exec \"$ffmpeg\" \"$@\";;\nesac\n",
        ffmpeg.display()
    );
    let path = dir.join("ffmpeg");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// A broadcast of a minute by that program, on air; its record, and the number of the program's process.
async fn on_air_by(dir: &TempDir, item: &str) -> Option<(Studio, Value, u64)> {
    let program = stand_in(dir.path(), item);
    let with = |builder: Builder| builder.env("FFMPEG_PATH", &program.to_string_lossy());
    let studio = Studio::with([Manner::Keep], with).await?;
    studio.list(&[(SMALL, 60)]).await;
    let record = studio.start(json!({})).await;
    let running = studio.until(&record, "an encoder on air", |status| {
        status["status"] == "running" && status["pid"].is_u64()
    });
    let pid = running.await["pid"].as_u64().unwrap();
    Some((studio, record, pid))
}

async fn gone(pid: u64) {
    let is_gone = async || {
        // A zombie has no command line.
        let line = std::fs::read(format!("/proc/{pid}/cmdline"));
        line.unwrap_or_default().is_empty().then_some(())
    };
    eventually("the program's end", is_gone).await;
}

#[tokio::test]
async fn program_is_asked_to_end() {
    let dir = tempfile::tempdir().unwrap();
    let note = dir.path().join("asked");
    // It may write no file, for want of a bound above zero: a directory says the same.
    let item = format!(
        "trap 'mkdir {}; exit 0' TERM\n\"$ffmpeg\" \"$@\" & wait $!",
        note.display()
    );
    let Some((studio, record, pid)) = on_air_by(&dir, &item).await else {
        return;
    };
    studio.post(&record, "stop?wait=30").await;
    gone(pid).await;
    assert!(note.is_dir(), "it was killed without being asked");
}

#[tokio::test]
async fn program_that_does_not_end_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let item = "trap '' TERM\n\"$ffmpeg\" \"$@\"\nwhile :; do sleep 1; done";
    let Some((studio, record, pid)) = on_air_by(&dir, item).await else {
        return;
    };
    studio.post(&record, "stop?wait=30").await;
    gone(pid).await;
}

#[tokio::test]
async fn program_that_says_too_much_is_cut_short() {
    let dir = tempfile::tempdir().unwrap();
    let item = "line=$(printf '%05000d' 0)\ni=0\n\
        while [ $i -lt 400 ]; do echo \"[warning] $line\" >&2; i=$((i + 1)); done\nexec \"$ffmpeg\" \"$@\"";
    let Some((studio, record, _)) = on_air_by(&dir, item).await else {
        return;
    };
    let path = format!("{}/logs?limit=1000", route(&record));
    let suppressed = async || {
        let logs = get(studio.server(), &path).await;
        let messages = logs["logs"].as_array().unwrap().iter();
        let messages: Vec<String> = messages
            .map(|row| row["message"].as_str().unwrap().to_owned())
            .collect();
        let counts = messages
            .iter()
            .filter_map(|message| message.strip_suffix(" similar lines suppressed"));
        let suppressed: usize = counts.map(|count| count.parse::<usize>().unwrap()).sum();
        (suppressed > 0).then_some((suppressed, messages))
    };
    let (suppressed, messages) = eventually("the lines left out", suppressed).await;
    let lines: Vec<&String> = messages
        .iter()
        .filter(|message| message.contains("0000"))
        .collect();
    assert!(
        lines.len() + suppressed <= 400 && suppressed >= 200,
        "{} + {suppressed}",
        lines.len()
    );
    assert!(lines.iter().all(|line| line.len() == 2048));
}

#[tokio::test]
async fn program_has_the_memory_that_is_set() {
    let with = |builder: Builder| builder.env("BROADCAST_CHILD_MEM_MB", "1024");
    let Some(studio) = Studio::with([Manner::Keep], with).await else {
        return;
    };
    studio.list(&[(SMALL, 60)]).await;
    let record = studio.start(json!({})).await;
    let running = studio.until(&record, "an encoder on air", |status| {
        status["status"] == "running" && status["pid"].is_u64()
    });
    let pid = running.await["pid"].as_u64().unwrap();
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let bound = limits
        .lines()
        .find(|line| line.starts_with("Max address space"))
        .unwrap();
    let words: Vec<&str> = bound.split_whitespace().skip(3).collect();
    assert_eq!(words, ["1073741824", "1073741824", "bytes"]);
}

#[tokio::test]
async fn bad_settings_of_encoders_are_all_named() {
    let (status, output) = builder()
        .env("BROADCAST_VIDEO_ENCODER", "libx264 -y")
        .env("BROADCAST_CHILD_MEM_MB", "much")
        .env("BROADCAST_RECONNECT_MAX_S", "-1")
        .env("BROADCAST_SLATE_IMAGE", "slate.png")
        .file("slate.png", "not a picture")
        .run_to_end()
        .await;
    assert!(!status.success());
    for name in [
        "BROADCAST_VIDEO_ENCODER",
        "BROADCAST_CHILD_MEM_MB",
        "BROADCAST_RECONNECT_MAX_S",
        "BROADCAST_SLATE_IMAGE",
    ] {
        assert!(output.contains(name), "{name}: {output}");
    }
}

#[tokio::test]
async fn encoder_that_ffmpeg_lacks_is_named_at_once_and_at_the_start() {
    // No FFmpeg for Linux has this one.
    let with = |builder: Builder| builder.env("BROADCAST_VIDEO_ENCODER", "h264_videotoolbox");
    let Some(studio) = Studio::with([Manner::Keep], with).await else {
        return;
    };
    let logs = async || {
        let logs = studio.server().logs();
        logs.contains("lacks the encoder").then_some(())
    };
    eventually("the word of it", logs).await;
    let record = studio.start(json!({})).await;
    let failed = studio.until(&record, "the failure", |status| {
        status["status"] == "failed"
    });
    let error = failed.await["last_error"].clone();
    assert_eq!(error["code"], "ffmpeg_missing");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("h264_videotoolbox"), "{message}");
}

#[tokio::test]
async fn target_that_stays_away_is_given_up_after_the_time_that_is_set() {
    let with = |builder: Builder| builder.env("BROADCAST_RECONNECT_MAX_S", "1");
    let Some(mut studio) = Studio::with([Manner::Keep], with).await else {
        return;
    };
    studio.list(&[(SMALL, 60)]).await;
    let record = studio.start(json!({})).await;
    studio
        .until(&record, "on air", |status| status["status"] == "running")
        .await;
    // Its listener and its connections end.
    drop(std::mem::replace(
        &mut studio.ingest,
        Ingest::start([Manner::Keep]),
    ));
    let failed = studio.until(&record, "the end of patience", |status| {
        status["status"] == "failed"
    });
    assert_eq!(
        failed.await["last_error"]["code"],
        json!("target_unreachable")
    );
}

#[tokio::test]
async fn slate_is_the_picture_that_is_set() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("slate.png");
    if !has_tool("ffmpeg").await {
        return skip("ffmpeg", "ffmpeg is not installed");
    }
    let make = "-v error -f lavfi -i color=c=0xff2010:s=400x300 -frames:v 1 -y slate.png";
    let none = BTreeMap::new();
    let made = run("ffmpeg", make.split(' '), &none, dir.path()).await;
    assert!(made.status.success(), "{made:?}");
    let with = |builder: Builder| builder.env("BROADCAST_SLATE_IMAGE", &file.to_string_lossy());
    let Some(studio) = Studio::with([Manner::Keep], with).await else {
        return;
    };
    studio.list(&[(SMALL, 3)]).await;
    let record = studio.start(json!({})).await;
    studio.to_the_end(&record).await;
    let got = studio.only();
    assert_smooth(&got);
    assert_eq!(studio.flashes(&got).await, 3);
    std::fs::write(dir.path().join("got.flv"), got.flv()).unwrap();
    let first = "-v error -nostdin -i got.flv -map 0:v:0 -frames:v 1 -vf crop=60:60,scale=1:1 -f rawvideo -pix_fmt rgb24 -y got.rgb";
    let output = run(
        "ffmpeg",
        first.split_whitespace(),
        &BTreeMap::new(),
        dir.path(),
    )
    .await;
    assert!(output.status.success(), "{output:?}");
    let colour = std::fs::read(dir.path().join("got.rgb")).unwrap();
    let near = |got: u8, wanted: u8| got.abs_diff(wanted) < 12;
    assert!(
        near(colour[0], 0xff) && near(colour[1], 0x20) && near(colour[2], 0x10),
        "{colour:?}"
    );
}
