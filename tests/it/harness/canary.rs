//! Secrets of a test, and every form in which one may get out.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// Variables whose values are secret.
const VARIABLES: &[&str] = &[
    "API_KEY",
    "BROADCAST_API_TOKEN",
    "ENCRYPTION_KEY",
    "ENCRYPTION_KEY_PREVIOUS",
    "METRICS_TOKEN",
    "YOUTUBE_PO_TOKENS",
    "YOUTUBE_VISITOR_DATA",
];
/// Parts of what the simulated sites sign and set, which nobody but them may see.
const OF_SITES: &[&str] = &["7d1c0ffee", "0D2u5pggU94jpPKBgSBvSC"];
/// Shorter ones may be anywhere.
const SHORTEST: usize = 8;

/// What must not be printed, in all its forms.
#[derive(Debug, Default)]
pub(crate) struct Canaries {
    forms: Vec<String>,
}

impl Canaries {
    /// The secrets among these variables, and those of the sites.
    pub(super) fn of<'a>(variables: impl Iterator<Item = (&'a String, &'a String)>) -> Self {
        let secret = variables.filter(|(name, _)| VARIABLES.contains(&name.as_str()));
        let values = secret.flat_map(|(_, value)| value.split(','));
        let forms = values
            .chain(OF_SITES.iter().copied())
            .filter(|value| value.len() >= SHORTEST)
            .flat_map(forms)
            .collect();
        Self { forms }
    }

    /// This one secret.
    pub(crate) fn of_secret(secret: &str) -> Self {
        let forms = forms(secret);
        Self { forms }
    }

    /// The first one in a text.
    pub(crate) fn found_in(&self, text: &str) -> Option<&str> {
        let mut forms = self.forms.iter().map(String::as_str);
        forms.find(|form| text.contains(form))
    }
}

/// A secret as it is, percent-encoded, in hex, and in base64 wherever it may begin in what is encoded.
fn forms(secret: &str) -> Vec<String> {
    let hex: Vec<String> = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let hex = hex.concat();
    let mut forms = vec![
        secret.to_owned(),
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
        hex.to_uppercase(),
        hex,
    ];
    for before in 0..3 {
        let shifted = [&vec![0; before], secret.as_bytes()].concat();
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            // Characters that hold bits of a neighbour are left out.
            let text = engine.encode(&shifted);
            forms.push(text[(before * 4).div_ceil(3)..text.len() - 1].to_owned());
        }
    }
    forms
}

#[test]
fn secret_is_found_in_every_form() {
    let variable = ("API_KEY".to_owned(), "a secret, perhaps".to_owned());
    let variables = [(&variable.0, &variable.1)];
    let canaries = Canaries::of(variables.into_iter());
    for text in [
        "xx a secret xx",
        "a%20secret",
        "%20perhaps",
        "6120736563726574",
        "206120736563726574",
    ] {
        assert!(canaries.found_in(text).is_some(), "{text}");
    }
    for before in ["", "x", "xy", "xyz"] {
        let text = STANDARD_NO_PAD.encode(format!("{before}a secret and more"));
        assert!(canaries.found_in(&text).is_some(), "{text}");
    }
    assert!(canaries.found_in("nothing of it").is_none());
}
