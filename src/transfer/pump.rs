//! The task between upstream and channel: copies, takes up again what broke, and says how it ended.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use super::Origin;
use super::answer::{Facts, Question};
use super::channel::{Closed, Sender};
use super::fault::Fault;
use super::identity::Identity;
use super::opening::{Opened, mirrors, open_mirror, wait_for_try};
use super::patience::Patience;
use super::share::Share;
use super::stats::{Outcome, Record};
use crate::net::{MediaResponse, NetError, RangeAsk};

/// Tries to take up one break (reliability R1.5).
const TRIES_PER_BREAK: u32 = 3;
/// Tries over a whole transfer (reliability R1.5).
const MAX_TRIES: u32 = 10;
/// A transfer asks the site anew at most once in this time (reliability R1.6).
const REFRESH_INTERVAL: Duration = Duration::from_secs(60);

/// A running transfer, upstream side.
pub(super) struct Pump<O> {
    /// Where to ask again.
    pub(super) origin: Arc<O>,
    /// What was asked at first.
    pub(super) question: Question,
    /// What is being sent; `None` when it can't be taken up again.
    pub(super) identity: Option<Identity>,
    /// What the site said that it is.
    pub(super) content_id: Option<String>,
    /// Next byte within the representation.
    pub(super) position: u64,
    /// One past the last byte to be sent, when known.
    pub(super) end: Option<u64>,
    /// The way to the client.
    pub(super) sender: Sender<Outcome>,
    /// What the body shares with us.
    pub(super) record: Arc<Record>,
    /// How much may be held for this client.
    pub(super) share: Share,
    /// How long the client may make us wait.
    pub(super) patience: Patience,
    /// Ends the answer to a client that is given up.
    pub(super) give_up: Option<CancellationToken>,
    /// When the site was asked anew.
    pub(super) refreshed_at: Option<Instant>,
    /// Tries so far to take up again.
    pub(super) tries: u32,
}

/// Why copying stopped before the end.
enum Stop {
    /// The upstream failed; another try may help.
    Upstream(Outcome),
    /// Nothing helps.
    Final(Outcome),
}

/// How a body's failure is told.
fn outcome_of(error: &NetError) -> Outcome {
    match error {
        NetError::Timeout { .. } => Outcome::UpstreamStall,
        _ => Outcome::UpstreamReset,
    }
}

/// What a pass over the mirrors said, when none could go on.
#[derive(Debug, Default)]
struct Misses {
    is_expired: bool,
    is_transient: bool,
    is_changed: bool,
}

impl Misses {
    fn note(&mut self, fault: &Fault) {
        if fault.is_access() {
            self.is_expired = true;
        } else if fault.is_transient() || matches!(fault, Fault::RateLimited { .. }) {
            self.is_transient = true;
        } else if !matches!(fault, Fault::Net(_)) {
            self.is_changed = true;
        }
    }

    /// The end of the transfer, if waiting can't help.
    fn verdict(&self, cause: Outcome) -> Option<Outcome> {
        match (self.is_transient, self.is_changed, self.is_expired) {
            (true, _, _) => None,
            (false, true, _) => Some(Outcome::IdentityChanged),
            (false, false, true) => Some(Outcome::Forbidden),
            (false, false, false) => Some(cause),
        }
    }
}

impl<O: Origin> Pump<O> {
    /// Runs to the end: of the bytes, of the client, or of the server. Everything that it waits for is dropped the
    /// moment that the client is gone.
    pub(super) async fn drive(mut self, first: Opened, cancel: CancellationToken, span: Span) {
        let gone = self.sender.watch();
        let outcome = tokio::select! {
            biased;
            outcome = self.run(first, &span) => outcome,
            () = gone => Outcome::ClientGone,
            () = cancel.cancelled() => Outcome::Cancelled,
        };
        let rest = Rest {
            sender: self.sender,
            record: self.record,
            patience: self.patience,
            give_up: self.give_up,
        };
        rest.hand_over(outcome, &cancel).await;
    }

    async fn run(&mut self, first: Opened, span: &Span) -> Outcome {
        let mut upstream = first;
        loop {
            let mirror = upstream.mirror;
            let cause = match self.copy(upstream).await {
                Ok(()) if self.end.is_none_or(|end| end == self.position) => {
                    return Outcome::Complete;
                }
                Ok(()) => None,
                Err(Stop::Final(outcome)) => return outcome,
                Err(Stop::Upstream(cause)) => Some(cause),
            };
            // Boxed, because it is rare and its future large: the task of every transfer would hold room for it.
            let next = Box::pin(self.go_on(cause, mirror).instrument(span.clone()));
            upstream = match next.await {
                Ok(opened) => opened,
                Err(outcome) => return outcome,
            };
        }
    }

