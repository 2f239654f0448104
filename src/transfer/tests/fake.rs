//! An upstream by script, for the tests of this room.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use tokio::sync::Notify;

use crate::net::{self, MediaResponse, NetError, RangeAsk};
use crate::transfer::Origin;
use crate::transfer::range::resolve_ask;

/// Longest wait for a piece.
pub(super) const IDLE: Duration = Duration::from_secs(30);
/// Bytes of a piece of a body.
pub(super) const PIECE: usize = 1000;
/// Bytes of the file.
pub(super) const TOTAL: usize = 100_000;

/// One request to the fake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Call {
    /// Number of the request among those of its kind, from 0.
    pub(super) index: usize,
    pub(super) mirror: usize,
    pub(super) ask: RangeAsk,
    /// How often the site was asked anew before.
    pub(super) refreshes: usize,
    /// For the last byte alone.
    pub(super) is_tail: bool,
}

/// What the fake does.
pub(super) enum Act {
    Answer(Answer),
    Fail(NetError),
    /// Never answers.
    Hang,
}

/// How a body ends after its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Clean,
    Reset,
    Stall,
    Panic,
}

/// An answer that can be bent.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Bytes,
    piece: usize,
    pause: Duration,
    ending: Ending,
}

impl Answer {
    pub(super) fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
            piece: PIECE,
            pause: Duration::ZERO,
            ending: Ending::Clean,
        }
    }

    /// The right answer.
    pub(super) fn to(ask: RangeAsk) -> Self {
        let file = file();
        let total = file.len();
        let Ok(range) = resolve_ask(ask, total as u64) else {
            return Self::status(416).with("content-range", format!("bytes */{total}"));
        };
        let head = Self::status(206)
            .with("content-type", "video/mp4")
            .with("etag", "\"v1\"")
            .with("last-modified", "Mon, 02 Nov 2026 10:00:00 GMT");
        let Some(range) = range else {
            return head.whole_of(file);
        };
        let (start, end) = (range.start, range.end);
        let body = file.slice(to_usize(start)..to_usize(end));
        Self { body, ..head }
            .with(
                "content-range",
                format!("bytes {start}-{}/{total}", end - 1),
            )
            .with("content-length", end - start)
    }

    /// The whole file with 200, as from an upstream without ranges.
    pub(super) fn whole() -> Self {
        Self::to(RangeAsk::Whole)
    }

    fn whole_of(mut self, body: Bytes) -> Self {
        self.status = 200;
        self.body = body;
        let length = self.body.len();
        self.with("content-length", length)
    }

    /// Sets a header.
    pub(super) fn with(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self = self.without(name);
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    /// Other bytes under the same head.
    pub(super) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    pub(super) fn pieces_of(mut self, piece: usize) -> Self {
        self.piece = piece;
        self
    }

    /// Waits so long before every piece.
    pub(super) fn drip(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// Only the first bytes, and then that.
    pub(super) fn cut(mut self, length: usize, ending: Ending) -> Self {
        self.body.truncate(length);
        self.ending = ending;
        self
    }
}

impl From<Answer> for Act {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}

/// The file: every stretch of it is unlike every other.
pub(super) fn file() -> Bytes {
    let numbers = (0_u32..).flat_map(|number| (number | 0x8000_0000).to_be_bytes());
    numbers.take(TOTAL).collect()
}

pub(super) fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

pub(super) fn reset() -> Act {
    Act::Fail(NetError::Broken {
        host: "cdn.example".to_owned(),
        message: "reset".to_owned(),
    })
}

type Script = Box<dyn Fn(Call) -> Act + Send + Sync>;

/// The site could not be asked.
#[derive(Debug, thiserror::Error)]
#[error("site is down")]
pub(super) struct SiteDown;

/// How asking the site anew goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refresh {
    Works,
    Fails,
    Hangs,
}

/// The scripted origin, and what was seen.
pub(super) struct Fake {
    script: Script,
    pub(super) mirrors: usize,
    pub(super) tail_key: Option<String>,
    pub(super) refresh: Refresh,
    pub(super) part_bytes: Option<NonZeroU64>,
    /// Retries that are within the budget.
    budget: AtomicUsize,
    /// What the addresses hold, by the number of refreshes before.
    pub(super) content: fn(usize) -> Option<String>,
    calls: Mutex<Vec<Call>>,
    refreshes: AtomicUsize,
    /// Rung at every call and refresh.
    pub(super) called: Notify,
    meter: Arc<Meter>,
}

/// Bodies open now, and bytes taken from them.
#[derive(Debug, Default)]
struct Meter {
    open: AtomicUsize,
    taken: AtomicU64,
}

/// An open body.
struct Open(Arc<Meter>);

