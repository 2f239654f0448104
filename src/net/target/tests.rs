//! The guard of ingests, and dialling.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use url::Host;

use super::*;
use crate::config::Env;
use crate::net::ClientConfig;

fn config(pairs: &[(&str, &str)]) -> TargetConfig {
    let mut env = Env::from_pairs(pairs.iter().copied());
    let config = TargetConfig::from_env(&mut env);
    env.finish().unwrap();
    config
}

fn host(text: &str) -> Host {
    Host::parse(text).unwrap()
}

fn dialer(pairs: &[(&str, &str)]) -> TargetDialer {
    let mut env = Env::from_pairs(pairs.iter().copied());
    let (config, client) = (
        TargetConfig::from_env(&mut env),
        ClientConfig::from_env(&mut env),
    );
    env.finish().unwrap();
    TargetDialer::new(config, &client).unwrap()
}

#[test]
fn target_private_by_its_own_words_is_refused() {
    let config = config(&[]);
    for text in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "10.0.0.5",
        "169.254.169.254",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[fd00::1]",
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "nas",
        "nas.local",
        "metadata.google.internal",
        "router.home.arpa",
    ] {
        assert_eq!(
            config.check(&host(text), 1935),
            Err(TargetRefused::Private),
            "{text}"
        );
    }
    for text in [
        "live.example",
        "8.8.8.8",
        "[2a00:1450::1]",
        "local.example",
        "notlocalhost.example",
    ] {
        assert_eq!(config.check(&host(text), 1935), Ok(()), "{text}");
    }
}

#[test]
fn target_exception_holds_for_its_host_and_port_alone() {
    let pairs = [
        (
            "BROADCAST_ALLOW_PRIVATE_TARGETS",
            "127.0.0.1:1935, nas.local:19350,[::1]:1935",
        ),
        ("BROADCAST_TARGET_ALLOW", "live.example"),
    ];
    let config = config(&pairs);
    for (text, port) in [
        ("127.0.0.1", 1935),
        ("nas.local", 19350),
        ("[::1]", 1935),
        ("a.live.example", 1),
    ] {
        assert_eq!(config.check(&host(text), port), Ok(()), "{text}");
    }
    for (text, port, why) in [
        ("127.0.0.1", 1936, TargetRefused::Private),
        ("127.0.0.2", 1935, TargetRefused::Private),
        ("nas.local", 1935, TargetRefused::Private),
        ("other.example", 1935, TargetRefused::NotListed),
        ("8.8.8.8", 1935, TargetRefused::NotListed),
    ] {
        assert_eq!(config.check(&host(text), port), Err(why), "{text}:{port}");
    }
}

#[test]
fn target_bad_exception_is_a_fault() {
    for text in [
        "10.0.0.5",
        "10.0.0.5:0",
        "10.0.0.5:99999",
        ":1935",
        "a b:1935",
        "10.0.0.0/8:1935",
    ] {
        let mut env = Env::from_pairs([("BROADCAST_ALLOW_PRIVATE_TARGETS", text)]);
        TargetConfig::from_env(&mut env);
        let faults = env.finish().unwrap_err().faults;
        assert_eq!(faults[0].name, "BROADCAST_ALLOW_PRIVATE_TARGETS", "{text}");
    }
}

/// A private target is refused, and nobody has come to the listener.
async fn assert_refused_unasked(
    dialer: &TargetDialer,
    (target, port): (&str, u16),
    listener: &TcpListener,
) {
    let refused = dialer.dial(&host(target), port, false).await;
    assert!(matches!(
        refused,
        Err(DialError::Refused(TargetRefused::Private))
    ));
    let pending =
        std::future::poll_fn(|cx| std::task::Poll::Ready(listener.poll_accept(cx).is_pending()));
    assert!(pending.await);
}

#[tokio::test]
async fn dial_private_target_is_refused_before_a_connection() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    assert_refused_unasked(&dialer(&[]), ("127.0.0.1", port), &listener).await;
}

#[tokio::test]
async fn dial_exception_connects_and_a_dead_port_says_so() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let SocketAddr::V4(address) = listener.local_addr().unwrap() else {
        unreachable!()
    };
    let named = address.to_string();
    let dialer = dialer(&[("BROADCAST_ALLOW_PRIVATE_TARGETS", &named)]);
    let local = host("127.0.0.1");
    let (dialled, accepted) = tokio::join!(
        dialer.dial(&local, address.port(), false),
        listener.accept()
    );
    dialled.unwrap().write_all(b"hello").await.unwrap();
    let mut text = String::new();
    accepted.unwrap().0.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "hello");
    drop(listener);
    let dead = dialer.dial(&local, address.port(), false).await;
    assert!(matches!(dead, Err(DialError::Connect(_))), "{dead:?}");
}

/// A TLS listener whose certificate is for `name`; its PEM file is a root of the dialer.
async fn dial_tls(certificate_for: &str, is_trusted: bool) -> Result<TargetStream, DialError> {
    let own = rcgen::generate_simple_self_signed([certificate_for.to_owned()]).unwrap();
    let key = own.signing_key.serialize_der().try_into().unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let port = listener.local_addr().unwrap().port();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), own.cert.pem()).unwrap();
    let root = [("EXTRA_CA_FILE", file.path().to_str().unwrap())];
    let exception = [("BROADCAST_ALLOW_PRIVATE_TARGETS", address.as_str())];
    let pairs = [&exception[..], if is_trusted { &root } else { &[] }].concat();
    let dialer = dialer(&pairs);
    let local = host("127.0.0.1");
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let accept = async {
        let (stream, _) = listener.accept().await.unwrap();
        acceptor.accept(stream).await
    };
    let (dialled, _accepted) = tokio::join!(dialer.dial(&local, port, true), accept);
    dialled
}

