//! The one HTTP client: pages by a general library, media by [`Wire`](super::wire), behind the same guard.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use crate::net::budget::RetryBudget;
use crate::net::circuit::{Circuits, Verdict};
use crate::net::failure::{classify, message};
use crate::net::guard::{AddressGuard, GuardedResolver};
use crate::net::page::{is_redirect, location, read_capped};
use crate::net::proxy::Proxies;
use crate::net::wire::Wire;
use crate::net::{
    ClientConfig, GuardError, IpFamily, Jar, MediaRequest, MediaResponse, NetError, Page,
    PageRequest, Phase, tls,
};
use crate::observe::Extractions;

/// Redirects followed for one media request.
const MAX_REDIRECTS: usize = 5;
/// Idle connections kept per host, and for how long (reliability R4).
const POOL_IDLE_PER_HOST: usize = 32;
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// The one HTTP client: pages with decompression, media without; no redirects, no cookies of its own. Clones share
/// everything.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    egress: Option<Arc<str>>,
    pages: reqwest::Client,
    media: MediaPools,
    resolver: GuardedResolver,
    guard: Arc<AddressGuard>,
    proxies: Arc<Proxies>,
    budget: RetryBudget,
    circuits: Circuits,
    extractions: Extractions,
    idle_timeout: Duration,
    page_head_timeout: Duration,
    media_head_timeout: Duration,
}

/// Connections for media: for addresses that answer to anyone, and for those given to one kind of IP address.
struct MediaPools {
    any: Wire,
    v4: Wire,
    v6: Wire,
}

impl MediaPools {
    fn new(config: &ClientConfig) -> Result<Self, NetError> {
        Ok(Self {
            any: Wire::new(config, None)?,
            v4: Wire::new(config, Some(IpFamily::V4))?,
            v6: Wire::new(config, Some(IpFamily::V6))?,
        })
    }

    fn of(&self, family: Option<IpFamily>) -> &Wire {
        match family {
            None => &self.any,
            Some(IpFamily::V4) => &self.v4,
            Some(IpFamily::V6) => &self.v6,
        }
    }
}

