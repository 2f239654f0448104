//! Representations made here, in the shape of an upstream's answer: the engine that sends them gives them ranges, the
//! stall clock, permits and proven ends like all others.

use std::io;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures_util::Stream;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, TRANSFER_ENCODING};
use http::{Response, StatusCode};

use crate::net::{Body, MediaResponse, NetError, RangeAsk};
use crate::transfer::range::resolve_ask;

/// Bytes of a digest that go into a tag: enough never to meet the same twice.
const TAG_BYTES: usize = 16;
/// What stands for a host where the log names one.
const HOST: &str = "here";

/// What is known of a made representation before its bytes.
#[derive(Debug, Clone)]
pub(super) struct Made {
    /// Bytes; `None` when only making it tells.
    pub(super) total: Option<u64>,
    /// Entity tag, quotes included.
    pub(super) etag: String,
    /// `Content-Type`.
    pub(super) content_type: &'static str,
    /// Longest wait for a piece.
    pub(super) idle_timeout: Duration,
}

impl Made {
    /// Where an answer to `ask` begins; `None` when no byte is asked for.
    pub(super) fn start(&self, ask: RangeAsk) -> Option<u64> {
        match (self.total, ask) {
            (None, _) | (_, RangeAsk::Whole) => Some(0),
            (Some(total), ask) => Some(resolve_ask(ask, total).ok()??.start),
        }
    }

    /// The answer to `ask`, with a body that begins at [`Made::start`]. A body that ends with an error is broken off.
    ///
    /// # Errors
    /// [`NetError::Broken`] when the head can't be written, which its parts don't allow.
    pub(super) fn answer<S>(&self, ask: RangeAsk, body: S) -> Result<MediaResponse, NetError>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + 'static,
    {
        let head = Response::builder()
            .header(CONTENT_TYPE, self.content_type)
            .header(ETAG, &self.etag);
        let range = match self.total {
            None => None,
            Some(total) => {
                let ask = if ask == RangeAsk::Whole {
                    RangeAsk::From(0)
                } else {
                    ask
                };
                Some((resolve_ask(ask, total), total))
            }
        };
        let head = match range {
            // Its end is that of the stream, which fails unless all is there.
            None => head.header(TRANSFER_ENCODING, "chunked"),
            Some((Ok(Some(range)), total)) => head
                .status(StatusCode::PARTIAL_CONTENT)
                .header(CONTENT_LENGTH, range.end - range.start)
                .header(
                    CONTENT_RANGE,
                    format!("bytes {}-{}/{total}", range.start, range.end - 1),
                ),
            Some((_, total)) => head
                .status(StatusCode::RANGE_NOT_SATISFIABLE)
                .header(CONTENT_RANGE, format!("bytes */{total}")),
        };
        let response = head
            .body(Body::wrap_stream(body))
            .map_err(|error| broken(&error))?;
        Ok(MediaResponse::from_response(
            response,
            HOST.to_owned(),
            self.idle_timeout,
        ))
    }
}

/// A strong entity tag of a digest.
pub(super) fn tag(digest: &[u8]) -> String {
    let digest = &digest[..digest.len().min(TAG_BYTES)];
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(digest))
}

/// A fault of the making, in the words of the network.
pub(super) fn broken(error: &dyn std::error::Error) -> NetError {
    NetError::Broken {
        host: HOST.to_owned(),
        message: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    fn answer(total: Option<u64>, ask: RangeAsk) -> (u16, Vec<(String, String)>, Option<u64>) {
        let made = Made {
            total,
            etag: "\"a\"".to_owned(),
            content_type: "application/zip",
            idle_timeout: Duration::from_secs(1),
        };
        let response = made.answer(ask, stream::empty()).unwrap();
        let headers = response
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
        (
            response.status.as_u16(),
            headers.skip(2).collect(),
            made.start(ask),
        )
    }

    #[test]
    fn answer_of_known_length_is_partial() {
        let (status, headers, start) = answer(Some(10), RangeAsk::Between(2, 99));
        assert_eq!((status, start), (206, Some(2)));
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            headers,
            [
                pair("content-length", "8"),
                pair("content-range", "bytes 2-9/10")
            ]
        );
        let (status, headers, start) = answer(Some(10), RangeAsk::From(10));
        assert_eq!((status, start), (416, None));
        assert_eq!(headers, [pair("content-range", "bytes */10")]);
    }

    #[test]
    fn answer_of_unknown_length_is_chunked() {
        let (status, headers, start) = answer(None, RangeAsk::From(0));
        assert_eq!((status, start), (200, Some(0)));
        assert_eq!(
            headers,
            [("transfer-encoding".to_owned(), "chunked".to_owned())]
        );
    }
}
