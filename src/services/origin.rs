//! Where the bytes of a link lie: cached extraction, the link's own hint, or a new extraction.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use http::Method;
use url::Url;

use super::{ResolveError, Resolver};
use crate::extract::{
    Container, Content, Extraction, Extractor, Format, Source, SourceKey, Tracks, select,
};
use crate::links::{Hint, Kind, Link};
use crate::net::{Client, Jar, MediaRequest, MediaResponse, MediaSession, NetError, RangeAsk};
use crate::transfer::Origin;

/// Why there are no addresses for a link.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OriginError {
    /// The site gave nothing.
    #[error(transparent)]
    Resolve(#[from] Arc<ResolveError>),
    /// The post has no such format any more.
    #[error("format is gone")]
    FormatGone,
}

/// The addresses of one file, and what must be sent with a request for it.
#[derive(Debug)]
struct Addresses {
    urls: Vec<String>,
    headers: Vec<(String, String)>,
    jar: Jar,
    /// The extraction they come from; `None` when they come from the link itself.
    extraction: Option<Arc<Extraction>>,
    /// Name of the way out that they were given to.
    egress: Option<String>,
    filesize: Option<u64>,
    /// What the site says names the bytes.
    content_id: Option<String>,
}

impl Addresses {
    fn url(&self, mirror: usize) -> Option<&str> {
        let index = mirror % self.urls.len().max(1);
        self.urls.get(index).map(String::as_str)
    }

    /// Address number `mirror` alone, all for `None`; nothing when there is none of that number.
    fn only(mut self, mirror: Option<usize>) -> Option<Self> {
        if let Some(mirror) = mirror {
            self.urls = vec![self.urls.into_iter().nth(mirror)?];
        }
        Some(self)
    }
}

/// The bytes that a link names.
pub(super) struct LinkOrigin {
    resolver: Resolver,
    extractor: Arc<dyn Extractor>,
    post: Source,
    format: String,
    /// Its sound track, where that is one of several.
    track: Option<String>,
    /// The only address that is used, by its number; `None` for all.
    mirror: Option<usize>,
    /// Whether the bytes go to a client as they are.
    is_for_client: bool,
    addresses: ArcSwap<Addresses>,
    /// Times that the site was asked for new ones.
    refreshes: AtomicU64,
}

/// A post whose files are read.
#[derive(Clone)]
pub(super) struct Post {
    /// Its site.
    pub(super) extractor: Arc<dyn Extractor>,
    /// What is asked of the site.
    pub(super) source: Source,
    /// What the site said.
    pub(super) extraction: Arc<Extraction>,
}

impl LinkOrigin {
    /// One format of a post, with this sound track where it is one of several, at all its addresses; its bytes go to a
    /// client.
    ///
    /// # Errors
    /// [`OriginError::FormatGone`] when the post has none such.
    pub(super) fn of(
        resolver: &Resolver,
        post: &Post,
        (format, track): (&str, Option<&str>),
    ) -> Result<Self, OriginError> {
        let (extractor, extraction) = (post.extractor.as_ref(), &post.extraction);
        let found = extraction.format_again(format, track);
        let found = found.ok_or(OriginError::FormatGone)?;
        let addresses = of_format(extractor, extraction, found);
        Ok(Self {
            is_for_client: true,
            track: track.map(str::to_owned),
            ..Self::new(resolver, post, format, addresses)
        })
    }

    /// One format of a post for our own use, at all its addresses or at number `mirror` alone; `None` when the post has
    /// none such.
    pub(super) fn for_use(
        resolver: &Resolver,
        post: &Post,
        format: &str,
        mirror: Option<usize>,
    ) -> Option<Self> {
        let addresses = from_extraction(post.extractor.as_ref(), &post.extraction, format, None)?;
        Some(Self {
            mirror,
            ..Self::new(resolver, post, format, addresses.only(mirror)?)
        })
    }

