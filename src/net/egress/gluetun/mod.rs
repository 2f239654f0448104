//! A VPN by gluetun, told over its control server to take another address (api.md §12).
//!
//! Its server (qdm12/gluetun, `internal/server`) takes `{"status":"stopped"}` and `{"status":"running"}` at
//! `PUT /v1/vpn/status` and nothing else, and tells its public address at `GET /v1/publicip/ip`.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use serde::Deserialize;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::clock::Clock;
use crate::config::{Env, Secret};
use crate::net::{NetError, OwnService, ServiceRequest};

/// Time for a question, and for a change of state, which the server answers when it is done.
const ASK_TIMEOUT: Duration = Duration::from_secs(5);
const CHANGE_TIMEOUT: Duration = Duration::from_secs(20);
/// Between stopping and starting.
const PAUSE: Duration = Duration::from_secs(2);
/// How long another address is waited for, and how often it is asked for.
const NEW_ADDRESS_TIMEOUT: Duration = Duration::from_secs(30);
const NEW_ADDRESS_POLL: Duration = Duration::from_secs(1);
/// After a success no other attempt for so long.
const COOLDOWN: Duration = Duration::from_secs(30);
/// Waits after failed attempts; there are as many attempts as waits, and after the last none for [`GIVEN_UP`].
const BACKOFF: [Duration; 3] = [
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(20),
];
const GIVEN_UP: Duration = Duration::from_secs(300);
/// How often the state is looked at when nothing happens.
const LOOK: Duration = Duration::from_secs(60);
/// Largest answer.
const MAX_BYTES: usize = 64 * 1024;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Where the control server is, and how we prove who we are.
#[derive(Debug)]
pub(super) struct GluetunConfig {
    service: OwnService,
}

impl GluetunConfig {
    /// Reads `GLUETUN_CONTROL_URL`, else `GLUETUN_CONTROL_PORT` on this machine; `GLUETUN_USERNAME` with
    /// `GLUETUN_PASSWORD`, or `GLUETUN_API_KEY`. `None` when neither address is set.
    pub(super) fn from_env(env: &mut Env) -> Option<Self> {
        let named = OwnService::from_env(env, "GLUETUN_CONTROL_URL");
        let port = env.parse_optional::<u16>("GLUETUN_CONTROL_PORT");
        let user = env.text("GLUETUN_USERNAME");
        let password = env.secret("GLUETUN_PASSWORD");
        let key = env.secret("GLUETUN_API_KEY");
        let service = match (named, port) {
            (Some(service), _) => service,
            (None, Some(port)) => OwnService::on_this_machine(port).ok()?,
            (None, None) => return None,
        };
        let headers = match credentials(user.as_deref(), password.as_ref(), key.as_ref()) {
            Ok(headers) => headers,
            Err((name, message)) => {
                env.fault(name, message);
                HeaderMap::new()
            }
        };
        Some(Self {
            service: service.with_headers(headers),
        })
    }
}

type Complaint = (&'static str, &'static str);

