//! A VPN by gluetun, told over its control server to take another address (api.md §12).
//!
//! Its server (qdm12/gluetun, `internal/server`) takes `{"status":"stopped"}` and `{"status":"running"}` at
//! `PUT /v1/vpn/status` and nothing else, and tells its public address at `GET /v1/publicip/ip`.
//!
//! A reconnection is up to three attempts with a pause after each, in which the VPN may still come up by itself. From the
//! first stop to the end of the last pause nobody is sent that way.

mod control;

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::clock::Clock;
use crate::net::NetError;

#[cfg(any(test, feature = "fuzz"))]
pub(in crate::net) use control::read_anything;
pub(super) use control::{ControlServer, GluetunConfig};

/// Between stopping and starting.
const PAUSE: Duration = Duration::from_secs(2);
/// How long another address is waited for, and how often it is asked for.
const NEW_ADDRESS_TIMEOUT: Duration = Duration::from_secs(30);
const NEW_ADDRESS_POLL: Duration = Duration::from_secs(1);
/// After a success no other attempt for so long.
const COOLDOWN: Duration = Duration::from_secs(30);
/// Pauses after failed attempts; there are as many attempts as pauses, and after the last none for [`GIVEN_UP`].
const BACKOFF: [Duration; 3] = [
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(20),
];
const GIVEN_UP: Duration = Duration::from_secs(300);
/// How often the state is looked at when nothing happens.
const LOOK: Duration = Duration::from_secs(60);

/// What can be asked of a VPN.
pub(super) trait Control: Send + Sync {
    /// What it is doing.
    fn state(&self) -> impl Future<Output = Result<VpnState, VpnError>> + Send;

    /// The public address; `None` while there is none.
    fn public_ip(&self) -> impl Future<Output = Result<Option<IpAddr>, VpnError>> + Send;

    /// Makes it run, or stop.
    fn run(&self, is_running: bool) -> impl Future<Output = Result<(), VpnError>> + Send;
}

/// What a VPN is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VpnState {
    /// Nobody has told yet.
    Unknown,
    /// It runs.
    Running,
    /// It is being made to take another address.
    Reconnecting,
    /// It doesn't run.
    Stopped,
}

impl VpnState {
    /// All there are.
    pub const ALL: [Self; 4] = [
        Self::Unknown,
        Self::Running,
        Self::Reconnecting,
        Self::Stopped,
    ];

    /// Its word in `/health`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Running => "running",
            Self::Reconnecting => "reconnecting",
            Self::Stopped => "stopped",
        }
    }
}

/// How a VPN is, as far as was seen last.
#[derive(Debug, Clone, Copy)]
pub struct VpnStatus {
    /// What it is doing.
    pub state: VpnState,
    /// Its public address.
    pub public_ip: Option<IpAddr>,
    /// Attempts at another address that failed, of the reconnection that is under way or was the last; 0 after a success.
    pub reconnect_attempts: usize,
    /// After so many there is a pause of five minutes.
    pub max_attempts: usize,
    /// Unix second of the last success.
    pub last_reconnect: Option<u64>,
    /// Seconds between two successes at least.
    pub cooldown_seconds: u64,
    /// Attempts since the start that gave another address, and that failed.
    pub reconnects: Reconnects,
}

/// Attempts at another address since the start, by what came of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reconnects {
    /// It was got.
    pub ok: u64,
    /// It was not.
    pub failed: u64,
}

/// A VPN.
#[derive(Debug)]
pub(super) struct Gluetun<C = ControlServer> {
    control: C,
    seen: Mutex<Seen>,
    wanted: Notify,
}

#[derive(Debug)]
struct Seen {
    state: VpnState,
    public_ip: Option<IpAddr>,
    /// Whether a reconnection was asked for or is under way, its pauses included.
    is_busy: bool,
    /// Whether the reconnection has stopped it.
    was_stopped: bool,
    failed: usize,
    last_reconnect: Option<u64>,
    /// No attempt before.
    not_before: Option<Instant>,
    reconnects: Reconnects,
}

