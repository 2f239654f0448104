//! Ciphered media addresses: what `signatureCipher` holds, and how solved challenges are put into an address.
//!
//! Googlevideo signs the parameters of an address, so every byte that isn't a challenge must stay as it came; an
//! address is therefore edited as text, never parsed and printed again.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::borrow::Cow;
use std::ops::Range;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What `encodeURIComponent` leaves alone, less the marks that the site encodes too.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Longest name of the parameter that takes the signature; `sig`, `signature` and `lsig` were seen.
const MAX_PARAMETER: usize = 16;

/// A `signatureCipher` (older: `cipher`): an address that lacks its signature.
#[derive(Clone, PartialEq, Eq)]
pub struct Cipher {
    /// The address without its signature.
    pub url: String,
    /// The parameter that takes the solved signature.
    pub parameter: String,
    /// The signature as the player script takes it.
    pub signature: String,
}

impl std::fmt::Debug for Cipher {
    /// Keeps addresses out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cipher")
            .field("parameter", &self.parameter)
            .finish_non_exhaustive()
    }
}

impl Cipher {
    /// Reads the form-encoded fields `s`, `sp` and `url`; `None` when one is missing or no parameter's name.
    pub fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| {
            url::form_urlencoded::parse(text.as_bytes())
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
                .filter(|value| !value.is_empty())
        };
        let parameter = field("sp").unwrap_or_else(|| "signature".to_owned());
        let is_name = parameter.len() <= MAX_PARAMETER
            && parameter
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        is_name.then_some(())?;
        Some(Self {
            url: field("url")?,
            parameter,
            signature: field("s")?,
        })
    }

    /// The address with its solved signature.
    pub fn signed(&self, signature: &str) -> String {
        let (head, fragment) = split_fragment(&self.url);
        let mark = if head.contains('?') { '&' } else { '?' };
        let value = utf8_percent_encode(signature, COMPONENT);
        format!("{head}{mark}{}={value}{fragment}", self.parameter)
    }
}

/// The challenge `n` of an address, decoded: the query parameter, else the segment behind `/n/` of a path.
pub fn n_of(url: &str) -> Option<Cow<'_, str>> {
    let raw = url.get(n_span(url)?)?;
    percent_decode_str(raw)
        .decode_utf8()
        .ok()
        .filter(|value| !value.is_empty())
}

/// The address with `solved` in the place of its challenge `n`, all other bytes as they were; unchanged when it has
/// none.
pub fn with_n(url: &str, solved: &str) -> String {
    match n_span(url) {
        None => url.to_owned(),
        Some(span) => {
            let value = utf8_percent_encode(solved, COMPONENT);
            format!("{}{value}{}", &url[..span.start], &url[span.end..])
        }
    }
}

fn split_fragment(url: &str) -> (&str, &str) {
    url.split_at(url.find('#').unwrap_or(url.len()))
}

/// Where the undecoded value of `n` is.
fn n_span(url: &str) -> Option<Range<usize>> {
    let (whole, _) = split_fragment(url);
    let (path, query) = whole.split_once('?').unwrap_or((whole, ""));
    let offset = whole.len().saturating_sub(query.len());
    query_span(query, offset).or_else(|| path_span(path))
}

fn query_span(query: &str, offset: usize) -> Option<Range<usize>> {
    let mut at = offset;
    for pair in query.split('&') {
        let end = at.checked_add(pair.len())?;
        if let Some(value) = pair.strip_prefix("n=") {
            return Some(end.checked_sub(value.len())?..end);
        }
        at = end.checked_add(1)?;
    }
    None
}

fn path_span(path: &str) -> Option<Range<usize>> {
    let (before, rest) = path.split_at_checked(path.find("/n/")?)?;
    let start = before.len().checked_add("/n/".len())?;
    let value = rest.strip_prefix("/n/")?.split('/').next()?;
    Some(start..start.checked_add(value.len())?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cipher_gives_its_three_fields() {
        let cipher = Cipher::parse("s=aB%3D%3D%2B&sp=sig&url=https://h.example/v%3Fa%3D1%2526&x=1");
        let cipher = cipher.expect("a cipher");
        assert_eq!(cipher.signature, "aB==+");
        assert_eq!(cipher.parameter, "sig");
        assert_eq!(cipher.url, "https://h.example/v?a=1%26");
        assert_eq!(
            cipher.signed("x=/y"),
            "https://h.example/v?a=1%26&sig=x%3D%2Fy"
        );
        assert_eq!(format!("{cipher:?}"), "Cipher { parameter: \"sig\", .. }");
    }

    #[test]
    fn cipher_without_a_parameter_name_uses_the_old_one() {
        let cipher = Cipher::parse("s=a&url=https%3A%2F%2Fh.example%2Fv%23f").expect("a cipher");
        assert_eq!(cipher.signed("b"), "https://h.example/v?signature=b#f");
    }

    #[test]
    fn broken_cipher_is_refused() {
        for text in [
            "",
            "s=a",
            "url=b",
            "s=&url=b",
            "s=a&url=",
            "s=a&sp=x%26y&url=b",
            "s=a&sp=aaaaaaaaaaaaaaaaaaaaaaaa&url=b",
        ] {
            assert_eq!(Cipher::parse(text), None, "{text}");
        }
    }

    #[test]
    fn n_is_found_in_query_and_path_only_as_a_whole_name() {
        for (url, n) in [
            ("https://h.example/v?n=ab-_c&x=1", Some("ab-_c")),
            ("https://h.example/v?mn=1&n=x%2Dy", Some("x-y")),
            ("https://h.example/v/n/abc/file/index.m3u8", Some("abc")),
            ("https://h.example/v/n/abc", Some("abc")),
            ("https://h.example/v/n/abc?n=q", Some("q")),
            ("https://h.example/v?sn=1#n=2", None),
            ("https://h.example/v?n=", None),
            ("https://h.example/vn/abc", None),
        ] {
            assert_eq!(n_of(url).as_deref(), n, "{url}");
        }
    }

    #[test]
    fn replacing_n_leaves_every_other_byte() {
        let url = "https://h.example/v?a=%2c%2C+&n=old&sparams=a%2Cn&lsig=%3D%3d#f";
        let solved = with_n(url, "new");
        assert_eq!(
            solved,
            "https://h.example/v?a=%2c%2C+&n=new&sparams=a%2Cn&lsig=%3D%3d#f"
        );
        assert_eq!(
            with_n("https://h.example/n/o/x", "p"),
            "https://h.example/n/p/x"
        );
        assert_eq!(
            with_n("https://h.example/x?y=1", "p"),
            "https://h.example/x?y=1"
        );
    }

    proptest! {
        #[test]
        fn editing_never_panics(url in ".*[?&/#]?n?[=/]?.*", solved in "[A-Za-z0-9_-]{1,20}") {
            let edited = with_n(&url, &solved);
            if n_of(&url).is_some() {
                let found = n_of(&edited);
                prop_assert_eq!(found.as_deref(), Some(solved.as_str()));
            }
            if let Some(cipher) = Cipher::parse(&url) {
                prop_assert!(cipher.signed(&solved).contains(&solved));
            }
        }
    }
}
