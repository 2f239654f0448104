//! Which addresses are YouTube's, and what each of them names (youtube.md §1). Pure: nothing is asked, and nothing of
//! the posted text but the ids found in it is used afterwards.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use url::{Url, form_urlencoded};

use super::ids::{PlaylistId, VideoId};

/// What an address names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Another site's.
    Foreign,
    /// A video, perhaps seen within a playlist.
    Video {
        /// The video.
        id: VideoId,
        /// The playlist of `list=`, if it has the form of one.
        list: Option<PlaylistId>,
    },
    /// A playlist alone.
    Playlist(PlaylistId),
    /// A channel, a search, a clip or any other page.
    Other,
    /// A page of a video or playlist without a valid id.
    Malformed,
}

/// Domains whose pages and subdomains' pages are YouTube's.
const DOMAINS: &[&str] = &[
    "youtube.com",
    "youtube-nocookie.com",
    "youtubekids.com",
    "youtube.googleapis.com",
    "youtu.be",
];

/// Reads an address.
pub fn read(url: &Url) -> Address {
    read_once(url).unwrap_or_else(|inner| read_once(&inner).unwrap_or(Address::Other))
}

/// The canonical page of a video.
pub(super) fn video_page(id: &VideoId) -> Option<Url> {
    Url::parse(&format!("https://www.youtube.com/watch?v={}", id.as_str())).ok()
}

/// The page of the video or playlist whose id this is and nothing else.
pub(super) fn page_of_id(text: &str) -> Option<Url> {
    if let Some(id) = VideoId::parse(text) {
        return video_page(&id);
    }
    Url::parse(&playlist_page(&PlaylistId::parse(text)?)).ok()
}

/// The canonical page of a playlist.
pub(super) fn playlist_page(id: &PlaylistId) -> String {
    format!("https://www.youtube.com/playlist?list={}", id.as_str())
}

/// Reads an address, or gives the one wrapped in it.
fn read_once(url: &Url) -> Result<Address, Url> {
    let Some(host) = site_host(url) else {
        return Ok(Address::Foreign);
    };
    let has_odd_authority =
        url.port().is_some() || !url.username().is_empty() || url.password().is_some();
    if has_odd_authority {
        return Ok(Address::Malformed);
    }
    let segments: Vec<&str> = url
        .path_segments()
        .into_iter()
        .flatten()
        .filter(|segment| !segment.is_empty())
        .collect();
    if let Some(name) = wrapper_parameter(&host, &segments) {
        return wrapped(url, name).map_or(Ok(Address::Malformed), Err);
    }
    Ok(if host == "youtu.be" || host.ends_with(".youtu.be") {
        read_short(&segments, url)
    } else {
        read_path(&segments, url)
    })
}

/// The host of an address, if it is one of YouTube's.
fn site_host(url: &Url) -> Option<String> {
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    let host = url.host_str()?.to_ascii_lowercase();
    let host = host.strip_suffix('.').unwrap_or(&host);
    let is_ours = DOMAINS.iter().any(|domain| {
        host.strip_suffix(domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    });
    is_ours.then(|| host.to_owned())
}

/// The parameter that holds the wrapped address, if the page is a wrapper.
fn wrapper_parameter(host: &str, segments: &[&str]) -> Option<&'static str> {
    match segments {
        _ if host.starts_with("consent.") => Some("continue"),
        ["attribution_link", ..] => Some("u"),
        ["redirect", ..] => Some("q"),
        _ => None,
    }
}

/// The address that a wrapper page leads to.
fn wrapped(url: &Url, name: &str) -> Option<Url> {
    let base = Url::parse("https://www.youtube.com/").ok()?;
    base.join(&parameter(url, name)?).ok()
}

/// `youtu.be/ID`.
fn read_short(segments: &[&str], url: &Url) -> Address {
    match segments {
        [] => Address::Other,
        ["watch", ..] => read_watch(url),
        ["playlist", ..] => read_playlist(url),
        [id, ..] => video(VideoId::parse_prefix(id), url),
    }
}

/// An address of the site proper, by its path.
fn read_path(segments: &[&str], url: &Url) -> Address {
    match segments {
        [] => match read_watch(url) {
            Address::Malformed => Address::Other,
            found => found,
        },
        ["watch" | "watch_popup" | "watch.php" | "movie", ..] => read_watch(url),
        ["playlist", ..] | ["embed", "videoseries", ..] => read_playlist(url),
        ["embed", "live_stream", ..] => Address::Other,
        ["shorts" | "live" | "embed" | "v" | "e" | "vi", rest @ ..] => {
            video(rest.first().and_then(|id| VideoId::parse_prefix(id)), url)
        }
        ["browse", id, ..] if id.starts_with("VL") => {
            PlaylistId::parse(id).map_or(Address::Malformed, Address::Playlist)
        }
        ["browse" | "channel", id, ..] if id.starts_with("MPREb_") => {
            PlaylistId::parse(id).map_or(Address::Other, Address::Playlist)
        }
        _ => Address::Other,
    }
}

