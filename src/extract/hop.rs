//! Short links: asked hop by hop inside a site's own hosts, until one names a post.
//!
//! The page behind the post is not loaded; the first hop whose form is known ends the walk. An address outside the
//! site's hosts is refused before it is asked.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::time::Duration;

use http::{HeaderMap, Method};
use memchr::memmem;
use serde::Deserialize;
use url::Url;

use super::identity::{HeaderText, PageHosts, milliseconds};
use super::{Block, Classified, ExtractError, Refusal, Source, SourceKey, Unavailable};
use crate::net::{Client, Jar, NetError, Page, PageRequest, Phase};

/// How short links are asked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::extract) struct HopPolicy {
    max_hops: usize,
    max_bytes: usize,
    #[serde(rename = "timeout_ms", deserialize_with = "milliseconds")]
    timeout: Duration,
    #[serde(rename = "budget_ms", deserialize_with = "milliseconds")]
    budget: Duration,
    asks: Vec<Ask>,
}

/// One way to ask for a hop; the next is tried when it gives no target.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    #[serde(deserialize_with = "method")]
    method: Method,
    user_agent: HeaderText,
}

fn method<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Method, D::Error> {
    let name = String::deserialize(deserializer)?;
    match name.as_str() {
        "HEAD" => Ok(Method::HEAD),
        "GET" => Ok(Method::GET),
        _ => Err(serde::de::Error::custom("method must be HEAD or GET")),
    }
}

/// A site's side of the walk.
pub(in crate::extract) struct Trail<'a> {
    /// Site name.
    pub(in crate::extract) site: &'static str,
    /// Hosts that may be asked.
    pub(in crate::extract) hosts: &'a PageHosts,
    /// How they are asked.
    pub(in crate::extract) policy: &'a HopPolicy,
    /// The site's own reading of an address.
    pub(in crate::extract) classify: fn(&Url) -> Classified,
}

/// Where a hop leads.
#[derive(Debug, PartialEq)]
enum Hop {
    /// To a post.
    Post(Source),
    /// On.
    Next(Url),
}

