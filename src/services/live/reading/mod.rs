//! One file, or a part of one, on its way in: read whole, however often its connection ends before, as long as what comes
//! is still the same file.

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use url::Url;

use super::LiveError;
use crate::net::{MediaResponse, RangeAsk};
use crate::services::room::{Held, NoRoom, Room};
use crate::transfer::range::{ContentRange, parse_content_range};

/// Tries without a new byte.
const TRIES: u32 = 4;
/// Requests for one file: pieces of 320 KiB make 32 MiB.
const MAX_REQUESTS: u32 = 100;

/// How much is held of what is being read, for whoever waits for it. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Arrived(Arc<AtomicUsize>);

impl Arrived {
    /// Bytes.
    pub fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Notes that so many are held now.
    pub fn set(&self, bytes: usize) {
        self.0.store(bytes, Ordering::Relaxed);
    }
}

/// What came of a step.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// All of it is held.
    Whole,
    /// There is more to be had.
    More,
    /// It broke off, and may be taken up again.
    Cut(String),
}

/// See the module.
pub struct Reading {
    address: Url,
    part: Option<Range<u64>>,
    limit: usize,
    held: Held,
    arrived: Arrived,
    file: File,
    /// The answer that brings more.
    body: Option<Body>,
    requests: u32,
    /// How much was held when it was asked last.
    before: usize,
    /// Requests in a row without a new byte.
    tries: u32,
}

/// What answers say of the file they come from.
#[derive(Debug, Default)]
struct File {
    /// Bytes of all of it.
    total: Option<u64>,
    etag: Option<HeaderValue>,
}

/// An answer that is being read.
struct Body {
    answer: MediaResponse,
    /// How much is held at its end, where its head tells.
    end: Option<u64>,
    /// Whether all is there at its end, whatever its head tells.
    is_last: bool,
}

impl File {
    fn read(headers: &HeaderMap, total: Option<u64>) -> Self {
        let etag = headers.get(ETAG).cloned();
        Self { total, etag }
    }

    /// Takes in what a further answer says, which must be the same as far as both say it.
    fn accept(&mut self, further: Self) -> Result<(), LiveError> {
        fn differ<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
            one.zip(other).is_some_and(|(one, other)| one != other)
        }
        let is_other = differ(self.total.as_ref(), further.total.as_ref())
            || differ(self.etag.as_ref(), further.etag.as_ref());
        if is_other {
            return Err(broken("another file than before"));
        }
        self.total = self.total.or(further.total);
        self.etag = self.etag.take().or(further.etag);
        Ok(())
    }
}

impl Reading {
    /// Nothing of it is held yet, and `limit` bytes of `room` at most will be.
    pub fn new(
        address: &Url,
        part: Option<Range<u64>>,
        (limit, room): (usize, &Room),
        arrived: Arrived,
    ) -> Self {
        Self {
            address: address.clone(),
            part,
            limit,
            held: room.hold(),
            arrived,
            file: File::default(),
            body: None,
            requests: 0,
            before: 0,
            tries: 0,
        }
    }

    /// Where it lies.
    pub fn address(&self) -> &Url {
        &self.address
    }

    /// Whether it is this that is being read.
    pub fn is_of(&self, address: &Url, part: Option<&Range<u64>>) -> bool {
        self.address == *address && self.part.as_ref() == part
    }

    /// What is held.
    pub fn into_held(self) -> Held {
        self.held
    }

    /// Whether there is an answer that is not read to its end.
    pub(super) fn is_open(&self) -> bool {
        self.body.is_some()
    }

    /// What to ask for.
    pub(super) fn ask(&mut self) -> Result<RangeAsk, LiveError> {
        let length = self.part.as_ref().map(|part| part.end - part.start);
        if length.is_some_and(|length| length > self.limit as u64) {
            return Err(LiveError::TooLarge(self.limit));
        }
        self.requests += 1;
        if self.requests > MAX_REQUESTS {
            return Err(broken("too many pieces"));
        }
        self.before = self.held.len();
        let held = self.held.len() as u64;
        Ok(match &self.part {
            Some(part) => RangeAsk::Between(part.start + held, part.end.saturating_sub(1)),
            None if held > 0 => RangeAsk::From(held),
            None => RangeAsk::Whole,
        })
    }

    /// Whether to ask again after an answer broke off.
    pub(super) fn is_tried_again(&mut self) -> bool {
        let is_further = self.held.len() > self.before;
        self.tries = if is_further { 0 } else { self.tries + 1 };
        self.tries < TRIES
    }

