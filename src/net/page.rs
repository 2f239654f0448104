//! Requests that are read whole, and their answers.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{COOKIE, LOCATION};
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use super::failure::classify;
use super::{HostList, Jar, NetError, Phase};

/// Memory taken at once for a body, whatever length it announces.
const FIRST_ALLOCATION: usize = 64 * 1024;

/// A request for something that is read whole: a page, a JSON answer, the hop of a short link.
#[derive(Debug)]
pub struct PageRequest<'a> {
    /// GET, HEAD or POST.
    pub method: Method,
    /// Address; checked against `hosts` before anything is dialled.
    pub url: &'a Url,
    /// Headers besides `cookie`, `host`, `accept-encoding`, `content-length`.
    pub headers: HeaderMap,
    /// Body of a POST.
    pub body: Option<Bytes>,
    /// Hosts that may be asked.
    pub hosts: &'a HostList,
    /// Largest body in bytes after decompression.
    pub max_bytes: usize,
    /// Time for the whole fetch.
    pub timeout: Duration,
}

/// An answer read whole. Any status: the caller decides.
#[derive(Debug)]
pub struct Page {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body after decompression.
    pub body: Bytes,
    /// Target of a redirect, resolved against the address asked. Not checked: that happens when it is fetched;
    /// [`HostList::check_redirect`] tells beforehand.
    pub location: Option<Url>,
}

impl PageRequest<'_> {
    /// The request as the library wants it, with the cookies of `jar`.
    pub(super) fn to_upstream(&self, jar: &Jar) -> reqwest::Request {
        let mut request = reqwest::Request::new(self.method.clone(), self.url.clone());
        request.headers_mut().clone_from(&self.headers);
        if let Some(cookies) = jar.header(self.url) {
            request.headers_mut().insert(COOKIE, cookies);
        }
        *request.body_mut() = self.body.clone().map(Into::into);
        request
    }
}

/// Reads a body of at most `limit` bytes. Counted after decompression: a 200 KB gzip expands to 200 MB without any
/// complaint of the library.
pub(super) async fn read_capped(
    mut answer: reqwest::Response,
    host: &str,
    limit: usize,
) -> Result<Bytes, NetError> {
    let too_large = || NetError::TooLarge {
        host: host.to_owned(),
        limit,
    };
    // Known only for bodies that are not compressed.
    let announced = answer.content_length().unwrap_or(0);
    let announced = usize::try_from(announced).unwrap_or(usize::MAX);
    if announced > limit {
        return Err(too_large());
    }
    let mut body = BytesMut::with_capacity(announced.min(FIRST_ALLOCATION));
    while let Some(piece) = next_piece(&mut answer, host).await? {
        if piece.len() > limit.saturating_sub(body.len()) {
            return Err(too_large());
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.freeze())
}

async fn next_piece(answer: &mut reqwest::Response, host: &str) -> Result<Option<Bytes>, NetError> {
    let piece = answer.chunk().await;
    piece.map_err(|error| classify(error, host, Phase::Body))
}

/// Whether `status` sends the client elsewhere (RFC 9110 §15.4).
pub(super) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// The target of a redirect from `url`; `None` when there is none or it is no address.
pub(super) fn location(url: &Url, headers: &HeaderMap) -> Option<Url> {
    // Servers send raw UTF-8 here, which `HeaderValue::to_str` refuses.
    let target = std::str::from_utf8(headers.get(LOCATION)?.as_bytes()).ok()?;
    url.join(target).ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn target(value: &[u8]) -> Option<String> {
        let base = Url::parse("https://a.example/x/y?z").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, HeaderValue::from_bytes(value).ok()?);
        location(&base, &headers).map(Into::into)
    }

    #[test]
    fn location_is_resolved_against_the_address_asked() {
        assert_eq!(target(b"/b").as_deref(), Some("https://a.example/b"));
        assert_eq!(target(b"b").as_deref(), Some("https://a.example/x/b"));
        assert_eq!(
            target(b"//b.example").as_deref(),
            Some("https://b.example/")
        );
        assert_eq!(
            target("/é".as_bytes()).as_deref(),
            Some("https://a.example/%C3%A9")
        );
        assert_eq!(target(b"https://["), None);
        assert_eq!(target(b"\xff"), None);
    }

    proptest! {
        #[test]
        fn location_of_any_bytes_never_panics(value: Vec<u8>) {
            let _ = target(&value);
        }
    }
}
