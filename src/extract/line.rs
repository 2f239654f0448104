//! What a site says, as it may stand in a log. Pure.

/// Longest text that is kept, in characters; longer than any known message.
const MAX_CHARS: usize = 200;

/// The words of a text on one line of bounded length, without characters that control a terminal.
pub(super) fn one_line(text: &str) -> String {
    let words = text.split(|char: char| char.is_whitespace() || char.is_control());
    words
        .filter(|word| !word.is_empty())
        .flat_map(|word| [" ", word])
        .skip(1)
        .flat_map(str::chars)
        .take(MAX_CHARS)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn line_of_a_site_is_one_and_short() {
        for (text, expected) in [
            ("", ""),
            (" Video\u{a0}unavailable ", "Video unavailable"),
            (
                "X\n2026-11-22T12:00:00Z  INFO x",
                "X 2026-11-22T12:00:00Z INFO x",
            ),
            ("a\r\nb\u{2028}c\u{85}d\u{1b}[31me\0", "a b c d [31me"),
        ] {
            assert_eq!(one_line(text), expected);
        }
        let long = "é\n".repeat(3_000_000);
        assert_eq!(one_line(&long).chars().count(), MAX_CHARS);
    }

    proptest! {
        #[test]
        fn line_of_any_text_is_one(text: String) {
            let line = one_line(&text);
            prop_assert!(line.lines().count() <= 1 && line.chars().count() <= MAX_CHARS);
            prop_assert!(!line.contains(char::is_control));
        }
    }
}
