//! Settings of the ways out.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::collections::BTreeSet;
use std::net::{IpAddr, TcpListener};
use std::sync::Arc;

use super::gluetun::GluetunConfig;
use crate::config::Env;
use crate::net::proxy::Proxies;
use crate::net::target::Via;
use crate::net::{ClientConfig, NetError, TargetConfig, TargetDialer};

/// Ways out at most; each has connections of its own.
pub(super) const MAX_WAYS: usize = 64;
/// Characters of a name; it stands in links.
const MAX_NAME: usize = 32;

/// Settings of all ways out.
#[derive(Debug)]
pub struct EgressConfig {
    /// At least one; a single one without a name when `EGRESS` is unset.
    pub(super) ways: Vec<Way>,
}

/// One way out.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) client: ClientConfig,
    pub(super) kind: &'static str,
    pub(super) gluetun: Option<GluetunConfig>,
}

impl EgressConfig {
    /// Reads the variables of [`ClientConfig`], `EGRESS` (or `EGRESS_FILE`) and the `GLUETUN_…` ones.
    ///
    /// `EGRESS` is a comma list of `NAME=PROXY`, `NAME=ADDRESS` (a local one that connections come from) and
    /// `NAME=direct`. With it `PROXY` is a fault and the standard proxy variables don't count.
    pub fn from_env(env: &mut Env) -> Self {
        let base = ClientConfig::from_env(env);
        let is_proxied = ["PROXY", "PROXY_FILE"]
            .into_iter()
            .any(|name| env.text(name).is_some());
        let mut ways = match env.secret("EGRESS") {
            Some(list) => named(env, &base, list.reveal()),
            None => Vec::new(),
        };
        if !ways.is_empty() && is_proxied {
            env.fault(
                "EGRESS",
                "is set together with PROXY: make the proxy one of its entries",
            );
        }
        if ways.is_empty() {
            let kind = if base.proxies.is_configured() {
                "proxy"
            } else {
                "direct"
            };
            ways.push(Way {
                client: base,
                kind,
                gluetun: None,
            });
        }
        add_gluetun(env, &mut ways);
        Self { ways }
    }

    /// Whether there is a way out of this name.
    pub fn has(&self, name: &str) -> bool {
        let mut ways = self.ways.iter();
        ways.any(|way| way.client.egress.as_deref() == Some(name))
    }

    /// The way to ingests: they are dialled directly, or by one of these that is named (ruling 42), trusting the same
    /// roots.
    ///
    /// # Errors
    /// TLS can't be set up.
    pub fn target_dialer(&self, config: TargetConfig) -> Result<TargetDialer, NetError> {
        let Some(way) = self.ways.first() else {
            return Err(NetError::Setup("no way out".to_owned()));
        };
        let named = self.ways.iter().filter_map(|way| {
            let via = Via {
                source: way.client.source,
                proxy: way.client.proxies.for_tunnels().cloned(),
            };
            Some((Arc::clone(way.client.egress.as_ref()?), via))
        });
        Ok(TargetDialer::new(config, &way.client)?.with_ways(named))
    }
}

fn add_gluetun(env: &mut Env, ways: &mut [Way]) {
    let gluetun = GluetunConfig::from_env(env);
    let name = env.text("GLUETUN_EGRESS");
    let Some(gluetun) = gluetun else { return };
    let count = ways.len();
    let way = match &name {
        Some(name) => ways
            .iter_mut()
            .find(|way| way.client.egress.as_deref() == Some(name)),
        None => ways.first_mut().filter(|_| count == 1),
    };
    match way {
        Some(way) => way.gluetun = Some(gluetun),
        None => env.fault(
            "GLUETUN_EGRESS",
            "must name the entry of EGRESS that goes through this VPN",
        ),
    }
}

pub(super) fn named(env: &mut Env, base: &ClientConfig, list: &str) -> Vec<Way> {
    let mut names = BTreeSet::new();
    let mut ways = Vec::new();
    let entries = list.split(',').map(str::trim);
    for (number, entry) in (1..).zip(entries.filter(|entry| !entry.is_empty())) {
        // A value may hold credentials, so an entry is named by its number.
        match parse(base, entry) {
            Ok(way) if !names.insert(way.client.egress.clone()) => {
                env.fault(
                    "EGRESS",
                    format_args!("entry {number}: the name stands twice"),
                );
            }
            Ok(way) => ways.push(way),
            Err(message) => env.fault("EGRESS", format_args!("entry {number}: {message}")),
        }
    }
    if ways.len() > MAX_WAYS {
        env.fault("EGRESS", format_args!("has more than {MAX_WAYS} entries"));
        ways.truncate(MAX_WAYS);
    }
    ways
}

