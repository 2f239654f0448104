//! Answers and scripts of sites, posted addresses and selectors, for [`crate::fuzz`].

use std::str::FromStr as _;

use super::selector::{Candidate, Selection, Selector, Value};
use super::{douyin, tiktok, youtube};

/// Posted addresses: read without I/O, to a source of the site or to nothing.
pub(crate) fn address(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(url) = ::url::Url::parse(&text) {
        tiktok::fuzz::address(&url);
        youtube::fuzz::address(&url);
    }
}

/// A post's page.
pub(crate) fn post_page(data: &[u8]) {
    tiktok::fuzz::page(data);
}

/// An answer of the app's API about a post.
pub(crate) fn app_answer(data: &[u8]) {
    tiktok::fuzz::app_answer(data);
}

/// An answer about a post, and a page with one, of the twin.
pub(crate) fn twin_answer(data: &[u8]) {
    douyin::fuzz::answer(data);
}

/// A page that asks for work.
pub(crate) fn challenge(data: &[u8]) {
    tiktok::fuzz::challenge(data);
}

/// An answer of a provider of tokens.
pub(crate) fn token_answer(data: &[u8]) {
    youtube::fuzz::provider(data);
}

/// A player's answer.
pub(crate) fn player_answer(data: &[u8]) {
    youtube::fuzz::player(data);
}

/// A page of a list.
pub(crate) fn playlist(data: &[u8]) {
    youtube::fuzz::list(data);
}

/// A page that says of itself whom it takes us for.
pub(crate) fn watch_page(data: &[u8]) {
    youtube::fuzz::page(data);
}

/// The player script, as it is looked at before it is run.
pub(crate) fn player_script(data: &[u8]) {
    youtube::fuzz::script(data);
}

/// A made-up format.
struct Thing(&'static str, bool, bool);

impl Candidate for Thing {
    fn id(&self) -> &str {
        self.0
    }

    fn has_video(&self) -> bool {
        self.1
    }

    fn has_audio(&self) -> bool {
        self.2
    }

    fn field(&self, name: &str) -> Value<'_> {
        match name {
            "height" => Value::Number(720.0),
            "ext" => Value::text("mp4"),
            _ => Value::Unknown,
        }
    }
}

/// Selectors: a pair is a picture and a sound.
pub(crate) fn selector(data: &[u8]) {
    let things = [
        Thing("137", true, false),
        Thing("140", false, true),
        Thing("18", true, true),
    ];
    let text = String::from_utf8_lossy(data);
    if let Ok(selector) = Selector::from_str(&text)
        && let Some(Selection::Pair(first, second)) = selector.select(&things)
    {
        assert!(first.1 && second.2, "{text}: {}+{}", first.0, second.0);
    }
}
