//! The proof of work that stands in front of some pages.
//!
//! The page holds a JSON object in base64: `{"v":{"a":prefix,"b":time,"c":expected},"s":signature}`. Wanted is the
//! number whose decimal digits, after the prefix, have the expected SHA-256; it goes back as `"d"` of the same object
//! in a cookie. The work is bounded, and runs on a thread that may block (read in yt-dlp and gallery-dl; the JavaScript
//! variables instead of elements seen 2026-10 on Douyin).

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose};
use memchr::memmem;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::identity::ChallengeLimits;
use super::page::element;
use crate::extract::ExtractError;
use crate::net::{GuestCookie, Jar};

/// Reads base64 with, without and with too little padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Most characters that a challenge or a cookie of its page may have; recorded ones are under 300.
const MAX_TEXT: usize = 4096;

/// What a challenge page asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::extract) struct Challenge {
    /// The object, in base64.
    task: String,
    /// Name of the cookie that carries the answer.
    cookie: String,
    /// A second cookie that goes back as it came: name and value.
    companion: Option<(String, String)>,
}

/// Reads a challenge page; `None` when it is none.
pub(in crate::extract) fn parse(html: &[u8]) -> Option<Challenge> {
    let task = part(html, "cs")?;
    let cookie = part(html, "wci").filter(|name| is_cookie_name(name))?;
    let companion = part(html, "rci")
        .zip(part(html, "rs"))
        .filter(|(name, value)| is_cookie_name(name) && is_cookie_value(value));
    Some(Challenge {
        task: task.to_owned(),
        cookie: cookie.to_owned(),
        companion: companion.map(|(name, value)| (name.to_owned(), value.to_owned())),
    })
}

/// A part of the challenge: the `class` of the element with this id, else the JavaScript variable of this name.
fn part<'a>(html: &'a [u8], name: &str) -> Option<&'a str> {
    element(html, name)
        .and_then(|element| element.attribute("class"))
        .or_else(|| variable(html, name))
        .filter(|text| !text.is_empty() && text.len() <= MAX_TEXT)
}

/// The value of `name="…"` in a script.
fn variable<'a>(html: &'a [u8], name: &str) -> Option<&'a str> {
    let needle = format!("{name}=\"");
    let start = memmem::find_iter(html, &needle).find(|&at| {
        let before = at.checked_sub(1).and_then(|at| html.get(at));
        before.is_none_or(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'_' | b'.'))
    })?;
    let rest = html.get(start..)?.strip_prefix(needle.as_bytes())?;
    std::str::from_utf8(rest.get(..memchr::memchr(b'"', rest)?)?).ok()
}

fn is_cookie_name(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

fn is_cookie_value(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\'))
}

/// The cookies that answer a challenge. They belong to the next request alone: put them in, ask, take them out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::extract) struct Answer {
    domain: String,
    cookies: Vec<(String, String)>,
}

impl Answer {
    /// Puts the cookies into the jar.
    pub(in crate::extract) fn insert(&self, jar: &mut Jar) {
        for (name, value) in &self.cookies {
            jar.insert(GuestCookie {
                name: name.clone(),
                value: value.clone(),
                domain: self.domain.clone(),
                is_host_only: false,
                path: "/".to_owned(),
            });
        }
    }

    /// Takes them out again (the page's own script gives them one second to live).
    pub(in crate::extract) fn remove(&self, jar: &mut Jar) {
        for (name, _) in &self.cookies {
            jar.remove(&self.domain, name);
        }
    }
}

/// Solves a challenge on a thread that may block.
///
/// # Errors
/// [`ExtractError::Challenge`] when the object has another shape, or no number within the limit fits.
pub(in crate::extract) async fn solve(
    site: &'static str,
    challenge: Challenge,
    limits: &ChallengeLimits,
) -> Result<Answer, ExtractError> {
    let (domain, limit) = (limits.domain.clone(), limits.limit);
    let answer = tokio::task::spawn_blocking(move || answer(&challenge, domain, limit))
        .await
        .unwrap_or(Err("the solver did not finish"))
        .map_err(|message| ExtractError::Challenge { site, message })?;
    tracing::debug!(site, "challenge solved");
    Ok(answer)
}

/// The cookies for a challenge.
pub(super) fn answer(
    challenge: &Challenge,
    domain: String,
    limit: u32,
) -> Result<Answer, &'static str> {
    let mut task = read_task(&challenge.task)?;
    let prefix = bytes_at(&task, "/v/a").ok_or("no prefix")?;
    let expected = bytes_at(&task, "/v/c").ok_or("no expected digest")?;
    let number = search(&prefix, &expected, limit).ok_or("no number within the limit fits")?;
    let digits = general_purpose::STANDARD.encode(number.to_string());
    task.as_object_mut()
        .ok_or("not an object")?
        .insert("d".to_owned(), Value::String(digits));
    let mut cookies = vec![(
        challenge.cookie.clone(),
        general_purpose::STANDARD.encode(task.to_string()),
    )];
    cookies.extend(challenge.companion.clone());
    Ok(Answer { domain, cookies })
}

fn read_task(text: &str) -> Result<Value, &'static str> {
    let json = LENIENT.decode(text).map_err(|_| "not base64")?;
    serde_json::from_slice(&json).map_err(|_| "not JSON")
}

