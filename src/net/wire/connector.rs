//! From an address to a connection: resolved under the guard, through the operator's proxy, with TLS where asked.

use std::error::Error;
use std::future::{Ready, ready};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::future::BoxFuture;
use http::{HeaderValue, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tower::Service;
use url::{Position, Url};

use super::exchange::Io;
use crate::net::failure::{is_timeout, message, refusal};
use crate::net::guard::{AddressGuard, GuardedResolver};
use crate::net::proxy::Proxies;
use crate::net::{ClientConfig, GuardError, IpFamily, NetError, Phase, tls};

type BoxError = Box<dyn Error + Send + Sync>;

/// An idle connection is asked for a sign of life after so long, and again, so often.
const KEEPALIVE: Duration = Duration::from_secs(15);
const KEEPALIVE_TRIES: u32 = 3;
/// The port of SOCKS proxies that name none (RFC 1928).
const SOCKS_PORT: u16 = 1080;

/// Makes connections.
pub(super) struct Connector {
    tcp: HttpConnector<Resolver>,
    tls: TlsConnector,
    guard: Arc<AddressGuard>,
    proxies: Arc<Proxies>,
    timeout: Duration,
}

impl Connector {
    pub(super) fn new(config: &ClientConfig, family: Option<IpFamily>) -> Result<Self, NetError> {
        let (guard, proxies) = (Arc::clone(&config.guard), Arc::clone(&config.proxies));
        let resolver = GuardedResolver::new(config, family);
        let mut tcp = HttpConnector::new_with_resolver(Resolver(resolver));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_local_address(config.source);
        tcp.set_connect_timeout(Some(config.connect_timeout));
        // A way out that changes leaves connections that look alive.
        tcp.set_keepalive(Some(KEEPALIVE));
        tcp.set_keepalive_interval(Some(KEEPALIVE));
        tcp.set_keepalive_retries(Some(KEEPALIVE_TRIES));
        // A stalled transfer holds up no other: never HTTP/2.
        let tls = tls::client_config(&config.roots, &[b"http/1.1"])?;
        Ok(Self {
            tcp,
            tls: TlsConnector::from(Arc::new(tls)),
            guard,
            proxies,
            timeout: config.connect_timeout,
        })
    }

    /// The proxy that wants requests to `target` in absolute form; `None` where they go to the host itself, through a
    /// tunnel or not.
    pub(super) fn forward_proxy(&self, target: &Url) -> Option<ForwardProxy> {
        let proxy = self.proxies.route(target)?;
        let is_forward = target.scheme() == "http" && proxy.scheme().starts_with("http");
        is_forward.then(|| ForwardProxy {
            credentials: credentials(proxy),
        })
    }

    /// A connection on which the next bytes are HTTP with the host of `target`, or with the proxy in front of it.
    pub(super) async fn connect(&self, target: &Url) -> Result<Box<dyn Io>, NetError> {
        let host = || target.host_str().unwrap_or_default().to_owned();
        match timeout(self.timeout, self.stream(target)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(match refusal(&*error) {
                Some(refused) => NetError::Guard(refused),
                // The library's own limit, the same as ours, may be the first to be looked at.
                None if is_timeout(&*error) => too_slow(host()),
                None => NetError::Connect {
                    host: host(),
                    message: message(&*error),
                },
            }),
            Err(_elapsed) => Err(too_slow(host())),
        }
    }

    async fn stream(&self, target: &Url) -> Result<Box<dyn Io>, BoxError> {
        let is_tls = target.scheme() == "https";
        let stream = match self.proxies.route(target) {
            None => self.direct(target).await?,
            Some(proxy) if !proxy.scheme().starts_with("http") => self.socks(proxy, target).await?,
            Some(proxy) if is_tls => self.tunnel(proxy, target).await?,
            Some(proxy) => self.to_proxy(proxy).await?,
        };
        if is_tls {
            self.secure(stream, target).await
        } else {
            Ok(stream)
        }
    }

    async fn direct(&self, target: &Url) -> Result<Box<dyn Io>, BoxError> {
        let stream = self.dial(target, 0).await?;
        // The second look, at the address that was really dialled (reliability R5.3).
        if !self.guard.allows(stream.peer_addr()?.ip()) {
            return Err(GuardError::PrivateAddress.into());
        }
        Ok(Box::new(stream))
    }

    async fn to_proxy(&self, proxy: &Url) -> Result<Box<dyn Io>, BoxError> {
        let stream = Box::new(self.dial(proxy, 0).await?);
        if proxy.scheme() == "https" {
            self.secure(stream, proxy).await
        } else {
            Ok(stream)
        }
    }

    async fn tunnel(&self, proxy: &Url, target: &Url) -> Result<Box<dyn Io>, BoxError> {
        let stream = self.to_proxy(proxy).await?;
        tunnelled(proxy, stream, authority(target, 0)?).await
    }

    /// The proxy resolves the name (ruling 11).
    async fn socks(&self, proxy: &Url, target: &Url) -> Result<Box<dyn Io>, BoxError> {
        let stream = Box::new(self.dial(proxy, SOCKS_PORT).await?);
        tunnelled(proxy, stream, authority(target, 0)?).await
    }

    async fn dial(&self, url: &Url, default_port: u16) -> Result<TcpStream, BoxError> {
        let mut tcp = self.tcp.clone();
        let stream = tcp.call(authority(url, default_port)?).await?;
        Ok(stream.into_inner())
    }

    async fn secure(&self, stream: Box<dyn Io>, url: &Url) -> Result<Box<dyn Io>, BoxError> {
        let host = url.host_str().unwrap_or_default();
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())?;
        Ok(Box::new(self.tls.connect(name, stream).await?))
    }
}

