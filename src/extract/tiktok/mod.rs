//! TikTok: one post by its page, else by the app's API.
//!
//! `url` reads addresses, `request` asks for pages, `answer`, `page`, `status` and `challenge` read what comes back,
//! `map` turns it into the model, `retry` decides on further attempts, `app` is the second way. What drifts with the
//! site stands in `identity.toml`. Challenge, app shape and its mapping serve Douyin too.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::sync::Arc;

use ::url::Url;
use futures_util::future::BoxFuture;
use tracing::{debug, warn};

use self::app::AppAccess;
use self::identity::Identity;
use self::request::PostRequest;
use super::hop::Trail;
use super::{
    Classified, ExtractError, Extraction, Extractor, Source, SourceKey, Unavailable, counted,
};
use crate::clock::Clock;
use crate::config::Env;
use crate::net::{Client, CookieFile, GuestCookie, HostList, Jar, MediaSession, OperatorCookies};

mod answer;
mod app;
pub(in crate::extract) mod challenge;
#[cfg(any(test, feature = "fuzz"))]
pub(super) mod fuzz;
pub(in crate::extract) mod identity;
pub(in crate::extract) mod map;
pub(in crate::extract) mod page;
mod request;
pub(in crate::extract) mod response;
mod retry;
pub(in crate::extract) mod status;
pub(in crate::extract) mod url;

#[cfg(test)]
mod tests;

/// Name of the site.
const SITE: &str = "tiktok";
/// A public post of July 2025, of an account that keeps its posts.
const SAMPLE: &str = "https://www.tiktok.com/@whitehouse/video/7524919459643919624";

/// The page, as the client that was asked.
pub(in crate::extract) const WEB: &str = "web";

/// Newest report that the request flow was made for.
const VERSION: &str = "2026.09.28";

/// The site with its settings.
#[derive(Debug)]
pub struct TikTok {
    identity: Identity,
    media_hosts: HostList,
    cookies: CookieFile,
    app: Option<AppAccess>,
}

impl TikTok {
    /// Reads `TIKTOK_IDENTITY_FILE`, `USER_AGENT`, `COOKIES_PATH`, `TIKTOK_DEVICE_ID` and `TIKTOK_APP_INFO`.
    pub fn from_env(env: &mut Env) -> Self {
        let identity = Identity::from_env(env);
        let defaults = ["www.tiktok.com_cookies.txt", "tiktok.com_cookies.txt"];
        Self {
            media_hosts: HostList::new(identity.media.hosts.clone()),
            cookies: CookieFile::from_env(env, "COOKIES_PATH", &defaults),
            app: AppAccess::from_env(env, &identity.app, Clock::System),
            identity,
        }
    }

    /// The post by its page, else by the app where that may know more.
    async fn post(&self, net: &Client, id: &str, url: &Url) -> Result<Extraction, ExtractError> {
        let request = PostRequest {
            net,
            identity: &self.identity,
            operator: self.cookies.load(),
            id,
            url,
        };
        let error = match request.send().await {
            Ok(fetched) => {
                let post = finish(SITE, map::map_item(&fetched.item), fetched.session);
                return counted(net, (SITE, WEB), post);
            }
            Err(error) => error,
        };
        net.extractions().attempt(SITE, WEB, error.as_str());
        match &self.app {
            Some(app) if may_app_know_more(&error) => self.app_post(app, net, id, error).await,
            _ => Err(error),
        }
    }

    /// The post by the app; when that fails too, the page's reason is the better one.
    async fn app_post(
        &self,
        app: &AppAccess,
        net: &Client,
        id: &str,
        of_page: ExtractError,
    ) -> Result<Extraction, ExtractError> {
        let fetched = app.fetch(net, &self.identity, id).await;
        match counted(net, (SITE, "app"), fetched) {
            Ok((aweme, session)) => {
                finish(SITE, map::map_aweme(&aweme, map::Dialect::TikTok), session)
            }
            Err(error) => {
                debug!(site = SITE, source_id = id, %error, "the app's API gave no post");
                Err(of_page)
            }
        }
    }
}

/// Whether the app may show what the page doesn't.
fn may_app_know_more(error: &ExtractError) -> bool {
    !matches!(
        error,
        ExtractError::Unavailable {
            reason: Unavailable::NotFound | Unavailable::Private | Unavailable::UnderReview,
            ..
        }
    )
}

/// A mapped post with the session of its media; warnings go to the log.
pub(in crate::extract) fn finish(
    site: &'static str,
    mapped: Option<map::Mapped>,
    session: MediaSession,
) -> Result<Extraction, ExtractError> {
    let mapped = mapped.ok_or(ExtractError::Shape {
        site,
        step: "media of the post",
        source: None,
    })?;
    let mut extraction = mapped.extraction;
    for warning in &mapped.warnings {
        warn!(
                source_id = extraction.id,
            %warning,
            "part of the answer was not understood"
        );
    }
    extraction.session = session;
    Ok(extraction)
}

/// Reads a page as it was served: the part of an extraction that needs no network. The session is empty.
///
/// # Errors
/// As [`Extractor::extract`] for the same page; a page without data is a `Shape` error.
pub fn parse_page(html: &[u8], id: &str) -> Result<Extraction, ExtractError> {
    let item = answer::read_post(html, id)?.ok_or_else(|| answer::shape("page"))?;
    finish(SITE, map::map_item(&item), MediaSession::default())
}

impl Identity {
    /// What media need after a page was got in this attempt.
    fn session(&self, jar: &Jar, attempt: usize) -> MediaSession {
        MediaSession {
            cookies: jar.guest_cookies(),
            headers: self.media.headers.session_headers(self.user_agent(attempt)),
            egress: None,
        }
    }
}

impl Extractor for TikTok {
    fn site(&self) -> &'static str {
        SITE
    }

    fn title(&self) -> &'static str {
        "TikTok"
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
            self.post(net, id, &post.url).await
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
        Some(self.identity.media.cookie.name())
    }

    fn sample(&self) -> Option<&'static str> {
        Some(SAMPLE)
    }

    fn guest_session(&self, media_cookie: Option<&str>) -> MediaSession {
        let cookie = |value: &str| GuestCookie {
            name: self.identity.media.cookie.name().to_owned(),
            value: value.to_owned(),
            domain: self.identity.challenge.domain.clone(),
            is_host_only: false,
            path: "/".to_owned(),
        };
        MediaSession {
            cookies: media_cookie.map(cookie).into_iter().collect(),
            headers: self
                .identity
                .media
                .headers
                .session_headers(self.identity.user_agent(0)),
            egress: None,
        }
    }
}
