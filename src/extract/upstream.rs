//! A site played on loopback, for tests: a forward proxy that opens CONNECT with its own root and answers by script.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::config::Env;
use crate::net::{Client, ClientConfig};

/// Hosts that the played site's certificate is for.
const HOSTS: [&str; 10] = [
    "www.tiktok.com",
    "vm.tiktok.com",
    "api16-normal-c-useast1a.tiktokv.com",
    "www.douyin.com",
    "v.douyin.com",
    "www.iesdouyin.com",
    "evil.example",
    "m.tiktok.com",
    "www.youtube.com",
    "youtubei.googleapis.com",
];

/// One request as it arrived.
#[derive(Debug, Clone, Default)]
pub(in crate::extract) struct Asked {
    pub(in crate::extract) method: String,
    pub(in crate::extract) url: String,
    headers: Vec<(String, String)>,
    pub(in crate::extract) body: String,
}

impl Asked {
    /// A header's value; empty when it is missing.
    pub(in crate::extract) fn header(&self, name: &str) -> &str {
        self.headers
            .iter()
            .find(|(found, _)| found == name)
            .map_or("", |(_, value)| value)
    }

    /// How many headers it has.
    pub(in crate::extract) fn header_count(&self) -> usize {
        self.headers.len()
    }
}

/// What is sent back.
#[derive(Debug, Clone)]
pub(in crate::extract) struct Answer {
    status: u16,
    headers: String,
    body: String,
}

impl Answer {
    /// A page.
    pub(in crate::extract) fn page(body: impl Into<String>) -> Self {
        Self::status(200, body)
    }

    /// An answer with this status.
    pub(in crate::extract) fn status(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            headers: String::new(),
            body: body.into(),
        }
    }

    /// A redirect.
    pub(in crate::extract) fn moved(target: &str) -> Self {
        Self::status(302, "").with("location", target)
    }

    /// The same with one more header.
    pub(in crate::extract) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers = format!("{}{name}: {value}\r\n", self.headers);
        self
    }

    fn bytes(&self, is_head: bool) -> Vec<u8> {
        let body = if is_head { "" } else { &self.body };
        let (status, headers, length) = (self.status, &self.headers, self.body.len());
        format!(
            "HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
        )
        .into_bytes()
    }
}

type Script = Box<dyn Fn(&Asked, usize) -> Answer + Send + Sync>;

/// The played site.
pub(in crate::extract) struct Upstream {
    address: SocketAddr,
    root: tempfile::NamedTempFile,
    state: Arc<State>,
}

struct State {
    script: Script,
    asked: Mutex<Vec<Asked>>,
    tls: TlsAcceptor,
}

impl Upstream {
    /// Starts it; `script` gets each request and the number of those before it.
    pub(in crate::extract) async fn start(
        script: impl Fn(&Asked, usize) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let own = rcgen::generate_simple_self_signed(HOSTS.map(str::to_owned)).unwrap();
        let mut root = tempfile::NamedTempFile::new().unwrap();
        root.write_all(own.cert.pem().as_bytes()).unwrap();
        let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key.into())
            .unwrap();
        let state = Arc::new(State {
            script: Box::new(script),
            asked: Mutex::default(),
            tls: TlsAcceptor::from(Arc::new(config)),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        crate::task::spawn(accept(listener, Arc::clone(&state)));
        Self {
            address,
            root,
            state,
        }
    }

    /// A client whose every request comes here.
    pub(in crate::extract) fn client(&self) -> Client {
        let mut env = Env::from_pairs([
            ("PROXY", format!("http://{}", self.address)),
            ("EXTRA_CA_FILE", self.root.path().display().to_string()),
        ]);
        Client::new(ClientConfig::from_env(&mut env)).unwrap()
    }

    /// The requests so far.
    pub(in crate::extract) fn asked(&self) -> Vec<Asked> {
        self.state.asked.lock().unwrap().clone()
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        crate::task::spawn(serve(stream, Arc::clone(&state)));
    }
}

/// One tunnel, one request. A client may go at any moment, which ends the tunnel and nothing else.
async fn serve(mut stream: TcpStream, state: Arc<State>) -> std::io::Result<()> {
    read_head(&mut stream).await?;
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    let mut stream = state.tls.accept(stream).await?;
    let mut asked = parse(&read_head(&mut stream).await?);
    let length = asked.header("content-length").parse().unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    asked.body = String::from_utf8_lossy(&body).into_owned();
    let number = {
        let mut all = state.asked.lock().unwrap();
        all.push(asked.clone());
        all.len() - 1
    };
    let answer = (state.script)(&asked, number);
    stream
        .write_all(&answer.bytes(asked.method == "HEAD"))
        .await?;
    stream.shutdown().await
}

fn parse(head: &str) -> Asked {
    let mut lines = head.lines();
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (method, path) = (
        first.next().unwrap_or_default(),
        first.next().unwrap_or_default(),
    );
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let mut asked = Asked {
        method: method.to_owned(),
        headers,
        ..Asked::default()
    };
    asked.url = format!("https://{}{path}", asked.header("host"));
    asked
}

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}
