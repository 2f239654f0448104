//! Takes secrets out of what is logged and shown. Pure.

use memchr::memmem;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};

/// What stands in the place of a secret.
const MASK: &str = "***";

/// The secrets of one broadcast.
#[derive(Clone)]
pub(super) struct Redactor(String);

impl Redactor {
    /// Knows a key.
    pub(super) fn new(key: Option<&str>) -> Self {
        Self(key.unwrap_or_default().to_owned())
    }

    /// The text without secrets: no key, and nothing behind the `?` of an address.
    pub(super) fn clean(&self, text: &str) -> String {
        strike(&without_queries(text), &self.0)
    }
}

/// The text without a secret: `***` stands in its place, where it is as it was given or with every special character
/// encoded. Of a text that holds it in another spelling, as targets write addresses, nothing is left but `***`.
pub(super) fn strike(text: &str, secret: &str) -> String {
    if secret.is_empty() {
        return text.to_owned();
    }
    let encoded = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    let struck = text.replace(&encoded, MASK).replace(secret, MASK);
    if is_in(&struck, secret) {
        return MASK.to_owned();
    }
    struck
}

/// Whether a text holds a secret, whichever characters of either are percent-encoded.
fn is_in(text: &str, secret: &str) -> bool {
    let (texts, secrets) = (readings(text), readings(secret));
    let finders = secrets.iter().map(memmem::Finder::new);
    finders
        .into_iter()
        .any(|finder| texts.iter().any(|text| finder.find(text).is_some()))
}

/// The text as it is, decoded, and decoded again, as by a server and by another before it. Blanks may stand for `+`, as
/// in forms, so they are one.
fn readings(text: &str) -> [Vec<u8>; 3] {
    let decode = |bytes: &[u8]| percent_decode(bytes).collect::<Vec<u8>>();
    let once = decode(text.as_bytes());
    let twice = decode(&once);
    let mut readings = [text.as_bytes().to_vec(), once, twice];
    for byte in readings.iter_mut().flatten() {
        if *byte == b'+' {
            *byte = b' ';
        }
    }
    readings
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
    use percent_encoding::{AsciiSet, CONTROLS, percent_encode_byte};
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "abc-def_ghi==/ü+1 ~";
    /// All but the characters that stand for themselves anywhere in an address (RFC 3986 §2.3).
    const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b'~');
    /// What a path may not hold.
    const PATH: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'?').add(b'#');

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
            ("k/y k%2Fy%2Bé 100%", "***"),
        ] {
            assert_eq!(redactor.clean(text), expected);
        }
        assert_eq!(Redactor::new(None).clean("plain"), "plain");
    }

    #[test]
    fn key_is_found_in_every_spelling_of_addresses() {
        let by = |set: &'static AsciiSet, text: &str| utf8_percent_encode(text, set).to_string();
        let form = |text: &str| -> String {
            url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
        };
        for spelled in [
            by(RESERVED, KEY),
            by(PATH, KEY),
            form(KEY),
            by(RESERVED, KEY).to_lowercase(),
            by(RESERVED, &by(RESERVED, KEY)),
            by(RESERVED, &by(PATH, KEY)),
            form(&form(KEY)),
            by(NON_ALPHANUMERIC, &by(NON_ALPHANUMERIC, KEY)),
        ] {
            let text = format!("rtmp://a.example/live/{spelled} is busy");
            assert_eq!(strike(&text, KEY), MASK, "{spelled}");
        }
        // As it was given, the rest can be read.
        for spelled in [KEY.to_owned(), by(NON_ALPHANUMERIC, KEY)] {
            assert_eq!(strike(&format!("{spelled} is busy"), KEY), "*** is busy");
        }
        // Given encoded, and told as it is meant.
        assert_eq!(strike("abc=% is busy", "abc%3D%25"), MASK);
        assert_eq!(strike("50% of abc%3D", "abd="), "50% of abc%3D");
    }

    /// A text with some of its bytes percent-encoded.
    fn encode(text: &[u8], which: u64) -> Vec<u8> {
        let encode = |(at, byte): (usize, &u8)| match (which >> (at % 64)) & 1 {
            // Alone it would be read together with what follows.
            0 if *byte != b'%' => vec![*byte],
            _ => percent_encode_byte(*byte).as_bytes().to_vec(),
        };
        text.iter().enumerate().flat_map(encode).collect()
    }

    proptest! {
        #[test]
        fn no_reading_of_what_is_left_holds_the_key(
            key in "[a-z]{3}[ -~é]{0,12}",
            (first, second) in any::<(u64, u64)>(),
            is_twice in any::<bool>(),
            (before, behind) in ("[a-z /:]{0,9}", "[a-z /:]{0,9}"),
        ) {
            let mut spelled = encode(key.as_bytes(), first);
            if is_twice {
                spelled = encode(&spelled, second);
            }
            // Whatever is no character is encoded.
            let Ok(spelled) = String::from_utf8(spelled) else {
                return Ok(());
            };
            let struck = strike(&format!("{before}{spelled}{behind}"), &key);
            prop_assert!(struck.contains(MASK));
            prop_assert!(!is_in(&struck, &key), "{struck}");
        }

        #[test]
        fn text_without_the_key_stays(text in "[a-y%0-9]{0,40}") {
            prop_assert_eq!(strike(&text, "zzz"), text);
        }
    }
}
