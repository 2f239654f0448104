//! Hosts that YouTube's answers may lead to. Anything else in an answer is dropped.

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
pub(super) const API: &[&str] = &["www.youtube.com", "youtubei.googleapis.com"];
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
    }
}
