//! An RTMP ingest for tests: keeps what is published to it, or does what ingests do wrong.

mod marks;
mod session;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustls::ServerConfig;
use serverrs::broadcast::flv::{Tag, TagKind, write_header, write_tag};
use serverrs::broadcast::publisher::Step;
use tokio::io::DuplexStream;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

pub(crate) use marks::{Marks, shown_at};

/// How an ingest treats a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Takes everything, acknowledges as often as it is asked to, and pings once.
    Keep,
    /// Takes everything and never acknowledges.
    NeverAcknowledge,
    /// Knows no such application.
    RefuseApp,
    /// Knows no such key, and repeats it in its answer.
    RefuseKey,
    /// The same, and repeats it as addresses write it.
    RefuseKeyEncoded,
    /// The same of each key that it hears for the first time; takes everything under one that it has heard.
    RefuseKeyOnce,
    /// Closes after so many messages of media.
    CloseAfter(usize),
    /// Closes after so many bytes, whatever they are.
    CloseAfterBytes(usize),
    /// Reads nothing more after so many messages of media, and keeps the connection.
    StallAfter(usize),
    /// Says nothing more when it comes to this.
    Silent(Step),
    /// Answers in another protocol.
    Foreign,
}

/// A message of media, as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) tag: Tag,
    pub(crate) at: Instant,
}

/// What came over one connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Publication {
    pub(crate) app: String,
    /// `tcUrl`.
    pub(crate) address: String,
    pub(crate) key: String,
    /// Names of commands, in their order.
    pub(crate) commands: Vec<String>,
    pub(crate) media: Vec<Got>,
    pub(crate) pongs: usize,
    pub(crate) is_closed: bool,
    pub(crate) closed_at: Option<Instant>,
}

impl Publication {
    /// Times of what is played of one kind, without configuration records.
    pub(crate) fn times(&self, kind: TagKind) -> Vec<u32> {
        let played = self.played().filter(|got| got.tag.kind == kind);
        played.map(|got| got.tag.timestamp_ms).collect()
    }

    /// Pictures and sound, without configuration records.
    pub(crate) fn played(&self) -> impl Iterator<Item = &Got> {
        self.media
            .iter()
            .filter(|got| got.tag.kind != TagKind::Script && got.tag.data[1] != 0)
    }

    /// Configuration records.
    pub(crate) fn records(&self) -> Vec<Bytes> {
        let media = self.media.iter().map(|got| &got.tag);
        media
            .filter(|tag| tag.kind != TagKind::Script && tag.data[1] == 0)
            .map(|tag| tag.data.clone())
            .collect()
    }

    /// All of it as a file.
    pub(crate) fn flv(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_header(&mut bytes);
        let media = self.media.iter().map(|got| &got.tag);
        for tag in media.filter(|tag| tag.kind != TagKind::Script) {
            write_tag(tag, &mut bytes);
        }
        bytes
    }
}

/// What connections share.
#[derive(Debug, Default)]
struct Ledger {
    publications: Mutex<Vec<Publication>>,
    changed: Notify,
}

impl Ledger {
    fn note<T>(&self, index: usize, change: impl FnOnce(&mut Publication) -> T) -> T {
        let result = change(&mut self.publications.lock().unwrap()[index]);
        // A waiter asks for the news before it looks, so that none is missed.
        self.changed.notify_waiters();
        result
    }
}

/// A running ingest.
pub(crate) struct Ingest {
    pub(crate) port: u16,
    ledger: Arc<Ledger>,
    task: JoinHandle<()>,
}

impl Drop for Ingest {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Ingest {
    /// An ingest that treats its connections in these manners, further ones like the last.
    pub(crate) fn start(manners: impl Into<Vec<Manner>>) -> Self {
        Self::on(0, manners.into(), None)
    }

    /// The same, on this port.
    pub(crate) fn start_on(port: u16, manners: impl Into<Vec<Manner>>) -> Self {
        Self::on(port, manners.into(), None)
    }

