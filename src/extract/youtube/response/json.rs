//! Steps through a JSON tree whose every part may be missing or of another type.

use serde_json::Value;

/// The value at the end of a chain of object keys.
pub(in crate::extract::youtube) fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, key| value.get(key))
}

/// The entries of the list at the end of a chain of keys; none when there is no list.
pub(in crate::extract::youtube) fn list<'a>(value: &'a Value, path: &[&str]) -> &'a [Value] {
    at(value, path)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The string at the end of a chain of keys.
pub(in crate::extract::youtube) fn string<'a>(value: &'a Value, path: &[&str]) -> Option<&'a str> {
    at(value, path)?.as_str()
}

/// The number at the end of a chain of keys, as number or text.
pub(in crate::extract::youtube) fn number(value: &Value, path: &[&str]) -> Option<u64> {
    match at(value, path)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// The text at the end of a chain of keys, in any of YouTube's spellings; `None` when empty.
pub(in crate::extract::youtube) fn text(value: &Value, path: &[&str]) -> Option<String> {
    let value = at(value, path)?;
    let plain = match string(value, &["simpleText"]).or_else(|| string(value, &["content"])) {
        Some(text) => text.to_owned(),
        None => list(value, &["runs"])
            .iter()
            .filter_map(|run| string(run, &["text"]))
            .collect(),
    };
    (!plain.is_empty()).then_some(plain)
}

/// A count in people's writing: `1,004`, `73,111 other people`, `21k`, `1.8bn views`.
pub(in crate::extract::youtube) fn count_of(text: &str) -> Option<u64> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let number = text.get(start..)?;
    let end = number
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, ',' | '.')))
        .unwrap_or(number.len());
    let (digits, unit) = number.split_at(end);
    let factor: f64 = match unit.trim_start().to_ascii_lowercase() {
        unit if starts_with_word(&unit, &["k", "thousand"]) => 1e3,
        unit if starts_with_word(&unit, &["m", "mn", "million"]) => 1e6,
        unit if starts_with_word(&unit, &["b", "bn", "billion"]) => 1e9,
        _ => return digits.replace([',', '.'], "").parse().ok(),
    };
    scaled(
        digits.replace(',', "").trim_end_matches('.').parse().ok()?,
        factor,
    )
}

/// Whether a text begins with one of the words.
fn starts_with_word(text: &str, words: &[&str]) -> bool {
    let end = text
        .find(|c: char| !c.is_alphabetic())
        .unwrap_or(text.len());
    text.get(..end).is_some_and(|word| words.contains(&word))
}

/// A number times a factor, as a count.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be in range; the fraction is rounded away on purpose"
)]
fn scaled(number: f64, factor: f64) -> Option<u64> {
    let product = (number * factor).round();
    (0.0..1e18).contains(&product).then_some(product as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_for_people_are_read() {
        for (text, count) in [
            ("1,004", Some(1004)),
            (
                "like this video along with 73,111 other people",
                Some(73_111),
            ),
            ("21k", Some(21_000)),
            ("1.8bn views", Some(1_800_000_000)),
            ("1.52 million subscribers", Some(1_520_000)),
            ("135 videos", Some(135)),
            ("5 minutes", Some(5)),
            ("No videos", None),
            ("", None),
            ("99999999999999999999999", None),
        ] {
            assert_eq!(count_of(text), count, "{text}");
        }
    }

    #[test]
    fn missing_parts_give_nothing() {
        let value: Value = serde_json::from_str(r#"{"a":{"b":[1,{"simpleText":"x"}]}}"#).unwrap();
        assert_eq!(list(&value, &["a", "b"]).len(), 2);
        assert!(list(&value, &["a", "c"]).is_empty());
        assert_eq!(text(&value["a"]["b"][1], &[]), Some("x".to_owned()));
        assert_eq!(text(&value, &["a"]), None);
        assert_eq!(number(&value["a"]["b"][0], &[]), Some(1));
    }
}
