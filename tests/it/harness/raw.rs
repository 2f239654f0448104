//! HTTP/1.1 by hand: requests that no client library sends, and answers with their header names as they are on the wire.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::canary::{assert_no_secret_in, looked_through};

/// Longest time for one exchange.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Raw {
    /// Status line.
    pub(crate) status_line: String,
    /// Header lines in order.
    pub(crate) headers: Vec<String>,
    /// What follows.
    pub(crate) body: Vec<u8>,
}

/// Writes `request` to the server at `base` and reads until the server closes.
pub(crate) async fn raw(base: &str, request: &str) -> Raw {
    let exchange = async {
        let address = base.strip_prefix("http://").expect("http");
        let mut tcp = TcpStream::connect(address).await.expect("connect");
        tcp.write_all(request.as_bytes()).await.expect("write");
        let mut answer = Vec::new();
        tcp.read_to_end(&mut answer).await.expect("read");
        answer
    };
    let answer = tokio::time::timeout(PATIENCE, exchange).await;
    let answer = answer.expect("the server closes");
    let answer = parse(&answer);
    let target = request.split(' ').nth(1).unwrap_or_default();
    let route = target.split('?').next().unwrap_or_default();
    let body = looked_through(route, &String::from_utf8_lossy(&answer.body), true);
    assert_no_secret_in(&format!("{:?}\n{body}", answer.headers));
    answer
}

fn parse(answer: &[u8]) -> Raw {
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("a head");
    let head = std::str::from_utf8(&answer[..end]).expect("a head in UTF-8");
    let mut lines = head.split("\r\n").map(str::to_owned);
    Raw {
        status_line: lines.next().expect("a status line"),
        headers: lines.collect(),
        body: answer[end + 4..].to_vec(),
    }
}
