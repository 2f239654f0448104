//! The jar of one extraction: guest cookies over the operator's.

use std::sync::Arc;

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue};
use url::Url;

use super::set_cookie::{self, SetCookie};
use super::{GuestCookie, MediaSession, OperatorCookies, Scope, is_sendable, normal_domain};
use crate::clock::Clock;

/// Guest cookies kept; browsers keep about 180 per domain, sites that we ask set fewer than ten.
const MAX_GUESTS: usize = 100;
/// Largest guest cookie, name and value together, in bytes.
const MAX_GUEST_BYTES: usize = 8 * 1024;

/// The cookies of one extraction or of the media requests after it. Operator cookies are read, never changed.
///
/// A guest cookie lives as long as the jar: extractions take seconds, and the site decides whether it still likes it.
#[derive(Debug)]
pub struct Jar {
    operator: Option<Arc<OperatorCookies>>,
    guests: Vec<Guest>,
}

#[derive(Debug)]
struct Guest {
    cookie: GuestCookie,
    scope: Scope,
}

impl Jar {
    /// An empty jar over the operator's cookies.
    pub fn new(operator: Option<Arc<OperatorCookies>>) -> Self {
        Self {
            operator,
            guests: Vec::new(),
        }
    }

    /// The jar of an earlier extraction, for its media.
    pub fn resume(session: &MediaSession, operator: Option<Arc<OperatorCookies>>) -> Self {
        let mut jar = Self::new(operator);
        for cookie in &session.cookies {
            jar.insert(cookie.clone());
        }
        jar
    }

    /// Sets a guest cookie, in place of one with the same name, domain and path. One that no header can carry, that
    /// is too large, or one too many is left out.
    pub fn insert(&mut self, cookie: GuestCookie) {
        self.put(cookie, false);
    }

    fn put(&mut self, mut cookie: GuestCookie, is_secure: bool) {
        let is_small = cookie.name.len().saturating_add(cookie.value.len()) <= MAX_GUEST_BYTES
            && cookie.path.len() <= MAX_GUEST_BYTES;
        let Some(domain) = normal_domain(&cookie.domain) else {
            return;
        };
        if !is_small || !is_sendable(&cookie.name, &cookie.value) {
            return;
        }
        cookie.domain = domain;
        let scope = Scope {
            domain: cookie.domain.clone(),
            is_host_only: cookie.is_host_only,
            path: cookie.path.clone(),
            is_secure,
        };
        let guest = Guest { cookie, scope };
        let mut guests = self.guests.iter_mut();
        let old = guests.find(|old| old.is_same(&guest.cookie));
        if let Some(old) = old {
            *old = guest;
        } else if self.guests.len() < MAX_GUESTS {
            self.guests.push(guest);
        }
    }

    /// Removes the guest cookies of this domain and name, whatever their path.
    pub fn remove(&mut self, domain: &str, name: &str) {
        let domain = domain.trim_matches('.').to_ascii_lowercase();
        self.guests
            .retain(|guest| guest.cookie.domain != domain || guest.cookie.name != name);
    }

    /// Keeps the `Set-Cookie` headers of an answer from `url`. One for a foreign domain is left out; one that has
    /// expired removes its cookie.
    pub fn store(&mut self, url: &Url, headers: &HeaderMap) {
        let now = Clock::System.now();
        let texts = headers.get_all(SET_COOKIE).iter();
        for set in texts.filter_map(|text| set_cookie::parse(url, text.to_str().ok()?, now)) {
            self.apply(set);
        }
    }

    fn apply(&mut self, set: SetCookie) {
        if set.is_removal {
            self.guests.retain(|guest| !guest.is_same(&set.cookie));
        } else {
            self.put(set.cookie, set.is_secure);
        }
    }

    /// The `Cookie` header for a request to `url`; a guest cookie wins over the operator's of the same name. Longer
    /// paths come first, then the older ones (RFC 6265 §5.4).
    pub fn header(&self, url: &Url) -> Option<HeaderValue> {
        let guests = self.guests.iter().filter(|guest| guest.scope.covers(url));
        let mut sent: Vec<(&str, &str, &str)> = guests
            .map(|Guest { cookie, .. }| (&*cookie.path, &*cookie.name, &*cookie.value))
            .collect();
        let names: Vec<&str> = sent.iter().map(|(_, name, _)| *name).collect();
        if let Some(operator) = &self.operator {
            let others = operator.covering(url, Clock::System.unix_seconds());
            sent.extend(others.filter(|(_, name, _)| !names.contains(name)));
        }
        if sent.is_empty() {
            return None;
        }
        sent.sort_by_key(|(path, _, _)| std::cmp::Reverse(path.len()));
        let pairs: Vec<String> = sent
            .into_iter()
            .map(|(_, name, value)| format!("{name}={value}"))
            .collect();
        let mut header = HeaderValue::try_from(pairs.join("; ")).ok()?;
        header.set_sensitive(true);
        Some(header)
    }

