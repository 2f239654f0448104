//! Text as YouTube writes it: `{"simpleText"}`, `{"runs":[{"text"}]}` or `{"content"}`.

use serde::Deserialize;

use crate::extract::lenient::{List, Object, Text};

/// A piece of text in any of its spellings.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::extract::youtube) struct Words {
    simple_text: Text,
    runs: List<Run>,
    content: Text,
}

/// One run of a text.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Run {
    text: Text,
}

impl Words {
    /// The text without its formatting; empty when there is none.
    pub(in crate::extract::youtube) fn plain(&self) -> String {
        if let Some(text) = self.simple_text.as_ref().or(self.content.as_ref()) {
            return text.clone();
        }
        self.runs.iter().map(|run| run.text.text()).collect()
    }
}

/// The text of an optional piece; empty when there is none.
pub(in crate::extract::youtube) fn plain(words: &Object<Words>) -> String {
    words.as_ref().map(Words::plain).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_read() {
        for (json, expected) in [
            (r#"{"simpleText":"a b"}"#, "a b"),
            (r#"{"runs":[{"text":"a "},{"text":"b"},7]}"#, "a b"),
            (r#"{"content":"a b"}"#, "a b"),
            (r#"{"simpleText":7,"runs":3}"#, "7"),
            ("{}", ""),
        ] {
            let words: Words = serde_json::from_str(json).unwrap();
            assert_eq!(words.plain(), expected, "{json}");
        }
    }
}
