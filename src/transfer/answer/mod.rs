//! Whether the head of an upstream's answer may be believed, and what it says.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::num::NonZeroU64;
use std::ops::Range;

use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::Expected;
use super::fault::{Fault, check_status};
use super::identity::{Identity, Validators, text};
use super::range::{ContentRange, exact_number, parse_content_range, resolve_ask};
use crate::net::RangeAsk;

/// What an upstream is asked, and what its answer is held against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question {
    /// Bytes asked for.
    pub(super) ask: RangeAsk,
    /// Kind of media.
    pub(super) expected: Expected,
    /// Bytes of the whole representation as the site declares them; counts only where the upstream says nothing.
    pub(super) known_length: Option<u64>,
}

impl Question {
    /// The same about the first `limit` bytes of what is asked, for an upstream that may not be asked for more.
    ///
    /// A suffix has a beginning only where the length is known; else it stays one.
    pub(super) fn within(self, limit: Option<NonZeroU64>) -> Self {
        let (Some(limit), Some((start, last))) = (limit, self.bounds()) else {
            return self;
        };
        let ask = RangeAsk::Between(start, last.min(start.saturating_add(limit.get() - 1)));
        Self { ask, ..self }
    }

    /// First and last byte asked for.
    fn bounds(&self) -> Option<(u64, u64)> {
        match self.ask {
            RangeAsk::Whole => None,
            RangeAsk::From(start) => Some((start, u64::MAX)),
            RangeAsk::Between(start, last) => Some((start, last)),
            RangeAsk::Suffix(length) => {
                let last = self.known_length?.checked_sub(1)?;
                Some((last.saturating_add(1).saturating_sub(length), last))
            }
        }
    }
}

/// What the head of a believable answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// First byte of the body within the representation.
    pub(super) start: u64,
    /// One past the last byte of what was asked for, when known.
    pub(super) end: Option<u64>,
    /// One past the last byte of this body, when known: before [`Facts::end`] when only a part was asked for.
    pub(super) body_end: Option<u64>,
    /// Bytes of the whole representation, when known.
    pub(super) total: Option<u64>,
    /// 206, not 200.
    pub(super) is_partial: bool,
    /// Whether the upstream serves ranges.
    pub(super) accepts_ranges: bool,
    /// Only the close of the connection ends the body, so that its length is proven by counting alone.
    pub(super) is_counted: bool,
    /// `ETag` and `Last-Modified`.
    pub(super) validators: Validators,
    /// `Content-Type`.
    pub(super) content_type: Option<String>,
}

impl Facts {
    /// The facts about all of `question`, whose first part was asked for.
    ///
    /// # Errors
    /// The part is no beginning of what `question` asks for.
    pub(super) fn of_all(self, question: &Question) -> Result<Self, Fault> {
        let Some(total) = self.total.filter(|_| self.is_partial) else {
            return Ok(self);
        };
        match resolve_ask(question.ask, total) {
            Ok(Some(range)) if range.start == self.start => Ok(Self {
                end: Some(range.end),
                ..self
            }),
            _ => Err(Fault::Unusable("another range than asked")),
        }
    }

    /// The representation's name, if it can be resumed at all.
    pub(super) fn identity(&self) -> Option<Identity> {
        Some(Identity {
            total: self.total?,
            validators: self.validators.clone(),
        })
    }
}

/// Checks the head of an answer against what was asked.
///
/// # Errors
/// The [`Fault`] that the status stands for, or [`Fault::Unusable`] for a head that contradicts the question or itself.
pub(super) fn check(
    status: StatusCode,
    headers: &HeaderMap,
    question: &Question,
) -> Result<Facts, Fault> {
    check_status(status, headers)?;
    check_encoding(headers)?;
    let content_type = text(headers, &header::CONTENT_TYPE);
    check_type(content_type.as_deref(), question.expected)?;
    let framing = Framing::of(headers)?;
    let body = if status == StatusCode::PARTIAL_CONTENT {
        partial(headers, framing, question)?
    } else {
        whole(framing, question)?
    };
    if body.total == Some(0) || body.end == Some(body.start) {
        return Err(Fault::Unusable("empty"));
    }
    Ok(Facts {
        start: body.start,
        end: body.end,
        body_end: body.end,
        total: body.total,
        is_partial: body.is_partial,
        accepts_ranges: body.is_partial || is_shortcut(question.ask, headers),
        is_counted: body.is_counted,
        validators: Validators::of(headers),
        content_type,
    })
}

/// Media is asked for as it is; a coded body has another length (reliability R1.4).
fn check_encoding(headers: &HeaderMap) -> Result<(), Fault> {
    let is_plain = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if is_plain {
        return Ok(());
    }
    Err(Fault::Unusable("content encoding"))
}

