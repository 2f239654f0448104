//! Ways out to the sites: which there are, which one an extraction takes, and which are left alone for a while.
//!
//! Sites give cookies and addresses of media to the address that asked, so whatever follows from an extraction takes the
//! way out that it took: the name of that way stands in its session and in its links. One that a site turns away is
//! benched for that site, longer each time; the others share the work.

mod config;
#[cfg(any(test, feature = "fuzz"))]
pub(super) mod fuzz;
mod gluetun;
mod standing;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::Instant;

use super::{Client, ClientConfig, NetError};
use crate::observe::Extractions;
pub use config::EgressConfig;
use gluetun::Gluetun;
pub use gluetun::{Reconnects, VpnState, VpnStatus};
use standing::Standing;

/// When to come back while a VPN connects anew; it takes some seconds.
const VPN_RETRY: Duration = Duration::from_secs(5);

/// What an extraction says about the way it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnEnd {
    /// The site answered, whatever it said of the post.
    Well,
    /// The site turned us away; after so long it may be asked again, if it said so.
    Blocked(Option<Duration>),
    /// The site could not be reached.
    Unreachable,
    /// It says nothing.
    Unsaid,
}

/// No way out may be taken now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no egress may be used now")]
pub struct NoEgress {
    /// When one may.
    pub retry_after: Duration,
}

