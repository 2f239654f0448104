//! Settings of the listening side: address, limits on clients, shutdown, who this instance is.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use super::{Env, TlsConfig};

const MAX_CONNECTIONS_CEILING: usize = 1_000_000;

/// Where the server listens, how much it grants each client, and how it stops.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// `HOST` (0.0.0.0): address to listen on.
    pub host: IpAddr,
    /// `PORT` (3021): port to listen on; 0 lets the system pick one.
    pub port: u16,
    /// `TLS_CERT_FILE` and `TLS_KEY_FILE` (none): TLS ends here.
    pub tls: Option<TlsConfig>,
    /// `BASE_URL` (`http://localhost:$PORT`, with TLS `https://…`): prefix of every link, without a trailing slash.
    pub base_url: Option<String>,
    /// `MAX_CONNECTIONS` (12000): open connections; the next one is not accepted until one is free.
    pub max_connections: usize,
    /// `MAX_CONNECTIONS_PER_CLIENT` (256): open connections of one IPv4 address or IPv6 /64; more are closed at once.
    /// Trusted proxies are exempt, since all their clients share one address.
    pub max_connections_per_client: usize,
    /// `HEADER_TIMEOUT` (10 s): from accept, or from the first byte on a kept-alive connection, to the whole head.
    pub header_timeout: Duration,
    /// `BODY_TIMEOUT` (10 s): a whole request body; a deadline, not an idle time.
    pub body_timeout: Duration,
    /// `KEEPALIVE_TIMEOUT` (60 s): how long a connection may wait for its next request.
    pub keepalive_timeout: Duration,
    /// `CLIENT_STALL_TIMEOUT` (60 s): no progress in writing while data waits.
    pub client_stall_timeout: Duration,
    /// `SHUTDOWN_DELAY` (0 s): how long connections are still accepted after the first signal.
    pub shutdown_delay: Duration,
    /// `SHUTDOWN_GRACE` (30 s): how long running responses may go on after that.
    pub shutdown_grace: Duration,
    /// `TRUSTED_PROXIES` (none): addresses or CIDRs of proxies in front. They are exempt from the limit per client, and
    /// `X-Forwarded-For` counts when it comes from them.
    pub trusted_proxies: Vec<IpNet>,
    /// `INSTANCE_ID` (`unknown`): name of this replica, shown by `/health`.
    pub instance_id: String,
    /// `INSTANCE_REGION` (`unknown`): where this replica runs, shown by `/health`.
    pub instance_region: String,
}

impl ServerConfig {
    /// Reads the variables named at the fields; faults are noted in `env`.
    pub fn from_env(env: &mut Env) -> Self {
        Self {
            host: host(env),
            port: env.number("PORT", 0..=u16::MAX).unwrap_or(3021),
            tls: TlsConfig::from_env(env),
            base_url: base_url(env),
            max_connections: env.count("MAX_CONNECTIONS", 12_000, 1, MAX_CONNECTIONS_CEILING),
            max_connections_per_client: env.count(
                "MAX_CONNECTIONS_PER_CLIENT",
                256,
                1,
                MAX_CONNECTIONS_CEILING,
            ),
            header_timeout: env.seconds("HEADER_TIMEOUT", 10, 1),
            body_timeout: env.seconds("BODY_TIMEOUT", 10, 1),
            keepalive_timeout: env.seconds("KEEPALIVE_TIMEOUT", 60, 1),
            client_stall_timeout: env.seconds("CLIENT_STALL_TIMEOUT", 60, 1),
            shutdown_delay: env.seconds("SHUTDOWN_DELAY", 0, 0),
            shutdown_grace: env.seconds("SHUTDOWN_GRACE", 30, 0),
            trusted_proxies: trusted_proxies(env),
            instance_id: env.text("INSTANCE_ID").unwrap_or_else(unknown),
            instance_region: env.text("INSTANCE_REGION").unwrap_or_else(unknown),
        }
    }

    /// Address to listen on.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.host, self.port)
    }

    /// What is spoken on the listening port, as a scheme of URLs.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// The name of this instance, if it has one.
    pub fn instance_name(&self) -> Option<&str> {
        Some(self.instance_id.as_str()).filter(|name| *name != UNKNOWN)
    }

    /// Prefix of every link when listening on `port`, without a trailing slash.
    pub fn public_url(&self, port: u16) -> String {
        self.base_url
            .clone()
            .unwrap_or_else(|| format!("{}://localhost:{port}", self.scheme()))
    }

    /// Whether the peer at `address` is a proxy of ours.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted_proxies
            .iter()
            .any(|network| network.contains(&address))
    }
}

/// What stands for a name that was not given.
const UNKNOWN: &str = "unknown";

fn unknown() -> String {
    UNKNOWN.to_owned()
}

fn host(env: &mut Env) -> IpAddr {
    const DEFAULT: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let Some(text) = env.text("HOST") else {
        return DEFAULT;
    };
    text.parse().unwrap_or_else(|_| {
        env.fault(
            "HOST",
            format_args!("`{text}`: must be an IP address, such as `127.0.0.1`, `0.0.0.0` or `::`"),
        );
        DEFAULT
    })
}

fn base_url(env: &mut Env) -> Option<String> {
    let text = env.text("BASE_URL")?;
    match check_base_url(&text) {
        Ok(()) => Some(text.trim_end_matches('/').to_owned()),
        Err(reason) => {
            // The value is not repeated: it may hold a password.
            env.fault("BASE_URL", reason);
            None
        }
    }
}

