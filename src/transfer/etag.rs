//! Entity tags and lists of them (RFC 9110 §8.8.3, §13.1.1): pure, and safe for any bytes.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

/// An entity tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EntityTag {
    /// What stands between the quotes.
    opaque: Box<[u8]>,
    /// Marked with `W/`: it promises the same meaning, not the same bytes.
    is_weak: bool,
}

impl EntityTag {
    /// Reads a tag that stands alone.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let (tag, rest) = Self::split(text)?;
        rest.is_empty().then_some(tag)
    }

    /// Reads the tag at the beginning; returns what follows it too.
    fn split(text: &[u8]) -> Option<(Self, &[u8])> {
        let (is_weak, quoted) = match text.strip_prefix(b"W/") {
            Some(quoted) => (true, quoted),
            None => (false, text),
        };
        let inner = quoted.strip_prefix(b"\"")?;
        let end = inner.iter().position(|&byte| byte == b'"')?;
        let (opaque, rest) = inner.split_at(end);
        if !opaque.iter().all(|&byte| is_etagc(byte)) {
            return None;
        }
        let opaque = opaque.into();
        Some((Self { opaque, is_weak }, rest.get(1..)?))
    }

    /// Whether both promise the same bytes (RFC 9110 §8.8.3.2, strong comparison).
    pub(super) fn is_strongly(&self, other: &Self) -> bool {
        !self.is_weak && self == other
    }

    /// Whether both have the same meaning (the same section, weak comparison).
    pub(super) fn is_weakly(&self, other: &Self) -> bool {
        self.opaque == other.opaque
    }
}

/// `etagc`: visible, but no quote; bytes above ASCII count as visible.
fn is_etagc(byte: u8) -> bool {
    byte == b'!' || (b'#'..=b'~').contains(&byte) || byte >= 0x80
}

/// What `If-Match` and `If-None-Match` name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum EntityTags {
    /// `*`: any representation there is.
    Any,
    /// These.
    Listed(Vec<EntityTag>),
}

impl EntityTags {
    /// Reads the lines of a header, which are one list; `None` without a line. Members that are no tags are passed over.
    pub(super) fn parse<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let lines: Vec<&[u8]> = lines.map(<[u8]>::trim_ascii).collect();
        match lines[..] {
            [] => None,
            [b"*"] => Some(Self::Any),
            _ => Some(Self::Listed(lines.into_iter().flat_map(members).collect())),
        }
    }

    /// Whether one of them is `known` by the comparison `is_same`; `known` is that of the representation there is.
    pub(super) fn name(
        &self,
        known: Option<&EntityTag>,
        is_same: fn(&EntityTag, &EntityTag) -> bool,
    ) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(tags) => {
                known.is_some_and(|known| tags.iter().any(|tag| is_same(tag, known)))
            }
        }
    }
}

/// The tags of a list. A tag may hold commas, so it is not enough to split at them.
fn members(mut list: &[u8]) -> impl Iterator<Item = EntityTag> {
    std::iter::from_fn(move || {
        loop {
            let begins = |byte: &u8| !matches!(byte, b',' | b' ' | b'\t');
            let start = list.iter().position(begins)?;
            list = list.get(start..)?;
            let (tag, rest) = match EntityTag::split(list) {
                Some((tag, rest)) => (Some(tag), rest),
                None => (None, list),
            };
            // Up to the next comma there is nothing but white space, or the member is no tag.
            let end = rest
                .iter()
                .position(|&byte| byte == b',')
                .unwrap_or(rest.len());
            let (between, next) = rest.split_at(end);
            list = next;
            if let Some(tag) = tag.filter(|_| between.trim_ascii().is_empty()) {
                return Some(tag);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tag(text: &str) -> EntityTag {
        EntityTag::parse(text.as_bytes()).unwrap()
    }

    fn listed(lines: &[&str]) -> Vec<EntityTag> {
        match EntityTags::parse(lines.iter().map(|line| line.as_bytes())) {
            Some(EntityTags::Listed(tags)) => tags,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn etag_needs_quotes_and_visible_characters() {
        for sound in ["\"\"", "\"a\"", "W/\"a\"", "\"a,b\"", "\"é\"", "\"!#~\""] {
            assert!(EntityTag::parse(sound.as_bytes()).is_some(), "{sound}");
        }
        for odd in [
            "",
            "a",
            "\"",
            "\"a",
            "a\"",
            "w/\"a\"",
            "W/a",
            "\"a\"b",
            "\"a b\"",
            "*",
            "\"\u{7f}\"",
        ] {
            assert_eq!(EntityTag::parse(odd.as_bytes()), None, "{odd}");
        }
    }

    #[test]
    fn etag_comparison_is_that_of_the_table_in_the_rfc() {
        for (one, two, strong, weak) in [
            ("W/\"1\"", "W/\"1\"", false, true),
            ("W/\"1\"", "W/\"2\"", false, false),
            ("W/\"1\"", "\"1\"", false, true),
            ("\"1\"", "W/\"1\"", false, true),
            ("\"1\"", "\"1\"", true, true),
        ] {
            let (one, two) = (tag(one), tag(two));
            assert_eq!((one.is_strongly(&two), one.is_weakly(&two)), (strong, weak));
        }
    }

    #[test]
    fn etag_list_may_have_several_lines_commas_and_gaps() {
        let expected = [tag("\"a\""), tag("W/\"b,c\""), tag("\"d\"")];
        assert_eq!(listed(&["\"a\",W/\"b,c\"", "\"d\""]), expected);
        assert_eq!(listed(&[" , \"a\"\t,, W/\"b,c\" ,\"d\","]), expected);
        assert_eq!(
            listed(&["a, \"a\"", "W/\"b,c\" x, W/\"b,c\"", "*", "\"d\""]),
            expected
        );
        assert_eq!(listed(&[""]), []);
        assert_eq!(EntityTags::parse([].into_iter()), None);
        assert_eq!(
            EntityTags::parse([&b" * "[..]].into_iter()),
            Some(EntityTags::Any)
        );
    }

    proptest! {
        #[test]
        fn etag_list_of_any_bytes_is_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = EntityTags::parse([&bytes[..]].into_iter());
        }

        #[test]
        fn etag_list_like_text_is_read_without_panic(text in "[W/\"a, *]{0,40}") {
            let _ = EntityTags::parse([text.as_bytes()].into_iter());
        }
    }
}