#[tokio::test]
async fn dial_tls_is_verified() {
    dial_tls("127.0.0.1", true).await.unwrap();
    for (name, is_trusted) in [("127.0.0.1", false), ("other.example", true)] {
        let error = dial_tls(name, is_trusted).await.unwrap_err();
        assert!(matches!(error, DialError::Tls(_)), "{error}");
    }
}

/// Reads what a client asks of a proxy, up to this end.
async fn asked(stream: &mut tokio::net::TcpStream, end: &[u8]) -> String {
    let mut text = Vec::new();
    while !text.ends_with(end) {
        text.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// A dialer with one way out, and the listener that this way leads to.
async fn proxied(scheme: &str, credentials: &str) -> (TargetDialer, TcpListener) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let proxy = url::Url::parse(&format!("{scheme}://{credentials}{address}")).unwrap();
    let via = Via {
        source: None,
        proxy: Some(proxy),
    };
    let dialer = dialer(&[]).with_ways([(Arc::from("a"), via)]);
    (dialer.by(Some("a")).unwrap(), listener)
}

/// Dials an ingest and says hello there; gives what `proxy` has read behind its own part.
async fn heard_behind(dialer: &TargetDialer, proxy: impl Future<Output = String>) -> String {
    let client = async {
        let target = host("ingest.example");
        let mut stream = dialer.dial(&target, 1935, false).await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        stream.flush().await.unwrap();
    };
    let (heard, ()) = tokio::join!(proxy, client);
    heard
}

#[tokio::test]
async fn dial_by_a_way_that_is_not_there_is_no_dial() {
    let (dialer, _listener) = proxied("http", "").await;
    assert!(dialer.by(Some("b")).is_none() && dialer.by(None).is_some());
}

#[tokio::test]
async fn dial_through_a_proxy_leaves_the_name_to_it() {
    let (dialer, listener) = proxied("http", "u:p%40@").await;
    let proxy = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let text = asked(&mut stream, b"\r\n\r\n").await;
        assert!(
            text.starts_with("CONNECT ingest.example:1935 HTTP/1.1\r\n"),
            "{text}"
        );
        // `u:p@` in base64.
        assert!(
            text.to_lowercase()
                .contains("proxy-authorization: basic dtpwqa=="),
            "{text}"
        );
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        asked(&mut stream, b"hello").await
    };
    assert_eq!(heard_behind(&dialer, proxy).await, "hello");
}

#[tokio::test]
async fn dial_through_socks_leaves_the_name_to_it() {
    let (dialer, listener) = proxied("socks5h", "").await;
    let proxy = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        // RFC 1928: the greeting with its methods, then CONNECT to a name.
        assert_eq!(stream.read_u8().await.unwrap(), 5);
        let methods = usize::from(stream.read_u8().await.unwrap());
        stream.read_exact(&mut vec![0; methods]).await.unwrap();
        stream.write_all(&[5, 0]).await.unwrap();
        let mut head = [0; 5];
        stream.read_exact(&mut head).await.unwrap();
        assert_eq!(head, [5, 1, 0, 3, 14]);
        let mut name = [0; 16];
        stream.read_exact(&mut name).await.unwrap();
        assert_eq!(name, *b"ingest.example\x07\x8f");
        stream
            .write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
            .await
            .unwrap();
        asked(&mut stream, b"hello").await
    };
    assert_eq!(heard_behind(&dialer, proxy).await, "hello");
}

#[tokio::test]
async fn dial_through_a_proxy_is_refused_where_the_address_says_so() {
    let (dialer, listener) = proxied("http", "").await;
    assert_refused_unasked(&dialer, ("10.0.0.5", 1935), &listener).await;
}

#[tokio::test]
async fn dial_through_a_proxy_that_says_no_is_no_connection() {
    let (dialer, listener) = proxied("http", "u:secret@").await;
    let proxy = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        asked(&mut stream, b"\r\n\r\n").await;
        stream
            .write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n")
            .await
            .unwrap();
    };
    let target = host("ingest.example");
    let (dialled, ()) = tokio::join!(dialer.dial(&target, 1935, false), proxy);
    let error = dialled.unwrap_err();
    assert!(matches!(error, DialError::Connect(_)), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn dial_from_a_local_address_comes_from_there() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let exception = [("BROADCAST_ALLOW_PRIVATE_TARGETS", address.to_string())];
    let exception = exception
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let via = Via {
        source: Some([127, 0, 0, 2].into()),
        proxy: None,
    };
    let dialer = dialer(&exception).with_ways([(Arc::from("a"), via)]);
    let dialer = dialer.by(Some("a")).unwrap();
    let local = host("127.0.0.1");
    let (dialled, accepted) = tokio::join!(
        dialer.dial(&local, address.port(), false),
        listener.accept()
    );
    dialled.unwrap();
    assert_eq!(accepted.unwrap().1.ip(), Ipv4Addr::new(127, 0, 0, 2));
}
