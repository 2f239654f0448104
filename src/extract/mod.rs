//! An address in, what can be had there out.
//!
//! One folder per site, each an [`Extractor`]; `services` calls them and knows no site by name. Reading addresses
//! and mapping answers is pure; only the `request` part of a site talks to [`crate::net`].

use std::net::IpAddr;
use std::num::NonZeroU64;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::time::Instant;
use url::Url;

use crate::config::Env;
use crate::net::{Client, CookieFile, HostList, IpFamily, MediaSession, OperatorCookies};

pub mod douyin;
mod error;
mod facts;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod hop;
mod identity;
mod lenient;
mod line;
mod live;
mod model;
mod playlist;
pub mod select;
pub mod selector;
pub mod tiktok;
#[cfg(test)]
mod upstream;
pub mod youtube;

pub use error::{Block, ExtractError, JsonFault, Unavailable};
pub use facts::{
    AudioTrack, Caption, Chapter, DynamicRange, LiveStatus, PostFacts, StreamFacts, Thumbnail,
};
pub use live::LivePost;
pub use model::{
    Author, Classified, Codec, Container, Content, Extraction, Format, Image, Music, Refusal,
    Source, SourceKey, Statistics, Tracks,
};
pub use playlist::{Availability, Part, Playlist, PlaylistAuthor, PlaylistEntry, PlaylistSource};

/// The word for metrics when there is no error.
pub const OK: &str = "ok";

/// One site.
pub trait Extractor: Send + Sync {
    /// Short name used in logs, metrics and links, e.g. `tiktok`.
    fn site(&self) -> &'static str;

    /// Name of the site as people write it, e.g. `TikTok`.
    fn title(&self) -> &'static str;

    /// Date of the newest recording or report this extractor was made for, `YYYY.MM.DD`.
    fn version(&self) -> &'static str;

    /// Recognises an address without any I/O. Never panics.
    fn classify(&self, url: &Url) -> Classified;

    /// The page of a post or list that a text names by its id alone; `None` when it names none, or the site's ids can't
    /// be told from words.
    fn page_of_id(&self, _text: &str) -> Option<Url> {
        None
    }

    /// The source of the post with this id, as found in a link; `None` when `id` has not the site's form.
    fn source(&self, id: &str) -> Option<Source>;

    /// Follows a short link, hop by hop inside the site's own hosts, to the post it names.
    ///
    /// # Errors
    /// [`ExtractError::Refused`] when it leads to no post, `Unavailable` (`NotFound`) when the code is dead.
    fn locate<'a>(
        &'a self,
        net: &'a Client,
        short: &'a Source,
    ) -> BoxFuture<'a, Result<Source, ExtractError>>;

    /// Fetches what the site says about a post; a short link is located first.
    fn extract<'a>(
        &'a self,
        net: &'a Client,
        post: &'a Source,
    ) -> BoxFuture<'a, Result<Extraction, ExtractError>>;

    /// Asks whether a post is on air now, and where it is sent out; `None` when it is not, or the site's never are.
    ///
    /// # Errors
    /// As [`Extractor::extract`], but for the reason that it is on air.
    fn live<'a>(
        &'a self,
        _net: &'a Client,
        _post: &'a Source,
    ) -> BoxFuture<'a, Result<Option<LivePost>, ExtractError>> {
        std::future::ready(Ok(None)).boxed()
    }

    /// The list that an address names, alone or beside a post; `None` when it names none, or the site has none.
    fn playlist(&self, _url: &Url) -> Option<PlaylistSource> {
        None
    }

    /// Lists a part of a list: less than is asked for, with a cursor, where only that could be read until the end of
    /// `until`, or the site failed after it. The first piece is waited for as long as the caller waits.
    ///
    /// # Errors
    /// `Unavailable` for a list that is missing, private or personal, [`ExtractError::Refused`] for one that can't be
    /// listed, or for a text that is no cursor.
    fn list<'a>(
        &'a self,
        _net: &'a Client,
        _list: &'a PlaylistSource,
        _part: &'a Part,
        _until: Instant,
    ) -> BoxFuture<'a, Result<Playlist, ExtractError>> {
        std::future::ready(Err(ExtractError::Refused(Refusal::NotAPlaylist))).boxed()
    }

    /// Hosts on which media of this site may lie.
    fn media_hosts(&self) -> &HostList;

    /// Hosts to which a request for this address may be sent on; among [`Extractor::media_hosts`].
    fn redirect_hosts(&self, _address: &str) -> &HostList {
        self.media_hosts()
    }

    /// The kind of IP address that this address of media was given to, where it answers to no other.
    fn address_family(&self, _address: &str) -> Option<IpFamily> {
        None
    }

    /// Whether the last byte of a file is to be reached before its first ones are served.
    fn proves_tails(&self) -> bool;

    /// The operator's cookies for media of this site as they are now; read-only.
    fn operator_cookies(&self) -> Option<Arc<OperatorCookies>>;

    /// The operator's cookies for pages; where they differ from those for media, a site says so.
    fn account_cookies(&self) -> Option<Arc<OperatorCookies>> {
        self.operator_cookies()
    }

    /// The same site asked with the cookies of another file, with a memory of its own for what it gives to that account;
    /// `None` where a site is asked by no other account than the operator's.
    fn by_account(&self, _cookies: Arc<CookieFile>) -> Option<Arc<dyn Extractor>> {
        None
    }

    /// Name of the guest cookie that media requests need and a link may carry.
    fn media_cookie(&self) -> Option<&'static str>;

    /// Until when a media address says it is good, in seconds since 1970.
    fn expires_at(&self, _address: &str) -> Option<u64> {
        None
    }

    /// Most bytes of a file that one request may ask for, where longer reads are slowed down; `None` = any number.
    fn part_bytes(&self) -> Option<NonZeroU64> {
        None
    }

    /// Short side of a picture up to which this site's videos are picked where the request names none; `None` = any.
    fn max_height(&self) -> Option<u32> {
        None
    }

    /// Whether addresses of media answer only to the one who asked the site for them, so that a link carries none.
    fn are_addresses_bound(&self) -> bool {
        false
    }

    /// A post that has been public for long, to see whether the site answers us; `None` where no post is known to last.
    fn sample(&self) -> Option<&'static str> {
        None
    }

    /// The address that the site says it was asked from, where its answer tells.
    fn asked_from(&self, _extraction: &Extraction) -> Option<IpAddr> {
        None
    }

    /// What media requests need when only a link is at hand: the headers of an extraction, and the one cookie of
    /// [`Extractor::media_cookie`] with the value that the link carries.
    fn guest_session(&self, media_cookie: Option<&str>) -> MediaSession;
}

/// Counts what came of asking a site as `client`.
fn counted<T>(
    net: &Client,
    (site, client): (&'static str, &str),
    result: Result<T, ExtractError>,
) -> Result<T, ExtractError> {
    let word = result.as_ref().map_or_else(ExtractError::as_str, |_| OK);
    net.extractions().attempt(site, client, word);
    result
}

/// Every site this server knows. A new one is one more line. `ENABLE_YOUTUBE` (default 1) leaves one out.
pub fn all(env: &mut Env) -> Vec<Arc<dyn Extractor>> {
    let mut sites: Vec<Arc<dyn Extractor>> = vec![
        Arc::new(tiktok::TikTok::from_env(env)),
        Arc::new(douyin::Douyin::from_env(env)),
    ];
    if env.flag("ENABLE_YOUTUBE", true) {
        sites.push(Arc::new(youtube::YouTube::from_env(env)));
    }
    sites
}
