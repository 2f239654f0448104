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

#[tokio::test]
async fn dial_private_target_is_refused_before_a_connection() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let refused = dialer(&[]).dial(&host("127.0.0.1"), port, false).await;
    assert!(matches!(
        refused,
        Err(DialError::Refused(TargetRefused::Private))
    ));
    let pending =
        std::future::poll_fn(|cx| std::task::Poll::Ready(listener.poll_accept(cx).is_pending()));
    assert!(pending.await);
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
