//! YouTube: one video by the interface that its own apps use, and lists of videos.
//!
//! `url` and `ids` read addresses, `clients` says as whom we ask, `innertube` asks, `response` holds the shapes of what
//! comes back, `playability`, `formats` and `metadata` make sense of it, `chain` decides who is asked next, `scripts` and
//! `js` complete the addresses of clients that need the player script (`store` keeps what they taught), `playlist` lists.
//! `tokens` and `provider` bring what only a browser can make, `page` and `login` say whom the site takes us for. What
//! drifts with the site stands in `clients.toml`.

use std::net::IpAddr;
use std::num::NonZeroU64;
use std::sync::Arc;

use ::url::Url;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use self::clients::Clients;
use self::hosts::Hosts;
use self::login::Logins;
use self::provider::Provider;
use self::scripts::Scripts;
use self::tokens::Tokens;
use self::url::Address;
use self::visitor::Visitors;
use super::{
    Classified, Content, ExtractError, Extraction, Extractor, LivePost, Part, Playlist,
    PlaylistSource, Refusal, Source, SourceKey,
};
use crate::clock::Clock;
use crate::config::{Env, Secret};
use crate::net::{Client, CookieFile, HostList, IpFamily, MediaSession, OperatorCookies};

mod asking;
mod auth;
mod chain;
mod clients;
mod clock_time;
mod codecs;
mod formats;
#[cfg(any(test, feature = "fuzz"))]
pub(super) mod fuzz;
mod hosts;
mod ids;
mod innertube;
pub mod js;
mod live;
mod login;
mod metadata;
mod page;
mod playability;
mod playlist;
mod provider;
mod response;
mod scripts;
mod store;
#[cfg(test)]
mod tests;
mod tokens;
pub mod url;
mod visitor;

pub use ids::{PlaylistId, PlaylistKind, VideoId};

/// Name of the site.
const SITE: &str = "youtube";
/// The first video of the site, of 2005.
const SAMPLE: &str = "https://www.youtube.com/watch?v=jNQXAC9IVRw";

/// Newest source that the clients and shapes were made for.
const VERSION: &str = "2026.10.26";

/// The site with its settings and what it remembers.
#[derive(Debug)]
pub struct YouTube {
    clients: Arc<Clients>,
    hosts: Hosts,
    api_hosts: HostList,
    tokens: Arc<Tokens>,
    provider: Option<Arc<Provider>>,
    fixed_visitor: Option<Secret>,
    cookies: Arc<CookieFile>,
    visitors: Visitors,
    logins: Logins,
    scripts: Option<Arc<Scripts>>,
    wants_page: bool,
    max_height: u32,
    clock: Clock,
}

impl YouTube {
    /// Reads `YOUTUBE_CLIENTS_FILE`, `YOUTUBE_PO_TOKENS`, `YOUTUBE_POT_PROVIDER_URL`, `YOUTUBE_VISITOR_DATA`,
    /// `YOUTUBE_COOKIES_PATH`, `YOUTUBE_STATE_DIR`, `YOUTUBE_DETAILS` and `YOUTUBE_MAX_HEIGHT`.
    pub fn from_env(env: &mut Env) -> Self {
        let clients = Clients::from_env(env);
        let clock = Clock::System;
        Self {
            hosts: Hosts::default(),
            api_hosts: HostList::new(hosts::API.iter().copied()),
            tokens: Arc::new(Tokens::from_env(env)),
            provider: Provider::from_env(env, clients.provider, clock).map(Arc::new),
            fixed_visitor: fixed_visitor(env),
            cookies: Arc::new(CookieFile::from_env(
                env,
                "YOUTUBE_COOKIES_PATH",
                &["www.youtube.com_cookies.txt", "youtube.com_cookies.txt"],
            )),
            visitors: Visitors::default(),
            logins: Logins::default(),
            scripts: Scripts::from_env(env).map(Arc::new),
            wants_page: env.flag("YOUTUBE_DETAILS", false),
            max_height: max_height(env),
            clock,
            clients: Arc::new(clients),
        }
    }
}

/// The visitor id that is used in place of one that the site gives.
fn fixed_visitor(env: &mut Env) -> Option<Secret> {
    const NAME: &str = "YOUTUBE_VISITOR_DATA";
    let visitor = env.secret(NAME);
    env.must_fit_header(NAME, visitor.as_slice());
    visitor
}

/// The short side up to which pictures are picked (api.md §4).
fn max_height(env: &mut Env) -> u32 {
    const DEFAULT: usize = 1080;
    /// The smallest picture that the site has, and more than the largest.
    const BOUNDS: (usize, usize) = (144, 16_384);
    let lines = env.count("YOUTUBE_MAX_HEIGHT", DEFAULT, BOUNDS.0, BOUNDS.1);
    u32::try_from(lines).unwrap_or(u32::MAX)
}

/// What media requests carry: the name of the client whom the addresses were given to, and no cookies.
fn media_session(user_agent: &str) -> MediaSession {
    MediaSession {
        cookies: Vec::new(),
        headers: vec![
            ("user-agent".to_owned(), user_agent.to_owned()),
            ("accept".to_owned(), "*/*".to_owned()),
        ],
        egress: None,
    }
}

