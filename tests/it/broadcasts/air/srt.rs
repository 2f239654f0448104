//! SRT targets: FFmpeg sends, and an FFmpeg that listens is the target.

use std::net::UdpSocket;
use std::process::Stdio;
use std::time::Duration;

use http::Method;
use serde_json::json;

use super::plays::seen_of_children;
use super::{LIST, SMALL, Studio, WIDE, flashes_in_file};
use crate::broadcasts::{CANARY, ask, assert_error, builder, get, route};
use crate::harness::ingest::Manner;
use crate::harness::{Builder, eventually, skip};

/// How long the listener may take to see the end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether there is an ffmpeg that can send by SRT.
pub(crate) async fn has_srt() -> bool {
    let mut command = tokio::process::Command::new("ffmpeg");
    command
        .args(["-hide_banner", "-protocols"])
        .stdin(Stdio::null());
    let output = command.output().await;
    output.is_ok_and(|output| {
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .any(|line| line.trim() == "srt")
    })
}

#[tokio::test]
async fn srt_target_gets_the_list_and_the_key_is_in_no_argument() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    drop(socket);
    let allowed = format!("127.0.0.1:{port}");
    let passphrase = "correct-horse-battery";
    let with = |builder: Builder| {
        let builder = builder.secret(passphrase);
        builder.env("BROADCAST_ALLOW_PRIVATE_TARGETS", &allowed)
    };
    let Some(studio) = Studio::with([Manner::Keep], with).await else {
        return;
    };
    if !has_srt().await {
        return skip("srt", "ffmpeg was built without it");
    }
    // A long latency: a busy machine drops nothing.
    let listen = format!("srt://{allowed}?mode=listener&passphrase={passphrase}&latency=1500000");
    let mut listener = tokio::process::Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i", &listen, "-c", "copy"])
        .args(["-y", "got.flv"])
        .current_dir(studio.dir.path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    studio.list(&[(WIDE, 4), (SMALL, 3)]).await;
    let key = format!("{CANARY}?passphrase={passphrase}&latency=1500000");
    let fields = json!({ "target_url": format!("srt://{allowed}"), "stream_key": key });
    let record = studio.start(fields).await;
    studio
        .until(&record, "on air", |status| status["status"] == "running")
        .await;
    let seen = seen_of_children();
    assert!(
        seen.contains(&format!("srt://{allowed}?mode=caller")),
        "{seen}"
    );
    assert!(!seen.contains("canary-key"), "the key was told");
    studio.to_the_end(&record).await;
    let ended = tokio::time::timeout(PATIENCE, listener.wait()).await;
    assert!(ended.expect("the listener's end").unwrap().success());
    assert_eq!(flashes_in_file(studio.dir.path()).await, 7);
    let path = format!("{}/logs?limit=1000", route(&record));
    let mut told = get(studio.server(), &path).await.to_string();
    told += &studio.server().logs();
    assert!(!told.contains("canary-key") && !told.contains("correct-horse"));
}

#[tokio::test]
async fn srt_targets_are_judged_like_others_and_set_nothing_else() {
    let server = builder().start().await;
    for (target, code) in [
        ("srt://127.0.0.1:9000", "target_forbidden"),
        (
            "srt://[::ffff:10.0.0.1]:9000?streamid=k",
            "target_forbidden",
        ),
        ("srt://a.example:9000?mode=listener", "invalid_field"),
        ("srt://a.example:9000?localaddr=0.0.0.0", "invalid_field"),
        ("srt://a.example", "invalid_field"),
    ] {
        let body = json!({ "title": "T", "playlist_id": LIST, "target_url": target });
        let answer = ask(&server, Method::POST, "/broadcasts", Some(body)).await;
        assert_error(&answer, 422, code);
    }
}

#[tokio::test]
async fn srt_target_that_does_not_answer_is_never_connected() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let allowed = socket.local_addr().unwrap().to_string();
    let with = |builder: Builder| builder.env("BROADCAST_ALLOW_PRIVATE_TARGETS", &allowed);
    let Some(studio) = Studio::with([Manner::Keep], with).await else {
        return;
    };
    if !has_srt().await {
        return skip("srt", "ffmpeg was built without it");
    }
    studio.list(&[(SMALL, 3)]).await;
    let record = studio
        .start(json!({ "target_url": format!("srt://{allowed}"), "stream_key": CANARY }))
        .await;
    let said = eventually("two tries", async || {
        let said = studio.messages(&record).await;
        (said.matches("target lost").count() >= 2).then_some(said)
    })
    .await;
    assert!(!said.contains(r#""connected""#), "{said}");
    let status = get(studio.server(), &format!("{}/status", route(&record))).await;
    assert_eq!(
        (&status["status"], &status["output"]["connected"]),
        (&json!("starting"), &json!(false))
    );
    let stopped = studio.post(&record, "stop?wait=30").await;
    assert_eq!(stopped["status"], "stopped");
}
