//! The same loop through TLS: protocols, handshakes that go wrong, certificates that are replaced.

use std::fs;
use std::io::Write;
use std::sync::Mutex;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion, version};
use tempfile::TempDir;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::server::certificate::Certificate;
use crate::server::tests::h2::DATA;

/// What was logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn count(&self, part: &str) -> usize {
        let logged = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        logged.lines().filter(|line| line.contains(part)).count()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

/// What the client offers.
struct Offer<'a> {
    protocols: &'a [&'a [u8]],
    versions: &'a [&'static SupportedProtocolVersion],
}

const HTTP1: Offer<'_> = Offer {
    protocols: &[b"http/1.1"],
    versions: rustls::DEFAULT_VERSIONS,
};

/// The files of a certificate.
struct Files(TempDir);

impl Files {
    fn new() -> (Self, CertificateDer<'static>) {
        let files = Self(TempDir::new().unwrap());
        let certificate = files.replace();
        (files, certificate)
    }

    /// Writes a new pair and returns its certificate.
    fn replace(&self) -> CertificateDer<'static> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(self.path("cert"), made.cert.pem()).unwrap();
        fs::write(self.path("key"), made.signing_key.serialize_pem()).unwrap();
        made.cert.der().clone()
    }

    fn path(&self, name: &str) -> String {
        let path = self.0.path().join(name);
        path.to_str().unwrap().to_owned()
    }

    fn config(&self) -> ServerConfig {
        let mut env = Env::from_pairs([
            ("TLS_CERT_FILE", self.path("cert")),
            ("TLS_KEY_FILE", self.path("key")),
        ]);
        let tls = ServerConfig::from_env(&mut env).tls;
        env.finish().unwrap();
        ServerConfig { tls, ..config() }
    }
}