impl Open {
    fn new(meter: &Arc<Meter>) -> Self {
        meter.open.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(meter))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Fake {
    /// An origin of one mirror that acts by `script`.
    pub(super) fn new<A: Into<Act>>(script: impl Fn(Call) -> A + Send + Sync + 'static) -> Self {
        Self {
            script: Box::new(move |call| script(call).into()),
            mirrors: 1,
            tail_key: None,
            refresh: Refresh::Works,
            part_bytes: None,
            budget: AtomicUsize::new(usize::MAX),
            content: |_| None,
            calls: Mutex::default(),
            refreshes: AtomicUsize::new(0),
            called: Notify::new(),
            meter: Arc::default(),
        }
    }

    pub(super) fn mirrors(mut self, mirrors: usize) -> Self {
        self.mirrors = mirrors;
        self
    }

    pub(super) fn tail(mut self, key: &str) -> Self {
        self.tail_key = Some(key.to_owned());
        self
    }

    /// Wants to be asked for so many bytes at most.
    pub(super) fn parts(mut self, bytes: u64) -> Self {
        self.part_bytes = NonZeroU64::new(bytes);
        self
    }

    pub(super) fn content(mut self, content: fn(usize) -> Option<String>) -> Self {
        self.content = content;
        self
    }

    /// Has a budget of so many retries.
    pub(super) fn budget(mut self, retries: usize) -> Self {
        self.budget = AtomicUsize::new(retries);
        self
    }

    pub(super) fn refresh(mut self, refresh: Refresh) -> Self {
        self.refresh = refresh;
        self
    }

    /// Requests seen, those for the last byte aside: mirror and ask.
    pub(super) fn asks(&self) -> Vec<(usize, RangeAsk)> {
        let calls = self.calls.lock().unwrap();
        let heads = calls.iter().filter(|call| !call.is_tail);
        heads.map(|call| (call.mirror, call.ask)).collect()
    }

    /// Requests for the last byte.
    pub(super) fn tails(&self) -> usize {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|call| call.is_tail).count()
    }

    /// Requests for a suffix.
    pub(super) fn suffixes(&self) -> usize {
        let calls = self.calls.lock().unwrap();
        let is_suffix = |call: &&Call| matches!(call.ask, RangeAsk::Suffix(_));
        calls.iter().filter(is_suffix).count()
    }

    pub(super) fn refreshes(&self) -> usize {
        self.refreshes.load(Ordering::SeqCst)
    }

    /// Bodies that somebody still holds.
    pub(super) fn open_bodies(&self) -> usize {
        self.meter.open.load(Ordering::SeqCst)
    }

    /// Bytes taken from all bodies.
    pub(super) fn taken(&self) -> u64 {
        self.meter.taken.load(Ordering::SeqCst)
    }

    fn note(&self, mirror: usize, ask: RangeAsk) -> Call {
        let last = TOTAL as u64 - 1;
        let is_tail = ask == RangeAsk::Suffix(1) || ask == RangeAsk::Between(last, last);
        let mut calls = self.calls.lock().unwrap();
        let call = Call {
            index: calls.iter().filter(|call| call.is_tail == is_tail).count(),
            mirror,
            ask,
            refreshes: self.refreshes(),
            is_tail,
        };
        calls.push(call);
        self.called.notify_one();
        call
    }

    fn response(&self, answer: Answer) -> MediaResponse {
        let mut builder = http::Response::builder().status(answer.status);
        for (name, value) in &answer.headers {
            builder = builder.header(name, value);
        }
        let open = Open::new(&self.meter);
        let body = stream::unfold((answer, open), |(mut answer, open)| async {
            let piece = next_piece(&mut answer).await?;
            let length = piece.as_ref().map_or(0, Bytes::len);
            open.0.taken.fetch_add(length as u64, Ordering::SeqCst);
            Some((piece, (answer, open)))
        });
        let response = builder.body(net::Body::wrap_stream(body)).unwrap();
        MediaResponse::from_response(response, "cdn.example".to_owned(), IDLE)
    }
}

async fn next_piece(answer: &mut Answer) -> Option<std::io::Result<Bytes>> {
    if !answer.body.is_empty() {
        if !answer.pause.is_zero() {
            tokio::time::sleep(answer.pause).await;
        }
        let length = answer.piece.min(answer.body.len());
        return Some(Ok(answer.body.split_to(length)));
    }
    match answer.ending {
        Ending::Clean => None,
        Ending::Reset => Some(Err(std::io::ErrorKind::ConnectionReset.into())),
        Ending::Stall => std::future::pending().await,
        Ending::Panic => panic!("injected into the pump"),
    }
}

impl Origin for Fake {
    type Error = SiteDown;

    fn mirrors(&self) -> usize {
        self.mirrors
    }

    async fn open(&self, mirror: usize, ask: RangeAsk) -> Result<MediaResponse, NetError> {
        match (self.script)(self.note(mirror, ask)) {
            Act::Answer(answer) => Ok(self.response(answer)),
            Act::Fail(error) => Err(error),
            Act::Hang => std::future::pending().await,
        }
    }

    async fn refresh(&self) -> Result<(), SiteDown> {
        self.refreshes.fetch_add(1, Ordering::SeqCst);
        self.called.notify_one();
        match self.refresh {
            Refresh::Works => Ok(()),
            Refresh::Fails => Err(SiteDown),
            Refresh::Hangs => std::future::pending().await,
        }
    }

    fn take_retry(&self, _mirror: usize) -> bool {
        let take = |left: usize| left.checked_sub(1);
        let taken = self
            .budget
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take);
        taken.is_ok()
    }

    fn tail_key(&self) -> Option<String> {
        self.tail_key.clone()
    }

    fn part_bytes(&self) -> Option<NonZeroU64> {
        self.part_bytes
    }

    fn content_id(&self) -> Option<String> {
        (self.content)(self.refreshes())
    }
}
