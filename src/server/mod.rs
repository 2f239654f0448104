//! The listening side: an accept loop of our own with limits on every client, and a visible end.
//!
//! `axum::serve` sets no timer, so a silent or dripping client would stay for ever; here each connection is watched
//! (`activity`), counted (`clients`) and ended by the process's [`Lifecycle`]. TLS may end here (`tls`). Knows no route:
//! `cli` brings the router.

mod activity;
mod certificate;
mod clients;
mod connection;
mod exchange;
mod frames;
mod io;
mod preface;
mod protocol;
#[cfg(test)]
mod tests;
mod tls;
mod wire;

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use futures_util::Stream;
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};

use crate::config::ServerConfig;
use crate::lifecycle::{Lifecycle, Outcome, StopTimes};
use activity::Limits;
use clients::Clients;
use connection::Connection;
pub use protocol::StreamReset;
use protocol::TrackedExecutor;
use tls::Tls;

/// Connections the system may keep ready before they are accepted; it caps the figure at `net.core.somaxconn`.
const BACKLOG: u32 = 4096;
/// Pause after an accept that failed for lack of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Extension of every request: the address of the peer, an IPv4 one in IPv4 form. A proxy when there is one in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddr(pub SocketAddr);

/// Binds a listening socket.
///
/// # Errors
/// The address is taken, foreign or not permitted.
pub fn bind(address: SocketAddr) -> Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Else a restart waits for the last connections of the former process to leave TIME-WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts clients and answers them with a router.
#[derive(Debug)]
pub struct Server {
    router: Router,
    config: Arc<ServerConfig>,
    lifecycle: Lifecycle,
    places: Arc<Semaphore>,
    clients: Arc<Clients>,
    protocol: Arc<auto::Builder<TrackedExecutor>>,
    tls: Option<Arc<Tls>>,
}

impl Server {
    /// A server that answers with `router` until `lifecycle` ends.
    pub fn new(config: ServerConfig, router: Router, lifecycle: Lifecycle) -> Self {
        Self {
            router,
            places: Arc::new(Semaphore::new(config.max_connections)),
            clients: Arc::new(Clients::new(config.max_connections_per_client)),
            protocol: Arc::new(protocol::builder(&lifecycle)),
            tls: config.tls.clone().map(|tls| Arc::new(Tls::new(tls))),
            config: Arc::new(config),
            lifecycle,
        }
    }

    /// Serves until a signal ends the process, and says how it ended. Each item of `signals` is one signal.
    pub async fn run(
        self,
        listener: TcpListener,
        signals: impl Stream<Item = ()> + Send,
    ) -> Outcome {
        let lifecycle = self.lifecycle.clone();
        let times = StopTimes {
            delay: self.config.shutdown_delay,
            grace: self.config.shutdown_grace,
        };
        lifecycle.spawn(self.serve(listener));
        lifecycle.supervise(signals, times).await
    }

    /// Accepts until the soft end. Connections go on in the tracker, which holds this call too, so that waiting for
    /// it can't miss one.
    pub async fn serve(self, listener: TcpListener) {
        let _running = self.lifecycle.tracker.token();
        let soft = self.lifecycle.soft.clone();
        soft.run_until_cancelled(self.accept_all(&listener)).await;
    }

    async fn accept_all(&self, listener: &TcpListener) {
        let mut is_starved = false;
        // The semaphore is never closed, so this ends only with the future.
        while let Ok(place) = Arc::clone(&self.places).acquire_owned().await {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    is_starved = false;
                    self.admit(stream, peer, place);
                }
                Err(error) if concerns_one_client(&error) => {}
                Err(error) => {
                    // Once per shortage: the loop comes by ten times a second.
                    if !is_starved {
                        tracing::error!(err = %error, "accept failed");
                    }
                    is_starved = true;
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn admit(&self, stream: TcpStream, peer: SocketAddr, place: OwnedSemaphorePermit) {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let seat = if self.config.trusts(peer.ip()) {
            None
        } else if let Some(seat) = self.clients.admit(peer.ip()) {
            Some(seat)
        } else {
            tracing::debug!(client = %peer.ip(), "too many connections of one client");
            return;
        };
        // Small answers must not wait for the acknowledgement of earlier ones (Nagle). Fails only on a dead socket.
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let connection = Connection {
            router: self.router.clone(),
            protocol: Arc::clone(&self.protocol),
            tls: self.tls.clone(),
            limits: Limits::of(&self.config),
            client: ClientAddr(peer),
            accepted_at: Instant::now(),
            soft: self.lifecycle.soft.child_token(),
        };
        self.lifecycle.spawn(async move {
            connection.run(stream).await;
            drop((place, seat));
        });
    }
}

/// Whether accept failed because that one client has gone already (accept(2), "Error handling").
fn concerns_one_client(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::Interrupted
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::NetworkUnreachable
    )
}