/// The source of a video.
fn source(id: &VideoId) -> Option<Source> {
    Some(Source {
        site: SITE,
        key: SourceKey::Post(id.as_str().to_owned()),
        url: url::video_page(id)?,
    })
}

impl Extractor for YouTube {
    fn site(&self) -> &'static str {
        SITE
    }

    fn title(&self) -> &'static str {
        "YouTube"
    }

    fn version(&self) -> &'static str {
        VERSION
    }

    fn classify(&self, url: &Url) -> Classified {
        match url::read(url) {
            Address::Foreign => Classified::Foreign,
            Address::Video { id, .. } => {
                source(&id).map_or(Classified::Refused(Refusal::BadUrl), Classified::Source)
            }
            Address::Playlist(_) => Classified::Refused(Refusal::Playlist),
            Address::Other => Classified::Refused(Refusal::NotAPost),
            Address::Malformed => Classified::Refused(Refusal::BadUrl),
        }
    }

    fn page_of_id(&self, text: &str) -> Option<Url> {
        url::page_of_id(text)
    }

    fn source(&self, id: &str) -> Option<Source> {
        source(&VideoId::parse(id)?)
    }

    /// There are no short links to follow: `youtu.be` carries the id itself.
    fn locate<'a>(
        &'a self,
        _net: &'a Client,
        short: &'a Source,
    ) -> BoxFuture<'a, Result<Source, ExtractError>> {
        let found = match &short.key {
            SourceKey::Post(_) => Ok(short.clone()),
            SourceKey::Short(_) => Err(ExtractError::Refused(Refusal::BadUrl)),
        };
        std::future::ready(found).boxed()
    }

    fn extract<'a>(
        &'a self,
        net: &'a Client,
        post: &'a Source,
    ) -> BoxFuture<'a, Result<Extraction, ExtractError>> {
        self.fetch(net, post).boxed()
    }

    fn live<'a>(
        &'a self,
        net: &'a Client,
        post: &'a Source,
    ) -> BoxFuture<'a, Result<Option<LivePost>, ExtractError>> {
        self.fetch_live(net, post).boxed()
    }

    fn playlist(&self, url: &Url) -> Option<PlaylistSource> {
        let (list, video) = match url::read(url) {
            Address::Playlist(list) => (list, None),
            Address::Video {
                id,
                list: Some(list),
            } => (list, Some(id)),
            _ => return None,
        };
        Some(playlist::source(&list, video))
    }

    fn list<'a>(
        &'a self,
        net: &'a Client,
        list: &'a PlaylistSource,
        part: &'a Part,
        until: Instant,
    ) -> BoxFuture<'a, Result<Playlist, ExtractError>> {
        self.fetch_list(net, list, part, until).boxed()
    }

    fn media_hosts(&self) -> &HostList {
        &self.hosts.all
    }

    /// Media go on within the hosts of media, pictures within those of pictures.
    fn redirect_hosts(&self, address: &str) -> &HostList {
        self.hosts.around(address)
    }

    /// `ip` is one of the signed parameters of media.
    fn address_family(&self, address: &str) -> Option<IpFamily> {
        hosts::given_to(address).map(IpFamily::of)
    }

    fn expires_at(&self, address: &str) -> Option<u64> {
        hosts::expires_at(address)
    }

    fn part_bytes(&self) -> Option<NonZeroU64> {
        Some(self.clients.media.part_bytes)
    }

    fn max_height(&self) -> Option<u32> {
        Some(self.max_height)
    }

    /// `ip` is one of their signed parameters.
    fn are_addresses_bound(&self) -> bool {
        true
    }

    fn proves_tails(&self) -> bool {
        self.clients.media.proves_tails
    }

    fn sample(&self) -> Option<&'static str> {
        Some(SAMPLE)
    }

    fn asked_from(&self, extraction: &Extraction) -> Option<IpAddr> {
        let Content::Video { formats } = &extraction.content else {
            return None;
        };
        let mut urls = formats.iter().flat_map(|format| &format.urls);
        urls.find_map(|url| hosts::given_to(url))
    }

    fn account_cookies(&self) -> Option<Arc<OperatorCookies>> {
        self.cookies.load()
    }

    fn operator_cookies(&self) -> Option<Arc<OperatorCookies>> {
        // Media want none, and an account's cookies must not go to the hosts of media.
        None
    }

    /// What is learnt of the site itself, such as its scripts, serves all accounts.
    fn by_account(&self, cookies: Arc<CookieFile>) -> Option<Arc<dyn Extractor>> {
        Some(Arc::new(Self {
            clients: Arc::clone(&self.clients),
            hosts: Hosts::default(),
            api_hosts: HostList::new(hosts::API.iter().copied()),
            tokens: Arc::clone(&self.tokens),
            provider: self.provider.clone(),
            fixed_visitor: self.fixed_visitor.clone(),
            cookies,
            visitors: Visitors::default(),
            logins: Logins::default(),
            scripts: self.scripts.clone(),
            wants_page: self.wants_page,
            max_height: self.max_height,
            clock: self.clock,
        }))
    }

    fn media_cookie(&self) -> Option<&'static str> {
        None
    }

    /// The session of the client that is asked first.
    fn guest_session(&self, _media_cookie: Option<&str>) -> MediaSession {
        let first = self.clients.anonymous.first();
        media_session(first.map_or("", |client| client.user_agent.as_str()))
    }
}
