//! Transfers over the server's own loop, to what only a client can judge: a pump that panics is no clean end.
//!
//! The shipped binary has no way to be made to panic, so this is as near as it gets: router and body are the test's, what
//! is between them and the socket is what ships.

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::get;
use http::header::CONTENT_LENGTH;
use tokio::net::TcpListener;

use super::*;
use crate::config::{Env, ServerConfig};
use crate::lifecycle::Lifecycle;
use crate::server::Server;

/// A server whose `/` is one transfer from `fake`.
async fn serve(fake: Fake) -> (String, Arc<Bench>) {
    let (fake, bench) = (Arc::new(fake), Arc::new(Bench::new()));
    let shared = Arc::clone(&bench);
    let handler = async move || {
        let transfer = shared.start(&fake, Ask::default()).await.unwrap();
        let mut response = Response::new(Body::new(transfer.body));
        if let Some(length) = transfer.head.content_length() {
            response.headers_mut().insert(CONTENT_LENGTH, length.into());
        }
        response
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let config = ServerConfig::from_env(&mut Env::default());
    let router = Router::new().route("/", get(handler));
    crate::task::spawn(Server::new(config, router, Lifecycle::new()).serve(listener));
    (address, bench)
}

fn client(is_h2: bool) -> reqwest::Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy()
        .timeout(Duration::from_secs(20));
    if is_h2 {
        builder.http2_prior_knowledge().build().unwrap()
    } else {
        builder.http1_only().build().unwrap()
    }
}

/// The bytes that a client gets, and whether the answer ended as HTTP says it should.
async fn fetch(address: &str, is_h2: bool) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    let mut response = match client(is_h2).get(address).send().await {
        Ok(response) => response,
        // On HTTP/2 the reset may overtake the head.
        Err(error) => {
            assert!(is_h2 && !error.is_timeout(), "{error}");
            return (bytes, false);
        }
    };
    loop {
        match response.chunk().await {
            Ok(Some(piece)) => bytes.extend_from_slice(&piece),
            Ok(None) => return (bytes, true),
            Err(error) => {
                assert!(!error.is_timeout(), "{error}");
                return (bytes, false);
            }
        }
    }
}

/// The same file under a length, and in chunks of unknown number.
fn answers() -> [Answer; 2] {
    let chunked = Answer::whole()
        .without("content-length")
        .with("transfer-encoding", "chunked");
    [Answer::whole(), chunked]
}

/// What a client sees of a file that comes slowly enough to arrive piece by piece, and then ends so.
async fn seen(answer: Answer, ending: Ending, is_h2: bool) -> (Vec<u8>, bool, Arc<Bench>) {
    let answer = answer.drip(Duration::from_millis(5)).cut(5 * PIECE, ending);
    let (address, bench) = serve(Fake::new(move |_| answer.clone())).await;
    let (bytes, is_whole) = fetch(&address, is_h2).await;
    (bytes, is_whole, bench)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pump_that_panics_breaks_the_connection() {
    for is_h2 in [false, true] {
        for answer in answers() {
            let (bytes, is_whole, bench) = seen(answer, Ending::Panic, is_h2).await;
            assert!(!is_whole, "{} bytes look whole", bytes.len());
            assert!(file().starts_with(&bytes));
            assert_eq!(bench.outcome(), Outcome::Lost);
            assert_eq!(bench.admission.active(), 0);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pump_that_is_cancelled_breaks_the_connection() {
    for is_h2 in [false, true] {
        for answer in answers() {
            let answer = answer.cut(5 * PIECE, Ending::Stall);
            let (address, bench) = serve(Fake::new(move |_| answer.clone())).await;
            let fetched = crate::task::spawn(async move { fetch(&address, is_h2).await });
            while bench.engine.stats().bytes < 5 * PIECE as u64 {
                tokio::task::yield_now().await;
            }
            bench.engine.shutdown_handles().cancel.cancel();
            let (bytes, is_whole) = fetched.await.unwrap();
            assert!(!is_whole && file().starts_with(&bytes));
            assert_eq!(bench.outcome(), Outcome::Cancelled);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pump_that_ends_well_is_a_clean_end() {
    for is_h2 in [false, true] {
        for answer in answers() {
            let (address, bench) = serve(Fake::new(move |_| answer.clone())).await;
            assert_eq!(fetch(&address, is_h2).await, (file().to_vec(), true));
            assert_eq!(bench.outcome(), Outcome::Complete);
        }
    }
}
