//! Where the shared Redis is.

use std::net::IpAddr;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use rustls::RootCertStore;
use url::{Host, Url};

use crate::config::{Env, Secret};
use crate::net::tls;

const PORT: u16 = 6379;
const ACCEPTED: &str =
    "must be redis://[user:password@]host[:port][/database] or rediss://… (value not shown)";

/// Where the Redis is, and how we log in.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) database: i64,
    /// Whom TLS trusts; `None` without TLS.
    pub(super) roots: Option<Arc<RootCertStore>>,
}

impl StoreConfig {
    /// Reads `REDIS_URL` (or `REDIS_URL_FILE`), else `REDIS_HOST` with `REDIS_PORT` (6379); `None` when neither is set.
    pub fn from_env(env: &mut Env) -> Option<Self> {
        let url = env.secret("REDIS_URL");
        let host = host(env);
        let port = env.number("REDIS_PORT", 1..=u16::MAX).unwrap_or(PORT);
        if let Some(url) = url {
            let config = parse(env, url.reveal());
            if config.is_none() {
                env.fault("REDIS_URL", ACCEPTED);
            }
            return config;
        }
        Some(Self {
            host: host?,
            port,
            user: None,
            password: None,
            database: 0,
            roots: None,
        })
    }
}

fn host(env: &mut Env) -> Option<String> {
    let text = env.text("REDIS_HOST")?;
    let host = text.trim_matches(['[', ']']);
    if host.parse::<IpAddr>().is_err() && Host::parse(host).is_err() {
        env.fault(
            "REDIS_HOST",
            "must be the name of a host or an IP address; the port is REDIS_PORT, and an address such as redis://… is \
             REDIS_URL (value not shown)",
        );
    }
    Some(host.to_owned())
}

fn parse(env: &mut Env, text: &str) -> Option<StoreConfig> {
    let url = Url::parse(text).ok()?;
    let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
    let is_tls = match url.scheme() {
        "redis" => false,
        "rediss" => true,
        _ => return None,
    };
    if host.is_empty() || url.query().is_some() || url.fragment().is_some() {
        return None;
    }
    let database = match url.path().trim_start_matches('/') {
        "" => 0,
        number => number.parse::<u16>().ok()?.into(),
    };
    let decoded = |text: &str| {
        percent_decode_str(text)
            .decode_utf8()
            .ok()
            .map(String::from)
    };
    Some(StoreConfig {
        host: decoded(&host)?,
        port: url.port().unwrap_or(PORT),
        user: Some(decoded(url.username())?).filter(|user| !user.is_empty()),
        password: match url.password() {
            Some(password) => Some(Secret::new(decoded(password)?)),
            None => None,
        },
        database,
        roots: is_tls.then(|| Arc::new(tls::roots_from_env(env))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> (Option<StoreConfig>, Vec<String>) {
        Env::read_pairs(pairs, StoreConfig::from_env)
    }

    #[test]
    fn store_address_is_read_in_all_its_parts() {
        assert!(read(&[]).0.is_none());
        let url = "rediss://me:p%40ss@[::1]:6380/3";
        let (config, faults) = read(&[("REDIS_URL", url)]);
        let config = config.unwrap();
        assert!(faults.is_empty() && config.roots.is_some());
        assert_eq!(
            (config.host.as_str(), config.port, config.database),
            ("::1", 6380, 3)
        );
        assert_eq!(config.user.as_deref(), Some("me"));
        assert_eq!(config.password.as_ref().unwrap().reveal(), "p@ss");
        assert!(!format!("{config:?}").contains("p@ss"));
        let (config, _) = read(&[("REDIS_URL", "redis://:pass@cache")]);
        let config = config.unwrap();
        assert_eq!((config.host.as_str(), config.port), ("cache", PORT));
        assert!(config.user.is_none() && config.password.is_some() && config.roots.is_none());
    }

    #[test]
    fn store_host_and_port_are_the_older_way() {
        let (config, _) = read(&[("REDIS_HOST", "redis"), ("REDIS_PORT", "7000")]);
        let config = config.unwrap();
        assert_eq!((config.host.as_str(), config.port), ("redis", 7000));
        for (text, host) in [("[::1]", "::1"), ("::1", "::1"), ("my_redis", "my_redis")] {
            let (config, faults) = read(&[("REDIS_HOST", text)]);
            assert_eq!(config.unwrap().host, host);
            assert_eq!(faults, Vec::<String>::new());
        }
        for wrong in ["http://", "redis:6379", "redis://u:hunter2@h", "a b", "a/b"] {
            let (_, faults) = read(&[("REDIS_HOST", wrong)]);
            assert!(faults[0].starts_with("REDIS_HOST: must be"), "{wrong}");
            assert!(!faults.concat().contains("hunter2"), "{faults:?}");
        }
    }

    #[test]
    fn store_address_that_is_wrong_is_a_fault_without_the_value() {
        for url in [
            "http://u:hunter2@h",
            "redis://",
            "redis://u:hunter2@h/x",
            "redis://u:hunter2@h?a",
            "hunter2",
        ] {
            let (config, faults) = read(&[("REDIS_URL", url)]);
            assert!(config.is_none(), "{url}");
            assert!(
                faults.len() == 1 && !faults[0].contains("hunter2"),
                "{faults:?}"
            );
        }
        let (_, faults) = read(&[("REDIS_PORT", "many")]);
        assert!(faults[0].starts_with("REDIS_PORT"));
    }
}
