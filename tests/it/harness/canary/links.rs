//! Sealed links that a server has answered: clients may know them, and nothing else may.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// What stands before the token in a link: of media, and of slideshows.
const LINKS: [&str; 2] = ["data=", "/download-slideshow?url="];
/// Characters of a token that are looked for: version, key and nonce are in the first 19, so no two begin alike.
const BEGIN_CHARS: usize = 32;

/// Beginnings of the tokens.
#[derive(Debug, Default)]
pub(super) struct Links(Mutex<HashSet<String>>);

impl Links {
    /// Takes those of an answer for secrets from now on.
    pub(super) fn learn(&self, answer: &str) {
        let tokens = LINKS.iter().flat_map(|link| answer.split(link).skip(1));
        let begins = tokens.filter_map(|token| token.get(..BEGIN_CHARS));
        let begins = begins.filter(|begin| begin.bytes().all(is_of_tokens));
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(begins.map(str::to_owned));
    }

    /// The first one in a text.
    pub(super) fn found_in(&self, text: &str) -> Option<String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut words = text.split(|letter| !u8::try_from(letter).is_ok_and(is_of_tokens));
        let found = words.find_map(|word| {
            let last = word.len().checked_sub(BEGIN_CHARS)?;
            let mut parts = (0..=last).map(|at| &word[at..at + BEGIN_CHARS]);
            parts.find(|part| known.contains(*part))
        });
        found.map(|begin| format!("the link `{begin}…`"))
    }
}

/// Whether tokens consist of such characters: base64url.
fn is_of_tokens(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

#[test]
fn link_that_was_answered_must_stand_nowhere_else() {
    let links = Links::default();
    let token = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkq";
    let slideshow = "BgIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkq";
    let logs = [token, slideshow].map(|token| format!("GET /stream?x=-{token} 200"));
    assert!(logs.iter().all(|log| links.found_in(log).is_none()));
    for answered in [
        format!("{{\"url\":\"http://a.example/stream?data={token}\"}}"),
        format!("http://a.example/download-slideshow?url={slideshow}"),
        "{\"url\":\"http://a.example/stream?data=short\"}".to_owned(),
        "data=ü".repeat(20),
    ] {
        links.learn(&answered);
    }
    assert!(logs.iter().all(|log| links.found_in(log).is_some()));
    for innocent in [&token[1..], &token[..31], "data=short", "ü"] {
        assert_eq!(links.found_in(innocent), None, "{innocent}");
    }
}
