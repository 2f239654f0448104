//! What a stream key of an SRT target says: the stream's id, and what else the two sides must agree on. Pure.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::fmt::Write as _;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

use crate::broadcast::redact::strike;
use crate::config::Secret;

/// Longest id of a stream in bytes (`SRTO_STREAMID`).
const MAX_STREAM_ID: usize = 512;
/// Characters of a passphrase (`SRTO_PASSPHRASE`).
const PASSPHRASE: std::ops::RangeInclusive<usize> = 10..=79;
/// Lengths of the key that is made of it, in bytes (`SRTO_PBKEYLEN`).
const KEY_LENGTHS: [u32; 3] = [16, 24, 32];
/// The latency of a connection for which none is set (`SRTO_LATENCY`).
const DEFAULT_LATENCY: Duration = Duration::from_millis(120);
/// Longest latency in microseconds: half a minute.
const MAX_LATENCY_US: u32 = 30_000_000;

/// The options of a connection that its user chooses; no others can be set, least of all a listening mode or an address.
#[derive(Debug, Clone, Default)]
pub struct SrtOptions {
    stream_id: Option<Secret>,
    passphrase: Option<Secret>,
    key_length: Option<u32>,
    latency_us: Option<u32>,
}

impl SrtOptions {
    /// Reads a key: the id of the stream, or `?` and options as they stand in an address, or both. Options are
    /// `streamid`, `passphrase`, `pbkeylen` and `latency` (microseconds); their values are percent-decoded.
    ///
    /// `None` when there is another one among them, or a value that can't be.
    pub fn parse(key: &str) -> Option<Self> {
        let (id, query) = key.rsplit_once('?').unwrap_or((key, ""));
        let mut options = Self::default();
        if !id.is_empty() {
            options.set("streamid", id)?;
        }
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=')?;
            let value = percent_decode_str(value).decode_utf8().ok()?;
            options.set(name, &value)?;
        }
        Some(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Option<()> {
        if value.is_empty() || value.contains(char::is_control) {
            return None;
        }
        match name {
            "streamid" if value.len() <= MAX_STREAM_ID => {
                self.stream_id = Some(Secret::new(value.to_owned()));
            }
            "passphrase" if PASSPHRASE.contains(&value.len()) => {
                self.passphrase = Some(Secret::new(value.to_owned()));
            }
            "pbkeylen" => {
                let length = value.parse().ok()?;
                self.key_length = KEY_LENGTHS.contains(&length).then_some(length);
                self.key_length?;
            }
            "latency" => {
                let latency = value.parse().ok().filter(|us| *us <= MAX_LATENCY_US);
                self.latency_us = latency;
                latency?;
            }
            _ => return None,
        }
        Some(())
    }

    /// How long a receiver holds what has come, as far as this side knows: the other one may ask for longer.
    pub(super) fn latency(&self) -> Duration {
        self.latency_us
            .map_or(DEFAULT_LATENCY, |us| Duration::from_micros(us.into()))
    }

    /// As a file of FFmpeg's options, a line each: so they are in no argument list.
    pub(super) fn to_lines(&self) -> Zeroizing<String> {
        let mut lines = Zeroizing::new(String::new());
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(lines, "{name}={value}");
        };
        for (name, secret) in [
            ("streamid", &self.stream_id),
            ("passphrase", &self.passphrase),
        ] {
            if let Some(secret) = secret {
                line(name, secret.reveal());
            }
        }
        for (name, number) in [("pbkeylen", self.key_length), ("latency", self.latency_us)] {
            if let Some(number) = number {
                line(name, &number.to_string());
            }
        }
        lines
    }

    /// The text without what must not be told.
    pub(super) fn clean(&self, text: &str) -> String {
        let secrets = [&self.stream_id, &self.passphrase].into_iter().flatten();
        let mut secrets: Vec<&str> = secrets.map(Secret::reveal).collect();
        // One that is part of the other must leave the other to be found.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        let clean = |text: String, secret: &str| strike(&text, secret);
        secrets.into_iter().fold(text.to_owned(), clean)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(key: &str) -> Option<String> {
        SrtOptions::parse(key).map(|options| options.to_lines().to_string())
    }

    #[test]
    fn key_is_an_id_or_options_or_both() {
        for (key, expected) in [
            ("", ""),
            ("abc", "streamid=abc\n"),
            (
                "#!::r=live/a,m=publish",
                "streamid=#!::r=live/a,m=publish\n",
            ),
            (
                "?passphrase=correct%20horse&streamid=a%3Fb",
                "streamid=a?b\npassphrase=correct horse\n",
            ),
            (
                "abc?pbkeylen=32&latency=200000",
                "streamid=abc\npbkeylen=32\nlatency=200000\n",
            ),
        ] {
            assert_eq!(lines(key).as_deref(), Some(expected), "{key}");
        }
    }

    #[test]
    fn nothing_else_can_be_set() {
        for key in [
            "?mode=listener",
            "?localaddr=127.0.0.1",
            "a?transtype=file",
            "?streamid",
            "?streamid=",
            "?streamid=a%0Amode=listener",
            "?streamid=%FF",
            "?passphrase=short",
            "?pbkeylen=1",
            "?latency=-1",
            "?latency=99999999999",
        ] {
            assert_eq!(lines(key), None, "{key}");
        }
        assert_eq!(lines(&"k".repeat(513)), None);
    }

    #[test]
    fn secrets_are_struck_from_what_is_told() {
        let options = SrtOptions::parse("abc123?passphrase=correct-horse").unwrap();
        let told = options.clean("can't connect: abc123, correct-horse");
        assert_eq!(told, "can't connect: ***, ***");
        assert!(!format!("{options:?}").contains("abc123"));
        let part_of_the_other = SrtOptions::parse("horse?passphrase=correct-horse").unwrap();
        assert_eq!(part_of_the_other.clean("of correct-horse"), "of ***");
        assert_eq!(options.clean("of correct%2Dhorse"), "of ***");
        assert_eq!(options.clean("of correct%2dhorse"), "***");
    }

    proptest! {
        #[test]
        fn no_key_makes_a_line_of_its_own(key in "(\\PC|[\\n\\r\\x00]){0,40}(\\?streamid=(\\PC|%0[aAdD]){0,20})?") {
            if let Some(lines) = lines(&key) {
                prop_assert!(lines.lines().count() <= 1, "{lines:?}");
                prop_assert!(!lines.trim_end_matches('\n').contains(|c: char| c.is_control()));
            }
        }
    }
}
