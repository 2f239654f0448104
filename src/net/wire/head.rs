//! The head of an answer (RFC 9112 §4, §5, §6.3).
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use bytes::{Buf, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use super::WireError;
use super::framing::{Chunk, Framing};

/// Bytes of a head, and its fields.
const MAX_HEAD: usize = 64 * 1024;
const MAX_FIELDS: usize = 100;

/// An answer without its body.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) answer: Response<()>,
    pub(super) framing: Framing,
    /// Whether another request may follow on the connection once the body has been read.
    pub(super) is_kept: bool,
}

/// The head of an answer while it comes in.
///
/// It is looked at with the first bytes, and then only when a line has ended: a peer that sends byte by byte makes no
/// more work than one that sends all at once. Interim answers count towards the limit of bytes.
#[derive(Debug, Default)]
pub(super) struct HeadReader {
    read: usize,
}

impl HeadReader {
    /// Takes the head off the front of `buffer`, whose last `new` bytes have just come; `None` while it is not whole.
    pub(super) fn take(
        &mut self,
        buffer: &mut BytesMut,
        new: usize,
        method: &Method,
    ) -> Result<Option<Head>, WireError> {
        let is_first = self.read == 0;
        self.read = self.read.saturating_add(new);
        let arrived = buffer.get(buffer.len().saturating_sub(new)..);
        if is_first || arrived.is_some_and(|arrived| memchr::memchr(b'\n', arrived).is_some()) {
            let head = take_head(buffer, method)?;
            if head.is_some() {
                return Ok(head);
            }
        }
        if self.read >= MAX_HEAD {
            return Err(WireError::Malformed("head too long"));
        }
        Ok(None)
    }
}

/// Takes the head of the answer to a request with `method` off the front of `buffer`; `None` while it is not whole.
/// Interim answers are skipped (RFC 9110 §15.2).
fn take_head(buffer: &mut BytesMut, method: &Method) -> Result<Option<Head>, WireError> {
    loop {
        let Some((answer, is_11)) = take_one(buffer)? else {
            return Ok(None);
        };
        match answer.status().as_u16() {
            // Nobody asked to switch.
            101 => return Err(WireError::Malformed("switched protocols")),
            100..=199 => {}
            _ => return judge(answer, method, is_11).map(Some),
        }
    }
}

/// One head and whether it is of HTTP/1.1.
fn take_one(buffer: &mut BytesMut) -> Result<Option<(Response<()>, bool)>, WireError> {
    skip_empty_lines(buffer);
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut parsed = httparse::Response::new(&mut fields);
    let length = match parsed.parse(buffer) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(WireError::Malformed("head too long"));
        }
        Err(_) => return Err(WireError::Malformed("no HTTP/1.1")),
    };
    let bad = |_| WireError::Malformed("bad field");
    let mut answer = Response::new(());
    let status = parsed.code.unwrap_or_default();
    *answer.status_mut() =
        StatusCode::from_u16(status).map_err(|_| WireError::Malformed("bad status"))?;
    for field in parsed.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes())
            .map_err(|_| WireError::Malformed("bad field"))?;
        let value = HeaderValue::from_bytes(field.value).map_err(bad)?;
        answer.headers_mut().append(name, value);
    }
    let is_11 = parsed.version == Some(1);
    buffer.advance(length);
    Ok(Some((answer, is_11)))
}

/// Takes line ends off the front, which may stand before a status line: else each look would pass over them again.
fn skip_empty_lines(buffer: &mut BytesMut) {
    loop {
        match &buffer[..] {
            [b'\n', ..] => buffer.advance(1),
            [b'\r', b'\n', ..] => buffer.advance(2),
            _ => return,
        }
    }
}

fn judge(answer: Response<()>, method: &Method, is_11: bool) -> Result<Head, WireError> {
    let headers = answer.headers();
    let is_closing = has_word(headers, &CONNECTION, "close");
    let is_coded = headers.contains_key(TRANSFER_ENCODING);
    let length = content_length(headers)?;
    let status = answer.status();
    let framing = if *method == Method::HEAD
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
    {
        Framing::Done
    } else if is_coded {
        coded(headers, is_11)?
    } else {
        length.map_or(Framing::Close, Framing::of_length)
    };
    Ok(Head {
        // With both, one of them lies.
        is_kept: is_11
            && !is_closing
            && framing != Framing::Close
            && !(is_coded && length.is_some()),
        answer,
        framing,
    })
}

