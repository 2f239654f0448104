//! Sealing and opening links (api.md §6, rulings 9 and 24).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use super::keys::{KeyRing, OVERHEAD_BYTES};
use super::{Link, LinksConfig, Purpose, claims};
use crate::clock::Clock;
use crate::config::Secret;

/// Longest link accepted, in characters as sent (ruling 8).
const MAX_INCOMING_CHARS: usize = 8 * 1024;
/// Longest link made, in characters (ruling 8): every server and proxy on the way takes that.
const MAX_EMITTED_CHARS: usize = 4_000;

/// Why a link is refused. Nothing finer is ever told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Not one of our links for this purpose.
    #[error("invalid link")]
    Invalid,
    /// Ours, but too old.
    #[error("expired link")]
    Expired,
}

/// Seals and opens links. Keys are derived on first use, or by [`Sealer::warm_up`] in the background.
#[derive(Debug)]
pub struct Sealer {
    key: Option<Secret>,
    previous: Vec<Secret>,
    ttl_seconds: u64,
    clock: Clock,
    ring: OnceCell<KeyRing>,
}

impl Sealer {
    /// A sealer for these settings; derives nothing yet.
    pub fn new(config: &LinksConfig, clock: Clock) -> Self {
        Self {
            key: config.key.clone(),
            previous: config.previous.clone(),
            ttl_seconds: config.ttl.as_secs(),
            clock,
            ring: OnceCell::new(),
        }
    }

    /// Derives the keys; about 0.1 s of CPU each, so off the async threads. Later calls return at once.
    pub async fn warm_up(&self) {
        self.ring().await;
    }

    /// The expiry of a link made now, as a Unix second.
    pub fn expiry(&self) -> u64 {
        self.clock.unix_seconds().saturating_add(self.ttl_seconds)
    }

    /// Seals a link: base64url without padding, at most 4,000 characters; the hint is left out when it would be longer.
    pub async fn seal(&self, purpose: Purpose, link: &Link) -> String {
        seal(self.ring().await, purpose, link)
    }

    /// Opens a link: trimmed of white space and trailing `=`, then strict.
    ///
    /// # Errors
    /// [`LinkError::Invalid`] for anything that is not ours for this purpose, [`LinkError::Expired`] after its time.
    pub async fn open(&self, purpose: Purpose, text: &str) -> Result<Link, LinkError> {
        let link = open(self.ring().await, purpose, text).ok_or(LinkError::Invalid)?;
        if self.clock.unix_seconds() >= link.expires_at {
            return Err(LinkError::Expired);
        }
        Ok(link)
    }

    /// Whether what is sealed can be opened by later processes too.
    pub fn is_lasting(&self) -> bool {
        self.key.is_some()
    }

    /// Seals a secret that is kept here; it opens in the same context only.
    pub async fn seal_secret(&self, context: &str, secret: &[u8]) -> Vec<u8> {
        self.ring().await.seal_secret(context, secret)
    }

    /// Opens a secret that was kept; `None` when it was sealed under another key or in another context.
    pub async fn open_secret(&self, context: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.ring().await.open_secret(context, sealed)
    }

    /// A name of 32 hexadecimal digits for `text`: the same wherever this key seals, and nothing to whoever has no key. After
    /// a change of the key it is another one.
    pub async fn pseudonym(&self, text: &str) -> String {
        format!("{:032x}", self.ring().await.pseudonym(text))
    }

    async fn ring(&self) -> &KeyRing {
        self.ring.get_or_init(|| self.derive()).await
    }

    async fn derive(&self) -> KeyRing {
        let (key, previous) = (self.key.clone(), self.previous.clone());
        let derive = move || KeyRing::derive(key.as_ref(), &previous);
        // It fails only when the runtime is shutting down; then this thread may as well be held up.
        match tokio::task::spawn_blocking(derive.clone()).await {
            Ok(ring) => ring,
            Err(_stopped) => derive(),
        }
    }
}

#[expect(
    clippy::expect_used,
    reason = "text and numbers always have a JSON form"
)]
fn seal(ring: &KeyRing, purpose: Purpose, link: &Link) -> String {
    let write = |hint| claims::write(link, hint).expect("text and numbers have a JSON form");
    let mut claims = write(link.hint.as_ref());
    if emitted_chars(&claims) > MAX_EMITTED_CHARS {
        claims = write(None);
    }
    URL_SAFE_NO_PAD.encode(ring.seal(purpose, &claims))
}

fn emitted_chars(claims: &[u8]) -> usize {
    let sealed = claims.len().saturating_add(OVERHEAD_BYTES);
    sealed.saturating_mul(4).div_ceil(3)
}

pub(super) fn open(ring: &KeyRing, purpose: Purpose, text: &str) -> Option<Link> {
    if text.len() > MAX_INCOMING_CHARS {
        return None;
    }
    // Old clients pad and wrap links (ruling 24). The engine refuses what is not canonical, so that there is one
    // spelling of each link.
    let sealed = URL_SAFE_NO_PAD
        .decode(text.trim().trim_end_matches('='))
        .ok()?;
    claims::read(&ring.open(purpose, &sealed)?)
}

#[cfg(test)]
mod tests;
