//! Addresses, pages, answers and challenges, for [`crate::fuzz`].

use ::url::Url;

use super::{SITE, app, challenge as work, finish, map, parse_page, url};
use crate::net::{Jar, MediaSession};

const ID: &str = "7520000000000000001";
/// Most numbers that are tried for a proof of work.
const WORK: u32 = 100;

pub(in crate::extract) fn address(url: &Url) {
    let _source = url::classify(url);
}

/// A page about another post is an error, whatever else it says.
pub(in crate::extract) fn page(data: &[u8]) {
    if let Ok(extraction) = parse_page(data, ID) {
        assert_eq!(extraction.id, ID);
    }
}

/// So is an answer of the app's API.
pub(in crate::extract) fn app_answer(data: &[u8]) {
    if let Ok(aweme) = app::read(data, ID) {
        let mapped = map::map_aweme(&aweme, map::Dialect::TikTok);
        if let Ok(extraction) = finish(SITE, mapped, MediaSession::default()) {
            assert_eq!(extraction.id, ID);
        }
    }
}

/// Challenges: what answers one are cookies that can stand in a header, and they go as they came.
pub(in crate::extract) fn challenge(data: &[u8]) {
    let Some(challenge) = work::parse(data) else {
        return;
    };
    let Ok(answer) = work::answer(&challenge, "site.example".to_owned(), WORK) else {
        return;
    };
    let mut jar = Jar::new(None);
    answer.insert(&mut jar);
    let cookies = jar.guest_cookies();
    assert!(!cookies.is_empty());
    for cookie in cookies {
        let is_sendable = |text: &str| {
            let mut bytes = text.bytes();
            bytes.all(|byte| byte.is_ascii_graphic() && byte != b';')
        };
        assert!(
            is_sendable(&cookie.name) && is_sendable(&cookie.value),
            "{cookie:?}"
        );
    }
    answer.remove(&mut jar);
    assert!(jar.guest_cookies().is_empty());
}
