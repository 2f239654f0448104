//! HTTP/1.1 for media: reads no more than its reader has room for.
//!
//! A general client runs each connection as a task of its own, which reads as much as its own buffer takes. With slow
//! readers that was up to a megabyte per transfer, and even with fast ones 50 KiB of buffers and channels that wait.
//! Here the reader polls the socket: nothing is read that was not asked for, a read is no larger than
//! [`Exchange::limit_read`] says, and a connection that waits holds no buffer. Heads are parsed by `httparse`.

mod connector;
mod exchange;
mod framing;
#[cfg(any(test, feature = "fuzz"))]
pub(super) mod fuzz;
mod head;
mod pool;

use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, HOST, PROXY_AUTHORIZATION};
use http::{HeaderMap, HeaderName, Method, Response};
use url::{Position, Url};

pub(super) use self::connector::through;
use self::connector::{Connector, ForwardProxy};
use self::exchange::{Answering, Connection};
pub(super) use self::exchange::{Exchange, Io};
use self::pool::Pool;
use super::failure::message;
use super::{ClientConfig, IpFamily, NetError};

/// Idle connections kept per host and of all hosts together, and for how long (reliability R4).
const IDLE_PER_HOST: usize = 32;
const IDLE_TOTAL: usize = 512;
const IDLE_TIME: Duration = Duration::from_secs(60);
/// Connections that turn out to be closed by the other side are replaced this often before a new one is made.
const REUSE_TRIES: usize = 2;

/// Sends requests for media.
pub(super) struct Wire {
    connector: Connector,
    pool: Arc<Pool>,
}

impl Wire {
    /// Dials addresses of `family` where a host has any.
    pub(super) fn new(config: &ClientConfig, family: Option<IpFamily>) -> Result<Self, NetError> {
        Ok(Self {
            connector: Connector::new(config, family)?,
            pool: Arc::new(Pool::default()),
        })
    }

    /// Sends `request` and waits for the head of its answer. A kept connection that the other side has closed meanwhile
    /// is replaced: the request is a GET or HEAD and may be sent again.
    pub(super) async fn send(
        &self,
        request: Outgoing<'_>,
    ) -> Result<(Response<()>, Exchange), NetError> {
        let url = request.url;
        let origin = &url[..Position::BeforePath];
        let head = request.head(self.connector.forward_proxy(url).as_ref());
        for _ in 0..REUSE_TRIES {
            let Some(connection) = self.pool.take(origin) else {
                break;
            };
            match connection.send(&head, &request.method).await {
                Ok(answer) => return Ok(self.exchange(answer, origin)),
                Err(error) => tracing::debug!(err = %error, "kept connection failed"),
            }
        }
        let connection = Connection::new(self.connector.connect(url).await?);
        match connection.send(&head, &request.method).await {
            Ok(answer) => Ok(self.exchange(answer, origin)),
            Err(error) => Err(NetError::Broken {
                host: url.host_str().unwrap_or_default().to_owned(),
                message: message(&error),
            }),
        }
    }

    /// Connects to the host of `url`, and hangs up.
    pub(super) async fn reach(&self, url: &Url) -> Result<(), NetError> {
        self.connector.connect(url).await.map(drop)
    }

    fn exchange(
        &self,
        (answer, answering): (Response<()>, Answering),
        origin: &str,
    ) -> (Response<()>, Exchange) {
        let exchange = Exchange::new(answering, Arc::clone(&self.pool), origin.to_owned());
        (answer, exchange)
    }
}

/// Why an answer or its rest didn't come.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    /// It breaks the rules of HTTP/1.1.
    #[error("{0}")]
    Malformed(&'static str),
    /// The connection ended too early.
    #[error("connection closed before the end")]
    Cut,
    /// The connection broke.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// A request for media: GET or HEAD, without a body.
pub(super) struct Outgoing<'a> {
    pub(super) method: Method,
    pub(super) url: &'a Url,
    pub(super) headers: HeaderMap,
}

impl Outgoing<'_> {
    /// The head as it goes out: origin form to the host itself, absolute form to a forward proxy, which also gets its
    /// credentials (RFC 9112 §3.2). Neither an address nor a field value can hold a line end, by their types.
    pub(super) fn head(&self, proxy: Option<&ForwardProxy>) -> Vec<u8> {
        let start = match proxy {
            Some(_) => Position::BeforeScheme,
            None => Position::BeforePath,
        };
        let mut head = Vec::with_capacity(1024);
        head.extend_from_slice(self.method.as_str().as_bytes());
        head.push(b' ');
        head.extend_from_slice(self.url[start..Position::AfterQuery].as_bytes());
        head.extend_from_slice(b" HTTP/1.1\r\n");
        for (name, value) in &self.headers {
            field(&mut head, name, value.as_bytes());
        }
        if !self.headers.contains_key(ACCEPT) {
            field(&mut head, &ACCEPT, b"*/*");
        }
        if let Some(credentials) = proxy.and_then(|proxy| proxy.credentials.as_ref()) {
            field(&mut head, &PROXY_AUTHORIZATION, credentials.as_bytes());
        }
        let host = &self.url[Position::BeforeHost..Position::AfterPort];
        field(&mut head, &HOST, host.as_bytes());
        head.extend_from_slice(b"\r\n");
        head
    }
}

fn field(head: &mut Vec<u8>, name: &HeaderName, value: &[u8]) {
    head.extend_from_slice(name.as_str().as_bytes());
    head.extend_from_slice(b": ");
    head.extend_from_slice(value);
    head.extend_from_slice(b"\r\n");
}
