//! What can go wrong upstream, as data, and which requests it happens to.

use super::gate::Gate;
use super::wire::Request;

/// One thing that goes wrong with an answer. Offsets called `at` count bytes of the body that is being sent.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Another status, with a line of HTML.
    Status(u16),
    /// 429 with this `Retry-After`.
    RetryAfter(&'static str),
    /// A redirect; `to` may be any address, or none at all.
    Redirect {
        /// 301, 302, 303, 307 or 308.
        status: u16,
        /// Text of `Location`.
        to: String,
    },
    /// The connection ends before the first byte of the answer.
    CloseBeforeHead,
    /// The connection is reset before the first byte of the answer.
    ResetBeforeHead,
    /// Bytes that are no HTTP.
    GarbageHead,
    /// The answer waits for the gate before its first byte.
    StallBeforeHead(Gate),
    /// A 103 and a 100 come first.
    Informational,
    /// A header of this many bytes.
    HugeHeader(usize),
    /// This many more headers.
    ManyHeaders(usize),
    /// RST after `at` bytes.
    Reset {
        /// Bytes sent before.
        at: u64,
    },
    /// A clean end (close-notify and FIN) after `at` bytes, short of the announced length.
    Short {
        /// Bytes sent before.
        at: u64,
    },
    /// `Content-Length` says this; the true bytes follow and the connection ends. Smaller than the body: too many
    /// bytes come.
    ClaimedLength(u64),
    /// Two `Content-Length` headers that differ.
    TwoLengths,
    /// `Content-Length: -5`.
    NegativeLength,
    /// Both `Content-Length: 5` and chunked; the chunks carry the whole body.
    LengthAndChunked,
    /// Well-formed chunks, no length.
    Chunked,
    /// Well-formed chunks up to `at`, then a clean end without the last chunk.
    ChunkedUnfinished {
        /// Bytes sent before.
        at: u64,
    },
    /// As before, but the last chunk sent is cut in its middle.
    ChunkedHalf {
        /// Bytes sent before.
        at: u64,
    },
    /// After `at` bytes a chunk size that is no number.
    ChunkedBadSize {
        /// Bytes sent before.
        at: u64,
    },
    /// The connection ends after the answer, which is whole and says so.
    HangUp,
    /// No length: the body ends with the connection, whole.
    CloseDelimited,
    /// No length, and the connection ends cleanly after `at` bytes: short, but nothing in the answer says so.
    CloseDelimitedShort {
        /// Bytes sent before.
        at: u64,
    },
    /// A `Transfer-Encoding` that doesn't end in `chunked`, beside the true length, and a clean end after `at` bytes: by
    /// RFC 9112 §6.3 the body then ends with the connection, so nothing in the answer says that it is short.
    OtherCoding {
        /// Text of `Transfer-Encoding`.
        coding: &'static str,
        /// Bytes sent before.
        at: u64,
    },
    /// Chunks of what calls itself gzip by a further `Transfer-Encoding`, with no length.
    CodedChunks,
    /// Nothing more after `at` bytes until the gate opens; then the rest.
    Stall {
        /// Bytes sent before.
        at: u64,
        /// Ends the stall.
        gate: Gate,
    },
    /// The body at this many bytes per second.
    Rate(u64),
    /// 200 with the whole file, whatever range is asked for.
    IgnoreRange,
    /// 200 with the whole file to a suffix range (`bytes=-n`); other ranges work.
    SuffixIgnored,
    /// This status to a suffix range, without a size; other ranges work.
    SuffixRefused(u16),
    /// A partial answer whose `Content-Range` starts this many bytes later than asked, bytes included.
    ShiftedRange(u64),
    /// `Content-Range` with this total instead of the true one.
    WrongTotal(u64),
    /// A partial answer without `Content-Range`.
    NoContentRange,
    /// 416 for every range.
    Unsatisfiable,
    /// The file has another `ETag`, and other bytes.
    Replaced {
        /// `ETag`, quotes included.
        etag: String,
        /// Seed of the new bytes; the length stays.
        seed: u64,
    },
    /// An HTML page in place of the file, under this type.
    Html {
        /// `Content-Type`.
        content_type: &'static str,
    },
    /// The beginning of a page in place of the file, and white space after it: 64 MiB in chunks, of no type
    /// in particular.
    Blanks(&'static str),
    /// The body compressed with gzip and marked so, although nobody asked for it.
    Gzip,
    /// Whatever lies at or after this offset of the file is never delivered: the connection is reset there.
    TailUnreachable {
        /// Absolute offset in the file.
        from: u64,
    },
}

impl Fault {
    /// Whether nothing of the scripted answer's body reaches the client.
    pub(super) fn hides_body(&self) -> bool {
        matches!(
            self,
            Self::Status(_)
                | Self::RetryAfter(_)
                | Self::Redirect { .. }
                | Self::Html { .. }
                | Self::Blanks(_)
                | Self::Unsatisfiable
                | Self::CloseBeforeHead
                | Self::ResetBeforeHead
                | Self::GarbageHead
        )
    }
}

/// Which requests a rule looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Scope {
    Address(String),
    Host(String),
    PathPrefix(String),
    Parameter(String, String),
}