async fn handshake(
    server: &TestServer,
    trusted: &CertificateDer<'static>,
    offer: &Offer<'_>,
) -> Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(offer.versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = offer.protocols.iter().map(|name| name.to_vec()).collect();
    let stream = TcpStream::connect(server.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    timeout(PATIENCE, connector.connect(name, stream))
        .await
        .unwrap()
}

impl Client<TlsStream<TcpStream>> {
    async fn secure(
        server: &TestServer,
        trusted: &CertificateDer<'static>,
        offer: &Offer<'_>,
    ) -> Self {
        Self(handshake(server, trusted, offer).await.unwrap())
    }

    fn session(&self) -> &ClientConnection {
        self.0.get_ref().1
    }
}

#[tokio::test]
async fn http1_is_spoken_by_both_versions_of_tls() {
    let (files, certificate) = Files::new();
    let server = start(files.config(), hello());
    for version in [&version::TLS12, &version::TLS13] {
        let offer = Offer {
            versions: &[version],
            ..HTTP1
        };
        let mut client = Client::secure(&server, &certificate, &offer).await;
        assert_eq!(
            client.session().alpn_protocol(),
            Some(b"http/1.1".as_slice())
        );
        assert_eq!(client.session().protocol_version(), Some(version.version));
        client.say_hello().await;
        client.say_hello().await;
    }
}

#[tokio::test]
async fn http2_is_preferred_and_spoken() {
    let (files, certificate) = Files::new();
    let server = start(files.config(), hello());
    let offer = Offer {
        protocols: &[b"http/1.1", b"h2"],
        ..HTTP1
    };
    let mut client = Client::secure(&server, &certificate, &offer).await;
    assert_eq!(client.session().alpn_protocol(), Some(b"h2".as_slice()));
    client.greet(&[]).await;
    client.request(1).await;
    let data = client.next_of(&[DATA]).await.unwrap();
    assert_eq!(data.payload, b"hello");
}

#[tokio::test]
async fn client_without_alpn_is_served_and_one_with_a_foreign_protocol_is_not() {
    let (files, certificate) = Files::new();
    let server = start(files.config(), hello());
    let none = Offer {
        protocols: &[],
        ..HTTP1
    };
    let mut client = Client::secure(&server, &certificate, &none).await;
    client.say_hello().await;
    let foreign = Offer {
        protocols: &[b"spdy/3"],
        ..HTTP1
    };
    handshake(&server, &certificate, &foreign)
        .await
        .unwrap_err();
}

#[tokio::test]
async fn body_ends_with_a_close_notify() {
    let (files, certificate) = Files::new();
    let server = start(files.config(), hello());
    let mut client = Client::secure(&server, &certificate, &HTTP1).await;
    client
        .send("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        .await;
    // Without it, reading to the end is an error.
    let answer = client.read_to_end().await.unwrap();
    assert!(answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn cut_body_without_framing_has_no_close_notify() {
    let (files, certificate) = Files::new();
    let (router, feed) = fed();
    let server = start(files.config(), router);
    let mut client = Client::secure(&server, &certificate, &HTTP1).await;
    client.send("GET / HTTP/1.0\r\n\r\n").await;
    feed.send(Bytes::from_static(b"first")).await.unwrap();
    client.read_until("first").await;
    server.lifecycle.hard.cancel();
    client.read_to_end().await.unwrap_err();
}

#[tokio::test]
async fn silent_and_partial_handshakes_are_closed_and_free_their_place() {
    let (files, certificate) = Files::new();
    let mut config = files.config();
    config.header_timeout = SHORT;
    config.max_connections_per_client = 1;
    // A record that announces a client hello and never brings it (RFC 8446 §5.1).
    for sent in [&b""[..], &[0x16, 3, 1, 2, 0, 1, 0]] {
        // The place of an earlier client may not be free yet.
        let server = start(config.clone(), hello());
        let mut client = Client::connect(&server).await;
        client.send(sent).await;
        assert_eq!(client.read_to_end().await.unwrap(), "");
        drop(client);
        let served = async { while handshake(&server, &certificate, &HTTP1).await.is_err() {} };
        timeout(PATIENCE, served).await.unwrap();
    }
}

#[tokio::test]
async fn handshake_without_a_request_is_closed() {
    let (files, certificate) = Files::new();
    let mut config = files.config();
    config.header_timeout = SHORT;
    let server = start(config, hello());
    let mut client = Client::secure(&server, &certificate, &HTTP1).await;
    client.read_to_end().await.unwrap_err();
}

#[tokio::test]
async fn handshake_in_progress_ends_with_the_soft_end() {
    let (files, certificate) = Files::new();
    let server = start(files.config(), hello());
    let mut silent = Client::connect(&server).await;
    // Accepted after the silent one.
    let mut other = Client::secure(&server, &certificate, &HTTP1).await;
    other.say_hello().await;
    server.lifecycle.soft.cancel();
    assert_eq!(silent.read_to_end().await.unwrap(), "");
    assert_eq!(other.read_to_end().await.unwrap(), "");
    server.lifecycle.tracker.close();
    timeout(PATIENCE, server.lifecycle.tracker.wait())
        .await
        .unwrap();
}

#[tokio::test]
async fn plain_http_is_closed_without_an_answer() {
    let (files, _) = Files::new();
    let server = start(files.config(), hello());
    let mut client = Client::connect(&server).await;
    client.send(GET).await;
    let mut answer = Vec::new();
    // What is left unread at the close may turn the end into a reset.
    let _ = timeout(PATIENCE, client.0.read_to_end(&mut answer))
        .await
        .unwrap();
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

#[tokio::test]
async fn client_that_stops_reading_is_cut() {
    let (files, certificate) = Files::new();
    let mut config = files.config();
    config.client_stall_timeout = SHORT;
    let (router, feed) = fed();
    let server = start(config, router);
    let mut client = Client::secure(&server, &certificate, &HTTP1).await;
    client.send(GET).await;
    let piece = Bytes::from(vec![0; 1 << 20]);
    let feeding = async { while feed.send(piece.clone()).await.is_ok() {} };
    timeout(PATIENCE, feeding).await.unwrap();
    client.read_to_end().await.unwrap_err();
}

/// The certificate that a new connection gets.
fn shown(certificate: &Certificate, now: Instant) -> CertificateDer<'static> {
    certificate.renew(now);
    certificate.current().cert[0].clone()
}

#[test]
fn certificate_is_looked_at_once_a_minute_and_then_renewed() {
    let (files, first) = Files::new();
    let certificate = Certificate::new(files.config().tls.unwrap());
    let start = Instant::now();
    let second = files.replace();
    assert_eq!(shown(&certificate, start + Duration::from_secs(50)), first);
    assert_eq!(shown(&certificate, start + Duration::from_secs(61)), second);
    let third = files.replace();
    assert_eq!(
        shown(&certificate, start + Duration::from_secs(120)),
        second
    );
    assert_eq!(shown(&certificate, start + Duration::from_secs(121)), third);
}

#[test]
fn broken_pair_keeps_the_old_one_and_is_logged_once() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let (files, first) = Files::new();
    let certificate = Certificate::new(files.config().tls.unwrap());
    let mut now = Instant::now();
    let mut after_a_minute = || {
        now += Duration::from_secs(61);
        shown(&certificate, now)
    };
    let (other, _) = Files::new();
    fs::copy(other.path("key"), files.path("key")).unwrap();
    for _ in 0..3 {
        assert_eq!(after_a_minute(), first);
        assert_eq!(lines.count("certificate not renewed"), 1);
    }
    fs::remove_file(files.path("cert")).unwrap();
    assert_eq!(after_a_minute(), first);
    assert_eq!(lines.count("certificate not renewed"), 2);
    let second = files.replace();
    assert_eq!(after_a_minute(), second);
    assert_eq!(lines.count("certificate renewed"), 1);
}

#[tokio::test]
async fn refused_certificate_is_looked_at_again_at_once() {
    let (files, first) = Files::new();
    let server = start(files.config(), hello());
    handshake(&server, &first, &HTTP1).await.unwrap();
    let second = files.replace();
    handshake(&server, &second, &HTTP1).await.unwrap_err();
    // The server may read of the refusal only after the next client came.
    let served = async { while handshake(&server, &second, &HTTP1).await.is_err() {} };
    timeout(PATIENCE, served).await.unwrap();
}
