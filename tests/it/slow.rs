//! Clients that read slowly or not at all: they hold little of the upstream, and are given up in time.

use std::time::Duration;

use tokio::time::{interval, timeout};

use crate::harness::upstream::sha256_hex;
use crate::raw::Stage;
use crate::raw::h1::{PATIENCE, Raw};
use crate::raw::h2::{
    DATA, END_STREAM, H2, HEADERS, PING, SETTINGS, WINDOW_UPDATE, frame, setting,
};

/// A file that no buffer on the way holds.
const LARGE: u64 = 256 * 1024 * 1024;
/// `STREAM_BUFFER_BYTES`.
const BUFFER: u64 = 256 * 1024;
/// Bytes that the libraries hold: a piece on its way to a socket, an HTTP/2 stream's send buffer, a TLS record.
const LIBRARIES: u64 = 256 * 1024;
/// What the system takes for a client that was quick and stops: half a megabyte unsent, a portion and a segment beyond,
/// and what the client's narrow buffer holds.
const KERNEL: u64 = 768 * 1024;
/// The upstream's send buffer, which Linux doubles.
const UPSTREAM_SOCKET: u64 = 2 * 64 * 1024;
/// Seconds that a client has.
const STALL: &str = "2";
/// A stalled HTTP/2 stream is reset; its connection then goes as an idle one does.
const IMPATIENT: [(&str, &str); 2] = [("CLIENT_STALL_TIMEOUT", STALL), ("KEEPALIVE_TIMEOUT", "2")];
/// `SETTINGS_INITIAL_WINDOW_SIZE`.
const INITIAL_WINDOW: u16 = 4;

/// A stage with little patience.
async fn impatient() -> Stage {
    Stage::new(LARGE, &IMPATIENT).await
}

/// Largest buffer that the system gives a socket: `tcp_wmem` to send, `tcp_rmem` to receive (tcp(7)).
fn largest_buffer(kind: &str) -> u64 {
    let limits = std::fs::read_to_string(format!("/proc/sys/net/ipv4/{kind}"));
    let limits = limits.expect("limits of sockets");
    let largest = limits.split_whitespace().last().expect("three figures");
    largest.parse().expect("a number")
}

/// Returns when the server has given its client up, which had read `read` bytes. The transfer may have handed over what
/// the client's socket takes besides, and taken from the upstream what its own channel holds and the upstream's sockets
/// take; those sockets' part is the system's to say.
async fn assert_given_up(stage: &mut Stage, read: u64) {
    let end = stage.server.wait_for_log("transfer ended").await;
    stage.upstream_left().await;
    stage.streams(0).await;
    assert!(end.contains("outcome=client_stall"), "{end}");
    let handed = end
        .split_once("bytes=")
        .and_then(|(_, rest)| rest.split_once(' '));
    let handed: u64 = handed.expect("bytes").0.parse().expect("a number");
    let bound = read + KERNEL + LIBRARIES;
    assert!((read..=bound).contains(&handed), "{handed}, bound {bound}");
    let taken = stage.taken();
    let bound = handed + BUFFER + LIBRARIES + largest_buffer("tcp_rmem") + UPSTREAM_SOCKET;
    assert!(taken <= bound, "{taken}, bound {bound}");
    assert!(
        taken < LARGE / 2,
        "the sockets hold too much to show anything"
    );
}

#[tokio::test]
async fn reader_that_stops_is_given_up_and_its_upstream_held_back() {
    let mut stage = impatient().await;
    let client = Raw::connect_narrow(stage.server.base()).await;
    let mut client = stage.begun(client).await;
    let read = 1_000_000;
    client.take(read).await;
    assert_given_up(&mut stage, read as u64).await;
    // By FIN or RST: it depends on whether the client comes back before its connection is given up too.
    let (rest, _) = client.until_end().await;
    assert!((rest.len() as u64) < LARGE / 2);
}

#[tokio::test]
async fn reader_of_a_hundred_bytes_a_second_is_given_up() {
    let mut stage = impatient().await;
    let client = Raw::connect_narrow(stage.server.base()).await;
    let mut client = stage.begun(client).await;
    let reading = async {
        // The pace is the attack.
        let mut pace = interval(Duration::from_millis(100));
        loop {
            pace.tick().await;
            client.take(10).await;
        }
    };
    tokio::select! {
        () = assert_given_up(&mut stage, 0) => {}
        never = reading => never,
    }
}

