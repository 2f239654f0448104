//! What a client wishes, and what of it an answer of the upstream fulfils: pure.

use std::ops::Range;

use http::header::{HeaderName, IF_RANGE, RANGE};
use http::{HeaderMap, HeaderValue, Method};

use tokio_util::sync::CancellationToken;

use super::answer::Facts;
use super::conditions::{Preconditions, Verdict};
use super::range::{self, Unsatisfiable, resolve_ask};
use super::{Head, TransferError};
use crate::net::RangeAsk;

/// What the client asks for.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// Text of the `Range` header; empty when it can't be read, which is no range.
    pub range: Option<String>,
    /// Text of the `If-Range` header; empty when it can't be read, which fits no representation.
    pub if_range: Option<String>,
    /// The other conditions.
    pub preconditions: Preconditions,
    /// HEAD: the head alone is wanted.
    pub is_head: bool,
    /// Cancelled when the client is given up, where the body alone can't end the answer.
    pub give_up: Option<CancellationToken>,
}

impl Ask {
    /// Reads a request.
    ///
    /// A `Range` that stands there twice or isn't ASCII is ignored, as a malformed one is. An `If-Range` of that kind
    /// isn't: a range that depends on it could be of another representation (RFC 9110 §13.1.5).
    pub fn of(method: &Method, headers: &HeaderMap) -> Self {
        Self {
            range: single(headers, &RANGE),
            if_range: single(headers, &IF_RANGE),
            preconditions: Preconditions::of(headers),
            is_head: method == Method::HEAD,
            give_up: None,
        }
    }
}

/// The text of a header that is there; empty unless it is one text.
fn single(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let mut lines = headers.get_all(name).iter();
    let first: &HeaderValue = lines.next()?;
    let is_alone = lines.next().is_none();
    let text = first.to_str().ok().filter(|_| is_alone);
    Some(text.unwrap_or_default().to_owned())
}

/// The client's wish, read.
#[derive(Debug)]
pub(super) struct Wish {
    range: RangeAsk,
    if_range: Option<String>,
    preconditions: Preconditions,
    /// The head alone is wanted.
    pub(super) is_head: bool,
}

impl Wish {
    pub(super) fn of(ask: Ask) -> Self {
        Self {
            range: range::parse(ask.range.as_deref()),
            if_range: ask.if_range,
            preconditions: ask.preconditions,
            is_head: ask.is_head,
        }
    }

    /// What the upstream is asked: always a range, because its answer gives the total and says whether ranges work.
    pub(super) fn first_ask(&self) -> RangeAsk {
        match self.range {
            _ if self.is_head => RangeAsk::Between(0, 0),
            // No byte at all; the total is needed to say so.
            RangeAsk::Suffix(0) => RangeAsk::Between(0, 0),
            RangeAsk::Whole => RangeAsk::From(0),
            range => range,
        }
    }

    /// Whether the answer depends on what the upstream has, besides on its size.
    pub(super) fn is_conditional(&self) -> bool {
        self.if_range.is_some() || self.preconditions.are_there()
    }

    /// What the conditions come to; they go before the range (RFC 9110 §13.2.2).
    pub(super) fn verdict(&self, facts: &Facts) -> Verdict {
        self.preconditions.judge(&facts.validators)
    }

    /// Whether the client wants its range of this very representation, or else all of it.
    pub(super) fn fits(&self, facts: &Facts) -> bool {
        self.if_range
            .as_deref()
            .is_none_or(|if_range| facts.validators.fit_if_range(if_range))
    }

    /// Whether no byte of a representation of `total` bytes is asked for.
    pub(super) fn is_unsatisfiable(&self, total: u64) -> bool {
        resolve_ask(self.range, total).is_err()
    }

    /// The part to be sent; `None` for the whole.
    pub(super) fn part<E: std::error::Error>(
        &self,
        facts: &Facts,
    ) -> Result<Option<Range<u64>>, TransferError<E>> {
        let total = facts.total.unwrap_or_default();
        self.resolve(facts)
            .map_err(|Unsatisfiable| TransferError::Unsatisfiable { total })
    }

    fn resolve(&self, facts: &Facts) -> Result<Option<Range<u64>>, Unsatisfiable> {
        match facts.total.filter(|_| facts.is_partial && self.fits(facts)) {
            Some(total) => resolve_ask(self.range, total),
            None => Ok(None),
        }
    }

    /// Whether it is certain before any answer that the end of the representation will be promised: then its proof is
    /// asked for beside the beginning. Most conditions are met by what the client has already, and need no proof.
    pub(super) fn surely_needs_end(&self, known_length: Option<u64>) -> bool {
        let reaches = match self.range {
            RangeAsk::Whole | RangeAsk::From(_) => true,
            RangeAsk::Suffix(length) => length > 0,
            RangeAsk::Between(_, last) => {
                known_length.is_some_and(|total| last.saturating_add(1) >= total)
            }
        };
        reaches && !self.preconditions.are_there()
    }

    /// Whether the answer promises the end of the representation.
    ///
    /// The one to HEAD does as that to GET would: it has the same status and the same fields (RFC 9110 §9.3.2), and a
    /// client that sees them may hold the file for whole. So a link that is dead at its end is an error to both.
    pub(super) fn needs_end(&self, facts: &Facts) -> bool {
        if self.verdict(facts) != Verdict::Perform {
            return false;
        }
        match self.resolve(facts) {
            Ok(None) => true,
            Ok(Some(range)) => Some(range.end) == facts.total,
            Err(Unsatisfiable) => false,
        }
    }

    /// The head of the answer with this part.
    pub(super) fn head(&self, facts: &Facts, range: Option<Range<u64>>) -> Head {
        let is_ignored = self.range != RangeAsk::Whole && !facts.is_partial;
        Head {
            is_not_modified: false,
            range,
            total: facts.total,
            accepts_ranges: facts.accepts_ranges && !is_ignored,
            etag: facts.validators.etag.clone(),
            last_modified: facts.validators.last_modified.clone(),
            content_type: facts.content_type.clone(),
        }
    }
}