fn credentials(
    user: Option<&str>,
    password: Option<&Secret>,
    key: Option<&Secret>,
) -> Result<HeaderMap, Complaint> {
    let mut headers = HeaderMap::new();
    let pair = match (user, password) {
        (Some(user), Some(password)) => Some(format!("{user}:{}", password.reveal())),
        (None, None) => None,
        _ => {
            return Err((
                "GLUETUN_USERNAME",
                "must be set together with GLUETUN_PASSWORD",
            ));
        }
    };
    let basic = pair.map(|pair| format!("Basic {}", BASE64_STANDARD.encode(pair)));
    let fields = [
        (AUTHORIZATION, "GLUETUN_PASSWORD", basic),
        (
            API_KEY,
            "GLUETUN_API_KEY",
            key.map(|key| key.reveal().to_owned()),
        ),
    ];
    for (name, variable, text) in fields {
        let Some(text) = text else { continue };
        let mut value = HeaderValue::try_from(text)
            .map_err(|_| (variable, "can't be sent in a header (value not shown)"))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
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
    /// Attempts at another address since the last success that failed.
    pub reconnect_attempts: usize,
    /// After so many there is a pause of five minutes.
    pub max_attempts: usize,
    /// Unix second of the last success.
    pub last_reconnect: Option<u64>,
    /// Seconds between two successes at least.
    pub cooldown_seconds: u64,
}

/// A VPN.
#[derive(Debug)]
pub(super) struct Gluetun {
    service: OwnService,
    seen: Mutex<Seen>,
    wanted: Notify,
}

#[derive(Debug)]
struct Seen {
    state: VpnState,
    public_ip: Option<IpAddr>,
    failed: usize,
    last_reconnect: Option<u64>,
    /// No attempt before.
    not_before: Option<Instant>,
}

impl Seen {
    fn is_too_soon(&self) -> bool {
        self.not_before.is_some_and(|at| Instant::now() < at)
    }
}

/// Why there is no other address.
#[derive(Debug, thiserror::Error)]
enum VpnError {
    #[error(transparent)]
    Net(#[from] NetError),
    #[error("the control server answered {0}")]
    Status(StatusCode),
    #[error("the control server's answer can't be read")]
    Shape,
    #[error("no other address within {} s", NEW_ADDRESS_TIMEOUT.as_secs())]
    SameAddress,
}

#[derive(Deserialize)]
struct StatusAnswer {
    status: String,
}

#[derive(Deserialize)]
struct IpAnswer {
    #[serde(default)]
    public_ip: String,
}

impl Gluetun {
    pub(super) fn new(config: GluetunConfig) -> Self {
        Self {
            service: config.service,
            seen: Mutex::new(Seen {
                state: VpnState::Unknown,
                public_ip: None,
                failed: 0,
                last_reconnect: None,
                not_before: None,
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
        }
    }

    /// Says that the address is blocked. Nothing happens while an attempt runs, or too soon after one.
    pub(super) fn ask_for_another_address(&self) {
        let mut seen = self.seen();
        if seen.is_too_soon() || seen.state == VpnState::Reconnecting {
            return;
        }
        // From here on nobody is sent that way.
        seen.state = VpnState::Reconnecting;
        drop(seen);
        self.wanted.notify_one();
    }

    /// Looks at the VPN now and then, and gives it another address when that is asked for; `renew` is called then.
    pub(super) async fn watch(&self, renew: impl Fn() -> Result<(), NetError>) {
        loop {
            self.look().await;
            let wanted = tokio::select! {
                () = self.wanted.notified() => true,
                () = sleep(LOOK) => false,
            };
            let is_due = {
                let seen = self.seen();
                match seen.state {
                    VpnState::Reconnecting => wanted,
                    // It doesn't start by itself.
                    VpnState::Stopped => !seen.is_too_soon(),
                    VpnState::Running | VpnState::Unknown => false,
                }
            };
            if is_due {
                self.reconnect(&renew).await;
            }
        }
    }

    /// Attempts, until one succeeds or there have been too many.
    async fn reconnect(&self, renew: &impl Fn() -> Result<(), NetError>) {
        loop {
            self.seen().state = VpnState::Reconnecting;
            let attempt = self.attempt().await.and_then(|public_ip| {
                renew()?;
                Ok(public_ip)
            });
            match attempt {
                Ok(public_ip) => {
                    tracing::info!("the VPN has another address");
                    self.succeeded(public_ip);
                    return;
                }
                Err(error) => {
                    let failed = self.failed();
                    tracing::warn!(err = %error, failed, "the VPN got no other address");
                    let wait = BACKOFF.get(failed - 1).copied();
                    self.look().await;
                    if failed >= BACKOFF.len() {
                        self.give_up();
                        return;
                    }
                    sleep(wait.unwrap_or_default()).await;
                }
            }
        }
    }

    fn succeeded(&self, public_ip: IpAddr) {
        let mut seen = self.seen();
        seen.state = VpnState::Running;
        seen.public_ip = Some(public_ip);
        seen.failed = 0;
        seen.last_reconnect = Some(Clock::System.unix_seconds());
        seen.not_before = Some(Instant::now() + COOLDOWN);
    }

    /// Counts a failed attempt; returns how many there are.
    fn failed(&self) -> usize {
        let mut seen = self.seen();
        seen.failed += 1;
        // It may be up, behind the same address; a look tells.
        seen.state = VpnState::Unknown;
        seen.failed
    }

    fn give_up(&self) {
        let mut seen = self.seen();
        seen.failed = 0;
        seen.not_before = Some(Instant::now() + GIVEN_UP);
        drop(seen);
        let pause_ms = GIVEN_UP.as_millis();
        tracing::error!(pause_ms, "the VPN gets no other address; it is left alone");
    }

    /// Stop, wait, start, and wait for another address.
    async fn attempt(&self) -> Result<IpAddr, VpnError> {
        let before = match self.public_ip().await {
            Ok(public_ip) => public_ip,
            Err(_) => self.seen().public_ip,
        };
        self.change("stopped").await?;
        sleep(PAUSE).await;
        self.change("running").await?;
        let deadline = Instant::now() + NEW_ADDRESS_TIMEOUT;
        loop {
            let asked = timeout_at(deadline, self.public_ip()).await;
            match asked {
                Ok(Ok(Some(public_ip))) if Some(public_ip) != before => return Ok(public_ip),
                Ok(_) => {}
                Err(_elapsed) => return Err(VpnError::SameAddress),
            }
            sleep_until(deadline.min(Instant::now() + NEW_ADDRESS_POLL)).await;
        }
    }

    /// Sees how it is, unless an attempt is under way.
    async fn look(&self) {
        let state = match self.vpn_status().await {
            Ok(state) => state,
            Err(error) => {
                tracing::debug!(err = %error, "the VPN's control server tells nothing");
                VpnState::Unknown
            }
        };
        let public_ip = self.public_ip().await.ok().flatten();
        let mut seen = self.seen();
        if seen.state != VpnState::Reconnecting {
            (seen.state, seen.public_ip) = (state, public_ip);
        }
    }

    async fn vpn_status(&self) -> Result<VpnState, VpnError> {
        let answer: StatusAnswer = self.ask("v1/vpn/status").await?;
        Ok(match answer.status.as_str() {
            "running" => VpnState::Running,
            "stopped" | "stopping" | "crashed" => VpnState::Stopped,
            // `starting` and words to come.
            _ => VpnState::Unknown,
        })
    }

    /// The public address; `None` while there is none.
    async fn public_ip(&self) -> Result<Option<IpAddr>, VpnError> {
        let answer: IpAnswer = self.ask("v1/publicip/ip").await?;
        Ok(answer.public_ip.parse().ok())
    }

    async fn ask<T: for<'a> Deserialize<'a>>(&self, path: &'static str) -> Result<T, VpnError> {
        let (status, body) = self
            .service
            .ask(ServiceRequest {
                method: Method::GET,
                path,
                body: None,
                max_bytes: MAX_BYTES,
                timeout: ASK_TIMEOUT,
            })
            .await?;
        if status != StatusCode::OK {
            return Err(VpnError::Status(status));
        }
        serde_json::from_slice(&body).map_err(|_| VpnError::Shape)
    }

    async fn change(&self, to: &str) -> Result<(), VpnError> {
        let body = format!(r#"{{"status":"{to}"}}"#);
        let (status, _) = self
            .service
            .ask(ServiceRequest {
                method: Method::PUT,
                path: "v1/vpn/status",
                body: Some(Bytes::from(body)),
                max_bytes: MAX_BYTES,
                timeout: CHANGE_TIMEOUT,
            })
            .await?;
        if status.is_success() {
            Ok(())
        } else {
            Err(VpnError::Status(status))
        }
    }
}
