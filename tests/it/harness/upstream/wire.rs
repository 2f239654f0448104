//! HTTP/1.1 as bytes: heads are parsed by `httparse`, everything else is written by hand so that faults are exact.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// Largest request head that is read.
const MAX_HEAD: usize = 64 * 1024;
/// Largest request body that is read.
const MAX_BODY: usize = 1024 * 1024;

/// A request as it came off the connection.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Method, upper case as sent.
    pub(crate) method: String,
    /// Scheme, host and target, byte for byte: what a page would have handed out.
    pub(crate) address: String,
    /// Host name without port.
    pub(crate) host: String,
    /// Path and query, byte for byte.
    pub(crate) target: String,
    /// Headers in order, names as sent.
    pub(crate) headers: Vec<(String, String)>,
    /// Body.
    pub(crate) body: Bytes,
}

impl Request {
    /// The first header of this name, without regard to case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        find_header(&self.headers, name)
    }

    /// The value of a cookie.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        let cookies = self.header("cookie")?;
        cookies
            .split("; ")
            .filter_map(|pair| pair.split_once('='))
            .find_map(|(key, value)| (key == name).then_some(value))
    }

    /// The path without query.
    pub(crate) fn path(&self) -> &str {
        self.target
            .split_once('?')
            .map_or(&self.target, |(path, _)| path)
    }

    /// The raw value of a query parameter.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find_map(|(key, value)| (key == name).then_some(value))
    }
}

/// The first header of this name in a list, without regard to case.
pub(crate) fn find_header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value.as_str()))
}

/// The request line and headers, before it is known what they are about.
pub(crate) struct Head {
    /// Method.
    pub(crate) method: String,
    /// Target of the request line: origin form, absolute form or authority form.
    pub(crate) target: String,
    /// Headers in order.
    pub(crate) headers: Vec<(String, String)>,
}

/// A client's connection, in the clear or inside a tunnel.
pub(crate) enum Socket {
    /// Plain TCP.
    Plain(TcpStream),
    /// TLS that we terminate.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    /// Makes the next close send RST instead of FIN.
    pub(crate) fn reset_on_close(&self) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.set_zero_linger(),
            Self::Tls(tls) => tls.get_ref().0.set_zero_linger(),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Self::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Self::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

/// A connection with what was read ahead.
pub(crate) struct Wire {
    /// The connection.
    pub(crate) socket: Socket,
    ahead: BytesMut,
}

impl Wire {
    /// A connection of which nothing has been read.
    pub(crate) fn new(socket: Socket) -> Self {
        Self {
            socket,
            ahead: BytesMut::new(),
        }
    }

    /// Reads one request head; `None` when the client closed between requests.
    pub(crate) async fn read_head(&mut self) -> io::Result<Option<Head>> {
        loop {
            if let Some((head, length)) = parse_head(&self.ahead)? {
                let _ = self.ahead.split_to(length);
                return Ok(Some(head));
            }
            if self.ahead.len() > MAX_HEAD {
                return Err(io::Error::other("request head too large"));
            }
            if self.socket.read_buf(&mut self.ahead).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Reads the body that the headers announce.
    pub(crate) async fn read_body(&mut self, headers: &[(String, String)]) -> io::Result<Bytes> {
        if find_header(headers, "transfer-encoding").is_some() {
            return Err(io::Error::other("chunked request bodies are not expected"));
        }
        let Some(length) = find_header(headers, "content-length") else {
            return Ok(Bytes::new());
        };
        let length: usize = length.parse().map_err(io::Error::other)?;
        if length > MAX_BODY {
            return Err(io::Error::other("request body too large"));
        }
        while self.ahead.len() < length {
            if self.socket.read_buf(&mut self.ahead).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.ahead.split_to(length).freeze())
    }

    /// Writes all of `bytes`; the number that was taken goes up in `taken` as it happens.
    ///
    /// # Errors
    /// The client closed or reset, even while the write was held up by its slowness.
    pub(crate) async fn write(&mut self, mut bytes: &[u8], taken: &mut u64) -> io::Result<()> {
        let (mut reader, mut writer) = tokio::io::split(&mut self.socket);
        while !bytes.is_empty() {
            tokio::select! {
                written = writer.write(bytes) => {
                    let written = written?;
                    if written == 0 {
                        return Err(io::ErrorKind::WriteZero.into());
                    }
                    *taken += written as u64;
                    bytes = &bytes[written..];
                }
                read = reader.read_buf(&mut self.ahead) => gone_at_end(read)?,
            }
        }
        writer.flush().await
    }

    /// Runs `until` to its end while watching the client.
    ///
    /// # Errors
    /// The client closed or reset before.
    pub(crate) async fn wait<T>(&mut self, until: impl Future<Output = T>) -> io::Result<T> {
        tokio::pin!(until);
        loop {
            tokio::select! {
                done = &mut until => return Ok(done),
                read = self.socket.read_buf(&mut self.ahead) => gone_at_end(read)?,
            }
        }
    }
}

fn gone_at_end(read: io::Result<usize>) -> io::Result<()> {
    match read? {
        0 => Err(io::ErrorKind::ConnectionAborted.into()),
        _ => Ok(()),
    }
}

fn parse_head(bytes: &[u8]) -> io::Result<Option<(Head, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 128];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(length) = request.parse(bytes).map_err(io::Error::other)? else {
        return Ok(None);
    };
    let head = Head {
        method: request.method.unwrap_or_default().to_owned(),
        target: request.path.unwrap_or_default().to_owned(),
        headers: request
            .headers
            .iter()
            .map(|header| {
                let value = String::from_utf8_lossy(header.value).into_owned();
                (header.name.to_owned(), value)
            })
            .collect(),
    };
    Ok(Some((head, length)))
}
