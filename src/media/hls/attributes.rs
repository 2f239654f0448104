//! Attribute lists (RFC 8216 §4.2).

use super::HlsError;

/// Attributes of one tag.
const MOST: usize = 64;

/// The attributes of a tag.
pub(super) struct Attributes<'a> {
    pairs: Vec<(&'a str, &'a str)>,
}

impl<'a> Attributes<'a> {
    /// Reads a list; of several values of one name the first counts.
    ///
    /// # Errors
    /// [`HlsError::Tag`] with `tag` for a text that is no list, [`HlsError::TooMany`].
    pub(super) fn read(text: &'a str, tag: &'static str) -> Result<Self, HlsError> {
        let mut pairs = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (name, after) = rest.split_once('=').ok_or(HlsError::Tag(tag))?;
            let (value, further) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').ok_or(HlsError::Tag(tag))?,
                None => after.split_at(after.find(',').unwrap_or(after.len())),
            };
            if pairs.len() >= MOST {
                return Err(HlsError::TooMany("attributes"));
            }
            pairs.push((name.trim(), value));
            rest = match further.trim_start() {
                "" => "",
                further => further.strip_prefix(',').ok_or(HlsError::Tag(tag))?,
            };
        }
        Ok(Self { pairs })
    }

    /// The value of this name, without its quotes; `None` when it is empty or there is none.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        let found = self.pairs.iter().find(|(key, _)| *key == name);
        found
            .map(|(_, value)| *value)
            .filter(|value| !value.is_empty())
    }

    /// A number of this name.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        number(self.text(name)?)
    }

    /// Whether the value of this name is `YES`.
    pub(super) fn is_yes(&self, name: &str) -> bool {
        self.text(name) == Some("YES")
    }
}

/// A decimal integer.
pub(super) fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}
