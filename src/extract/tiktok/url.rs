//! Reading TikTok addresses, without any I/O.
//!
//! Hosts are compared whole, never by a part of the text. What is fetched later is rebuilt from the parts found here:
//! no query, no fragment, and a user name only when it has a user name's letters.

use percent_encoding::percent_decode_str;
use url::Url;

use super::SITE;
use crate::extract::{Classified, Refusal, Source, SourceKey};

/// What a path means.
enum Form {
    /// `(user, id)` of a post.
    Post(String, String),
    /// A code that must be asked for.
    Short(String),
    /// Nothing that is served.
    Refused(Refusal),
}

/// Which rules hold for the paths of a host.
enum Host {
    /// Posts, profiles, `/t/CODE`.
    Pages,
    /// `/CODE` alone; the label names the host.
    Codes(&'static str),
    /// `/share/video/ID` alone.
    Share,
    /// Broadcasts.
    Live,
}

/// Recognises an address of TikTok.
pub(super) fn classify(url: &Url) -> Classified {
    let Some(host) = host_of(url) else {
        return Classified::Foreign;
    };
    if !url.username().is_empty() || url.password().is_some() || url.port().is_some() {
        return Classified::Refused(Refusal::BadUrl);
    }
    let segments: Vec<String> = url
        .path()
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
        .collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let form = match host {
        Host::Pages => page_form(&segments),
        Host::Codes(label) => code_form(label, &segments),
        Host::Share => share_form(&segments),
        Host::Live => Form::Refused(Refusal::Live),
    };
    classified(form)
}

/// The source of the post with this id, whoever posted it.
pub(super) fn post(id: &str) -> Option<Source> {
    post_of("", id)
}

/// Digits of a post's id: 19 today, room for shorter old and longer future ones.
pub(in crate::extract) fn is_id(text: &str) -> bool {
    (16..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The user name as it stands in a page's address: TikTok takes any in its place, the id decides.
pub(super) fn user_or_placeholder(user: &str) -> &str {
    let is_name = !user.is_empty()
        && user.len() <= 64
        && user
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'));
    if is_name { user } else { "_" }
}

fn host_of(url: &Url) -> Option<Host> {
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    let host = url.domain()?;
    match host.strip_suffix('.').unwrap_or(host) {
        "www.tiktok.com" | "tiktok.com" | "m.tiktok.com" => Some(Host::Pages),
        "vm.tiktok.com" => Some(Host::Codes("vm")),
        "vt.tiktok.com" => Some(Host::Codes("vt")),
        "www.tiktokv.com" | "tiktokv.com" => Some(Host::Share),
        "live.tiktok.com" => Some(Host::Live),
        _ => None,
    }
}

fn page_form(segments: &[&str]) -> Form {
    match segments {
        [user, "video" | "photo", id] if user.starts_with('@') => post_form(&user[1..], id),
        ["video" | "embed", id]
        | ["embed", "v2" | "v3", id]
        | ["player", "v1", id]
        | ["share", "video", id] => post_form("", id),
        ["v", file] => post_form("", file.strip_suffix(".html").unwrap_or(file)),
        ["t", code] if is_code(code) => Form::Short(format!("t/{code}")),
        _ => Form::Refused(page_refusal(segments)),
    }
}

/// Why a page's address is no post.
fn page_refusal(segments: &[&str]) -> Refusal {
    match segments {
        [user, "live", ..] if user.starts_with('@') => Refusal::Live,
        ["live", ..] => Refusal::Live,
        [user] | [user, "playlist" | "collection", ..]
            if user.starts_with('@') && user.len() > 1 =>
        {
            Refusal::NotAPost
        }
        [
            "tag" | "music" | "discover" | "search" | "channel" | "playlist" | "explore" | "foryou"
            | "following" | "friends",
            ..,
        ] => Refusal::NotAPost,
        _ => Refusal::BadUrl,
    }
}

fn code_form(label: &str, segments: &[&str]) -> Form {
    match segments {
        [code] if is_code(code) => Form::Short(format!("{label}/{code}")),
        _ => Form::Refused(Refusal::BadUrl),
    }
}

fn share_form(segments: &[&str]) -> Form {
    match segments {
        ["share", "video", id] => post_form("", id),
        [user, "video", id] if user.starts_with('@') => post_form(&user[1..], id),
        _ => Form::Refused(Refusal::BadUrl),
    }
}

fn post_form(user: &str, id: &str) -> Form {
    Form::Post(user.to_owned(), id.to_owned())
}

/// Codes are nine letters and digits today.
pub(in crate::extract) fn is_code(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

fn classified(form: Form) -> Classified {
    let source = match form {
        Form::Refused(refusal) => return Classified::Refused(refusal),
        Form::Post(user, id) => post_of(&user, &id),
        Form::Short(code) => short_of(code),
    };
    source.map_or(Classified::Refused(Refusal::BadUrl), Classified::Source)
}

fn post_of(user: &str, id: &str) -> Option<Source> {
    if !is_id(id) {
        return None;
    }
    let user = user_or_placeholder(user);
    Some(Source {
        site: SITE,
        key: SourceKey::Post(id.to_owned()),
        url: Url::parse(&format!("https://www.tiktok.com/@{user}/video/{id}")).ok()?,
    })
}

/// `vm/CODE`, `vt/CODE` and `t/CODE` are three name spaces, so the key keeps the label.
fn short_of(key: String) -> Option<Source> {
    let text = match key.split_once('/')? {
        ("t", code) => format!("https://www.tiktok.com/t/{code}/"),
        (label, code) => format!("https://{label}.tiktok.com/{code}/"),
    };
    Some(Source {
        site: SITE,
        url: Url::parse(&text).ok()?,
        key: SourceKey::Short(key),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "7524919459643919624";

    fn read(text: &str) -> Classified {
        classify(&Url::parse(text).unwrap())
    }

    fn source(text: &str) -> Source {
        match read(text) {
            Classified::Source(source) => source,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn every_form_of_a_post_gives_its_page() {
        for (address, page) in [
            ("https://www.tiktok.com/@some.one_1/video/ID", "@some.one_1"),
            ("https://tiktok.com/@some-one/video/ID/", "@some-one"),
            ("https://www.tiktok.com/@/video/ID", "@_"),
            (
                "https://www.tiktok.com/%40user/video/ID?_t=8&_r=1#x",
                "@user",
            ),
            ("https://www.tiktok.com/@us%2F..%2Fer/video/ID", "@_"),
            ("https://www.tiktok.com/@user/photo/ID", "@user"),
            ("https://www.tiktok.com/@名前/video/ID", "@_"),
            ("https://www.tiktok.com/video/ID", "@_"),
            ("https://www.tiktok.com/embed/ID", "@_"),
            ("https://www.tiktok.com/embed/v2/ID", "@_"),
            ("https://www.tiktok.com/embed/v3/ID?lang=en", "@_"),
            ("https://www.tiktok.com/player/v1/ID", "@_"),
            ("https://www.tiktok.com/share/video/ID", "@_"),
            ("https://www.tiktokv.com/share/video/ID/", "@_"),
            ("https://m.tiktok.com/v/ID.html", "@_"),
            ("http://m.tiktok.com/@user/video/ID", "@user"),
            ("https://www.tiktok.com./@user/video/ID", "@user"),
        ] {
            let source = source(&address.replace("ID", ID));
            assert_eq!(source.key, SourceKey::Post(ID.to_owned()), "{address}");
            let expected = format!("https://www.tiktok.com/{page}/video/{ID}");
            assert_eq!(source.url.as_str(), expected, "{address}");
        }
    }

    #[test]
    fn short_links_keep_their_name_space() {
        for (address, key, url) in [
            (
                "https://vm.tiktok.com/ZMabc123/",
                "vm/ZMabc123",
                "https://vm.tiktok.com/ZMabc123/",
            ),
            (
                "https://vt.tiktok.com/ZSabc?k=1",
                "vt/ZSabc",
                "https://vt.tiktok.com/ZSabc/",
            ),
            (
                "https://www.tiktok.com/t/ZTabc/",
                "t/ZTabc",
                "https://www.tiktok.com/t/ZTabc/",
            ),
            (
                "https://m.tiktok.com/t/ZTabc",
                "t/ZTabc",
                "https://www.tiktok.com/t/ZTabc/",
            ),
        ] {
            let source = source(address);
            assert_eq!(source.key, SourceKey::Short(key.to_owned()), "{address}");
            assert_eq!(source.url.as_str(), url, "{address}");
        }
    }

    #[test]
    fn what_is_no_post_is_refused_with_its_reason() {
        for (address, refusal) in [
            ("https://www.tiktok.com/@user", Refusal::NotAPost),
            (
                "https://www.tiktok.com/@user/playlist/x-123",
                Refusal::NotAPost,
            ),
            ("https://www.tiktok.com/tag/cats", Refusal::NotAPost),
            (
                "https://www.tiktok.com/music/song-7420633921946782469",
                Refusal::NotAPost,
            ),
            ("https://www.tiktok.com/@user/live", Refusal::Live),
            ("https://www.tiktok.com/live", Refusal::Live),
            ("https://live.tiktok.com/anything", Refusal::Live),
            ("https://www.tiktok.com/", Refusal::BadUrl),
            ("https://www.tiktok.com/@user/video/123", Refusal::BadUrl),
            (
                "https://www.tiktok.com/@user/video/123456789012345678901",
                Refusal::BadUrl,
            ),
            (
                "https://www.tiktok.com/@user/video/75249194596439196x4",
                Refusal::BadUrl,
            ),
            (
                "https://www.tiktok.com/embed/v9/7524919459643919624",
                Refusal::BadUrl,
            ),
            ("https://vm.tiktok.com/", Refusal::BadUrl),
            ("https://vm.tiktok.com/a/b", Refusal::BadUrl),
            ("https://vm.tiktok.com/a%2Fb", Refusal::BadUrl),
            (
                "https://user:pw@www.tiktok.com/@user/video/7524919459643919624",
                Refusal::BadUrl,
            ),
            (
                "https://www.tiktok.com:8443/@user/video/7524919459643919624",
                Refusal::BadUrl,
            ),
        ] {
            assert_eq!(read(address), Classified::Refused(refusal), "{address}");
        }
    }

    #[test]
    fn look_alikes_are_foreign() {
        for address in [
            "http://127.0.0.1:8000/?tiktok.com",
            "https://evil.example/?tiktok.com",
            "https://www.tiktok.com.evil.example/@user/video/7524919459643919624",
            "https://nottiktok.com/@user/video/7524919459643919624",
            "https://www.tiktok.com@evil.example/@user/video/7524919459643919624",
            "https://evil.example/www.tiktok.com/@user/video/7524919459643919624",
            "https://www.tiktоk.com/@user/video/7524919459643919624",
            "https://xx.tiktok.com/@user/video/7524919459643919624",
            "ftp://www.tiktok.com/@user/video/7524919459643919624",
            "https://[::1]/@user/video/7524919459643919624",
            "data:text/plain,www.tiktok.com",
        ] {
            assert_eq!(read(address), Classified::Foreign, "{address}");
        }
    }

    proptest! {
        #[test]
        fn any_path_gives_only_own_addresses(
            host in "(www|m|vm|vt|live)\\.tiktok\\.com|tiktok\\.com|www\\.tiktokv\\.com",
            path in "(/(@[a-z./%]{0,6}|video|photo|t|v|embed|share|[0-9]{15,21}|\\PC{0,8})){0,5}",
        ) {
            if let Ok(url) = Url::parse(&format!("https://{host}{path}")) {
                check(&classify(&url), url.as_str());
            }
        }

        #[test]
        fn any_text_is_read_without_panic(text in "\\PC{0,120}") {
            if let Ok(url) = Url::parse(&text) {
                check(&classify(&url), &text);
            }
            if let Ok(url) = Url::parse(&format!("https://{text}")) {
                check(&classify(&url), &text);
            }
        }
    }

    fn check(classified: &Classified, text: &str) {
        let Classified::Source(source) = classified else {
            return;
        };
        let host = source.url.host_str().unwrap();
        assert!(
            ["www.tiktok.com", "vm.tiktok.com", "vt.tiktok.com"].contains(&host),
            "{text}"
        );
        assert_eq!(source.url.scheme(), "https", "{text}");
        assert!(
            source.url.query().is_none() && source.url.fragment().is_none(),
            "{text}"
        );
        assert_eq!(classify(&source.url), classified.clone(), "{text}");
    }
}
