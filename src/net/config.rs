//! Settings of the way out, read once at start.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;

use super::guard::AddressGuard;
use super::proxy::Proxies;
use super::tls;
use crate::config::Env;
use crate::observe::Extractions;

/// From the request for a page to the head of its answer, connecting included (reliability R4).
const PAGE_HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// The same for media, over all redirects.
const MEDIA_HEAD_TIMEOUT: Duration = Duration::from_secs(20);

/// Settings of the way out.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Counts that all clients share.
    pub(super) extractions: Extractions,
    /// Name of the way out, when there are several.
    pub(super) egress: Option<Arc<str>>,
    /// The local address that connections come from; `None` = the system's choice.
    pub(super) source: Option<IpAddr>,
    /// `PROXY`, else the standard variables.
    pub(super) proxies: Arc<Proxies>,
    /// Public roots, and those of `EXTRA_CA_FILE` and `SSL_CERT_FILE`.
    pub(super) roots: Arc<RootCertStore>,
    /// Public addresses, and the ranges of `ALLOW_PRIVATE_UPSTREAM`.
    pub(super) guard: Arc<AddressGuard>,
    /// `CONNECT_TIMEOUT`: DNS, TCP and TLS together.
    pub(super) connect_timeout: Duration,
    /// `STREAM_IDLE_TIMEOUT`: between two pieces of a media body.
    pub(super) idle_timeout: Duration,
    /// Head of a page.
    pub(super) page_head_timeout: Duration,
    /// Head of a media answer.
    pub(super) media_head_timeout: Duration,
}

impl ClientConfig {
    /// Reads `PROXY` (or `PROXY_FILE`), the standard proxy variables, `EXTRA_CA_FILE`, `SSL_CERT_FILE`,
    /// `ALLOW_PRIVATE_UPSTREAM`, `CONNECT_TIMEOUT` (10 s) and `STREAM_IDLE_TIMEOUT` (30 s).
    pub fn from_env(env: &mut Env) -> Self {
        Self {
            extractions: Extractions::default(),
            egress: None,
            source: None,
            proxies: Arc::new(Proxies::from_env(env)),
            roots: Arc::new(tls::roots_from_env(env)),
            guard: Arc::new(AddressGuard::from_env(env)),
            connect_timeout: env.seconds("CONNECT_TIMEOUT", 10, 1),
            idle_timeout: env.seconds("STREAM_IDLE_TIMEOUT", 30, 1),
            page_head_timeout: PAGE_HEAD_TIMEOUT,
            media_head_timeout: MEDIA_HEAD_TIMEOUT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_of_faults(pairs: &[(&str, &str)]) -> Vec<String> {
        let mut env = Env::from_pairs(pairs.iter().copied());
        ClientConfig::from_env(&mut env);
        let faults = env.finish().err().map(|error| error.faults);
        faults
            .unwrap_or_default()
            .into_iter()
            .map(|fault| fault.name)
            .collect()
    }

    #[test]
    fn config_empty_environment_has_no_fault() {
        assert_eq!(names_of_faults(&[]), Vec::<String>::new());
    }

    #[test]
    fn config_bad_values_name_their_variable() {
        let faults = names_of_faults(&[
            ("PROXY", "ftp://proxy.example"),
            ("EXTRA_CA_FILE", "/nonexistent/ca.pem"),
            ("SSL_CERT_FILE", "/nonexistent/roots.pem"),
            ("ALLOW_PRIVATE_UPSTREAM", "10.0.0.0/8, ten"),
            ("CONNECT_TIMEOUT", "0"),
            ("STREAM_IDLE_TIMEOUT", "soon"),
        ]);
        let expected = [
            "PROXY",
            "EXTRA_CA_FILE",
            "SSL_CERT_FILE",
            "ALLOW_PRIVATE_UPSTREAM",
            "CONNECT_TIMEOUT",
            "STREAM_IDLE_TIMEOUT",
        ];
        assert_eq!(faults, expected);
    }
}
