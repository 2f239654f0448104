//! A file of a site as one unbroken body: opened again at the byte where it broke, until it is whole or nothing helps.
//!
//! The engine takes up what breaks too, but a few times in each transfer, and asks the site anew once a minute: enough
//! for a download. A broadcast reads the same file for hours, and there are addresses that are good for one read.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, sleep};

use crate::services::{Playable, PlayoutError};
use crate::transfer::{Broken, Head, Outcome, Report, Transfer, TransferBody};

/// Tries without a new byte.
const TRIES: u32 = 12;
/// Time without a new byte.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pause before the second try; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Longest pause.
const LAST_PAUSE: Duration = Duration::from_secs(2);

/// What is put up with since the last byte.
#[derive(Debug, Clone, Copy)]
struct Patience {
    since: Instant,
    tries: u32,
}

impl Patience {
    fn new() -> Self {
        Self {
            since: Instant::now(),
            tries: 0,
        }
    }

    /// How long to wait before the next try, none at first; `chance` is evenly between 0 and 1. `None` when there is to
    /// be no further one.
    fn next(&mut self, chance: f64) -> Option<Duration> {
        let tries = self.tries;
        self.tries += 1;
        if tries >= TRIES || self.since.elapsed() >= PATIENCE {
            return None;
        }
        let Some(power) = tries.checked_sub(1) else {
            return Some(Duration::ZERO);
        };
        let pause = FIRST_PAUSE * 2_u32.pow(power.min(10));
        Some(pause.min(LAST_PAUSE).mul_f64(0.5 + 0.5 * chance))
    }
}

/// See the module.
pub(super) struct Steady {
    playable: Arc<Playable>,
    head: Head,
    position: u64,
    /// `None` when the length is not known: what breaks then can't be taken up.
    end: Option<u64>,
    patience: Patience,
    resumes: u64,
    state: State,
}

enum State {
    Reading(TransferBody, Option<Report>),
    Opening(BoxFuture<'static, (Result<Transfer, Broken>, Patience)>),
    Ended,
}

impl Steady {
    /// Opens a file; `range` is the text of a `Range` header. A site that is away for some seconds is waited for.
    ///
    /// # Errors
    /// Why there are no bytes, for the log.
    pub(super) async fn open(
        playable: Arc<Playable>,
        range: Option<String>,
    ) -> Result<Self, PlayoutError> {
        let mut patience = Patience::new();
        let opened = open(&playable, range, &mut patience).await;
        let Transfer { head, body, report } = opened?;
        let (position, end) = match &head.range {
            Some(range) => (range.start, Some(range.end)),
            None => (0, head.total),
        };
        Ok(Self {
            playable,
            head,
            position,
            end,
            patience: Patience::new(),
            resumes: 0,
            state: State::Reading(body, report),
        })
    }

    /// What the site says of the file.
    pub(super) fn head(&self) -> &Head {
        &self.head
    }

    /// Times that the upstream was taken up again.
    pub(super) fn resumes(&self) -> u64 {
        let State::Reading(_, Some(report)) = &self.state else {
            return self.resumes;
        };
        self.resumes + u64::from(report.resumes())
    }

    /// Begins to open the rest.
    ///
    /// # Errors
    /// `broken` itself when that can't help.
    fn go_on(&mut self, broken: Broken) -> Result<(), Broken> {
        let is_refusal = broken.outcome == Outcome::Forbidden;
        let is_upstream = matches!(
            broken.outcome,
            Outcome::UpstreamReset | Outcome::UpstreamStall | Outcome::UpstreamShort
        );
        let Some(end) = self.end.filter(|_| is_refusal || is_upstream) else {
            return Err(broken);
        };
        let mut patience = self.patience;
        let pause = patience.next(rand::random()).ok_or(broken)?;
        self.resumes = self.resumes() + 1;
        let (playable, head) = (Arc::clone(&self.playable), self.head.clone());
        let position = self.position;
        self.state = State::Opening(Box::pin(async move {
            sleep(pause).await;
            let range = format!("bytes={position}-{}", end.saturating_sub(1));
            let opened = open(&playable, Some(range), &mut patience).await;
            let opened = opened.map_err(|error| {
                tracing::debug!(%error, position, "feed not opened again");
                broken
            });
            let opened = opened.and_then(|transfer| same(transfer, &head, position));
            (opened, patience)
        }));
        Ok(())
    }

    fn fail(&mut self, broken: Broken) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.resumes = self.resumes();
        self.state = State::Ended;
        Poll::Ready(Some(Err(broken)))
    }
}

async fn open(
    playable: &Playable,
    range: Option<String>,
    patience: &mut Patience,
) -> Result<Transfer, PlayoutError> {
    loop {
        let error = match Box::pin(playable.open(range.clone())).await {
            Ok(transfer) => return Ok(transfer),
            Err(error) => error,
        };
        // The site was asked for new addresses, and they are refused too.
        let wait = (!error.is_refusal()).then(|| patience.next(rand::random()));
        match wait.flatten() {
            Some(pause) => sleep(pause).await,
            None => return Err(error),
        }
    }
}

/// The transfer, if it goes on with the same file at this byte.
fn same(transfer: Transfer, head: &Head, position: u64) -> Result<Transfer, Broken> {
    let new = &transfer.head;
    let begins_at = new.range.as_ref().map_or(0, |range| range.start);
    let has_other_tag = matches!((&new.etag, &head.etag), (Some(new), Some(known)) if new != known);
    if begins_at != position || new.total != head.total || has_other_tag {
        return Err(Broken {
            outcome: Outcome::IdentityChanged,
        });
    }
    Ok(transfer)
}

impl Body for Steady {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        loop {
            match &mut self.state {
                State::Reading(body, _) => match ready!(Pin::new(body).poll_frame(context)) {
                    Some(Ok(frame)) => {
                        self.position += frame.data_ref().map_or(0, Bytes::len) as u64;
                        self.patience = Patience::new();
                        return Poll::Ready(Some(Ok(frame)));
                    }
                    None => return Poll::Ready(None),
                    Some(Err(broken)) => {
                        if let Err(broken) = self.go_on(broken) {
                            return self.fail(broken);
                        }
                    }
                },
                State::Opening(opening) => {
                    let (opened, patience) = ready!(opening.as_mut().poll(context));
                    self.patience = patience;
                    match opened {
                        Ok(transfer) => self.state = State::Reading(transfer.body, transfer.report),
                        Err(broken) => return self.fail(broken),
                    }
                }
                State::Ended => return Poll::Ready(None),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::Reading(body, _) => body.is_end_stream(),
            State::Opening(_) => false,
            State::Ended => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.end.map(|end| end.saturating_sub(self.position));
        rest.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn site_that_is_away_is_tried_at_once_then_ever_more_rarely() {
        let mut patience = Patience::new();
        let mut waits = Vec::new();
        while let Some(wait) = patience.next(1.0) {
            waits.push(wait.as_millis());
            sleep(wait).await;
        }
        let first = [0, 50, 100, 200, 400, 800, 1600, 2000];
        assert_eq!(waits[..first.len()], first);
        assert_eq!(waits.len(), 12);
    }

    #[tokio::test(start_paused = true)]
    async fn site_is_given_up_after_half_a_minute() {
        let mut patience = Patience::new();
        sleep(PATIENCE.saturating_sub(Duration::from_millis(1))).await;
        assert!(patience.next(0.0).is_some());
        sleep(Duration::from_millis(1)).await;
        assert!(patience.next(0.0).is_none());
    }
}
