//! A plain HTTP client for the server under test: no proxy, no redirects, no decompression.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};

use super::canary::{assert_no_secret_in, looked_through};
use super::upstream::sha256_hex;

/// Longest time for one request; a hang is a failure, not a hanging test run.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer, and how much of it came.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// Status.
    pub(crate) status: StatusCode,
    /// Headers.
    pub(crate) headers: HeaderMap,
    /// The bytes that came.
    pub(crate) body: Bytes,
    /// Whether the answer ended as HTTP says it should.
    pub(crate) is_whole: bool,
}

impl Fetched {
    /// SHA-256 of the body in hex.
    pub(crate) fn sha256(&self) -> String {
        sha256_hex(&self.body)
    }

    /// The text of a header; empty when it isn't there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("a header in ASCII"))
    }

    /// Head and body of an answer of a route, of which media are left out, and what it may name of a site's.
    fn text(&self, route: &str) -> String {
        let kind = self.headers.get(http::header::CONTENT_TYPE);
        let kind = kind.map_or(&b""[..], |kind| kind.as_bytes());
        let kind = String::from_utf8_lossy(kind);
        let mut kinds = ["json", "text", "html"].iter();
        let is_text = kind.is_empty() || kinds.any(|part| kind.contains(part));
        let body = if is_text { &self.body[..] } else { b"" };
        let body = looked_through(route, &String::from_utf8_lossy(body), self.is_whole);
        format!("{:?}\n{body}", self.headers)
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {text}"))
    }
}

/// A client of one server.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    base: String,
    client: reqwest::Client,
}

impl Api {
    /// A client for the server at `base`.
    pub(crate) fn new(base: &str) -> Self {
        Self {
            base: base.trim_end_matches('/').to_owned(),
            client: plain_client().build().expect("client"),
        }
    }

    /// Address of the server without a slash at the end.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Posts a link to `/tiktok`.
    pub(crate) async fn post_tiktok(&self, url: &str) -> (StatusCode, HeaderMap, Value) {
        let fetched = self
            .post("/tiktok", &json!({ "url": url }).to_string())
            .await;
        (fetched.status, fetched.headers.clone(), fetched.json())
    }

    /// Posts a link that must be resolved, and returns the answer's body.
    pub(crate) async fn resolve(&self, url: &str) -> Value {
        let (status, _, body) = self.post_tiktok(url).await;
        assert_eq!(status, StatusCode::OK, "{url}: {body:#}");
        body
    }

    /// Posts a JSON text to a route.
    pub(crate) async fn post(&self, route: &str, body: &str) -> Fetched {
        let request = self
            .client
            .post(format!("{}{route}", self.base))
            .header("content-type", "application/json")
            .body(body.to_owned());
        fetch(request).await
    }

    /// Fetches a link of an answer, or a route of this server.
    pub(crate) async fn get(&self, link: &str) -> Fetched {
        fetch(self.request(Method::GET, link)).await
    }

    /// Asks for the head of a link.
    pub(crate) async fn head(&self, link: &str) -> Fetched {
        fetch(self.request(Method::HEAD, link)).await
    }

    /// Fetches a part of a link.
    pub(crate) async fn get_range(&self, link: &str, range: &str) -> Fetched {
        let request = self.request(Method::GET, link).header("range", range);
        fetch(request).await
    }

    /// A request to be completed by the test.
    pub(crate) fn request(&self, method: Method, link: &str) -> reqwest::RequestBuilder {
        let base = if link.starts_with('/') {
            &self.base
        } else {
            ""
        };
        let address = format!("{base}{link}");
        self.client.request(method, address)
    }
}

/// A client without any of the surroundings' settings.
pub(crate) fn plain_client() -> reqwest::ClientBuilder {
    client_with_roots(rustls::RootCertStore::empty())
        .no_proxy()
        .no_gzip()
        .no_brotli()
        .no_deflate()
}

/// A client that trusts only these roots.
pub(crate) fn client_with_roots(roots: rustls::RootCertStore) -> reqwest::ClientBuilder {
    tls_client(roots, &[])
}

/// As [`client_with_roots`], and offers these protocols.
pub(crate) fn tls_client(
    roots: rustls::RootCertStore,
    protocols: &[&[u8]],
) -> reqwest::ClientBuilder {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
}

/// Sends a request and reads the answer to its end, or to where it breaks off.
///
/// # Panics
/// There is no answer, or a secret in it.
pub(crate) async fn fetch(request: reqwest::RequestBuilder) -> Fetched {
    try_fetch(request).await.expect("an answer")
}

/// As [`fetch`], when there may be no answer at all.
pub(crate) async fn try_fetch(request: reqwest::RequestBuilder) -> reqwest::Result<Fetched> {
    let mut response = request.send().await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let route = response.url().path().to_owned();
    let mut body = Vec::new();
    let is_whole = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break true,
            Err(error) => {
                assert!(!error.is_timeout(), "hangs after {} bytes", body.len());
                break false;
            }
        }
    };
    let fetched = Fetched {
        status,
        headers,
        body: body.into(),
        is_whole,
    };
    assert_no_secret_in(&fetched.text(&route));
    Ok(fetched)
}
