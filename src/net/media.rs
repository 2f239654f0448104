//! Requests for media bytes, and their answers as they come off the connection.

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, COOKIE, HOST, RANGE,
    TRANSFER_ENCODING,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body::{Body, Frame};
use tokio::time::{Instant, Sleep, sleep_until};
use url::Url;

use super::failure::message;
use super::wire::{Exchange, Outgoing};
use super::{HostList, Jar, NetError, Phase};

type BoxError = Box<dyn Error + Send + Sync>;

/// Headers that this room decides; a session that brings one is not followed.
const OWN_HEADERS: [HeaderName; 7] = [
    ACCEPT_ENCODING,
    CONNECTION,
    CONTENT_LENGTH,
    COOKIE,
    HOST,
    RANGE,
    TRANSFER_ENCODING,
];

/// Which bytes are asked for; becomes the `Range` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeAsk {
    /// No `Range` header.
    Whole,
    /// `bytes=a-`.
    From(u64),
    /// `bytes=a-b`, both inclusive as in the header.
    Between(u64, u64),
    /// `bytes=-n`.
    Suffix(u64),
}

impl RangeAsk {
    fn header(self) -> Option<HeaderValue> {
        let text = match self {
            Self::Whole => return None,
            Self::From(start) => format!("bytes={start}-"),
            Self::Between(first, last) => format!("bytes={first}-{last}"),
            Self::Suffix(length) => format!("bytes=-{length}"),
        };
        HeaderValue::try_from(text).ok()
    }
}

/// A request for media bytes.
pub struct MediaRequest<'a> {
    /// GET or HEAD.
    pub method: Method,
    /// Address as the site gave it, sent byte for byte.
    pub url: &'a str,
    /// Bytes asked for.
    pub range: RangeAsk,
    /// Headers of the session (`user-agent`, `referer`, …).
    pub headers: &'a [(String, String)],
    /// Cookies; only those whose domain fits are sent.
    pub jar: &'a Jar,
    /// Hosts that may be asked, redirects included.
    pub hosts: &'a HostList,
}

impl MediaRequest<'_> {
    /// The request to `url`, one hop of it.
    pub(super) fn to_upstream<'a>(&self, url: &'a Url) -> Outgoing<'a> {
        let mut headers = HeaderMap::new();
        for (name, value) in self.headers {
            append(&mut headers, name, value);
        }
        // Ranges and lengths are those of the file only when nothing is encoded (reliability R1.4).
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(range) = self.range.header() {
            headers.insert(RANGE, range);
        }
        if let Some(cookies) = self.jar.header(url) {
            headers.insert(COOKIE, cookies);
        }
        Outgoing {
            method: self.method.clone(),
            url,
            headers,
        }
    }
}

// The address holds a signature, so it is not shown.
impl fmt::Debug for MediaRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaRequest")
            .field("method", &self.method)
            .field("range", &self.range)
            .finish_non_exhaustive()
    }
}

/// Adds a header of a session. Sessions come back from caches, so one that is no header is left out.
fn append(headers: &mut HeaderMap, name: &str, value: &str) {
    let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) else {
        return;
    };
    if !OWN_HEADERS.contains(&name) {
        headers.append(name, value);
    }
}

/// How long a body may bring nothing. One timer serves a whole body: it is made at the first wait and moved at each
/// further one, and a piece that is there already needs none.
struct Idle {
    timeout: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Idle {
    fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            timer: None,
        }
    }

    /// Waiting begins.
    fn arm(&mut self) {
        let end = Instant::now() + self.timeout;
        match &mut self.timer {
            Some(timer) => timer.as_mut().reset(end),
            None => self.timer = Some(Box::pin(sleep_until(end))),
        }
    }

    /// Ready when the wait has been too long.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.timer {
            Some(timer) => timer.as_mut().poll(context),
            None => Poll::Pending,
        }
    }
}

/// The head of a media answer, and its bytes to come. Dropping it closes the connection unless all has been read.
pub struct MediaResponse {
    /// Status of the last hop.
    pub status: StatusCode,
    /// Headers of the last hop.
    pub headers: HeaderMap,
    /// Host of the last hop, for the log.
    pub host: String,
    body: Source,
    idle: Idle,
}

/// Where the bytes come from.
enum Source {
    /// A connection.
    Wire(Box<Exchange>),
    /// They are there already.
    Made(reqwest::Body),
}

