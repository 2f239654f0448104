//! From a host and port to a connection: looked up, judged, and the judged address dialled.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::guard::{TargetConfig, TargetRefused};
use super::stream::TargetStream;
use crate::net::wire::{self, Io};
use crate::net::{ClientConfig, NetError, tls};

/// The question for a name's addresses.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(3);
/// One address.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// The TLS handshake.
const TLS_TIMEOUT: Duration = Duration::from_secs(5);
/// All that a proxy has to do.
const PROXY_TIMEOUT: Duration = Duration::from_secs(10);
/// The port of SOCKS proxies that name none (RFC 1928).
const SOCKS_PORT: u16 = 1080;
/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 4;
/// What was sent and not taken, or can't be sent because the other side takes nothing, may stay so for this long;
/// then the system ends the connection (`tcp(7)`, `TCP_USER_TIMEOUT`). This is the stall of ruling 41, watched where
/// the send queue is.
const SEND_QUEUE_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes that the system holds unsent before we wait. What it holds is lost when the connection is: left to itself it
/// would take several seconds of a broadcast.
const MAX_UNSENT: u32 = 128 * 1024;
/// A connection on which nothing is sent is asked for a sign of life after so long.
const KEEPALIVE: Duration = Duration::from_secs(15);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_TRIES: u32 = 3;

