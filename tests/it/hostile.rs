//! Clients that mean harm: each is cut within its limit, and costs neither memory nor the others' answers.

use std::time::{Duration, Instant};

use tokio::time::{interval, timeout};

use crate::raw::h1::{End, PATIENCE, Raw};
use crate::raw::h2::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, H2, HEADERS, PING, PREFACE, RST_STREAM,
    SETTINGS, WINDOW_UPDATE, flood, frame, get, setting,
};
use crate::raw::{Process, Stage};

/// Every limit of the server.
const LIMIT: Duration = Duration::from_secs(1);
const SECOND: &str = "1";
/// Time beyond the limit: a second by reliability R2.1, and what a busy machine adds.
const SLACK: Duration = Duration::from_secs(4);
/// Growth of resident memory that a flood may cause (proofs C2).
const RSS_SLACK: u64 = 20 * 1024 * 1024;

/// A server with all limits at a second.
async fn strict() -> Stage {
    let limits = [
        "HEADER_TIMEOUT",
        "BODY_TIMEOUT",
        "KEEPALIVE_TIMEOUT",
        "CLIENT_STALL_TIMEOUT",
    ];
    Stage::new(1_000_003, &limits.map(|name| (name, SECOND))).await
}

/// Fails unless the server ends the connection within its limit; returns what it said.
async fn assert_cut(stage: &Stage, client: Raw, started: Instant) -> String {
    let (said, _) = client.until_end().await;
    let elapsed = started.elapsed();
    assert!(
        (LIMIT..LIMIT + SLACK).contains(&elapsed),
        "cut after {elapsed:?}"
    );
    stage.health().await;
    String::from_utf8_lossy(&said).into_owned()
}

/// Sends `start`, and then `drip` every 50 ms, until the server ends the connection.
async fn assert_drip_is_cut(start: &str, drip: &str) -> String {
    let stage = strict().await;
    let started = Instant::now();
    let mut client = stage.connect().await;
    client.send(start).await.expect("an open connection");
    let mut pace = interval(Duration::from_millis(50));
    while client.send(drip).await.is_ok() {
        assert!(started.elapsed() < LIMIT + SLACK, "still open");
        pace.tick().await;
    }
    assert!(started.elapsed() >= LIMIT);
    stage.health().await;
    let (said, _) = client.until_end().await;
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test]
async fn clients_that_send_no_whole_head_are_cut() {
    let stage = strict().await;
    let starts = ["", "G", "PRI * HT", "GET /health HTTP/1.1\r\nHost: te"];
    for start in starts {
        let started = Instant::now();
        let mut client = stage.connect().await;
        client.send(start).await.expect("an open connection");
        assert_eq!(assert_cut(&stage, client, started).await, "", "{start}");
    }
}

#[tokio::test]
async fn idle_connection_is_cut() {
    let stage = strict().await;
    let mut client = stage.connect().await;
    // The server's clock starts when it has answered, which is before the answer is read here.
    let asked = Instant::now();
    client.get("/health").await;
    client.answer().await;
    assert_cut(&stage, client, asked).await;
}

#[tokio::test]
async fn head_that_drips_is_cut() {
    assert_drip_is_cut("GET /health HTTP/1.1\r\nHost: test\r\nX-Drip: ", "a").await;
    assert_drip_is_cut("GET /health HTTP/1.1\r\nHost: test\r\n", "X-A: b\r\n").await;
}

#[tokio::test]
async fn body_that_drips_is_told_and_cut() {
    let head = "POST /tiktok HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n";
    let said = assert_drip_is_cut(&format!("{head}Content-Length: 5000\r\n\r\n"), " ").await;
    // The answer may be lost to the reset that the rest of the drip draws.
    assert!(
        said.is_empty() || said.starts_with("HTTP/1.1 408 "),
        "{said}"
    );
}

#[tokio::test]
async fn body_that_never_comes_is_told() {
    let stage = strict().await;
    let mut client = stage.connect().await;
    let started = Instant::now();
    let head = "POST /tiktok HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n";
    let head = format!("{head}Content-Length: 50\r\n\r\n");
    client.send(head).await.expect("an open connection");
    let said = assert_cut(&stage, client, started).await;
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
}