impl Source {
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BoxError>>> {
        match self {
            Self::Wire(exchange) => {
                let piece = ready!(exchange.poll_piece(context));
                Poll::Ready(piece.map(|piece| piece.map_err(BoxError::from)))
            }
            Self::Made(body) => loop {
                let Some(frame) = ready!(Pin::new(&mut *body).poll_frame(context)) else {
                    return Poll::Ready(None);
                };
                match frame.map(Frame::into_data) {
                    Ok(Ok(piece)) => return Poll::Ready(Some(Ok(piece))),
                    Ok(Err(_trailers)) => {}
                    Err(error) => return Poll::Ready(Some(Err(error.into()))),
                }
            },
        }
    }
}

impl MediaResponse {
    /// An answer that is already there, as from a cache or in tests; `idle_timeout` is the longest wait for a piece.
    pub fn from_response(
        response: http::Response<reqwest::Body>,
        host: String,
        idle_timeout: Duration,
    ) -> Self {
        let (parts, body) = response.into_parts();
        Self {
            status: parts.status,
            headers: parts.headers,
            host,
            body: Source::Made(body),
            idle: Idle::new(idle_timeout),
        }
    }

    pub(super) fn new(
        head: http::Response<()>,
        body: Exchange,
        host: String,
        idle_timeout: Duration,
    ) -> Self {
        let (parts, ()) = head.into_parts();
        Self {
            status: parts.status,
            headers: parts.headers,
            host,
            body: Source::Wire(Box::new(body)),
            idle: Idle::new(idle_timeout),
        }
    }

    /// Most bytes of one read from now on, and so of one piece: what the reader has room for.
    pub fn limit_read(&mut self, bytes: usize) {
        if let Source::Wire(exchange) = &mut self.body {
            exchange.limit_read(bytes);
        }
    }

    /// Longest wait for a piece.
    pub fn idle_timeout(&self) -> Duration {
        self.idle.timeout
    }

    /// The error of a body that takes too long.
    pub fn stalled(&self) -> NetError {
        NetError::Timeout {
            host: self.host.clone(),
            phase: Phase::Body,
        }
    }

    /// The next piece as it came off the connection; `None` at the end of the body. With a `Content-Length` or
    /// chunked coding the end is proven: a body that breaks off is an error. A body that ends with its connection
    /// can't be told from a broken one; whoever reads it counts.
    ///
    /// # Errors
    /// The body broke off, or nothing came for the idle time-out.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, NetError> {
        let (body, idle) = (&mut self.body, &mut self.idle);
        let mut is_first = true;
        let polled = poll_fn(|context| {
            let polled = body.poll_piece(context).map(Some);
            if polled.is_ready() {
                return polled;
            }
            if std::mem::take(&mut is_first) {
                idle.arm();
            }
            idle.poll(context).map(|()| None)
        });
        match polled.await {
            Some(piece) => piece.transpose().map_err(|error| NetError::Broken {
                host: self.host.clone(),
                message: message(&*error),
            }),
            None => Err(self.stalled()),
        }
    }

    /// Refuses a file that comes encoded although it was asked for as it is. Error answers may: nobody reads them.
    pub(super) fn refuse_encoding(self) -> Result<Self, NetError> {
        let is_plain = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
        if !self.status.is_success() || self.headers.get_all(CONTENT_ENCODING).iter().all(is_plain)
        {
            return Ok(self);
        }
        Err(NetError::Broken {
            host: self.host,
            message: "media with a content encoding".to_owned(),
        })
    }
}

