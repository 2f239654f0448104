//! From an answer and its faults to the exact bytes and pauses of the wire.

use bytes::Bytes;

use super::answer::Reply;
use super::fault::Fault;
use super::gate::Gate;
use super::media::Payload;
use super::wire::Request;

/// White space of [`Fault::Blanks`].
const BLANKS: usize = 64 * 1024 * 1024;

/// How the end of the body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// By `Content-Length`.
    Length,
    /// By chunks.
    Chunked,
    /// By the end of the connection.
    Close,
}

/// What happens at a byte of the body.
#[derive(Debug, Clone)]
pub(super) enum Cut {
    /// RST.
    Reset,
    /// Close-notify and FIN.
    End,
    /// These raw bytes, then a clean end.
    Raw(&'static [u8]),
    /// The head of a chunk and a few of its bytes, then a clean end.
    HalfChunk,
    /// A pause.
    Pause(Gate),
}

/// What comes before the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    /// A status line and headers.
    Head,
    /// Bytes that are no HTTP, then the end.
    Garbage,
    /// The end at once.
    Close,
    /// RST at once.
    Reset,
}

/// Everything about one answer on the wire.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) reply: Reply,
    pub(super) opening: Opening,
    pub(super) hold: Option<Gate>,
    pub(super) preamble: &'static str,
    pub(super) framing: Framing,
    /// `Transfer-Encoding` besides that of the framing.
    coding: Option<&'static str>,
    /// Values of `Content-Length` in place of the true one.
    pub(super) lengths: Option<Vec<String>>,
    pub(super) cut: Option<(u64, Cut)>,
    pub(super) rate: Option<u64>,
    pub(super) is_head: bool,
    /// A suffix range was asked for.
    is_suffix: bool,
    pub(super) closes: bool,
}