/// How one way out is, for `/health`.
#[derive(Debug, Clone)]
pub struct EgressStatus {
    /// Its name; `None` when there is only one, without a name.
    pub name: Option<Arc<str>>,
    /// `proxy`, `source` or `direct`.
    pub kind: &'static str,
    /// Extractions that run through it now.
    pub active: usize,
    /// Sites for which it is benched, and for how long still.
    pub benched: Vec<(&'static str, Duration)>,
    /// Whether it may be taken at all.
    pub is_up: bool,
    /// Extractions that took it, since the start.
    pub uses: u64,
    /// Times that a site turned it away; of many at once one is counted.
    pub blocks: u64,
}

/// One way out.
pub struct Egress {
    number: usize,
    config: ClientConfig,
    kind: &'static str,
    current: ArcSwap<Current>,
    sites: Mutex<HashMap<&'static str, Standing>>,
    active: AtomicUsize,
    /// When it was taken last, as a number of the table's count.
    taken: AtomicU64,
    uses: AtomicU64,
    blocks: AtomicU64,
    vpn: Option<Arc<Gluetun>>,
}

/// The client of a way out until its address changes.
struct Current {
    client: Client,
    generation: u64,
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Egress")
            .field("name", &self.name())
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl Egress {
    fn new(
        number: usize,
        config: ClientConfig,
        kind: &'static str,
        vpn: Option<Arc<Gluetun>>,
    ) -> Result<Self, NetError> {
        let client = Client::new(config.clone())?;
        Ok(Self {
            number,
            config,
            kind,
            current: ArcSwap::from_pointee(Current {
                client,
                generation: 0,
            }),
            sites: Mutex::default(),
            active: AtomicUsize::new(0),
            taken: AtomicU64::new(0),
            uses: AtomicU64::new(0),
            blocks: AtomicU64::new(0),
            vpn,
        })
    }

    /// Its place among all.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Its name; `None` when there is only one, without a name.
    pub fn name(&self) -> Option<&str> {
        self.config.egress.as_deref()
    }

    /// The client that goes out this way.
    pub fn client(&self) -> Client {
        self.current.load().client.clone()
    }

    /// Grows each time the address behind this way changes.
    pub fn generation(&self) -> u64 {
        self.current.load().generation
    }

    /// The public address behind this way, where a VPN tells it.
    pub fn public_ip(&self) -> Option<IpAddr> {
        self.vpn.as_ref()?.status().public_ip
    }

    fn sites(&self) -> MutexGuard<'_, HashMap<&'static str, Standing>> {
        self.sites.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_up(&self) -> bool {
        self.vpn.as_ref().is_none_or(|vpn| vpn.is_up())
    }

    fn standing(&self, site: &str) -> Standing {
        self.sites().get(site).copied().unwrap_or_default()
    }

    /// How long it must not be taken for `site`; `None` when it may.
    fn rest(&self, site: &str, now: Instant) -> Option<Duration> {
        if !self.is_up() {
            return Some(VPN_RETRY);
        }
        // The only way there is rests for nobody, unless it was named to be handled so.
        self.name()?;
        self.standing(site).rest(now)
    }

    /// What makes the better choice smaller: one that reaches the site; the idler one; the one whose last block is
    /// longer ago; the one taken longer ago.
    fn rank(&self, site: &str, now: Instant) -> impl Ord + use<> {
        let standing = self.standing(site);
        (
            standing.is_failing(now),
            self.active.load(Ordering::Relaxed),
            standing.since_block(now).map(Reverse),
            self.taken.load(Ordering::Relaxed),
        )
    }

    fn note(&self, site: &'static str, began: Instant, end: TurnEnd) {
        let now = Instant::now();
        let mut sites = self.sites();
        let standing = sites.entry(site).or_default();
        match end {
            TurnEnd::Well => standing.well(began),
            TurnEnd::Blocked(after) => {
                let is_new = standing.blocked(began, now, after);
                let rest = standing.rest(now).unwrap_or_default();
                drop(sites);
                if is_new {
                    self.blocks.fetch_add(1, Ordering::Relaxed);
                    self.log_block(site, rest);
                }
            }
            TurnEnd::Unreachable => standing.failed(now),
            TurnEnd::Unsaid => {}
        }
        if let (TurnEnd::Blocked(_), Some(vpn)) = (end, &self.vpn) {
            vpn.ask_for_another_address();
        }
    }

    fn log_block(&self, site: &str, rest: Duration) {
        if let Some(egress) = self.name() {
            let rest_ms = rest.as_millis();
            tracing::warn!(egress, site, rest_ms, "egress is blocked and benched");
        }
    }

    /// Starts anew behind another address: nothing that was open or learnt belongs to it.
    fn renew(&self) -> Result<(), NetError> {
        let client = Client::new(self.config.clone())?;
        let generation = self.generation() + 1;
        self.current.store(Arc::new(Current { client, generation }));
        self.sites().clear();
        tracing::info!(
            egress = self.name(),
            generation,
            "egress has another address"
        );
        Ok(())
    }

    fn status(&self, now: Instant) -> EgressStatus {
        let is_named = self.name().is_some();
        let sites = self.sites();
        let benched = sites
            .iter()
            .filter_map(|(site, standing)| Some((*site, standing.rest(now)?)));
        let mut benched: Vec<_> = benched.filter(|_| is_named).collect();
        drop(sites);
        benched.sort_unstable();
        EgressStatus {
            name: self.config.egress.clone(),
            kind: self.kind,
            active: self.active.load(Ordering::Relaxed),
            benched,
            is_up: self.is_up(),
            uses: self.uses.load(Ordering::Relaxed),
            blocks: self.blocks.load(Ordering::Relaxed),
        }
    }
}

/// All ways out. Clones are the same ones.
#[derive(Debug, Clone)]
pub struct Egresses {
    all: Arc<[Arc<Egress>]>,
    taken: Arc<AtomicU64>,
}

impl Egresses {
    /// Builds the ways out, and logs them.
    ///
    /// # Errors
    /// [`NetError::Setup`] when TLS can't be set up.
    pub fn new(config: EgressConfig) -> Result<Self, NetError> {
        let ways = config.ways.into_iter();
        let all: Result<Vec<_>, _> = ways
            .enumerate()
            .map(|(number, way)| {
                let vpn = way.gluetun.map(|gluetun| Arc::new(Gluetun::new(gluetun)));
                Egress::new(number, way.client, way.kind, vpn).map(Arc::new)
            })
            .collect();
        Ok(Self {
            all: all?.into(),
            taken: Arc::default(),
        })
    }

    /// Every way out, in the order of the configuration; at least one.
    pub fn all(&self) -> &[Arc<Egress>] {
        &self.all
    }

    /// The way out of this name; the only one for `None`, when it has no name.
    pub fn named(&self, name: Option<&str>) -> Option<&Arc<Egress>> {
        self.all.iter().find(|egress| egress.name() == name)
    }

    /// The way out for media of `site` that were promised to the one named `name`. One that is not known here was
    /// another instance's: then any that may be taken.
    pub fn for_media(&self, name: Option<&str>, site: &str) -> &Arc<Egress> {
        let usable = || self.all.iter().find(|egress| self.is_usable(egress, site));
        let named = self.named(name).or_else(usable);
        // There is always one.
        named.unwrap_or(&self.all[0])
    }

    /// Whether `egress` may be taken for `site`.
    pub fn is_usable(&self, egress: &Egress, site: &str) -> bool {
        egress.rest(site, Instant::now()).is_none()
    }

    /// The way out that [`Egresses::take`] would give now.
    pub fn best(&self, site: &str, wanted: Option<&str>) -> Option<&Arc<Egress>> {
        self.choose(site, wanted, &[])
    }

    fn choose(
        &self,
        site: &str,
        wanted: Option<&str>,
        tried: &[Arc<Egress>],
    ) -> Option<&Arc<Egress>> {
        let now = Instant::now();
        let is_tried = |egress: &Egress| tried.iter().any(|other| other.number == egress.number);
        let usable = || {
            let left = self.all.iter().filter(|egress| !is_tried(egress));
            left.filter(|egress| egress.rest(site, now).is_none())
        };
        let wanted = wanted.and_then(|name| usable().find(|egress| egress.name() == Some(name)));
        wanted.or_else(|| usable().min_by_key(|egress| egress.rank(site, now)))
    }

    /// A way out for an extraction at `site`: the one named `wanted` if it may be taken, else the best that is not among
    /// those `tried`.
    ///
    /// # Errors
    /// [`NoEgress`] when all are benched, down or tried.
    pub fn take(
        &self,
        site: &'static str,
        wanted: Option<&str>,
        tried: &[Arc<Egress>],
    ) -> Result<Turn, NoEgress> {
        let now = Instant::now();
        let Some(egress) = self.choose(site, wanted, tried) else {
            let rests = self.all.iter().filter_map(|egress| egress.rest(site, now));
            let retry_after = rests.min().unwrap_or(VPN_RETRY);
            return Err(NoEgress { retry_after });
        };
        let number = self.taken.fetch_add(1, Ordering::Relaxed) + 1;
        egress.taken.store(number, Ordering::Relaxed);
        egress.active.fetch_add(1, Ordering::Relaxed);
        egress.uses.fetch_add(1, Ordering::Relaxed);
        Ok(Turn {
            client: egress.client(),
            generation: egress.generation(),
            egress: Arc::clone(egress),
            site,
            began: now,
        })
    }

    /// How the ways out are.
    pub fn status(&self) -> Vec<EgressStatus> {
        let now = Instant::now();
        self.all.iter().map(|egress| egress.status(now)).collect()
    }

    /// How the VPN is that one of them goes through; `None` when none is controlled from here.
    pub fn vpn(&self) -> Option<VpnStatus> {
        let mut vpns = self.all.iter().filter_map(|egress| egress.vpn.as_ref());
        vpns.next().map(|vpn| vpn.status())
    }

    /// The counts of what came of extractions, by whichever way.
    pub fn extractions(&self) -> &Extractions {
        // There is always one, and all have the same.
        &self.all[0].config.extractions
    }

    /// Whether `ALLOW_PRIVATE_UPSTREAM` lets more than public addresses be dialled.
    pub fn is_guard_relaxed(&self) -> bool {
        self.all
            .iter()
            .any(|egress| egress.client().is_guard_relaxed())
    }

    /// Watches over the VPNs, until the server ends; ends at once when there is none.
    pub async fn watch(self) {
        let vpns = self.all.iter().filter_map(|egress| {
            let vpn = egress.vpn.as_ref()?;
            Some(vpn.watch(|| egress.renew()))
        });
        futures_util::future::join_all(vpns).await;
    }
}

/// A way out that an extraction has taken.
#[derive(Debug)]
pub struct Turn {
    egress: Arc<Egress>,
    client: Client,
    generation: u64,
    site: &'static str,
    began: Instant,
}

impl Turn {
    /// The way out.
    pub fn egress(&self) -> &Arc<Egress> {
        &self.egress
    }

    /// Its client, which stays the same for the whole extraction.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Its [`Egress::generation`] at the start.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Tells how it went.
    pub fn end(self, end: TurnEnd) {
        // What happened behind a former address says nothing of this one.
        if self.generation == self.egress.generation() {
            self.egress.note(self.site, self.began, end);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.egress.active.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
