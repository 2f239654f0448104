//! The head of a media answer: type, file name, lengths, validators (api.md §5, reliability R2.5 and R2.6).
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, LAST_MODIFIED,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::links::{Kind, Link};
use crate::transfer::Head;

const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// About how long a body of unknown length is going to be, in bytes.
pub(super) const ESTIMATED_LENGTH: HeaderName = HeaderName::from_static("estimated-content-length");
const FILENAME: HeaderName = HeaderName::from_static("x-filename");

/// Longest file name in bytes, extension aside.
const MAX_BASE: usize = 100;

/// RFC 8187 `attr-char` besides letters and digits.
const ATTR_CHAR: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// Names that Windows keeps for devices.
const RESERVED: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8",
    "com9", "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// The headers of a media answer with this head.
pub(super) fn media(link: &Link, head: &Head, is_inline: bool) -> HeaderMap {
    let media_type = media_type(link, head.content_type.as_deref());
    let names = file_names(link, media_type);
    let mut headers = HeaderMap::with_capacity(16);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    set(
        &mut headers,
        CONTENT_DISPOSITION,
        &names.disposition(is_inline),
    );
    set(&mut headers, FILENAME, &names.ascii);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; sandbox"),
    );
    let ranges = if head.accepts_ranges { "bytes" } else { "none" };
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static(ranges));
    if let Some(length) = head.content_length() {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    if let Some(range) = &head.range {
        let total = head
            .total
            .map_or_else(|| "*".to_owned(), |total| total.to_string());
        let last = range.end.saturating_sub(1);
        set(
            &mut headers,
            CONTENT_RANGE,
            &format!("bytes {}-{last}/{total}", range.start),
        );
    }
    if let Some(etag) = &head.etag {
        set(&mut headers, ETAG, etag);
    }
    if let Some(date) = &head.last_modified {
        set(&mut headers, LAST_MODIFIED, date);
    }
    headers
}

/// Text from an upstream goes into a header only if it is one.
fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// What the bytes are: by the link for video and sound, by the upstream for pictures.
fn media_type(link: &Link, upstream: Option<&str>) -> &'static str {
    match (link.kind, link.extension.as_str()) {
        (Kind::Audio, "mp3") => "audio/mpeg",
        (Kind::Audio, "webm") => "audio/webm",
        (Kind::Audio, "aac") => "audio/aac",
        (Kind::Audio, "ogg") => "audio/ogg",
        (Kind::Audio, "flac") => "audio/flac",
        (Kind::Audio, "wav") => "audio/wav",
        (Kind::Audio, _) => "audio/mp4",
        (Kind::Video | Kind::Slideshow, "webm") => "video/webm",
        (Kind::Video | Kind::Slideshow, _) => "video/mp4",
        (Kind::Archive, _) => "application/zip",
        (Kind::Image, _) => image_type(upstream),
        (Kind::Caption, "srt") => "application/x-subrip",
        (Kind::Caption, _) => "text/vtt; charset=utf-8",
    }
}

fn image_type(upstream: Option<&str>) -> &'static str {
    let essence = upstream
        .and_then(|text| text.split(';').next())
        .map(|text| text.trim().to_ascii_lowercase())
        .unwrap_or_default();
    match essence.as_str() {
        "image/jpeg" | "image/jpg" => "image/jpeg",
        "image/webp" => "image/webp",
        "image/png" => "image/png",
        "image/gif" => "image/gif",
        "image/avif" => "image/avif",
        "image/heic" | "image/heif" => "image/heic",
        _ => "application/octet-stream",
    }
}

fn extension<'a>(link: &'a Link, media_type: &str) -> &'a str {
    match media_type {
        "image/webp" => "webp",
        "image/png" => "png",
        "image/gif" => "gif",
        "image/avif" => "avif",
        "image/heic" => "heic",
        _ => &link.extension,
    }
}

