//! JSON fields that may be missing, null, or of another type than last year.
//!
//! A site writes the same count as `12`, `"12"` or `null`, an object as `{}`, `null` or `""`. A field read through
//! these types never makes the whole answer unreadable: what doesn't fit counts as absent. Only for answers read
//! with `serde_json::from_str` or `from_slice`, as every field is looked at as a [`RawValue`] first.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::ops::Deref;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A simple value that can be read from JSON text, whatever its JSON type.
pub(in crate::extract) trait FromJson: Sized {
    /// The value, or `None` when `raw` is none of the forms it is written in.
    fn from_json(raw: &str) -> Option<Self>;
}

/// Text, or a number as text. An empty text counts as absent.
impl FromJson for String {
    fn from_json(raw: &str) -> Option<Self> {
        match raw.as_bytes().first()? {
            b'"' => serde_json::from_str(raw)
                .ok()
                .filter(|text: &Self| !text.is_empty()),
            b'-' | b'0'..=b'9' => Some(raw.to_owned()),
            _ => None,
        }
    }
}

/// A count: whole or broken number, or one of them as text. Negative and absurd ones count as absent.
impl FromJson for u64 {
    fn from_json(raw: &str) -> Option<Self> {
        let digits = raw.trim_matches('"').trim();
        digits.parse().ok().or_else(|| whole(digits.parse().ok()?))
    }
}

/// The whole part of a number that is a count.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be in range; the fraction is dropped on purpose"
)]
fn whole(number: f64) -> Option<u64> {
    /// 2^63: far above any count, far below where the cast saturates.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    (0.0..LIMIT).contains(&number).then_some(number as u64)
}

/// A status code: whole number or the same as text.
impl FromJson for i64 {
    fn from_json(raw: &str) -> Option<Self> {
        raw.trim_matches('"').trim().parse().ok()
    }
}

/// A switch: `true`, `1`, and the same as text.
impl FromJson for bool {
    fn from_json(raw: &str) -> Option<Self> {
        match raw.trim_matches('"') {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        }
    }
}

/// A simple value, or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::extract) struct Field<T>(Option<T>);

/// An object, or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::extract) struct Object<T>(Option<T>);

/// A list without the entries that can't be read; nothing counts as empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::extract) struct List<T>(Vec<T>);

/// A text field.
pub(in crate::extract) type Text = Field<String>;
/// A count.
pub(in crate::extract) type Count = Field<u64>;
/// A switch.
pub(in crate::extract) type Flag = Field<bool>;

impl Text {
    /// The text, empty when there is none.
    pub(in crate::extract) fn text(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }
}

impl<T> Object<T> {
    /// The object itself.
    pub(in crate::extract) fn into_inner(self) -> Option<T> {
        self.0
    }
}

impl<T> List<T> {
    /// The entries themselves.
    pub(in crate::extract) fn into_vec(self) -> Vec<T> {
        self.0
    }
}

impl<T> Default for Field<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Default for Object<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> From<Option<T>> for Field<T> {
    fn from(value: Option<T>) -> Self {
        Self(value)
    }
}

impl<T> From<Option<T>> for Object<T> {
    fn from(value: Option<T>) -> Self {
        Self(value)
    }
}

impl<T> Deref for Field<T> {
    type Target = Option<T>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T> Deref for Object<T> {
    type Target = Option<T>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<'de, T: FromJson> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        Ok(Self(T::from_json(raw.get())))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        Ok(Self(entry(raw)))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        let entries: Vec<&RawValue> = parse(raw).unwrap_or_default();
        Ok(Self(entries.into_iter().filter_map(entry).collect()))
    }
}

/// Reads `raw` as a `T`, unless it is a list: serde would read one as the fields of a struct in order.
fn entry<'de, T: Deserialize<'de>>(raw: &'de RawValue) -> Option<T> {
    if raw.get().starts_with('[') {
        return None;
    }
    parse(raw)
}

/// Reads `raw` as a `T`, or not at all.
fn parse<'de, T: Deserialize<'de>>(raw: &'de RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Sample {
        count: Count,
        text: Text,
        flag: Flag,
        code: Field<i64>,
        inner: Object<Inner>,
        list: List<Inner>,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Inner {
        n: Count,
    }

    fn count(json: &str) -> Option<u64> {
        let sample: Sample = serde_json::from_str(&format!(r#"{{"count":{json}}}"#)).unwrap();
        *sample.count
    }

    #[test]
    fn count_in_any_spelling_is_read() {
        assert_eq!(count("12"), Some(12));
        assert_eq!(count(r#""12""#), Some(12));
        assert_eq!(count("12.9"), Some(12));
        assert_eq!(count("1.2e3"), Some(1200));
        assert_eq!(count(r#""""#), None);
        assert_eq!(count("-3"), None);
        assert_eq!(count("1e99"), None);
        assert_eq!(count("null"), None);
        assert_eq!(count(r#"{"a":1}"#), None);
        assert_eq!(count("18446744073709551615"), Some(u64::MAX));
    }

    #[test]
    fn wrong_types_count_as_absent() {
        let text = r#"{"text":[1],"flag":"maybe","code":{},"inner":"","list":{"n":1}}"#;
        let sample: Sample = serde_json::from_str(text).unwrap();
        assert_eq!(sample.text.text(), "");
        assert_eq!(*sample.flag, None);
        assert_eq!(*sample.code, None);
        assert!(sample.inner.is_none());
        assert!(sample.list.is_empty());
    }

    #[test]
    fn list_drops_only_the_entries_it_cannot_read() {
        let sample: Sample =
            serde_json::from_str(r#"{"list":[{"n":1},7,null,{"n":"2"}]}"#).unwrap();
        let read: Vec<_> = sample.list.iter().map(|inner| *inner.n).collect();
        assert_eq!(read, [Some(1), Some(2)]);
    }

    #[test]
    fn number_is_text_and_empty_text_is_absent() {
        let sample: Sample =
            serde_json::from_str(r#"{"text":7498337886933191943,"flag":1,"code":"-7"}"#).unwrap();
        assert_eq!(sample.text.text(), "7498337886933191943");
        assert_eq!(*sample.flag, Some(true));
        assert_eq!(*sample.code, Some(-7));
        let sample: Sample = serde_json::from_str(r#"{"text":""}"#).unwrap();
        assert_eq!(*sample.text, None);
    }
}