/// The end of a body that has a transfer coding: known only if the last coding is `chunked`. With any other before it the
/// chunks hold coded bytes, which nobody asked for (there was no `TE`).
fn coded(headers: &HeaderMap, is_11: bool) -> Result<Framing, WireError> {
    if !is_11 {
        return Err(WireError::Malformed("transfer coding in HTTP/1.0"));
    }
    let values = headers.get_all(TRANSFER_ENCODING).iter();
    let codings: Vec<&[u8]> = values
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .collect();
    match codings.split_last() {
        Some((last, before)) if last.eq_ignore_ascii_case(b"chunked") => {
            if before.iter().all(|coding| coding.is_empty()) {
                Ok(Framing::Chunked(Chunk::Size))
            } else {
                Err(WireError::Malformed(
                    "transfer coding that was not asked for",
                ))
            }
        }
        _ => Ok(Framing::Close),
    }
}

/// The one length that all values agree on (RFC 9110 §8.6).
fn content_length(headers: &HeaderMap) -> Result<Option<u64>, WireError> {
    let bad = WireError::Malformed("bad content length");
    let mut length = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        for text in value.as_bytes().split(|byte| *byte == b',') {
            let text = text.trim_ascii();
            if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
                return Err(bad);
            }
            let text = std::str::from_utf8(text).unwrap_or_default();
            let Ok(one) = text.parse::<u64>() else {
                return Err(bad);
            };
            if *length.get_or_insert(one) != one {
                return Err(bad);
            }
        }
    }
    Ok(length)
}