// The library's `Debug` prints the proxy with its credentials.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("egress", &self.inner.egress)
            .field("proxies", &self.inner.proxies)
            .field("guard", &self.inner.guard)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Builds the client, and logs the proxy and the private ranges in use.
    ///
    /// # Errors
    /// [`NetError::Setup`] when TLS can't be set up.
    pub fn new(config: ClientConfig) -> Result<Self, NetError> {
        log_way_out(&config);
        Ok(Self {
            inner: Arc::new(Inner {
                egress: config.egress.clone(),
                pages: pages(&config)?,
                media: MediaPools::new(&config)?,
                resolver: GuardedResolver::new(&config, None),
                guard: config.guard,
                proxies: config.proxies,
                budget: RetryBudget::new(Instant::now()),
                circuits: Circuits::default(),
                extractions: config.extractions.clone(),
                idle_timeout: config.idle_timeout,
                page_head_timeout: config.page_head_timeout,
                media_head_timeout: config.media_head_timeout,
            }),
        })
    }

    /// Name of the way out, when there are several: what a site gives to one is of no use to another.
    pub fn egress(&self) -> Option<&str> {
        self.inner.egress.as_deref()
    }

    pub(super) fn resolver(&self) -> &GuardedResolver {
        &self.inner.resolver
    }

    pub(super) fn proxies(&self) -> &Arc<Proxies> {
        &self.inner.proxies
    }

    /// The way of media that anybody may fetch.
    pub(super) fn any_media(&self) -> &Wire {
        &self.inner.media.any
    }

    /// Whether `ALLOW_PRIVATE_UPSTREAM` lets more than public addresses be dialled.
    pub fn is_guard_relaxed(&self) -> bool {
        !self.inner.guard.exceptions().is_empty()
    }

    /// The counts of what came of extractions. They go with the client because every extraction has one.
    pub fn extractions(&self) -> &Extractions {
        &self.inner.extractions
    }

    /// Takes a retry at `host` out of its budget (reliability R4.1); `false` when that is used up. Whoever asks again
    /// because something failed asks here first.
    pub fn take_retry(&self, host: &str) -> bool {
        self.inner.budget.take_retry(host, Instant::now())
    }

    /// Longest wait for a piece of a body.
    pub fn idle_timeout(&self) -> Duration {
        self.inner.idle_timeout
    }

    /// Fetches one hop and reads it whole; sends the jar's cookies and keeps what the answer sets. A redirect is
    /// returned, not followed.
    ///
    /// # Errors
    /// Guard, connection, time-out, size; [`NetError::Suspended`] when the host has failed too often of late.
    pub async fn fetch(&self, request: PageRequest<'_>, jar: &mut Jar) -> Result<Page, NetError> {
        request.hosts.check(request.url)?;
        let host = host_of(request.url);
        let call = match self.inner.circuits.enter(&host, Instant::now()) {
            Ok(call) => call,
            Err(retry_after) => return Err(NetError::Suspended { host, retry_after }),
        };
        let fetched = match timeout(request.timeout, self.fetch_page(&request, jar)).await {
            Ok(page) => page,
            Err(_elapsed) => Err(NetError::Timeout {
                host,
                phase: Phase::Whole,
            }),
        };
        call.end(verdict(&fetched), Instant::now());
        fetched
    }

    async fn fetch_page(&self, request: &PageRequest<'_>, jar: &mut Jar) -> Result<Page, NetError> {
        let deadline = Instant::now() + self.inner.page_head_timeout;
        let upstream = request.to_upstream(jar);
        let mut answer = self.send(upstream, deadline).await?;
        let status = answer.status();
        let headers = std::mem::take(answer.headers_mut());
        jar.store(request.url, &headers);
        let location = is_redirect(status)
            .then(|| location(request.url, &headers))
            .flatten();
        let body = read_capped(answer, &host_of(request.url), request.max_bytes).await?;
        Ok(Page {
            status,
            headers,
            body,
            location,
        })
    }

    /// Asks for media and returns when the head of the answer is there. Follows up to five redirects inside `hosts`.
    ///
    /// # Errors
    /// Guard, connection, time-out, and a file that comes with a content encoding. A status is no error.
    pub async fn open(&self, request: MediaRequest<'_>) -> Result<MediaResponse, NetError> {
        self.open_by(None, request).await
    }

    /// As [`Client::open`], dialling addresses of one kind where the host has any. Behind a proxy the kind is the
    /// proxy's business.
    ///
    /// # Errors
    /// As [`Client::open`].
    pub async fn open_by(
        &self,
        family: Option<IpFamily>,
        request: MediaRequest<'_>,
    ) -> Result<MediaResponse, NetError> {
        let pool = self.inner.media.of(family);
        let mut url = Url::parse(request.url).map_err(|_| GuardError::Malformed)?;
        request.hosts.check(&url)?;
        let deadline = Instant::now() + self.inner.media_head_timeout;
        for _ in 0..=MAX_REDIRECTS {
            let host = url.host_str().unwrap_or_default();
            self.inner.budget.note_request(host, Instant::now());
            let sending = pool.send(request.to_upstream(&url));
            let Ok(sent) = timeout_at(deadline, sending).await else {
                return Err(NetError::Timeout {
                    host: host_of(&url),
                    phase: Phase::Head,
                });
            };
            let (answer, body) = sent?;
            if !is_redirect(answer.status()) {
                return MediaResponse::new(answer, body, host_of(&url), self.inner.idle_timeout)
                    .refuse_encoding();
            }
            let Some(next) = location(&url, answer.headers()) else {
                break;
            };
            request.hosts.check_redirect(&url, &next)?;
            url = next;
        }
        Err(NetError::Redirect {
            host: host_of(&url),
        })
    }

    /// Sends one request for a page, already checked, and waits for the head of its answer.
    async fn send(
        &self,
        request: reqwest::Request,
        deadline: Instant,
    ) -> Result<reqwest::Response, NetError> {
        let host = host_of(request.url());
        self.inner.budget.note_request(&host, Instant::now());
        let is_direct = self.inner.proxies.route(request.url()).is_none();
        let answer = match timeout_at(deadline, self.inner.pages.execute(request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(classify(error, &host, Phase::Head)),
            Err(_elapsed) => {
                let phase = Phase::Head;
                return Err(NetError::Timeout { host, phase });
            }
        };
        if is_direct {
            self.check_peer(answer.remote_addr())?;
        }
        Ok(answer)
    }

    /// The second look at the address that was really dialled (reliability R5.3).
    fn check_peer(&self, peer: Option<SocketAddr>) -> Result<(), GuardError> {
        match peer {
            Some(peer) if !self.inner.guard.allows(peer.ip()) => Err(GuardError::PrivateAddress),
            _ => Ok(()),
        }
    }
}

fn log_way_out(config: &ClientConfig) {
    let egress = config.egress.as_deref();
    if config.proxies.is_configured() {
        tracing::info!(egress, proxy = %config.proxies, "proxy in use");
    }
    if let Some(source) = config.source {
        tracing::info!(egress, %source, "local address in use");
    }
    if !config.guard.exceptions().is_empty() {
        tracing::warn!(
            ranges = ?config.guard.exceptions(),
            "private upstream addresses are allowed by `ALLOW_PRIVATE_UPSTREAM`"
        );
    }
}

/// The client for pages. ALPN decides on HTTP/2.
fn pages(config: &ClientConfig) -> Result<reqwest::Client, NetError> {
    let resolver = GuardedResolver::new(config, None);
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls::client_config(&config.roots, &[b"h2", b"http/1.1"])?)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .dns_resolver(resolver)
        .connect_timeout(config.connect_timeout)
        .pool_max_idle_per_host(POOL_IDLE_PER_HOST)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .tcp_nodelay(true)
        .local_address(config.source)
        // The variables are read by `ClientConfig`, never by the library.
        .no_proxy();
    if config.proxies.is_configured() {
        let proxies = Arc::clone(&config.proxies);
        let route = move |target: &Url| proxies.route(target).cloned();
        builder = builder.proxy(reqwest::Proxy::custom(route));
    }
    builder
        .build()
        .map_err(|error| NetError::Setup(message(&error.without_url())))
}

/// What a fetch says about its host (ruling 26).
fn verdict(fetched: &Result<Page, NetError>) -> Verdict {
    match fetched {
        Ok(page) if page.status.is_server_error() => Verdict::Failed,
        Ok(_) => Verdict::Alive,
        Err(NetError::Connect { .. } | NetError::Timeout { .. } | NetError::Broken { .. }) => {
            Verdict::Failed
        }
        Err(_) => Verdict::Neither,
    }
}

fn host_of(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
