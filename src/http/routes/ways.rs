//! The ways out as `/health` shows them.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::http::AppState;
use crate::net::{EgressStatus, Egresses, VpnState, VpnStatus};

/// One way out of several.
#[derive(Serialize, ToSchema)]
pub(super) struct Way {
    name: String,
    kind: &'static str,
    /// Extractions that run through it now.
    active: usize,
    is_up: bool,
    /// Sites that it is not taken for, and for how many seconds still.
    benched: BTreeMap<&'static str, u64>,
}

/// The VPN that one of them goes through (api.md §9).
#[derive(Serialize, ToSchema)]
pub(super) struct Vpn {
    status: &'static str,
    public_ip: Option<String>,
    reconnect_attempts: usize,
    max_attempts: usize,
    last_reconnect: Option<u64>,
    cooldown_seconds: u64,
}

/// The ways out that have a name; `None` when there is only one, without.
pub(super) fn ways(app: &AppState) -> Option<Vec<Way>> {
    let ways = egresses(app).status().into_iter();
    let ways: Vec<Way> = ways.filter_map(way).collect();
    (!ways.is_empty()).then_some(ways)
}

/// The VPN, when one is controlled from here.
pub(super) fn vpn(app: &AppState) -> Option<Vpn> {
    egresses(app).vpn().map(vpn_of)
}

/// What is missing of the ways out: `vpn` while it isn't known to run, `egress` while all are benched for some site.
pub(super) fn degraded(app: &AppState) -> Vec<&'static str> {
    let status = egresses(app).status();
    // Traffic is sent through one of which nothing is known; people should know of it all the same.
    let vpn = egresses(app).vpn();
    let is_vpn_down = vpn.is_some_and(|vpn| vpn.state != VpnState::Running);
    let sites = status.iter().flat_map(|way| &way.benched);
    let is_benched = |site: &str| {
        let mut ways = status.iter();
        ways.all(|way| way.benched.iter().any(|(other, _)| *other == site))
    };
    let is_site_lost = sites.into_iter().any(|(site, _)| is_benched(site));
    let parts = [("vpn", is_vpn_down), ("egress", is_site_lost)];
    let lost = parts.into_iter().filter(|(_, is_lost)| *is_lost);
    lost.map(|(name, _)| name).collect()
}

fn egresses(app: &AppState) -> &Egresses {
    app.resolver.egresses()
}

fn way(status: EgressStatus) -> Option<Way> {
    Some(Way {
        name: status.name?.as_ref().to_owned(),
        kind: status.kind,
        active: status.active,
        is_up: status.is_up,
        benched: status
            .benched
            .into_iter()
            .map(|(site, rest)| (site, rest.as_secs()))
            .collect(),
    })
}

fn vpn_of(status: VpnStatus) -> Vpn {
    Vpn {
        status: status.state.as_str(),
        public_ip: status.public_ip.map(|address| address.to_string()),
        reconnect_attempts: status.reconnect_attempts,
        max_attempts: status.max_attempts,
        last_reconnect: status.last_reconnect,
        cooldown_seconds: status.cooldown_seconds,
    }
}
