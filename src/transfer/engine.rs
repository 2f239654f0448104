//! Starts transfers: decides what the client gets before anything is sent, and hands the rest to a pump.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Span;

use super::answer::{Facts, Question};
use super::body::TransferBody;
use super::channel::channel;
use super::conditions::Verdict;
use super::opening::{Opened, Opening, Reply};
use super::patience::Patience;
use super::pump::Pump;
use super::share::Memory;
use super::stats::{Counters, Record, Report, Stats};
use super::suffix;
use super::tail::Tails;
use super::wish::Wish;
use super::{Ask, Expected, Head, Origin, Permit, Transfer, TransferConfig, TransferError};
use crate::net::RangeAsk;

/// Starts transfers and counts them.
#[derive(Debug)]
pub struct Engine {
    config: TransferConfig,
    counters: Arc<Counters>,
    tails: Tails,
    memory: Memory,
    handles: ShutdownHandles,
}

/// What the life cycle needs of an engine to end it.
#[derive(Debug, Clone, Default)]
pub struct ShutdownHandles {
    /// Every pump; close it and wait to drain.
    pub tracker: TaskTracker,
    /// Cancelling it breaks every transfer off, visibly to its client.
    pub cancel: CancellationToken,
}

/// Makes the engines of a process: they share the memory of `STREAM_BUFFER_TOTAL_BYTES`, and the life cycle ends them all.
#[derive(Debug, Clone)]
pub struct Engines {
    config: TransferConfig,
    memory: Memory,
    handles: ShutdownHandles,
}

impl Engines {
    /// Engines with these settings, ended by these handles.
    pub fn new(config: TransferConfig, handles: ShutdownHandles) -> Self {
        Self {
            memory: Memory::new(config.buffer_total_bytes),
            config,
            handles,
        }
    }

    /// The engine for transfers to clients.
    pub fn for_clients(&self) -> Engine {
        Engine {
            memory: self.memory.clone(),
            handles: self.handles.clone(),
            ..Engine::new(self.config.clone())
        }
    }

    /// An engine for transfers from which others are made, with settings that differ as `change` says: the log says of
    /// their ends only when it says everything.
    pub fn for_tracks(&self, change: impl FnOnce(&TransferConfig) -> TransferConfig) -> Engine {
        Engine {
            config: change(&self.config),
            counters: Arc::new(Counters::of_tracks()),
            ..self.for_clients()
        }
    }
}

/// What a client gets.
#[derive(Debug)]
enum Chosen {
    /// A head and its body.
    Body(Head, Box<Opened>),
    /// A head alone. The upstream's body, if one has begun, ends with its connection; to the client nothing broke.
    Bare(Head),
}

impl Engine {
    /// An engine with these settings.
    pub fn new(config: TransferConfig) -> Self {
        Self {
            memory: Memory::new(config.buffer_total_bytes),
            config,
            counters: Arc::new(Counters::default()),
            tails: Tails::new(),
            handles: ShutdownHandles::default(),
        }
    }

    /// The handles by which the life cycle ends the transfers.
    pub fn shutdown_handles(&self) -> ShutdownHandles {
        self.handles.clone()
    }

    /// The counters as they stand.
    pub fn stats(&self) -> Stats {
        self.counters.snapshot()
    }

