//! What comes from upstreams, posted addresses and the operator's files, for [`crate::fuzz`].

use url::Url;

use super::guard::HostList;
use super::proxy::Proxies;
use super::{cookies, egress, store, wire};

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

/// Bodies in chunks.
pub(crate) fn chunks(data: &[u8]) {
    wire::fuzz::chunks(data);
}

/// Lists of ways out.
pub(crate) fn egress(data: &[u8]) {
    egress::fuzz::list(data);
}

/// Answers of a VPN's control server.
pub(crate) fn vpn_answer(data: &[u8]) {
    egress::fuzz::answer(data);
}

/// Replies of Redis.
pub(crate) fn redis_reply(data: &[u8]) {
    store::fuzz::reply(data);
}

/// Addresses of proxies: nothing of what stands before the host is shown.
pub(crate) fn proxy(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Some(proxies) = Proxies::of(&text) else {
        return;
    };
    let url = proxies.for_tunnels();
    let shown = proxies.to_string();
    let bare = Url::parse(&shown.replace("***@", ""));
    assert!(
        bare.is_ok_and(|bare| bare.username().is_empty()
            && bare.password().is_none()
            && Some(bare.host_str()) == url.map(Url::host_str)
            && Some(bare.port()) == url.map(Url::port)),
        "{shown}"
    );
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
