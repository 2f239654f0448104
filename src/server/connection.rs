//! One connection from accept to close: opening, HTTP, limits, the soft end.

use std::error::Error;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulConnection;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::ClientAddr;
use super::activity::{Activity, Limits, Reason, Verdict};
use super::exchange::Exchanges;
use super::io::{ClientStream, Transport};
use super::preface::{Opening, read_opening};
use super::protocol::TrackedExecutor;
use super::tls::Tls;
use super::wire::{Wire, left};

/// What one connection needs.
pub(super) struct Connection {
    pub(super) router: Router,
    pub(super) protocol: Arc<auto::Builder<TrackedExecutor>>,
    /// `None` for plain HTTP.
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) limits: Limits,
    pub(super) client: ClientAddr,
    pub(super) accepted_at: Instant,
    pub(super) soft: CancellationToken,
}

/// How a connection ended.
#[derive(Debug)]
enum End<E> {
    /// By the client, by keep-alive rules or by an error of HTTP.
    Closed(Result<(), E>),
    /// By one of our limits.
    Limit(Reason),
    /// The client left in the middle of a response.
    Left,
}

impl Connection {
    /// Serves the connection until it ends. Dropping the future cuts it.
    pub(super) async fn run(self, stream: TcpStream) {
        let client = self.client.0;
        let due = self.accepted_at + self.limits.head;
        let socket = Arc::new(stream);
        let opened = self
            .soft
            .run_until_cancelled(timeout_at(due, self.open(Wire::new(Arc::clone(&socket)))));
        let Some(Ok(Ok((stream, opening)))) = opened.await else {
            tracing::debug!(%client, "connection without a request");
            return;
        };
        let activity = Arc::new(Activity::new(self.limits, opening.is_h2, self.accepted_at));
        let exchanges = Exchanges {
            router: self.router,
            client: self.client,
            activity: Arc::clone(&activity),
        };
        let stream = ClientStream::new(stream, opening.bytes, Arc::clone(&activity));
        let http = self
            .protocol
            .serve_connection(TokioIo::new(stream), exchanges);
        let http = pin!(http);
        let soft = pin!(self.soft.clone().cancelled_owned());
        let alarm = pin!(sleep_until(due));
        let left = pin!(left(&socket));
        let watched = Watched {
            http,
            activity: &activity,
            soft: Some(soft),
            alarm,
            left: Some(left),
        };
        match watched.await {
            End::Closed(Ok(())) => {}
            End::Closed(Err(error)) => {
                let error: Box<dyn Error + Send + Sync> = error;
                tracing::debug!(%client, err = %error, "connection failed");
            }
            End::Limit(reason) => tracing::debug!(%client, ?reason, "connection closed"),
            End::Left => tracing::debug!(%client, "client left"),
        }
    }

    /// Up to the first bytes of HTTP, through TLS where it ends here.
    async fn open(&self, wire: Wire) -> std::io::Result<(Transport, Opening)> {
        let mut stream = match &self.tls {
            None => Either::Left(wire),
            Some(tls) => Either::Right(self.handshake(tls, wire).await?),
        };
        let opening = read_opening(&mut stream).await?;
        Ok((stream, opening))
    }

    async fn handshake(&self, tls: &Tls, wire: Wire) -> std::io::Result<Box<TlsStream<Wire>>> {
        // Boxed, because it is large: the task of every plain connection would hold room for it.
        match Box::pin(tls.accept(wire)).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => {
                tracing::debug!(client = %self.client.0, err = %error, "handshake failed");
                Err(error)
            }
        }
    }
}

/// A connection together with its clock, its client and the soft end, polled as one so that the clock always knows what
/// the connection has just done.
struct Watched<'a, C, L> {
    http: Pin<&'a mut C>,
    activity: &'a Activity,
    /// Gone once it has come.
    soft: Option<Pin<&'a mut WaitForCancellationFutureOwned>>,
    alarm: Pin<&'a mut Sleep>,
    /// Gone once the client has left.
    left: Option<Pin<&'a mut L>>,
}

impl<C: GracefulConnection, L: Future<Output = ()>> Future for Watched<'_, C, L> {
    type Output = End<C::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some(soft) = &mut this.soft
            && soft.as_mut().poll(cx).is_ready()
        {
            this.soft = None;
            this.http.as_mut().graceful_shutdown();
        }
        loop {
            if let Poll::Ready(result) = this.http.as_mut().poll(cx) {
                return Poll::Ready(End::Closed(result));
            }
            // After hyper's turn, so that what can be answered at once is answered.
            if this.has_left(cx) && this.activity.is_busy() {
                return Poll::Ready(End::Left);
            }
            match this.activity.judge(Instant::now()) {
                Verdict::Close(reason) => return Poll::Ready(End::Limit(reason)),
                Verdict::Idle => this.http.as_mut().graceful_shutdown(),
                Verdict::Wait(until) => {
                    if this.alarm_pending(cx, until) {
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}

impl<C, L: Future<Output = ()>> Watched<'_, C, L> {
    /// Whether the client sends nothing any more.
    ///
    /// hyper finds out by reading, which it doesn't while it holds bytes of a next request. And a client that only shuts
    /// its sending side down can't be told from one that closed: as with hyper's own rule and with nginx in front of an
    /// upstream, it has left, unless its answer is ready. To wait for a write to fail would hold the upstream for as
    /// long as it is silent.
    fn has_left(&mut self, cx: &mut Context<'_>) -> bool {
        if let Some(left) = &mut self.left
            && left.as_mut().poll(cx).is_ready()
        {
            self.left = None;
        }
        self.left.is_none()
    }

    /// Whether there is time left before `until`. An alarm set for earlier is left alone and looked at when it rings,
    /// so that a busy connection doesn't move its timer with every piece.
    fn alarm_pending(&mut self, cx: &mut Context<'_>, until: Instant) -> bool {
        if self.alarm.is_elapsed() || until < self.alarm.deadline() {
            self.alarm.as_mut().reset(until);
        }
        self.alarm.as_mut().poll(cx).is_pending()
    }
}
