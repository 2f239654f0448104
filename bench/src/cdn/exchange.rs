//! Requests on one connection, in the clear or inside TLS.

use std::fmt::Write as _;
use std::ops::Range;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::interface::Interface;
use super::page::{File, Flaw, Pages, Scheme, delay};
use super::photo;
use crate::{Result, payload};

/// Longest request head.
const MAX_HEAD: usize = 16 * 1024;
/// Longest body of a request.
const MAX_BODY: usize = 64 * 1024;
/// Headers of a request that are looked at.
const MAX_FIELDS: usize = 64;
/// Bytes handed to the system at once.
const WRITE: usize = 512 * 1024;
/// How often a paced file goes on.
const TICK: Duration = Duration::from_millis(100);

/// What follows on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing.
    Close,
    /// The TLS of a tunnel.
    Tunnel,
}

/// The parts of a request that count here.
struct Request {
    method: String,
    path: String,
    range: Option<String>,
    is_kept_open: bool,
    /// Bytes of the body.
    length: usize,
}

/// Answers requests until the client goes, or asks for a tunnel.
pub(super) async fn serve(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    pages: &Pages,
    interface: &Interface,
) -> Result<Next> {
    let mut buffer = Vec::with_capacity(4096);
    while let Some(request) = read_request(stream, &mut buffer).await? {
        if request.method == "CONNECT" {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            return Ok(Next::Tunnel);
        }
        let body = read_body(stream, &mut buffer, request.length).await?;
        match interface.answer(&request.path, &body) {
            Some(json) => send_page(stream, "application/json", "", &json).await?,
            None => answer(stream, pages, interface, &request).await?,
        }
        stream.flush().await?;
        if !request.is_kept_open {
            stream.shutdown().await?;
            break;
        }
    }
    Ok(Next::Close)
}

async fn read_request(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
) -> Result<Option<Request>> {
    loop {
        if let Some((request, length)) = parse(buffer)? {
            buffer.drain(..length);
            return Ok(Some(request));
        }
        if buffer.len() > MAX_HEAD || stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

/// The body behind a head.
async fn read_body(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
    length: usize,
) -> Result<Vec<u8>> {
    while buffer.len() < length {
        if length > MAX_BODY || stream.read_buf(buffer).await? == 0 {
            return Err("a request without its body".into());
        }
    }
    Ok(buffer.drain(..length).collect())
}

fn parse(bytes: &[u8]) -> Result<Option<(Request, usize)>> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut head = httparse::Request::new(&mut fields);
    let httparse::Status::Complete(length) = head.parse(bytes)? else {
        return Ok(None);
    };
    let field = |name: &str| {
        let found = head
            .headers
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok()
    };
    let is_closing = field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    let request = Request {
        method: head.method.unwrap_or_default().to_owned(),
        path: path(head.path.unwrap_or_default()).to_owned(),
        range: field("range").map(str::to_owned),
        is_kept_open: head.version == Some(1) && !is_closing,
        length: field("content-length").map_or(Ok(0), str::parse)?,
    };
    Ok(Some((request, length)))
}

/// The path of a target in origin or absolute form.
fn path(target: &str) -> &str {
    match target.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    }
}

async fn answer(
    stream: &mut (impl AsyncWrite + Unpin),
    pages: &Pages,
    interface: &Interface,
    request: &Request,
) -> Result<()> {
    if let Some(file) = File::at(&request.path, Scheme::Http) {
        return send_file(stream, file, request).await;
    }
    if let Some(track) = interface.dash.file(&request.path) {
        return send_stored(stream, &track, "video/mp4", request).await;
    }
    if let Some((content, content_type)) = photo::file(pages.folder(), &request.path) {
        return send_stored(stream, &content, content_type, request).await;
    }
    let Some(page) = pages.get(&request.path) else {
        stream
            .write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
            .await?;
        return Ok(());
    };
    tokio::time::sleep(delay(&request.path)).await;
    let cookie =
        "set-cookie: tt_chain_token=bench; Domain=.tiktok.com; Path=/; Secure; HttpOnly\r\n";
    send_page(stream, "text/html; charset=utf-8", cookie, &page).await
}