    /// A picture that the post names besides its files, such as its cover.
    pub(super) fn at(resolver: &Resolver, post: &Post, url: &str) -> Self {
        let urls = vec![url.to_owned()];
        let addresses = with_session(post.extractor.as_ref(), urls, &post.extraction.session);
        Self::new(resolver, post, "", addresses)
    }

    fn new(resolver: &Resolver, post: &Post, format: &str, addresses: Addresses) -> Self {
        Self {
            resolver: resolver.clone(),
            extractor: Arc::clone(&post.extractor),
            post: post.source.clone(),
            format: format.to_owned(),
            track: None,
            mirror: None,
            is_for_client: false,
            addresses: ArcSwap::from_pointee(addresses),
            refreshes: AtomicU64::default(),
        }
    }

    /// Finds addresses for a link: the cached extraction, else the link's hint, else the site is asked.
    ///
    /// # Errors
    /// [`OriginError`] when the site is asked and gives nothing, or nothing of that kind.
    pub(super) async fn find(
        resolver: &Resolver,
        extractor: &Arc<dyn Extractor>,
        post: Source,
        link: &Link,
    ) -> Result<Self, OriginError> {
        let cached = resolver.cached(&post, link.egress.as_deref()).await;
        let track = link.track.as_deref();
        let addresses = match (cached, &link.hint) {
            (Some(extraction), _) => {
                let format = same_or_nearest(&extraction, link).ok_or(OriginError::FormatGone)?;
                from_extraction(extractor.as_ref(), &extraction, &format, track)
                    .map(|addresses| (format, addresses))
            }
            (None, Some(hint)) => {
                let egress = link.egress.clone();
                let addresses = from_hint(extractor.as_ref(), hint, egress);
                Some((link.format.clone(), addresses))
            }
            (None, None) => None,
        };
        let (format, addresses) = match addresses {
            Some(found) => found,
            None => Self::ask(resolver, extractor, &post, link, None).await?,
        };
        Ok(Self {
            resolver: resolver.clone(),
            extractor: Arc::clone(extractor),
            post,
            format,
            track: link.track.clone(),
            mirror: None,
            is_for_client: true,
            addresses: ArcSwap::from_pointee(addresses),
            refreshes: AtomicU64::default(),
        })
    }

    /// What names its format among those of the post, whichever extraction gave the addresses.
    pub(super) fn name(&self) -> String {
        match &self.track {
            Some(track) => format!("{} {track}", self.format),
            None => self.format.clone(),
        }
    }

