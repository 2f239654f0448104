//! The certificate that new connections are shown, renewed while the server runs.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::time::Instant;

use crate::config::{Fault, TlsConfig, TlsContent};

/// How long the certificate is good before its files are looked at again.
const CHECK_INTERVAL: Duration = Duration::from_secs(60);

/// The certificate that is shown now.
#[derive(Debug)]
pub(super) struct Certificate {
    config: TlsConfig,
    current: ArcSwap<CertifiedKey>,
    state: Mutex<State>,
}

struct State {
    /// When the files were last looked at; `None` when they must be looked at again.
    checked_at: Option<Instant>,
    /// What they held then, usable or not.
    seen: Result<TlsContent, Fault>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("checked_at", &self.checked_at)
            .finish_non_exhaustive()
    }
}

impl Certificate {
    pub(super) fn new(config: TlsConfig) -> Self {
        let state = State {
            checked_at: Some(Instant::now()),
            seen: Ok(config.content()),
        };
        Self {
            current: ArcSwap::new(config.pair()),
            state: Mutex::new(state),
            config,
        }
    }

    /// Looks at the files, once a minute at most, and takes over what they hold now. A pair that can't be used leaves
    /// the old one in place and is logged once.
    ///
    /// The files are read in place, not on a thread of their own: they are small, local and rarely looked at.
    pub(super) fn renew(&self, now: Instant) {
        // The state is only replaced whole fields at a time, so it is sound even after a panic elsewhere.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |at: Instant| now.saturating_duration_since(at) < CHECK_INTERVAL;
        if state.checked_at.is_some_and(is_fresh) {
            return;
        }
        state.checked_at = Some(now);
        let content = self.config.content_now();
        if content == state.seen {
            return;
        }
        state.seen = content;
        match state.seen.clone().and_then(|content| content.pair()) {
            Ok(pair) => {
                self.current.store(pair);
                tracing::info!("certificate renewed");
            }
            Err(fault) => tracing::warn!(
                variable = fault.name,
                reason = fault.message,
                "certificate not renewed"
            ),
        }
    }

    /// The certificate with its key.
    pub(super) fn current(&self) -> Arc<CertifiedKey> {
        self.current.load_full()
    }

    /// A client refused the certificate: the next one causes a look at the files, because there may be a better one.
    pub(super) fn doubt(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.checked_at = None;
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}
