//! A raw HTTP/2 client with prior knowledge: frames by hand (RFC 9113 §4.1), so that rules can be broken.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::h1::{PATIENCE, Raw};

/// First bytes of a connection.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Types of frames.
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

/// Flags of frames.
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// A frame that came.
#[derive(Debug)]
pub(crate) struct Frame {
    /// Type.
    pub(crate) kind: u8,
    /// Flags.
    pub(crate) flags: u8,
    /// Stream.
    pub(crate) stream: u32,
    /// Payload.
    pub(crate) payload: Vec<u8>,
}

/// A frame as bytes.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len())
        .expect("a length")
        .to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// One entry of a `SETTINGS` payload.
pub(crate) fn setting(name: u16, value: u32) -> Vec<u8> {
    [&name.to_be_bytes()[..], &value.to_be_bytes()[..]].concat()
}

/// A header block for a GET: two entries of the static table and two literals (RFC 7541, appendix A and §6.2.2).
pub(crate) fn get(path: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x86];
    literal(&mut block, 4, path);
    literal(&mut block, 1, "test");
    block
}

fn literal(block: &mut Vec<u8>, name: u8, value: &str) {
    block.push(name);
    let length = value.len();
    // An integer with a prefix of seven bits (RFC 7541 §5.1).
    if let Some(short) = u8::try_from(length).ok().filter(|length| *length < 127) {
        block.push(short);
    } else {
        block.push(127);
        let mut rest = length - 127;
        while rest >= 128 {
            block.push(u8::try_from(rest % 128).expect("seven bits") | 128);
            rest /= 128;
        }
        block.push(u8::try_from(rest).expect("seven bits"));
    }
    block.extend(value.as_bytes());
}

/// A connection.
pub(crate) struct H2(TcpStream);

impl H2 {
    /// Connects and greets with these settings.
    pub(crate) async fn connect(base: &str, settings: &[u8]) -> Self {
        Self::over(Raw::connect(base).await, settings).await
    }

    /// Greets with these settings on a connection.
    pub(crate) async fn over(mut raw: Raw, settings: &[u8]) -> Self {
        let greeting = [PREFACE, &frame(SETTINGS, 0, 0, settings)].concat();
        raw.send(greeting).await.expect("an open connection");
        Self(raw.into_inner())
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// The server has closed or reset.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let sending = self.0.write_all(bytes.as_ref());
        timeout(PATIENCE, sending).await.expect("the server reads")
    }

    /// Asks for a path.
    pub(crate) async fn get(&mut self, stream: u32, path: &str) {
        let flags = END_STREAM | END_HEADERS;
        let request = frame(HEADERS, flags, stream, &get(path));
        self.send(request).await.expect("an open connection");
    }

    /// The next frame; `None` at the end of the connection.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        let reading = read_frame(&mut self.0);
        let read = timeout(PATIENCE, reading).await;
        read.expect("the server ends or answers").ok()
    }

    /// The next frame of a type; `None` at the end of the connection.
    pub(crate) async fn next_of(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    /// Reads to the end of the connection; returns the error code of the `GOAWAY` before it, if one came.
    pub(crate) async fn until_end(mut self) -> Option<u32> {
        let mut code = None;
        while let Some(frame) = self.next().await {
            if frame.kind == GOAWAY {
                code = frame
                    .payload
                    .get(4..8)
                    .map(|bytes| u32::from_be_bytes(bytes.try_into().expect("four bytes")));
            }
        }
        code
    }
}

/// Sends `bytes` again and again, and reads what comes, until the server ends the connection; returns the bytes sent.
pub(crate) async fn flood(client: H2, bytes: &[u8]) -> u64 {
    let (mut reader, mut writer) = client.0.into_split();
    let drain = async {
        let mut buffer = vec![0; 64 * 1024];
        while matches!(reader.read(&mut buffer).await, Ok(length) if length > 0) {}
    };
    let mut sent = 0;
    let pour = async {
        while writer.write_all(bytes).await.is_ok() {
            sent += bytes.len() as u64;
        }
    };
    let flood = async { tokio::join!(drain, pour) };
    timeout(PATIENCE, flood)
        .await
        .expect("the server ends the flood");
    sent
}

async fn read_frame(tcp: &mut TcpStream) -> io::Result<Frame> {
    let mut head = [0; 9];
    tcp.read_exact(&mut head).await?;
    let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
    let mut payload = vec![0; length];
    tcp.read_exact(&mut payload).await?;
    Ok(Frame {
        kind: head[3],
        flags: head[4],
        stream: u32::from_be_bytes(head[5..].try_into().expect("four bytes")) & 0x7FFF_FFFF,
        payload,
    })
}