#[tokio::test]
async fn h2_reader_of_a_hundred_bytes_a_second_is_given_up() {
    let mut stage = impatient().await;
    let mut client = H2::connect(stage.server.base(), &setting(INITIAL_WINDOW, 0)).await;
    client.get(1, &stage.file.link).await;
    client.next_of(HEADERS).await.expect("a head");
    let opening = async {
        let mut pace = interval(Duration::from_millis(100));
        let ten = frame(WINDOW_UPDATE, 0, 1, &10_u32.to_be_bytes());
        loop {
            pace.tick().await;
            if client.send(&ten).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(assert_given_up(&mut stage, 0), opening);
}

#[tokio::test]
async fn h2_client_without_a_window_is_given_up() {
    let mut stage = impatient().await;
    let mut client = H2::connect(stage.server.base(), &setting(INITIAL_WINDOW, 0)).await;
    client.get(1, &stage.file.link).await;
    client.next_of(HEADERS).await.expect("a head");
    assert_given_up(&mut stage, 0).await;
    while let Some(frame) = client.next().await {
        assert!(frame.kind != DATA, "{frame:?}");
    }
}

#[tokio::test]
async fn h2_client_that_uses_its_window_up_is_given_up() {
    let mut stage = impatient().await;
    let mut client = H2::connect(stage.server.base(), &[]).await;
    client.get(1, &stage.file.link).await;
    let (mut seen, mut ended) = (0, false);
    let reading = async {
        while let Some(frame) = client.next().await {
            if frame.kind == DATA {
                seen += frame.payload.len() as u64;
                ended |= frame.flags & END_STREAM != 0;
            }
        }
    };
    tokio::join!(assert_given_up(&mut stage, 65_535), reading);
    assert_eq!((seen, ended), (65_535, false));
}

/// A file that is more than the system would take for a client if it were left to it.
const MEDIUM: u64 = 12 * 1024 * 1024;
/// How often a slow reader reads, and how many bytes: 40 kB/s.
const STEP: Duration = Duration::from_millis(100);
const STEP_BYTES: usize = 4_000;
/// For how long it is slow: three times what a client that stops has.
const SLOW_STEPS: usize = 60;
/// Its receive buffer, in which its reading shows soon.
const RECEIVE_BUFFER: u32 = 16 * 1024;

async fn medium() -> Stage {
    // Pieces in which the progress of a slow reader shows well within the short limit.
    let settings = [("CLIENT_STALL_TIMEOUT", STALL), ("CHUNK_SIZE", "8192")];
    Stage::new(MEDIUM, &settings).await
}

#[tokio::test]
async fn slow_reader_gets_the_whole_file() {
    let stage = medium().await;
    let client = Raw::connect_with_buffer(stage.server.base(), RECEIVE_BUFFER).await;
    let mut client = stage.begun(client).await;
    let mut seen = Vec::new();
    let mut pace = interval(STEP);
    for _ in 0..SLOW_STEPS {
        pace.tick().await;
        seen.extend(client.take(STEP_BYTES).await);
    }
    let rest = MEDIUM - seen.len() as u64;
    seen.extend(client.take(rest.try_into().expect("a length")).await);
    assert_eq!(sha256_hex(&seen), stage.file.media.payload.sha256());
}

#[tokio::test]
async fn slow_h2_reader_gets_the_whole_file() {
    let stage = medium().await;
    let raw = Raw::connect_with_buffer(stage.server.base(), RECEIVE_BUFFER).await;
    let window = 0x7FFF_FFFF;
    let mut client = H2::over(raw, &setting(INITIAL_WINDOW, window)).await;
    let open = frame(WINDOW_UPDATE, 0, 0, &(window - 65_535).to_be_bytes());
    client.send(open).await.expect("an open connection");
    client.get(1, &stage.file.link).await;
    let (mut seen, mut is_ended, mut steps) = (Vec::new(), false, 0);
    let mut pace = interval(STEP);
    while !is_ended {
        let data = client.next_of(DATA).await.expect("data");
        is_ended = data.flags & END_STREAM != 0;
        seen.extend(data.payload);
        while steps < SLOW_STEPS.min(seen.len() / STEP_BYTES) {
            pace.tick().await;
            steps += 1;
        }
    }
    assert_eq!(sha256_hex(&seen), stage.file.media.payload.sha256());
}

/// Small files fit into the server, so that only the connection can tell that their client takes nothing.
const SMALL: u64 = 100_003;

/// Reads answers to as many `PING`s, so that nothing but the stream waits; false at the end of the connection.
async fn pongs(client: &mut H2, count: usize) -> bool {
    for _ in 0..count {
        if client.next_of(PING).await.is_none() {
            return false;
        }
    }
    true
}

#[tokio::test]
async fn h2_client_that_chats_without_a_window_is_cut() {
    let stage = Stage::new(SMALL, &IMPATIENT).await;
    let mut client = H2::connect(stage.server.base(), &setting(INITIAL_WINDOW, 0)).await;
    client.get(1, &stage.file.link).await;
    client.next_of(HEADERS).await.expect("a head");
    stage.streams(1).await;
    let mut chat = frame(PING, 0, 0, &[7; 8]).repeat(8);
    chat.extend(frame(SETTINGS, 0, 0, &[]));
    let chatting = async {
        let mut pace = interval(STEP);
        while client.send(&chat).await.is_ok() && pongs(&mut client, 8).await {
            pace.tick().await;
        }
    };
    timeout(PATIENCE, chatting).await.expect("cut");
    stage.streams(0).await;
    stage.health().await;
}

#[tokio::test]
async fn h2_stream_without_a_window_does_not_hold_up_its_neighbours() {
    let stage = Stage::new(LARGE, &[]).await;
    let mut client = H2::connect(stage.server.base(), &setting(INITIAL_WINDOW, 0)).await;
    client.get(1, &stage.file.link).await;
    client.next_of(HEADERS).await.expect("a head");
    client.get(3, "/health").await;
    let head = client.next_of(HEADERS).await.expect("a head");
    assert_eq!(head.stream, 3);
    let open = frame(WINDOW_UPDATE, 0, 3, &1000_u32.to_be_bytes());
    client.send(open).await.expect("an open connection");
    let data = client.next_of(DATA).await.expect("data");
    assert_eq!(data.stream, 3);
}