/// A type that is plainly not the expected kind; an absent or general one is left to the first bytes.
fn check_type(content_type: Option<&str>, expected: Expected) -> Result<(), Fault> {
    let Some(content_type) = content_type else {
        return Ok(());
    };
    let essence = content_type.split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    let is_fine = match expected {
        Expected::Media => {
            let is_text = essence.starts_with("text/") || essence.starts_with("multipart/");
            !is_text
                && !["json", "html", "xml"]
                    .iter()
                    .any(|word| essence.contains(word))
        }
        Expected::Image => {
            essence.is_empty()
                || essence.starts_with("image/")
                || essence.ends_with("/octet-stream")
        }
    };
    if is_fine {
        return Ok(());
    }
    Err(Fault::Unusable("content type"))
}

/// 200 to `bytes=0-` of an upstream that serves ranges all the same; to any other ask it shows that it doesn't.
fn is_shortcut(ask: RangeAsk, headers: &HeaderMap) -> bool {
    ask == RangeAsk::From(0) && names_bytes(headers)
}

fn names_bytes(headers: &HeaderMap) -> bool {
    text(headers, &header::ACCEPT_RANGES).is_some_and(|units| {
        units
            .split(',')
            .any(|unit| unit.trim().eq_ignore_ascii_case("bytes"))
    })
}

/// How the end of a body is known (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// `Content-Length`.
    Length(u64),
    /// A last chunk.
    Chunked,
    /// The connection closes: no telling from a cut (reliability R1.3).
    Close,
}

impl Framing {
    fn of(headers: &HeaderMap) -> Result<Self, Fault> {
        // With both, the chunks count (RFC 9112 §6.3, third case); but only `chunked` as the last coding has a last
        // chunk. With any other the body is read to the end of the connection (fourth case), which proves nothing.
        if let Some(codings) = headers
            .get_all(header::TRANSFER_ENCODING)
            .iter()
            .next_back()
        {
            return Ok(if is_chunked_last(codings) {
                Self::Chunked
            } else {
                Self::Close
            });
        }
        if !headers.contains_key(header::CONTENT_LENGTH) {
            return Ok(Self::Close);
        }
        text(headers, &header::CONTENT_LENGTH)
            .and_then(|length| exact_number(&length))
            .map(Self::Length)
            .ok_or(Fault::Unusable("content length"))
    }
}

/// Whether `chunked` is the last of the codings in a `Transfer-Encoding` line.
fn is_chunked_last(codings: &HeaderValue) -> bool {
    let last = codings.as_bytes().rsplit(|&byte| byte == b',').next();
    last.is_some_and(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"chunked"))
}

/// The part of [`Facts`] that depends on 200 or 206.
struct Body {
    start: u64,
    end: Option<u64>,
    total: Option<u64>,
    is_partial: bool,
    is_counted: bool,
}

/// 206: exactly the bytes that were asked for, of a representation of known length (reliability R1.5).
fn partial(headers: &HeaderMap, framing: Framing, question: &Question) -> Result<Body, Fault> {
    let content_range = text(headers, &header::CONTENT_RANGE)
        .and_then(|header| parse_content_range(&header))
        .ok_or(Fault::Unusable("content range"))?;
    let ContentRange::Part { range, total } = content_range else {
        return Err(Fault::Unusable("content range"));
    };
    let total = total
        .or(question.known_length)
        .ok_or(Fault::Unusable("content range without a total"))?;
    if resolve_ask(question.ask, total) != Ok(Some(range.clone())) {
        return Err(Fault::Unusable("another range than asked"));
    }
    if matches!(framing, Framing::Length(length) if length != length_of(&range)) {
        return Err(Fault::Unusable("content length contradicts content range"));
    }
    Ok(Body {
        start: range.start,
        end: Some(range.end),
        total: Some(total),
        is_partial: true,
        is_counted: false,
    })
}

/// 200: the representation from its start.
fn whole(framing: Framing, question: &Question) -> Result<Body, Fault> {
    let total = match framing {
        Framing::Length(length) => Some(length),
        Framing::Chunked => question.known_length,
        Framing::Close => Some(
            question
                .known_length
                .ok_or(Fault::Unusable("no length and no chunks"))?,
        ),
    };
    Ok(Body {
        start: 0,
        end: total,
        total,
        is_partial: false,
        is_counted: !matches!(framing, Framing::Length(_)) && total.is_some(),
    })
}

fn length_of(range: &Range<u64>) -> u64 {
    range.end.saturating_sub(range.start)
}

#[cfg(test)]
mod tests;
