//! The Netscape format of cookie files, as browsers' exporters and yt-dlp write it. Pure.
//!
//! One cookie a line, seven fields between tabs: domain, `TRUE` when sub-domains get it, path, `TRUE` for https
//! only, expiry as a Unix second (0 or empty: none), name, value. `#HttpOnly_` before the domain is no comment.

use std::time::SystemTime;

use url::Url;

use super::{Scope, is_path_prefix, is_sendable, normal_domain};

/// Lines read; the rest counts as skipped.
const MAX_LINES: usize = 5_000;
/// Longest line in bytes.
const MAX_LINE_BYTES: usize = 8 * 1024;

/// The operator's cookies for one site, read-only.
#[derive(Debug, Default)]
pub struct OperatorCookies {
    cookies: Vec<OperatorCookie>,
    /// When the file was last written.
    pub(super) modified: Option<SystemTime>,
}

struct OperatorCookie {
    name: String,
    value: String,
    scope: Scope,
    /// Unix second from which it is dead.
    expires_at: Option<u64>,
}

// A login is a secret.
impl std::fmt::Debug for OperatorCookie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OperatorCookie")
            .field("name", &self.name)
            .field("domain", &self.scope.domain)
            .finish_non_exhaustive()
    }
}

/// What a file holds.
pub(super) struct Parsed {
    pub(super) cookies: OperatorCookies,
    /// Lines that are neither a cookie nor a comment.
    pub(super) skipped: usize,
}

impl OperatorCookies {
    /// When their file was last written, where the file system says so.
    pub fn modified(&self) -> Option<SystemTime> {
        self.modified
    }

