//! The shape of `identity.toml`: everything about TikTok's requests that drifts.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use crate::config::Env;
use crate::extract::hop::HopPolicy;
use crate::extract::identity::{
    Browsers, HeaderSet, HeaderText, Padding, PageHosts, load, milliseconds, user_agent_override,
    yes,
};

const EMBEDDED: &str = include_str!("identity.toml");

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Identity {
    pub(super) page: PageIdentity,
    pub(super) challenge: ChallengeLimits,
    pub(super) short: HopPolicy,
    pub(super) media: MediaIdentity,
    pub(super) app: AppIdentity,
}

/// How pages are asked, and how their answers are told apart.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageIdentity {
    pub(super) hosts: PageHosts,
    pub(super) max_bytes: usize,
    #[serde(rename = "timeout_ms", deserialize_with = "milliseconds")]
    pub(super) timeout: Duration,
    pub(super) max_redirects: usize,
    pub(super) captcha_marks: Vec<String>,
    pub(super) maintenance_marks: Vec<String>,
    pub(super) browsers: Browsers,
    pub(super) padding: Padding,
    pub(super) retry: RetryPolicy,
}

/// How often a page is asked again.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RetryPolicy {
    /// Further attempts after an answer without data.
    pub(super) no_data: usize,
    /// Further attempts after 5xx and time-outs.
    pub(super) trouble: usize,
    /// Time for all attempts together.
    #[serde(rename = "budget_ms", deserialize_with = "milliseconds")]
    pub(super) budget: Duration,
}

/// Bounds of the proof of work.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::extract) struct ChallengeLimits {
    /// Domain of the cookies that carry the answer.
    pub(in crate::extract) domain: String,
    /// Largest number that is tried.
    pub(in crate::extract) limit: u32,
}

/// How media are asked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MediaIdentity {
    pub(super) hosts: Vec<String>,
    #[serde(default = "yes")]
    pub(super) proves_tails: bool,
    pub(super) headers: HeaderSet,
    pub(super) cookie: MediaCookie,
}

/// Name of the cookie that media need. One that is known here: a link may carry it, so a file can't name another.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) enum MediaCookie {
    /// Given to each visitor; holds no account.
    #[serde(rename = "tt_chain_token")]
    ChainToken,
}

impl MediaCookie {
    /// The name as it is sent.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ChainToken => "tt_chain_token",
        }
    }
}

/// How the mobile app's API is asked. Braces in texts are places for values of one request.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AppIdentity {
    pub(super) hosts: PageHosts,
    #[serde(deserialize_with = "address")]
    pub(super) url: Url,
    #[serde(rename = "timeout_ms", deserialize_with = "milliseconds")]
    pub(super) timeout: Duration,
    pub(super) max_bytes: usize,
    pub(super) user_agent: String,
    pub(super) headers: HeaderSet,
    pub(super) body: String,
    pub(super) device_ids: (u64, u64),
    pub(super) app_name: String,
    pub(super) app_version: String,
    pub(super) manifest: String,
    pub(super) aid: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) packages: BTreeMap<String, String>,
}

fn address<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    Url::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

impl Identity {
    /// Reads `TIKTOK_IDENTITY_FILE` and `USER_AGENT`.
    pub(super) fn from_env(env: &mut Env) -> Self {
        let mut identity: Self = load(env, "TIKTOK_IDENTITY_FILE", EMBEDDED);
        if let Some(user_agent) = user_agent_override(env) {
            identity.page.browsers.set_user_agent(&user_agent);
        }
        identity
    }

    /// The user agent of an attempt.
    pub(super) fn user_agent(&self, attempt: usize) -> &HeaderText {
        &self.page.browsers.of_attempt(attempt).user_agent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embedded_file_is_valid() {
        let identity = Identity::from_env(&mut Env::default());
        assert!(identity.page.retry.budget < Duration::from_secs(25));
        assert!(identity.app.hosts.check(&identity.app.url).is_ok());
        assert!(identity.app.device_ids.0 < identity.app.device_ids.1);
    }

    #[test]
    fn user_agent_override_reaches_every_attempt() {
        let mut env = Env::from_pairs([("USER_AGENT", "mine/1.0")]);
        let identity = Identity::from_env(&mut env);
        for attempt in 0..4 {
            assert_eq!(identity.user_agent(attempt).as_str(), "mine/1.0");
        }
        assert!(env.finish().is_ok());
    }

    #[test]
    fn user_agent_that_cannot_be_sent_is_a_fault() {
        let mut env = Env::from_pairs([("USER_AGENT", "a\u{7}b")]);
        let identity = Identity::from_env(&mut env);
        assert!(identity.user_agent(0).as_str().starts_with("Mozilla/5.0"));
        assert!(env.finish().is_err());
    }

    #[test]
    fn attempts_look_like_different_browsers() {
        let identity = Identity::from_env(&mut Env::default());
        assert_ne!(
            identity.user_agent(0).as_str(),
            identity.user_agent(1).as_str()
        );
    }
}
