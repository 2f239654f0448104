//! The shape of `identity.toml`: everything about Douyin's requests that drifts.

use std::time::Duration;

use serde::Deserialize;

use crate::config::Env;
use crate::extract::hop::HopPolicy;
use crate::extract::identity::{
    HeaderSet, HeaderText, PageHosts, load, milliseconds, user_agent_override, yes,
};
use crate::extract::tiktok::identity::ChallengeLimits;

const EMBEDDED: &str = include_str!("identity.toml");

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Identity {
    pub(super) page: PageLimits,
    pub(super) ways: Vec<Way>,
    pub(super) challenge: ChallengeLimits,
    pub(super) short: HopPolicy,
    pub(super) media: MediaIdentity,
}

/// Bounds of page requests.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageLimits {
    pub(super) hosts: PageHosts,
    pub(super) max_bytes: usize,
    #[serde(rename = "timeout_ms", deserialize_with = "milliseconds")]
    pub(super) timeout: Duration,
    pub(super) max_redirects: usize,
    #[serde(rename = "budget_ms", deserialize_with = "milliseconds")]
    pub(super) budget: Duration,
}

/// One way to a post.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Way {
    pub(super) answer: AnswerKind,
    pub(super) operator_cookies: bool,
    /// Address with `{id}` in it.
    pub(super) url: String,
    pub(super) user_agent: HeaderText,
    pub(super) headers: HeaderSet,
}

/// What a way answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum AnswerKind {
    /// JSON of the web's detail call.
    Detail,
    /// A page with the post in a script.
    Share,
}

/// How media are asked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MediaIdentity {
    pub(super) hosts: Vec<String>,
    #[serde(default = "yes")]
    pub(super) proves_tails: bool,
    pub(super) user_agent: HeaderText,
    pub(super) headers: HeaderSet,
}

impl Identity {
    /// Reads `DOUYIN_IDENTITY_FILE` and `USER_AGENT`.
    pub(super) fn from_env(env: &mut Env) -> Self {
        let mut identity: Self = load(env, "DOUYIN_IDENTITY_FILE", EMBEDDED);
        if let Some(user_agent) = user_agent_override(env) {
            for way in &mut identity.ways {
                way.user_agent = user_agent.clone();
            }
            identity.media.user_agent = user_agent;
        }
        identity
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    #[test]
    fn embedded_file_is_valid() {
        let identity = Identity::from_env(&mut Env::default());
        assert!(identity.page.budget < Duration::from_secs(25));
        for way in &identity.ways {
            let url = Url::parse(&way.url.replace("{id}", "1")).unwrap();
            assert!(identity.page.hosts.check(&url).is_ok(), "{url}");
        }
        let kinds: Vec<_> = identity.ways.iter().map(|way| way.answer).collect();
        assert_eq!(
            kinds,
            [AnswerKind::Detail, AnswerKind::Share, AnswerKind::Detail]
        );
    }

    #[test]
    fn user_agent_override_reaches_pages_and_media() {
        let mut env = Env::from_pairs([("USER_AGENT", "mine/1.0")]);
        let identity = Identity::from_env(&mut env);
        assert!(
            identity
                .ways
                .iter()
                .all(|way| way.user_agent.as_str() == "mine/1.0")
        );
        assert_eq!(identity.media.user_agent.as_str(), "mine/1.0");
    }
}