/// `watch?v=ID`, with the parameter in the query or in the fragment; without one the playlist counts.
fn read_watch(url: &Url) -> Address {
    let in_query = parameters(url.query().unwrap_or_default(), "v");
    // Old links put the query into the fragment: `#v=ID`, `#!v=ID`, `#/watch?v=ID`.
    let fragment = url.fragment().unwrap_or_default();
    let fragment = fragment.rsplit(['?', '!']).next().unwrap_or_default();
    let ids: Vec<String> = in_query.chain(parameters(fragment, "v")).collect();
    match ids.iter().find_map(|id| VideoId::parse_prefix(id)) {
        None if ids.is_empty() => read_playlist(url),
        found => video(found, url),
    }
}

/// `list=ID`.
fn read_playlist(url: &Url) -> Address {
    playlist_of(url).map_or(Address::Malformed, Address::Playlist)
}

/// A video with the playlist of its address.
fn video(id: Option<VideoId>, url: &Url) -> Address {
    let list = playlist_of(url);
    id.map_or(Address::Malformed, |id| Address::Video { id, list })
}

/// The playlist of an address.
fn playlist_of(url: &Url) -> Option<PlaylistId> {
    PlaylistId::parse(&parameter(url, "list")?)
}

/// The first value of a query parameter.
fn parameter(url: &Url, name: &str) -> Option<String> {
    parameters(url.query().unwrap_or_default(), name).next()
}

