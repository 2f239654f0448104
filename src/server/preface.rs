//! Which HTTP a connection speaks, found out under a deadline.
//!
//! The detection of `hyper_util` has no timer, so a silent client and one that stops inside the HTTP/2 preface would
//! stay for ever (seen 2026-11 with hyper-util 0.1.21). Here both are read first; hyper gets the bytes again.

use std::io::{Error, ErrorKind, Result};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// First bytes of an HTTP/2 connection (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Room for the first read: most request heads arrive whole in it.
const FIRST_READ: usize = 2048;

/// The first bytes of a connection and what they mean.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Opening {
    /// Everything read so far.
    pub(super) bytes: Bytes,
    /// Whether it is the whole HTTP/2 preface.
    pub(super) is_h2: bool,
}

/// Reads until a byte differs from the HTTP/2 preface or all of it is there. The caller sets the deadline.
///
/// # Errors
/// The connection ended or failed before that.
pub(super) async fn read_opening(stream: &mut (impl AsyncRead + Unpin)) -> Result<Opening> {
    let mut bytes = BytesMut::with_capacity(FIRST_READ);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(Error::from(ErrorKind::UnexpectedEof));
        }
        let is_h2 = bytes.starts_with(PREFACE);
        if is_h2 || !PREFACE.starts_with(&bytes) {
            let bytes = bytes.freeze();
            return Ok(Opening { bytes, is_h2 });
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::io::StreamReader;

    use super::*;

    /// The opening of a connection whose bytes come in these pieces.
    async fn opening_of(pieces: &[&'static [u8]]) -> Result<Opening> {
        let pieces = pieces.iter().map(|piece| Ok::<_, Error>(*piece));
        let mut stream = StreamReader::new(futures_util::stream::iter(pieces));
        read_opening(&mut stream).await
    }

    #[tokio::test]
    async fn first_byte_that_differs_decides_for_http1() {
        let opening = opening_of(&[b"PRI", b"NT / HTTP/1.1\r\n"]).await.unwrap();
        assert!(!opening.is_h2);
        assert_eq!(&opening.bytes[..], b"PRINT / HTTP/1.1\r\n");
    }

    #[tokio::test]
    async fn preface_in_pieces_is_http2_and_nothing_is_lost() {
        let opening = opening_of(&[b"P", b"RI * HTTP/2.0\r\n\r\nSM\r\n", b"\r\nrest"])
            .await
            .unwrap();
        assert!(opening.is_h2);
        assert_eq!(&opening.bytes[PREFACE.len()..], b"rest");
    }

    #[tokio::test]
    async fn end_inside_the_preface_is_an_error() {
        for pieces in [vec![], vec![&b"PRI * HT"[..]]] {
            let error = opening_of(&pieces).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        }
    }
}