impl Trail<'_> {
    /// Follows `short` to its post, without the operator's cookies.
    ///
    /// # Errors
    /// [`ExtractError::Refused`] when it leads to no post, `Unavailable` when the code is dead, `Net` with the guard's
    /// reason when it leads outside.
    pub(in crate::extract) async fn follow(
        &self,
        net: &Client,
        short: &Source,
    ) -> Result<Source, ExtractError> {
        tokio::time::timeout(self.policy.budget, self.walk(net, &short.url))
            .await
            .unwrap_or_else(|_| {
                Err(ExtractError::Net(NetError::Timeout {
                    host: host(&short.url),
                    phase: Phase::Whole,
                }))
            })
    }

    async fn walk(&self, net: &Client, start: &Url) -> Result<Source, ExtractError> {
        let mut url = start.clone();
        let mut jar = Jar::new(None);
        for _ in 0..self.policy.max_hops {
            match self.ask(net, &url, &mut jar).await? {
                Hop::Post(source) => return Ok(source),
                Hop::Next(next) => url = next,
            }
        }
        Err(ExtractError::Net(NetError::Redirect { host: host(&url) }))
    }

    /// Asks for one hop in every known way, until one gives a target.
    async fn ask(&self, net: &Client, url: &Url, jar: &mut Jar) -> Result<Hop, ExtractError> {
        let mut last = self.shape();
        for ask in &self.policy.asks {
            let page = match net.fetch(self.request(ask, url), jar).await {
                Ok(page) => page,
                Err(error) if error.may_retry() && net.take_retry(&host(url)) => {
                    last = error.into();
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            match target(url, &page) {
                Some(next) => return self.read_target(next),
                None => last = self.refusal(&page),
            }
        }
        Err(last)
    }

    fn request<'r>(&'r self, ask: &Ask, url: &'r Url) -> PageRequest<'r> {
        let mut headers = HeaderMap::with_capacity(1);
        headers.insert(http::header::USER_AGENT, ask.user_agent.value());
        PageRequest {
            method: ask.method.clone(),
            url,
            headers,
            body: None,
            hosts: self.hosts.list(),
            max_bytes: self.policy.max_bytes,
            timeout: self.policy.timeout,
        }
    }

    /// What the target of a hop means.
    fn read_target(&self, target: Url) -> Result<Hop, ExtractError> {
        let target = secured(target);
        self.hosts.check(&target)?;
        if is_dead_end(target.path()) {
            return Err(self.not_found());
        }
        match (self.classify)(&target) {
            Classified::Source(source) if matches!(source.key, SourceKey::Post(_)) => {
                Ok(Hop::Post(source))
            }
            Classified::Source(_) | Classified::Refused(Refusal::BadUrl) | Classified::Foreign => {
                Ok(Hop::Next(target))
            }
            Classified::Refused(refusal) => Err(ExtractError::Refused(refusal)),
        }
    }

    /// What an answer without a target means.
    fn refusal(&self, page: &Page) -> ExtractError {
        let site = self.site;
        let block = |block| ExtractError::Blocked {
            site,
            block,
            retry_after: retry_after(&page.headers),
        };
        match page.status.as_u16() {
            404 | 410 => self.not_found(),
            403 => block(Block::Forbidden),
            429 => block(Block::RateLimited),
            code @ 500.. => ExtractError::Upstream {
                site,
                code: i64::from(code),
            },
            _ => self.shape(),
        }
    }

    fn not_found(&self) -> ExtractError {
        ExtractError::Unavailable {
            site: self.site,
            reason: Unavailable::NotFound,
            message: "the short link is dead".to_owned(),
        }
    }

    fn shape(&self) -> ExtractError {
        ExtractError::Shape {
            site: self.site,
            step: "short link",
            source: None,
        }
    }
}

/// The same address over https: some hops still name http, and none is asked in the clear.
fn secured(mut url: Url) -> Url {
    if url.scheme() == "http" {
        // Fails only for schemes that have no host.
        let _ = url.set_scheme("https");
    }
    url
}

/// Paths at which dead codes end (seen 2026: the start page, the login page).
fn is_dead_end(path: &str) -> bool {
    matches!(path, "/" | "/404" | "/notfound") || path == "/login" || path.starts_with("/login/")
}

/// The target of a hop: `Location`, else the one link of a small body.
fn target(url: &Url, page: &Page) -> Option<Url> {
    /// A body that is only a link is smaller; a page with many links is none.
    const SMALL: usize = 8 * 1024;
    if page.status.is_redirection()
        && let Some(location) = &page.location
    {
        return Some(location.clone());
    }
    if page.body.len() > SMALL || !(page.status.is_redirection() || page.status.is_success()) {
        return None;
    }
    url.join(&link(&page.body)?).ok()
}

/// The address in `<a href="…">`.
fn link(body: &[u8]) -> Option<String> {
    let anchor = memmem::find(body, b"<a ")?;
    let rest = body.get(anchor..)?;
    let rest = rest.get(memmem::find(rest, b"href=\"")?..)?;
    let rest = rest.strip_prefix(b"href=\"")?;
    let end = memchr::memchr(b'"', rest)?;
    let text = std::str::from_utf8(rest.get(..end)?).ok()?;
    Some(text.replace("&amp;", "&"))
}

/// `Retry-After` in its seconds form.
pub(in crate::extract) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// The host of an address, for an error.
pub(in crate::extract) fn host(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::StatusCode;

    use super::*;
    use crate::net::GuardError;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn post(id: &str) -> Source {
        Source {
            site: "demo",
            key: SourceKey::Post(id.to_owned()),
            url: url("https://demo.test/post"),
        }
    }

    /// `/p/…` is a post, `/u/…` a profile, `/live` a broadcast.
    fn classify(url: &Url) -> Classified {
        match url.path() {
            path if path.starts_with("/p/") => Classified::Source(post(&path[3..])),
            path if path.starts_with("/u/") => Classified::Refused(Refusal::NotAPost),
            "/live" => Classified::Refused(Refusal::Live),
            _ => Classified::Refused(Refusal::BadUrl),
        }
    }

    fn with_trail<T>(test: impl FnOnce(&Trail<'_>) -> T) -> T {
        let hosts = PageHosts::from(vec!["demo.test".to_owned()]);
        let policy = HopPolicy {
            max_hops: 5,
            max_bytes: 1024,
            timeout: Duration::from_secs(1),
            budget: Duration::from_secs(1),
            asks: vec![],
        };
        test(&Trail {
            site: "demo",
            hosts: &hosts,
            policy: &policy,
            classify,
        })
    }

    fn answer(status: u16, location: Option<&str>, body: &str) -> Page {
        Page {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            location: location.map(url),
        }
    }

    fn read(target: &str) -> Result<Hop, ExtractError> {
        with_trail(|trail| trail.read_target(url(target)))
    }

    #[test]
    fn target_is_the_location_or_the_only_link() {
        let start = url("https://demo.test/s");
        let moved = answer(301, Some("https://demo.test/p/1"), "");
        assert_eq!(target(&start, &moved), Some(url("https://demo.test/p/1")));
        let linked = answer(200, None, r#"<a href="/p/2?a=1&amp;b=2">Moved</a>."#);
        assert_eq!(
            target(&start, &linked),
            Some(url("https://demo.test/p/2?a=1&b=2"))
        );
        let page = answer(200, None, &format!("<a href=\"/p/2\">{}", "x".repeat(9000)));
        assert_eq!(target(&start, &page), None);
        assert_eq!(
            target(&start, &answer(404, None, r#"<a href="/">home</a>"#)),
            None
        );
        assert_eq!(target(&start, &answer(200, None, "<a href=\"")), None);
    }

    #[test]
    fn post_ends_the_walk_and_own_pages_continue_it() {
        assert_eq!(read("https://demo.test/p/1").unwrap(), Hop::Post(post("1")));
        let next = url("https://demo.test/elsewhere");
        assert_eq!(
            read("https://demo.test/elsewhere").unwrap(),
            Hop::Next(next)
        );
    }

    #[test]
    fn foreign_target_is_refused_by_the_guard() {
        for target in [
            "https://evil.test/p/1",
            "https://a.demo.test/p/1",
            "https://127.0.0.1/p/1",
        ] {
            let error = read(target).unwrap_err();
            assert!(
                matches!(error, ExtractError::Net(NetError::Guard(_))),
                "{target}"
            );
        }
        let error = read("https://demo.test:444/p/1").unwrap_err();
        assert!(matches!(
            error,
            ExtractError::Net(NetError::Guard(GuardError::Port))
        ));
    }

    #[test]
    fn profile_and_live_are_refused_and_dead_ends_are_not_found() {
        assert!(matches!(
            read("https://demo.test/u/someone"),
            Err(ExtractError::Refused(Refusal::NotAPost))
        ));
        assert!(matches!(
            read("https://demo.test/live"),
            Err(ExtractError::Refused(Refusal::Live))
        ));
        for dead in [
            "https://demo.test/",
            "https://demo.test/login?next=x",
            "https://demo.test/404",
        ] {
            assert!(matches!(
                read(dead),
                Err(ExtractError::Unavailable {
                    reason: Unavailable::NotFound,
                    ..
                })
            ));
        }
    }

    #[test]
    fn answer_without_target_is_read_by_its_status() {
        let refusal = |status| with_trail(|trail| trail.refusal(&answer(status, None, "")));
        assert!(matches!(refusal(404), ExtractError::Unavailable { .. }));
        assert!(matches!(
            refusal(429),
            ExtractError::Blocked {
                block: Block::RateLimited,
                ..
            }
        ));
        assert!(matches!(
            refusal(503),
            ExtractError::Upstream { code: 503, .. }
        ));
        assert!(matches!(refusal(200), ExtractError::Shape { .. }));
    }
}
