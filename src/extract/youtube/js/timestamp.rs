//! The day at which a player was built.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use memchr::memmem;

/// Names under which the day stands in a script, the usual one first (yt-dlp `_extract_signature_timestamp`).
const NAMES: [&str; 2] = ["signatureTimestamp", "sts"];

/// Digits of a day since the epoch; five until 2243.
const DIGITS: usize = 5;

/// The signature timestamp of a player script, in days since the epoch.
pub fn signature_timestamp(script: &[u8]) -> Option<u32> {
    NAMES.iter().find_map(|name| {
        memmem::find_iter(script, name)
            .find_map(|at| day(script.get(at..)?.strip_prefix(name.as_bytes())?))
    })
}

/// Reads `: <day>`.
fn day(text: &[u8]) -> Option<u32> {
    let text = text
        .trim_ascii_start()
        .strip_prefix(b":")?
        .trim_ascii_start();
    let digits = text.get(..DIGITS)?;
    let is_longer = text.get(DIGITS).is_some_and(u8::is_ascii_digit);
    if is_longer || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn day_is_read_under_either_name() {
        for (script, expected) in [
            ("x={signatureTimestamp:20472,a:1}", Some(20_472)),
            ("x={sts : 19215}", Some(19_215)),
            (
                "a.sts=b;{sts:19000};signatureTimestamp: 20000",
                Some(20_000),
            ),
            (
                "signatureTimestamp:a,signatureTimestamp:20001}",
                Some(20_001),
            ),
            ("sts:123456", None),
            ("sts:1234", None),
            ("sts", None),
            ("", None),
        ] {
            assert_eq!(signature_timestamp(script.as_bytes()), expected, "{script}");
        }
    }
}