    /// The guest cookies, for [`MediaSession::cookies`].
    pub fn guest_cookies(&self) -> Vec<GuestCookie> {
        self.guests
            .iter()
            .map(|guest| guest.cookie.clone())
            .collect()
    }
}

impl Guest {
    fn is_same(&self, other: &GuestCookie) -> bool {
        self.cookie.name == other.name
            && self.cookie.domain == other.domain
            && self.cookie.path == other.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPERATOR: &str = "\
.tiktok.com\tTRUE\t/\tTRUE\t0\tsid_tt\tsecret-login\n\
.tiktok.com\tTRUE\t/\tFALSE\t0\tttwid\toperator-ttwid\n";

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn page() -> Url {
        url("https://www.tiktok.com/@u/video/1")
    }

    fn operator() -> Arc<OperatorCookies> {
        Arc::new(OperatorCookies::parse(OPERATOR.as_bytes()).cookies)
    }

    fn answer(cookies: &[&str]) -> HeaderMap {
        let pairs = cookies
            .iter()
            .map(|text| (SET_COOKIE, text.parse().unwrap()));
        pairs.collect()
    }

    fn header(jar: &Jar, target: &str) -> String {
        let header = jar.header(&url(target));
        header.map_or(String::new(), |value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn jar_guest_wins_over_operator_and_values_are_raw() {
        let mut jar = Jar::new(Some(operator()));
        jar.store(
            &page(),
            &answer(&[
                "ttwid=guest; Domain=.tiktok.com; Path=/",
                "tt_chain_token=a+b/c==; Domain=.tiktok.com; Path=/",
            ]),
        );
        assert_eq!(
            header(&jar, "https://v16-webapp-prime.tiktok.com/video"),
            "ttwid=guest; tt_chain_token=a+b/c==; sid_tt=secret-login"
        );
        assert_eq!(header(&jar, "https://cdn.example/"), "");
    }

    #[test]
    fn jar_operator_cookies_never_leave_with_the_guests() {
        let mut jar = Jar::new(Some(operator()));
        jar.store(
            &page(),
            &answer(&["ttwid=guest; Domain=tiktok.com; Path=/"]),
        );
        let session = MediaSession {
            egress: None,
            cookies: jar.guest_cookies(),
            headers: Vec::new(),
        };
        assert_eq!(session.cookies.len(), 1);
        let resumed = Jar::resume(&session, None);
        assert_eq!(header(&resumed, "https://v16.tiktok.com/"), "ttwid=guest");
        assert!(!serde_json::to_string(&session).unwrap().contains("secret"));
    }

    #[test]
    fn jar_expired_cookie_removes_the_guest() {
        let mut jar = Jar::new(None);
        jar.store(&page(), &answer(&["a=1; Path=/", "b=2; Path=/"]));
        jar.store(
            &page(),
            &answer(&["a=; Path=/; Max-Age=0", "b=2; Path=/x; Max-Age=0"]),
        );
        assert_eq!(header(&jar, page().as_str()), "b=2");
    }

    #[test]
    fn jar_insert_replaces_and_remove_takes_a_dotted_domain() {
        let mut jar = Jar::new(None);
        for value in ["1", "2"] {
            jar.insert(GuestCookie {
                name: "_wafchallengeid".into(),
                value: value.into(),
                domain: ".TikTok.com".into(),
                is_host_only: false,
                path: "/".into(),
            });
        }
        assert_eq!(header(&jar, page().as_str()), "_wafchallengeid=2");
        jar.remove(".tiktok.com", "_wafchallengeid");
        assert_eq!(jar.guest_cookies(), []);
    }

    #[test]
    fn jar_longer_path_goes_first() {
        let mut jar = Jar::new(None);
        jar.store(
            &page(),
            &answer(&["a=1; Path=/", "b=2; Path=/@u", "c=3; Path=/"]),
        );
        assert_eq!(header(&jar, page().as_str()), "b=2; a=1; c=3");
    }

    #[test]
    fn jar_is_bounded() {
        let mut jar = Jar::new(None);
        let large = format!("large={}", "x".repeat(MAX_GUEST_BYTES));
        jar.store(&page(), &answer(&[&large]));
        for number in 0..=MAX_GUESTS {
            jar.store(&page(), &answer(&[&format!("n{number}=1")]));
        }
        assert_eq!(jar.guest_cookies().len(), MAX_GUESTS);
        assert!(
            jar.guest_cookies()
                .iter()
                .all(|cookie| cookie.name != "large")
        );
    }
}
