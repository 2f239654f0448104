//! The place in a list between two requests, as text that the caller keeps.
//!
//! It holds nothing secret, and what comes back is checked: ids and tokens must have their form, numbers their bounds.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::page::{MAX_TOKEN, is_token};
use crate::extract::youtube::VideoId;

/// Longest cursor, in characters: a token and a visitor id of full length, numbers and names, in base64.
const MAX_LENGTH: usize = (MAX_TOKEN + MAX_VISITOR + 128) * 4 / 3;
/// Largest number in a cursor: beyond any list, and far from where sums end.
const MAX_NUMBER: u64 = 1_000_000;
/// Longest visitor id that is sent.
const MAX_VISITOR: usize = 2048;

/// Where a list goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cursor {
    /// Entries given before.
    #[serde(rename = "n")]
    pub(super) given: u64,
    /// Lines of the page that were given before.
    #[serde(rename = "s", default)]
    pub(super) skip: usize,
    /// Visitor id of the page before: a list asked for under another one begins anew.
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    pub(super) visitor: Option<String>,
    /// The page.
    #[serde(rename = "p")]
    pub(super) place: Place,
}

/// A page of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Place {
    /// The first one.
    #[default]
    #[serde(rename = "f")]
    First,
    /// The one behind a token.
    #[serde(rename = "t")]
    Token(String),
    /// The part of a mix that begins with a video at a place.
    #[serde(rename = "m")]
    Mix {
        /// The video.
        id: String,
        /// Its place, counted from 0.
        at: u64,
    },
}

impl Cursor {
    /// The beginning of a list.
    pub(super) fn start() -> Self {
        Self {
            given: 0,
            skip: 0,
            visitor: None,
            place: Place::First,
        }
    }

    /// Reads a cursor; `None` for what is none of ours. Each has one spelling, so that nobody asks for the same place
    /// under many names.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_LENGTH {
            return None;
        }
        let json = URL_SAFE_NO_PAD.decode(text).ok()?;
        let cursor: Self = serde_json::from_slice(&json).ok()?;
        (cursor.is_valid() && cursor.encode().as_deref() == Some(text)).then_some(cursor)
    }

    /// The cursor as text.
    pub(super) fn encode(&self) -> Option<String> {
        Some(URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).ok()?))
    }

    fn is_valid(&self) -> bool {
        let has_valid_place = match &self.place {
            Place::First => true,
            Place::Token(token) => is_token(token),
            Place::Mix { id, at } => *at <= MAX_NUMBER && VideoId::parse(id).is_some(),
        };
        let has_valid_numbers = self.given <= MAX_NUMBER && self.skip as u64 <= MAX_NUMBER;
        let has_valid_visitor = self.visitor.as_deref().is_none_or(is_visitor);
        has_valid_place && has_valid_numbers && has_valid_visitor
    }
}

/// Whether a text has the form of a visitor id that a cursor may carry.
pub(super) fn is_visitor(text: &str) -> bool {
    text.len() <= MAX_VISITOR && is_token(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cursor_survives_its_text() {
        for place in [
            Place::First,
            Place::Token("4qmFsgJbEiRWTA%3D%3D".to_owned()),
            Place::Mix {
                id: "dQw4w9WgXcQ".to_owned(),
                at: 24,
            },
        ] {
            let cursor = Cursor {
                given: 100,
                skip: 3,
                visitor: Some("Cgt%3D".to_owned()),
                place,
            };
            assert_eq!(Cursor::parse(&cursor.encode().unwrap()), Some(cursor));
        }
    }

    #[test]
    fn foreign_cursors_are_refused() {
        let encoded = |json: &str| URL_SAFE_NO_PAD.encode(json);
        for text in [
            String::new(),
            "%%%".to_owned(),
            encoded("{}"),
            encoded(r#"{"n":1,"p":{"t":"a b"}}"#),
            encoded(r#"{"n":1,"p":{"t":""}}"#),
            encoded(r#"{"n":-1,"p":"f"}"#),
            encoded(r#"{"n":18446744073709551615,"p":"f"}"#),
            encoded(r#"{"n":1,"s":18446744073709551615,"p":"f"}"#),
            encoded(r#"{"n":1,"p":{"m":{"id":"dQw4w9WgXcQ","at":18446744073709551615}}}"#),
            encoded(r#"{"n":1,"p":{"m":{"id":"x","at":1}}}"#),
            encoded(r#"{"n":1,"p":"f","v":"a\r\nb"}"#),
            encoded(r#"{"n":1,"p":"f","other":1}"#),
            "A".repeat(MAX_LENGTH + 1),
            // The same place spelt otherwise.
            encoded(r#"{"n":1, "s":0,"p":"f"}"#),
            encoded(r#"{"n":1,"p":"f"}"#),
            encoded(r#"{"s":0,"n":1,"p":"f"}"#),
            encoded(r#"{"n":1,"s":0,"v":null,"p":"f"}"#),
            encoded("{\"n\":1,\"s\":0,\"p\":\"\\u0066\"}"),
            format!("{}=", encoded(r#"{"n":1,"s":0,"p":"f"}"#)),
        ] {
            assert_eq!(Cursor::parse(&text), None, "{text}");
        }
    }

    #[test]
    fn longest_cursor_is_read() {
        let cursor = Cursor {
            given: MAX_NUMBER,
            skip: usize::try_from(MAX_NUMBER).unwrap(),
            visitor: Some("v".repeat(MAX_VISITOR)),
            place: Place::Token("t".repeat(MAX_TOKEN)),
        };
        assert_eq!(Cursor::parse(&cursor.encode().unwrap()), Some(cursor));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "[A-Za-z0-9_-]{0,80}") {
            let _ = Cursor::parse(&text);
        }
    }
}
