//! A raw HTTP/1.1 client: a socket, and reading with a limit on patience instead of a hang.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::harness::assert_no_secret_in;
use crate::harness::held::figure;

/// Longest wait for something that should come; longer than every limit that tests set.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// FIN.
    Closed,
    /// RST.
    Reset,
}

/// A connection.
pub(crate) struct Raw {
    tcp: TcpStream,
    seen: Vec<u8>,
}

impl Raw {
    /// Connects to the server at `base`.
    pub(crate) async fn connect(base: &str) -> Self {
        let tcp = TcpStream::connect(base.trim_start_matches("http://")).await;
        Self::over(tcp.expect("a connection"))
    }

    /// The same with a receive buffer of a few KiB: what the client doesn't read soon stays with the server.
    pub(crate) async fn connect_narrow(base: &str) -> Self {
        Self::connect_with_buffer(base, 4096).await
    }

    /// The same with a receive buffer of so many bytes, which Linux doubles.
    pub(crate) async fn connect_with_buffer(base: &str, bytes: u32) -> Self {
        let socket = TcpSocket::new_v4().expect("socket");
        socket.set_recv_buffer_size(bytes).expect("receive buffer");
        let address = base.trim_start_matches("http://").parse();
        let tcp = socket.connect(address.expect("an address")).await;
        Self::over(tcp.expect("a connection"))
    }

    fn over(tcp: TcpStream) -> Self {
        tcp.set_nodelay(true).expect("no delay");
        Self {
            tcp,
            seen: Vec::new(),
        }
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// The server has closed or reset.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let sending = self.tcp.write_all(bytes.as_ref());
        timeout(PATIENCE, sending).await.expect("the server reads")
    }

    /// Sends a GET.
    pub(crate) async fn get(&mut self, target: &str) {
        let request = format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n");
        self.send(request).await.expect("an open connection");
    }

    /// Reads the head of an answer; what comes with it of the body is kept for [`Raw::take`].
    pub(crate) async fn head(&mut self) -> String {
        loop {
            if let Some(at) = find(&self.seen, b"\r\n\r\n") {
                let head = self.seen.drain(..at + 4).collect();
                let head = String::from_utf8(head).expect("a head in ASCII");
                assert_no_secret_in(&head);
                return head;
            }
            assert!(self.read().await.expect("a head") > 0, "ended in the head");
        }
    }

    /// Reads a whole answer of announced length; returns its status line.
    pub(crate) async fn answer(&mut self) -> String {
        self.whole().await.0
    }

    /// A figure of the server's `/metrics`. This connection counts among what the server holds.
    pub(crate) async fn metric(&mut self, name: &str) -> usize {
        self.get("/metrics").await;
        let (_, page) = self.whole().await;
        figure(&page, name).unwrap_or_else(|| panic!("no {name} in {page}"))
    }

    /// Reads a whole answer of announced length; returns its status line and its body, a text.
    async fn whole(&mut self) -> (String, String) {
        let head = self.head().await;
        let mut lines = head.lines();
        let status = lines.next().unwrap_or_default().to_owned();
        let length = lines.find_map(|line| line.strip_prefix("Content-Length: "));
        let length = length.expect("a length").parse().expect("a number");
        let body = String::from_utf8(self.take(length).await).expect("text");
        assert_no_secret_in(&body);
        (status, body)
    }

    /// Reads exactly `length` more bytes.
    pub(crate) async fn take(&mut self, length: usize) -> Vec<u8> {
        while self.seen.len() < length {
            assert!(self.read().await.expect("bytes") > 0, "ended in the body");
        }
        self.seen.drain(..length).collect()
    }

    /// Reads until the server ends the connection; returns what came and how it ended.
    pub(crate) async fn until_end(mut self) -> (Vec<u8>, End) {
        loop {
            match self.read().await {
                Ok(0) => return (self.seen, End::Closed),
                Ok(_) => {}
                Err(_) => return (self.seen, End::Reset),
            }
        }
    }

    /// Closes the sending side only.
    pub(crate) async fn finish(&mut self) {
        self.tcp.shutdown().await.expect("an open connection");
    }

    /// Closes and returns when the server has closed too.
    pub(crate) async fn close(mut self) {
        self.finish().await;
        self.until_end().await;
    }

    /// Whether nothing has come that was not read.
    pub(crate) fn is_silent(&self) -> bool {
        let mut byte = [0];
        let read = self.tcp.try_read(&mut byte);
        self.seen.is_empty() && read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Goes with a reset, so that what is under way is refused.
    pub(crate) fn reset(self) {
        self.tcp.set_zero_linger().expect("linger");
    }

    /// The socket, with nothing read ahead.
    pub(crate) fn into_inner(self) -> TcpStream {
        assert!(self.seen.is_empty(), "bytes were read ahead");
        self.tcp
    }

    async fn read(&mut self) -> io::Result<usize> {
        let reading = self.tcp.read_buf(&mut self.seen);
        timeout(PATIENCE, reading)
            .await
            .expect("the server ends or answers")
    }
}

fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    bytes.windows(mark.len()).position(|window| window == mark)
}
