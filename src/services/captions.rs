//! Subtitles: links to them, and their text. They are small, so they are read whole before anything is answered.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use url::Url;

use super::{Minter, OriginError, Resolver};
use crate::extract::{Caption, Extraction, Extractor, Source};
use crate::links::{Kind, Link, Purpose};
use crate::net::{Jar, Page, PageRequest};
use crate::transfer::TransferError;

/// Largest text in bytes. Twelve hours of recognised speech are about 3 MiB.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// Time for a text.
const TIMEOUT: Duration = Duration::from_secs(15);
/// What stands before the name of a track in the format of a link.
const PREFIX: &str = "caption-";

/// The links to one track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptionLinks {
    /// Language tag.
    pub language: String,
    /// The site's name of the track.
    pub name: String,
    /// Whether it was made by speech recognition.
    pub is_automatic: bool,
    /// Sealed link to the track as `WebVTT`.
    pub vtt: String,
    /// Sealed link to the track as `SubRip`.
    pub srt: String,
}

/// The name of a track in the format of a link: languages repeat between written and recognised tracks.
fn format_of(caption: &Caption) -> String {
    let kind = if caption.is_automatic { "auto-" } else { "" };
    format!("{PREFIX}{kind}{}", caption.language)
}

impl Minter {
    /// Seals the links to the subtitles of a post.
    pub async fn captions(&self, extraction: &Extraction) -> Vec<CaptionLinks> {
        let expires_at = self.sealer.expiry();
        let mut links = Vec::with_capacity(extraction.facts.captions.len());
        for caption in &extraction.facts.captions {
            let link = |extension: &str| Link {
                expires_at,
                site: extraction.site.clone(),
                id: extraction.id.clone(),
                format: format_of(caption),
                track: None,
                kind: Kind::Caption,
                author: extraction.author.handle.clone(),
                extension: extension.to_owned(),
                index: None,
                egress: extraction.session.egress.clone(),
                hint: None,
            };
            links.push(CaptionLinks {
                language: caption.language.clone(),
                name: caption.name.clone(),
                is_automatic: caption.is_automatic,
                vtt: self.sealer.seal(Purpose::Media, &link("vtt")).await,
                srt: self.sealer.seal(Purpose::Media, &link("srt")).await,
            });
        }
        links
    }
}

/// Fetches the text that a link of [`Minter::captions`] names; the site is asked anew once when its address has ended.
///
/// # Errors
/// The post has no such track any more, or the site doesn't give it.
pub(super) async fn fetch(
    resolver: &Resolver,
    extractor: &std::sync::Arc<dyn Extractor>,
    post: Source,
    link: &Link,
) -> Result<Bytes, TransferError<OriginError>> {
    let cached = resolver.cached(&post, link.egress.as_deref()).await;
    if let Some(extraction) = &cached {
        match read(resolver, extractor.as_ref(), extraction, link).await {
            Err(TransferError::Forbidden | TransferError::Gone | TransferError::Unusable(_)) => {}
            done => return done,
        }
    }
    let egress = link.egress.as_deref();
    let extraction = resolver
        .refresh(extractor, post, cached.as_ref(), egress)
        .await;
    let extraction = extraction.map_err(|error| TransferError::Refresh(error.into()))?;
    read(resolver, extractor.as_ref(), &extraction, link).await
}

async fn read(
    resolver: &Resolver,
    extractor: &dyn Extractor,
    extraction: &Extraction,
    link: &Link,
) -> Result<Bytes, TransferError<OriginError>> {
    let caption = extraction
        .facts
        .captions
        .iter()
        .find(|caption| format_of(caption) == link.format)
        .ok_or(TransferError::Refresh(OriginError::FormatGone))?;
    let address = match link.extension.as_str() {
        "srt" => &caption.srt_url,
        _ => &caption.url,
    };
    let url = Url::parse(address).map_err(|_| TransferError::Unusable("address"))?;
    let request = PageRequest {
        method: Method::GET,
        url: &url,
        headers: headers(extraction),
        body: None,
        hosts: extractor.redirect_hosts(address),
        max_bytes: MAX_BYTES,
        timeout: TIMEOUT,
    };
    let client = resolver.client_of(&extraction.session, extractor.site());
    let page = client.fetch(request, &mut Jar::new(None)).await?;
    text_of(page)
}

/// The headers of the session that was told of the track.
fn headers(extraction: &Extraction) -> HeaderMap {
    let pairs = extraction
        .session
        .headers
        .iter()
        .filter_map(|(name, value)| {
            let name = HeaderName::try_from(name.as_str()).ok()?;
            Some((name, HeaderValue::try_from(value.as_str()).ok()?))
        });
    let mut headers: HeaderMap = pairs.collect();
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers
}

/// The text of an answer, if it is one: not empty, no page, UTF-8.
fn text_of(page: Page) -> Result<Bytes, TransferError<OriginError>> {
    match page.status {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(TransferError::Forbidden),
        StatusCode::NOT_FOUND | StatusCode::GONE => return Err(TransferError::Gone),
        StatusCode::TOO_MANY_REQUESTS => {
            return Err(TransferError::RateLimited { retry_after: None });
        }
        _ => return Err(TransferError::Unusable("status")),
    }
    let text = std::str::from_utf8(&page.body).map_err(|_| TransferError::Unusable("text"))?;
    let start = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    if start.is_empty() || start.starts_with(['<', '{']) {
        return Err(TransferError::Unusable("a page instead of subtitles"));
    }
    Ok(page.body)
}