    /// Reads a file's content; lines that can't be read are left out and counted.
    pub(super) fn parse(content: &[u8]) -> Parsed {
        let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
        let mut cookies = Vec::new();
        let mut skipped: usize = 0;
        for (number, line) in content.split(|byte| *byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if is_comment(line) {
                continue;
            }
            match parse_line(line).filter(|_| number < MAX_LINES) {
                Some(cookie) => cookies.push(cookie),
                None => skipped = skipped.saturating_add(1),
            }
        }
        Parsed {
            cookies: Self {
                cookies,
                modified: None,
            },
            skipped,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.cookies.is_empty()
    }

    /// How many are alive at the Unix second `now`, and how many are not.
    pub fn count_at(&self, now: u64) -> (usize, usize) {
        let is_alive = |cookie: &&OperatorCookie| cookie.expires_at.is_none_or(|at| now < at);
        let alive = self.cookies.iter().filter(is_alive).count();
        (alive, self.cookies.len().saturating_sub(alive))
    }

    /// Path, name and value of each cookie for a request to `url` at the Unix second `now`.
    pub(super) fn covering(&self, url: &Url, now: u64) -> impl Iterator<Item = (&str, &str, &str)> {
        self.cookies
            .iter()
            .filter(move |cookie| cookie.expires_at.is_none_or(|at| now < at))
            .filter(|cookie| cookie.scope.covers(url))
            .map(|cookie| (&*cookie.scope.path, &*cookie.name, &*cookie.value))
    }
}

fn is_comment(line: &[u8]) -> bool {
    line.trim_ascii().is_empty() || (line.starts_with(b"#") && !line.starts_with(b"#HttpOnly_"))
}

fn parse_line(line: &[u8]) -> Option<OperatorCookie> {
    if line.len() > MAX_LINE_BYTES {
        return None;
    }
    let text = std::str::from_utf8(line).ok()?;
    let text = text.strip_prefix("#HttpOnly_").unwrap_or(text);
    let fields: Vec<&str> = text.split('\t').collect();
    let [domain, subdomains, path, secure, expires, name, value] = fields[..] else {
        return None;
    };
    if !is_sendable(name, value) || !is_path_prefix("/", path) {
        return None;
    }
    let covers_subdomains = parse_flag(subdomains)? || domain.starts_with('.');
    Some(OperatorCookie {
        name: name.to_owned(),
        value: value.to_owned(),
        scope: Scope {
            domain: normal_domain(domain)?,
            is_host_only: !covers_subdomains,
            path: path.to_owned(),
            is_secure: parse_flag(secure)?,
        },
        expires_at: parse_expiry(expires)?,
    })
}

fn parse_flag(text: &str) -> Option<bool> {
    match text {
        "TRUE" => Some(true),
        "FALSE" => Some(false),
        _ => None,
    }
}

/// Some exporters write fractions, and 0, -1 or nothing for a cookie without expiry.
#[expect(
    clippy::option_option,
    reason = "outside: malformed; inside: no expiry"
)]
fn parse_expiry(text: &str) -> Option<Option<u64>> {
    if text.is_empty() {
        return Some(None);
    }
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    let second: i64 = whole.parse().ok()?;
    Some(u64::try_from(second).ok().filter(|second| *second > 0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sent(content: &str, url: &str, now: u64) -> Vec<String> {
        let parsed = OperatorCookies::parse(content.as_bytes());
        let url = Url::parse(url).unwrap();
        let covering = parsed.cookies.covering(&url, now);
        covering
            .map(|(_, name, value)| format!("{name}={value}"))
            .collect()
    }

    #[test]
    fn netscape_file_of_an_exporter_is_read() {
        let file = "\u{feff}# Netscape HTTP Cookie File\r\n\r\n\
            #HttpOnly_.tiktok.com\tTRUE\t/\tTRUE\t2000000000.5\tsessionid\ta=b/c+d\r\n\
            www.tiktok.com\tFALSE\t/\tFALSE\t0\thost\t1\r\n\
            .tiktok.com\tTRUE\t/\tFALSE\t\tempty\t\r\n\
            .tiktok.com\tTRUE\t/\tFALSE\t1000000000\told\t1\r\n";
        let url = "https://www.tiktok.com/";
        assert_eq!(
            sent(file, url, 1_800_000_000),
            ["sessionid=a=b/c+d", "host=1", "empty="]
        );
        assert_eq!(sent(file, url, 2_000_000_000), ["host=1", "empty="]);
        assert_eq!(
            sent(file, "http://m.tiktok.com/", 1_800_000_000),
            ["empty="]
        );
        assert_eq!(OperatorCookies::parse(file.as_bytes()).skipped, 0);
    }

    #[test]
    fn netscape_bad_lines_are_skipped_and_counted() {
        let long = format!(
            ".a.example\tTRUE\t/\tFALSE\t0\tlong\t{}",
            "x".repeat(MAX_LINE_BYTES)
        );
        let lines = [
            "no tabs at all",
            ".a.example\tTRUE\t/\tFALSE\t0\tsix-fields",
            ".a.example\tTRUE\t/\tFALSE\tsoon\tname\tvalue",
            ".a.example\tyes\t/\tFALSE\t0\tname\tvalue",
            ".com\tTRUE\t/\tFALSE\t0\tname\tvalue",
            ".a.example\tTRUE\trelative\tFALSE\t0\tname\tvalue",
            ".a.example\tTRUE\t/\tFALSE\t0\tname\tval;ue",
            &long,
            ".a.example\tTRUE\t/\tFALSE\t0\tgood\t1",
        ];
        let content = lines.join("\n");
        let parsed = OperatorCookies::parse(content.as_bytes());
        assert_eq!(
            (parsed.cookies.cookies.len(), parsed.skipped),
            (1, lines.len() - 1)
        );
        assert_eq!(sent(&content, "http://a.example/", 1), ["good=1"]);
    }

    #[test]
    fn netscape_lines_beyond_the_cap_are_skipped() {
        let content = ".a.example\tTRUE\t/\tFALSE\t0\tname\tvalue\n".repeat(MAX_LINES + 3);
        let parsed = OperatorCookies::parse(content.as_bytes());
        assert_eq!(
            (parsed.cookies.cookies.len(), parsed.skipped),
            (MAX_LINES, 3)
        );
    }

    #[test]
    fn netscape_values_are_not_in_debug_output() {
        let parsed = OperatorCookies::parse(b".a.example\tTRUE\t/\tFALSE\t0\tn\thunter2");
        assert!(!parsed.cookies.is_empty());
        assert!(!format!("{:?}", parsed.cookies).contains("hunter2"));
    }

    proptest! {
        #[test]
        fn netscape_any_bytes_are_read_without_panic(content: Vec<u8>) {
            let parsed = OperatorCookies::parse(&content);
            prop_assert!(parsed.cookies.cookies.len() + parsed.skipped <= content.len());
        }
    }
}
