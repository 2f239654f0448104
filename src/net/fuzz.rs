//! What comes from upstreams, posted addresses and the operator's files, for [`crate::fuzz`].

use url::Url;

use super::guard::HostList;
use super::{cookies, wire};

/// A cookie file.
pub(crate) fn cookie_file(data: &[u8]) {
    cookies::fuzz::cookie_file(data);
}

/// `Set-Cookie`.
pub(crate) fn set_cookie(data: &[u8]) {
    cookies::fuzz::set_cookie(data);
}

/// Heads of answers.
pub(crate) fn head(data: &[u8]) {
    wire::fuzz::head(data);
}

/// Addresses: one that may be asked is of a listed host, without anything that leads elsewhere.
pub(crate) fn guard(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let hosts = HostList::new(["site.example"]);
    let from = Url::parse("https://www.site.example/a/1");
    let joined = from.as_ref().ok().and_then(|from| from.join(text).ok());
    for url in Url::parse(text).ok().into_iter().chain(joined) {
        if hosts.check(&url).is_ok() {
            assert!(leads_to(&url, "site.example"), "{url}");
        }
    }
}

/// Whether a plain request to `url` goes to `domain` or a name below it.
fn leads_to(url: &Url, domain: &str) -> bool {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    let is_within = host == domain || host.ends_with(&format!(".{domain}"));
    let is_bare = url.port().is_none() && url.username().is_empty() && url.password().is_none();
    is_within && is_bare && matches!(url.scheme(), "http" | "https")
}