fn has_word(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter();
    values
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .any(|one| one.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn head_of(text: &str, method: &Method) -> Result<Option<Head>, WireError> {
        take_head(&mut BytesMut::from(text.as_bytes()), method)
    }

    fn framing(fields: &str) -> Result<(Framing, bool), WireError> {
        let text = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        head_of(&text, &Method::GET).map(|head| {
            let head = head.unwrap();
            (head.framing, head.is_kept)
        })
    }

    #[test]
    fn head_says_where_the_body_ends_and_whether_more_may_follow() {
        let chunked = Framing::Chunked(Chunk::Size);
        let cases = [
            ("Content-Length: 7\r\n", (Framing::Length(7), true)),
            (
                "Content-Length: 7, 7\r\ncontent-length: 7\r\n",
                (Framing::Length(7), true),
            ),
            (
                "Content-Length: 0\r\nConnection: x, Close\r\n",
                (Framing::Done, false),
            ),
            ("", (Framing::Close, false)),
            ("Transfer-Encoding: chunked\r\n", (chunked, true)),
            ("Transfer-Encoding: , Chunked\r\n", (chunked, true)),
            (
                "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
                (chunked, false),
            ),
            (
                "Transfer-Encoding: chunked, gzip\r\n",
                (Framing::Close, false),
            ),
            ("Transfer-Encoding: identity\r\n", (Framing::Close, false)),
        ];
        for (fields, expected) in cases {
            assert_eq!(framing(fields).unwrap(), expected, "{fields}");
        }
    }

    #[test]
    fn head_that_contradicts_itself_or_is_none_is_refused() {
        for length in [
            "1\r\nContent-Length: 2",
            "1, 2",
            "-1",
            "+1",
            "",
            "1 1",
            "18446744073709551616",
            "x",
        ] {
            assert!(
                framing(&format!("Content-Length: {length}\r\n")).is_err(),
                "{length}"
            );
        }
        let bad = [
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 101 Switching\r\n\r\n",
            "HTTP/1.1 200 OK\r\na b: c\r\n\r\n",
            "HTTP/1.1 999999 OK\r\n\r\n",
            "HTTP/2 200\r\n\r\n",
            "<html>",
        ];
        for text in bad {
            assert!(head_of(text, &Method::GET).is_err(), "{text}");
        }
        for codings in [
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked, chunked\r\n",
        ] {
            assert!(framing(codings).is_err(), "{codings}");
        }
        let many = "a: b\r\n".repeat(MAX_FIELDS + 1);
        assert!(framing(&many).is_err());
        let long = format!("HTTP/1.1 200 OK\r\na: {}", "x".repeat(MAX_HEAD));
        assert!(arriving([long.as_bytes()]).is_err());
    }

    /// What a reader makes of bytes that arrive in these pieces.
    fn arriving<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<Head>, WireError> {
        let (mut reader, mut buffer) = (HeadReader::default(), BytesMut::new());
        for piece in pieces {
            buffer.extend_from_slice(piece);
            let head = reader.take(&mut buffer, piece.len(), &Method::GET)?;
            if head.is_some() {
                return Ok(head);
            }
        }
        Ok(None)
    }

    #[test]
    fn head_that_drips_in_is_looked_at_when_a_line_ends() {
        let text = "HTTP/1.1 200 OK\r\na: 1\r\n\r\n";
        let head = arriving(text.as_bytes().chunks(1)).unwrap().unwrap();
        assert_eq!(head.answer.headers()["a"], "1");
        // A blank in a name is a fault, and is seen only with the end of its line.
        let unended = "HTTP/1.1 200 OK\r\na b: 1";
        assert!(arriving(unended.as_bytes().chunks(1)).unwrap().is_none());
        let ended = format!("{unended}\n");
        assert!(arriving(ended.as_bytes().chunks(1)).is_err());
        // What is no HTTP from its first bytes on is not waited for.
        assert!(arriving([&b"<html>"[..]]).is_err());
    }

    #[test]
    fn head_is_bounded_with_all_that_stands_before_it() {
        let empty = "\r\n".repeat(MAX_HEAD / 2);
        assert!(arriving(empty.as_bytes().chunks(1)).is_err());
        let interim = "HTTP/1.1 103 Early\r\n\r\n";
        let many = interim.repeat(MAX_HEAD / interim.len() + 1);
        assert!(arriving(many.as_bytes().chunks(interim.len())).is_err());
        let some = format!("\r\n\n{}HTTP/1.1 204 No\r\n\r\n", interim.repeat(3));
        assert!(arriving(some.as_bytes().chunks(7)).unwrap().is_some());
    }

    #[test]
    fn head_without_a_body_by_method_or_status_has_none() {
        let length = "Content-Length: 7\r\n\r\n";
        let ok = format!("HTTP/1.1 200 OK\r\n{length}");
        assert_eq!(
            head_of(&ok, &Method::HEAD).unwrap().unwrap().framing,
            Framing::Done
        );
        for status in ["204 No Content", "304 Not Modified"] {
            let text = format!("HTTP/1.1 {status}\r\n{length}");
            assert_eq!(
                head_of(&text, &Method::GET).unwrap().unwrap().framing,
                Framing::Done
            );
        }
    }

    #[test]
    fn head_interim_answers_are_skipped_and_the_body_is_left() {
        let text =
            "HTTP/1.1 103 Early\r\nlink: x\r\n\r\nHTTP/1.0 200 OK\r\na: 1\r\nA: 2\r\n\r\nbody";
        let mut buffer = BytesMut::new();
        let mut head = None;
        for byte in text.bytes() {
            if head.is_some() {
                buffer.extend_from_slice(&[byte]);
                continue;
            }
            buffer.extend_from_slice(&[byte]);
            head = take_head(&mut buffer, &Method::GET).unwrap();
        }
        let head = head.unwrap();
        let values: Vec<_> = head.answer.headers().get_all("a").iter().collect();
        assert_eq!(values, ["1", "2"]);
        assert_eq!((head.framing, head.is_kept), (Framing::Close, false));
        assert_eq!(buffer, "body");
    }

    proptest! {
        #[test]
        fn head_of_any_bytes_never_panics(bytes: Vec<u8>) {
            let _ = take_head(&mut BytesMut::from(&bytes[..]), &Method::GET);
            let mut text = b"HTTP/1.1 200 OK\r\n".to_vec();
            text.extend_from_slice(&bytes);
            let _ = take_head(&mut BytesMut::from(&text[..]), &Method::GET);
        }
    }
}
