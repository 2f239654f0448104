//! The end of the process: what runs may finish, what can't is cut visibly, and the exit code says which it was.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::upstream::tiktok::WWW;
use crate::harness::upstream::{Fault, Gate, Progress, Rule, sha256_hex};
use crate::raw::Stage;
use crate::raw::h1::{PATIENCE, Raw};
use crate::raw::h2::{DATA, END_STREAM, GOAWAY, H2, HEADERS};

/// Bytes of the file.
const FILE: usize = 300_007;
/// Bytes after which the upstream waits for the gate.
const HELD_AT: usize = 100_003;
/// Exit code when something was cut.
const CUT: Option<i32> = Some(3);
/// Time that stopping may take besides the grace (proofs G1).
const SLACK: Duration = Duration::from_secs(3);

/// A stage whose upstream stops in the middle of the file until the gate opens.
async fn held(settings: &[(&str, &str)]) -> (Stage, Gate) {
    let stage = Stage::new(FILE as u64, settings).await;
    let gate = Gate::new();
    let stall = Fault::Stall {
        at: HELD_AT as u64,
        gate: gate.clone(),
    };
    let rule = Rule::address(&stage.file.address, stall).besides_tail();
    stage.upstream.world.fault(rule.nth(1));
    (stage, gate)
}

/// A client in the middle of its transfer.
async fn midway(stage: &Stage) -> (Raw, Vec<u8>) {
    let mut client = stage.begun(stage.connect().await).await;
    let seen = client.take(HELD_AT).await;
    (client, seen)
}

/// Tells the server to stop and returns when it does.
async fn told_to_stop(stage: &mut Stage) {
    stage.server.signal("TERM").await;
    stage.server.wait_for_log("draining").await;
}

fn assert_logged(stage: &Stage, outcome: &str) {
    let logs = stage.server.logs();
    let end = logs.lines().find(|line| line.contains("transfer ended"));
    let end = end.unwrap_or_else(|| panic!("no end in\n{logs}"));
    let figures = [format!("outcome={outcome}"), "bytes=".to_owned()];
    assert!(figures.iter().all(|figure| end.contains(figure)), "{end}");
}

/// Returns when the server takes no connection any more.
async fn refused(stage: &Stage) {
    let address = stage.server.base().trim_start_matches("http://");
    while TcpStream::connect(address).await.is_ok() {}
}

fn assert_drained(status: ExitStatus) {
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn transfer_inside_the_grace_finishes_byte_exact() {
    let (mut stage, gate) = held(&[("SHUTDOWN_GRACE", "600")]).await;
    let (mut client, mut seen) = midway(&stage).await;
    let mut idle = stage.connect().await;
    idle.get("/health").await;
    idle.answer().await;
    told_to_stop(&mut stage).await;
    // An idle connection goes at once, and nobody new is let in.
    idle.until_end().await;
    timeout(PATIENCE, refused(&stage))
        .await
        .expect("a closed door");
    gate.open();
    seen.extend(client.take(FILE - HELD_AT).await);
    assert_eq!(sha256_hex(&seen), stage.file.media.payload.sha256());
    let (rest, _) = client.until_end().await;
    assert!(rest.is_empty());
    assert_drained(stage.server.wait().await);
    assert_logged(&stage, "complete");
}

#[tokio::test]
async fn health_says_draining_while_balancers_look_away() {
    let (mut stage, gate) = held(&[("SHUTDOWN_DELAY", "4"), ("SHUTDOWN_GRACE", "600")]).await;
    let (mut client, _) = midway(&stage).await;
    let mut open = stage.connect().await;
    open.get("/health").await;
    assert_eq!(open.answer().await, "HTTP/1.1 200 OK");
    told_to_stop(&mut stage).await;
    open.get("/health").await;
    assert_eq!(open.answer().await, "HTTP/1.1 503 Service Unavailable");
    let answer = stage.server.api().get("/health").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["status"], "draining");
    gate.open();
    client.take(FILE - HELD_AT).await;
    assert_drained(stage.server.wait().await);
}

#[tokio::test]
async fn transfer_beyond_the_grace_is_cut_and_the_cut_shows() {
    let (mut stage, _gate) = held(&[("SHUTDOWN_GRACE", "1")]).await;
    let (client, _) = midway(&stage).await;
    let started = Instant::now();
    told_to_stop(&mut stage).await;
    let (rest, _) = client.until_end().await;
    assert!(rest.len() < FILE - HELD_AT);
    assert_eq!(stage.server.wait().await.code(), CUT);
    let elapsed = started.elapsed();
    let grace = Duration::from_secs(1);
    assert!(elapsed >= grace && elapsed < grace + SLACK, "{elapsed:?}");
    assert_logged(&stage, "cancelled");
}