/// Why an ingest could not be reached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// It must not be.
    #[error(transparent)]
    Refused(#[from] TargetRefused),
    /// Its name has no address.
    #[error("can't resolve the target's name: {0}")]
    Lookup(#[source] io::Error),
    /// Nothing answers there.
    #[error("can't connect: {0}")]
    Connect(#[source] io::Error),
    /// It answers, but no TLS that can be trusted.
    #[error("TLS: {0}")]
    Tls(#[source] io::Error),
}

/// A way out: from a local address, through a proxy, or directly.
#[derive(Clone, Default)]
pub(in crate::net) struct Via {
    /// The local address.
    pub(in crate::net) source: Option<IpAddr>,
    /// The proxy, which looks names up itself.
    pub(in crate::net) proxy: Option<Url>,
}

/// Dials ingests.
#[derive(Clone)]
pub struct TargetDialer {
    config: TargetConfig,
    tls: TlsConnector,
    ways: Arc<HashMap<Arc<str>, Via>>,
    via: Via,
}

impl TargetDialer {
    /// A dialer that trusts the same roots as the client for the sites.
    ///
    /// # Errors
    /// TLS can't be set up.
    pub fn new(config: TargetConfig, client: &ClientConfig) -> Result<Self, NetError> {
        let tls = tls::client_config(&client.roots, &[])?;
        Ok(Self {
            config,
            tls: TlsConnector::from(Arc::new(tls)),
            ways: Arc::default(),
            via: Via::default(),
        })
    }

    /// Lets these ways out be named.
    pub(in crate::net) fn with_ways(
        mut self,
        ways: impl IntoIterator<Item = (Arc<str>, Via)>,
    ) -> Self {
        self.ways = Arc::new(ways.into_iter().collect());
        self
    }

    /// One that dials by the way out of this name, directly for `None`; `None` when there is no such way.
    pub fn by(&self, way: Option<&str>) -> Option<Self> {
        let via = match way {
            Some(name) => self.ways.get(name)?.clone(),
            None => Via::default(),
        };
        Some(Self {
            via,
            ..self.clone()
        })
    }

    /// Whether it dials by no particular way out.
    pub fn is_direct(&self) -> bool {
        self.via.source.is_none() && self.via.proxy.is_none()
    }

    /// Which targets may be dialled.
    pub fn config(&self) -> &TargetConfig {
        &self.config
    }

    /// A connection to `host`, with TLS when `is_tls`. Every call asks for its addresses and judges them anew, and
    /// dials no other. Through a proxy nothing is asked for here: the host is judged by what it says itself (ruling 11).
    ///
    /// # Errors
    /// [`DialError`], after 25 s at most.
    pub async fn dial(
        &self,
        host: &Host,
        port: u16,
        is_tls: bool,
    ) -> Result<TargetStream, DialError> {
        self.config.check(host, port)?;
        let stream: Box<dyn Io> = if let Some(proxy) = &self.via.proxy {
            let tunnel = within(PROXY_TIMEOUT, self.through(proxy, host, port));
            tunnel.await.map_err(DialError::Connect)?
        } else {
            let addresses = self.addresses(host, port).await?;
            let stream = connect(&addresses, self.via.source).await;
            Box::new(stream.map_err(DialError::Connect)?)
        };
        if !is_tls {
            return Ok(TargetStream(stream));
        }
        let stream = self.secure(host, stream).await.map_err(DialError::Tls)?;
        Ok(TargetStream(stream))
    }

    async fn through(&self, proxy: &Url, host: &Host, port: u16) -> io::Result<Box<dyn Io>> {
        let own = proxy.host().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        let own_port = proxy.port_or_known_default().unwrap_or(SOCKS_PORT);
        // The operator names it: it may lie anywhere.
        let addresses = match &own {
            Host::Domain(name) => lookup(name, own_port).await?,
            Host::Ipv4(address) => vec![SocketAddr::from((*address, own_port))],
            Host::Ipv6(address) => vec![SocketAddr::from((*address, own_port))],
        };
        let stream: Box<dyn Io> = Box::new(connect(&addresses, None).await?);
        let stream = if proxy.scheme() == "https" {
            self.secure(&own, stream).await?
        } else {
            stream
        };
        wire::through(proxy, stream, &format!("{host}:{port}")).await
    }

    /// The address of `host` for a program that dials it itself. Every call asks for its addresses and judges them anew.
    ///
    /// # Errors
    /// [`DialError`], after 3 s at most.
    pub async fn resolve(&self, host: &Host, port: u16) -> Result<SocketAddr, DialError> {
        self.config.check(host, port)?;
        let addresses = self.addresses(host, port).await?;
        // There is one at least.
        addresses
            .first()
            .copied()
            .ok_or(TargetRefused::Private.into())
    }

    async fn addresses(&self, host: &Host, port: u16) -> Result<Vec<SocketAddr>, DialError> {
        let mut addresses = match host {
            Host::Ipv4(address) => vec![SocketAddr::from((*address, port))],
            Host::Ipv6(address) => vec![SocketAddr::from((*address, port))],
            Host::Domain(name) => lookup(name, port).await.map_err(DialError::Lookup)?,
        };
        addresses.retain(|address| self.config.allows(host, port, address.ip()));
        if addresses.is_empty() {
            return Err(TargetRefused::Private.into());
        }
        addresses.truncate(MAX_ADDRESSES);
        Ok(addresses)
    }

    async fn secure(&self, host: &Host, stream: Box<dyn Io>) -> io::Result<Box<dyn Io>> {
        let name = match host {
            Host::Domain(name) => ServerName::try_from(name.trim_end_matches('.').to_owned())
                .map_err(io::Error::other)?,
            Host::Ipv4(address) => ServerName::from(IpAddr::V4(*address)),
            Host::Ipv6(address) => ServerName::from(IpAddr::V6(*address)),
        };
        let stream = within(TLS_TIMEOUT, self.tls.connect(name, stream)).await?;
        Ok(Box::new(stream))
    }
}

async fn lookup(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let found = within(LOOKUP_TIMEOUT, tokio::net::lookup_host((name, port))).await?;
    Ok(found.collect())
}

/// The first of these addresses that answers, asked from a local address if one is named.
async fn connect(addresses: &[SocketAddr], source: Option<IpAddr>) -> io::Result<TcpStream> {
    let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match within(CONNECT_TIMEOUT, connect_from(source, *address)).await {
            Ok(stream) => {
                set_up(&stream)?;
                return Ok(stream);
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

async fn connect_from(source: Option<IpAddr>, address: SocketAddr) -> io::Result<TcpStream> {
    let Some(source) = source else {
        return TcpStream::connect(address).await;
    };
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.bind((source, 0).into())?;
    socket.connect(address).await
}

fn set_up(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_TRIES);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    {
        socket.set_tcp_user_timeout(Some(SEND_QUEUE_TIMEOUT))?;
        socket.set_tcp_notsent_lowat(MAX_UNSENT)?;
    }
    Ok(())
}

async fn within<T>(limit: Duration, step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(limit, step)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
