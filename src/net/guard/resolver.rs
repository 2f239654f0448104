//! Name resolution for direct connections: only allowed addresses come out, so the one that was checked is the one
//! that is dialled, whatever the name answers the next time (reliability R5.3).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::{AddressGuard, GuardError};
use crate::net::proxy::Proxies;
use crate::net::{ClientConfig, IpFamily};

/// One question to the system's resolver (reliability R4).
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(3);
/// How often it is asked.
const LOOKUP_TRIES: usize = 2;

/// The resolver of all clients.
#[derive(Debug, Clone)]
pub(in crate::net) struct GuardedResolver {
    guard: Arc<AddressGuard>,
    proxies: Arc<Proxies>,
    family: Option<IpFamily>,
    /// The only family that the local address can reach. From another one a connection would go out by the system's own
    /// choice of address.
    reachable: Option<IpFamily>,
}

impl GuardedResolver {
    /// The resolver for a way out: gives addresses of `family` where a name has any, else all.
    pub(in crate::net) fn new(config: &ClientConfig, family: Option<IpFamily>) -> Self {
        Self {
            guard: Arc::clone(&config.guard),
            proxies: Arc::clone(&config.proxies),
            family,
            reachable: config.source.map(IpFamily::of),
        }
    }

    /// The addresses of `host` that may be dialled, in the system's order, without a port.
    ///
    /// # Errors
    /// No address, or none that may be dialled.
    pub(in crate::net) async fn lookup(&self, host: &str) -> Result<Vec<SocketAddr>, ResolveError> {
        let mut addresses = lookup(host).await?;
        // The operator's own proxy may be anywhere.
        if !self.proxies.is_proxy_host(host) {
            addresses.retain(|address| self.guard.allows(address.ip()));
            if let Some(family) = self.family {
                family.keep(&mut addresses);
            }
        }
        if let Some(reachable) = self.reachable {
            addresses.retain(|address| IpFamily::of(address.ip()) == reachable);
        }
        if addresses.is_empty() {
            return Err(GuardError::PrivateAddress.into());
        }
        Ok(addresses)
    }
}

type ResolveError = Box<dyn std::error::Error + Send + Sync>;

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let addresses = resolver.lookup(name.as_str()).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

async fn lookup(host: &str) -> io::Result<Vec<SocketAddr>> {
    let mut failure = io::Error::from(io::ErrorKind::NotFound);
    for _ in 0..LOOKUP_TRIES {
        let question = tokio::net::lookup_host((host, 0));
        match tokio::time::timeout(LOOKUP_TIMEOUT, question).await {
            Ok(Ok(addresses)) => return Ok(addresses.collect()),
            Ok(Err(error)) => failure = error,
            Err(_elapsed) => failure = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(failure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Env;

    fn resolver(pairs: &[(&str, &str)]) -> GuardedResolver {
        let mut env = Env::from_pairs(pairs.iter().copied());
        GuardedResolver::new(&ClientConfig::from_env(&mut env), None)
    }

    #[tokio::test]
    async fn resolver_name_with_loopback_address_only_is_refused() {
        let error = resolver(&[]).lookup("localhost").await.unwrap_err();
        assert_eq!(
            error.downcast_ref::<GuardError>(),
            Some(&GuardError::PrivateAddress)
        );
    }

    #[tokio::test]
    async fn resolver_gives_addresses_of_its_family_alone() {
        let pairs = [("ALLOW_PRIVATE_UPSTREAM", "127.0.0.0/8,::1")];
        let all = resolver(&pairs).lookup("localhost").await.unwrap();
        for family in [IpFamily::V4, IpFamily::V6] {
            let is_meant = |address: &SocketAddr| IpFamily::of(address.ip()) == family;
            let pinned = GuardedResolver {
                family: Some(family),
                ..resolver(&pairs)
            };
            let found = pinned.lookup("localhost").await.unwrap();
            assert_eq!(found.iter().all(is_meant), all.iter().any(is_meant));
        }
    }

    #[tokio::test]
    async fn resolver_of_a_local_address_gives_what_it_can_reach_alone() {
        let pairs = [("ALLOW_PRIVATE_UPSTREAM", "127.0.0.0/8,::1")];
        for (family, source) in [(IpFamily::V4, "127.0.0.1"), (IpFamily::V6, "::1")] {
            let mut config = ClientConfig::from_env(&mut Env::from_pairs(pairs));
            config.source = source.parse().ok();
            let resolver = GuardedResolver::new(&config, None);
            let found = resolver.lookup("localhost").await.unwrap_or_default();
            let is_reachable = |address: &SocketAddr| IpFamily::of(address.ip()) == family;
            assert!(found.iter().all(is_reachable), "{found:?}");
        }
    }

    #[tokio::test]
    async fn resolver_allowed_range_and_proxy_host_pass() {
        for pairs in [
            [("ALLOW_PRIVATE_UPSTREAM", "127.0.0.0/8,::1")],
            [("PROXY", "http://localhost:3128")],
        ] {
            let addresses = resolver(&pairs).lookup("localhost").await.unwrap();
            assert!(addresses.iter().all(|address| address.ip().is_loopback()));
        }
    }
}
