//! SRT targets: FFmpeg sends, and an FFmpeg that listens is the target.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Method;
use serde_json::json;
use tokio::process::{Child, Command};
use tokio_util::task::AbortOnDropHandle;

use super::plays::seen_of_children;
use super::{LIST, SMALL, Studio, WIDE, flashes_in_file};
use crate::broadcasts::{CANARY, ask, assert_error, builder, get, route};
use crate::harness::ingest::Manner;
use crate::harness::{Builder, can_mount, eventually, skip};

/// How long the listener may take to see the end.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether there is an ffmpeg that can send by SRT.
pub(crate) async fn has_srt() -> bool {
    let mut command = Command::new("ffmpeg");
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

/// A place where one FFmpeg after the other listens.
pub(super) struct Listener {
    pub(super) port: u16,
}

impl Listener {
    pub(super) fn new() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = socket.local_addr().unwrap().port();
        Self { port }
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Takes one connection that knows the passphrase, and writes what comes to `got.flv`.
    pub(super) fn listen(&self, passphrase: Option<&str>, dir: &Path) -> Child {
        // A long latency: a busy machine drops nothing.
        let listen = format!("srt://{}?mode=listener&latency=1500000", self.address());
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-nostdin"]);
        if let Some(passphrase) = passphrase {
            command.args(["-passphrase", passphrase]);
        }
        command
            .args(["-i", &listen, "-c", "copy", "-y", "got.flv"])
            .current_dir(dir)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command.spawn().unwrap()
    }
}

/// Stands before a listener, passes datagrams on, and reads which streams are asked for.
pub(super) struct Tap {
    front: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    _task: AbortOnDropHandle<()>,
}

impl Tap {
    pub(super) async fn before(port: u16) -> Self {
        let bind = async || {
            let socket = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await;
            socket.unwrap()
        };
        let front = bind().await;
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let (address, heard) = (front.local_addr().unwrap(), Arc::clone(&asked));
        let passing = async move {
            let (mut near, mut far) = ([0; 2048], [0; 2048]);
            let mut client = None;
            let mut back = bind().await;
            loop {
                tokio::select! {
                    Ok((length, from)) = front.recv_from(&mut near) => {
                        if client.replace(from) != Some(from) {
                            // To the listener, too, it is another one.
                            back = bind().await;
                        }
                        heard.lock().unwrap().extend(stream_id(&near[..length]));
                        let _refused = back.send_to(&near[..length], (Ipv4Addr::LOCALHOST, port)).await;
                    }
                    Ok(length) = back.recv(&mut far) => {
                        let client = client.expect("an answer follows a question");
                        front.send_to(&far[..length], client).await.unwrap();
                    }
                }
            }
        };
        Self {
            front: address,
            asked,
            _task: AbortOnDropHandle::new(crate::harness::spawn(passing)),
        }
    }

    pub(super) fn address(&self) -> String {
        self.front.to_string()
    }

    /// The streams that were asked for since the last time, each once.
    pub(super) fn taken(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.dedup();
        asked
    }
}

/// The stream that a handshake asks for: of the extensions behind its 64 bytes that of type 5, in words whose bytes stand in
/// the order of a small-endian machine (draft-sharabayko-srt-01, sections 3.2.1 and 3.2.1.3).
fn stream_id(datagram: &[u8]) -> Option<String> {
    let is_conclusion = datagram.starts_with(&[0x80, 0]) && datagram.get(36..40)? == [0xff; 4];
    let mut rest = datagram.get(64..).filter(|_| is_conclusion)?;
    while let [kind_high, kind_low, words_high, words_low, behind @ ..] = rest {
        let words = u16::from_be_bytes([*words_high, *words_low]);
        let (content, others) = behind.split_at_checked(4 * usize::from(words))?;
        if (*kind_high, *kind_low) == (0, 5) {
            let words = content.chunks_exact(4);
            let bytes: Vec<u8> = words.flat_map(|word| word.iter().rev().copied()).collect();
            let text = String::from_utf8_lossy(&bytes);
            return Some(text.trim_end_matches('\0').to_owned());
        }
        rest = others;
    }
    None
}

#[tokio::test]
async fn srt_target_gets_the_list_and_the_key_is_in_no_argument() {
    let listener = Listener::new();
    let allowed = listener.address();
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
    let mut listening = listener.listen(Some(passphrase), studio.dir.path());
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
    let ended = tokio::time::timeout(PATIENCE, listening.wait()).await;
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

#[tokio::test]
async fn srt_target_is_reached_though_the_disk_is_nearly_full() {
    let dir = tempfile::tempdir().unwrap();
    if !can_mount(dir.path()).await {
        return;
    }
    let listener = Listener::new();
    let allowed = listener.address();
    let small = r#"mount -t tmpfs -o size=8m none "$STREAM_TEMP_DIR" && exec "$0" "$@""#;
    let with = |builder: Builder| {
        builder
            .env("STREAM_TEMP_DIR", &dir.path().to_string_lossy())
            .env("BROADCAST_ALLOW_PRIVATE_TARGETS", &allowed)
            .under(&["unshare", "-rm", "sh", "-c", small])
    };
    let Some(studio) = Studio::with([Manner::Keep], with).await else {
        return;
    };
    if !has_srt().await {
        return skip("srt", "ffmpeg was built without it");
    }
    let mut listening = listener.listen(None, studio.dir.path());
    studio.list(&[(SMALL, 3)]).await;
    let key = format!("{CANARY}?latency=1500000");
    let record = studio
        .start(json!({ "target_url": format!("srt://{allowed}"), "stream_key": key }))
        .await;
    studio.to_the_end(&record).await;
    let ended = tokio::time::timeout(PATIENCE, listening.wait()).await;
    assert!(ended.expect("the listener's end").unwrap().success());
    assert_eq!(flashes_in_file(studio.dir.path()).await, 3);
}

#[tokio::test]
async fn srt_without_a_place_for_its_pipe_names_the_variable() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let allowed = socket.local_addr().unwrap().to_string();
    let with = |builder: Builder| builder.env("BROADCAST_ALLOW_PRIVATE_TARGETS", &allowed);
    let Some(studio) = Studio::with([Manner::Keep], with).await else {
        return;
    };
    if !has_srt().await {
        return skip("srt", "ffmpeg was built without it");
    }
    let streams = studio.server().dir().join("streams");
    for run in std::fs::read_dir(&streams).unwrap() {
        std::fs::remove_dir_all(run.unwrap().path()).unwrap();
    }
    studio.list(&[(SMALL, 3)]).await;
    let record = studio
        .start(json!({ "target_url": format!("srt://{allowed}"), "stream_key": CANARY }))
        .await;
    let said = eventually("a try", async || {
        let said = studio.messages(&record).await;
        said.contains("target lost: ").then_some(said)
    })
    .await;
    let reason = "target lost: no pipe for ffmpeg below `STREAM_TEMP_DIR`";
    assert!(said.contains(reason), "{said}");
    studio.post(&record, "stop?wait=30").await;
}
