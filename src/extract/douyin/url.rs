//! Reading Douyin addresses, without any I/O. Hosts are compared whole.

use url::Url;

use super::SITE;
use crate::extract::tiktok::url::{is_code, is_id};
use crate::extract::{Classified, Refusal, Source, SourceKey};

/// Recognises an address of Douyin.
pub(super) fn classify(url: &Url) -> Classified {
    let host = match url.scheme() {
        "http" | "https" => url.domain().unwrap_or_default(),
        _ => "",
    };
    let read: fn(&Url) -> Result<Source, Refusal> = match host.strip_suffix('.').unwrap_or(host) {
        "www.douyin.com" | "douyin.com" => page,
        "www.iesdouyin.com" | "iesdouyin.com" | "m.douyin.com" => share,
        "v.douyin.com" => short,
        "live.douyin.com" => |_| Err(Refusal::Live),
        _ => return Classified::Foreign,
    };
    if !url.username().is_empty() || url.password().is_some() || url.port().is_some() {
        return Classified::Refused(Refusal::BadUrl);
    }
    read(url).map_or_else(Classified::Refused, Classified::Source)
}

/// The source of the post with this id.
pub(super) fn post(id: &str) -> Option<Source> {
    let url = Url::parse(&format!("https://www.douyin.com/video/{id}"));
    let url = url.ok().filter(|_| is_id(id))?;
    Some(Source {
        site: SITE,
        key: SourceKey::Post(id.to_owned()),
        url,
    })
}

fn segments(url: &Url) -> Vec<&str> {
    url.path()
        .split('/')
        .filter(|segment| !segment.is_empty())
        .collect()
}

/// `/video/ID` and the like; on discover, search, user and channel pages `modal_id` names the post that is open.
fn page(url: &Url) -> Result<Source, Refusal> {
    let segments = segments(url);
    if let ["video" | "note" | "slides", id] = segments.as_slice() {
        return post(id).ok_or(Refusal::BadUrl);
    }
    if let Some((_, id)) = url.query_pairs().find(|(name, _)| name == "modal_id") {
        return post(&id).ok_or(Refusal::BadUrl);
    }
    match segments.as_slice() {
        ["share", "video" | "note" | "slides", id] => post(id).ok_or(Refusal::BadUrl),
        ["live", ..] | ["follow", "live", ..] => Err(Refusal::Live),
        [
            "user" | "search" | "discover" | "channel" | "music" | "collection" | "hashtag",
            ..,
        ] => Err(Refusal::NotAPost),
        _ => Err(Refusal::BadUrl),
    }
}

fn share(url: &Url) -> Result<Source, Refusal> {
    match segments(url).as_slice() {
        ["share", "video" | "note" | "slides", id] => post(id).ok_or(Refusal::BadUrl),
        ["share", "user" | "music" | "challenge" | "mix", ..] => Err(Refusal::NotAPost),
        ["share", "live", ..] => Err(Refusal::Live),
        _ => Err(Refusal::BadUrl),
    }
}

fn short(url: &Url) -> Result<Source, Refusal> {
    let segments = segments(url);
    let [code] = segments.as_slice() else {
        return Err(Refusal::BadUrl);
    };
    let url = Url::parse(&format!("https://v.douyin.com/{code}/"));
    let url = url.ok().filter(|_| is_code(code)).ok_or(Refusal::BadUrl)?;
    Ok(Source {
        site: SITE,
        key: SourceKey::Short((*code).to_owned()),
        url,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "7589936417128647990";

    fn read(text: &str) -> Classified {
        classify(&Url::parse(text).unwrap())
    }

    #[test]
    fn every_form_of_a_post_gives_its_page() {
        for address in [
            "https://www.douyin.com/video/ID",
            "https://www.douyin.com/note/ID?x=1",
            "https://www.douyin.com/slides/ID/",
            "https://www.douyin.com/discover?modal_id=ID",
            "https://www.douyin.com/user/MS4wabc?x=1&modal_id=ID",
            "https://www.iesdouyin.com/share/video/ID/?region=CN",
            "https://www.iesdouyin.com/share/note/ID",
            "https://m.douyin.com/share/slides/ID",
        ] {
            let Classified::Source(source) = read(&address.replace("ID", ID)) else {
                panic!("{address}");
            };
            assert_eq!(source.key, SourceKey::Post(ID.to_owned()), "{address}");
            assert_eq!(
                source.url.as_str(),
                format!("https://www.douyin.com/video/{ID}")
            );
        }
    }

    #[test]
    fn short_link_is_rebuilt() {
        let Classified::Source(source) = read("https://v.douyin.com/iRNBho6u/?a=1") else {
            panic!("no source");
        };
        assert_eq!(source.key, SourceKey::Short("iRNBho6u".to_owned()));
        assert_eq!(source.url.as_str(), "https://v.douyin.com/iRNBho6u/");
    }

    #[test]
    fn what_is_no_post_is_refused_and_look_alikes_are_foreign() {
        for (address, expected) in [
            (
                "https://www.douyin.com/user/MS4wabc",
                Classified::Refused(Refusal::NotAPost),
            ),
            (
                "https://live.douyin.com/123",
                Classified::Refused(Refusal::Live),
            ),
            (
                "https://www.douyin.com/",
                Classified::Refused(Refusal::BadUrl),
            ),
            (
                "https://www.douyin.com/video/12",
                Classified::Refused(Refusal::BadUrl),
            ),
            (
                "https://www.douyin.com/discover?modal_id=x",
                Classified::Refused(Refusal::BadUrl),
            ),
            (
                "https://v.douyin.com/a/b",
                Classified::Refused(Refusal::BadUrl),
            ),
            (
                "https://www.douyin.com:444/video/7589936417128647990",
                Classified::Refused(Refusal::BadUrl),
            ),
            (
                "https://evil.test/?www.douyin.com/video/7589936417128647990",
                Classified::Foreign,
            ),
            (
                "https://douyin.com.evil.test/video/7589936417128647990",
                Classified::Foreign,
            ),
            (
                "ftp://www.douyin.com/video/7589936417128647990",
                Classified::Foreign,
            ),
        ] {
            assert_eq!(read(address), expected, "{address}");
        }
    }

    proptest! {
        #[test]
        fn any_address_gives_only_own_ones(
            host in "(www|v|m|live)\\.douyin\\.com|www\\.iesdouyin\\.com",
            path in "(/(share|video|note|user|[0-9]{15,21}|\\PC{0,8})){0,4}(\\?modal_id=\\PC{0,20})?",
        ) {
            if let Ok(url) = Url::parse(&format!("https://{host}{path}"))
                && let Classified::Source(source) = classify(&url)
            {
                let own = source.url.host_str().unwrap();
                prop_assert!(["www.douyin.com", "v.douyin.com"].contains(&own));
                prop_assert!(source.url.query().is_none());
            }
        }
    }
}
