//! HTTP/2 with prior knowledge, spoken frame by frame (RFC 9113 §4.1) so that it can be spoken badly.

use super::*;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub(super) const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// GET, http, `/`, authority `test`: three entries of the static table and one literal (RFC 7541, appendix A).
const REQUEST: &[u8] = &[0x82, 0x86, 0x84, 0x41, 4, b't', b'e', b's', b't'];
/// `SETTINGS_INITIAL_WINDOW_SIZE` = 0.
const NO_WINDOW: &[u8] = &[0, 4, 0, 0, 0, 0];

pub(super) struct Frame {
    kind: u8,
    flags: u8,
    pub(super) payload: Vec<u8>,
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(super) async fn greet(&mut self, settings: &[u8]) {
        self.send(PREFACE).await;
        self.send(frame(SETTINGS, 0, 0, settings)).await;
    }

    pub(super) async fn request(&mut self, stream: u32) {
        let flags = END_STREAM | END_HEADERS;
        self.send(frame(HEADERS, flags, stream, REQUEST)).await;
    }

    /// The next frame of one of these kinds; `None` at the end of the connection.
    pub(super) async fn next_of(&mut self, kinds: &[u8]) -> Option<Frame> {
        loop {
            let frame = timeout(PATIENCE, self.next_frame()).await.unwrap()?;
            if kinds.contains(&frame.kind) {
                return Some(frame);
            }
        }
    }

    async fn next_frame(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.ok()?;
        let length = usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).await.ok()?;
        Some(Frame {
            kind: head[3],
            flags: head[4],
            payload,
        })
    }
}

#[tokio::test]
async fn prior_knowledge_is_answered() {
    let server = start(config(), hello());
    let mut client = Client::connect(&server).await;
    client.greet(&[]).await;
    client.request(1).await;
    // 0x88 is `:status: 200`.
    let head = client.next_of(&[HEADERS]).await.unwrap();
    assert_eq!(head.payload[0], 0x88);
    let data = client.next_of(&[DATA]).await.unwrap();
    assert_eq!(data.payload, b"hello");
}

#[tokio::test]
async fn soft_end_sends_goaway_and_finishes_running_streams() {
    let (router, feed) = fed();
    let server = start(config(), router);
    let mut client = Client::connect(&server).await;
    client.greet(&[]).await;
    client.request(1).await;
    client.next_of(&[HEADERS]).await.unwrap();
    server.lifecycle.soft.cancel();
    client.next_of(&[GOAWAY]).await.unwrap();
    feed.send(Bytes::from_static(b"rest")).await.unwrap();
    drop(feed);
    let data = client.next_of(&[DATA]).await.unwrap();
    assert_eq!(data.payload, b"rest");
    let last = client.next_of(&[DATA]).await.unwrap();
    assert_eq!((last.flags, last.payload.len()), (END_STREAM, 0));
}

#[tokio::test]
async fn hard_end_cuts_running_streams() {
    let (router, feed) = fed();
    let server = start(config(), router);
    let mut client = Client::connect(&server).await;
    client.greet(&[]).await;
    client.request(1).await;
    client.next_of(&[HEADERS]).await.unwrap();
    server.lifecycle.hard.cancel();
    timeout(PATIENCE, feed.closed()).await.unwrap();
    if let Some(frame) = client.next_of(&[DATA]).await {
        assert_ne!(frame.flags & END_STREAM, END_STREAM);
    }
    server.lifecycle.tracker.close();
    timeout(PATIENCE, server.lifecycle.tracker.wait())
        .await
        .unwrap();
}

#[tokio::test]
async fn idle_connection_is_asked_to_go() {
    let mut config = config();
    config.keepalive_timeout = SHORT;
    let server = start(config, hello());
    let mut client = Client::connect(&server).await;
    client.greet(&[]).await;
    client.next_of(&[GOAWAY]).await.unwrap();
}

#[tokio::test]
async fn preface_alone_is_closed() {
    let mut config = config();
    config.keepalive_timeout = SHORT;
    config.client_stall_timeout = SHORT;
    let server = start(config, hello());
    let mut client = Client::connect(&server).await;
    client.send(PREFACE).await;
    assert!(client.next_of(&[DATA]).await.is_none());
}

#[tokio::test]
async fn client_that_opens_no_window_is_closed() {
    let mut config = config();
    config.client_stall_timeout = SHORT;
    let server = start(config, hello());
    let mut client = Client::connect(&server).await;
    client.greet(NO_WINDOW).await;
    client.request(1).await;
    client.next_of(&[HEADERS]).await.unwrap();
    assert!(client.next_of(&[DATA]).await.is_none());
}

#[tokio::test]
async fn window_that_opens_in_time_gets_the_body() {
    let server = start(config(), hello());
    let mut client = Client::connect(&server).await;
    client.greet(NO_WINDOW).await;
    client.request(1).await;
    client.next_of(&[HEADERS]).await.unwrap();
    client.send(frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 5])).await;
    let data = client.next_of(&[DATA]).await.unwrap();
    assert_eq!(data.payload, b"hello");
}

#[tokio::test]
async fn rapid_reset_is_ended() {
    let server = start(config(), hello());
    let mut client = Client::connect(&server).await;
    client.greet(&[]).await;
    let mut flood = Vec::new();
    for stream in (1..2000).step_by(2) {
        flood.extend(frame(HEADERS, END_STREAM | END_HEADERS, stream, REQUEST));
        flood.extend(frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]));
    }
    // The server may close while the flood still goes out.
    let _ = client.0.write_all(&flood).await;
    if let Some(goaway) = client.next_of(&[GOAWAY]).await {
        // ENHANCE_YOUR_CALM (RFC 9113 §7).
        assert_eq!(goaway.payload[4..8], [0, 0, 0, 0xb]);
    }
    assert!(client.next_of(&[DATA, HEADERS]).await.is_none());
}
