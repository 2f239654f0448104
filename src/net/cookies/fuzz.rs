//! Cookies of the operator and of sites, for [`crate::fuzz`].

use std::time::UNIX_EPOCH;

use url::Url;

use super::{OperatorCookies, set_cookie as reader};

/// A cookie file: every cookie that would be sent can stand in a header.
pub(in crate::net) fn cookie_file(data: &[u8]) {
    let parsed = OperatorCookies::parse(data);
    for address in ["https://www.site.example/", "http://example.com/a/b"] {
        let Ok(url) = Url::parse(address) else {
            continue;
        };
        for (_, name, value) in parsed.cookies.covering(&url, 0) {
            assert!(
                is_sendable(name) && is_sendable(value),
                "{name:?}={value:?}"
            );
        }
    }
}

/// `Set-Cookie`: no cookie for somebody else's domain, none that breaks a header.
pub(in crate::net) fn set_cookie(data: &[u8]) {
    let url = Url::parse("https://www.site.example/a/1");
    let (Ok(text), Ok(url)) = (std::str::from_utf8(data), url) else {
        return;
    };
    if let Some(set) = reader::parse(&url, text, UNIX_EPOCH) {
        let cookie = set.cookie;
        let is_own = ["site.example", "www.site.example"].contains(&&*cookie.domain);
        assert!(is_own, "{}", cookie.domain);
        assert!(is_sendable(&cookie.name) && is_sendable(&cookie.value));
    }
}

/// Nothing that ends a cookie or a field.
fn is_sendable(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte >= b' ' && byte != b';' && byte != 0x7f)
}
