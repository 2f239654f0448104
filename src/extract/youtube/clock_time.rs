//! Times as people write them: `54:08`, `1:02:03`.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

/// Milliseconds of `h:mm:ss`, `m:ss` or `s`; `None` for anything else.
pub(super) fn milliseconds(text: &str) -> Option<u64> {
    let mut total: u64 = 0;
    for (number, part) in text.trim().split(':').enumerate() {
        let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let value: u64 = is_number.then(|| part.parse().ok()).flatten()?;
        if number > 2 || (number > 0 && value >= 60) {
            return None;
        }
        total = total.checked_mul(60)?.checked_add(value)?;
    }
    total.checked_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        for (text, expected) in [
            ("54:08", Some(3_248_000)),
            ("1:02:03", Some(3_723_000)),
            ("0:43", Some(43_000)),
            ("7", Some(7000)),
            ("1:60", None),
            ("1:2:3:4", None),
            ("LIVE", None),
            (":", None),
            ("", None),
            ("99999999999999999999:00", None),
        ] {
            assert_eq!(milliseconds(text), expected, "{text}");
        }
    }
}