/// Sends something compressed; `fields` are further lines of its head.
async fn send_page(
    stream: &mut (impl AsyncWrite + Unpin),
    kind: &str,
    fields: &str,
    page: &[u8],
) -> Result<()> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-encoding: gzip\r\n{fields}content-length: {}\r\n\r\n",
        page.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(page).await?;
    Ok(())
}

async fn send_file(
    stream: &mut (impl AsyncWrite + Unpin),
    file: File,
    request: &Request,
) -> Result<()> {
    if file.flaw == Some(Flaw::Refused) {
        let busy = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
        return Ok(stream.write_all(busy).await?);
    }
    let (start, end) = send_head(stream, file.size, "video/mp4", request).await?;
    if request.method == "HEAD" {
        return Ok(());
    }
    if file.flaw == Some(Flaw::Cut) && start == 0 {
        send_bytes(stream, start..end / 2, file.rate).await?;
        return Err("cut, as it is meant to be".into());
    }
    send_bytes(stream, start..end, file.rate).await
}

async fn send_stored(
    stream: &mut (impl AsyncWrite + Unpin),
    content: &[u8],
    content_type: &str,
    request: &Request,
) -> Result<()> {
    let size = content.len() as u64;
    let (start, end) = send_head(stream, size, content_type, request).await?;
    let (start, end) = (usize::try_from(start)?, usize::try_from(end)?);
    stream.write_all(&content[start..end]).await?;
    Ok(())
}

/// Sends the head, and returns the half-open part of the bytes that follow.
async fn send_head(
    stream: &mut (impl AsyncWrite + Unpin),
    size: u64,
    content_type: &str,
    request: &Request,
) -> Result<(u64, u64)> {
    let asked = request.range.as_deref().and_then(|range| part(range, size));
    let (start, end) = asked.unwrap_or((0, size));
    let mut head = String::from(match asked {
        Some(_) => "HTTP/1.1 206 Partial Content\r\n",
        None => "HTTP/1.1 200 OK\r\n",
    });
    if asked.is_some() {
        write!(head, "content-range: bytes {start}-{}/{size}\r\n", end - 1)?;
    }
    write!(
        head,
        "content-type: {content_type}\r\naccept-ranges: bytes\r\netag: \"{size}\"\r\ncontent-length: {}\r\n\r\n",
        end - start
    )?;
    stream.write_all(head.as_bytes()).await?;
    Ok((start, end))
}

async fn send_bytes(
    stream: &mut (impl AsyncWrite + Unpin),
    range: Range<u64>,
    rate: u64,
) -> Result<()> {
    let mut tick = tokio::time::interval(TICK);
    let share = share(rate);
    let mut position = range.start;
    while position < range.end {
        if rate > 0 {
            tick.tick().await;
        }
        let turn = payload::from(position);
        let left = usize::try_from(range.end - position).unwrap_or(usize::MAX);
        let piece = &turn[..turn.len().min(left).min(share)];
        stream.write_all(piece).await?;
        stream.flush().await?;
        position += piece.len() as u64;
    }
    Ok(())
}

/// Bytes that are sent at once.
fn share(rate: u64) -> usize {
    match rate {
        0 => WRITE,
        rate => usize::try_from(rate * TICK.as_millis() as u64 / 1000).unwrap_or(WRITE),
    }
}

/// The half-open part of `size` bytes that a `Range` header names; `None` for what this CDN sends whole.
fn part(range: &str, size: u64) -> Option<(u64, u64)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (start, end) = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(start), Ok(last)) => (start, last.saturating_add(1).min(size)),
        (Ok(start), Err(_)) => (start, size),
        (Err(_), Ok(suffix)) => (size.saturating_sub(suffix), size),
        (Err(_), Err(_)) => return None,
    };
    (start < end).then_some((start, end))
}
