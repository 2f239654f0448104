//! Heads and bodies of answers, for [`crate::fuzz`].

use bytes::BytesMut;
use http::Method;

use super::framing::{Chunk, Framing, Step};
use super::head::{Head, HeadReader};

/// A head that comes byte by byte is read as one that comes at once.
pub(in crate::net) fn head(data: &[u8]) {
    let whole = read(data, data.len().max(1));
    let dripped = read(data, 1);
    let told = |head: Option<Head>| {
        head.map(|head| (head.answer.status(), head.framing.remaining(), head.is_kept))
    };
    assert_eq!(told(whole), told(dripped));
}

/// The head in `data`, which comes in pieces of `step` bytes.
fn read(data: &[u8], step: usize) -> Option<Head> {
    let mut reader = HeadReader::default();
    let mut buffer = BytesMut::new();
    for piece in data.chunks(step) {
        buffer.extend_from_slice(piece);
        match reader.take(&mut buffer, piece.len(), &Method::GET) {
            Ok(None) => {}
            Ok(head) => return head,
            Err(_refused) => return None,
        }
    }
    None
}

/// A body in chunks has the same content and the same end however its bytes arrive.
pub(in crate::net) fn chunks(data: &[u8]) {
    assert_eq!(content(data, data.len().max(1)), content(data, 1));
}

/// The content of a body that comes in pieces of `step` bytes, and whether its end was seen; `None` when it is refused.
fn content(data: &[u8], step: usize) -> Option<(Vec<u8>, bool)> {
    let mut framing = Framing::Chunked(Chunk::Size);
    let mut buffer = BytesMut::new();
    let mut content = Vec::new();
    for piece in data.chunks(step) {
        buffer.extend_from_slice(piece);
        loop {
            match framing.step(&mut buffer).ok()? {
                Step::Piece(piece) => content.extend_from_slice(&piece),
                Step::More => break,
                Step::End => return Some((content, true)),
            }
        }
    }
    Some((content, framing.finish().is_ok()))
}
