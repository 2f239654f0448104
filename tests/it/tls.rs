//! TLS that ends at the server: the shipped binary with a certificate of a CA of our own, no proxy in front.

use std::path::Path;
use std::process::Output;

use http::Version;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;

use crate::harness::upstream::Upstream;
use crate::harness::upstream::tiktok::{Item, Post};
use crate::harness::{Builder, TestServer, fetch, tls_client};

const VIDEO: &str = "7524919459643919501";
/// Fails a test that waits for something that never comes.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// A CA, and the chain and key that it gave to `localhost`.
struct Issued {
    root: CertificateDer<'static>,
    chain: String,
    key: String,
}

impl Issued {
    fn new() -> Self {
        let ca_key = KeyPair::generate().expect("key");
        let mut params = CertificateParams::new(Vec::new()).expect("params");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&ca_key).expect("root");
        let issuer = Issuer::new(params, ca_key);
        let key = KeyPair::generate().expect("key");
        let names = ["localhost", "127.0.0.1"].map(str::to_owned);
        let leaf = CertificateParams::new(names)
            .expect("names")
            .signed_by(&key, &issuer)
            .expect("leaf");
        Self {
            chain: leaf.pem() + &root.pem(),
            root: root.der().clone(),
            key: key.serialize_pem(),
        }
    }

    fn given_to(&self, builder: Builder) -> Builder {
        builder
            .file("cert.pem", &self.chain)
            .file("key.pem", &self.key)
            .env("TLS_CERT_FILE", "cert.pem")
            .env("TLS_KEY_FILE", "key.pem")
    }

    /// A client that trusts the CA and offers one protocol.
    fn client(&self, protocol: &[u8]) -> reqwest::Client {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).expect("root");
        let client = tls_client(roots, &[protocol]).no_proxy().build();
        client.expect("client")
    }
}

fn host(server: &TestServer) -> &str {
    server.base().strip_prefix("https://").expect("https")
}

/// `serverrs health` in the surroundings of a server that listens at `host`.
async fn health(dir: &Path, host: &str) -> Output {
    let (address, port) = host.rsplit_once(':').expect("a port");
    Command::new(env!("CARGO_BIN_EXE_serverrs"))
        .arg("health")
        .env_clear()
        .current_dir(dir)
        .env("HOST", address)
        .env("PORT", port)
        .env("TLS_CERT_FILE", "cert.pem")
        .env("TLS_KEY_FILE", "key.pem")
        .output()
        .await
        .expect("the binary under test")
}

#[tokio::test]
async fn download_is_byte_exact_over_both_protocols() {
    let upstream = Upstream::start().await;
    let item = Item::video(VIDEO);
    Post::new(&item).serve(&upstream.world);
    let issued = Issued::new();
    let server = issued.given_to(Builder::new(&upstream)).start().await;
    let address = item.json()["video"]["playAddr"].clone();
    let media = upstream.world.media_at(address.as_str().expect("text"));
    for (protocol, version) in [("http/1.1", Version::HTTP_11), ("h2", Version::HTTP_2)] {
        let client = issued.client(protocol.as_bytes());
        let question = serde_json::json!({ "url": Post::new(&item).url() }).to_string();
        let resolving = client
            .post(format!("{}/tiktok", server.base()))
            .header("content-type", "application/json")
            .body(question);
        let post = fetch(resolving).await.json();
        let link = post["download_link"]["no_watermark_hd"].as_str();
        let link = link.expect("a link");
        let (_, port) = host(&server).rsplit_once(':').expect("a port");
        assert!(
            link.starts_with(&format!("https://localhost:{port}/stream?")),
            "{link}"
        );
        let head = client.head(link).send().await.expect("a head");
        assert_eq!(head.version(), version);
        let file = fetch(client.get(link)).await;
        assert!(file.is_whole, "{protocol}");
        assert_eq!(file.sha256(), media.payload.sha256(), "{protocol}");
    }
    upstream.world.assert_no_unknown();
}

#[tokio::test]
async fn silent_and_plain_clients_are_closed() {
    let issued = Issued::new();
    let server = issued
        .given_to(Builder::offline())
        .env("HEADER_TIMEOUT", "1")
        .start()
        .await;
    // The first bytes of a handshake alone, too.
    let plain = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for sent in ["", "\x16\x03\x01\x02\0\x01", plain] {
        let mut client = TcpStream::connect(host(&server)).await.expect("connected");
        client.write_all(sent.as_bytes()).await.expect("sent");
        let mut answer = Vec::new();
        // What is left unread at the close may turn the end into a reset.
        let _ = timeout(PATIENCE, client.read_to_end(&mut answer))
            .await
            .expect("closed");
        assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    }
    let client = issued.client(b"h2");
    let health = fetch(client.get(format!("{}/health", server.base()))).await;
    assert_eq!(health.status, 200);
}

#[tokio::test]
async fn health_trusts_the_configured_certificate_alone_and_renewal_is_seen() {
    let issued = Issued::new();
    let server = issued.given_to(Builder::offline()).start().await;
    let well = health(server.dir(), host(&server)).await;
    assert!(well.status.success(), "{well:?}");
    // Another server at that address is not ours.
    let other = Issued::new().given_to(Builder::offline()).start().await;
    let foreign = health(server.dir(), host(&other)).await;
    assert!(!foreign.status.success(), "{foreign:?}");
    let renewed = Issued::new();
    std::fs::write(server.dir().join("cert.pem"), &renewed.chain).expect("chain");
    std::fs::write(server.dir().join("key.pem"), &renewed.key).expect("key");
    let well = health(server.dir(), host(&server)).await;
    assert!(well.status.success(), "{well:?}");
    let client = renewed.client(b"http/1.1");
    let answer = fetch(client.get(format!("{}/health", server.base()))).await;
    assert_eq!(answer.status, 200);
    let logs = server.logs();
    assert!(logs.contains("certificate renewed"), "{logs}");
    assert!(!logs.contains("PRIVATE KEY"), "{logs}");
}

#[tokio::test]
async fn server_with_half_a_pair_or_a_foreign_key_does_not_start() {
    let (issued, other) = (Issued::new(), Issued::new());
    let half = issued.given_to(Builder::offline()).without("TLS_CERT_FILE");
    let foreign = issued
        .given_to(Builder::offline())
        .file("key.pem", &other.key);
    for (builder, name) in [(half, "TLS_CERT_FILE"), (foreign, "TLS_KEY_FILE")] {
        let (status, output) = builder.run_to_end().await;
        assert_eq!(status.code(), Some(78), "{output}");
        assert!(output.contains(&format!("  {name}: ")), "{output}");
    }
}