impl fmt::Debug for MediaResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaResponse")
            .field("status", &self.status)
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Addresses as sites give them; each must reach the wire as it is.
    const OPAQUE: [&str; 4] = [
        "https://v16-webapp-prime.tiktok.com/video/tos/a/?a=1988&bti=x==&&bt=10&ds=%7C|&tk=tt_chain_token",
        "https://v77.tiktokcdn-eu.com/0A1b/65aB/video/tos/x/?l=2026&cs=0%7C0%7C0&btag=e000b%2fA%2B+*!~",
        "https://p16-sign-va.tiktokcdn.com/tos-maliva/o~tplv-photomode-image.jpeg?x-signature=a%2Fb%3D&x-expires=1",
        "https://a.example/?q={}[]^`\\@:;,$'()*=%zz%&=&",
    ];

    #[test]
    fn media_address_is_sent_byte_for_byte() {
        for text in OPAQUE {
            let url = Url::parse(text).unwrap();
            let request = MediaRequest {
                method: Method::GET,
                url: text,
                range: RangeAsk::Whole,
                headers: &[],
                jar: &Jar::new(None),
                hosts: &HostList::default(),
            };
            let head = String::from_utf8(request.to_upstream(&url).head(None)).unwrap();
            let path = head.strip_prefix("GET ").unwrap().split(" HTTP").next();
            // The one character that the URL standard encodes in a query, and a quote is never in an address.
            let origin = &url[..url::Position::BeforePath];
            let address = format!("{origin}{}", path.unwrap());
            assert_eq!(address, text.replace('\'', "%27"));
        }
    }

    #[test]
    fn media_session_may_not_set_our_own_headers() {
        let url = Url::parse("https://a.example/").unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let session = [
            pair("user-agent", "ua"),
            pair("Range", "bytes=9-"),
            pair("host", "evil.example"),
            pair("accept-encoding", "gzip"),
            pair("cookie", "a=b"),
            pair("bad name", "x"),
            pair("x-bad", "a\r\nb: c"),
            pair("referer", "https://a.example/"),
        ];
        let request = MediaRequest {
            method: Method::GET,
            url: url.as_str(),
            range: RangeAsk::Between(0, 99),
            headers: &session,
            jar: &Jar::new(None),
            hosts: &HostList::default(),
        };
        let sent = request.to_upstream(&url);
        let sent: Vec<(&str, &str)> = sent
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        let expected = [
            ("user-agent", "ua"),
            ("referer", "https://a.example/"),
            ("accept-encoding", "identity"),
            ("range", "bytes=0-99"),
        ];
        assert_eq!(sent, expected);
    }

    #[test]
    fn range_ask_becomes_the_header() {
        let header = |ask: RangeAsk| ask.header().map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(header(RangeAsk::Whole), None);
        assert_eq!(header(RangeAsk::From(7)).as_deref(), Some("bytes=7-"));
        assert_eq!(
            header(RangeAsk::Between(0, 0)).as_deref(),
            Some("bytes=0-0")
        );
        assert_eq!(header(RangeAsk::Suffix(5)).as_deref(), Some("bytes=-5"));
    }

    #[tokio::test]
    async fn media_made_answer_gives_its_head_and_pieces() {
        let response = http::Response::builder()
            .status(206)
            .header("etag", "\"x\"")
            .body("abc".into())
            .unwrap();
        let mut media =
            MediaResponse::from_response(response, "a.example".into(), Duration::from_secs(1));
        assert_eq!((media.status.as_u16(), media.headers.len()), (206, 1));
        assert_eq!(media.chunk().await.unwrap().unwrap(), "abc");
        assert_eq!(media.chunk().await.unwrap(), None);
    }

    #[tokio::test]
    async fn media_piece_that_is_there_needs_no_timer() {
        let response = http::Response::new("abc".into());
        let mut media =
            MediaResponse::from_response(response, "a.example".into(), Duration::from_secs(1));
        assert_eq!(media.chunk().await.unwrap().unwrap(), "abc");
        assert!(media.idle.timer.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn media_timer_is_one_for_all_pieces_and_begins_anew_with_each() {
        const PAUSE: Duration = Duration::from_secs(20);
        let pieces = futures_util::stream::unfold(0_u8, async |count| {
            if count == 5 {
                return std::future::pending().await;
            }
            tokio::time::sleep(PAUSE).await;
            Some((Ok::<_, std::io::Error>(Bytes::from(vec![count])), count + 1))
        });
        let mut media = MediaResponse::from_response(
            http::Response::new(reqwest::Body::wrap_stream(pieces)),
            "a.example".into(),
            Duration::from_secs(30),
        );
        let timer = |media: &MediaResponse| media.idle.timer.as_deref().map(std::ptr::from_ref);
        media.chunk().await.unwrap().unwrap();
        let first = timer(&media);
        assert!(first.is_some());
        for _ in 1..5 {
            media.chunk().await.unwrap().unwrap();
            assert_eq!(timer(&media), first);
            // Time between the pieces asked for is not the upstream's.
            tokio::time::sleep(Duration::from_secs(100)).await;
        }
        let start = Instant::now();
        media.chunk().await.unwrap_err();
        assert_eq!(start.elapsed().as_secs(), 30);
    }

    #[tokio::test]
    async fn media_silent_body_times_out() {
        let silent = reqwest::Body::wrap_stream(futures_util::stream::pending::<
            Result<Bytes, std::io::Error>,
        >());
        let mut media = MediaResponse::from_response(
            http::Response::new(silent),
            "a.example".into(),
            Duration::from_millis(5),
        );
        let error = media.chunk().await.unwrap_err();
        assert!(
            matches!(
                error,
                NetError::Timeout {
                    phase: Phase::Body,
                    ..
                }
            ),
            "{error}"
        );
    }
}
