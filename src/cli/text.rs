//! Text of others on a terminal: what a site says must not move the cursor, change colours or turn the line round.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character does something to a terminal, or to the order of what stands beside it.
fn is_active(char: char) -> bool {
    matches!(
        char,
        '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    ) || char.is_control()
}

/// The text on one line, with nothing in it but what can be seen.
pub(super) fn plain(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.replace(is_active, "\u{fffd}")
}

/// A JSON text that means the same and has no active character: inside strings, where alone they stand, each is
/// escaped.
pub(super) fn plain_json(json: &str) -> Cow<'_, str> {
    if !json.contains(is_active) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len());
    for char in json.chars() {
        if is_active(char) {
            for unit in char.encode_utf16(&mut [0; 2]) {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(char);
        }
    }
    Cow::Owned(escaped)
}

/// Rows under each other, columns two blanks apart, those of `right` flush right.
pub(super) fn table(rows: &[Vec<String>], right: &[usize]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell: &String| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate();
        let line: Vec<String> = cells
            .map(|(column, (cell, &width))| {
                if right.contains(&column) {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                }
            })
            .collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}]0;owned\u{7}\u{1b}[2J\r\nb\u{9b}31m\u{202e}gpj\u{e0041}";

    #[test]
    fn hostile_text_can_only_be_seen() {
        let safe = plain(HOSTILE);
        assert!(!safe.contains(is_active), "{safe:?}");
        assert!(safe.starts_with("a\u{fffd}]0;owned"));
        assert_eq!(plain("  two\n\tlines  "), "two lines");
        assert_eq!(plain("日本 é 🎉"), "日本 é 🎉");
    }

    #[test]
    fn hostile_json_means_the_same_and_can_only_be_seen() {
        let json = serde_json::to_string(HOSTILE).unwrap();
        let safe = plain_json(&json);
        assert!(!safe.contains(is_active), "{safe:?}");
        let read: String = serde_json::from_str(&safe).unwrap();
        assert_eq!(read, HOSTILE);
        assert!(matches!(plain_json("{\"a\":\"é\"}"), Cow::Borrowed(_)));
    }

    #[test]
    fn table_is_aligned() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [row(["ID", "SIZE", "NOTE"]), row(["137", "5", ""])];
        assert_eq!(table(&rows, &[1]), "ID   SIZE  NOTE\n137     5\n");
    }
}
