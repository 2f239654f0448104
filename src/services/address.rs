//! The posted text -> one address. Pure.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::sync::Arc;

use url::{Host, Url};

use super::ResolveError;
use crate::extract::{Classified, Extractor, PlaylistSource, Refusal, Source};

/// Longest text that is looked at, in bytes; share texts are a few hundred.
const MAX_TEXT: usize = 8 * 1024;

/// Finds the address in a posted text and the extractor that knows it.
///
/// The text may be an address with or without its scheme, a share text with one http(s) address in it, or an id alone
/// where a site has such.
///
/// # Errors
/// [`ResolveError::BadUrl`], [`ResolveError::UnsupportedHost`] or [`ResolveError::Refused`]; nothing is dialled.
pub(super) fn classify(
    extractors: &[Arc<dyn Extractor>],
    text: &str,
) -> Result<(Arc<dyn Extractor>, Source), ResolveError> {
    let url = find(extractors, text)?;
    for extractor in extractors {
        match extractor.classify(&url) {
            Classified::Foreign => {}
            Classified::Source(source) => return Ok((Arc::clone(extractor), source)),
            Classified::Refused(refusal) => return Err(ResolveError::Refused(refusal)),
        }
    }
    Err(unsupported_host(extractors))
}

/// Finds the address of a list in a posted text, and the extractor that knows it.
///
/// # Errors
/// As [`classify`]; a known site's address of something else is [`Refusal::NotAPlaylist`].
pub(super) fn playlist(
    extractors: &[Arc<dyn Extractor>],
    text: &str,
) -> Result<(Arc<dyn Extractor>, PlaylistSource), ResolveError> {
    let url = find(extractors, text)?;
    for extractor in extractors {
        if let Some(list) = extractor.playlist(&url) {
            return Ok((Arc::clone(extractor), list));
        }
        match extractor.classify(&url) {
            Classified::Foreign => {}
            Classified::Refused(Refusal::BadUrl) => {
                return Err(ResolveError::Refused(Refusal::BadUrl));
            }
            Classified::Source(_) | Classified::Refused(_) => {
                return Err(ResolveError::Refused(Refusal::NotAPlaylist));
            }
        }
    }
    Err(unsupported_host(extractors))
}

/// The address in a text, or the page of a site whose id stands there alone.
fn find(extractors: &[Arc<dyn Extractor>], text: &str) -> Result<Url, ResolveError> {
    let id = text.trim();
    let page = extractors
        .iter()
        .find_map(|extractor| extractor.page_of_id(id));
    match page {
        Some(page) => Ok(page),
        None => parse(text).map_err(|fault| fault.into_error(extractors)),
    }
}

fn unsupported_host(extractors: &[Arc<dyn Extractor>]) -> ResolveError {
    ResolveError::UnsupportedHost {
        served: extractors
            .iter()
            .map(|extractor| extractor.title())
            .collect(),
    }
}

/// Why a text is no address of a site, whichever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// No address, or none that a site writes.
    Malformed,
    /// A host without a name.
    Literal,
}

impl Fault {
    fn into_error(self, extractors: &[Arc<dyn Extractor>]) -> ResolveError {
        match self {
            Self::Malformed => ResolveError::BadUrl,
            Self::Literal => unsupported_host(extractors),
        }
    }
}

fn parse(text: &str) -> Result<Url, Fault> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_TEXT {
        return Err(Fault::Malformed);
    }
    let candidate = match find_http(text) {
        Some(found) => found.to_owned(),
        None if text.contains("://") || text.contains(char::is_whitespace) => {
            return Err(Fault::Malformed);
        }
        None => format!("https://{text}"),
    };
    let url = Url::parse(&candidate).map_err(|_| Fault::Malformed)?;
    check(&url)?;
    Ok(url)
}

/// The first `http://` or `https://`, up to where the sentence around it goes on.
fn find_http(text: &str) -> Option<&str> {
    let lower = text.to_ascii_lowercase();
    let start = ["https://", "http://"]
        .iter()
        .filter_map(|scheme| lower.find(scheme))
        .min()?;
    let address = text.get(start..)?.split(ends_address).next()?;
    Some(address.trim_end_matches(TRAILING))
}

/// Marks of a sentence that may stand right behind an address; no address of a post ends so.
const TRAILING: [char; 9] = ['.', ',', ';', ':', '!', '?', ')', ']', '\''];

/// White space, and marks that are never inside an address. Share texts put the wide ones without a space.
fn ends_address(char: char) -> bool {
    char.is_whitespace()
        || matches!(
            char,
            '<' | '>'
                | '"'
                | '“'
                | '”'
                | '„'
                | '«'
                | '»'
                | '，'
                | '。'
                | '！'
                | '？'
                | '、'
                | '；'
                | '：'
                | '（'
                | '）'
                | '【'
                | '】'
                | '「'
                | '」'
        )
}

/// A site's own address has a name, no port, and no user.
fn check(url: &Url) -> Result<(), Fault> {
    if !url.username().is_empty() || url.password().is_some() || url.port().is_some() {
        return Err(Fault::Malformed);
    }
    match url.host() {
        Some(Host::Domain(name)) if name.contains('.') => Ok(()),
        Some(Host::Domain(_)) | None => Err(Fault::Malformed),
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => Err(Fault::Literal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Option<String> {
        parse(text).ok().map(String::from)
    }

    #[test]
    fn address_in_share_text_is_found() {
        assert_eq!(
            parsed("Check this out! https://vm.tiktok.com/ZMabc/ it is great").as_deref(),
            Some("https://vm.tiktok.com/ZMabc/")
        );
    }

    #[test]
    fn address_ends_where_the_sentence_goes_on() {
        for text in [
            "(see https://vm.tiktok.com/ZMabc/).",
            "<https://vm.tiktok.com/ZMabc/>",
            "“https://vm.tiktok.com/ZMabc/”",
            "看 https://vm.tiktok.com/ZMabc/，快！",
        ] {
            assert_eq!(
                parsed(text).as_deref(),
                Some("https://vm.tiktok.com/ZMabc/"),
                "{text}"
            );
        }
    }

    #[test]
    fn address_without_scheme_gets_one() {
        assert_eq!(
            parsed("  www.tiktok.com/@a/video/1 ").as_deref(),
            Some("https://www.tiktok.com/@a/video/1")
        );
    }

    #[test]
    fn scheme_in_capitals_is_found() {
        assert_eq!(
            parsed("HTTPS://WWW.TIKTOK.COM/@a/video/1").as_deref(),
            Some("https://www.tiktok.com/@a/video/1")
        );
    }

    #[test]
    fn addresses_that_no_site_uses_are_refused() {
        for text in [
            "",
            "hello",
            "hello world",
            "ftp://tiktok.com/x",
            "file:///etc/passwd",
            "https://",
            "https://user@www.tiktok.com/@a/video/1",
            "https://user:pass@www.tiktok.com/@a/video/1",
            "https://www.tiktok.com:8443/@a/video/1",
            "http://127.0.0.1/?tiktok.com",
            "http://2130706433/tiktok.com",
            "http://0x7f.1/",
            "http://[::1]/@a/video/1",
            "http://localhost/@a/video/1",
        ] {
            assert!(parse(text).is_err(), "{text} was accepted");
        }
    }

    #[test]
    fn text_over_the_limit_is_refused() {
        let long = format!("https://www.tiktok.com/{}", "a".repeat(MAX_TEXT));
        assert!(matches!(parse(&long), Err(Fault::Malformed)));
    }
}