fn bytes_at(task: &Value, pointer: &str) -> Option<Vec<u8>> {
    LENIENT.decode(task.pointer(pointer)?.as_str()?).ok()
}

/// The number in `0..=limit` whose digits complete the prefix.
fn search(prefix: &[u8], expected: &[u8], limit: u32) -> Option<u32> {
    let base = Sha256::new_with_prefix(prefix);
    (0..=limit).find(|number| {
        let mut hash = base.clone();
        hash.update(Digits::of(*number).as_bytes());
        hash.finalize()[..] == *expected
    })
}

/// Decimal digits without an allocation per number.
struct Digits {
    text: [u8; 10],
    start: usize,
}

impl Digits {
    fn of(mut number: u32) -> Self {
        let mut digits = Self {
            text: [b'0'; 10],
            start: 9,
        };
        for (start, slot) in digits.text.iter_mut().enumerate().rev() {
            // The digits begin at a multiple of sixteen.
            *slot = b'0' | u8::try_from(number % 10).unwrap_or_default();
            digits.start = start;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        digits
    }

    fn as_bytes(&self) -> &[u8] {
        self.text.get(self.start..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u32 = 1_000_000;

    /// The object of a challenge whose answer is `number`, with a key nobody knows.
    fn task(number: &str) -> String {
        let digest = Sha256::new_with_prefix(b"prefix")
            .chain_update(number)
            .finalize();
        let encode = |bytes: &[u8]| general_purpose::STANDARD.encode(bytes);
        let json = format!(
            r#"{{"v":{{"a":"{}","b":1791158900,"c":"{}"}},"new":[1.5,"/"],"s":"c2ln"}}"#,
            encode(b"prefix"),
            encode(&digest)
        );
        general_purpose::STANDARD_NO_PAD.encode(json)
    }

    fn page(task: &str) -> String {
        format!(
            "<html><body>Please wait...<p id=\"wci\" class=\"_wafchallengeid\"></p>\
             <p class='waforiginalreid' id='rci'></p><p id=rs class=\"value\"></p>\
             <p data-x=1 id=\"cs\" class=\"{task}\"></p></body></html>"
        )
    }

    fn solve_page(html: &str) -> Result<Answer, &'static str> {
        answer(
            &parse(html.as_bytes()).unwrap(),
            "site.test".to_owned(),
            LIMIT,
        )
    }

    #[test]
    fn answer_keeps_order_and_unknown_keys() {
        let answer = solve_page(&page(&task("73"))).unwrap();
        let [(name, value), companion] = answer.cookies.as_slice() else {
            panic!("{answer:?}");
        };
        assert_eq!(name, "_wafchallengeid");
        assert_eq!(
            *companion,
            ("waforiginalreid".to_owned(), "value".to_owned())
        );
        let json = String::from_utf8(general_purpose::STANDARD.decode(value).unwrap()).unwrap();
        assert!(json.starts_with(r#"{"v":{"a":"#), "{json}");
        assert!(
            json.ends_with(r#","new":[1.5,"/"],"s":"c2ln","d":"NzM="}"#),
            "{json}"
        );
    }

    #[test]
    fn first_and_last_number_are_tried_and_none_beyond() {
        for number in ["0", "1000000"] {
            assert!(solve_page(&page(&task(number))).is_ok(), "{number}");
        }
        assert_eq!(
            solve_page(&page(&task("1000001"))),
            Err("no number within the limit fits")
        );
    }

    #[test]
    fn variables_of_a_script_are_read_too() {
        let html = format!(
            "<script>var abcs=\"no\",wci=\"_wafchallengeid\",cs=\"{}\",c=JSON.parse(atob(cs))</script>",
            task("1")
        );
        let answer = solve_page(&html).unwrap();
        assert_eq!(answer.cookies.len(), 1);
    }

    #[test]
    fn damaged_challenges_are_errors() {
        for (task, reason) in [
            ("!!!".to_owned(), "not base64"),
            (general_purpose::STANDARD.encode("nothing"), "not JSON"),
            (general_purpose::STANDARD.encode("[]"), "no prefix"),
            (
                general_purpose::STANDARD.encode(r#"{"v":{"a":"YQ"}}"#),
                "no expected digest",
            ),
        ] {
            assert_eq!(solve_page(&page(&task)), Err(reason), "{task}");
        }
    }

    #[test]
    fn other_pages_are_no_challenge() {
        for html in [
            "",
            "<html>Please wait...</html>",
            "<p id=\"cs\" class=\"\"></p>",
        ] {
            assert_eq!(parse(html.as_bytes()), None, "{html}");
        }
        let named = page("e30").replace("_wafchallengeid", "a b;c");
        assert_eq!(parse(named.as_bytes()), None);
        assert_eq!(parse(page(&"a".repeat(MAX_TEXT + 1)).as_bytes()), None);
    }

    #[test]
    fn companion_that_is_no_cookie_is_left_out() {
        let html = page("e30").replace("class=\"value\"", "class=\"a;b\"");
        assert_eq!(parse(html.as_bytes()).unwrap().companion, None);
    }

    #[test]
    fn digits_are_decimal() {
        for number in [0, 7, 10, 999_999, 1_000_000, u32::MAX] {
            assert_eq!(Digits::of(number).as_bytes(), number.to_string().as_bytes());
        }
    }
}
