//! The control server of gluetun: where it is, and what it is asked.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use serde::Deserialize;

use super::{Control, VpnError, VpnState};
use crate::config::{Env, Secret};
use crate::net::{OwnService, ServiceRequest};

/// Time for a question, and for a change of state, which the server answers when it is done.
const ASK_TIMEOUT: Duration = Duration::from_secs(5);
const CHANGE_TIMEOUT: Duration = Duration::from_secs(20);
/// Largest answer.
const MAX_BYTES: usize = 64 * 1024;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Where the control server is, and how we prove who we are.
#[derive(Debug)]
pub(in crate::net::egress) struct GluetunConfig {
    service: OwnService,
}

impl GluetunConfig {
    /// Reads `GLUETUN_CONTROL_URL`, else `GLUETUN_CONTROL_PORT` on this machine; `GLUETUN_USERNAME` with
    /// `GLUETUN_PASSWORD`, or `GLUETUN_API_KEY`. `None` when neither address is set.
    pub(in crate::net::egress) fn from_env(env: &mut Env) -> Option<Self> {
        let named = OwnService::from_env(env, "GLUETUN_CONTROL_URL");
        let port = env.number("GLUETUN_CONTROL_PORT", 1..=u16::MAX);
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

/// The control server.
#[derive(Debug)]
pub(in crate::net::egress) struct ControlServer(OwnService);

impl From<GluetunConfig> for ControlServer {
    fn from(config: GluetunConfig) -> Self {
        Self(config.service)
    }
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

impl Control for ControlServer {
    async fn state(&self) -> Result<VpnState, VpnError> {
        read_state(&self.ask("v1/vpn/status").await?)
    }

    async fn public_ip(&self) -> Result<Option<IpAddr>, VpnError> {
        read_public_ip(&self.ask("v1/publicip/ip").await?)
    }

    async fn run(&self, is_running: bool) -> Result<(), VpnError> {
        let word = if is_running { "running" } else { "stopped" };
        let body = format!(r#"{{"status":"{word}"}}"#);
        let (status, _) = self
            .0
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

impl ControlServer {
    async fn ask(&self, path: &'static str) -> Result<Bytes, VpnError> {
        let (status, body) = self
            .0
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
        Ok(body)
    }
}

/// What an answer says of the tunnel.
fn read_state(body: &[u8]) -> Result<VpnState, VpnError> {
    let answer: StatusAnswer = serde_json::from_slice(body).map_err(|_| VpnError::Shape)?;
    Ok(match answer.status.as_str() {
        "running" => VpnState::Running,
        "stopped" | "stopping" | "crashed" => VpnState::Stopped,
        // `starting` and words to come.
        _ => VpnState::Unknown,
    })
}

/// The address in an answer; `None` when it has none.
fn read_public_ip(body: &[u8]) -> Result<Option<IpAddr>, VpnError> {
    let answer: IpAnswer = serde_json::from_slice(body).map_err(|_| VpnError::Shape)?;
    Ok(answer.public_ip.parse().ok())
}

/// Reads any bytes as both kinds of answer.
#[cfg(any(test, feature = "fuzz"))]
pub(in crate::net) fn read_anything(data: &[u8]) {
    let _state = read_state(data);
    let _address = read_public_ip(data);
}
