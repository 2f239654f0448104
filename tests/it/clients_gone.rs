//! Clients that leave: what their transfer held is free within a second, whatever it was doing, and nothing is left.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};

use crate::harness::upstream::{Fault, Gate, Rule};
use crate::raw::h1::Raw;
use crate::raw::h2::{DATA, H2, HEADERS, RST_STREAM, frame};
use crate::raw::{Process, Stage};

/// Longest time from the client's end to that of the upstream request and the permit (reliability R2.3).
const GONE_WITHIN: Duration = Duration::from_secs(1);
/// Bytes after which the upstream stalls.
const BEFORE_STALL: usize = 50_000;
/// A file that no buffer on the way holds.
const LARGE: u64 = 256 * 1024 * 1024;
/// More than the channel of a transfer holds: whoever has taken that much waits for its client.
const FULL: u64 = 2 * 256 * 1024;

/// Fails unless upstream and permit are free in time.
async fn assert_freed(stage: &Stage, bytes: std::ops::RangeInclusive<u64>) {
    let left = Instant::now();
    stage.upstream_left().await;
    stage.streams(0).await;
    let elapsed = left.elapsed();
    assert!(elapsed <= GONE_WITHIN, "{elapsed:?}");
    stage.server.assert_logged("transfer ended").await;
    assert_end_in_log(stage, &bytes);
}

/// Fails unless the log has the one line of a client that left after as many bytes.
fn assert_end_in_log(stage: &Stage, bytes: &std::ops::RangeInclusive<u64>) {
    let logs = stage.server.logs();
    let ends: Vec<&str> = logs
        .lines()
        .filter(|line| line.contains("transfer ended"))
        .collect();
    let [end] = ends[..] else {
        panic!("not one end:\n{logs}");
    };
    assert!(end.contains("outcome=client_gone"), "{end}");
    let logged = end
        .split_once("bytes=")
        .and_then(|(_, rest)| rest.split_once(' '));
    let logged: u64 = logged.expect("bytes").0.parse().expect("a number");
    assert!(bytes.contains(&logged), "{logged} not in {bytes:?}");
}

/// A stage whose upstream stalls in the middle.
async fn stalling() -> Stage {
    let stage = Stage::new(200_003, &[]).await;
    let stall = Fault::Stall {
        at: BEFORE_STALL as u64,
        gate: Gate::new(),
    };
    let rule = Rule::address(&stage.file.address, stall).besides_tail();
    stage.upstream.world.fault(rule);
    stage
}

/// A stage with a client that takes nothing while everything on the way is full.
async fn blocked() -> (Stage, Raw) {
    let stage = Stage::new(LARGE, &[]).await;
    let client = Raw::connect_narrow(stage.server.base()).await;
    let client = stage.begun(client).await;
    let address = &stage.file.address;
    let is_full = |traffic: &crate::harness::upstream::Traffic| {
        traffic.of(address).any(|record| record.taken > FULL)
    };
    stage.upstream.world.wait_for("full buffers", is_full).await;
    (stage, client)
}

#[tokio::test]
async fn leaving_while_the_upstream_stalls_frees_everything() {
    let stage = stalling().await;
    let mut client = stage.begun(stage.connect().await).await;
    client.take(BEFORE_STALL).await;
    stage.streams(1).await;
    drop(client);
    let exactly = BEFORE_STALL as u64;
    assert_freed(&stage, exactly..=exactly).await;
}

#[tokio::test]
async fn reset_while_the_upstream_stalls_frees_everything() {
    let stage = stalling().await;
    let mut client = stage.begun(stage.connect().await).await;
    client.take(BEFORE_STALL).await;
    client.reset();
    let exactly = BEFORE_STALL as u64;
    assert_freed(&stage, exactly..=exactly).await;
}

#[tokio::test]
async fn leaving_while_the_queue_is_full_frees_everything() {
    let (stage, client) = blocked().await;
    drop(client);
    assert_freed(&stage, 1..=LARGE / 2).await;
}

#[tokio::test]
async fn leaving_before_the_head_frees_everything() {
    let stage = Stage::new(200_003, &[]).await;
    let silence = Fault::StallBeforeHead(Gate::new());
    let rule = Rule::address(&stage.file.address, silence);
    stage.upstream.world.fault(rule);
    let mut client = stage.connect().await;
    client.get(&stage.file.link).await;
    stage.streams(1).await;
    drop(client);
    let left = Instant::now();
    stage.streams(0).await;
    stage.upstream_left().await;
    assert!(left.elapsed() <= GONE_WITHIN, "{:?}", left.elapsed());
}

/// What a client may have sent after its request: nothing of it is read while the first answer is in progress.
fn pipelined() -> [String; 3] {
    let request = "GET /health HTTP/1.1\r\nHost: test\r\n\r\n";
    let half = request[..request.len() / 2].to_owned();
    [half, request.to_owned(), request.repeat(2_000)]
}

/// Asks for the file and at once for more, and leaves when the transfer has begun, by FIN or by RST.
async fn leave_with_more(stage: &Stage, more: &str, is_reset: bool) {
    let mut client = stage.connect().await;
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: test\r\n\r\n{more}",
        stage.file.link
    );
    client.send(request).await.expect("an open connection");
    stage.streams(1).await;
    if is_reset {
        client.reset();
    }
}

