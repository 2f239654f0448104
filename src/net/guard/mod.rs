//! Which addresses may be asked: the SSRF guard (reliability R5).
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

mod address;
#[cfg(test)]
mod registries;
mod resolver;

use url::{Host, Url};

pub(super) use address::{AddressGuard, is_public};
pub(super) use resolver::GuardedResolver;

/// Why an address is not asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GuardError {
    /// Not http or https.
    #[error("scheme is not http or https")]
    Scheme,
    /// A user name or password in the address.
    #[error("user name or password in the address")]
    Userinfo,
    /// A port other than the scheme's own.
    #[error("port is not the scheme's own")]
    Port,
    /// An IP address instead of a name.
    #[error("host is an IP address")]
    IpLiteral,
    /// The host is not on the list of its kind.
    #[error("host is not on the list")]
    Host,
    /// A redirect from https to http.
    #[error("redirect from https to http")]
    Downgrade,
    /// The name has no public address.
    #[error("name has no public address")]
    PrivateAddress,
    /// The text is no address.
    #[error("not an address")]
    Malformed,
}

/// Host names that may be asked, by suffix on a label boundary.
#[derive(Debug, Clone, Default)]
pub struct HostList {
    suffixes: Vec<String>,
}

impl HostList {
    /// A list of suffixes: `tiktok.com` allows itself and `www.tiktok.com`, and not `nottiktok.com`. Case and a
    /// leading dot make no difference; an empty one is left out.
    pub fn new<S: Into<String>>(suffixes: impl IntoIterator<Item = S>) -> Self {
        let suffixes = suffixes
            .into_iter()
            .map(|suffix| suffix.into().trim_matches('.').to_ascii_lowercase())
            .filter(|suffix| !suffix.is_empty())
            .collect();
        Self { suffixes }
    }

    /// Whether `host` (lower case, as [`Url`] gives it) is on the list. One final dot is part of the same name.
    pub fn contains(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        let has_empty_label = host.split('.').any(str::is_empty);
        !has_empty_label && self.suffixes.iter().any(|suffix| is_within(host, suffix))
    }

    /// Checks an address without I/O.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(&self, url: &Url) -> Result<(), GuardError> {
        check_form(url)?;
        match url.host() {
            Some(Host::Domain(host)) if self.contains(host) => Ok(()),
            Some(Host::Domain(_)) | None => Err(GuardError::Host),
            Some(Host::Ipv4(_) | Host::Ipv6(_)) => Err(GuardError::IpLiteral),
        }
    }

    /// Checks the target of a redirect without I/O.
    ///
    /// # Errors
    /// The first rule that it breaks; going from https to http is one.
    pub fn check_redirect(&self, from: &Url, to: &Url) -> Result<(), GuardError> {
        self.check(to)?;
        if from.scheme() == "https" && to.scheme() == "http" {
            return Err(GuardError::Downgrade);
        }
        Ok(())
    }
}

/// Whether `host` is `domain` or a name below it.
pub(super) fn is_within(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The rules that hold for every address, whatever its host list.
fn check_form(url: &Url) -> Result<(), GuardError> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(GuardError::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(GuardError::Userinfo);
    }
    if url.port().is_some() {
        return Err(GuardError::Port);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hosts() -> HostList {
        HostList::new(["tiktok.com", ".CDN.example"])
    }

    fn check(text: &str) -> Result<(), GuardError> {
        hosts().check(&Url::parse(text).map_err(|_| GuardError::Malformed)?)
    }

    #[test]
    fn guard_listed_hosts_pass() {
        for url in [
            "https://tiktok.com/",
            "http://www.tiktok.com:80/a?b#c",
            "https://WWW.TikTok.COM./",
            "https://a.b.cdn.example:443/",
        ] {
            assert_eq!(check(url), Ok(()), "{url}");
        }
    }

    #[test]
    fn guard_broken_rule_is_named() {
        for (url, error) in [
            ("ftp://tiktok.com/", GuardError::Scheme),
            ("data:text/html,tiktok.com", GuardError::Scheme),
            ("https://user@tiktok.com/", GuardError::Userinfo),
            ("https://:pass@tiktok.com/", GuardError::Userinfo),
            ("https://tiktok.com@evil.example/", GuardError::Userinfo),
            ("https://tiktok.com:8443/", GuardError::Port),
            ("https://tiktok.com:80/", GuardError::Port),
            ("http://127.0.0.1/?tiktok.com", GuardError::IpLiteral),
            ("http://2130706433/", GuardError::IpLiteral),
            ("http://0x7f.1/", GuardError::IpLiteral),
            ("http://[::ffff:127.0.0.1]/", GuardError::IpLiteral),
            ("http://127\u{3002}0.0.1/", GuardError::IpLiteral),
            ("https://nottiktok.com/", GuardError::Host),
            ("https://tiktok.com.evil.example/", GuardError::Host),
            ("https://tiktok.com../", GuardError::Host),
            ("https://.tiktok.com/", GuardError::Host),
            ("https://a..tiktok.com/", GuardError::Host),
            ("https://tikt\u{43e}k.com/", GuardError::Host),
            ("https://evil.example\\@tiktok.com/", GuardError::Host),
            ("https://", GuardError::Malformed),
        ] {
            assert_eq!(check(url), Err(error), "{url}");
        }
    }

    #[test]
    fn guard_empty_suffix_allows_nothing() {
        let hosts = HostList::new(["", "."]);
        for host in ["", ".", "a", "a.", "a.."] {
            assert!(!hosts.contains(host), "{host}");
        }
    }

    #[test]
    fn guard_redirect_may_not_leave_https() {
        let check = |from: &str, to: &str| {
            hosts().check_redirect(&Url::parse(from).unwrap(), &Url::parse(to).unwrap())
        };
        let (plain, secure) = ("http://tiktok.com/", "https://tiktok.com/");
        assert_eq!(check(secure, plain), Err(GuardError::Downgrade));
        assert_eq!(check(plain, plain), Ok(()));
        assert_eq!(check(plain, secure), Ok(()));
        assert_eq!(check(secure, "https://evil.example"), Err(GuardError::Host));
    }

    proptest! {
        #[test]
        fn guard_look_alikes_never_pass(
            before in "[a-z0-9.-]{0,12}[a-z0-9-]",
            after in "[.-]?[a-z0-9-]{1,12}",
        ) {
            for host in [format!("{before}tiktok.com"), format!("tiktok.com{after}")] {
                prop_assert!(!hosts().contains(&host), "{}", host);
            }
        }

        #[test]
        fn guard_any_text_is_judged_without_panic(text in "\\PC{0,60}") {
            let _ = check(&text);
            let _ = check(&format!("https://{text}"));
            let _ = check(&format!("https://{text}tiktok.com/{text}"));
        }

        #[test]
        fn guard_accepted_hosts_are_below_a_listed_one(text in "[a-z@:/?#.\\\\%0-9]{0,20}") {
            let Ok(url) = Url::parse(&format!("https://{text}tiktok.com")) else { return Ok(()) };
            if HostList::new(["tiktok.com"]).check(&url).is_ok() {
                let host = url.host_str().unwrap_or_default();
                prop_assert!(host == "tiktok.com" || host.ends_with(".tiktok.com"), "{}", host);
            }
        }
    }
}