/// A file name in the two forms of RFC 6266.
#[derive(Debug, PartialEq, Eq)]
struct FileNames {
    ascii: String,
    utf8: String,
}

impl FileNames {
    fn disposition(&self, is_inline: bool) -> String {
        let kind = if is_inline { "inline" } else { "attachment" };
        let plain = format!("{kind}; filename=\"{}\"", self.ascii);
        if self.ascii == self.utf8 {
            return plain;
        }
        let encoded = utf8_percent_encode(&self.utf8, ATTR_CHAR);
        format!("{plain}; filename*=UTF-8''{encoded}")
    }
}

/// The field for a video of `author`; for [`crate::fuzz`].
#[cfg(any(test, feature = "fuzz"))]
pub(super) fn disposition_of(author: &str) -> String {
    let link = Link {
        expires_at: 0,
        site: String::new(),
        id: String::new(),
        format: String::new(),
        kind: Kind::Video,
        author: author.to_owned(),
        extension: "mp4".to_owned(),
        index: None,
        egress: None,
        track: None,
        hint: None,
    };
    file_names(&link, "video/mp4").disposition(false)
}

fn file_names(link: &Link, media_type: &str) -> FileNames {
    let extension = extension(link, media_type);
    let number = link
        .index
        .map(|index| format!("_{index}"))
        .unwrap_or_default();
    let fallback = match link.kind {
        Kind::Video | Kind::Slideshow => "video",
        Kind::Audio => "audio",
        Kind::Image => "image",
        Kind::Caption => "captions",
        Kind::Archive => "images",
    };
    let ascii = base(&link.author, |char| Some(ascii_char(char)), fallback);
    let utf8 = base(&link.author, utf8_char, fallback);
    FileNames {
        ascii: format!("{ascii}{number}.{extension}"),
        utf8: format!("{utf8}{number}.{extension}"),
    }
}

/// What a file is called where many lie together, without its extension: the author as in `Content-Disposition`, the
/// post's id, and the number of a picture.
pub(super) fn saved_stem(author: &str, id: &str, number: Option<u32>) -> String {
    let author = base(author, utf8_char, "post");
    // Shells and programs take a leading dash or tilde for something else.
    let author = author.trim_start_matches(['-', '~']);
    let id = base(id, utf8_char, "0");
    let number = number.map(|number| format!("_{number}"));
    format!("{author}_{id}{}", number.unwrap_or_default())
}

/// The extension of a link's file, once the upstream has said what it is.
pub(super) fn saved_extension(link: &Link, upstream_type: Option<&str>) -> String {
    extension(link, media_type(link, upstream_type)).to_owned()
}

/// `ServerPY`'s rule, which iOS needs: everything else becomes `_`.
fn ascii_char(char: char) -> char {
    if char.is_ascii_alphanumeric() {
        char
    } else {
        '_'
    }
}

fn utf8_char(char: char) -> Option<char> {
    match char {
        '"' | '\'' | '/' | '\\' | ':' | '*' | '?' | '<' | '>' | '|' => Some('_'),
        // Marks that turn the reading direction can make `gpj.exe` look like `exe.jpg`.
        '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{feff}' => None,
        char if char.is_control() => None,
        char => Some(char),
    }
}