impl Plan {
    /// A faultless answer.
    pub(super) fn new(request: &Request, reply: Reply) -> Self {
        let closes = request
            .header("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"));
        Self {
            reply,
            opening: Opening::Head,
            hold: None,
            preamble: "",
            framing: Framing::Length,
            coding: None,
            lengths: None,
            cut: None,
            rate: None,
            is_head: request.method == "HEAD",
            is_suffix: is_suffix(request),
            closes,
        }
    }

    /// Applies one fault.
    pub(super) fn apply(&mut self, fault: &Fault) {
        match fault {
            Fault::CloseBeforeHead => self.opening = Opening::Close,
            Fault::ResetBeforeHead => self.opening = Opening::Reset,
            Fault::GarbageHead => self.opening = Opening::Garbage,
            Fault::StallBeforeHead(gate) => self.hold = Some(gate.clone()),
            Fault::Informational => {
                self.preamble = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n\
                                 HTTP/1.1 100 Continue\r\n\r\n";
            }
            Fault::Rate(bytes_per_second) => self.rate = Some(*bytes_per_second),
            Fault::Reset { at } => self.cut = Some((*at, Cut::Reset)),
            Fault::Short { at } => self.cut = Some((*at, Cut::End)),
            Fault::Stall { at, gate } => self.cut = Some((*at, Cut::Pause(gate.clone()))),
            Fault::SuffixRefused(status) if self.is_suffix => {
                self.reply = Reply::html(*status, "no such range");
            }
            Fault::TailUnreachable { from } if *from < self.reply.range.end => {
                self.cut = Some((from.saturating_sub(self.reply.range.start), Cut::Reset));
            }
            fault => self.apply_to_framing(fault),
        }
    }

    fn apply_to_framing(&mut self, fault: &Fault) {
        let length = self.reply.len();
        match fault {
            Fault::HangUp => {
                self.reply.set("Connection", "close");
                self.closes = true;
            }
            Fault::ClaimedLength(claimed) => {
                self.lengths = Some(vec![claimed.to_string()]);
                self.closes = true;
            }
            Fault::TwoLengths => {
                self.lengths = Some(vec![length.to_string(), (length / 2).to_string()]);
            }
            Fault::NegativeLength => self.lengths = Some(vec!["-5".to_owned()]),
            Fault::LengthAndChunked => {
                self.lengths = Some(vec!["5".to_owned()]);
                self.framing = Framing::Chunked;
            }
            Fault::Chunked => self.framing = Framing::Chunked,
            Fault::ChunkedUnfinished { at } => self.end_chunked(*at, Cut::End),
            Fault::ChunkedHalf { at } => self.end_chunked(*at, Cut::HalfChunk),
            Fault::ChunkedBadSize { at } => self.end_chunked(*at, Cut::Raw(b"zzzz\r\n")),
            Fault::CloseDelimited => self.framing = Framing::Close,
            Fault::CloseDelimitedShort { at } => {
                self.framing = Framing::Close;
                self.cut = Some((*at, Cut::End));
            }
            Fault::CodedChunks => {
                self.framing = Framing::Chunked;
                self.coding = Some("gzip");
            }
            Fault::OtherCoding { coding, at } => {
                self.framing = Framing::Close;
                self.coding = Some(*coding);
                self.lengths = Some(vec![length.to_string()]);
                self.cut = Some((*at, Cut::End));
            }
            fault => self.apply_to_reply(fault),
        }
    }

    fn end_chunked(&mut self, at: u64, cut: Cut) {
        self.framing = Framing::Chunked;
        self.cut = Some((at, cut));
    }

    fn apply_to_reply(&mut self, fault: &Fault) {
        let reply = &mut self.reply;
        match fault {
            Fault::Status(status) => *reply = Reply::html(*status, "scripted status"),
            Fault::RetryAfter(seconds) => {
                *reply = Reply::html(429, "too many requests");
                reply.set("Retry-After", *seconds);
            }
            Fault::Redirect { status, to } => {
                *reply = Reply::html(*status, "moved");
                reply.set("Location", to.as_str());
            }
            Fault::HugeHeader(bytes) => reply.set("X-Huge", "h".repeat(*bytes)),
            Fault::ManyHeaders(count) => {
                (0..*count).for_each(|n| reply.set(&format!("X-Many-{n}"), "m"));
            }
            Fault::Html { content_type } => {
                *reply = Reply::html(200, "Access Denied");
                reply.set("Content-Type", *content_type);
            }
            Fault::Blanks(start) => {
                *reply = blanks(start);
                self.framing = Framing::Chunked;
            }
            Fault::Gzip => compress(reply),
            fault => self.apply_to_range(fault),
        }
    }

    fn apply_to_range(&mut self, fault: &Fault) {
        let reply = &mut self.reply;
        let total = reply.payload.len();
        match fault {
            Fault::ShiftedRange(by) if reply.status == 206 => {
                let start = (reply.range.start + *by).min(reply.range.end);
                reply.range.start = start;
                let last = reply.range.end.saturating_sub(1);
                reply.set("Content-Range", format!("bytes {start}-{last}/{total}"));
            }
            Fault::WrongTotal(wrong) if reply.status == 206 => {
                let (start, last) = (reply.range.start, reply.range.end.saturating_sub(1));
                reply.set("Content-Range", format!("bytes {start}-{last}/{wrong}"));
            }
            Fault::NoContentRange => {
                reply.headers.retain(|(name, _)| name != "Content-Range");
            }
            Fault::Unsatisfiable => {
                *reply = Reply::html(416, "range not satisfiable");
                reply.set("Content-Range", format!("bytes */{total}"));
            }
            // `IgnoreRange` and `Replaced` act before there is an answer; faults of a range or a tail that this answer
            // doesn't have do nothing.
            _ => {}
        }
    }

    /// The head as bytes.
    pub(super) fn head(&self) -> Vec<u8> {
        let status = self.reply.status;
        let mut head = format!("{}HTTP/1.1 {status} {}\r\n", self.preamble, reason(status));
        let mut line = |name: &str, value: &str| {
            head.push_str(name);
            head.push_str(": ");
            head.push_str(value);
            head.push_str("\r\n");
        };
        for (name, value) in &self.reply.headers {
            line(name, value);
        }
        match &self.lengths {
            Some(lengths) => lengths
                .iter()
                .for_each(|length| line("Content-Length", length)),
            None if self.framing == Framing::Length => {
                line("Content-Length", &self.reply.len().to_string());
            }
            None => {}
        }
        if let Some(coding) = self.coding {
            line("Transfer-Encoding", coding);
        }
        match self.framing {
            Framing::Chunked => line("Transfer-Encoding", "chunked"),
            Framing::Close => line("Connection", "close"),
            Framing::Length => {}
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// Whether the connection can serve another request afterwards.
    pub(super) fn keeps_alive(&self) -> bool {
        !self.closes && self.framing != Framing::Close
    }
}

/// Whether the last bytes are asked for by their number.
pub(super) fn is_suffix(request: &Request) -> bool {
    let range = request.header("range");
    range.is_some_and(|range| range.starts_with("bytes=-"))
}

fn blanks(start: &'static str) -> Reply {
    let block = Payload::Bytes(vec![b' '; BLANKS / 64].into());
    let start = Payload::Bytes(Bytes::from_static(start.as_bytes()));
    let body = std::iter::once(start).chain(std::iter::repeat_n(block, 64));
    let mut reply = Reply::new(200, Payload::parts(body));
    reply.set("Content-Type", "application/octet-stream");
    reply
}

fn compress(reply: &mut Reply) {
    use std::io::Write as _;
    let plain = reply.payload.slice(reply.range.clone());
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&plain).expect("writing to memory");
    let body: Bytes = encoder.finish().expect("writing to memory").into();
    reply.range = 0..body.len() as u64;
    reply.payload = Payload::Bytes(body);
    reply.set("Content-Encoding", "gzip");
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        403 => "Forbidden",
        404 => "Not Found",
        416 => "Range Not Satisfiable",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Scripted",
    }
}
