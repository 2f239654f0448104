//! Arithmetic of byte ranges (RFC 9110 §14): pure, and safe for any text and any number.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::ops::Range;

use crate::net::RangeAsk;

/// No byte of the representation is asked for; the answer is 416.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("range not satisfiable")]
pub struct Unsatisfiable;

/// Reads a `Range` header (RFC 9110 §14.1.1, §14.2).
///
/// [`RangeAsk::Whole`] when the header is absent, malformed, of another unit or asks for several ranges: a server may
/// ignore such a header, and this one does. Numbers beyond `u64` count as `u64::MAX`, which no representation reaches.
pub fn parse(header: Option<&str>) -> RangeAsk {
    header.and_then(parse_single).unwrap_or(RangeAsk::Whole)
}

fn parse_single(header: &str) -> Option<RangeAsk> {
    let (first, last) = strip_unit(header.trim(), '=')?.split_once('-')?;
    match (first, last) {
        ("", suffix) => Some(RangeAsk::Suffix(number(suffix)?)),
        (first, "") => Some(RangeAsk::From(number(first)?)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(RangeAsk::Between(first, last))
        }
    }
}

/// What follows `bytes` and the separator; units are case-insensitive (RFC 9110 §14.1).
fn strip_unit(text: &str, separator: char) -> Option<&str> {
    let (unit, rest) = text.split_once(separator)?;
    unit.eq_ignore_ascii_case("bytes").then_some(rest)
}

/// `1*DIGIT`; saturating.
fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Digits alone can only fail by being too many.
    Some(text.parse().unwrap_or(u64::MAX))
}

/// Resolves a `Range` header against a representation of `len` bytes (RFC 9110 §14.1.2).
///
/// Returns the half-open byte range to send, or `None` when the header is absent, malformed or asks for
/// several ranges: then the whole representation is sent with 200. A suffix longer than `len` means all of it.
///
/// # Errors
/// [`Unsatisfiable`] when no byte of the representation is asked for; the answer is 416.
pub fn resolve(header: Option<&str>, len: u64) -> Result<Option<Range<u64>>, Unsatisfiable> {
    resolve_ask(parse(header), len)
}

/// Resolves an ask against a representation of `len` bytes; `None` for [`RangeAsk::Whole`].
///
/// # Errors
/// [`Unsatisfiable`] when no byte of the representation is asked for.
pub fn resolve_ask(ask: RangeAsk, len: u64) -> Result<Option<Range<u64>>, Unsatisfiable> {
    let range = match ask {
        RangeAsk::Whole => return Ok(None),
        RangeAsk::From(first) => first..len,
        RangeAsk::Between(first, last) => first..last.saturating_add(1).min(len),
        RangeAsk::Suffix(count) => len.saturating_sub(count)..len,
    };
    if range.is_empty() {
        return Err(Unsatisfiable);
    }
    Ok(Some(range))
}

/// A `Content-Range` header of an upstream (RFC 9110 §14.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContentRange {
    /// `bytes a-b/n` or `bytes a-b/*`.
    Part {
        /// The half-open range of the bytes that follow; never empty.
        range: Range<u64>,
        /// Bytes of the whole representation, if the upstream says.
        total: Option<u64>,
    },
    /// `bytes */n`.
    Unsatisfied {
        /// Bytes of the whole representation.
        total: u64,
    },
}

/// Reads a `Content-Range` header strictly: one that doesn't add up is no header.
pub fn parse_content_range(header: &str) -> Option<ContentRange> {
    let (span, total) = strip_unit(header.trim(), ' ')?.split_once('/')?;
    if span == "*" {
        let total = exact_number(total)?;
        return Some(ContentRange::Unsatisfied { total });
    }
    let (first, last) = span.split_once('-')?;
    let (first, last) = (exact_number(first)?, exact_number(last)?);
    let end = last.checked_add(1)?;
    let total = match total {
        "*" => None,
        total => Some(exact_number(total)?),
    };
    let is_sound = first < end && total.is_none_or(|total| end <= total);
    is_sound.then_some(ContentRange::Part {
        range: first..end,
        total,
    })
}

