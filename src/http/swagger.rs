//! Files of Swagger UI, straight out of the archive that the vendoring crate brings.
//!
//! The archive is a ZIP, whose entries are compressed as gzip compresses: with another frame around the same bytes they are
//! sent as they lie there. So nothing is unpacked at build time, and the program grows by the archive alone (1.8 MB; the
//! files themselves are 6 MB).

use std::io::Read as _;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::read::DeflateDecoder;
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue};
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED as ARCHIVE;

/// Names and types of the files that the page needs.
const FILES: [(&str, &str); 3] = [
    ("swagger-ui.css", "text/css; charset=utf-8"),
    ("swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
    ("favicon-32x32.png", "image/png"),
];

/// Parts of a ZIP (APPNOTE.TXT 4.3): signatures, and bytes before the name of an entry.
const END: &[u8] = b"PK\x05\x06";
const ENTRY: &[u8] = b"PK\x01\x02";
const ENTRY_HEAD: usize = 46;
const LOCAL_HEAD: usize = 30;
const DEFLATED: u16 = 8;

/// One file of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    kind: &'static str,
    is_deflated: bool,
    /// As they lie in the archive.
    bytes: &'static [u8],
    crc: u32,
    /// Bytes of the file itself.
    length: u32,
}

/// The file of this name; `None` when the page has none such.
pub(super) fn file(name: &str) -> Option<File> {
    let (name, kind) = FILES.into_iter().find(|(known, _)| *known == name)?;
    entries(ARCHIVE).find_map(|entry| {
        let found = entry.name.ends_with(&format!("/dist/{name}"));
        found.then(|| entry.file(kind)).flatten()
    })
}

impl File {
    /// As gzip where the client takes it.
    pub(super) fn respond(&self, request: &HeaderMap) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.kind));
        headers.insert(
            CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=86400"),
        );
        if !self.is_deflated {
            return (headers, self.bytes).into_response();
        }
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        if takes_gzip(request) {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            return (headers, self.gzip()).into_response();
        }
        (headers, self.plain()).into_response()
    }

    /// The same bytes in gzip's frame (RFC 1952 §2.3).
    fn gzip(&self) -> Bytes {
        let head: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\xff";
        let tail = [self.crc.to_le_bytes(), self.length.to_le_bytes()].concat();
        Bytes::from([head, self.bytes, &tail].concat())
    }

    fn plain(&self) -> Bytes {
        let mut plain = Vec::new();
        // The archive is part of the program; a test reads all of it.
        let _ = DeflateDecoder::new(self.bytes).read_to_end(&mut plain);
        plain.into()
    }
}

/// Whether gzip is named and not refused (RFC 9110 §12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT_ENCODING);
    let lines = lines.iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_gzip = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let weight = parts.find_map(|part| part.strip_prefix("q="));
        is_gzip && weight.is_none_or(|weight| weight.parse().is_ok_and(|weight: f32| weight > 0.0))
    })
}

/// One entry of the directory at the end of the archive.
struct Entry {
    archive: &'static [u8],
    head: &'static [u8],
    name: &'static str,
}

/// The directory; empty for what is no archive.
fn entries(archive: &'static [u8]) -> impl Iterator<Item = Entry> {
    let end = archive.windows(END.len()).rposition(|bytes| bytes == END);
    let mut at = end
        .and_then(|end| number(archive, end + 16))
        .unwrap_or(u32::MAX) as usize;
    std::iter::from_fn(move || {
        let head = archive.get(at..at.checked_add(ENTRY_HEAD)?)?;
        if !head.starts_with(ENTRY) {
            return None;
        }
        let [name, extra, comment] = [28, 30, 32].map(|place| usize::from(short(head, place)));
        let name_at = at + ENTRY_HEAD;
        let name = archive.get(name_at..name_at + name)?;
        at = name_at + name.len() + extra + comment;
        Some(Entry {
            archive,
            head,
            name: std::str::from_utf8(name).unwrap_or_default(),
        })
    })
}

impl Entry {
    fn file(&self, kind: &'static str) -> Option<File> {
        let local = number(self.head, 42)? as usize;
        let names = self.archive.get(local..local + LOCAL_HEAD)?;
        let begin =
            local + LOCAL_HEAD + usize::from(short(names, 26)) + usize::from(short(names, 28));
        let length = number(self.head, 20)? as usize;
        Some(File {
            kind,
            is_deflated: short(self.head, 10) == DEFLATED,
            bytes: self.archive.get(begin..begin + length)?,
            crc: number(self.head, 16)?,
            length: number(self.head, 24)?,
        })
    }
}

fn short(bytes: &[u8], at: usize) -> u16 {
    let two = bytes.get(at..at + 2).and_then(|two| two.try_into().ok());
    two.map_or(0, u16::from_le_bytes)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_le_bytes(four))
}

#[cfg(test)]
mod tests {
    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn files_of_the_page_are_in_the_archive_whole() {
        for (name, kind) in FILES {
            let file = file(name).unwrap();
            assert_eq!(file.kind, kind);
            if !file.is_deflated {
                assert_eq!(file.bytes.len(), file.length as usize, "{name}");
                continue;
            }
            let plain = file.plain();
            assert_eq!(plain.len(), file.length as usize, "{name}");
            // The reader checks sum and length.
            let mut unpacked = Vec::new();
            GzDecoder::new(&file.gzip()[..])
                .read_to_end(&mut unpacked)
                .unwrap();
            assert!(unpacked == plain, "{name}");
        }
        assert_eq!(file("swagger-ui.js"), None);
        assert_eq!(file("../dist/swagger-ui.css"), None);
    }

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        for (value, expected) in [
            ("", false),
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.0, br", false),
            ("identity", false),
            ("x-gzip", false),
        ] {
            let value = HeaderValue::from_static(value);
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, value)]);
            assert_eq!(takes_gzip(&headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn what_is_no_archive_has_no_entries() {
        for bytes in [
            &b""[..],
            b"PK\x05\x06",
            b"PK\x05\x06............\0\0\0\0",
            b"PK\x01\x02",
        ] {
            assert_eq!(entries(bytes).count(), 0);
        }
    }
}