    /// The next part of what is read in parts; one that broke or doesn't come is taken up again.
    async fn go_on(&mut self, cause: Option<Outcome>, mirror: usize) -> Result<Opened, Outcome> {
        let cause = match cause {
            Some(cause) => cause,
            None => match self.next_part(mirror).await {
                Ok(opened) => return Ok(opened),
                Err(fault) => {
                    tracing::debug!(mirror, %fault, "next part did not come");
                    Outcome::UpstreamReset
                }
            },
        };
        self.resume(cause, mirror).await
    }

    async fn next_part(&self, mirror: usize) -> Result<Opened, Fault> {
        let (Some(identity), Some(end)) = (&self.identity, self.end) else {
            return Err(Fault::Unusable("a part of unknown length"));
        };
        let question = self.question_of_rest(identity, end);
        let opened = open_mirror(&*self.origin, mirror, &question).await?;
        same(opened, identity)
    }

    fn question_of_rest(&self, identity: &Identity, end: u64) -> Question {
        Question {
            ask: rest(self.position, end, identity.total),
            ..self.question
        }
    }

    /// Copies until the last byte of the answer or the first failure.
    async fn copy(&mut self, upstream: Opened) -> Result<(), Stop> {
        let mut response = upstream.response;
        let facts = upstream.facts;
        for piece in upstream.lead {
            self.forward(piece, &facts, &mut response).await?;
        }
        while facts.body_end != Some(self.position) {
            response.limit_read(self.share.read_bytes());
            match response.chunk().await {
                Ok(Some(piece)) => self.forward(piece, &facts, &mut response).await?,
                // Of unknown length, ended by its last chunk.
                Ok(None) if facts.body_end.is_none() => return Ok(()),
                Ok(None) => return Err(Stop::Upstream(Outcome::UpstreamShort)),
                Err(error) => return Err(Stop::Upstream(outcome_of(&error))),
            }
        }
        Ok(())
    }

    /// Sends a piece on, cut at the end of what was announced.
    async fn forward(
        &mut self,
        mut piece: Bytes,
        facts: &Facts,
        response: &mut MediaResponse,
    ) -> Result<(), Stop> {
        if let Some(end) = facts.body_end {
            let room = usize::try_from(end - self.position).unwrap_or(usize::MAX);
            if facts.is_counted && piece.len() >= room {
                expect_end(piece.len() > room, response).await?;
            }
            piece.truncate(room);
        }
        let length = piece.len() as u64;
        self.sender.set_bound(self.share.bytes());
        let watch = self.sender.watch();
        let sending = self.sender.send(piece);
        let sent = self.patience.wait(&watch, sending).await;
        sent.map_err(Stop::Final)?;
        self.position += length;
        Ok(())
    }

    /// Goes on at the exact byte: the mirrors in turn, the site anew if they have expired, and all that a few times.
    async fn resume(&mut self, cause: Outcome, mirror: usize) -> Result<Opened, Outcome> {
        let (Some(identity), Some(end)) = (self.identity.clone(), self.end) else {
            return Err(cause);
        };
        let question = self.question_of_rest(&identity, end);
        // One that stalled will likely stall again; one that broke is likely up again.
        let first = mirror + usize::from(cause == Outcome::UpstreamStall);
        for attempt in 0..TRIES_PER_BREAK {
            if self.tries == MAX_TRIES {
                break;
            }
            self.tries += 1;
            wait_for_try(&*self.origin, first, attempt).await;
            match self.pass(first, &question, &identity).await {
                Ok(opened) => return Ok(self.resumed(opened, cause)),
                Err(misses) => misses.verdict(cause).map_or(Ok(()), Err)?,
            }
        }
        Err(cause)
    }

    fn resumed(&self, opened: Opened, cause: Outcome) -> Opened {
        self.record.note_resume();
        tracing::debug!(%cause, mirror = opened.mirror, position = self.position, "transfer resumed");
        opened
    }