/// `1*DIGIT` that fits.
pub(super) fn exact_number(text: &str) -> Option<u64> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn range_absent_is_whole() {
        assert_eq!(resolve(None, 10), Ok(None));
    }

    #[test]
    fn range_single_is_inclusive_in_the_header() {
        assert_eq!(resolve(Some("bytes=0-0"), 10), Ok(Some(0..1)));
        assert_eq!(resolve(Some("bytes=2-5"), 10), Ok(Some(2..6)));
        assert_eq!(resolve(Some("BYTES=2-5"), 10), Ok(Some(2..6)));
        assert_eq!(resolve(Some(" bytes=2-5 "), 10), Ok(Some(2..6)));
        assert_eq!(resolve(Some("bytes=007-8"), 10), Ok(Some(7..9)));
    }

    #[test]
    fn range_open_goes_to_the_end() {
        assert_eq!(resolve(Some("bytes=0-"), 10), Ok(Some(0..10)));
        assert_eq!(resolve(Some("bytes=9-"), 10), Ok(Some(9..10)));
    }

    #[test]
    fn range_past_the_end_is_clamped() {
        assert_eq!(resolve(Some("bytes=5-99"), 10), Ok(Some(5..10)));
        assert_eq!(
            resolve(Some("bytes=5-18446744073709551615"), 10),
            Ok(Some(5..10))
        );
        assert_eq!(
            resolve(Some("bytes=5-99999999999999999999999"), 10),
            Ok(Some(5..10))
        );
    }

    #[test]
    fn range_suffix_longer_than_file_returns_whole() {
        assert_eq!(resolve(Some("bytes=-3"), 10), Ok(Some(7..10)));
        assert_eq!(resolve(Some("bytes=-10"), 10), Ok(Some(0..10)));
        assert_eq!(resolve(Some("bytes=-11"), 10), Ok(Some(0..10)));
        assert_eq!(
            resolve(Some("bytes=-99999999999999999999999"), 10),
            Ok(Some(0..10))
        );
    }

    #[test]
    fn range_without_a_byte_is_unsatisfiable() {
        for header in [
            "bytes=10-",
            "bytes=10-12",
            "bytes=-0",
            "bytes=18446744073709551616-",
        ] {
            assert_eq!(resolve(Some(header), 10), Err(Unsatisfiable), "{header}");
        }
        assert_eq!(resolve(Some("bytes=0-"), 0), Err(Unsatisfiable));
        assert_eq!(resolve(Some("bytes=-1"), 0), Err(Unsatisfiable));
    }

    #[test]
    fn range_multiple_or_malformed_is_ignored() {
        let headers = [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=1",
            "bytes=5-2",
            "bytes=+1-2",
            "bytes=1-+2",
            "bytes=0-1,3-4",
            "bytes=0-1,",
            "bytes=--1",
            "bytes=1-2-3",
            "items=0-1",
            "bytes = 0-1",
            "bytes= 0-1",
            "bytes=0 - 1",
            "0-1",
            "bytes=-1.5",
            "bytes=\u{661}-",
        ];
        for header in headers {
            assert_eq!(resolve(Some(header), 10), Ok(None), "{header}");
        }
    }

    #[test]
    fn content_range_sound_is_read() {
        let part = |range, total| Some(ContentRange::Part { range, total });
        assert_eq!(parse_content_range("bytes 0-9/10"), part(0..10, Some(10)));
        assert_eq!(parse_content_range("bytes 2-2/*"), part(2..3, None));
        let unsatisfied = Some(ContentRange::Unsatisfied { total: 7 });
        assert_eq!(parse_content_range("bytes */7"), unsatisfied);
    }

    #[test]
    fn content_range_that_does_not_add_up_is_refused() {
        let headers = [
            "",
            "bytes",
            "bytes 0-9",
            "bytes 9-0/10",
            "bytes 0-10/10",
            "bytes -5/10",
            "bytes 5-/10",
            "bytes */*",
            "bytes 0-9/-1",
            "bytes=0-9/10",
            "items 0-9/10",
            "bytes 0-18446744073709551615/*",
            "bytes +0-9/10",
            "bytes 0-9/99999999999999999999999",
            "bytes  0-9/10",
            "bytes 0-9/10/11",
        ];
        for header in headers {
            assert_eq!(parse_content_range(header), None, "{header}");
        }
    }

    /// The definition of RFC 9110 §14.1.2, byte by byte.
    fn naive(ask: RangeAsk, len: u64) -> Vec<u64> {
        let is_asked = |position: &u64| match ask {
            RangeAsk::Whole => true,
            RangeAsk::From(first) => *position >= first,
            RangeAsk::Between(first, last) => (first..=last).contains(position),
            RangeAsk::Suffix(count) => u128::from(*position) + u128::from(count) >= u128::from(len),
        };
        (0..len).filter(is_asked).collect()
    }

    fn any_number() -> impl Strategy<Value = u64> {
        prop_oneof![0_u64..40, any::<u64>(), Just(u64::MAX), Just(u64::MAX - 1)]
    }

    fn any_ask() -> impl Strategy<Value = RangeAsk> {
        prop_oneof![
            any_number().prop_map(RangeAsk::From),
            any_number().prop_map(RangeAsk::Suffix),
            (any_number(), any_number()).prop_map(|(a, b)| RangeAsk::Between(a.min(b), a.max(b))),
        ]
    }

    fn header_of(ask: RangeAsk) -> String {
        match ask {
            RangeAsk::Whole => "bytes".to_owned(),
            RangeAsk::From(first) => format!("bytes={first}-"),
            RangeAsk::Between(first, last) => format!("bytes={first}-{last}"),
            RangeAsk::Suffix(count) => format!("bytes=-{count}"),
        }
    }

    proptest! {
        #[test]
        fn range_agrees_with_the_naive_reference(ask in any_ask(), len in 0_u64..40) {
            let expected = naive(ask, len);
            match resolve(Some(&header_of(ask)), len) {
                Ok(Some(range)) => prop_assert_eq!(range.collect::<Vec<_>>(), expected),
                Ok(None) => prop_assert!(false, "a well-formed header was ignored"),
                Err(Unsatisfiable) => prop_assert_eq!(expected, Vec::<u64>::new()),
            }
        }

        #[test]
        fn range_of_any_length_stays_in_bounds(ask in any_ask(), len in any_number()) {
            if let Ok(Some(range)) = resolve_ask(ask, len) {
                prop_assert!(range.start < range.end && range.end <= len);
            }
        }

        #[test]
        fn range_never_panics(header in "(bytes[= ])?[-0-9,*/ ]{0,40}|\\PC{0,40}", len in any_number()) {
            if let Ok(Some(range)) = resolve(Some(&header), len) {
                prop_assert!(range.start < range.end && range.end <= len);
            }
            let _ = parse_content_range(&header);
        }

        #[test]
        fn content_range_round_trips(ask in any_ask(), len in 1_u64..) {
            if let Ok(Some(range)) = resolve_ask(ask, len) {
                let header = format!("bytes {}-{}/{len}", range.start, range.end - 1);
                let expected = ContentRange::Part { range, total: Some(len) };
                prop_assert_eq!(parse_content_range(&header), Some(expected));
            }
        }
    }
}
