//! A client that stops reading when all of its file has been read from the upstream: nothing but its own clock ends it.

use std::time::Duration;

use tokio::time::{interval, timeout};

use crate::raw::Stage;
use crate::raw::h1::PATIENCE;
use crate::raw::h2::{H2, HEADERS, RST_STREAM, WINDOW_UPDATE, frame, setting};

/// A file that the server's own queue holds.
const SMALL: u64 = 100_003;
/// A file that the library takes at once, before the client has a window.
const ONE_PIECE: u64 = 5000;
/// `SETTINGS_INITIAL_WINDOW_SIZE`.
const INITIAL_WINDOW: u16 = 4;

/// Asks `/health` on streams of its own, one every tenth of a second, until the first stream is reset; returns the next
/// stream's number.
async fn keep_busy(client: &mut H2) -> u32 {
    let mut pace = interval(Duration::from_millis(100));
    let mut stream = 3;
    loop {
        pace.tick().await;
        let is_reset = ask_health(client, stream).await;
        stream += 2;
        if is_reset {
            return stream;
        }
    }
}

/// Asks on one stream; whether the first one was reset before its answer began.
async fn ask_health(client: &mut H2, stream: u32) -> bool {
    client.get(stream, "/health").await;
    let open = frame(WINDOW_UPDATE, 0, stream, &10_000_u32.to_be_bytes());
    client.send(open).await.expect("an open connection");
    let mut is_reset = false;
    loop {
        let frame = client.next().await.expect("an open connection");
        match (frame.kind, frame.stream) {
            (RST_STREAM, 1) => is_reset = true,
            (HEADERS, answered) => {
                assert_eq!(answered, stream);
                return is_reset;
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn h2_stream_without_a_window_beside_busy_ones_gives_its_place_back() {
    stalled_stream_is_reset(SMALL).await;
}

#[tokio::test]
async fn h2_stream_without_a_window_for_one_piece_gives_its_place_back() {
    stalled_stream_is_reset(ONE_PIECE).await;
}

/// A stream that takes nothing of a file, beside others that do, ends by itself, and its connection goes on.
async fn stalled_stream_is_reset(size: u64) {
    let mut stage = Stage::new(size, &[("CLIENT_STALL_TIMEOUT", "2")]).await;
    let mut client = H2::connect(stage.server.base(), &setting(INITIAL_WINDOW, 0)).await;
    client.get(1, &stage.file.link).await;
    client.next_of(HEADERS).await.expect("a head");
    stage.upstream_left().await;
    stage.streams(1).await;
    let stream = timeout(PATIENCE, keep_busy(&mut client)).await;
    let stream = stream.expect("the stream is reset");
    stage.streams(0).await;
    let end = stage.server.wait_for_log("transfer ended").await;
    assert!(end.contains("outcome=client_stall"), "{end}");
    // The connection is as good as before.
    ask_health(&mut client, stream).await;
}
