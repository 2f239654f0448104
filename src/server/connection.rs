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
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::ClientAddr;
use super::activity::{Activity, Limits, Reason, Verdict};
use super::exchange::Exchanges;
use super::io::ClientStream;
use super::preface::read_opening;
use super::protocol::TrackedExecutor;

/// What one connection needs.
pub(super) struct Connection {
    pub(super) router: Router,
    pub(super) protocol: Arc<auto::Builder<TrackedExecutor>>,
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
}

impl Connection {
    /// Serves the connection until it ends. Dropping the future cuts it.
    pub(super) async fn run(self, mut stream: TcpStream) {
        let client = self.client.0;
        let due = self.accepted_at + self.limits.head;
        let opening = self
            .soft
            .run_until_cancelled(timeout_at(due, read_opening(&mut stream)));
        let Some(Ok(Ok(opening))) = opening.await else {
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
        let watched = Watched {
            http,
            activity: &activity,
            soft: Some(soft),
            alarm,
        };
        match watched.await {
            End::Closed(Ok(())) => {}
            End::Closed(Err(error)) => {
                let error: Box<dyn Error + Send + Sync> = error;
                tracing::debug!(%client, err = %error, "connection failed");
            }
            End::Limit(reason) => tracing::debug!(%client, ?reason, "connection closed"),
        }
    }
}

/// A connection together with its clock and the soft end, polled as one so that the clock always knows what the
/// connection has just done.
struct Watched<'a, C> {
    http: Pin<&'a mut C>,
    activity: &'a Activity,
    /// Gone once it has come.
    soft: Option<Pin<&'a mut WaitForCancellationFutureOwned>>,
    alarm: Pin<&'a mut Sleep>,
}

impl<C: GracefulConnection> Future for Watched<'_, C> {
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

impl<C> Watched<'_, C> {
    /// Whether there is time left before `until`. An alarm set for earlier is left alone and looked at when it rings,
    /// so that a busy connection doesn't move its timer with every piece.
    fn alarm_pending(&mut self, cx: &mut Context<'_>, until: Instant) -> bool {
        if self.alarm.is_elapsed() || until < self.alarm.deadline() {
            self.alarm.as_mut().reset(until);
        }
        self.alarm.as_mut().poll(cx).is_pending()
    }
}
