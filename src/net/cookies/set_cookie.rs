//! Reads `Set-Cookie` headers (RFC 6265 §5.2, §5.3). Pure.

use std::time::SystemTime;

use url::Url;

use super::{GuestCookie, host_of, is_sendable, is_within, normal_domain};

/// What a `Set-Cookie` header asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SetCookie {
    pub(super) cookie: GuestCookie,
    pub(super) is_secure: bool,
    /// It has expired already: the cookie is to be removed.
    pub(super) is_removal: bool,
}

/// The attributes that matter here.
#[derive(Default)]
struct Attributes<'a> {
    domain: Option<&'a str>,
    path: Option<&'a str>,
    max_age: Option<i64>,
    expires: Option<SystemTime>,
    is_secure: bool,
}

/// Reads one header of an answer from `url`; `None` when it is malformed or speaks for a foreign domain.
pub(super) fn parse(url: &Url, header: &str, now: SystemTime) -> Option<SetCookie> {
    let mut parts = header.split(';');
    let (name, value) = parts.next()?.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    if !is_sendable(name, value) {
        return None;
    }
    let attributes = Attributes::read(parts);
    let (domain, is_host_only) = attributes.domain(host_of(url))?;
    Some(SetCookie {
        is_secure: attributes.is_secure,
        is_removal: attributes.is_expired(now),
        cookie: GuestCookie {
            name: name.to_owned(),
            value: value.to_owned(),
            domain,
            is_host_only,
            path: attributes.path(url.path()),
        },
    })
}

impl<'a> Attributes<'a> {
    fn read(parts: impl Iterator<Item = &'a str>) -> Self {
        let mut read = Self::default();
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let value = value.trim();
            match name.trim().to_ascii_lowercase().as_str() {
                "domain" => read.domain = Some(value),
                "path" => read.path = Some(value),
                // Out of range means for ever, or long ago.
                "max-age" => read.max_age = value.parse().ok(),
                "expires" => {
                    read.expires = httpdate::parse_http_date(&dashes_to_spaces(value)).ok();
                }
                "secure" => read.is_secure = true,
                _ => {}
            }
        }
        read
    }

    /// The domain and whether it is this host alone; `None` when it is not the host's to speak for.
    fn domain(&self, host: &str) -> Option<(String, bool)> {
        let Some(text) = self.domain.filter(|text| !text.is_empty()) else {
            return Some((host.to_owned(), true));
        };
        let domain = normal_domain(text)?;
        is_within(host, &domain).then_some((domain, false))
    }

    fn path(&self, asked: &str) -> String {
        let given = self.path.filter(|path| path.starts_with('/'));
        let path = given.unwrap_or_else(|| default_path(asked));
        if is_sendable("path", path) {
            path.to_owned()
        } else {
            "/".to_owned()
        }
    }

    /// `Max-Age` wins over `Expires`.
    fn is_expired(&self, now: SystemTime) -> bool {
        match self.max_age {
            Some(seconds) => seconds <= 0,
            None => self.expires.is_some_and(|at| at <= now),
        }
    }
}

/// `Wed, 21-Oct-2026 07:28:00 GMT` is what many servers send; the dashes are the only difference to an HTTP date.
fn dashes_to_spaces(date: &str) -> String {
    date.replace('-', " ")
}

/// The directory of the path asked (RFC 6265 §5.1.4).
fn default_path(asked: &str) -> &str {
    match asked.rfind('/') {
        Some(end) if end > 0 => &asked[..end],
        _ => "/",
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use proptest::prelude::*;

    use super::super::is_path_prefix;
    use super::*;

    fn set(header: &str) -> Option<SetCookie> {
        let url = Url::parse("https://www.tiktok.com/@user/video/1").unwrap();
        parse(
            &url,
            header,
            UNIX_EPOCH + Duration::from_secs(1_790_000_000),
        )
    }

    #[test]
    fn set_cookie_of_the_site_is_read() {
        let header = "tt_chain_token=a+b/c==; Path=/; Domain=.tiktok.com; Max-Age=15552000; HttpOnly; Secure; SameSite=None";
        let set = set(header).unwrap();
        assert!(set.is_secure && !set.is_removal);
        let expected = GuestCookie {
            name: "tt_chain_token".into(),
            value: "a+b/c==".into(),
            domain: "tiktok.com".into(),
            is_host_only: false,
            path: "/".into(),
        };
        assert_eq!(set.cookie, expected);
    }

    #[test]
    fn set_cookie_without_attributes_is_for_this_host_and_directory() {
        let set = set("a=b").unwrap();
        assert_eq!(set.cookie.domain, "www.tiktok.com");
        assert_eq!(set.cookie.path, "/@user/video");
        assert!(set.cookie.is_host_only && !set.is_secure);
    }

    #[test]
    fn set_cookie_for_a_foreign_domain_is_refused() {
        for domain in [
            "evil.example",
            "com",
            ".com",
            "v16.www.tiktok.com",
            "ok.com",
            ".",
        ] {
            assert_eq!(set(&format!("a=b; Domain={domain}")), None, "{domain}");
        }
    }

    #[test]
    fn set_cookie_in_the_past_is_a_removal() {
        for (attributes, is_removal) in [
            ("Max-Age=0", true),
            ("Max-Age=-1; Expires=Wed, 21 Oct 2099 07:28:00 GMT", true),
            ("Max-Age=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", false),
            ("Expires=Thu, 01-Jan-1970 00:00:00 GMT", true),
            ("Expires=Wed, 21-Oct-2099 07:28:00 GMT", false),
            ("Expires=never", false),
        ] {
            let set = set(&format!("a=b; {attributes}")).unwrap();
            assert_eq!(set.is_removal, is_removal, "{attributes}");
        }
    }

    #[test]
    fn set_cookie_malformed_is_refused() {
        for header in ["", "a", "=b", "a\u{7f}=b", "a=\u{e9}", ";a=b"] {
            assert_eq!(set(header), None, "{header:?}");
        }
    }

    proptest! {
        #[test]
        fn set_cookie_of_any_text_stays_in_its_domain(header in "\\PC{0,40}(; ?(domain|path|expires)=\\PC{0,20}){0,3}") {
            if let Some(set) = set(&header) {
                prop_assert!(is_within("www.tiktok.com", &set.cookie.domain));
                prop_assert!(is_path_prefix("/", &set.cookie.path));
            }
        }
    }
}