impl Seen {
    fn is_too_soon(&self) -> bool {
        self.not_before.is_some_and(|at| Instant::now() < at)
    }

    /// Another address is there.
    fn succeed(&mut self, public_ip: IpAddr) {
        self.state = VpnState::Running;
        self.public_ip = Some(public_ip);
        self.failed = 0;
        self.reconnects.ok += 1;
        self.last_reconnect = Some(Clock::System.unix_seconds());
        self.not_before = Some(Instant::now() + COOLDOWN);
    }

    fn fail(&mut self) -> usize {
        self.failed += 1;
        self.reconnects.failed += 1;
        self.failed
    }
}

/// Why there is no other address.
#[derive(Debug, thiserror::Error)]
pub(super) enum VpnError {
    #[error(transparent)]
    Net(#[from] NetError),
    #[error("the control server answered {0}")]
    Status(StatusCode),
    #[error("the control server's answer can't be read")]
    Shape,
    #[error("no other address within {} s", NEW_ADDRESS_TIMEOUT.as_secs())]
    SameAddress,
    #[error("it can't be stopped: {0}")]
    Untouched(Box<VpnError>),
}

impl<C: Control> Gluetun<C> {
    pub(super) fn new(control: impl Into<C>) -> Self {
        Self {
            control: control.into(),
            seen: Mutex::new(Seen {
                state: VpnState::Unknown,
                public_ip: None,
                is_busy: false,
                was_stopped: false,
                failed: 0,
                last_reconnect: None,
                not_before: None,
                reconnects: Reconnects::default(),
            }),
            wanted: Notify::new(),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether traffic may go through. What isn't known is tried.
    pub(super) fn is_up(&self) -> bool {
        matches!(self.seen().state, VpnState::Unknown | VpnState::Running)
    }

    pub(super) fn status(&self) -> VpnStatus {
        let seen = self.seen();
        VpnStatus {
            state: seen.state,
            public_ip: seen.public_ip,
            reconnect_attempts: seen.failed,
            max_attempts: BACKOFF.len(),
            last_reconnect: seen.last_reconnect,
            cooldown_seconds: COOLDOWN.as_secs(),
            reconnects: seen.reconnects,
        }
    }

    /// Says that the address is blocked. Nothing happens while a reconnection is under way, or too soon after one.
    pub(super) fn ask_for_another_address(&self) {
        let mut seen = self.seen();
        if seen.is_too_soon() || seen.is_busy {
            return;
        }
        (seen.is_busy, seen.failed) = (true, 0);
        // From here on nobody is sent that way.
        seen.state = VpnState::Reconnecting;
        drop(seen);
        self.wanted.notify_one();
    }

    /// Looks at the VPN now and then, and gives it another address when that is asked for; `renew` is called then.
    pub(super) async fn watch(&self, renew: impl Fn() -> Result<(), NetError>) {
        loop {
            if !self.seen().is_busy {
                self.look().await;
            }
            if self.is_due() {
                self.reconnect(&renew).await;
                continue;
            }
            tokio::select! {
                () = self.wanted.notified() => {}
                () = sleep(LOOK) => {}
            }
        }
    }

    /// Whether a reconnection was asked for, or is needed: it doesn't start by itself.
    fn is_due(&self) -> bool {
        let seen = self.seen();
        seen.is_busy || (seen.state == VpnState::Stopped && !seen.is_too_soon())
    }

    /// Attempts, until one succeeds or there have been too many.
    async fn reconnect(&self, renew: &impl Fn() -> Result<(), NetError>) {
        let blocked = {
            let asked = self.control.public_ip().await.ok().flatten();
            let mut seen = self.seen();
            (seen.is_busy, seen.was_stopped, seen.failed) = (true, false, 0);
            asked.or(seen.public_ip)
        };
        let mut is_done = false;
        for pause in BACKOFF {
            is_done = self.attempt(blocked, renew).await || {
                sleep(pause).await;
                self.has_come_up(blocked, renew).await
            };
            if is_done {
                break;
            }
        }
        if !is_done {
            self.give_up().await;
        }
        self.seen().is_busy = false;
    }

    /// One attempt; whether there is another address than `blocked`.
    async fn attempt(
        &self,
        blocked: Option<IpAddr>,
        renew: &impl Fn() -> Result<(), NetError>,
    ) -> bool {
        let error = match self.restart(blocked).await {
            Ok(public_ip) => match self.take(public_ip, renew) {
                Ok(()) => return true,
                Err(error) => error,
            },
            Err(error) => error,
        };
        // One that was never stopped is as it was: what it is good for, it may do until the next attempt.
        let sight = match error {
            VpnError::Untouched(_) => Some(self.see().await),
            _ => None,
        };
        let failed = {
            let mut seen = self.seen();
            if let Some(sight) = sight.filter(|_| !seen.was_stopped) {
                (seen.state, seen.public_ip) = sight;
            }
            seen.fail()
        };
        tracing::warn!(err = %error, failed, "the VPN got no other address");
        false
    }

    /// Whether it has got another address after all, since an attempt that failed.
    async fn has_come_up(
        &self,
        blocked: Option<IpAddr>,
        renew: &impl Fn() -> Result<(), NetError>,
    ) -> bool {
        let state = self.control.state().await;
        let public_ip = self.control.public_ip().await.ok().flatten();
        // Where the former address isn't known, only one that was stopped has another.
        let is_known = blocked.is_some() || self.seen().was_stopped;
        let other = public_ip.filter(|_| is_known && public_ip != blocked);
        match (state, other) {
            (Ok(VpnState::Running), Some(public_ip)) => self.take(public_ip, renew).is_ok(),
            _ => false,
        }
    }

    /// Goes on behind another address.
    fn take(
        &self,
        public_ip: IpAddr,
        renew: &impl Fn() -> Result<(), NetError>,
    ) -> Result<(), VpnError> {
        renew()?;
        tracing::info!("the VPN has another address");
        self.seen().succeed(public_ip);
        Ok(())
    }

    /// Leaves it as it is; how that is, is seen.
    async fn give_up(&self) {
        let pause_ms = GIVEN_UP.as_millis();
        tracing::error!(pause_ms, "the VPN gets no other address; it is left alone");
        let sight = self.see().await;
        let mut seen = self.seen();
        (seen.state, seen.public_ip) = sight;
        seen.not_before = Some(Instant::now() + GIVEN_UP);
    }

    /// Stop, wait, start, and wait for another address than `blocked`.
    async fn restart(&self, blocked: Option<IpAddr>) -> Result<IpAddr, VpnError> {
        let stopped = self.control.run(false).await;
        stopped.map_err(|error| VpnError::Untouched(Box::new(error)))?;
        {
            let mut seen = self.seen();
            (seen.state, seen.was_stopped) = (VpnState::Reconnecting, true);
        }
        sleep(PAUSE).await;
        self.control.run(true).await?;
        let deadline = Instant::now() + NEW_ADDRESS_TIMEOUT;
        loop {
            let asked = timeout_at(deadline, self.control.public_ip()).await;
            match asked {
                Ok(Ok(Some(public_ip))) if Some(public_ip) != blocked => return Ok(public_ip),
                Ok(_) => {}
                Err(_elapsed) => return Err(VpnError::SameAddress),
            }
            if Instant::now() >= deadline {
                return Err(VpnError::SameAddress);
            }
            sleep_until(deadline.min(Instant::now() + NEW_ADDRESS_POLL)).await;
        }
    }

    /// Notes how it is.
    async fn look(&self) {
        let sight = self.see().await;
        let mut seen = self.seen();
        // A block may have been told meanwhile.
        if !seen.is_busy {
            (seen.state, seen.public_ip) = sight;
        }
    }

    /// What it is doing, and behind which address.
    async fn see(&self) -> (VpnState, Option<IpAddr>) {
        let state = self.control.state().await.unwrap_or_else(|error| {
            tracing::debug!(err = %error, "the VPN's control server tells nothing");
            VpnState::Unknown
        });
        let public_ip = self.control.public_ip().await.ok().flatten();
        (state, public_ip)
    }
}

#[cfg(test)]
mod tests;
