//! What HTTP/1.1 and HTTP/2 allow a client: sizes, counts, timers.

use std::time::Duration;

use hyper::rt::Executor;
use hyper_util::rt::TokioTimer;
use hyper_util::server::conn::auto;
use tokio_util::sync::CancellationToken;

use crate::lifecycle::Lifecycle;

/// Bytes of a request head. The target alone may have 16 KiB, so that a longer one still reaches our own answer (414);
/// as much again for the fields. hyper answers 431 beyond.
const MAX_HEAD: usize = 32 * 1024;
/// Fields of a request head; 431 beyond.
const MAX_FIELDS: usize = 64;
/// HTTP/2 streams at once on one connection.
const MAX_STREAMS: u32 = 100;
/// Streams the client reset before we took them up, the mark of a rapid reset (CVE-2023-44487); GOAWAY beyond.
const MAX_PENDING_RESETS: usize = 20;
/// Streams we reset because the client broke the rules; GOAWAY beyond.
const MAX_LOCAL_RESETS: usize = 64;
/// Bytes of request bodies a client may send ahead, per stream and per connection. Bodies have at most 64 KiB.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 256 * 1024;
/// Bytes hyper holds per HTTP/2 stream for a client that doesn't take them.
const SEND_BUFFER: usize = 64 * 1024;
/// An HTTP/2 client with a running stream is asked for a sign of life this often, and closed without an answer in time.
/// The question waits behind what the client's own system holds unread, which a slow reader needs this long for.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(60);

/// Runs HTTP/2 streams as tasks that the process waits for and can cut.
#[derive(Debug, Clone)]
pub(super) struct TrackedExecutor(Lifecycle);

impl<F> Executor<F> for TrackedExecutor
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        let reset = StreamReset::default();
        let task = RESET.scope(reset.clone(), task);
        self.0.spawn(async move {
            // Dropping the task of a stream resets it (RST_STREAM), and frees what the library holds for it.
            reset.0.run_until_cancelled_owned(task).await;
        });
    }
}

tokio::task_local! {
    static RESET: StreamReset;
}

/// Extension of requests that are HTTP/2 streams: ends the stream without its connection. Nothing else can, once the
/// library waits for the client's window and asks for no further piece.
#[derive(Debug, Clone, Default)]
pub struct StreamReset(pub CancellationToken);

impl StreamReset {
    /// That of the stream whose task runs now.
    pub(super) fn of_this_stream() -> Option<Self> {
        RESET.try_with(Self::clone).ok()
    }
}

/// The settings all connections share.
pub(super) fn builder(lifecycle: &Lifecycle) -> auto::Builder<TrackedExecutor> {
    let mut builder = auto::Builder::new(TrackedExecutor(lifecycle.clone()));
    builder
        .http1()
        .timer(TokioTimer::new())
        // hyper's one timer runs on idle connections too; `activity` keeps two limits apart.
        .header_read_timeout(None)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_FIELDS)
        // `connection` watches for clients that leave, also where hyper would not look.
        .half_close(true)
        // Clients of ServerPY compare names by letter.
        .title_case_headers(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_local_error_reset_streams(MAX_LOCAL_RESETS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}
