//! Black-box tests of the loop: raw sockets against a served router.
//!
//! Every limit but the one under test is an hour, so an end that comes is the end that was meant.

mod h1;
mod h2;
mod slow;
mod stop;
mod tls;

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Extension;
use axum::routing::get;
use bytes::Bytes;
use futures_util::stream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;
use crate::config::Env;

/// Fails a test that waits for something that never comes.
const PATIENCE: Duration = Duration::from_secs(20);
const HOUR: Duration = Duration::from_secs(3600);
/// The limit under test.
const SHORT: Duration = Duration::from_millis(200);

const GET: &str = "GET / HTTP/1.1\r\nHost: test\r\n\r\n";

/// A server on a port of its own.
struct TestServer {
    address: SocketAddr,
    lifecycle: Lifecycle,
}

fn config() -> ServerConfig {
    let mut config = ServerConfig::from_env(&mut Env::default());
    config.header_timeout = HOUR;
    config.keepalive_timeout = HOUR;
    config.client_stall_timeout = HOUR;
    config
}

fn start(config: ServerConfig, router: Router) -> TestServer {
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let lifecycle = Lifecycle::new();
    let server = Server::new(config, router, lifecycle.clone());
    crate::task::spawn(server.serve(listener));
    TestServer { address, lifecycle }
}

/// `/` says hello, `/addr` who asks.
fn hello() -> Router {
    Router::new().route("/", get(async || "hello")).route(
        "/addr",
        get(async |Extension(ClientAddr(peer))| peer.to_string()),
    )
}

/// A router whose `/` answers with what the test feeds; the sender notices when the body is dropped.
fn fed() -> (Router, mpsc::Sender<Bytes>) {
    let (sender, receiver) = mpsc::channel::<Bytes>(1);
    let receiver = Arc::new(std::sync::Mutex::new(Some(receiver)));
    let handler = async move || {
        let receiver = receiver.lock().unwrap().take();
        let pieces = stream::unfold(receiver, async |receiver| {
            let mut receiver = receiver?;
            let piece = receiver.recv().await?;
            Some((Ok::<_, Infallible>(piece), Some(receiver)))
        });
        Body::from_stream(pieces)
    };
    (Router::new().route("/", get(handler)), sender)
}

/// A raw client.
struct Client<S = TcpStream>(S);

impl Client {
    async fn connect(server: &TestServer) -> Self {
        Self(TcpStream::connect(server.address).await.unwrap())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Reads until what has come contains `mark`, and returns it.
    async fn read_until(&mut self, mark: &str) -> String {
        let mut seen = Vec::new();
        let reading = async {
            while !String::from_utf8_lossy(&seen).contains(mark) {
                let count = self.0.read_buf(&mut seen).await.unwrap();
                assert!(count > 0, "ended before `{mark}`");
            }
        };
        timeout(PATIENCE, reading).await.unwrap();
        String::from_utf8(seen).unwrap()
    }

    /// Reads until the server closes.
    async fn read_to_end(&mut self) -> Result<String> {
        let mut rest = String::new();
        timeout(PATIENCE, self.0.read_to_string(&mut rest))
            .await
            .unwrap()?;
        Ok(rest)
    }

    /// One exchange on a connection that stays open.
    async fn say_hello(&mut self) {
        self.send(GET).await;
        assert!(self.read_until("hello").await.starts_with("HTTP/1.1 200 "));
    }
}
