//! From an origin to an answer that can be served: mirrors in turn, one refresh, a few tries.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use super::answer::{Facts, Question, check};
use super::fault::Fault;
use super::range::resolve_ask;
use super::sniff::{Verdict, sniff};
use super::tail::{self, Tails};
use super::wish::Wish;
use super::{Origin, TransferError};
use crate::net::{MediaResponse, NetError, RangeAsk};

/// Mirrors of one representation that are tried; sites name two to four.
pub(super) const MAX_MIRRORS: usize = 8;
/// Passes over the mirrors after a wait; with the first one these are the three tries of reliability R4.1.
const MAX_WAITS: u32 = 2;
/// No further address is asked once this long has passed since the first, for the client waits for the head
/// (reliability R4: a whole extraction takes no longer). One silent address leaves time for the next.
const PATIENCE: Duration = Duration::from_secs(40);
/// First step of the exponential wait (reliability R4.1).
const WAIT_STEP_MS: u64 = 200;
/// Added to the longest wait when the host's budget is used up.
const OVER_BUDGET_MS: u64 = 1000;
/// Bytes that the judgement on the beginning looks at; more than it needs.
const SNIFFED_BYTES: usize = 512;
/// What is said of an answer that begins as a page does.
const PAGE: &str = "a page instead of media";

/// An answer whose head is believed and whose first piece is there.
#[derive(Debug)]
pub(super) struct Opened {
    /// The body to come.
    pub(super) response: MediaResponse,
    /// What the head says.
    pub(super) facts: Facts,
    /// Pieces read so far; at least one.
    pub(super) lead: Vec<Bytes>,
    /// Which address it is from.
    pub(super) mirror: usize,
}

/// What came of asking.
#[derive(Debug)]
pub(super) enum Reply {
    /// Bytes.
    Opened(Box<Opened>),
    /// No byte is asked for; with the total, if the upstream says.
    Unsatisfiable(Option<u64>),
}

/// Waits before try number `attempt` after the first at `mirror`: exponential with full jitter, and longer when its
/// host has used its budget up, so that many transfers that broke at once don't come back at once. None is given up for
/// that (ruling 26).
pub(super) async fn wait_for_try<O: Origin>(origin: &O, mirror: usize, attempt: u32) {
    let mut most = WAIT_STEP_MS << attempt.min(10);
    if !origin.take_retry(mirror) {
        most += OVER_BUDGET_MS;
    }
    let wait = rand::random_range(0..=most);
    tokio::time::sleep(Duration::from_millis(wait)).await;
}

/// How many addresses are tried.
pub(super) fn mirrors<O: Origin>(origin: &O) -> usize {
    origin.mirrors().clamp(1, MAX_MIRRORS)
}

/// Asks one address and reads up to the first piece.
///
/// # Errors
/// Why this address doesn't do.
pub(super) async fn open_mirror<O: Origin>(
    origin: &O,
    mirror: usize,
    question: &Question,
) -> Result<Opened, Fault> {
    let part = question.within(origin.part_bytes());
    let mut response = origin.open(mirror, part.ask).await?;
    let headers = std::mem::take(&mut response.headers);
    let facts = check(response.status, &headers, &part)?.of_all(question)?;
    // All is said, and the body may last for hours.
    drop(headers);
    let lead = read_lead(&mut response, &facts).await?;
    Ok(Opened {
        response,
        facts,
        lead,
        mirror,
    })
}

/// The first piece, or as many as it takes to tell the beginning of media from that of a page. Those after the first one
/// have the time of one piece together: the client waits for its head.
async fn read_lead(response: &mut MediaResponse, facts: &Facts) -> Result<Vec<Bytes>, Fault> {
    let patience = response.idle_timeout();
    let mut due = None;
    let mut lead = Vec::with_capacity(1);
    let mut start = Vec::new();
    while let Some(piece) = next_piece(response, due).await? {
        // What is made here is none while it is left out.
        if piece.is_empty() {
            continue;
        }
        due.get_or_insert_with(|| Instant::now() + patience);
        let room = SNIFFED_BYTES - start.len();
        start.extend_from_slice(&piece[..piece.len().min(room)]);
        lead.push(piece);
        // In the middle of a file any bytes are possible.
        if facts.start > 0 {
            return Ok(lead);
        }
        match sniff(&start) {
            Verdict::Media => return Ok(lead),
            Verdict::Undecided if start.len() < SNIFFED_BYTES => {}
            Verdict::Page | Verdict::Undecided => return Err(Fault::Unusable(PAGE)),
        }
    }
    if lead.is_empty() {
        return Err(Fault::Cut);
    }
    // A part of a few bytes tells nothing; a whole file that may be a page is taken for one.
    if facts.end == facts.total {
        return Err(Fault::Unusable(PAGE));
    }
    Ok(lead)
}

/// The next piece, by a time where there is one.
async fn next_piece(
    response: &mut MediaResponse,
    due: Option<Instant>,
) -> Result<Option<Bytes>, NetError> {
    let Some(due) = due else {
        return response.chunk().await;
    };
    match timeout_at(due, response.chunk()).await {
        Ok(piece) => piece,
        Err(_elapsed) => Err(response.stalled()),
    }
}

/// The opening of one transfer, before the client knows anything.
pub(super) struct Opening<'a, O> {
    origin: &'a O,
    wish: &'a Wish,
    tails: &'a Tails,
    tail_key: Option<String>,
    mirror: usize,
    started: Instant,
    refreshed_at: Option<Instant>,
}

