//! What the joined file says about itself.

use super::ebml::put;
use super::ids;

/// Most bytes of one value; longer ones are cut.
const MAX_VALUE: usize = 4096;

/// What is said; empty texts are left out, each is cut at 4 KiB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tags<'a> {
    /// Title; also in `Info`, where players look first.
    pub title: &'a str,
    /// Who made it.
    pub artist: &'a str,
    /// When it was published, `YYYY-MM-DD`.
    pub date: &'a str,
    /// Free text.
    pub description: &'a str,
    /// Address of the page it comes from.
    pub source: &'a str,
}

impl Tags<'_> {
    /// The title as it is written.
    pub(super) fn written_title(self) -> Option<String> {
        written(self.title)
    }

    /// The data of `Tags`; empty when there is nothing to say. Names: RFC 9559 leaves them to the tag registry
    /// (draft-ietf-cellar-tags).
    pub(super) fn to_ebml(self) -> Vec<u8> {
        let values = [
            ("TITLE", self.title),
            ("ARTIST", self.artist),
            ("DATE_RELEASED", self.date),
            ("DESCRIPTION", self.description),
            ("URL", self.source),
        ];
        let mut tag = Vec::new();
        for (name, value) in values {
            let Some(value) = written(value) else {
                continue;
            };
            let mut simple = Vec::new();
            put(&mut simple, ids::TAG_NAME, name.as_bytes());
            put(&mut simple, ids::TAG_STRING, value.as_bytes());
            put(&mut tag, ids::SIMPLE_TAG, &simple);
        }
        let mut tags = Vec::new();
        if !tag.is_empty() {
            // Empty targets: the whole segment.
            let mut data = Vec::new();
            put(&mut data, ids::TARGETS, &[]);
            data.append(&mut tag);
            put(&mut tags, ids::TAG, &data);
        }
        tags
    }
}

/// A value without the control characters (a zero would end it) that don't lay out text, cut at a character.
fn written(value: &str) -> Option<String> {
    let mut text = String::new();
    for c in value.chars() {
        if text.len() + c.len_utf8() > MAX_VALUE {
            break;
        }
        if !c.is_control() || matches!(c, '\n' | '\t') {
            text.push(c);
        }
    }
    (!text.is_empty()).then_some(text)
}
