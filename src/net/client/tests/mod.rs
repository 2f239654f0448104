//! The client against a scripted forward proxy.

mod egress;
mod fetch;
mod open;
mod upstream;

use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderMap, USER_AGENT};
use http::{HeaderValue, Method};
use url::Url;

use self::upstream::{Answer, HOST, Upstream};
use super::Client;
use crate::config::Env;
use crate::net::{
    ClientConfig, GuardError, HostList, Jar, MediaRequest, MediaResponse, NetError, Page,
    PageRequest, Phase, RangeAsk,
};

/// Long enough for a busy machine; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(20);
/// A time-out that is meant to strike.
const SHORT: Duration = Duration::from_millis(50);
const LIMIT: usize = 64 * 1024;

fn config(pairs: &[(&str, &str)]) -> ClientConfig {
    let mut env = Env::from_pairs(pairs.iter().copied());
    let config = ClientConfig::from_env(&mut env);
    env.finish().unwrap();
    config
}

fn config_for(upstream: &Upstream) -> ClientConfig {
    let root = upstream.root.path().to_str().unwrap();
    let proxy = format!("http://{}", upstream.address);
    config(&[("PROXY", &proxy), ("EXTRA_CA_FILE", root)])
}

fn client(upstream: &Upstream) -> Client {
    Client::new(config_for(upstream)).unwrap()
}

fn hosts() -> HostList {
    HostList::new([HOST, "b.example"])
}

async fn fetch(client: &Client, url: &str) -> Result<Page, NetError> {
    fetch_with(client, url, PATIENCE, &mut Jar::new(None)).await
}

async fn fetch_with(
    client: &Client,
    url: &str,
    timeout: Duration,
    jar: &mut Jar,
) -> Result<Page, NetError> {
    let request = PageRequest {
        method: Method::GET,
        url: &Url::parse(url).unwrap(),
        headers: HeaderMap::new(),
        body: None,
        hosts: &hosts(),
        max_bytes: LIMIT,
        timeout,
    };
    client.fetch(request, jar).await
}

async fn open(client: &Client, url: &str) -> Result<MediaResponse, NetError> {
    open_with(client, url, &Jar::new(None)).await
}

async fn open_with(client: &Client, url: &str, jar: &Jar) -> Result<MediaResponse, NetError> {
    let headers = [("referer".to_owned(), "https://a.example/".to_owned())];
    let request = MediaRequest {
        method: Method::GET,
        url,
        range: RangeAsk::From(0),
        headers: &headers,
        jar,
        hosts: &hosts(),
    };
    client.open(request).await
}

async fn read(mut media: MediaResponse) -> Result<Vec<u8>, NetError> {
    let mut body = Vec::new();
    while let Some(piece) = media.chunk().await? {
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

fn redirect_to(target: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n")
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn gzip_page(content: &[u8]) -> Answer {
    let mut bytes = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n".to_vec();
    bytes.extend_from_slice(&gzip(content));
    Answer {
        bytes,
        is_held: false,
    }
}

/// An answer of which no more comes.
fn held(text: &str) -> Answer {
    Answer {
        is_held: true,
        ..text.into()
    }
}
