//! Tokens from a provider of the operator's own, a server that runs the site's check in a browser engine.
//!
//! Speaks the protocol of bgutil-ytdlp-pot-provider (its server and its plugin for yt-dlp, read 2026-11): `GET /ping`
//! tells that it is there, `POST /get_pot` with `content_binding` makes a token for what it is bound to. The provider
//! is asked only for clients whose table says so. What it answers is held against limits; a provider that fails or
//! hangs costs a warning and the client, never the extraction.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use moka::Expiry;
use moka::future::Cache;
use serde::Deserialize;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tracing::{info, warn};

use super::SITE;
use super::clients::ProviderRules;
use super::tokens::is_token;
use crate::clock::Clock;
use crate::config::Env;
use crate::extract::lenient::Text;
use crate::net::{NetError, OwnService, ServiceRequest};

/// Largest answer in bytes; a token is some 200 long.
const MAX_ANSWER: usize = 64 * 1024;
/// Characters of its version that are told.
const MAX_VERSION: usize = 32;
/// Tokens that are kept.
const MAX_TOKENS: u64 = 1000;
/// Longest life that is believed.
const MAX_LIFE: Duration = Duration::from_secs(24 * 3600);
/// What a token is replaced before its end.
const MARGIN: Duration = Duration::from_secs(60);

/// The provider, and the tokens it made.
#[derive(Debug)]
pub(super) struct Provider {
    service: OwnService,
    rules: ProviderRules,
    clock: Clock,
    tokens: Cache<String, Arc<Minted>>,
    health: Mutex<Health>,
}

/// A token and how long it is used.
#[derive(Debug)]
struct Minted {
    token: String,
    life: Duration,
}

/// What is known of the provider.
#[derive(Debug, Clone, Copy)]
enum Health {
    /// Nothing yet, or it failed some time ago: it is pinged before it is asked.
    Unknown,
    /// It answered.
    Good,
    /// It failed then, and is left alone for a while.
    Paused(Instant),
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
enum ProviderError {
    #[error(transparent)]
    Net(#[from] NetError),
    #[error("answered with status {0}")]
    Status(StatusCode),
    #[error("{0}")]
    Answer(&'static str),
}

/// `POST /get_pot`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Answer {
    po_token: Text,
    content_binding: Text,
    expires_at: Text,
}

/// `GET /ping`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Ping {
    version: Text,
}

/// Each token has a life of its own.
struct Life;

impl Expiry<String, Arc<Minted>> for Life {
    fn expire_after_create(
        &self,
        _: &String,
        minted: &Arc<Minted>,
        _: Instant,
    ) -> Option<Duration> {
        Some(minted.life)
    }
}

impl Provider {
    /// Reads `YOUTUBE_POT_PROVIDER_URL`.
    pub(super) fn from_env(env: &mut Env, rules: ProviderRules, clock: Clock) -> Option<Self> {
        Some(Self {
            service: OwnService::from_env(env, "YOUTUBE_POT_PROVIDER_URL")?,
            rules,
            clock,
            tokens: Cache::builder()
                .max_capacity(MAX_TOKENS)
                .expire_after(Life)
                .build(),
            health: Mutex::new(Health::Unknown),
        })
    }

    /// A token for what it is bound to; `None` when the provider gives none, which is in the log.
    pub(super) async fn token(&self, binding: &str) -> Option<String> {
        if let Some(minted) = self.tokens.get(binding).await {
            return Some(minted.token.clone());
        }
        if self.is_paused() {
            return None;
        }
        // Those who want the same token at the same time wait for one request.
        let minted = self
            .tokens
            .try_get_with(binding.to_owned(), self.mint(binding))
            .await;
        match minted {
            Ok(minted) => Some(minted.token.clone()),
            Err(error) => {
                self.pause(&error);
                None
            }
        }
    }

    async fn mint(&self, binding: &str) -> Result<Arc<Minted>, ProviderError> {
        if !matches!(*self.health(), Health::Good) {
            self.ping().await?;
        }
        let request = ServiceRequest {
            method: Method::POST,
            path: "get_pot",
            body: Some(json!({ "content_binding": binding }).to_string().into()),
            max_bytes: MAX_ANSWER,
            timeout: self.rules.timeout,
        };
        let (status, body) = self.service.ask(request).await?;
        if !status.is_success() {
            return Err(ProviderError::Status(status));
        }
        let minted = self.read(&body, binding)?;
        *self.health() = Health::Good;
        Ok(Arc::new(minted))
    }

    /// Asks whether it is there: a provider that hangs is told by this sooner than by the token that doesn't come.
    async fn ping(&self) -> Result<(), ProviderError> {
        let request = ServiceRequest {
            method: Method::GET,
            path: "ping",
            body: None,
            max_bytes: MAX_ANSWER,
            timeout: self.rules.ping_timeout,
        };
        let (status, body) = self.service.ask(request).await?;
        // Versions before 0.5 have no such path.
        if status == StatusCode::NOT_FOUND {
            return Ok(());
        }
        if !status.is_success() {
            return Err(ProviderError::Status(status));
        }
        let version = version(&body)?;
        info!(site = SITE, version, "token provider is there");
        Ok(())
    }

