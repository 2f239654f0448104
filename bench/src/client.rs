//! The smallest HTTP/1.1 client that can be timed: one request at a time on one connection.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::Result;

/// Longest head of an answer.
const MAX_HEAD: usize = 32 * 1024;
/// Fields of an answer.
const MAX_FIELDS: usize = 64;

/// The head of an answer, and what came with it.
#[derive(Debug)]
pub(crate) struct Head {
    /// Status.
    pub(crate) status: u16,
    /// `Content-Length`.
    pub(crate) length: Option<u64>,
    /// Bytes of the body that came in the same read.
    pub(crate) lead: Vec<u8>,
}

/// Connects, from loopback address number `source`: a server may limit the connections of one address.
pub(crate) async fn connect(port: u16, source: usize) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    let [high, low] = u16::try_from(source)?.to_be_bytes();
    socket.bind(SocketAddr::from(([127, 1, high, low], 0)))?;
    let target = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    let stream = socket.connect(target.into()).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Reads the head of an answer.
pub(crate) async fn read_head(stream: &mut TcpStream) -> Result<Head> {
    let mut bytes = Vec::with_capacity(4096);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err("the connection ended before an answer".into());
        }
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut head = httparse::Response::new(&mut fields);
        if let httparse::Status::Complete(length) = head.parse(&bytes)? {
            let announced = head
                .headers
                .iter()
                .find(|field| field.name.eq_ignore_ascii_case("content-length"))
                .and_then(|field| std::str::from_utf8(field.value).ok()?.parse().ok());
            return Ok(Head {
                status: head.code.unwrap_or(0),
                length: announced,
                lead: bytes.split_off(length),
            });
        }
        if bytes.len() > MAX_HEAD {
            return Err("the head of the answer is too long".into());
        }
    }
}

/// Status of an answer to a POST of a link to `/resolve`, on a connection that is kept.
pub(crate) async fn resolve(stream: &mut TcpStream, url: &str) -> Result<u16> {
    let body = serde_json::json!({ "url": url }).to_string();
    let request = format!(
        "POST /resolve HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    Ok(exchange(stream, &request).await?.0)
}

/// Status of `GET path`, on a connection that is kept.
pub(crate) async fn status(stream: &mut TcpStream, path: &str) -> Result<u16> {
    Ok(fetch(stream, path).await?.0)
}

/// Status and body of `GET path`, on a connection that is kept.
pub(crate) async fn fetch(stream: &mut TcpStream, path: &str) -> Result<(u16, Vec<u8>)> {
    exchange(stream, &get_request(path)).await
}

/// `GET path` is sent; the answer is left to whoever reads.
pub(crate) async fn ask(stream: &mut TcpStream, path: &str) -> Result<()> {
    Ok(stream.write_all(get_request(path).as_bytes()).await?)
}

fn get_request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n")
}

/// GET on a connection of its own, read whole.
pub(crate) async fn get(port: u16, path: &str) -> Result<(u16, Vec<u8>)> {
    let mut stream = connect(port, 1).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n");
    exchange(&mut stream, &request).await
}

/// POST of a link to `/tiktok`, on a connection that is kept.
pub(crate) async fn post(stream: &mut TcpStream, url: &str, is_fresh: bool) -> Result<Vec<u8>> {
    let body = serde_json::json!({ "url": url, "no_cache": is_fresh }).to_string();
    let request = format!(
        "POST /tiktok HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let (status, answer) = exchange(stream, &request).await?;
    if status != 200 {
        let answer = String::from_utf8_lossy(&answer);
        return Err(format!("POST /tiktok: {status}: {answer}").into());
    }
    Ok(answer)
}

async fn exchange(stream: &mut TcpStream, request: &str) -> Result<(u16, Vec<u8>)> {
    stream.write_all(request.as_bytes()).await?;
    let head = read_head(stream).await?;
    let mut body = head.lead;
    let length = usize::try_from(head.length.ok_or("an answer without a length")?)?;
    while body.len() < length {
        if stream.read_buf(&mut body).await? == 0 {
            return Err("the answer is cut".into());
        }
    }
    Ok((head.status, body))
}

/// Resolves `url` and returns the path and query of its download link.
pub(crate) async fn mint(port: u16, url: &str) -> Result<String> {
    link(port, url, "/download_link/no_watermark").await
}

/// Resolves `url` and returns the path and query of its slideshow.
pub(crate) async fn mint_slideshow(port: u16, url: &str) -> Result<String> {
    link(port, url, "/download_slideshow_link").await
}

/// Resolves `url` and returns the path and query of its sound as MP3.
pub(crate) async fn mint_sound(port: u16, url: &str) -> Result<String> {
    link(port, url, "/download_link/mp3").await
}

/// Resolves `url` and returns the path and query of one of its formats.
pub(crate) async fn mint_format(port: u16, url: &str, format_id: &str) -> Result<String> {
    let answer = resolved(port, url).await?;
    let entries = answer["data"]["video_data"].as_array();
    let entry = entries.and_then(|all| all.iter().find(|entry| entry["format_id"] == format_id));
    let link = entry.and_then(|entry| entry["url"].as_str());
    path_of(link.ok_or("no such format in the answer")?)
}

async fn link(port: u16, url: &str, pointer: &str) -> Result<String> {
    let answer = resolved(port, url).await?;
    let link = answer.pointer(pointer).and_then(Value::as_str);
    path_of(link.ok_or("no link in the answer")?)
}

/// The answer to a POST of a link to `/tiktok`, asked of the site anew.
async fn resolved(port: u16, url: &str) -> Result<Value> {
    let mut stream = connect(port, 1).await?;
    Ok(serde_json::from_slice(
        &post(&mut stream, url, true).await?,
    )?)
}

/// Path and query of an address.
fn path_of(link: &str) -> Result<String> {
    let (_, rest) = link.split_once("://").ok_or("a link without a scheme")?;
    let at = rest.find('/').ok_or("a link without a path")?;
    Ok(rest[at..].to_owned())
}
