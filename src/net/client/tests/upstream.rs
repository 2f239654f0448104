//! A forward proxy on loopback that plays every upstream: it answers requests in absolute form, opens CONNECT with
//! its own root, and speaks SOCKS5. One request a connection.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

/// Host that the certificate is for.
pub(super) const HOST: &str = "a.example";

/// What is sent for a request, byte for byte.
pub(super) struct Answer {
    pub(super) bytes: Vec<u8>,
    /// Keep the connection open until the client closes it.
    pub(super) is_held: bool,
}

impl From<String> for Answer {
    fn from(text: String) -> Self {
        Self {
            bytes: text.into_bytes(),
            is_held: false,
        }
    }
}

impl From<&str> for Answer {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

type Script = Box<dyn Fn(&str) -> Answer + Send + Sync>;

pub(super) struct Upstream {
    pub(super) address: SocketAddr,
    pub(super) root: tempfile::NamedTempFile,
    state: Arc<State>,
}

struct State {
    script: Script,
    /// Heads of the requests so far, `CONNECT` and its kind included.
    heads: Mutex<Vec<String>>,
    /// Told when a client closed a held connection.
    closed: Notify,
    tls: TlsAcceptor,
}

impl Upstream {
    /// `script` gets the request line and decides the answer.
    pub(super) async fn start<A: Into<Answer>>(
        script: impl Fn(&str) -> A + Send + Sync + 'static,
    ) -> Self {
        let own = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
        let mut root = tempfile::NamedTempFile::new().unwrap();
        root.write_all(own.cert.pem().as_bytes()).unwrap();
        let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
        let state = Arc::new(State {
            script: Box::new(move |line| script(line).into()),
            heads: Mutex::default(),
            closed: Notify::new(),
            tls: acceptor(own.cert.der().clone(), key.into()),
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

    pub(super) fn heads(&self) -> Vec<String> {
        self.state.heads.lock().unwrap().clone()
    }

    pub(super) async fn closed(&self) {
        self.state.closed.notified().await;
    }
}

fn acceptor(certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        crate::task::spawn(serve(stream, Arc::clone(&state)));
    }
}

/// A client may go at any moment, which ends the connection and nothing else.
async fn serve(mut stream: TcpStream, state: Arc<State>) -> std::io::Result<()> {
    let mut first = [0];
    stream.peek(&mut first).await?;
    if first == [5] {
        socks(&mut stream, &state).await?;
        return answer(stream, &state).await;
    }
    if first != *b"C" {
        return answer(stream, &state).await;
    }
    let head = read_head(&mut stream).await?;
    state.heads.lock().unwrap().push(head);
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    answer(state.tls.accept(stream).await?, &state).await
}

/// SOCKS5 with user name and password (RFC 1928, RFC 1929).
async fn socks(stream: &mut TcpStream, state: &State) -> std::io::Result<()> {
    let methods = stream.read_u16().await? & 0xff;
    stream.read_exact(&mut vec![0; methods.into()]).await?;
    stream.write_all(&[5, 2]).await?;
    stream.read_u8().await?;
    let (user, password) = (field(stream).await?, field(stream).await?);
    stream.write_all(&[1, 0]).await?;
    let mut request = [0; 4];
    stream.read_exact(&mut request).await?;
    let host = field(stream).await?;
    let port = stream.read_u16().await?;
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    let kind = request[3];
    let line = format!("SOCKS {user} {password} {kind} {host} {port}");
    state.heads.lock().unwrap().push(line);
    Ok(())
}

async fn field(stream: &mut TcpStream) -> std::io::Result<String> {
    let length = stream.read_u8().await?;
    let mut text = vec![0; length.into()];
    stream.read_exact(&mut text).await?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    state: &State,
) -> std::io::Result<()> {
    let head = read_head(&mut stream).await?;
    let line = head.lines().next().unwrap_or_default().to_owned();
    state.heads.lock().unwrap().push(head);
    let answer = (state.script)(&line);
    stream.write_all(&answer.bytes).await?;
    stream.flush().await?;
    if answer.is_held {
        // A read that ends, by whatever, is the client's end.
        let _ = stream.read(&mut [0]).await;
        state.closed.notify_one();
    }
    stream.shutdown().await
}

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}
