//! Douyin, as far as it answers without its browser signature: best effort, with a clear word when it doesn't.
//!
//! `url` reads addresses, `request` tries the ways of `identity.toml` in order, `answer` reads what comes back. The
//! shape of a post, its mapping and the challenge are TikTok's.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::sync::Arc;

use ::url::Url;
use futures_util::future::BoxFuture;

use self::identity::Identity;
use self::request::PostRequest;
use super::hop::Trail;
use super::tiktok::map::{Dialect, map_aweme};
use super::tiktok::{WEB, finish};
use super::{Classified, ExtractError, Extraction, Extractor, Source, SourceKey, counted};
use crate::config::Env;
use crate::net::{Client, CookieFile, HostList, MediaSession, OperatorCookies};

mod answer;
#[cfg(any(test, feature = "fuzz"))]
pub(super) mod fuzz;
mod identity;
mod request;
mod url;

#[cfg(test)]
mod tests;

/// Name of the site.
const SITE: &str = "douyin";

/// Newest recording that the answers were read from.
const VERSION: &str = "2026.10.05";

/// What helps when Douyin answers with nothing.
const ADVICE: &str = "visit www.douyin.com in a browser, no login needed, and put its cookies in Netscape form into \
                      ./cookies/www.douyin.com_cookies.txt or the file named by DOUYIN_COOKIES_PATH";

/// The site with its settings.
#[derive(Debug)]
pub struct Douyin {
    identity: Identity,
    media_hosts: HostList,
    cookies: CookieFile,
}

impl Douyin {
    /// Reads `DOUYIN_IDENTITY_FILE`, `USER_AGENT` and `DOUYIN_COOKIES_PATH`.
    pub fn from_env(env: &mut Env) -> Self {
        let identity = Identity::from_env(env);
        let defaults = ["www.douyin.com_cookies.txt", "douyin.com_cookies.txt"];
        Self {
            media_hosts: HostList::new(identity.media.hosts.clone()),
            cookies: CookieFile::from_env(env, "DOUYIN_COOKIES_PATH", &defaults),
            identity,
        }
    }

    async fn post(&self, net: &Client, id: &str) -> Result<Extraction, ExtractError> {
        let request = PostRequest {
            net,
            identity: &self.identity,
            operator: self.cookies.load(),
            id,
        };
        let post = request.send().await.and_then(|fetched| {
            let mapped = map_aweme(&fetched.aweme, Dialect::Douyin);
            finish(SITE, mapped, fetched.session)
        });
        counted(net, (SITE, WEB), post)
    }
}

impl Extractor for Douyin {
    fn site(&self) -> &'static str {
        SITE
    }

    fn title(&self) -> &'static str {
        "Douyin"
    }

    fn version(&self) -> &'static str {
        VERSION
    }

    fn classify(&self, url: &Url) -> Classified {
        url::classify(url)
    }

    fn source(&self, id: &str) -> Option<Source> {
        url::post(id)
    }

    fn locate<'a>(
        &'a self,
        net: &'a Client,
        short: &'a Source,
    ) -> BoxFuture<'a, Result<Source, ExtractError>> {
        Box::pin(async move {
            let trail = Trail {
                site: SITE,
                hosts: &self.identity.page.hosts,
                policy: &self.identity.short,
                classify: url::classify,
            };
            trail.follow(net, short).await
        })
    }

    fn extract<'a>(
        &'a self,
        net: &'a Client,
        post: &'a Source,
    ) -> BoxFuture<'a, Result<Extraction, ExtractError>> {
        Box::pin(async move {
            let SourceKey::Post(id) = &post.key else {
                return Err(answer::shape("short link"));
            };
            self.post(net, id).await
        })
    }

    fn media_hosts(&self) -> &HostList {
        &self.media_hosts
    }

    fn proves_tails(&self) -> bool {
        self.identity.media.proves_tails
    }

    fn operator_cookies(&self) -> Option<Arc<OperatorCookies>> {
        self.cookies.load()
    }

    fn media_cookie(&self) -> Option<&'static str> {
        None
    }

    fn guest_session(&self, _media_cookie: Option<&str>) -> MediaSession {
        let media = &self.identity.media;
        MediaSession {
            cookies: Vec::new(),
            headers: media.headers.session_headers(&media.user_agent),
            egress: None,
        }
    }
}