    /// Opens the representation and starts to pump it. The permit is held until the body ends or is dropped.
    ///
    /// # Errors
    /// Everything that can be known before the first byte.
    pub async fn start<O: Origin>(
        &self,
        origin: Arc<O>,
        expected: Expected,
        known_length: Option<u64>,
        ask: Ask,
        permit: Permit,
    ) -> Result<Transfer, TransferError<O::Error>> {
        let give_up = ask.give_up.clone();
        let wish = Wish::of(ask);
        let question = Question {
            ask: wish.first_ask(),
            expected,
            known_length,
        };
        let mut opening = Opening::new(&*origin, &wish, &self.tails);
        let chosen = choose(&mut opening, &wish, &question).await;
        let refreshed_at = opening.refreshed_at();
        if refreshed_at.is_some() {
            self.counters.refresh();
        }
        let (head, opened) = match chosen.inspect_err(|_| self.counters.refuse())? {
            Chosen::Body(head, opened) => (head, opened),
            Chosen::Bare(head) => {
                let (body, report) = (TransferBody::empty(&head), None);
                return Ok(Transfer { head, body, report });
            }
        };
        let (counters, host) = (Arc::clone(&self.counters), opened.response.host.clone());
        let record = Arc::new(Record::open(counters, permit, host));
        let report = Some(Report::of(&record));
        let (sender, receiver) = channel(self.config.limits(), self.memory.gauge());
        let content_id = origin.content_id();
        let pump = Pump {
            origin,
            question,
            identity: opened.facts.identity(),
            content_id,
            position: opened.facts.start,
            end: opened.facts.end,
            sender,
            record: Arc::clone(&record),
            share: self.memory.share(self.config.buffer_bytes),
            patience: Patience::new(self.config.client_stall, self.config.client_min_rate),
            give_up,
            refreshed_at,
            tries: 0,
        };
        let cancel = self.handles.cancel.child_token();
        let body = TransferBody::new(receiver, head.content_length(), record, cancel.clone());
        let drive = pump.drive(*opened, cancel, Span::current());
        self.handles.tracker.spawn(drive);
        Ok(Transfer { head, body, report })
    }
}

/// Finds the answer to be served: mostly the first; the whole when the client's range is of an older representation.
async fn choose<O: Origin>(
    opening: &mut Opening<'_, O>,
    wish: &Wish,
    question: &Question,
) -> Result<Chosen, TransferError<O::Error>> {
    let reply = match question.ask {
        RangeAsk::Suffix(length) => suffix::open(opening, question, length).await?,
        _ => opening.open(question).await?,
    };
    let opened = match reply {
        Reply::Opened(opened) => opened,
        Reply::Unsatisfiable(Some(total)) if !wish.is_conditional() => {
            return Err(TransferError::Unsatisfiable { total });
        }
        Reply::Unsatisfiable(_) => return past_the_end(opening, wish, question).await,
    };
    if let Some(settled) = settle(wish, &opened.facts)? {
        return Ok(settled);
    }
    let part = wish.part(&opened.facts)?;
    if wish.is_head {
        return Ok(Chosen::Bare(wish.head(&opened.facts, part)));
    }
    if part.is_some() || (opened.facts.start, opened.facts.end) == (0, opened.facts.total) {
        return Ok(Chosen::Body(wish.head(&opened.facts, part), opened));
    }
    drop(opened);
    let opened = open_whole(opening, question).await?;
    Ok(Chosen::Body(wish.head(&opened.facts, None), opened))
}

/// The answer that follows from the conditions alone, if one does.
fn settle<E: std::error::Error>(
    wish: &Wish,
    facts: &Facts,
) -> Result<Option<Chosen>, TransferError<E>> {
    match wish.verdict(facts) {
        Verdict::Perform => Ok(None),
        Verdict::Failed => Err(TransferError::PreconditionFailed),
        Verdict::NotModified => Ok(Some(Chosen::Bare(Head {
            is_not_modified: true,
            ..wish.head(facts, None)
        }))),
    }
}

/// 416 without a total, or with a condition that may go before it: the whole is opened to know.
async fn past_the_end<O: Origin>(
    opening: &mut Opening<'_, O>,
    wish: &Wish,
    question: &Question,
) -> Result<Chosen, TransferError<O::Error>> {
    let opened = open_whole(opening, question).await?;
    if let Some(settled) = settle(wish, &opened.facts)? {
        return Ok(settled);
    }
    if !wish.fits(&opened.facts) {
        return Ok(Chosen::Body(wish.head(&opened.facts, None), opened));
    }
    match opened.facts.total {
        Some(total) if wish.is_unsatisfiable(total) => Err(TransferError::Unsatisfiable { total }),
        _ => Err(TransferError::Unusable("416 for bytes that are there")),
    }
}

async fn open_whole<O: Origin>(
    opening: &mut Opening<'_, O>,
    question: &Question,
) -> Result<Box<Opened>, TransferError<O::Error>> {
    let question = Question {
        ask: RangeAsk::From(0),
        ..*question
    };
    match opening.open(&question).await? {
        Reply::Opened(opened) => Ok(opened),
        Reply::Unsatisfiable(_) => Err(TransferError::Unusable("range refused")),
    }
}