/// All values of a parameter in a form-encoded text.
fn parameters<'a>(query: &'a str, name: &'a str) -> impl Iterator<Item = String> + 'a {
    form_urlencoded::parse(query.as_bytes())
        .filter(move |(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "dQw4w9WgXcQ";
    const LIST: &str = "PLMC9KNkIncKtPzgY-5rmhvj7fax8fdxoj";

    fn address(text: &str) -> Address {
        read(&Url::parse(text).unwrap())
    }

    fn id_of(text: &str) -> Option<String> {
        match address(text) {
            Address::Video { id, .. } => Some(id.as_str().to_owned()),
            _ => None,
        }
    }

    #[test]
    fn forms_of_a_video_are_known() {
        for tail in [
            "www.youtube.com/watch?v={}",
            "m.youtube.com/watch?app=desktop&v={}&t=90",
            "YOUTUBE.com/watch/?v={}#t=1m30s",
            "youtube.com/watch?feature=share&v={}&list=nonsense",
            "www.youtube.com/watch_popup?v={}",
            "www.youtube.com/?v={}",
            "www.youtube.com/#v={}",
            "www.youtube.com/watch#!v={}",
            "www.youtube.com/#/watch?v={}",
            "youtu.be/{}?si=abc",
            "www.youtu.be/{}",
            "youtu.be./{}",
            "www.youtube.com/shorts/{}?feature=share",
            "www.youtube.com/live/{}",
            "www.youtube.com/embed/{}?start=5",
            "www.youtube.com//embed//{}",
            "www.youtube.com/v/{}&hl=en",
            "www.youtube.com/e/{}",
            "www.youtube-nocookie.com/embed/{}",
            "www.youtubekids.com/watch?v={}",
            "music.youtube.com/watch?v={}&list=RDAMVM{}",
            "youtube.googleapis.com/v/{}",
            "www.youtube.com/attribution_link?a=x&u=%2Fwatch%3Fv%3D{}%26feature%3Dshare",
            "www.youtube.com/redirect?q=https%3A%2F%2Fyoutu.be%2F{}",
            "consent.youtube.com/m?continue=https%3A%2F%2Fwww.youtube.com%2Fwatch%3Fv%3D{}&gl=DE",
        ] {
            for scheme in ["https", "http"] {
                let text = format!("{scheme}://{}", tail.replace("{}", ID));
                assert_eq!(id_of(&text).as_deref(), Some(ID), "{text}");
            }
        }
    }

    #[test]
    fn id_alone_names_its_page() {
        for (text, page) in [(ID, "watch?v="), (LIST, "playlist?list=")] {
            let page = format!("https://www.youtube.com/{page}{text}");
            assert_eq!(page_of_id(text).map(String::from), Some(page));
        }
        for text in ["", "dQw4w9WgXc", "dQw4w9WgXcQ ", "youtube.com", "PLshort"] {
            assert_eq!(page_of_id(text), None, "{text}");
        }
    }

    #[test]
    fn video_within_a_playlist_is_the_video_and_keeps_the_list() {
        let found = address(&format!("https://www.youtube.com/watch?v={ID}&list={LIST}"));
        assert_eq!(
            found,
            Address::Video {
                id: VideoId::parse(ID).unwrap(),
                list: PlaylistId::parse(LIST)
            }
        );
    }

    #[test]
    fn playlists_are_known() {
        for text in [
            format!("https://www.youtube.com/playlist?list={LIST}"),
            format!("https://music.youtube.com/playlist?list={LIST}"),
            format!("https://www.youtube.com/embed/videoseries?list={LIST}"),
            format!("https://www.youtube.com/watch?list={LIST}"),
            format!("https://music.youtube.com/browse/VL{LIST}"),
        ] {
            assert_eq!(
                address(&text),
                Address::Playlist(PlaylistId::parse(LIST).unwrap()),
                "{text}"
            );
        }
    }

    #[test]
    fn albums_are_playlists() {
        let album = "MPREb_BQZvl3BFGay";
        for text in [
            format!("https://music.youtube.com/browse/{album}"),
            format!("https://music.youtube.com/channel/{album}"),
        ] {
            let expected = Address::Playlist(PlaylistId::parse(album).unwrap());
            assert_eq!(address(&text), expected, "{text}");
        }
    }

    #[test]
    fn other_pages_are_refused() {
        for path in [
            "",
            "@handle",
            "channel/UCabc",
            "c/name",
            "user/name",
            "clip/Ugkx",
            "feed/trending",
            "results?search_query=a",
            "embed/live_stream?channel=UCabc",
            "@handle/live",
            "name",
            "browse/MPREb_abc",
            "redirect?q=https%3A%2F%2Fevil.test%2Fwatch%3Fv%3DdQw4w9WgXcQ",
        ] {
            let found = address(&format!("https://www.youtube.com/{path}"));
            assert!(
                matches!(found, Address::Other | Address::Foreign),
                "{path}: {found:?}"
            );
        }
    }

    #[test]
    fn broken_ids_are_malformed() {
        for text in [
            "https://www.youtube.com/watch",
            "https://www.youtube.com/watch?v=",
            "https://www.youtube.com/watch?v=dQw4w9WgXc",
            "https://www.youtube.com/watch?v=dQw4w9WgXcQQ",
            "https://youtu.be/dQw4w9WgXc%20",
            "https://www.youtube.com/shorts/",
            "https://www.youtube.com/playlist?list=PLx",
            "https://www.youtube.com:8443/watch?v=dQw4w9WgXcQ",
            "https://user@www.youtube.com/watch?v=dQw4w9WgXcQ",
        ] {
            assert_eq!(address(text), Address::Malformed, "{text}");
        }
    }

    #[test]
    fn foreign_hosts_are_foreign() {
        for host in [
            "notyoutube.com",
            "youtube.com.evil.test",
            "evil.test",
            "youtu.be.evil.test",
            "xyoutu.be",
            "127.0.0.1",
            "youtube.co",
            "googleapis.com",
        ] {
            assert_eq!(
                address(&format!("https://{host}/watch?v={ID}")),
                Address::Foreign,
                "{host}"
            );
        }
        assert_eq!(
            address("ftp://www.youtube.com/watch?v=dQw4w9WgXcQ"),
            Address::Foreign
        );
    }

    proptest! {
        #[test]
        fn any_address_is_read_without_panic(text in "(https?|ftp)://[a-z.@:0-9]{0,30}(youtube\\.com|youtu\\.be|a\\.test)?[/?#&=%a-zA-Z0-9_@.-]{0,80}") {
            if let Ok(url) = Url::parse(&text) {
                let found = read(&url);
                let host = url.host_str().unwrap_or_default().trim_end_matches('.').to_owned();
                let is_ours = DOMAINS.iter().any(|domain| {
                    host == *domain || host.ends_with(&format!(".{domain}"))
                });
                prop_assert!(is_ours || found == Address::Foreign);
            }
        }

        #[test]
        fn any_query_gives_a_valid_id_or_none(query in "\\PC{0,60}", fragment in "\\PC{0,30}") {
            let mut url = Url::parse("https://www.youtube.com/watch").unwrap();
            url.set_query(Some(&query));
            url.set_fragment(Some(&fragment));
            if let Address::Video { id, .. } = read(&url) {
                prop_assert!(VideoId::parse(id.as_str()).is_some());
                let page = video_page(&id).unwrap();
                prop_assert_eq!(page.host_str(), Some("www.youtube.com"));
            }
        }

        #[test]
        fn every_id_survives_every_form(id in "[0-9A-Za-z_-]{11}") {
            for text in [format!("https://youtu.be/{id}"), format!("https://www.youtube.com/watch?v={id}")] {
                prop_assert_eq!(id_of(&text), Some(id.clone()));
            }
        }
    }
}