#[tokio::test]
async fn transfer_of_unknown_length_that_is_cut_has_no_last_chunk() {
    let (mut stage, _gate) = held(&[("SHUTDOWN_GRACE", "0")]).await;
    for fault in [Fault::IgnoreRange, Fault::Chunked] {
        let rule = Rule::address(&stage.file.address, fault);
        stage.upstream.world.fault(rule);
    }
    stage.forget_size().await;
    let mut client = stage.connect().await;
    client.get(&stage.file.link).await;
    let head = client.head().await;
    assert!(head.contains("Transfer-Encoding: chunked"), "{head}");
    client.take(HELD_AT).await;
    told_to_stop(&mut stage).await;
    let (rest, _) = client.until_end().await;
    assert!(!rest.ends_with(b"0\r\n\r\n"), "a clean end");
    assert_eq!(stage.server.wait().await.code(), CUT);
}

#[tokio::test]
async fn h2_transfer_that_is_cut_has_no_end_of_stream() {
    let (mut stage, _gate) = held(&[("SHUTDOWN_GRACE", "1")]).await;
    let mut client = H2::connect(stage.server.base(), &[]).await;
    client.get(1, &stage.file.link).await;
    client.next_of(HEADERS).await.expect("a head");
    client.next_of(DATA).await.expect("data");
    told_to_stop(&mut stage).await;
    let mut is_told = false;
    while let Some(frame) = client.next().await {
        is_told |= frame.kind == GOAWAY;
        assert!(frame.kind != DATA || frame.flags & END_STREAM == 0);
    }
    assert!(is_told, "no GOAWAY");
    assert_eq!(stage.server.wait().await.code(), CUT);
}

#[tokio::test]
async fn second_signal_cuts_at_once() {
    let (mut stage, _gate) = held(&[("SHUTDOWN_GRACE", "600")]).await;
    let (client, _) = midway(&stage).await;
    told_to_stop(&mut stage).await;
    let second = Instant::now();
    stage.server.signal("INT").await;
    client.until_end().await;
    assert_eq!(stage.server.wait().await.code(), CUT);
    assert!(second.elapsed() < SLACK, "{:?}", second.elapsed());
    assert_logged(&stage, "cancelled");
}

#[tokio::test]
async fn second_signal_cuts_extractions_at_once() {
    let mut stage = Stage::new(FILE as u64, &[("SHUTDOWN_GRACE", "600")]).await;
    let world = &stage.upstream.world;
    world.fault(Rule::host(WWW, Fault::StallBeforeHead(Gate::new())));
    let mut client = stage.connect().await;
    let question = stage.fresh_question();
    client.send(question).await.expect("an open connection");
    let is_asked = |traffic: &crate::harness::upstream::Traffic| {
        traffic
            .to_host(WWW)
            .any(|record| record.progress == Progress::Held)
    };
    world.wait_for("a question to the site", is_asked).await;
    told_to_stop(&mut stage).await;
    stage.server.signal("TERM").await;
    client.until_end().await;
    assert_eq!(stage.server.wait().await.code(), CUT);
    let logs = stage.server.logs();
    assert!(!logs.contains("tasks ignore the end"), "{logs}");
}

#[tokio::test]
async fn download_goes_on_across_a_restart() {
    let (mut stage, _gate) = held(&[("SHUTDOWN_GRACE", "0")]).await;
    let mut client = stage.connect().await;
    client.get(&stage.file.link).await;
    let head = client.head().await;
    let etag = head.lines().find_map(|line| line.strip_prefix("Etag: "));
    let etag = etag
        .unwrap_or_else(|| panic!("no ETag in {head}"))
        .to_owned();
    let mut seen = client.take(HELD_AT).await;
    told_to_stop(&mut stage).await;
    seen.extend(client.until_end().await.0);
    assert_eq!(stage.server.wait().await.code(), CUT);

    stage.restart(&[]).await;
    let request = stage
        .server
        .api()
        .request(http::Method::GET, &stage.file.link);
    let request = request
        .header("range", format!("bytes={}-", seen.len()))
        .header("if-range", etag);
    let rest = crate::harness::try_fetch(request).await.expect("an answer");
    assert_eq!((rest.status.as_u16(), rest.is_whole), (206, true));
    seen.extend(&rest.body);
    assert_eq!(sha256_hex(&seen), stage.file.media.payload.sha256());
}