/// Lets the proxy at the other end of `stream` connect to `target`, a host and port, for whatever is spoken there.
///
/// # Errors
/// The proxy does not.
pub(in crate::net) async fn through(
    proxy: &Url,
    stream: Box<dyn Io>,
    target: &str,
) -> io::Result<Box<dyn Io>> {
    let target = Uri::try_from(format!("http://{target}/")).map_err(io::Error::other)?;
    let tunnel = tunnelled(proxy, stream, target).await;
    tunnel.map_err(io::Error::other)
}

async fn tunnelled(proxy: &Url, stream: Box<dyn Io>, target: Uri) -> Result<Box<dyn Io>, BoxError> {
    let reach = Reach(Some(stream));
    if proxy.scheme().starts_with("http") {
        let mut tunnel = Tunnel::new(authority(proxy, 0)?, reach);
        if let Some(credentials) = credentials(proxy) {
            tunnel = tunnel.with_auth(credentials);
        }
        return Ok(tunnel.call(target).await?.into_inner());
    }
    let mut socks = SocksV5::new(authority(proxy, SOCKS_PORT)?, reach);
    if !proxy.username().is_empty() {
        let password = decoded(proxy.password().unwrap_or_default());
        socks = socks.with_auth(decoded(proxy.username()), password);
    }
    Ok(socks.call(target).await?.into_inner())
}

fn too_slow(host: String) -> NetError {
    NetError::Timeout {
        host,
        phase: Phase::Connect,
    }
}

/// A proxy for requests in absolute form.
pub(in crate::net) struct ForwardProxy {
    pub(super) credentials: Option<HeaderValue>,
}

/// Scheme, host and port of `url`: what the library's connectors look at.
fn authority(url: &Url, default_port: u16) -> Result<Uri, BoxError> {
    let host = &url[Position::BeforeHost..Position::AfterHost];
    let port = url.port_or_known_default().unwrap_or(default_port);
    let scheme = if url.scheme() == "https" {
        "https"
    } else {
        "http"
    };
    Ok(Uri::try_from(format!("{scheme}://{host}:{port}/"))?)
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// `Basic` credentials of a proxy's address (RFC 7617).
fn credentials(proxy: &Url) -> Option<HeaderValue> {
    let (name, password) = (proxy.username(), proxy.password());
    if name.is_empty() && password.is_none() {
        return None;
    }
    let pair = format!(
        "{}:{}",
        decoded(name),
        decoded(password.unwrap_or_default())
    );
    let mut value =
        HeaderValue::try_from(format!("Basic {}", BASE64_STANDARD.encode(pair))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Hands an open connection to the library's tunnels, which ask for one.
struct Reach(Option<Box<dyn Io>>);

impl Service<Uri> for Reach {
    type Response = TokioIo<Box<dyn Io>>;
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let stream = self.0.take().map(TokioIo::new);
        ready(stream.ok_or_else(|| io::ErrorKind::NotConnected.into()))
    }
}

/// The guarded resolver as the library's TCP connector wants it.
#[derive(Clone)]
struct Resolver(GuardedResolver);

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolver = self.0.clone();
        Box::pin(async move { Ok(resolver.lookup(name.as_str()).await?.into_iter()) })
    }
}
