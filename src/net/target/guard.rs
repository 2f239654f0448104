//! Which ingests may be dialled.

use std::net::IpAddr;

use url::Host;

use crate::config::Env;
use crate::net::HostList;
use crate::net::guard::is_public;

/// Why an ingest is not dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetRefused {
    /// An address that is not public, or a name that leads to none that is.
    #[error("target is not a public address (BROADCAST_ALLOW_PRIVATE_TARGETS names exceptions)")]
    Private,
    /// `BROADCAST_TARGET_ALLOW` is set and doesn't list the host.
    #[error("target is not on the list of BROADCAST_TARGET_ALLOW")]
    NotListed,
}

/// Names that lead nowhere public by themselves (RFC 6761, RFC 6762, RFC 8375, and the one clouds use).
const LOCAL_NAMES: [&str; 4] = ["localhost", "local", "home.arpa", "internal"];

/// Which ingests may be dialled: the public ones, and those that the operator names besides.
#[derive(Debug, Clone, Default)]
pub struct TargetConfig {
    /// `BROADCAST_ALLOW_PRIVATE_TARGETS`: host and port of ingests that may lie anywhere.
    exceptions: Vec<(Host, u16)>,
    /// `BROADCAST_TARGET_ALLOW`: suffixes of hosts; `None` for all.
    listed: Option<HostList>,
}

impl TargetConfig {
    /// Reads `BROADCAST_TARGET_ALLOW` and `BROADCAST_ALLOW_PRIVATE_TARGETS`.
    pub fn from_env(env: &mut Env) -> Self {
        let listed = env.list("BROADCAST_TARGET_ALLOW");
        let mut exceptions = Vec::new();
        for text in env.list("BROADCAST_ALLOW_PRIVATE_TARGETS") {
            match parse_exception(&text) {
                Some(exception) => exceptions.push(exception),
                None => env.fault(
                    "BROADCAST_ALLOW_PRIVATE_TARGETS",
                    format_args!("`{text}`: not a host and port such as `10.0.0.5:1935`"),
                ),
            }
        }
        Self {
            exceptions,
            listed: (!listed.is_empty()).then(|| HostList::new(listed)),
        }
    }

    /// Judges a target by what it says itself, without asking for its address. An exception needs no listing.
    ///
    /// # Errors
    /// [`TargetRefused`]. A target that passes is judged again, by its addresses, when it is dialled.
    pub fn check(&self, host: &Host, port: u16) -> Result<(), TargetRefused> {
        if self.is_exception(host, port) {
            return Ok(());
        }
        let is_public = match host {
            Host::Domain(name) => !is_local(name),
            Host::Ipv4(address) => is_public(IpAddr::V4(*address)),
            Host::Ipv6(address) => is_public(IpAddr::V6(*address)),
        };
        if !is_public {
            return Err(TargetRefused::Private);
        }
        let is_listed = |list: &HostList| list.contains(&host.to_string());
        if self.listed.as_ref().is_some_and(|list| !is_listed(list)) {
            return Err(TargetRefused::NotListed);
        }
        Ok(())
    }

    /// Whether an address that the name of `host` leads to may be dialled.
    pub(super) fn allows(&self, host: &Host, port: u16, address: IpAddr) -> bool {
        is_public(address) || self.is_exception(host, port)
    }

    fn is_exception(&self, host: &Host, port: u16) -> bool {
        let mut all = self.exceptions.iter();
        all.any(|(name, number)| name == host && *number == port)
    }
}

fn is_local(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next();
    // A name of one label is one of the own network.
    !name.contains('.')
        || LOCAL_NAMES.iter().any(|local| {
            last == Some(local)
                || name
                    .strip_suffix(local)
                    .is_some_and(|rest| rest.ends_with('.'))
        })
}

fn parse_exception(text: &str) -> Option<(Host, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    Some((Host::parse(host).ok()?, port))
}
