//! The loopback feed: what FFmpeg reads in place of any address of a site.
//!
//! An own listener on 127.0.0.1, never on the public router. A path is 128 bits of chance, drawn for each file that is fed
//! and forgotten with it, since other users of the machine may see it among FFmpeg's arguments; anything else is 404.
//! Whoever reads gets one unbroken body: the engine behind it takes up again what breaks, and asks the
//! site anew when addresses expire.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt as _};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Either, Empty, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OnceCell, Semaphore};

use super::files::{self, Opened};
use super::shelf::{Copier, Saved, Tee};
use super::steady::Steady;
use super::tuner::Tuner;
use crate::lifecycle::Lifecycle;
use crate::media::Side;
use crate::services::Playable;
use crate::task;
use crate::transfer::Broken;

/// Connections at once; each program opens one or two.
const MAX_CONNECTIONS: usize = 256;
/// What follows the path of a picture in that of its sound.
const SOUND: &str = "/sound";

type FileBody = UnsyncBoxBody<Bytes, io::Error>;
type Answer = Response<Either<FeedBody, Either<FileBody, Empty<Bytes>>>>;

/// Everything that is fed now. The listener is opened with the first one.
pub(super) struct Feeds {
    lifecycle: Lifecycle,
    /// By their tokens.
    entries: Mutex<HashMap<String, Arc<Entry>>>,
    address: OnceCell<SocketAddr>,
}

/// What is fed.
pub(super) enum Content {
    /// A file of a site, which may be copied to disk on the way.
    Post(Arc<Playable>, Option<Arc<Tee>>),
    /// A file of this machine.
    File(PathBuf),
    /// A file that was fetched before.
    Saved(Saved),
    /// What is on air at a site.
    Live(Arc<Tuner>),
}

/// One file that is fed.
struct Entry {
    content: Content,
    /// The upstream was given up in the middle of a body.
    is_broken: Arc<AtomicBool>,
    /// Times that an upstream was taken up again.
    resumes: AtomicU64,
    /// Microseconds that readers waited for an upstream.
    waited_us: AtomicU64,
    /// Times that the site was asked for new addresses, as far as they were told.
    told_refreshes: AtomicU64,
}

/// A file that is fed as long as this lives.
pub(super) struct Feed {
    feeds: Arc<Feeds>,
    token: String,
    entry: Arc<Entry>,
    url: String,
}

impl Feeds {
    /// Feeds that end with the server.
    pub(super) fn new(lifecycle: Lifecycle) -> Arc<Self> {
        Arc::new(Self {
            lifecycle,
            entries: Mutex::default(),
            address: OnceCell::new(),
        })
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, Arc<Entry>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to feed a file.
    ///
    /// # Errors
    /// There is no port to listen on.
    pub(super) async fn open(self: &Arc<Self>, content: Content) -> io::Result<Feed> {
        let address = *self.address.get_or_try_init(|| self.listen()).await?;
        let entry = Arc::new(Entry {
            content,
            is_broken: Arc::default(),
            resumes: AtomicU64::new(0),
            waited_us: AtomicU64::new(0),
            told_refreshes: AtomicU64::new(0),
        });
        let token = format!("{:032x}", rand::random::<u128>());
        self.entries().insert(token.clone(), Arc::clone(&entry));
        Ok(Feed {
            url: format!("http://{address}/{token}"),
            feeds: Arc::clone(self),
            token,
            entry,
        })
    }

    async fn listen(self: &Arc<Self>) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let feeds = Arc::clone(self);
        // Not waited for at the end: whoever reads ends first.
        task::until(self.lifecycle.hard.clone(), async move {
            feeds.accept(listener).await;
        });
        Ok(address)
    }

    async fn accept(self: &Arc<Self>, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            let Ok((stream, _)) = listener.accept().await else {
                // Too few descriptors: some will be free again.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let feeds = Arc::clone(self);
            task::until(self.lifecycle.hard.clone(), async move {
                feeds.serve(stream).await;
                drop(place);
            });
        }
    }

    async fn serve(self: Arc<Self>, stream: TcpStream) {
        let local = stream.local_addr();
        let service = service_fn(|request| {
            let (feeds, local) = (Arc::clone(&self), local.as_ref().ok().copied());
            async move { Ok::<_, Infallible>(feeds.answer(&request, local).await) }
        });
        let mut http = hyper::server::conn::http1::Builder::new();
        http.timer(TokioTimer::new()).max_headers(64);
        // Whoever reads may leave at any time, to begin elsewhere in the file.
        let _ = http.serve_connection(TokioIo::new(stream), service).await;
    }