/// A fault and the requests it happens to.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    scope: Scope,
    fault: Fault,
    first: u64,
    last: u64,
    from_offset: u64,
    part: Part,
    seen: u64,
}

/// Which of the two requests that open a transfer a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Any,
    /// The proof that the end can be reached.
    Tail,
    BesidesTail,
}

impl Rule {
    /// For one address, byte for byte.
    pub(crate) fn address(address: &str, fault: Fault) -> Self {
        Self::new(Scope::Address(address.to_owned()), fault)
    }

    /// For one host.
    pub(crate) fn host(host: &str, fault: Fault) -> Self {
        Self::new(Scope::Host(host.to_owned()), fault)
    }

    /// For every path that begins so, on any host.
    pub(crate) fn path_prefix(prefix: &str, fault: Fault) -> Self {
        Self::new(Scope::PathPrefix(prefix.to_owned()), fault)
    }

    /// For every address with this value of a parameter.
    pub(crate) fn parameter(name: &str, value: &str, fault: Fault) -> Self {
        Self::new(Scope::Parameter(name.to_owned(), value.to_owned()), fault)
    }

    fn new(scope: Scope, fault: Fault) -> Self {
        Self {
            scope,
            fault,
            first: 1,
            last: u64::MAX,
            from_offset: 0,
            part: Part::Any,
            seen: 0,
        }
    }

    /// Only the `n`-th request, counted from 1.
    pub(crate) fn nth(mut self, n: u64) -> Self {
        (self.first, self.last) = (n, n);
        self
    }

    /// Only the first `n` requests.
    pub(crate) fn first(mut self, n: u64) -> Self {
        (self.first, self.last) = (1, n);
        self
    }

    /// The `n`-th request and all later ones.
    pub(crate) fn since(mut self, n: u64) -> Self {
        (self.first, self.last) = (n, u64::MAX);
        self
    }

    /// Counts only requests whose range starts at `offset` or later.
    pub(crate) fn at_offset(mut self, offset: u64) -> Self {
        self.from_offset = offset;
        self
    }

    /// Counts only requests for the last byte alone.
    pub(crate) fn of_tail(mut self) -> Self {
        self.part = Part::Tail;
        self
    }

    /// Counts every request but those for the last byte alone.
    pub(crate) fn besides_tail(mut self) -> Self {
        self.part = Part::BesidesTail;
        self
    }

    /// Whether the other one is for the same requests.
    pub(super) fn is_for_same(&self, other: &Self) -> bool {
        self.scope == other.scope
    }

    /// Whether it is for the paths that begin so.
    pub(super) fn is_for_prefix(&self, prefix: &str) -> bool {
        self.scope == Scope::PathPrefix(prefix.to_owned())
    }

    /// Counts a request and returns the fault if it is this request's turn.
    pub(super) fn strike(&mut self, request: &Request) -> Option<Fault> {
        let is_meant = match &self.scope {
            Scope::Address(address) => *address == request.address,
            Scope::Host(host) => *host == request.host,
            Scope::PathPrefix(prefix) => request.target.starts_with(prefix),
            Scope::Parameter(name, value) => request.query(name) == Some(value),
        };
        let is_tail = request.header("range").is_some_and(is_of_tail);
        let is_part = match self.part {
            Part::Any => true,
            Part::Tail => is_tail,
            Part::BesidesTail => !is_tail,
        };
        if !is_meant || !is_part || range_start(request) < self.from_offset {
            return None;
        }
        self.seen += 1;
        (self.first..=self.last)
            .contains(&self.seen)
            .then(|| self.fault.clone())
    }
}

/// Whether a range is for the last byte: nothing else asks for one byte that isn't the first.
fn is_of_tail(range: &str) -> bool {
    let ends = range
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'));
    let (first, last) = ends.unwrap_or_default();
    match first {
        "" => last == "1",
        first => first == last && first != "0",
    }
}

fn range_start(request: &Request) -> u64 {
    request
        .header("range")
        .and_then(|range| range.strip_prefix("bytes="))
        .and_then(|range| range.split_once('-'))
        .and_then(|(first, _)| first.parse().ok())
        .unwrap_or(0)
}

/// What goes wrong before there is any HTTP, for one host.
#[derive(Debug, Clone)]
pub(crate) enum TunnelFault {
    /// No fault: the proxy connects to this address, and passes on what is said.
    Through(std::net::SocketAddr),
    /// The proxy answers CONNECT with this status.
    Refused(u16),
    /// The tunnel closes at once.
    Closed,
    /// The TLS handshake is never answered until the gate opens, then the tunnel closes.
    Silent(Gate),
    /// The certificate is for another name.
    WrongName,
    /// The certificate's time is over.
    Expired,
    /// The certificate is signed by somebody else.
    UnknownCa,
}
