//! Asking for a post's page: headers, redirects, the challenge, further attempts.
//!
//! Each attempt has a jar of its own over the operator's cookies, so that no visitor's token meets another's. The
//! jar that got the page is handed back: its cookies are what the media addresses in the page answer to.

use std::sync::Arc;

use ::url::Url;
use http::{HeaderMap, Method};
use tracing::debug;

use super::answer::{Reading, read, shape};
use super::challenge::{self, Challenge};
use super::identity::Identity;
use super::response::web::Item;
use super::retry::Attempts;
use super::{SITE, status, url};
use crate::extract::hop::host;
use crate::extract::{Classified, ExtractError, SourceKey, Unavailable};
use crate::net::{
    Client, GuardError, Jar, MediaSession, NetError, OperatorCookies, Page, PageRequest, Phase,
};

/// One post to be asked for.
pub(super) struct PostRequest<'a> {
    pub(super) net: &'a Client,
    pub(super) identity: &'a Identity,
    pub(super) operator: Option<Arc<OperatorCookies>>,
    pub(super) id: &'a str,
    pub(super) url: &'a Url,
}

/// A post, and what its media need.
pub(super) struct Fetched {
    pub(super) item: Box<Item>,
    pub(super) session: MediaSession,
}

impl PostRequest<'_> {
    /// Asks until the post is there, the site says no, or attempts or time are used up.
    ///
    /// # Errors
    /// Of the last attempt.
    pub(super) async fn send(&self) -> Result<Fetched, ExtractError> {
        let budget = self.identity.page.retry.budget;
        tokio::time::timeout(budget, self.attempts())
            .await
            .unwrap_or_else(|_| {
                Err(ExtractError::Net(NetError::Timeout {
                    host: host(self.url),
                    phase: Phase::Whole,
                }))
            })
    }

    async fn attempts(&self) -> Result<Fetched, ExtractError> {
        let mut left = Attempts::new(&self.identity.page.retry);
        let mut attempt: usize = 0;
        loop {
            let error = match self.attempt(attempt).await {
                Ok(fetched) => return Ok(fetched),
                Err(error) => error,
            };
            if !left.take(&error) || !self.net.take_retry(&host(self.url)) {
                return Err(error);
            }
            debug!(site = SITE, source_id = self.id, attempt, %error, "asking again");
            attempt = attempt.saturating_add(1);
        }
    }

    /// One attempt with a fresh jar, as the browser whose turn it is.
    async fn attempt(&self, attempt: usize) -> Result<Fetched, ExtractError> {
        let mut jar = Jar::new(self.operator.clone());
        let headers = self.headers(attempt);
        let page = self.get(&headers, &mut jar).await?;
        let item = match read(&page, self.id, &self.identity.page)? {
            Reading::Post(item) => item,
            Reading::Challenge(challenge) => self.answered(challenge, &headers, &mut jar).await?,
        };
        let session = self.identity.session(&jar, attempt);
        Ok(Fetched { item, session })
    }

    /// Solves a challenge and asks once more with the answer, whose cookies are gone afterwards.
    async fn answered(
        &self,
        challenge: Challenge,
        headers: &HeaderMap,
        jar: &mut Jar,
    ) -> Result<Box<Item>, ExtractError> {
        let answer = challenge::solve(SITE, challenge, &self.identity.challenge).await?;
        answer.insert(jar);
        let page = self.get(headers, jar).await;
        answer.remove(jar);
        match read(&page?, self.id, &self.identity.page)? {
            Reading::Post(item) => Ok(item),
            Reading::Challenge(_) => Err(ExtractError::Challenge {
                site: SITE,
                message: "asked again after the answer",
            }),
        }
    }

    fn headers(&self, attempt: usize) -> HeaderMap {
        let identity = &self.identity.page;
        let browser = identity.browsers.of_attempt(attempt);
        let mut headers = browser.headers.with_user_agent(&browser.user_agent);
        if attempt > 0 || identity.padding.on_first_attempt {
            identity.padding.add(&mut headers, &mut rand::rng());
        }
        headers
    }

    /// Asks for the page and follows it where it moves to.
    async fn get(&self, headers: &HeaderMap, jar: &mut Jar) -> Result<Page, ExtractError> {
        let identity = &self.identity.page;
        let mut url = self.url.clone();
        for _ in 0..=identity.max_redirects {
            let request = PageRequest {
                method: Method::GET,
                url: &url,
                headers: headers.clone(),
                body: None,
                hosts: identity.hosts.list(),
                max_bytes: identity.max_bytes,
                timeout: identity.timeout,
            };
            let page = self.net.fetch(request, jar).await?;
            match page
                .location
                .clone()
                .filter(|_| page.status.is_redirection())
            {
                Some(target) => url = self.moved(target)?,
                None => return Ok(page),
            }
        }
        Err(ExtractError::Net(NetError::Redirect { host: host(&url) }))
    }

    /// The target of a redirect, if it is still the post's page.
    fn moved(&self, target: Url) -> Result<Url, ExtractError> {
        self.identity.page.hosts.check(&target)?;
        // The operator's cookies go with every hop.
        if target.scheme() != "https" {
            return Err(NetError::Guard(GuardError::Downgrade).into());
        }
        if target.path() == "/login" || target.path().starts_with("/login/") {
            return Err(status::unavailable(
                SITE,
                Unavailable::LoginRequired,
                "redirect to the login page",
            ));
        }
        match url::classify(&target) {
            Classified::Source(source) if source.key == SourceKey::Post(self.id.to_owned()) => {
                Ok(target)
            }
            _ => Err(shape("redirect of the page")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Env;

    const ID: &str = "7524919459643919624";

    fn with_request<T>(test: impl FnOnce(&PostRequest<'_>) -> T) -> Option<T> {
        let client = Client::new(crate::net::ClientConfig::from_env(&mut Env::default())).ok()?;
        let source = url::post(ID)?;
        Some(test(&PostRequest {
            net: &client,
            identity: &Identity::from_env(&mut Env::default()),
            operator: None,
            id: ID,
            url: &source.url,
        }))
    }

    fn moved(target: &str) -> Result<Url, ExtractError> {
        let target = Url::parse(target).unwrap();
        with_request(|request| request.moved(target)).unwrap()
    }

    #[test]
    fn page_may_move_to_its_real_name_only() {
        assert!(
            moved(&format!(
                "https://www.tiktok.com/@real.name/video/{ID}?lang=en"
            ))
            .is_ok()
        );
        assert!(moved(&format!("https://www.tiktok.com/@real.name/photo/{ID}")).is_ok());
        for other in [
            "https://www.tiktok.com/",
            "https://www.tiktok.com/@u/video/7524919459643919625",
        ] {
            assert!(
                matches!(moved(other), Err(ExtractError::Shape { .. })),
                "{other}"
            );
        }
    }

    #[test]
    fn login_page_and_foreign_hosts_end_the_request() {
        assert!(matches!(
            moved("https://www.tiktok.com/login?redirect_url=x"),
            Err(ExtractError::Unavailable {
                reason: Unavailable::LoginRequired,
                ..
            })
        ));
        for foreign in [
            "https://evil.test/",
            "http://127.0.0.1/",
            "https://www.tiktok.com:444/",
            "http://www.tiktok.com/@u/video/7524919459643919624",
        ] {
            let guarded = moved(foreign);
            assert!(
                matches!(guarded, Err(ExtractError::Net(NetError::Guard(_)))),
                "{foreign}"
            );
        }
    }

    #[test]
    fn first_attempt_is_plain_and_later_ones_are_padded() {
        let counts = with_request(|request| {
            let count = |attempt| request.headers(attempt).len();
            (count(0), count(1))
        });
        let (first, second) = counts.unwrap();
        assert_eq!(first, 5);
        assert!((6..=13).contains(&second), "{second}");
    }
}