impl<'a, O: Origin> Opening<'a, O> {
    pub(super) fn new(origin: &'a O, wish: &'a Wish, tails: &'a Tails) -> Self {
        Self {
            origin,
            wish,
            tails,
            tail_key: origin.tail_key(),
            mirror: 0,
            started: Instant::now(),
            refreshed_at: None,
        }
    }

    /// When the site was asked anew, if it was.
    pub(super) fn refreshed_at(&self) -> Option<Instant> {
        self.refreshed_at
    }

    /// Asks the mirrors in turn, beginning with the one that answered last; asks the site anew once when an address
    /// has expired; tries again a little later when it may help.
    ///
    /// # Errors
    /// What all mirrors together say.
    pub(super) async fn open(
        &mut self,
        question: &Question,
    ) -> Result<Reply, TransferError<O::Error>> {
        let mut waits = 0;
        loop {
            let tally = match self.pass(question).await {
                Ok(reply) => return Ok(reply),
                Err(tally) => tally,
            };
            if tally.is_access() && self.refreshed_at.is_none() {
                self.refresh().await?;
            } else if tally.may_pass() && waits < MAX_WAITS && self.has_patience() {
                wait_for_try(self.origin, self.mirror, waits).await;
                waits += 1;
            } else {
                return Err(tally.into_error());
            }
        }
    }

    async fn refresh(&mut self) -> Result<(), TransferError<O::Error>> {
        self.refreshed_at = Some(Instant::now());
        self.mirror = 0;
        self.origin.refresh().await.map_err(TransferError::Refresh)
    }

    fn has_patience(&self) -> bool {
        self.started.elapsed() < PATIENCE
    }

    async fn pass(&mut self, question: &Question) -> Result<Reply, Tally> {
        let mut tally = Tally::default();
        let count = mirrors(self.origin);
        for step in 0..count {
            if step > 0 && !self.has_patience() {
                break;
            }
            let mirror = (self.mirror + step) % count;
            match self.attempt(mirror, question).await {
                Ok(opened) => {
                    self.mirror = mirror;
                    return Ok(Reply::Opened(Box::new(opened)));
                }
                Err(Fault::Unsatisfiable { total }) if is_plausible_416(question.ask, total) => {
                    self.mirror = mirror;
                    return Ok(Reply::Unsatisfiable(total));
                }
                Err(fault) => {
                    tracing::debug!(mirror, %fault, "upstream not used");
                    tally.note(fault);
                }
            }
        }
        Err(tally)
    }

    /// What is asked for and, where the end is promised, the proof of it: beside each other where that is certain before.
    async fn attempt(&self, mirror: usize, question: &Question) -> Result<Opened, Fault> {
        let open = open_mirror(self.origin, mirror, question);
        let Some(key) = self.tail_key.as_deref() else {
            return open.await;
        };
        let known = self.tails.get(key).await;
        let total = question.known_length;
        let (opened, tail) = if known.is_none() && self.wish.surely_needs_end(total) {
            let probe = tail::probe(self.origin, mirror, question, total);
            let (opened, tail) = tokio::try_join!(open, probe)?;
            (opened, Some(tail))
        } else {
            (open.await?, None)
        };
        let facts = &opened.facts;
        let is_proven = known.is_some_and(|proof| proof.covers(facts));
        if is_proven || !self.wish.needs_end(facts) {
            return Ok(opened);
        }
        let tail = match tail.filter(|tail| tail.settles(facts)) {
            Some(tail) => tail,
            // Not known before what to ask, or the site's size was wrong, or the format has become another file since.
            None => tail::probe(self.origin, mirror, question, facts.total).await?,
        };
        self.tails.keep(key, tail.prove(facts)?).await;
        Ok(opened)
    }
}

/// Whether 416 can be a true answer; without a total it can unless the first byte is asked for.
fn is_plausible_416(ask: RangeAsk, total: Option<u64>) -> bool {
    let total = total.unwrap_or(1);
    total > 0 && resolve_ask(ask, total).is_err()
}

/// What the mirrors of one pass said.
#[derive(Debug, Default)]
struct Tally {
    is_forbidden: bool,
    is_gone: bool,
    limited: Option<Fault>,
    is_transient: bool,
    other: Option<Fault>,
}

impl Tally {
    fn note(&mut self, fault: Fault) {
        self.is_transient |= fault.is_transient();
        match fault {
            Fault::Forbidden => self.is_forbidden = true,
            Fault::Gone => self.is_gone = true,
            Fault::RateLimited { .. } => self.limited = Some(fault),
            other => self.other = Some(other),
        }
    }

    /// Some address has expired.
    fn is_access(&self) -> bool {
        self.is_forbidden || self.is_gone
    }

    /// The same addresses may do a little later.
    fn may_pass(&self) -> bool {
        self.is_transient && self.limited.is_none()
    }

    /// 403 and 404 are told to the client only when every mirror says so: one that is merely down may have it.
    fn into_error<E: std::error::Error>(self) -> TransferError<E> {
        if let Some(Fault::RateLimited { retry_after }) = self.limited {
            return TransferError::RateLimited { retry_after };
        }
        match self.other {
            Some(Fault::Net(error)) => TransferError::Net(error),
            Some(Fault::Unusable(what)) => TransferError::Unusable(what),
            Some(Fault::Server) => TransferError::Unusable("status 5xx"),
            Some(Fault::Cut) => TransferError::Unusable("no byte came"),
            Some(_) => TransferError::Unusable("range refused"),
            None if self.is_forbidden => TransferError::Forbidden,
            None => TransferError::Gone,
        }
    }
}