fn base(author: &str, map: fn(char) -> Option<char>, fallback: &str) -> String {
    let mut base = String::new();
    for char in author
        .trim()
        .trim_start_matches('.')
        .chars()
        .filter_map(map)
    {
        if base.len().saturating_add(char.len_utf8()) > MAX_BASE {
            break;
        }
        base.push(char);
    }
    let base = base.trim_end_matches(['.', ' ']);
    let is_reserved = RESERVED.contains(&base.to_ascii_lowercase().as_str());
    if is_reserved || base.chars().all(|char| char == '_') {
        return fallback.to_owned();
    }
    base.to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn link(author: &str, kind: Kind, extension: &str, index: Option<u32>) -> Link {
        Link {
            expires_at: 0,
            site: "site".to_owned(),
            id: "1".to_owned(),
            format: "f".to_owned(),
            track: None,
            kind,
            author: author.to_owned(),
            extension: extension.to_owned(),
            index,
            egress: None,
            hint: None,
        }
    }

    fn head() -> Head {
        Head {
            is_not_modified: false,
            range: None,
            total: Some(10),
            accepts_ranges: true,
            etag: None,
            last_modified: None,
            content_type: None,
        }
    }

    fn disposition(author: &str) -> String {
        let headers = media(&link(author, Kind::Video, "mp4", None), &head(), false);
        headers[CONTENT_DISPOSITION].to_str().unwrap().to_owned()
    }

    #[test]
    fn author_outside_ascii_gets_both_forms() {
        assert_eq!(
            disposition("José 日本 user"),
            "attachment; filename=\"Jos_____user.mp4\"; \
             filename*=UTF-8''Jos%C3%A9%20%E6%97%A5%E6%9C%AC%20user.mp4"
        );
    }

    #[test]
    fn plain_author_gets_one_form() {
        assert_eq!(
            disposition("white_house"),
            "attachment; filename=\"white_house.mp4\""
        );
    }

    #[test]
    fn empty_or_reserved_author_gets_a_word() {
        for author in ["", "___", "...", "con", "日本", "../"] {
            let names = file_names(&link(author, Kind::Audio, "m4a", None), "audio/mp4");
            assert_eq!(names.ascii, "audio.m4a", "{author}");
        }
    }

    #[test]
    fn picture_takes_type_and_extension_of_the_upstream() {
        let head = Head {
            content_type: Some("image/webp; q=1".to_owned()),
            ..head()
        };
        let headers = media(&link("a", Kind::Image, "jpg", Some(3)), &head, true);
        assert_eq!(headers[CONTENT_TYPE], "image/webp");
        assert_eq!(headers[FILENAME], "a_3.webp");
        assert_eq!(
            headers[CONTENT_DISPOSITION],
            "inline; filename=\"a_3.webp\""
        );
    }

    #[test]
    fn partial_answer_names_its_range() {
        let head = Head {
            range: Some(2..5),
            ..head()
        };
        let headers = media(&link("a", Kind::Video, "mp4", None), &head, false);
        assert_eq!(headers[CONTENT_RANGE], "bytes 2-4/10");
        assert_eq!(headers[CONTENT_LENGTH], "3");
    }

    #[test]
    fn saved_name_tells_posts_of_one_author_apart() {
        assert_eq!(saved_stem("日本", "a-1_b", Some(3)), "日本_a-1_b_3");
        assert_eq!(saved_stem("--rf ~", "a-1_b", None), "rf ~_a-1_b");
        assert_eq!(saved_stem("../..", "7", None), "post_7");
        assert_eq!(saved_stem("", "../", None), "post_0");
        let image = link("a", Kind::Image, "jpg", Some(3));
        assert_eq!(saved_extension(&image, Some("image/webp")), "webp");
    }

    proptest! {
        #[test]
        fn any_author_gives_a_safe_name(author in any::<String>()) {
            let stem = saved_stem(&author, "1", None);
            prop_assert!(!stem.starts_with(['.', '-', '~']) && stem.len() <= 2 * MAX_BASE + 1);
            prop_assert!(!stem.contains(['/', '\\', '"']) && !stem.contains(char::is_control));
            let names = file_names(&link(&author, Kind::Video, "mp4", None), "video/mp4");
            prop_assert!(names.ascii.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.'));
            prop_assert!(!names.ascii.starts_with('.') && !names.utf8.starts_with('.'));
            prop_assert!(!names.utf8.contains(['/', '\\', '"', '\r', '\n', '\0']));
            prop_assert!(names.utf8.len() <= MAX_BASE + 4);
            prop_assert!(HeaderValue::from_str(&names.disposition(false)).is_ok());
        }
    }
}