    /// The token for `binding` in an answer.
    fn read(&self, body: &[u8], binding: &str) -> Result<Minted, ProviderError> {
        let answer: Answer =
            serde_json::from_slice(body).map_err(|_| ProviderError::Answer("answered no JSON"))?;
        let token = answer.po_token.text();
        if !is_token(token) {
            return Err(ProviderError::Answer("gave no token"));
        }
        let bound_to = answer.content_binding.text();
        if !bound_to.is_empty() && bound_to != binding {
            return Err(ProviderError::Answer("gave a token for something else"));
        }
        Ok(Minted {
            token: token.to_owned(),
            life: self.life(answer.expires_at.text()),
        })
    }

    /// How long a token is used that ends at this time.
    fn life(&self, expires_at: &str) -> Duration {
        let Ok(end) = OffsetDateTime::parse(expires_at, &Rfc3339) else {
            return self.rules.token_life;
        };
        let end = u64::try_from(end.unix_timestamp()).unwrap_or(0);
        let left = end.saturating_sub(self.clock.unix_seconds());
        Duration::from_secs(left)
            .saturating_sub(MARGIN)
            .min(MAX_LIFE)
    }

    fn is_paused(&self) -> bool {
        let mut health = self.health();
        match *health {
            Health::Paused(since) if since.elapsed() < self.rules.pause => true,
            Health::Paused(_) => {
                *health = Health::Unknown;
                false
            }
            Health::Unknown | Health::Good => false,
        }
    }

    fn pause(&self, error: &ProviderError) {
        warn!(site = SITE, %error, "token provider gives no token");
        *self.health() = Health::Paused(Instant::now());
    }

    fn health(&self) -> std::sync::MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The version in an answer to a ping.
fn version(body: &[u8]) -> Result<String, ProviderError> {
    let ping: Ping =
        serde_json::from_slice(body).map_err(|_| ProviderError::Answer("is no provider"))?;
    Ok(ping.version.text().chars().take(MAX_VERSION).collect())
}

/// Reads any bytes as both kinds of answer: a token is one, for what was asked, and its life is bounded.
#[cfg(any(test, feature = "fuzz"))]
pub(super) fn read_anything(provider: &Provider, data: &[u8]) {
    if let Ok(minted) = provider.read(data, "visitor") {
        assert!(is_token(&minted.token), "{}", minted.token);
        assert!(minted.life <= MAX_LIFE, "{:?}", minted.life);
    }
    if let Ok(version) = version(data) {
        assert!(version.chars().count() <= MAX_VERSION, "{version}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider() -> Provider {
        let mut env = Env::from_pairs([("YOUTUBE_POT_PROVIDER_URL", "http://127.0.0.1:9")]);
        let rules = ProviderRules::default();
        let now = std::time::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        Provider::from_env(&mut env, rules, Clock::Fixed(now)).unwrap()
    }

    fn read(json: &serde_json::Value) -> Result<(String, u64), String> {
        let minted = provider().read(json.to_string().as_bytes(), "visitor");
        minted
            .map(|minted| (minted.token, minted.life.as_secs()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn answer_gives_token_and_life() {
        let default = ProviderRules::default().token_life.as_secs();
        for (ends, life) in [
            // 2027-01-15T08:00:00Z is second 1,800,000,000.
            (json!("2027-01-15T09:00:00.000Z"), 3600 - 60),
            (json!("2027-01-15T10:00:00+01:00"), 3600 - 60),
            (json!("2030-01-01T00:00:00Z"), 24 * 3600),
            (json!("2020-01-01T00:00:00Z"), 0),
            (json!("soon"), default),
            (json!(null), default),
            (json!({}), default),
        ] {
            let answer =
                json!({"poToken": "Mn-_a=", "contentBinding": "visitor", "expiresAt": ends});
            assert_eq!(read(&answer), Ok(("Mn-_a=".to_owned(), life)), "{ends}");
        }
    }

    #[test]
    fn answer_that_is_no_token_is_refused() {
        for answer in [
            json!({}),
            json!({"poToken": ""}),
            json!({"poToken": null}),
            json!({"poToken": ["a"]}),
            json!({"poToken": "a b"}),
            json!({"poToken": "a&ip=1"}),
            json!({"poToken": "a\r\nx: y"}),
            json!({"poToken": "a".repeat(4096)}),
            json!({"poToken": "abc", "contentBinding": "another"}),
            json!({"error": "no"}),
        ] {
            assert!(read(&answer).is_err(), "{answer}");
        }
    }
}
