//! Hosts that YouTube's answers may lead to. Anything else in an answer is dropped.

use std::net::IpAddr;

use percent_encoding::percent_decode_str;
use url::Url;

use crate::net::HostList;

/// Hosts of media, pictures and subtitles.
#[derive(Debug, Clone)]
pub(super) struct Hosts {
    /// Everything below that a link of ours may lead to.
    pub(super) all: HostList,
    media: HostList,
    pictures: HostList,
    captions: HostList,
}

/// Hosts of the programming interface.
pub(super) const API: &[&str] = &[
    "www.youtube.com",
    "music.youtube.com",
    "youtubei.googleapis.com",
];
const MEDIA: &[&str] = &["googlevideo.com"];
const PICTURES: &[&str] = &["ytimg.com", "ggpht.com", "yt3.googleusercontent.com"];
const CAPTIONS: &[&str] = &["www.youtube.com"];

impl Default for Hosts {
    fn default() -> Self {
        let list = |names: &[&str]| HostList::new(names.iter().copied());
        Self {
            all: list(&[MEDIA, PICTURES, CAPTIONS].concat()),
            media: list(MEDIA),
            pictures: list(PICTURES),
            captions: list(CAPTIONS),
        }
    }
}

impl Hosts {
    /// Whether a media address may be used as it stands.
    pub(super) fn is_media(&self, url: &str) -> bool {
        is_on(&self.media, url)
    }

    /// The hosts of the same kind as an address's own, or all when it is of none.
    pub(super) fn around(&self, url: &str) -> &HostList {
        [&self.media, &self.pictures, &self.captions]
            .into_iter()
            .find(|list| is_on(list, url))
            .unwrap_or(&self.all)
    }

    /// A picture's address, with the scheme that YouTube sometimes leaves out.
    pub(super) fn picture(&self, url: &str) -> Option<String> {
        let full = match url.strip_prefix("//") {
            Some(rest) => format!("https://{rest}"),
            None => url.to_owned(),
        };
        is_on(&self.pictures, &full).then_some(full)
    }

    /// The address of a subtitle track; YouTube sometimes writes the path alone.
    pub(super) fn caption(&self, url: &str) -> Option<Url> {
        let base = Url::parse("https://www.youtube.com/").ok()?;
        let full = base.join(url).ok()?;
        (full.path() == "/api/timedtext" && is_on(&self.captions, full.as_str())).then_some(full)
    }
}

/// The IP address that an address of media was given to.
pub(super) fn given_to(url: &str) -> Option<IpAddr> {
    parameter(url, "ip")?.parse().ok()
}

/// Until when an address of media is good, in seconds since 1970.
pub(super) fn expires_at(url: &str) -> Option<u64> {
    parameter(url, "expire")?.parse().ok()
}

/// A parameter of an address of media: in its query, or as a pair of segments of its path, as playlists of live videos
/// and what they name have it (recorded 2026-06).
fn parameter(url: &str, name: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    if let Some((_, value)) = url.query_pairs().find(|(key, _)| key == name) {
        return Some(value.into_owned());
    }
    let mut segments = url.path_segments()?;
    segments.find(|segment| *segment == name)?;
    let value = percent_decode_str(segments.next()?).decode_utf8().ok()?;
    Some(value.into_owned())
}

/// Whether an address is https, on the list, and written so that every reader of addresses sees the same host.
fn is_on(list: &HostList, text: &str) -> bool {
    let is_plain = text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    is_plain
        && text.starts_with("https://")
        && Url::parse(text).is_ok_and(|url| list.check(&url).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_of_media_names_whom_it_was_given_to() {
        let host = "https://r1.googlevideo.com/videoplayback";
        for (query, ip) in [
            ("?expire=1&ip=192.0.2.1&x=2", Some("192.0.2.1")),
            ("?ip=2001%3Adb8%3A%3A1", Some("2001:db8::1")),
            ("?ip=", None),
            ("?ipx=192.0.2.1", None),
            ("", None),
            (
                "/id/a.1/ip/2001%3Adb8%3A%3A1/file/seg.ts",
                Some("2001:db8::1"),
            ),
            ("/id/ip", None),
        ] {
            let found = given_to(&format!("{host}{query}"));
            assert_eq!(found.map(|ip| ip.to_string()).as_deref(), ip, "{query}");
        }
    }

    #[test]
    fn address_of_media_says_until_when_it_is_good() {
        let host = "https://r1.googlevideo.com/videoplayback";
        for (query, at) in [
            ("?ip=192.0.2.1&expire=1763770000", Some(1_763_770_000)),
            ("?expire=soon", None),
            ("?expire=-1", None),
            ("", None),
        ] {
            assert_eq!(expires_at(&format!("{host}{query}")), at, "{query}");
        }
    }

    #[test]
    fn only_the_site_s_own_hosts_pass() {
        let hosts = Hosts::default();
        assert!(hosts.is_media("https://rr5---sn-25glenlz.googlevideo.com/videoplayback?expire=1"));
        for url in [
            "http://rr5---sn-a.googlevideo.com/videoplayback",
            "https://googlevideo.com.evil.test/",
            "https://evil.test\\@googlevideo.com/",
            "https://googlevideo.com@evil.test/",
            "https://a.googlevideo.com:444/",
            "https://www.youtube.com/",
            "//a.googlevideo.com/",
            "https://a.googlevideo.com/a b",
            "",
        ] {
            assert!(!hosts.is_media(url), "{url}");
        }
        assert!(
            hosts
                .picture("//i.ytimg.com/vi/a/b.jpg")
                .is_some_and(|url| url.starts_with("https://i."))
        );
        assert_eq!(hosts.picture("https://evil.test/b.jpg"), None);
        assert!(hosts.caption("/api/timedtext?v=a").is_some());
        assert_eq!(hosts.caption("https://evil.test/api/timedtext"), None);
        assert_eq!(hosts.caption("/watch?v=a"), None);
        for (url, host, is_inside) in [
            ("https://r1.googlevideo.com/v", "r2.googlevideo.com", true),
            ("https://r1.googlevideo.com/v", "i.ytimg.com", false),
            ("https://i.ytimg.com/vi/a.jpg", "r1.googlevideo.com", false),
            (
                "https://www.youtube.com/api/timedtext",
                "i.ytimg.com",
                false,
            ),
            ("https://evil.test/", "i.ytimg.com", true),
        ] {
            assert_eq!(hosts.around(url).contains(host), is_inside, "{url} {host}");
        }
    }
}