    /// All mirrors; where that doesn't help and one has expired, the site anew and all mirrors again.
    async fn pass(
        &mut self,
        first: usize,
        question: &Question,
        identity: &Identity,
    ) -> Result<Opened, Misses> {
        let misses = match self.mirrors(first, question, identity).await {
            Err(misses) if misses.is_expired && self.may_refresh() => misses,
            reply => return reply,
        };
        self.refreshed_at = Some(Instant::now());
        self.record.note_refresh();
        if let Err(error) = self.origin.refresh().await {
            tracing::debug!(%error, "refresh failed");
            return Err(misses);
        }
        if self.is_other_content() {
            return Err(Misses {
                is_changed: true,
                ..Misses::default()
            });
        }
        self.mirrors(0, question, identity).await
    }

    /// Whether the site says that the new addresses hold something else.
    fn is_other_content(&self) -> bool {
        let now = self.origin.content_id();
        matches!((&self.content_id, now), (Some(ours), Some(theirs)) if *ours != theirs)
    }

    fn may_refresh(&self) -> bool {
        self.refreshed_at
            .is_none_or(|at| at.elapsed() >= REFRESH_INTERVAL)
    }

    async fn mirrors(
        &self,
        first: usize,
        question: &Question,
        identity: &Identity,
    ) -> Result<Opened, Misses> {
        let mut misses = Misses::default();
        let count = mirrors(&*self.origin);
        for step in 0..count {
            let mirror = (first + step) % count;
            let opened = open_mirror(&*self.origin, mirror, question).await;
            match opened.and_then(|opened| same(opened, identity)) {
                Ok(opened) => return Ok(opened),
                Err(fault) => {
                    tracing::debug!(mirror, %fault, "upstream not resumed");
                    misses.note(&fault);
                }
            }
        }
        Err(misses)
    }
}

/// What is left of a pump when nothing more comes from the upstream: the client may not have taken it all yet.
struct Rest {
    sender: Sender<Outcome>,
    record: Arc<Record>,
    patience: Patience,
    give_up: Option<CancellationToken>,
}

impl Rest {
    /// Says the last word to the body (reliability R1.1) and stays until the client has come for it: one that never
    /// does, as an HTTP/2 stream without a window beside busy ones, would hold its place and its bytes for ever.
    async fn hand_over(mut self, outcome: Outcome, cancel: &CancellationToken) {
        let given_up = match outcome {
            Outcome::ClientStall | Outcome::Cancelled => Some(outcome),
            Outcome::Complete => {
                self.sender.end();
                self.outlast(cancel).await
            }
            outcome => {
                self.sender.fail(outcome);
                self.outlast(cancel).await
            }
        };
        if let Some(outcome) = given_up {
            self.sender.abort(outcome);
            self.record.close(outcome);
            if let Some(give_up) = self.give_up {
                give_up.cancel();
            }
        }
    }

    /// Waits until the body is gone; returns why the client is given up, if it is.
    async fn outlast(&mut self, cancel: &CancellationToken) -> Option<Outcome> {
        let watch = self.sender.watch();
        let gone = self.sender.watch();
        let taken = self.patience.wait(&watch, async {
            gone.await;
            Err(Closed)
        });
        let ended = tokio::select! {
            biased;
            ended = taken => ended.err(),
            () = cancel.cancelled() => Some(Outcome::Cancelled),
        };
        ended.filter(|outcome| *outcome != Outcome::ClientGone)
    }
}

/// A body that only its close ends must end where its bytes are counted out (reliability R1.3).
async fn expect_end(is_beyond: bool, response: &mut MediaResponse) -> Result<(), Stop> {
    if is_beyond {
        return Err(Stop::Final(Outcome::LengthMismatch));
    }
    // A connection that breaks after the last byte has brought them all.
    while let Ok(Some(piece)) = response.chunk().await {
        if !piece.is_empty() {
            return Err(Stop::Final(Outcome::LengthMismatch));
        }
    }
    Ok(())
}

/// The rest of the range that is being sent.
fn rest(position: u64, end: u64, total: u64) -> RangeAsk {
    if end == total {
        RangeAsk::From(position)
    } else {
        // `position < end`, for there is a rest.
        RangeAsk::Between(position, end - 1)
    }
}

/// Holds an answer against what the client has part of already.
fn same(opened: Opened, identity: &Identity) -> Result<Opened, Fault> {
    if !opened.facts.is_partial {
        return Err(Fault::Unusable("no ranges"));
    }
    match opened.facts.identity() {
        Some(theirs) if identity.is_same(&theirs) => Ok(opened),
        _ => Err(Fault::Unusable("another representation")),
    }
}
