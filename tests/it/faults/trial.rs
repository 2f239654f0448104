//! One transfer and the judgement on it.

use http::StatusCode;

use super::seed::Seed;
use super::target::Target;
use crate::harness::Fetched;
use crate::harness::upstream::Rule;

/// What a case must come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// Every byte, and a clean end.
    Whole,
    /// An error before the first byte: status and `error_code`.
    Refused(u16, &'static str),
    /// Right bytes so far, then a visible break.
    Broken,
    /// Any of these, as long as what looks whole is whole.
    Honest,
}

/// A fault, or several, and what must come of it.
pub(super) struct Case {
    /// What happens upstream.
    pub(super) name: &'static str,
    /// The rules for one file. Offsets lie within the first quarter, so every kind of range has them in its bytes.
    pub(super) script: fn(&Target, &mut Seed) -> Vec<Rule>,
    /// What must come of it.
    pub(super) expected: Expected,
    /// Whether ranges with an end of their own are left out: nothing in them shows the fault.
    pub(super) is_to_the_end: bool,
}

impl Case {
    /// Leaves out ranges with an end of their own.
    pub(super) fn without_bounded_ranges(mut self) -> Self {
        self.is_to_the_end = true;
        self
    }
}

/// What the client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// No `Range`.
    Whole,
    /// `bytes=a-`.
    From(u64),
    /// `bytes=a-b`.
    Between(u64, u64),
    /// `bytes=-n`.
    Suffix(u64),
}

impl Wanted {
    /// A range of at least half the file.
    pub(super) fn part(size: u64, seed: &mut Seed, is_to_the_end: bool) -> Self {
        let start = seed.within(1..size / 2);
        match seed.within(0..3 - u64::from(is_to_the_end)) {
            0 => Self::From(start),
            1 => Self::Suffix(size - start),
            _ => Self::Between(start, start + size / 2 - 1),
        }
    }

    /// Text of the `Range` header.
    pub(super) fn header(self) -> Option<String> {
        match self {
            Self::Whole => None,
            Self::From(start) => Some(format!("bytes={start}-")),
            Self::Between(first, last) => Some(format!("bytes={first}-{last}")),
            Self::Suffix(length) => Some(format!("bytes=-{length}")),
        }
    }

    /// The bytes meant, half-open.
    fn range(self, size: u64) -> std::ops::Range<u64> {
        match self {
            Self::Whole => 0..size,
            Self::From(start) => start..size,
            Self::Between(first, last) => first..(last + 1).min(size),
            Self::Suffix(length) => size.saturating_sub(length)..size,
        }
    }
}

/// What became of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All of the right bytes.
    Whole,
    /// The first of the right bytes and a visible break.
    Broken,
    /// An error as the API writes it.
    Refused(u16, String),
}

impl Verdict {
    /// Judges an answer by the one rule.
    ///
    /// # Errors
    /// The answer lies: it looks whole and isn't, or a byte in it is wrong, or an error that has not the API's form.
    pub(super) fn of(fetched: &Fetched, target: &Target, wanted: Wanted) -> Result<Self, String> {
        match fetched.status {
            StatusCode::OK => bytes(fetched, target, Wanted::Whole),
            StatusCode::PARTIAL_CONTENT => {
                let range = wanted.range(target.size);
                let owed = format!("bytes {}-{}/{}", range.start, range.end - 1, target.size);
                if wanted == Wanted::Whole || fetched.header("content-range") != owed {
                    return Err(format!("{:?}", fetched.headers));
                }
                bytes(fetched, target, wanted)
            }
            status => refusal(status, fetched),
        }
    }

    /// Whether this is what a case calls for.
    pub(super) fn is(&self, expected: Expected) -> bool {
        match expected {
            Expected::Whole => *self == Self::Whole,
            Expected::Broken => *self == Self::Broken,
            Expected::Refused(status, code) => *self == Self::Refused(status, code.to_owned()),
            Expected::Honest => true,
        }
    }
}

fn bytes(fetched: &Fetched, target: &Target, wanted: Wanted) -> Result<Verdict, String> {
    let range = wanted.range(target.size);
    let owed = target.payload(fetched.header("etag")).slice(range);
    let length = fetched.body.len();
    if length > owed.len() || fetched.body != owed[..length] {
        return Err(format!("wrong among {length} of {} bytes", owed.len()));
    }
    match (fetched.is_whole, length == owed.len()) {
        (true, true) => Ok(Verdict::Whole),
        (true, false) => Err(format!("whole after {length} of {} bytes", owed.len())),
        (false, _) => Ok(Verdict::Broken),
    }
}

fn refusal(status: StatusCode, fetched: &Fetched) -> Result<Verdict, String> {
    let is_json = fetched.header("content-type") == "application/json" && fetched.is_whole;
    if !is_json {
        return Err(format!("{status}, and no JSON: {fetched:?}"));
    }
    let body = fetched.json();
    let code = body["error_code"].as_str().unwrap_or_default();
    let is_sound = status.as_u16() >= 400
        && body["code"] == status.as_u16()
        && body["status"] == "error"
        && body["request_id"] == fetched.header("x-request-id");
    if !is_sound || code.is_empty() {
        return Err(format!("{status}: {body:#}"));
    }
    let is_busy = matches!(status.as_u16(), 429 | 503);
    if is_busy && fetched.header("retry-after").parse::<u64>().is_err() {
        return Err(format!("{status} without a time: {:?}", fetched.headers));
    }
    Ok(Verdict::Refused(status.as_u16(), code.to_owned()))
}
