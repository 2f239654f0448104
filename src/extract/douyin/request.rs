//! Asking Douyin for a post: the ways of the identity file, one after the other.

use std::sync::Arc;

use http::{HeaderMap, Method};
use tracing::debug;
use url::Url;

use super::answer::{Reading, read, shape};
use super::identity::{Identity, Way};
use super::{ADVICE, SITE};
use crate::extract::ExtractError;
use crate::extract::hop::host;
use crate::extract::tiktok::challenge::{self, Challenge};
use crate::extract::tiktok::response::app::Aweme;
use crate::net::{Client, Jar, MediaSession, NetError, OperatorCookies, Page, PageRequest, Phase};

/// One post to be asked for.
pub(super) struct PostRequest<'a> {
    pub(super) net: &'a Client,
    pub(super) identity: &'a Identity,
    pub(super) operator: Option<Arc<OperatorCookies>>,
    pub(super) id: &'a str,
}

/// A post, and what its media need.
pub(super) struct Fetched {
    pub(super) aweme: Box<Aweme>,
    pub(super) session: MediaSession,
}

impl PostRequest<'_> {
    /// Tries each way until one gives the post or the reason why there is none.
    ///
    /// # Errors
    /// `Unavailable` as Douyin says; else `CookiesNeeded` when a way answered with nothing, and the last failure
    /// otherwise.
    pub(super) async fn send(&self) -> Result<Fetched, ExtractError> {
        tokio::time::timeout(self.identity.page.budget, self.ways())
            .await
            .unwrap_or_else(|_| {
                Err(ExtractError::Net(NetError::Timeout {
                    host: "www.douyin.com".to_owned(),
                    phase: Phase::Whole,
                }))
            })
    }

    async fn ways(&self) -> Result<Fetched, ExtractError> {
        let mut reason = None;
        for way in &self.identity.ways {
            if way.operator_cookies && self.operator.is_none() {
                continue;
            }
            match self.try_way(way).await {
                Ok(Some(fetched)) => return Ok(fetched),
                Ok(None) => reason = Some(cookies_needed()),
                Err(error @ ExtractError::Unavailable { .. }) => return Err(error),
                Err(error) => {
                    debug!(site = SITE, source_id = self.id, %error, "this way gave no post");
                    reason.get_or_insert(error);
                }
            }
        }
        Err(reason.unwrap_or_else(cookies_needed))
    }

    /// One way with a fresh jar; `None` when the answer is nothing.
    async fn try_way(&self, way: &Way) -> Result<Option<Fetched>, ExtractError> {
        let operator = self.operator.clone().filter(|_| way.operator_cookies);
        let mut jar = Jar::new(operator);
        let page = self.get(way, &mut jar).await?;
        let reading = match read(&page, way.answer, self.id)? {
            Reading::Challenge(challenge) => self.answered(challenge, way, &mut jar).await?,
            reading => reading,
        };
        let Reading::Post(aweme) = reading else {
            return Ok(None);
        };
        let media = &self.identity.media;
        let session = MediaSession {
            cookies: jar.guest_cookies(),
            headers: media.headers.session_headers(&media.user_agent),
            egress: None,
        };
        Ok(Some(Fetched { aweme, session }))
    }

    /// Solves a challenge and asks once more with the answer.
    async fn answered(
        &self,
        challenge: Challenge,
        way: &Way,
        jar: &mut Jar,
    ) -> Result<Reading, ExtractError> {
        let mut limits = self.identity.challenge.clone();
        limits.domain = challenge_domain(way).unwrap_or(limits.domain);
        let answer = challenge::solve(SITE, challenge, &limits).await?;
        answer.insert(jar);
        let page = self.get(way, jar).await;
        answer.remove(jar);
        match read(&page?, way.answer, self.id)? {
            Reading::Challenge(_) => Err(ExtractError::Challenge {
                site: SITE,
                message: "asked again after the answer",
            }),
            reading => Ok(reading),
        }
    }

    async fn get(&self, way: &Way, jar: &mut Jar) -> Result<Page, ExtractError> {
        let page = &self.identity.page;
        let headers = way.headers.with_user_agent(&way.user_agent);
        let mut url = way_url(way, self.id).ok_or_else(|| shape("address of a way"))?;
        for _ in 0..=page.max_redirects {
            let answer = self.hop(&url, headers.clone(), jar).await?;
            match answer
                .location
                .clone()
                .filter(|_| answer.status.is_redirection())
            {
                Some(target) => {
                    page.hosts.check(&target)?;
                    url = target;
                }
                None => return Ok(answer),
            }
        }
        Err(ExtractError::Net(NetError::Redirect { host: host(&url) }))
    }

    async fn hop(&self, url: &Url, headers: HeaderMap, jar: &mut Jar) -> Result<Page, NetError> {
        let page = &self.identity.page;
        let request = PageRequest {
            method: Method::GET,
            url,
            headers,
            body: None,
            hosts: page.hosts.list(),
            max_bytes: page.max_bytes,
            timeout: page.timeout,
        };
        self.net.fetch(request, jar).await
    }
}

fn cookies_needed() -> ExtractError {
    ExtractError::CookiesNeeded {
        site: SITE,
        advice: ADVICE,
    }
}

/// The address of a way for this post.
fn way_url(way: &Way, id: &str) -> Option<Url> {
    Url::parse(&way.url.replace("{id}", id)).ok()
}

/// The answer's cookies belong to the domain that asked: two are in use, `douyin.com` and `iesdouyin.com`.
fn challenge_domain(way: &Way) -> Option<String> {
    let url = way_url(way, "")?;
    let host = url.host_str()?;
    let domain = match host.rmatch_indices('.').nth(1) {
        Some((at, _)) => host.get(at..)?.strip_prefix('.')?,
        None => host,
    };
    Some(domain.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Env;

    #[test]
    fn ways_are_filled_and_have_their_domain() {
        let identity = Identity::from_env(&mut Env::default());
        let seen: Vec<_> = identity
            .ways
            .iter()
            .map(|way| (way_url(way, "7").unwrap(), challenge_domain(way).unwrap()))
            .collect();
        assert!(seen[0].0.query().unwrap().starts_with("aweme_id=7&"));
        assert_eq!(seen[1].0.path(), "/share/video/7/");
        let domains: Vec<_> = seen.iter().map(|(_, domain)| domain.as_str()).collect();
        assert_eq!(domains, ["douyin.com", "iesdouyin.com", "douyin.com"]);
    }
}
