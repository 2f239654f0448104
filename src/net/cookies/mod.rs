//! Cookies: the operator's file, the jar of one extraction, and what of it outlives the extraction.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

mod file;
#[cfg(any(test, feature = "fuzz"))]
pub(super) mod fuzz;
mod jar;
mod netscape;
mod set_cookie;

use serde::{Deserialize, Serialize};
use url::Url;

use super::guard::is_within;

pub use file::CookieFile;
pub use jar::Jar;
pub use netscape::OperatorCookies;

/// A cookie that a site gave to us as an unknown visitor. Never one of the operator's.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestCookie {
    /// Name.
    pub name: String,
    /// Value, as it came.
    pub value: String,
    /// Domain without leading dot.
    pub domain: String,
    /// Whether only that very host gets it.
    pub is_host_only: bool,
    /// Path prefix.
    pub path: String,
}

impl std::fmt::Debug for GuestCookie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GuestCookie")
            .field("name", &self.name)
            .field("value", &"***")
            .field("domain", &self.domain)
            .field("is_host_only", &self.is_host_only)
            .field("path", &self.path)
            .finish()
    }
}

/// What an extraction leaves behind for its media requests: guest cookies and the headers the site wants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaSession {
    /// Cookies set by the pages of the extraction.
    pub cookies: Vec<GuestCookie>,
    /// Headers for every media request, in order (`user-agent`, `referer`, …), lower-case names.
    pub headers: Vec<(String, String)>,
    /// Name of the way out that the extraction took, when there are several; set by whoever chose it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress: Option<String>,
}

/// Which requests get a cookie (RFC 6265 §5.4).
#[derive(Debug, Clone)]
struct Scope {
    /// Lower case, without dots at its ends.
    domain: String,
    is_host_only: bool,
    path: String,
    is_secure: bool,
}

impl Scope {
    fn covers(&self, url: &Url) -> bool {
        let host = host_of(url);
        let is_host = if self.is_host_only {
            host == self.domain
        } else {
            is_within(host, &self.domain)
        };
        is_host
            && is_path_prefix(&self.path, url.path())
            && (!self.is_secure || url.scheme() == "https")
    }
}

/// The host as cookies see it: without the final dot of a full name.
fn host_of(url: &Url) -> &str {
    let host = url.host_str().unwrap_or_default();
    host.strip_suffix('.').unwrap_or(host)
}

/// Path match (RFC 6265 §5.1.4).
fn is_path_prefix(prefix: &str, path: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || prefix.ends_with('/'))
}

/// A domain without dots at its ends, in lower case; `None` when it has no inner dot: nobody owns a whole
/// top-level domain.
fn normal_domain(text: &str) -> Option<String> {
    let domain = text.trim_matches('.').to_ascii_lowercase();
    domain.contains('.').then_some(domain)
}

/// Whether name and value can go into a `Cookie` header as they are. Values are not decoded: `tt_chain_token` holds
/// `=`, `/` and `+` and is compared byte for byte by the site.
fn is_sendable(name: &str, value: &str) -> bool {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b';';
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| is_plain(byte) && byte != b'=' && byte != b' ')
        && value.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(scope: (&str, bool, &str, bool), url: &str) -> bool {
        let (domain, is_host_only, path, is_secure) = scope;
        let scope = Scope {
            domain: domain.to_owned(),
            is_host_only,
            path: path.to_owned(),
            is_secure,
        };
        scope.covers(&Url::parse(url).unwrap())
    }

    #[test]
    fn cookie_domain_matches_on_label_boundary() {
        let everywhere = ("tiktok.com", false, "/", false);
        assert!(covers(everywhere, "https://tiktok.com/"));
        assert!(covers(everywhere, "https://v16.www.tiktok.com./a"));
        assert!(!covers(everywhere, "https://nottiktok.com/"));
        assert!(!covers(everywhere, "https://tiktok.com.evil.example/"));
        let host = ("www.tiktok.com", true, "/", false);
        assert!(covers(host, "https://www.tiktok.com/"));
        assert!(!covers(host, "https://a.www.tiktok.com/"));
    }

    #[test]
    fn cookie_path_matches_on_segment_boundary() {
        let covers = |path, asked: &str| {
            covers(
                ("a.example", false, path, false),
                &format!("http://a.example{asked}"),
            )
        };
        assert!(covers("/a", "/a") && covers("/a", "/a/b") && covers("/a/", "/a/b"));
        assert!(!covers("/a", "/ab") && !covers("/a/", "/a") && !covers("/a", "/"));
    }

    #[test]
    fn cookie_secure_needs_https() {
        let secure = ("a.example", false, "/", true);
        assert!(covers(secure, "https://a.example/"));
        assert!(!covers(secure, "http://a.example/"));
    }

    #[test]
    fn cookie_text_that_would_break_the_header_is_not_sendable() {
        assert!(is_sendable("tt_chain_token", "a+b/c=="));
        assert!(is_sendable("a", "") && is_sendable("a", "{\"b\": 1, c}"));
        for (name, value) in [
            ("", "a"),
            ("a=b", ""),
            ("a b", ""),
            ("a", "b;c"),
            ("a", "b\r\nc"),
            ("a", "é"),
            ("a\t", ""),
        ] {
            assert!(!is_sendable(name, value), "{name:?} {value:?}");
        }
    }

    #[test]
    fn cookie_value_is_not_in_debug_output() {
        let cookie = GuestCookie {
            name: "a".into(),
            value: "hunter2".into(),
            domain: "a.example".into(),
            is_host_only: false,
            path: "/".into(),
        };
        assert!(!format!("{cookie:?}").contains("hunter2"));
    }
}
