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

/// Leading white space that is looked through; no media begins with any.
const MAX_BLANKS: usize = 256;

/// Judges the bytes of a representation from its start.
pub(super) fn sniff(start: &[u8]) -> Verdict {
    let text = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start);
    let visible = text.iter().filter(|byte| !byte.is_ascii_whitespace());
    let blanks = text
        .iter()
        .take_while(|byte| byte.is_ascii_whitespace())
        .count();
    if blanks > MAX_BLANKS {
        return Verdict::Page;
    }
    // White space inside a mark, as between `{` and `"`, is looked through as well.
    let longest = MARKS.iter().map(|mark| mark.len()).max().unwrap_or(0);
    let seen: Vec<u8> = visible.take(longest).map(u8::to_ascii_lowercase).collect();
    if MARKS.iter().any(|mark| seen.starts_with(mark)) {
        return Verdict::Page;
    }
    if MARKS.iter().any(|mark| mark.starts_with(&seen)) || BYTE_ORDER_MARK.starts_with(start) {
        return Verdict::Undecided;
    }
    Verdict::Media
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sniff_pages_whatever_their_case_and_indent() {
        let pages: [&[u8]; 7] = [
            b"<!DOCTYPE html><html>",
            b"\r\n\t <HTML lang=en>",
            b"<?xml version=\"1.0\"?><Error>",
            b"{\"code\":403}",
            b"{\n  \"code\": 403}",
            b"\xef\xbb\xbf<!doctype html>",
            &[b' '; 300],
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
}
