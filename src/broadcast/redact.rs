//! Takes secrets out of what is logged and shown. Pure.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// What stands in the place of a secret.
const MASK: &str = "***";

/// The secrets of one broadcast.
#[derive(Clone, Default)]
pub(super) struct Redactor(Vec<String>);

impl Redactor {
    /// Knows a key in its plain and its encoded form.
    pub(super) fn new(key: Option<&str>) -> Self {
        let Some(key) = key.filter(|key| !key.is_empty()) else {
            return Self::default();
        };
        let encoded = utf8_percent_encode(key, NON_ALPHANUMERIC).to_string();
        Self(vec![key.to_owned(), encoded])
    }

    /// The text without secrets: no key, and nothing behind the `?` of an address.
    pub(super) fn clean(&self, text: &str) -> String {
        let mut clean = without_queries(text);
        for secret in &self.0 {
            if clean.contains(secret.as_str()) {
                clean = clean.replace(secret.as_str(), MASK);
            }
        }
        clean
    }
}

fn without_queries(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let end = rest[at..]
            .find(|char: char| char.is_whitespace() || matches!(char, '\'' | '"' | '<' | '>' | '`'))
            .map_or(rest.len(), |length| at + length);
        let (address, behind) = rest.split_at(end);
        match address[at..].find('?') {
            Some(query) => {
                clean.push_str(&address[..at + query]);
                clean.push('?');
                clean.push_str(MASK);
            }
            None => clean.push_str(address),
        }
        rest = behind;
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_queries_are_masked() {
        let redactor = Redactor::new(Some("k/y+é"));
        for (text, expected) in [
            ("publish k/y+é refused", "publish *** refused"),
            ("k%2Fy%2B%C3%A9", "***"),
            (
                "GET https://a.example/v?sig=1&e=2 failed",
                "GET https://a.example/v?*** failed",
            ),
            (
                "two: http://a/?x 'http://b/y?z'",
                "two: http://a/?*** 'http://b/y?***'",
            ),
            ("why?", "why?"),
        ] {
            assert_eq!(redactor.clean(text), expected);
        }
        assert_eq!(Redactor::new(None).clean("plain"), "plain");
    }
}
