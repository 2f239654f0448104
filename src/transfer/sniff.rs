//! Tells a page from media by its first bytes, whatever the upstream calls it.

/// What the first bytes look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// HTML, XML or JSON: an error page under a media type.
    Page,
    /// Not a page.
    Media,
    /// So far it could become either.
    Undecided,
}

/// How pages begin, in lower case, white space aside.
const MARKS: [&[u8]; 4] = [b"<!doctype", b"<html", b"<?xml", b"{\""];

/// UTF-8 byte order mark.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// White space that is looked through, before a mark and inside it; no media begins with any.
const MAX_BLANKS: usize = 256;

/// Judges the bytes of a representation from its start. What is decided stays so whatever follows, and a few hundred
/// bytes decide: an upstream can't put it off.
pub(super) fn sniff(start: &[u8]) -> Verdict {
    if BYTE_ORDER_MARK.starts_with(start) {
        return Verdict::Undecided;
    }
    let text = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start);
    let (mut seen, mut blanks) = (Vec::new(), 0);
    for byte in text {
        // White space inside a mark, as between `{` and `"`, is looked through as well.
        if byte.is_ascii_whitespace() {
            blanks += 1;
        } else {
            seen.push(byte.to_ascii_lowercase());
        }
        if blanks > MAX_BLANKS || MARKS.contains(&&*seen) {
            return Verdict::Page;
        }
        if !MARKS.iter().any(|mark| mark.starts_with(&seen)) {
            return Verdict::Media;
        }
    }
    Verdict::Undecided
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A mark begun, and more white space than any page has inside it.
    fn indented(start: &[u8]) -> Vec<u8> {
        [start, &[b'\n'; MAX_BLANKS + 1]].concat()
    }

    #[test]
    fn sniff_pages_whatever_their_case_and_indent() {
        let pages: [&[u8]; 9] = [
            b"<!DOCTYPE html><html>",
            b"\r\n\t <HTML lang=en>",
            b"<?xml version=\"1.0\"?><Error>",
            b"{\"code\":403}",
            b"{\n  \"code\": 403}",
            b"\xef\xbb\xbf<!doctype html>",
            &[b' '; 300],
            &indented(b"<"),
            &indented(b"{"),
        ];
        for page in pages {
            assert_eq!(
                sniff(page),
                Verdict::Page,
                "{:?}",
                page.escape_ascii().to_string()
            );
        }
    }

    #[test]
    fn sniff_media_is_decided_by_its_first_bytes() {
        let media: [&[u8]; 7] = [
            b"\0\0\0\x20ftypisom",
            b"\0",
            b"ID3\x04",
            b"\xff\xd8\xff\xe0",
            b"\x1aE\xdf\xa3",
            b"RIFF",
            b"<svg",
        ];
        for start in media {
            assert_eq!(
                sniff(start),
                Verdict::Media,
                "{:?}",
                start.escape_ascii().to_string()
            );
        }
    }

    #[test]
    fn sniff_beginning_of_a_mark_is_undecided() {
        for start in [
            &b""[..],
            b" ",
            b"<",
            b"<!doc",
            b"{",
            b"\xef\xbb",
            b"\xef\xbb\xbf ",
        ] {
            assert_eq!(sniff(start), Verdict::Undecided);
        }
    }

    #[test]
    fn sniff_every_prefix_of_a_page_is_page_or_undecided() {
        let page = b"  <!DocType HTML>";
        for length in 0..page.len() {
            assert_ne!(sniff(&page[..length]), Verdict::Media);
        }
    }

    /// What a judgement may be put off with, and what ends it.
    fn hesitant() -> impl Strategy<Value = Vec<u8>> {
        let part = prop_oneof![
            proptest::sample::select(vec![
                &b"<"[..],
                b"{",
                b"<!doc",
                b"<?xm",
                b"\xef\xbb\xbf",
                b"\"",
                b"\0"
            ])
            .prop_map(<[u8]>::to_vec),
            (proptest::sample::select(&b" \t\r\n\x0c"[..]), 0..400_usize)
                .prop_map(|(blank, count)| vec![blank; count]),
        ];
        proptest::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn sniff_is_decided_within_few_bytes_and_for_good(bytes in hesitant()) {
            // A byte order mark, the white space and all of a mark but its last byte.
            let most = BYTE_ORDER_MARK.len() + MAX_BLANKS + "<!doctype".len();
            let verdict = sniff(&bytes);
            for length in 0..bytes.len() {
                let early = sniff(&bytes[..length]);
                prop_assert!(early == verdict || early == Verdict::Undecided);
                prop_assert!(early != Verdict::Undecided || length < most, "open after {length}");
            }
        }
    }
}
