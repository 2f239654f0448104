//! A client that stops reading when all of its file has been read from the upstream: nothing but its own clock ends it.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::interval;

use crate::raw::Stage;
use crate::raw::h2::{H2, HEADERS, WINDOW_UPDATE, frame, setting};

/// A file that the server's own queue holds.
const SMALL: u64 = 100_003;
/// `SETTINGS_INITIAL_WINDOW_SIZE`.
const INITIAL_WINDOW: u16 = 4;

/// Asks `/health` on streams of its own, one every tenth of a second, until `is_over`; returns the next stream's number.
async fn keep_busy(client: &mut H2, is_over: &Cell<bool>) -> u32 {
    let mut pace = interval(Duration::from_millis(100));
    let mut stream = 3;
    while !is_over.get() {
        pace.tick().await;
        ask_health(client, stream).await;
        stream += 2;
    }
    stream
}

async fn ask_health(client: &mut H2, stream: u32) {
    client.get(stream, "/health").await;
    let open = frame(WINDOW_UPDATE, 0, stream, &10_000_u32.to_be_bytes());
    client.send(open).await.expect("an open connection");
    let head = client.next_of(HEADERS).await.expect("a head");
    assert_eq!(head.stream, stream);
}

#[tokio::test]
async fn h2_stream_without_a_window_beside_busy_ones_gives_its_place_back() {
    let mut stage = Stage::new(SMALL, &[("CLIENT_STALL_TIMEOUT", "2")]).await;
    let mut client = H2::connect(stage.server.base(), &setting(INITIAL_WINDOW, 0)).await;
    client.get(1, &stage.file.link).await;
    client.next_of(HEADERS).await.expect("a head");
    stage.upstream_left().await;
    stage.streams(1).await;
    let is_over = Cell::new(false);
    let given_up = async {
        stage.streams(0).await;
        is_over.set(true);
    };
    let ((), stream) = tokio::join!(given_up, keep_busy(&mut client, &is_over));
    let end = stage.server.wait_for_log("transfer ended").await;
    assert!(end.contains("outcome=client_stall"), "{end}");
    // The connection is as good as before.
    ask_health(&mut client, stream).await;
}