#[tokio::test]
async fn leaving_with_requests_in_the_pipeline_frees_everything() {
    for fault in [
        Fault::StallBeforeHead(Gate::new()),
        Fault::Stall {
            at: BEFORE_STALL as u64,
            gate: Gate::new(),
        },
    ] {
        let stage = Stage::new(200_003, &[]).await;
        let rule = Rule::address(&stage.file.address, fault);
        stage.upstream.world.fault(rule.besides_tail());
        for (more, is_reset) in pipelined().iter().zip([false, true, false]) {
            leave_with_more(&stage, more, is_reset).await;
            let left = Instant::now();
            stage.streams(0).await;
            stage.upstream_left().await;
            assert!(left.elapsed() <= GONE_WITHIN, "{:?}", left.elapsed());
        }
    }
}

#[tokio::test]
async fn leaving_a_full_queue_with_requests_in_the_pipeline_frees_everything() {
    let (stage, mut client) = blocked().await;
    let [half, ..] = pipelined();
    client.send(half).await.expect("an open connection");
    drop(client);
    assert_freed(&stage, 1..=LARGE / 2).await;
}

#[tokio::test]
async fn client_that_only_stops_sending_gets_what_is_ready_and_holds_nothing() {
    let stage = stalling().await;
    for request in ["GET /health HTTP/1.1\r\nHost: test\r\n\r\n"].repeat(20) {
        let mut client = stage.connect().await;
        client.send(request).await.expect("an open connection");
        client.finish().await;
        assert_eq!(client.answer().await, "HTTP/1.1 200 OK");
    }
    let mut client = stage.begun(stage.connect().await).await;
    client.take(BEFORE_STALL).await;
    stage.streams(1).await;
    client.finish().await;
    let exactly = BEFORE_STALL as u64;
    assert_freed(&stage, exactly..=exactly).await;
}

#[tokio::test]
async fn cancelled_h2_stream_frees_its_transfer_and_no_other() {
    let stage = stalling().await;
    let mut client = H2::connect(stage.server.base(), &[]).await;
    client.get(1, &stage.file.link).await;
    client.next_of(HEADERS).await.expect("a head");
    let mut seen = 0;
    while seen < BEFORE_STALL {
        seen += client.next_of(DATA).await.expect("data").payload.len();
    }
    stage.streams(1).await;
    let cancel = frame(RST_STREAM, 0, 1, &8_u32.to_be_bytes());
    client.send(cancel).await.expect("an open connection");
    let exactly = BEFORE_STALL as u64;
    assert_freed(&stage, exactly..=exactly).await;
    client.get(3, "/health").await;
    let head = client.next_of(HEADERS).await.expect("the connection lives");
    assert_eq!(head.stream, 3);
}

#[tokio::test]
async fn h2_connection_that_goes_frees_all_its_streams() {
    let stage = stalling().await;
    let mut client = H2::connect(stage.server.base(), &[]).await;
    for stream in [1, 3, 5, 7] {
        client.get(stream, &stage.file.link).await;
    }
    stage.streams(4).await;
    drop(client);
    let left = Instant::now();
    stage.streams(0).await;
    stage.upstream_left().await;
    assert!(left.elapsed() <= GONE_WITHIN, "{:?}", left.elapsed());
}

/// Disconnects of one round; the first round warms the server up.
const ROUND: u64 = 2_500;
/// Clients at once.
const AT_ONCE: usize = 64;
/// Bytes of the file they leave in.
const FILE: u64 = 300_007;
/// Growth of resident memory from round to round that an allocator may show.
const RSS_SLACK: u64 = 16 * 1024 * 1024;
/// Descriptors above those at the start: upstream connections that the pool keeps (32 for each of two hosts), and
/// what a question for `/health` holds.
const DESCRIPTORS_SLACK: usize = 2 * 32 + 8;

/// Leaves after as many bytes: by FIN, or by RST every other time.
async fn leave_after(stage: &Stage, bytes: u64) {
    let mut client = stage.connect().await;
    client.get(&stage.file.link).await;
    client.head().await;
    client.take(usize::try_from(bytes).expect("a length")).await;
    if bytes.is_multiple_of(2) {
        client.reset();
    }
}

async fn round(stage: &Stage, number: u64) {
    let offsets = (0..ROUND).map(|n| (number * ROUND + n) * 7_919 % FILE);
    stream::iter(offsets)
        .for_each_concurrent(AT_ONCE, |bytes| leave_after(stage, bytes))
        .await;
    stage.streams(0).await;
    stage.upstream_left().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_disconnects_at_any_byte_leave_nothing() {
    let stage = Stage::new(FILE, &[]).await;
    let process: Process = stage.process();
    let descriptors = stage.descriptors().await;
    round(&stage, 0).await;
    let resident = process.resident();
    round(&stage, 1).await;
    let grown = process.resident().saturating_sub(resident);
    assert!(grown <= RSS_SLACK, "{grown} bytes more");
    let now = stage.descriptors().await;
    assert!(
        now <= descriptors + DESCRIPTORS_SLACK,
        "{now}, {descriptors} at first"
    );
    let logs = stage.server.logs();
    let ends = logs.lines().filter(|line| line.contains("transfer ended"));
    assert_eq!(ends.count() as u64, 2 * ROUND);
}