    async fn answer(&self, request: &Request<Incoming>, local: Option<SocketAddr>) -> Answer {
        let host = request.headers().get(header::HOST);
        let is_ours = local.is_some_and(|local| {
            host.is_some_and(|host| host.as_bytes() == local.to_string().as_bytes())
        });
        let Some((entry, side)) = self.find(request.uri().path()).filter(|_| is_ours) else {
            return status(StatusCode::NOT_FOUND);
        };
        if request.method() != Method::GET {
            return status(StatusCode::METHOD_NOT_ALLOWED);
        }
        let range = request.headers().get(header::RANGE);
        let range = range.and_then(|range| range.to_str().ok());
        let opened = match &entry.content {
            Content::Post(playable, tee) => {
                let range = range.map(str::to_owned);
                match Box::pin(Steady::open(Arc::clone(playable), range)).await {
                    Ok(steady) => {
                        let copier = match tee {
                            Some(tee) => tee.follow(steady.head()).await,
                            None => None,
                        };
                        return respond(steady, copier, entry);
                    }
                    Err(error) => Err(error.to_string()),
                }
            }
            Content::File(path) => file(path, range, &entry.is_broken).await,
            Content::Saved(saved) => file(saved.path(), range, &entry.is_broken).await,
            Content::Live(tuner) => return respond_live(tuner, side),
        };
        opened.unwrap_or_else(|error| {
            tracing::debug!(%error, "feed not opened");
            entry.is_broken.store(true, Ordering::Relaxed);
            status(StatusCode::BAD_GATEWAY)
        })
    }

    /// What a path names, and which side of it where each has a body of its own.
    fn find(&self, path: &str) -> Option<(Arc<Entry>, Side)> {
        let token = path.strip_prefix('/')?;
        let (token, side) = match token.strip_suffix(SOUND) {
            Some(token) => (token, Side::Sound),
            None => (token, Side::Picture),
        };
        let entry = self.entries().get(token).cloned()?;
        let is_there = side == Side::Picture || matches!(entry.content, Content::Live(_));
        is_there.then_some((entry, side))
    }
}

impl Feed {
    /// The address to be read.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The post that is fed, if it is one.
    pub(super) fn post(&self) -> Option<&Playable> {
        match &self.entry.content {
            Content::Post(playable, _) => Some(playable),
            Content::File(_) | Content::Saved(_) | Content::Live(_) => None,
        }
    }

    /// What is on air, if that is fed.
    pub(super) fn live(&self) -> Option<&Arc<Tuner>> {
        match &self.entry.content {
            Content::Live(tuner) => Some(tuner),
            Content::Post(..) | Content::File(_) | Content::Saved(_) => None,
        }
    }

    /// Whether a file is fed that was fetched before.
    pub(super) fn is_saved(&self) -> bool {
        matches!(self.entry.content, Content::Saved(_))
    }

    /// The address of the sound of what is on air, where it has a body of its own.
    pub(super) fn sound_url(&self) -> String {
        format!("{}{SOUND}", self.url)
    }

    /// Whether bytes were missing since this was asked last, whatever the reader made of it.
    pub(super) fn take_broken(&self) -> bool {
        self.entry.is_broken.swap(false, Ordering::Relaxed)
    }

    /// Where its bytes come from, in a word.
    pub(super) fn source(&self) -> &'static str {
        match &self.entry.content {
            Content::Post(..) => "direct",
            Content::File(_) => "file",
            Content::Saved(_) => "cache",
            Content::Live(_) => "live",
        }
    }

    /// How long readers waited for an upstream.
    pub(super) fn waited(&self) -> Duration {
        Duration::from_micros(self.entry.waited_us.load(Ordering::Relaxed))
    }

    /// Times that the site was asked for new addresses, since this was asked last.
    pub(super) fn take_refreshes(&self) -> u64 {
        let now = match &self.entry.content {
            Content::Post(playable, _) => playable.refreshes(),
            Content::Live(tuner) => tuner.refreshes(),
            Content::File(_) | Content::Saved(_) => 0,
        };
        let told = self.entry.told_refreshes.swap(now, Ordering::Relaxed);
        now.saturating_sub(told)
    }

    /// Times that an upstream was taken up again.
    pub(super) fn resumes(&self) -> u64 {
        self.entry.resumes.load(Ordering::Relaxed)
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.feeds.entries().remove(&self.token);
    }
}

