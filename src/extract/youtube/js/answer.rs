//! What a player script answered, checked: a script is not trusted to answer well, or to be a player at all.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use serde::{Deserialize, Serialize};

/// Longest challenge or answer `n`; 15 to 30 bytes were seen.
const MAX_N: usize = 256;

/// Longest signature; 102 to 120 bytes were seen.
pub(super) const MAX_SIGNATURE: usize = 512;

/// Whether a value may be a challenge `n`, or the answer to one.
pub(super) fn is_n(value: &str) -> bool {
    (1..=MAX_N).contains(&value.len())
        && value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Whether `answer` solves the challenge `n`. A player whose transformation fails gives the challenge back, alone or
/// behind a mark of its own; `enhanced_except_…` is what its own handler of errors writes.
pub(super) fn solves_n(n: &str, answer: &str) -> bool {
    is_n(answer) && !answer.ends_with(n) && !answer.starts_with("enhanced_except_")
}

/// Whether a value may be a signature to be solved.
pub(super) fn is_signature(value: &str) -> bool {
    (1..=MAX_SIGNATURE).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What a player does to every signature of one length: which of its bytes come out, in which order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Permutation(Vec<u16>);

impl Permutation {
    /// A text of `length` different characters, from whose answer the permutation is read.
    pub(super) fn probe(length: usize) -> String {
        (0..length)
            .filter_map(|at| char::from_u32(u32::try_from(at).ok()?))
            .collect()
    }

    /// Reads what became of [`Permutation::probe`]; `None` unless the answer is made of its characters, each once at
    /// most.
    pub(super) fn of_answer(length: usize, answer: &str) -> Option<Self> {
        let places = answer.chars().map(|c| u16::try_from(u32::from(c)).ok());
        let permutation = Self(places.collect::<Option<_>>()?);
        permutation.is_valid(length).then_some(permutation)
    }

    /// Whether this may be the permutation of signatures of `length` bytes.
    pub(super) fn is_valid(&self, length: usize) -> bool {
        let mut seen = vec![false; length];
        !self.0.is_empty()
            && length <= MAX_SIGNATURE
            && self.0.iter().all(|&place| {
                seen.get_mut(usize::from(place))
                    .is_some_and(|seen| !std::mem::replace(seen, true))
            })
    }

    /// The solved signature; `None` when `signature` is shorter than those this was made for.
    pub(super) fn apply(&self, signature: &str) -> Option<String> {
        let bytes = signature.as_bytes();
        self.0
            .iter()
            .map(|&place| bytes.get(usize::from(place)).map(|b| char::from(*b)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permutation_of_a_probe_applies_to_any_signature_of_that_length() {
        let probe = Permutation::probe(5);
        let answer: String = probe.chars().rev().skip(1).collect();
        let permutation = Permutation::of_answer(5, &answer).expect("valid");
        assert_eq!(permutation.apply("abcde").as_deref(), Some("dcba"));
        assert_eq!(permutation.apply("abc"), None);
    }

    #[test]
    fn answer_that_is_no_permutation_is_refused() {
        for answer in ["", "\u{5}", "\u{0}\u{0}", "abc", "\u{10ffff}"] {
            assert_eq!(Permutation::of_answer(5, answer), None, "{answer:?}");
        }
        assert!(!Permutation(vec![0]).is_valid(MAX_SIGNATURE + 1));
    }

    #[test]
    fn n_that_comes_back_is_no_answer() {
        assert!(solves_n("abcdef", "ABC_-1"));
        for answer in [
            "abcdef",
            "x_w8_abcdef",
            "enhanced_except_1-",
            "",
            "a b",
            "é",
        ] {
            assert!(!solves_n("abcdef", answer), "{answer}");
        }
        assert!(!solves_n("abcdef", &"x".repeat(MAX_N + 1)));
    }

    #[test]
    fn signature_of_other_bytes_is_refused() {
        assert!(is_signature("aA0-_=%&"));
        for value in ["", "a b", "é", "\u{1}"] {
            assert!(!is_signature(value), "{value:?}");
        }
        assert!(!is_signature(&"x".repeat(MAX_SIGNATURE + 1)));
    }
}
