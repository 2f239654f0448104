//! TLS that ends here: the handshake of a connection, over TCP and under HTTP.

use std::fmt;
use std::io::{Error, Result};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::server::ResolvesServerCert;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::certificate::Certificate;
use super::wire::Wire;
use crate::config::TlsConfig;

/// What may be spoken inside, by preference (RFC 7301 §6).
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Makes TLS of TCP.
pub(super) struct Tls {
    acceptor: TlsAcceptor,
    certificate: Arc<Certificate>,
}

impl Tls {
    #[expect(
        clippy::expect_used,
        reason = "ring has cipher suites for both versions of TLS"
    )]
    pub(super) fn new(config: TlsConfig) -> Self {
        let certificate = Arc::new(Certificate::new(config));
        let mut tls = rustls::ServerConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("ring speaks TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&certificate) as Arc<dyn ResolvesServerCert>);
        tls.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        Self {
            acceptor: Arc::new(tls).into(),
            certificate,
        }
    }

    /// The handshake of a new connection. The caller sets the deadline.
    ///
    /// # Errors
    /// The client left, spoke no TLS, or nothing that we speak too.
    pub(super) async fn accept(&self, wire: Wire) -> Result<TlsStream<Wire>> {
        self.certificate.renew(Instant::now());
        let accepted = self.acceptor.accept(wire).await;
        if accepted.as_ref().is_err_and(is_refusal) {
            self.certificate.doubt();
        }
        accepted
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

/// Whether the client broke the handshake off with an alert, as it does when it doesn't like the certificate.
fn is_refusal(error: &Error) -> bool {
    let error = error.get_ref().and_then(|error| error.downcast_ref());
    matches!(error, Some(rustls::Error::AlertReceived(_)))
}