    /// Its format in an extraction of its post.
    pub(super) fn among<'a>(&self, extraction: &'a Extraction) -> Option<&'a Format> {
        extraction.format_again(&self.format, self.track.as_deref())
    }

    /// The same file for our own use.
    pub(super) fn for_look(&self) -> Self {
        Self {
            resolver: self.resolver.clone(),
            extractor: Arc::clone(&self.extractor),
            post: self.post.clone(),
            format: self.format.clone(),
            track: self.track.clone(),
            mirror: self.mirror,
            is_for_client: false,
            addresses: ArcSwap::new(self.addresses.load_full()),
            refreshes: AtomicU64::default(),
        }
    }

    /// Whether its format is MP3 as the site says.
    pub(super) fn is_declared_mp3(&self) -> bool {
        let addresses = self.addresses.load();
        let extraction = addresses.extraction.as_ref();
        extraction
            .and_then(|extraction| self.among(extraction))
            .is_some_and(|format| format.container == Container::Mp3)
    }

    /// What the site says names the bytes of now.
    pub(super) fn content(&self) -> Option<String> {
        self.addresses.load().content_id.clone()
    }

    /// The same link after its format is gone: the nearest of its kind in what the site says now.
    ///
    /// # Errors
    /// As [`LinkOrigin::find`].
    pub(super) async fn nearest(self: Arc<Self>, link: &Link) -> Result<Self, OriginError> {
        let stale = self.addresses.load().extraction.clone();
        let (format, addresses) = Self::ask(
            &self.resolver,
            &self.extractor,
            &self.post,
            link,
            stale.as_ref(),
        )
        .await?;
        Ok(Self {
            resolver: self.resolver.clone(),
            extractor: Arc::clone(&self.extractor),
            post: self.post.clone(),
            format,
            track: link.track.clone(),
            mirror: None,
            is_for_client: true,
            addresses: ArcSwap::from_pointee(addresses),
            refreshes: AtomicU64::default(),
        })
    }

    /// The client of the way out that the addresses were given to.
    fn client(&self, addresses: &Addresses) -> Client {
        let egress = addresses.egress.as_deref();
        self.resolver.client_by(egress, self.extractor.site())
    }

    async fn ask(
        resolver: &Resolver,
        extractor: &Arc<dyn Extractor>,
        post: &Source,
        link: &Link,
        stale: Option<&Arc<Extraction>>,
    ) -> Result<(String, Addresses), OriginError> {
        let egress = link.egress.as_deref();
        let extraction = resolver
            .refresh(extractor, post.clone(), stale, egress)
            .await?;
        let format = same_or_nearest(&extraction, link).ok_or(OriginError::FormatGone)?;
        let track = link.track.as_deref();
        let addresses = from_extraction(extractor.as_ref(), &extraction, &format, track)
            .ok_or(OriginError::FormatGone)?;
        Ok((format, addresses))
    }

    /// Times that the site was asked for new addresses.
    pub(super) fn refreshes(&self) -> u64 {
        self.refreshes.load(Ordering::Relaxed)
    }

    /// Until when the addresses of now are good, in seconds since 1970; `None` when they don't say.
    pub(super) fn expires_at(&self) -> Option<u64> {
        let addresses = self.addresses.load();
        self.extractor.expires_at(addresses.url(0)?)
    }

    /// Bytes of the file as the site says, for answers that don't tell their own length.
    pub(super) fn known_length(&self) -> Option<u64> {
        self.addresses.load().filesize
    }
}

impl Origin for LinkOrigin {
    type Error = OriginError;

    fn mirrors(&self) -> usize {
        self.addresses.load().urls.len()
    }

    async fn open(&self, mirror: usize, ask: RangeAsk) -> Result<MediaResponse, NetError> {
        let addresses = self.addresses.load_full();
        let url = addresses.url(mirror).unwrap_or_default();
        let request = MediaRequest {
            method: Method::GET,
            url,
            range: ask,
            headers: &addresses.headers,
            jar: &addresses.jar,
            hosts: self.extractor.redirect_hosts(url),
        };
        let family = self.extractor.address_family(url);
        let client = self.client(&addresses);
        client.open_by(family, request).await
    }

    fn take_retry(&self, mirror: usize) -> bool {
        let addresses = self.addresses.load();
        let url = addresses.url(mirror).and_then(|url| Url::parse(url).ok());
        let host = url.as_ref().and_then(Url::host_str);
        host.is_none_or(|host| self.client(&addresses).take_retry(host))
    }

    fn part_bytes(&self) -> Option<NonZeroU64> {
        self.extractor.part_bytes()
    }

    fn content_id(&self) -> Option<String> {
        self.content()
    }

    fn tail_key(&self) -> Option<String> {
        let SourceKey::Post(id) = &self.post.key else {
            return None;
        };
        // What is read for our own use is seen to be whole before anything is made of it.
        let is_wanted = self.is_for_client && self.extractor.proves_tails();
        is_wanted.then(|| format!("{}/{id}/{}", self.extractor.site(), self.name()))
    }