    /// The same, over TLS.
    pub(crate) fn start_tls(manners: impl Into<Vec<Manner>>, tls: ServerConfig) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        Self::on(0, manners.into(), Some(acceptor))
    }

    /// One connection to an ingest of this manner, without a network: the clock may stand still.
    pub(crate) fn in_memory(manner: Manner) -> DuplexStream {
        let (near, far) = tokio::io::duplex(64 * 1024);
        super::task::spawn(async move {
            let ledger = Ledger::default();
            ledger
                .publications
                .lock()
                .unwrap()
                .push(Publication::default());
            let _ended = Box::pin(session::converse(far, manner, &ledger, 0)).await;
        });
        near
    }

    fn on(port: u16, manners: Vec<Manner>, tls: Option<TlsAcceptor>) -> Self {
        let listener = listen(port);
        let port = listener.local_addr().unwrap().port();
        let ledger = Arc::new(Ledger::default());
        let task = super::task::spawn(accept_all(listener, manners, tls, Arc::clone(&ledger)));
        Self { port, ledger, task }
    }

    /// What came so far, by connection.
    pub(crate) fn publications(&self) -> Vec<Publication> {
        self.ledger.publications.lock().unwrap().clone()
    }

    /// Closes all connections and listens no more; what came until then.
    pub(crate) async fn close(mut self) -> Vec<Publication> {
        self.task.abort();
        // With it those of the connections end.
        let _aborted = (&mut self.task).await;
        self.publications()
    }

    /// Takes out what came, by connection, so that hours of it don't fill the memory.
    #[allow(dead_code, reason = "for examples/broadcast, which runs for hours")]
    pub(crate) fn take(&self) -> Vec<Vec<Got>> {
        let mut publications = self.ledger.publications.lock().unwrap();
        let media = publications
            .iter_mut()
            .map(|publication| &mut publication.media);
        media.map(std::mem::take).collect()
    }

    /// Waits until this holds of what came.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn(&[Publication]) -> bool) {
        let waiting = async {
            loop {
                let changed = self.ledger.changed.notified();
                if holds(&self.ledger.publications.lock().unwrap()) {
                    return;
                }
                changed.await;
            }
        };
        let result = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(result.is_ok(), "not within {PATIENCE:?}: {what}");
    }

    /// Address of the application `live` here.
    pub(crate) fn url(&self) -> String {
        format!("rtmp://127.0.0.1:{}/live", self.port)
    }
}

fn listen(port: u16) -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    // So that a reader who stops is felt soon.
    socket.set_recv_buffer_size(32 * 1024).unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket
        .bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .unwrap();
    socket.listen(16).unwrap()
}

async fn accept_all(
    listener: TcpListener,
    manners: Vec<Manner>,
    tls: Option<TlsAcceptor>,
    ledger: Arc<Ledger>,
) {
    let mut connections = tokio::task::JoinSet::new();
    for index in 0.. {
        let (stream, _) = listener.accept().await.unwrap();
        let manner = manners.get(index).or(manners.last()).copied().unwrap();
        ledger
            .publications
            .lock()
            .unwrap()
            .push(Publication::default());
        let (ledger, tls) = (Arc::clone(&ledger), tls.clone());
        connections.spawn(async move {
            Box::pin(converse(stream, manner, tls, &ledger, index)).await;
            ledger.note(index, |publication| {
                publication.is_closed = true;
                publication.closed_at = Some(Instant::now());
            });
        });
    }
}

async fn converse(
    stream: TcpStream,
    manner: Manner,
    tls: Option<TlsAcceptor>,
    ledger: &Ledger,
    index: usize,
) {
    let _ended = match tls {
        None => session::converse(stream, manner, ledger, index).await,
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => session::converse(stream, manner, ledger, index).await,
            Err(error) => Err(error),
        },
    };
}

/// How long is waited for what should come at once.
const PATIENCE: Duration = Duration::from_secs(60);
/// For so long a connection that nobody reads is kept: longer than any test waits.
const KEPT: Duration = Duration::from_secs(300);
