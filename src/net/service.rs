//! A helper service of the operator's own: asked directly, at the address that the configuration names.
//!
//! Neither the proxy nor the address guard stands between: the address never comes out of a request, and it usually is
//! on loopback or in a private network. No posted address can lead here, as this client asks nothing else.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use rustls::RootCertStore;
use url::Url;

use super::failure::{classify, message};
use super::page::read_capped;
use super::{NetError, Phase, tls};
use crate::config::Env;

/// Time to connect; the service is near.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// A request to the service.
#[derive(Debug, Clone)]
pub struct ServiceRequest {
    /// GET, POST or PUT.
    pub method: Method,
    /// Path below the service's own, without a leading slash.
    pub path: &'static str,
    /// JSON to send.
    pub body: Option<Bytes>,
    /// Largest answer in bytes.
    pub max_bytes: usize,
    /// Time for the whole answer.
    pub timeout: Duration,
}

/// A service at an address of the operator's choice.
#[derive(Clone)]
pub struct OwnService {
    base: Url,
    headers: HeaderMap,
    client: reqwest::Client,
}

impl fmt::Debug for OwnService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnService")
            .field("host", &self.base.host_str())
            .finish_non_exhaustive()
    }
}

impl OwnService {
    /// The service whose address the variable `name` holds; `None` when it is unset, or a fault that is noted.
    pub fn from_env(env: &mut Env, name: &str) -> Option<Self> {
        let text = env.text(name)?;
        let Some(base) = parse(&text) else {
            env.fault(
                name,
                "must be http:// or https:// with a host, without user, query and fragment",
            );
            return None;
        };
        // The roots tell their own faults.
        let roots = if base.scheme() == "https" {
            tls::roots_from_env(env)
        } else {
            RootCertStore::empty()
        };
        match Self::new(base, roots) {
            Ok(service) => Some(service),
            Err(error) => {
                env.fault(name, error);
                None
            }
        }
    }

    fn new(base: Url, roots: RootCertStore) -> Result<Self, NetError> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::client_config(&Arc::new(roots), &[b"http/1.1"])?)
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .no_proxy()
            .build()
            .map_err(|error| NetError::Setup(message(&error.without_url())))?;
        Ok(Self {
            base,
            headers: HeaderMap::new(),
            client,
        })
    }

    /// The service that listens at a port of this machine, without TLS.
    ///
    /// # Errors
    /// [`NetError::Setup`].
    pub(super) fn on_this_machine(port: u16) -> Result<Self, NetError> {
        let setup = |error: url::ParseError| NetError::Setup(error.to_string());
        let base = Url::parse(&format!("http://127.0.0.1:{port}/")).map_err(setup)?;
        Self::new(base, RootCertStore::empty())
    }

    /// The same, with these headers on every request.
    pub(super) fn with_headers(self, headers: HeaderMap) -> Self {
        Self { headers, ..self }
    }

    /// Asks, and reads the answer whole. Any status: the caller decides.
    ///
    /// # Errors
    /// Connection, time-out, size.
    pub async fn ask(&self, request: ServiceRequest) -> Result<(StatusCode, Bytes), NetError> {
        let host = self.base.host_str().unwrap_or_default();
        let limit = request.timeout;
        match tokio::time::timeout(limit, self.send(request, host)).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(NetError::Timeout {
                host: host.to_owned(),
                phase: Phase::Whole,
            }),
        }
    }

    async fn send(
        &self,
        request: ServiceRequest,
        host: &str,
    ) -> Result<(StatusCode, Bytes), NetError> {
        let mut url = self.base.clone();
        url.set_path(&format!(
            "{}/{}",
            self.base.path().trim_end_matches('/'),
            request.path
        ));
        let mut upstream = reqwest::Request::new(request.method, url);
        upstream.headers_mut().clone_from(&self.headers);
        if let Some(body) = request.body {
            let json = HeaderValue::from_static("application/json");
            upstream.headers_mut().insert(CONTENT_TYPE, json);
            *upstream.body_mut() = Some(body.into());
        }
        let answer = self.client.execute(upstream).await;
        let answer = answer.map_err(|error| classify(error, host, Phase::Head))?;
        let status = answer.status();
        let body = read_capped(answer, host, request.max_bytes).await?;
        Ok((status, body))
    }
}

fn parse(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    is_plain.then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_address_is_plain() {
        for text in [
            "http://127.0.0.1:4416",
            "https://pot.internal/",
            "http://provider:4416/base/",
        ] {
            assert!(parse(text).is_some(), "{text}");
        }
        for text in [
            "",
            "provider:4416",
            "ftp://provider",
            "http://user@provider",
            "http://provider/?a",
            "http://provider/#a",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn service_with_a_bad_address_is_a_fault() {
        let mut env = Env::from_pairs([("SERVICE", "socks5://x")]);
        assert!(OwnService::from_env(&mut env, "SERVICE").is_none());
        assert!(env.finish().unwrap_err().to_string().contains("SERVICE"));
    }
}