    async fn refresh(&self) -> Result<(), OriginError> {
        self.refreshes.fetch_add(1, Ordering::Relaxed);
        let former = self.addresses.load_full();
        let (stale, egress) = (former.extraction.as_ref(), former.egress.as_deref());
        let extraction = self
            .resolver
            .refresh(&self.extractor, self.post.clone(), stale, egress)
            .await?;
        let (extractor, track) = (self.extractor.as_ref(), self.track.as_deref());
        let addresses = from_extraction(extractor, &extraction, &self.format, track)
            .and_then(|addresses| addresses.only(self.mirror))
            .ok_or(OriginError::FormatGone)?;
        self.addresses.store(Arc::new(addresses));
        Ok(())
    }
}

fn from_extraction(
    extractor: &dyn Extractor,
    extraction: &Arc<Extraction>,
    format: &str,
    track: Option<&str>,
) -> Option<Addresses> {
    let Some(number) = image_number(format) else {
        let format = extraction.format_again(format, track)?;
        return Some(of_format(extractor, extraction, format));
    };
    let urls = image_urls(extraction, number)?;
    Some(Addresses {
        extraction: Some(Arc::clone(extraction)),
        ..with_session(extractor, urls, &extraction.session)
    })
}

fn of_format(
    extractor: &dyn Extractor,
    extraction: &Arc<Extraction>,
    format: &Format,
) -> Addresses {
    Addresses {
        extraction: Some(Arc::clone(extraction)),
        filesize: format.filesize,
        content_id: content_id(format),
        ..with_session(extractor, format.urls.clone(), &extraction.session)
    }
}

/// The site's name for the bytes of a format, with their number.
fn content_id(format: &Format) -> Option<String> {
    let identity = format.facts.identity.as_ref()?;
    let length = format.filesize?;
    Some(format!("{identity}.{length}"))
}

fn from_hint(extractor: &dyn Extractor, hint: &Hint, egress: Option<String>) -> Addresses {
    let session = MediaSession {
        egress,
        ..extractor.guest_session(hint.cookie.as_deref())
    };
    with_session(extractor, vec![hint.url.clone()], &session)
}

fn with_session(extractor: &dyn Extractor, urls: Vec<String>, session: &MediaSession) -> Addresses {
    Addresses {
        urls,
        headers: session.headers.clone(),
        jar: Jar::resume(session, extractor.operator_cookies()),
        extraction: None,
        egress: session.egress.clone(),
        filesize: None,
        content_id: None,
    }
}

/// The link's own format, else the nearest of the same kind (api.md §5.5), always with the link's own sound track.
fn same_or_nearest(extraction: &Extraction, link: &Link) -> Option<String> {
    if let Some(number) = image_number(&link.format) {
        return image_urls(extraction, number).map(|_| link.format.clone());
    }
    let track = link.track.as_deref();
    if extraction.format_again(&link.format, track).is_some() {
        return Some(link.format.clone());
    }
    let is_of_track = |format: &&Format| track.is_none() || format.track_id() == track;
    let nearest = match (&extraction.content, link.kind) {
        (Content::Video { formats }, Kind::Video) => {
            let clean = formats.iter().filter(|format| is_clean(format));
            clean.into_iter().find(is_of_track)
        }
        (Content::Video { formats }, Kind::Audio) => {
            select::mp3(formats.iter().filter(is_of_track))
        }
        (Content::Slideshow { audio, .. }, Kind::Audio) => audio.as_ref(),
        _ => None,
    };
    nearest.map(|format| format.id.clone())
}

fn is_clean(format: &Format) -> bool {
    format.tracks == Tracks::Combined && !format.is_watermarked
}

/// The number in `image-3`, counted from 1.
fn image_number(format: &str) -> Option<usize> {
    format.strip_prefix("image-")?.parse().ok()
}

fn image_urls(extraction: &Extraction, number: usize) -> Option<Vec<String>> {
    let Content::Slideshow { images, .. } = &extraction.content else {
        return None;
    };
    let image = images.get(number.checked_sub(1)?)?;
    Some(image.urls.clone())
}