    /// Judges the head of an answer.
    pub(super) fn open(&mut self, answer: MediaResponse) -> Result<Step, LiveError> {
        let held = self.held.len() as u64;
        let (end, is_last) = match answer.status {
            StatusCode::PARTIAL_CONTENT => (Some(self.open_part(&answer.headers)?), false),
            StatusCode::OK if self.part.is_none() => {
                // The whole, whatever was asked for.
                self.held.clear();
                self.arrived.set(0);
                self.file = File::read(&answer.headers, length(&answer.headers));
                (self.file.total, true)
            }
            StatusCode::OK => return Err(broken("parts are not served")),
            StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::NOT_FOUND
            | StatusCode::GONE => return Err(LiveError::Gone(answer.status)),
            StatusCode::RANGE_NOT_SATISFIABLE if self.part.is_none() && held > 0 => {
                return self.end_behind(&answer.headers, held);
            }
            other => return Ok(Step::Cut(format!("status {}", other.as_u16()))),
        };
        if end.is_some_and(|end| end > self.limit as u64) {
            return Err(LiveError::TooLarge(self.limit));
        }
        self.body = Some(Body {
            answer,
            end,
            is_last,
        });
        Ok(Step::More)
    }

    /// How much is held at the end of a partial answer.
    fn open_part(&mut self, headers: &HeaderMap) -> Result<u64, LiveError> {
        let Some(ContentRange::Part { range, total }) = content_range(headers) else {
            return Err(broken("a part of nothing"));
        };
        let begin = self.part.as_ref().map_or(0, |part| part.start);
        let most = self.part.as_ref().map_or(u64::MAX, |part| part.end);
        if range.start != begin + self.held.len() as u64 || range.end > most {
            return Err(broken("another part than asked"));
        }
        self.file.accept(File::read(headers, total))?;
        Ok(range.end - begin)
    }

    /// There is nothing behind what is held: it ended with its connection, if that is all.
    fn end_behind(&mut self, headers: &HeaderMap, held: u64) -> Result<Step, LiveError> {
        match content_range(headers) {
            Some(ContentRange::Unsatisfied { total }) if total == held => {
                self.file.accept(File::read(headers, Some(total)))?;
                Ok(Step::Whole)
            }
            _ => Err(broken("another length than before")),
        }
    }

    /// Reads the answer to its end.
    pub(super) async fn take(&mut self) -> Result<Step, LiveError> {
        let Some(body) = &mut self.body else {
            return Ok(Step::More);
        };
        let (end, is_last) = (body.end, body.is_last);
        let most = end.and_then(|end| usize::try_from(end).ok());
        let most = most.unwrap_or(self.limit);
        loop {
            match body.answer.chunk().await {
                Ok(Some(piece)) if piece.len() > most - self.held.len() => {
                    return Err(LiveError::TooLarge(most));
                }
                Ok(Some(piece)) => {
                    let taken = self.held.extend(&piece, most);
                    taken.map_err(|NoRoom| LiveError::NoRoom)?;
                    self.arrived.set(self.held.len());
                }
                Ok(None) => break,
                Err(error) => {
                    self.body = None;
                    return Ok(Step::Cut(error.to_string()));
                }
            }
        }
        self.body = None;
        self.ended(end, is_last)
    }

    /// What comes after an answer that ended well.
    fn ended(&self, end: Option<u64>, is_last: bool) -> Result<Step, LiveError> {
        let held = self.held.len() as u64;
        if end.is_some_and(|end| held < end) {
            return Ok(Step::Cut("shorter than it says".to_owned()));
        }
        let length = self.part.as_ref().map(|part| part.end - part.start);
        match length.or(self.file.total) {
            Some(length) if held < length => Ok(Step::More),
            Some(length) if held > length => Err(broken("longer than it says")),
            None if !is_last => Ok(Step::More),
            Some(_) | None => Ok(Step::Whole),
        }
    }
}

fn broken(message: &str) -> LiveError {
    LiveError::Broken(message.to_owned())
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn content_range(headers: &HeaderMap) -> Option<ContentRange> {
    parse_content_range(text(headers, &CONTENT_RANGE)?)
}

/// Bytes of a body, where its head tells (RFC 9112 §6.3).
fn length(headers: &HeaderMap) -> Option<u64> {
    if headers.contains_key(TRANSFER_ENCODING) {
        return None;
    }
    text(headers, &CONTENT_LENGTH)?.parse().ok()
}
