//! What pages answer, and what any answer is before faults are applied to it.

use std::io::Write as _;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde_json::{Value, json};

use super::gate::Gate;
use super::media::Payload;
use super::wire::Request;

/// An answer ready to be sent: head and the part of the payload that is its body.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    /// Status code.
    pub(crate) status: u16,
    /// Headers in order, without those that delimit the body.
    pub(crate) headers: Vec<(String, String)>,
    /// Where the body comes from.
    pub(crate) payload: Payload,
    /// Which bytes of the payload are the body.
    pub(crate) range: Range<u64>,
}

impl Reply {
    /// The whole payload under a status.
    pub(crate) fn new(status: u16, payload: Payload) -> Self {
        Self {
            status,
            headers: Vec::new(),
            range: 0..payload.len(),
            payload,
        }
    }

    /// A short HTML text, as error pages of CDNs are.
    pub(crate) fn html(status: u16, text: &str) -> Self {
        let body = format!("<!DOCTYPE html><html><body><h1>{text}</h1></body></html>");
        let mut reply = Self::new(status, Payload::Bytes(body.into()));
        reply.set("Content-Type", "text/html; charset=utf-8");
        reply
    }

    /// Sets a header, in place of one of the same name.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.headers
            .retain(|(key, _)| !key.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.into()));
    }

    /// Number of bytes in the body.
    pub(crate) fn len(&self) -> u64 {
        self.range.end - self.range.start
    }
}

/// A body with its compressed forms, each made once.
#[derive(Debug, Default)]
struct Body {
    plain: Bytes,
    gzip: OnceLock<Bytes>,
    brotli: OnceLock<Bytes>,
}

/// One scripted answer of a page.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// Status code.
    pub(crate) status: u16,
    /// Headers in order.
    pub(crate) headers: Vec<(String, String)>,
    body: Arc<Body>,
    is_compressible: bool,
    /// Nothing is sent before it opens.
    pub(crate) gate: Option<Gate>,
    /// Addresses that are good from now on.
    pub(crate) hands_out: Arc<[String]>,
    /// Value of the cookie that belongs to the addresses handed out.
    pub(crate) page_cookie: Option<String>,
    /// What the client did wrong; it fails the test as an unknown address does.
    pub(crate) complaint: Option<String>,
}

impl Answer {
    /// A body of any type under a status.
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        let plain = body.into();
        Self {
            status,
            headers: vec![("Content-Type".to_owned(), content_type.to_owned())],
            hands_out: addresses_in(&plain).into(),
            body: Arc::new(Body {
                plain,
                ..Body::default()
            }),
            is_compressible: true,
            gate: None,
            page_cookie: None,
            complaint: None,
        }
    }

    /// A page.
    pub(crate) fn html(body: impl Into<Bytes>) -> Self {
        Self::new(200, "text/html; charset=utf-8", body)
    }

    /// A JSON answer.
    pub(crate) fn json(body: &Value) -> Self {
        Self::new(200, "application/json; charset=utf-8", body.to_string())
    }

    /// A bare status with a line of HTML.
    pub(crate) fn status(status: u16) -> Self {
        let body = format!("<html><body>{status}</body></html>");
        Self::new(status, "text/html", body)
    }

    /// A redirect with the small body that short links have.
    pub(crate) fn redirect(status: u16, to: &str) -> Self {
        let body = format!("<a href=\"{to}\">Moved</a>.\n");
        Self::new(status, "text/html; charset=utf-8", body).header("Location", to)
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Says that the body is already in this encoding, whatever the client accepts.
    pub(crate) fn encoded(mut self, encoding: &str) -> Self {
        self.is_compressible = false;
        self.header("Content-Encoding", encoding)
    }

    /// Sends nothing before the gate opens.
    pub(crate) fn held_by(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// Binds the addresses of this answer to a cookie value.
    pub(crate) fn with_page_cookie(mut self, value: String) -> Self {
        self.page_cookie = Some(value);
        self
    }

    /// The answer to a request that no client in order would send.
    pub(crate) fn wrong(complaint: impl Into<String>) -> Self {
        let complaint = complaint.into();
        let error = json!({ "error": { "code": 400, "message": complaint } });
        Self {
            status: 400,
            complaint: Some(complaint),
            ..Self::json(&error)
        }
    }

    /// The answer in the best encoding that the client accepts.
    pub(crate) fn reply(&self, request: &Request) -> Reply {
        let accepted = request.header("accept-encoding").unwrap_or_default();
        let (encoding, body) = match () {
            () if !self.is_compressible || self.body.plain.is_empty() => (None, &self.body.plain),
            () if accepted.contains("br") => (Some("br"), self.body.brotli()),
            () if accepted.contains("gzip") => (Some("gzip"), self.body.gzip()),
            () => (None, &self.body.plain),
        };
        let mut reply = Reply::new(self.status, Payload::Bytes(body.clone()));
        reply.headers.clone_from(&self.headers);
        if let Some(encoding) = encoding {
            reply.set("Content-Encoding", encoding);
        }
        reply.set("Vary", "Accept-Encoding");
        reply
    }
}

impl Body {
    fn gzip(&self) -> &Bytes {
        self.gzip.get_or_init(|| {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&self.plain).expect("writing to memory");
            encoder.finish().expect("writing to memory").into()
        })
    }

    fn brotli(&self) -> &Bytes {
        self.brotli.get_or_init(|| {
            let mut compressed = Vec::new();
            let mut encoder = brotli::CompressorWriter::new(&mut compressed, 4096, 1, 20);
            encoder.write_all(&self.plain).expect("writing to memory");
            drop(encoder);
            compressed.into()
        })
    }
}

/// Every JSON string in a text that is an address, unescaped (`\u002F`, `\u0026`, `\/`).
pub(crate) fn addresses_in(text: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    let mut found: Vec<String> = text
        .match_indices("\"http")
        .filter_map(|(at, _)| json_string_at(&text[at..]))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn json_string_at(text: &str) -> Option<String> {
    let mut strings = serde_json::Deserializer::from_str(text).into_iter::<String>();
    strings.next()?.ok()
}