fn check_base_url(text: &str) -> Result<(), &'static str> {
    let url = Url::parse(text).map_err(|_| "must be an address like `https://media.example`")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("must begin with `http://` or `https://`");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must have no query and no fragment");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must have no user name and no password");
    }
    Ok(())
}

fn trusted_proxies(env: &mut Env) -> Vec<IpNet> {
    let mut networks = Vec::new();
    for text in env.list("TRUSTED_PROXIES") {
        match parse_network(&text) {
            Some(network) => networks.push(network),
            None => env.fault(
                "TRUSTED_PROXIES",
                format_args!("`{text}`: must be an address or a CIDR such as `10.0.0.0/8`"),
            ),
        }
    }
    networks
}

fn parse_network(text: &str) -> Option<IpNet> {
    let address = text.parse::<IpAddr>().map(IpNet::from);
    address.or_else(|_| text.parse::<IpNet>()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(pairs: &[(&str, &str)]) -> Vec<String> {
        let mut env = Env::from_pairs(pairs.iter().copied());
        ServerConfig::from_env(&mut env);
        match env.finish() {
            Ok(()) => Vec::new(),
            Err(error) => error.faults.into_iter().map(|fault| fault.name).collect(),
        }
    }

    #[test]
    fn empty_environment_gives_documented_defaults() {
        let config = ServerConfig::from_env(&mut Env::default());
        assert_eq!(config.address().to_string(), "0.0.0.0:3021");
        assert_eq!(config.public_url(3021), "http://localhost:3021");
        assert_eq!(config.max_connections, 12_000);
        assert_eq!(config.max_connections_per_client, 256);
        assert_eq!(config.header_timeout, Duration::from_secs(10));
        assert_eq!(config.body_timeout, Duration::from_secs(10));
        assert_eq!(config.keepalive_timeout, Duration::from_secs(60));
        assert_eq!(config.client_stall_timeout, Duration::from_secs(60));
        assert_eq!(config.shutdown_delay, Duration::ZERO);
        assert_eq!(config.shutdown_grace, Duration::from_secs(30));
        assert!(config.trusted_proxies.is_empty());
        assert_eq!(config.instance_id, "unknown");
    }

    #[test]
    fn base_url_loses_its_trailing_slash_and_keeps_its_path() {
        let mut env = Env::from_pairs([("BASE_URL", "https://media.example/dl/")]);
        let config = ServerConfig::from_env(&mut env);
        assert_eq!(config.public_url(1), "https://media.example/dl");
        assert!(env.finish().is_ok());
    }

    #[test]
    fn links_begin_with_https_where_tls_ends_here() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = (folder.path().join("cert"), folder.path().join("key"));
        std::fs::write(&cert, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let mut pairs = vec![
            ("TLS_CERT_FILE", cert.to_str().unwrap()),
            ("TLS_KEY_FILE", key.to_str().unwrap()),
        ];
        let mut env = Env::from_pairs(pairs.clone());
        let config = ServerConfig::from_env(&mut env);
        assert_eq!(config.public_url(3021), "https://localhost:3021");
        pairs.push(("BASE_URL", "http://media.example"));
        let config = ServerConfig::from_env(&mut Env::from_pairs(pairs));
        assert_eq!(config.public_url(3021), "http://media.example");
        env.finish().unwrap();
    }

    #[test]
    fn base_url_that_can_not_be_a_prefix_is_a_fault() {
        let bad = [
            "media.example",
            "ftp://media.example",
            "https://media.example/?a=b",
            "https://media.example/#top",
            "https://user:secret@media.example",
        ];
        for value in bad {
            assert_eq!(faults(&[("BASE_URL", value)]), ["BASE_URL"], "{value}");
        }
    }

    #[test]
    fn every_bad_value_is_listed_at_once() {
        let found = faults(&[
            ("HOST", "localhost"),
            ("PORT", "70000"),
            ("TLS_CERT_FILE", "/nonexistent/cert.pem"),
            ("MAX_CONNECTIONS", "0"),
            ("HEADER_TIMEOUT", "0"),
            ("SHUTDOWN_GRACE", "-1"),
            ("TRUSTED_PROXIES", "10.0.0.0/8, nonsense"),
        ]);
        let expected = [
            "HOST",
            "PORT",
            "TLS_KEY_FILE",
            "MAX_CONNECTIONS",
            "HEADER_TIMEOUT",
            "SHUTDOWN_GRACE",
            "TRUSTED_PROXIES",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn port_zero_and_ipv6_host_are_accepted() {
        let mut env = Env::from_pairs([("HOST", "::1"), ("PORT", "0")]);
        let config = ServerConfig::from_env(&mut env);
        assert_eq!(config.address().to_string(), "[::1]:0");
        assert!(env.finish().is_ok());
    }

    #[test]
    fn trusted_proxies_match_addresses_networks_and_mapped_ipv4() {
        let mut env =
            Env::from_pairs([("TRUSTED_PROXIES", "192.0.2.7, 10.0.0.0/8 ,2001:db8::/32")]);
        let config = ServerConfig::from_env(&mut env);
        for (address, trusted) in [
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("10.255.0.1", true),
            ("::ffff:10.1.2.3", true),
            ("2001:db8::1", true),
            ("2001:db9::1", false),
        ] {
            assert_eq!(
                config.trusts(address.parse().unwrap()),
                trusted,
                "{address}"
            );
        }
    }
}