fn parse(base: &ClientConfig, entry: &str) -> Result<Way, String> {
    let (name, value) = entry
        .split_once('=')
        .ok_or("must be NAME=PROXY, NAME=ADDRESS or NAME=direct")?;
    let name = name.trim();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(is_plain) {
        return Err(format!(
            "the name must be 1 to {MAX_NAME} of A-Z, a-z, 0-9, `-` and `_`"
        ));
    }
    let value = value.trim();
    let mut client = ClientConfig {
        egress: Some(Arc::from(name)),
        proxies: Arc::default(),
        ..base.clone()
    };
    let kind = if value == "direct" {
        "direct"
    } else if let Ok(address) = value.parse::<IpAddr>() {
        check_local(address)?;
        client.source = Some(address);
        "source"
    } else if value.contains("://") {
        let proxies = Proxies::of(value).ok_or(
            "the proxy must be http://, https://, socks5:// or socks5h:// with a host (value not shown)",
        )?;
        client.proxies = Arc::new(proxies);
        "proxy"
    } else {
        return Err(
            "the value is no proxy, no IP address and not `direct` (value not shown)".into(),
        );
    };
    Ok(Way {
        client,
        kind,
        gluetun: None,
    })
}

/// An address that connections may come from must be one of this machine.
fn check_local(address: IpAddr) -> Result<(), String> {
    match TcpListener::bind((address, 0)) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!(
            "`{address}` is no address of this machine: {error}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> (EgressConfig, Vec<String>) {
        Env::read_pairs(pairs, EgressConfig::from_env)
    }

    fn kinds(config: &EgressConfig) -> Vec<(Option<&str>, &str)> {
        let ways = config.ways.iter();
        ways.map(|way| (way.client.egress.as_deref(), way.kind))
            .collect()
    }

    #[test]
    fn egress_unset_is_one_way_by_the_proxy_variables() {
        assert_eq!(kinds(&read(&[]).0), [(None, "direct")]);
        let (config, faults) = read(&[("HTTPS_PROXY", "http://p.example:3128")]);
        assert_eq!(kinds(&config), [(None, "proxy")]);
        assert!(faults.is_empty() && config.ways[0].client.proxies.is_configured());
    }

    #[test]
    fn egress_entries_are_proxies_addresses_and_the_direct_way() {
        let list = "a=http://u:hunter2@p.example:3128, b-2=127.0.0.1 ,c_=direct,";
        let (config, faults) = read(&[("EGRESS", list), ("ALL_PROXY", "http://other.example")]);
        assert_eq!(faults, Vec::<String>::new());
        assert_eq!(
            kinds(&config),
            [
                (Some("a"), "proxy"),
                (Some("b-2"), "source"),
                (Some("c_"), "direct")
            ]
        );
        let is_proxied = |at: usize| config.ways[at].client.proxies.is_configured();
        assert!(is_proxied(0) && !is_proxied(1) && !is_proxied(2));
        assert_eq!(config.ways[1].client.source, "127.0.0.1".parse().ok());
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn egress_faults_are_all_told_and_no_value_is_shown() {
        let list =
            "a=direct,a=direct,b,=direct,c d=direct,e=ftp://u:hunter2@h,f=h:8080,g=192.0.2.77";
        let (_, faults) = read(&[("EGRESS", list)]);
        let entries: Vec<&str> = faults.iter().map(|fault| &fault[..15]).collect();
        let expected = [2, 3, 4, 5, 6, 7, 8].map(|number| format!("EGRESS: entry {number}"));
        assert_eq!(entries, expected);
        assert!(!faults.concat().contains("hunter2"), "{faults:?}");
    }

    #[test]
    fn egress_together_with_proxy_is_a_fault() {
        let (_, faults) = read(&[("EGRESS", "a=direct"), ("PROXY", "http://p.example")]);
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].contains("together with PROXY"));
    }

    #[test]
    fn gluetun_belongs_to_the_only_way_or_to_the_one_named() {
        let control = ("GLUETUN_CONTROL_URL", "http://gluetun:8000");
        let has = |config: &EgressConfig| -> Vec<bool> {
            let ways = config.ways.iter();
            ways.map(|way| way.gluetun.is_some()).collect()
        };
        assert_eq!(has(&read(&[control]).0), [true]);
        let two = ("EGRESS", "a=direct,b=direct");
        let (config, faults) = read(&[control, two, ("GLUETUN_EGRESS", "b")]);
        assert_eq!((has(&config), faults.len()), (vec![false, true], 0));
        for name in ["", "c"] {
            let (_, faults) = read(&[control, two, ("GLUETUN_EGRESS", name)]);
            assert!(faults[0].starts_with("GLUETUN_EGRESS"), "{faults:?}");
        }
        assert_eq!(has(&read(&[]).0), [false]);
    }
}
