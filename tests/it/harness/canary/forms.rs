//! A secret in every spelling in which it may get out, and the search for them in a text.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::percent_decode_str;

/// How often a text is decoded: an address in a parameter of another one is encoded twice.
const DECODED: usize = 2;
/// Characters that are shown on each side of what was found.
const AROUND: usize = 120;

/// Secrets, to be looked for.
#[derive(Debug, Default)]
pub(super) struct Forms(BTreeSet<String>);

impl Forms {
    /// All spellings of these.
    pub(super) fn of<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        Self(secrets.into_iter().flat_map(spellings).collect())
    }

    /// The first one in a text, with what stands around it.
    pub(super) fn found_in(&self, text: &str) -> Option<String> {
        if let Some(found) = self.spelled_in(text) {
            return Some(found);
        }
        // However many characters were encoded, and in whichever case.
        let mut encoded = encoded_lines(text);
        for _ in 0..DECODED {
            if encoded.is_empty() {
                return None;
            }
            let decoded = percent_decode_str(&encoded).decode_utf8_lossy();
            if let Some(found) = self.spelled_in(&decoded) {
                return Some(found);
            }
            encoded = encoded_lines(&decoded);
        }
        None
    }

    fn spelled_in(&self, text: &str) -> Option<String> {
        self.0.iter().find_map(|spelling| {
            let at = text.find(spelling.as_str())?;
            let (before, rest) = text.split_at(at);
            let skipped = before.chars().count().saturating_sub(AROUND);
            let before: String = before.chars().skip(skipped).collect();
            let rest: String = rest.chars().take(spelling.len() + AROUND).collect();
            Some(format!("`{spelling}` in …{before}{rest}…"))
        })
    }
}

/// The lines that percent-encoding may stand in.
fn encoded_lines(text: &str) -> String {
    let lines = text.lines().filter(|line| line.contains('%'));
    lines.collect::<Vec<_>>().join("\n")
}

/// A secret as it is, as a form writes its blanks, escaped as JSON and Rust do, as a list of bytes, in hex, and in base64
/// wherever it may begin in what is encoded.
fn spellings(secret: &str) -> Vec<String> {
    let hex: Vec<String> = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let hex = hex.concat();
    let json = serde_json::Value::from(secret).to_string();
    let debug = format!("{secret:?}");
    let bytes = format!("{:?}", secret.as_bytes());
    let unquoted = [json, debug, bytes].map(|text| text[1..text.len() - 1].to_owned());
    // One that is encoded itself, as some sites hand them out.
    let decoded = percent_decode_str(secret).decode_utf8_lossy();
    let mut all = vec![
        secret.to_owned(),
        decoded.into_owned(),
        secret.replace(' ', "+"),
        hex.to_uppercase(),
        hex,
    ];
    all.extend(unquoted);
    for before in 0..3 {
        let shifted = [&vec![0; before], secret.as_bytes()].concat();
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            // Characters that hold bits of a neighbour are left out.
            let text = engine.encode(&shifted);
            all.push(text[(before * 4).div_ceil(3)..text.len() - 1].to_owned());
        }
    }
    all
}

#[test]
fn secret_is_found_in_every_form() {
    let forms = Forms::of(["se~cret? \"word\" >>/"]);
    for text in [
        "xx se~cret? \"word\" >>/ xx",
        r#"{"a":"se~cret? \"word\" >>/"}"#,
        // Everything, what a query needs in either case, as a form does it, and twice.
        "%73%65%7e%63%72%65%74%3f%20%22%77%6f%72%64%22%20%3E%3e%2f",
        "a=se~cret?%20%22word%22%20%3E%3E/&b",
        "a=se~cret%3f%20%22word%22%20%3e%3e%2f",
        "a=se%7Ecret%3F+%22word%22+%3E%3E%2F",
        "u=https%3A%2F%2Fa.example%2F%3Fse~cret%253F%2520%2522word%2522%2520%253E%253E%252F",
        "73657e637265743f2022776f726422203e3e2f",
        "73657E637265743F2022776F726422203E3E2F",
        "[1, 115, 101, 126, 99, 114, 101, 116, 63, 32, 34, 119, 111, 114, 100, 34, 32, 62, 62, 47]",
    ] {
        assert!(forms.found_in(text).is_some(), "{text}");
    }
    for before in ["", "x", "xy", "xyz"] {
        let secret = format!("{before}se~cret? \"word\" >>/ and more");
        for text in [
            STANDARD_NO_PAD.encode(&secret),
            URL_SAFE_NO_PAD.encode(&secret),
        ] {
            assert!(forms.found_in(&text).is_some(), "{text}");
        }
        let text = STANDARD_NO_PAD
            .encode(&secret)
            .replace('/', "%2F")
            .replace('+', "%2b");
        assert!(forms.found_in(&text).is_some(), "{text}");
    }
    assert_eq!(forms.found_in("se~cret and 100 % of nothing"), None);
}