#[tokio::test]
async fn body_of_an_h2_request_that_never_comes_is_told() {
    let stage = strict().await;
    let mut client = H2::connect(stage.server.base(), &[]).await;
    // 0x83 is `:method: POST`.
    let mut block = get("/tiktok");
    block[0] = 0x83;
    let head = frame(HEADERS, END_HEADERS, 1, &block);
    client.send(head).await.expect("an open connection");
    let started = Instant::now();
    client.next_of(HEADERS).await.expect("an answer");
    let said = client.next_of(DATA).await.expect("a body").payload;
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(started.elapsed() >= LIMIT / 2 && started.elapsed() < LIMIT + SLACK);
    assert!(said.contains("\"code\":408"), "{said}");
}

/// Head of a POST whose body is announced to be so long.
fn announcing(length: u64, fields: &str) -> String {
    format!(
        "POST /tiktok HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{fields}\r\n"
    )
}

#[tokio::test]
async fn body_announced_far_too_long_is_refused_at_once() {
    // Nobody waits for a body: the limit on its time is an hour.
    let stage = Stage::new(1, &[("BODY_TIMEOUT", "3600")]).await;
    let expects = "Expect: 100-continue\r\n";
    let heads = [
        announcing(64 * 1024 + 1, expects),
        announcing(100 * 1024 * 1024, expects),
        announcing(u64::MAX - 2, ""),
        announcing(2 * 1024 * 1024, ""),
    ];
    for head in heads {
        let mut client = stage.connect().await;
        client.send(&head).await.expect("an open connection");
        assert_eq!(client.answer().await, "HTTP/1.1 413 Payload Too Large");
        client.until_end().await;
    }
    // One of allowed length is asked for.
    let mut client = stage.connect().await;
    client.send(announcing(2, expects)).await.expect("open");
    assert_eq!(client.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("{}").await.expect("an open connection");
    assert_eq!(client.answer().await, "HTTP/1.1 422 Unprocessable Entity");
}

#[tokio::test]
async fn body_announced_too_long_that_never_comes_is_refused_as_such() {
    let stage = strict().await;
    let mut client = stage.connect().await;
    let started = Instant::now();
    let head = announcing(64 * 1024 + 1, "");
    client.send(head).await.expect("an open connection");
    let said = assert_cut(&stage, client, started).await;
    assert!(said.starts_with("HTTP/1.1 413 "), "{said}");
}

/// Sends requests without reading answers until the server ends the connection; it must.
async fn assert_greed_is_cut(stage: &Stage, mut send: impl AsyncFnMut() -> std::io::Result<()>) {
    let resident = stage.process().resident();
    let asking = async { while send().await.is_ok() {} };
    timeout(PATIENCE, asking).await.expect("cut");
    let grown = stage.process().resident().saturating_sub(resident);
    assert!(grown <= RSS_SLACK, "{grown} bytes more");
    stage.health().await;
    stage.streams(0).await;
}

#[tokio::test]
async fn client_that_asks_and_asks_without_reading_is_cut() {
    let stage = strict().await;
    let requests = "GET /health HTTP/1.1\r\nHost: test\r\n\r\n".repeat(500);
    let mut client = Raw::connect_narrow(stage.server.base()).await;
    assert_greed_is_cut(&stage, async || client.send(&requests).await).await;
}

#[tokio::test]
async fn h2_client_that_asks_and_asks_without_reading_is_cut() {
    let stage = strict().await;
    let raw = Raw::connect_narrow(stage.server.base()).await;
    let mut client = H2::over(raw, &[]).await;
    let mut streams = (1..0x7FFF_FFFF).step_by(2);
    let block = get("/health");
    let more = async || {
        let batch = streams.by_ref().take(50);
        let batch = batch.flat_map(|id| frame(HEADERS, END_STREAM | END_HEADERS, id, &block));
        client.send(batch.collect::<Vec<u8>>()).await
    };
    assert_greed_is_cut(&stage, more).await;
}

#[tokio::test]
async fn h2_head_over_its_limit_is_refused_alone() {
    let stage = strict().await;
    let mut client = H2::connect(stage.server.base(), &[]).await;
    let block = [get("/health"), literal_header().repeat(400)].concat();
    let (first, rest) = block.split_at(16_000);
    let mut request = frame(HEADERS, END_STREAM, 1, first);
    for (number, part) in rest.chunks(16_000).enumerate() {
        let is_last = (number + 1) * 16_000 >= rest.len();
        let flags = if is_last { END_HEADERS } else { 0 };
        request.extend(frame(CONTINUATION, flags, 1, part));
    }
    client.send(request).await.expect("an open connection");
    let answer = client.next_of(HEADERS).await.expect("an answer");
    // `:status: 431`: the name of entry 8, the value in Huffman's code (RFC 7541 §6.2.1, appendix B).
    let status = [0x48, 0x83, 0x69, 0x90, 0xFF];
    assert!(answer.payload.starts_with(&status), "{answer:x?}");
    client.get(3, "/health").await;
    assert_eq!(client.next_of(HEADERS).await.expect("alive").stream, 3);
}

#[tokio::test]
async fn h2_connection_without_a_request_is_cut() {
    let stage = strict().await;
    let started = Instant::now();
    let client = H2::connect(stage.server.base(), &[]).await;
    assert_eq!(client.until_end().await, Some(0));
    assert!(started.elapsed() < 2 * LIMIT + SLACK);
    stage.health().await;
}

#[tokio::test]
async fn h2_preface_alone_is_cut() {
    let stage = strict().await;
    let mut client = stage.connect().await;
    client.send(PREFACE).await.expect("an open connection");
    client.until_end().await;
    stage.health().await;
}

#[tokio::test]
async fn h2_head_that_never_ends_is_cut() {
    let stage = strict().await;
    let mut client = H2::connect(stage.server.base(), &[]).await;
    let open = frame(HEADERS, END_STREAM, 1, &get("/health"));
    client.send(open).await.expect("an open connection");
    client.until_end().await;
    stage.health().await;
}

/// Sends these bytes again and again until the server ends the connection; it must, without growing by much, and the
/// others must be served meanwhile.
async fn assert_flood_is_cut(name: &str, once: &[u8], again: &[u8]) {
    let stage = strict().await;
    stage.health().await;
    let process: Process = stage.process();
    let resident = process.resident();
    let mut client = H2::connect(stage.server.base(), &[]).await;
    client.send(once).await.expect("an open connection");
    let again = again.repeat(1 + 16 * 1024 / again.len());
    let flooding = crate::harness::spawn(async move { flood(client, &again).await });
    while !flooding.is_finished() {
        stage.health().await;
    }
    let sent = flooding.await.expect("no panic");
    let grown = process.resident().saturating_sub(resident);
    assert!(
        grown <= RSS_SLACK,
        "{name}: {grown} bytes more after {sent}"
    );
    stage.health().await;
    stage.streams(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ping_flood_is_cut() {
    assert_flood_is_cut("PING", &[], &frame(PING, 0, 0, &[7; 8])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_flood_is_cut() {
    assert_flood_is_cut("SETTINGS", &[], &frame(SETTINGS, 0, 0, &setting(4, 1))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn continuation_flood_is_cut() {
    let open = frame(HEADERS, END_STREAM, 1, &get("/health"));
    let more = frame(CONTINUATION, 0, 1, &literal_header());
    assert_flood_is_cut("CONTINUATION", &open, &more).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn empty_continuation_flood_is_cut() {
    let open = frame(HEADERS, END_STREAM, 1, &get("/health"));
    assert_flood_is_cut("empty", &open, &frame(CONTINUATION, 0, 1, &[])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn window_update_flood_is_cut() {
    let update = frame(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes());
    assert_flood_is_cut("WINDOW_UPDATE", &[], &update).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn empty_data_flood_is_cut() {
    let mut block = get("/tiktok");
    block[0] = 0x83;
    let open = frame(HEADERS, END_HEADERS, 1, &block);
    assert_flood_is_cut("DATA", &open, &frame(DATA, 0, 1, &[])).await;
}

/// A header field that adds to a block: `x: yyyy…`, never indexed (RFC 7541 §6.2.3).
fn literal_header() -> Vec<u8> {
    let mut field = vec![0x10, 1, b'x', 100];
    field.extend([b'y'; 100]);
    field
}

/// `HEADERS` and `RST_STREAM` at once, for streams 1, 3, 5 … (CVE-2023-44487).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rapid_reset_is_cut() {
    let stage = strict().await;
    let resident = stage.process().resident();
    let mut client = H2::connect(stage.server.base(), &[]).await;
    let block = get(&stage.file.link);
    let mut sent = 0;
    'flood: for batch in 0..1_000_u32 {
        let mut bytes = Vec::new();
        for stream in (batch * 100..(batch + 1) * 100).map(|n| 2 * n + 1) {
            bytes.extend(frame(HEADERS, END_STREAM | END_HEADERS, stream, &block));
            bytes.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
        }
        if client.send(bytes).await.is_err() {
            break 'flood;
        }
        sent += 100;
    }
    assert!(sent < 100_000, "never cut");
    client.until_end().await;
    stage.streams(0).await;
    stage.upstream_left().await;
    let grown = stage.process().resident().saturating_sub(resident);
    assert!(grown <= RSS_SLACK, "{grown} bytes more");
}

/// More streams than allowed are refused one by one, and the connection goes on.
#[tokio::test]
async fn streams_over_the_limit_are_refused() {
    let stage = Stage::new(64 * 1024 * 1024, &[]).await;
    let mut client = H2::connect(stage.server.base(), &setting(4, 0)).await;
    for stream in 0..101 {
        client.get(2 * stream + 1, &stage.file.link).await;
    }
    let refused = client.next_of(RST_STREAM).await.expect("a refusal");
    // REFUSED_STREAM.
    assert_eq!(refused.payload, 7_u32.to_be_bytes());
    assert_eq!(refused.stream, 201);
    stage.streams(100).await;
    drop(client);
    stage.streams(0).await;
}

/// Clients that only hold connections, and the questions asked meanwhile.
const HOLDERS: usize = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_silent_clients_cost_the_others_nothing() {
    let stage = strict().await;
    let resident = stage.process().resident();
    let descriptors = stage.descriptors().await;
    let started = Instant::now();
    let mut holders = Vec::new();
    for number in 0..HOLDERS {
        let mut client = stage.connect().await;
        let start = ["", "GET / HT", "PRI * HT", "POST /tiktok HTTP/1.1\r\n"][number % 4];
        client.send(start).await.expect("an open connection");
        holders.push(client);
    }
    let answer = stage.server.api().get(&stage.file.link).await;
    assert_eq!(answer.sha256(), stage.file.media.payload.sha256());
    for holder in holders {
        let (said, end) = holder.until_end().await;
        assert_eq!((said.len(), end), (0, End::Closed));
    }
    assert!(started.elapsed() < LIMIT + 2 * SLACK);
    let grown = stage.process().resident().saturating_sub(resident);
    assert!(grown <= RSS_SLACK, "{grown} bytes more");
    assert!(stage.descriptors().await <= descriptors + 8);
}

#[tokio::test]
async fn frames_that_make_no_sense_end_the_connection_only() {
    let stage = strict().await;
    let nonsense = [
        frame(SETTINGS, 0, 1, &[]),
        frame(SETTINGS, 0, 0, &[0; 5]),
        frame(PING, 0, 0, &[0; 3]),
        frame(DATA, 0, 0, b"x"),
        frame(WINDOW_UPDATE, 0, 0, &0_u32.to_be_bytes()),
        frame(HEADERS, END_HEADERS, 2, &get("/health")),
        frame(HEADERS, END_HEADERS, 1, &[0xFF; 40]),
        frame(CONTINUATION, 0, 1, &[]),
        vec![0xFF; 64],
    ];
    for bytes in nonsense {
        let mut client = H2::connect(stage.server.base(), &[]).await;
        client.send(&bytes).await.expect("an open connection");
        let goaway = client.next_of(GOAWAY).await;
        let is_told = goaway.is_none_or(|frame| frame.payload[4..8] != [0; 4]);
        assert!(is_told, "{bytes:x?}");
        stage.health().await;
    }
}