fn status(code: StatusCode) -> Answer {
    let mut response = Response::new(Either::Right(Either::Right(Empty::new())));
    *response.status_mut() = code;
    response
}

fn respond(steady: Steady, copier: Option<Copier>, entry: Arc<Entry>) -> Answer {
    let head = steady.head().clone();
    let body = FeedBody {
        body: steady,
        entry,
        copier,
        waits_since: None,
    };
    let range = head.range.clone().map(|range| (range, head.total));
    let mut response = answer(Either::Left(body), head.content_length(), range);
    if head.accepts_ranges {
        let ranges = HeaderValue::from_static("bytes");
        response.headers_mut().insert(header::ACCEPT_RANGES, ranges);
    }
    response
}

/// A body without a length, which can't be read from elsewhere.
fn respond_live(tuner: &Arc<Tuner>, side: Side) -> Answer {
    let body = StreamBody::new(tuner.open(side)).boxed_unsync();
    Response::new(Either::Right(Either::Left(body)))
}

async fn file(
    path: &Path,
    range: Option<&str>,
    is_broken: &Arc<AtomicBool>,
) -> Result<Answer, String> {
    match files::open(path, range).await {
        Ok(Some(opened)) => Ok(respond_file(opened, Arc::clone(is_broken))),
        Ok(None) => Ok(status(StatusCode::RANGE_NOT_SATISFIABLE)),
        Err(error) => Err(error.to_string()),
    }
}

/// A body may outlive what it is of, so it holds the file open and nothing else of it.
fn respond_file(
    opened: Opened<impl Stream<Item = io::Result<Frame<Bytes>>> + Send + 'static>,
    is_broken: Arc<AtomicBool>,
) -> Answer {
    let Opened { total, part, body } = opened;
    // Its reader may take that for the end of the file.
    let body = body.inspect_err(move |_| is_broken.store(true, Ordering::Relaxed));
    let length = part.as_ref().map_or(total, |part| part.end - part.start);
    let body = Either::Left(StreamBody::new(body).boxed_unsync());
    let part = part.map(|part| (part, Some(total)));
    let mut response = answer(Either::Right(body), Some(length), part);
    let ranges = HeaderValue::from_static("bytes");
    response.headers_mut().insert(header::ACCEPT_RANGES, ranges);
    response
}

/// 200, or 206 for a part of so many bytes.
fn answer(
    body: Either<FeedBody, Either<FileBody, Empty<Bytes>>>,
    length: Option<u64>,
    part: Option<(std::ops::Range<u64>, Option<u64>)>,
) -> Answer {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    let mut set = |name, text: String| {
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(name, value);
        }
    };
    if let Some(length) = length {
        set(header::CONTENT_LENGTH, length.to_string());
    }
    if let Some((part, total)) = part {
        let total = total.map_or("*".to_owned(), |total| total.to_string());
        let place = format!(
            "bytes {}-{}/{total}",
            part.start,
            part.end.saturating_sub(1)
        );
        set(header::CONTENT_RANGE, place);
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    response
}

/// A body that tells when it breaks: a reader may take it for the end of the file.
struct FeedBody {
    body: Steady,
    entry: Arc<Entry>,
    copier: Option<Copier>,
    /// Since when its reader waits.
    waits_since: Option<Instant>,
}

impl Body for FeedBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Pending => {
                self.waits_since.get_or_insert_with(Instant::now);
            }
            Poll::Ready(frame) => self.note_ready(frame.as_ref()),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl FeedBody {
    fn note_ready(&mut self, frame: Option<&Result<Frame<Bytes>, Broken>>) {
        match frame {
            Some(Err(_)) => self.entry.is_broken.store(true, Ordering::Relaxed),
            Some(Ok(frame)) => {
                if let Some((copier, piece)) = self.copier.as_mut().zip(frame.data_ref()) {
                    copier.copy(piece);
                }
            }
            None => {}
        }
        if let Some(since) = self.waits_since.take() {
            let waited = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.entry.waited_us.fetch_add(waited, Ordering::Relaxed);
        }
    }
}

impl Drop for FeedBody {
    fn drop(&mut self) {
        let resumes = self.body.resumes();
        self.entry.resumes.fetch_add(resumes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
