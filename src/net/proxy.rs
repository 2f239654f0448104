//! Which proxy a request goes through: `PROXY` for everything, else the standard variables (ruling 11).
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use url::Url;

use super::HostList;
use crate::config::Env;

const ACCEPTED: &str = "must be host:port, or http://, https://, socks5:// or socks5h:// with a host and without a path \
                        (value not shown)";

/// The proxies in use. `Debug` and `Display` mask their credentials.
#[derive(Clone, Default)]
pub(super) struct Proxies {
    http: Option<Url>,
    https: Option<Url>,
    bypass: Bypass,
}

/// Hosts that are asked directly, as `NO_PROXY` lists them.
#[derive(Clone, Default)]
struct Bypass {
    is_everything: bool,
    hosts: HostList,
}

impl Proxies {
    /// Reads the variables. All are asked for, whatever their values, so that the list of names is always the same.
    pub(super) fn from_env(env: &mut Env) -> Self {
        let own = env.secret("PROXY");
        let https = first(env, ["HTTPS_PROXY", "https_proxy"]);
        let http = first(env, ["HTTP_PROXY", "http_proxy"]);
        let all = first(env, ["ALL_PROXY", "all_proxy"]);
        let bypass = first(env, ["NO_PROXY", "no_proxy"]);
        let bypass = bypass.map_or_else(Bypass::default, |(name, text)| {
            Bypass::read(env, name, &text)
        });
        if let Some(secret) = own {
            let proxy = parse_or_fault(env, "PROXY", secret.reveal());
            return Self {
                http: proxy.clone(),
                https: proxy,
                bypass: Bypass::default(),
            };
        }
        Self {
            http: parse_first(env, [&http, &all]),
            https: parse_first(env, [&https, &all]),
            bypass,
        }
    }

    /// One proxy for everything; `None` when the text is no address of one.
    pub(super) fn of(text: &str) -> Option<Self> {
        let proxy = parse(text)?;
        Some(Self {
            http: Some(proxy.clone()),
            https: Some(proxy),
            bypass: Bypass::default(),
        })
    }

    /// The proxy for a request to `target`; `None` when it is asked directly.
    pub(super) fn route(&self, target: &Url) -> Option<&Url> {
        let proxy = if target.scheme() == "https" {
            self.https.as_ref()
        } else {
            self.http.as_ref()
        };
        proxy.filter(|_| !self.bypass.contains(target.host_str().unwrap_or_default()))
    }

    /// The proxy for what is no request.
    pub(super) fn for_tunnels(&self) -> Option<&Url> {
        self.https.as_ref()
    }

    /// Whether any request goes through a proxy.
    pub(super) fn is_configured(&self) -> bool {
        self.http.is_some() || self.https.is_some()
    }

    /// Whether `host` is a proxy's own: its address is the operator's choice and may be private.
    pub(super) fn is_proxy_host(&self, host: &str) -> bool {
        self.http
            .iter()
            .chain(&self.https)
            .filter_map(Url::host_str)
            .any(|name| name.eq_ignore_ascii_case(host))
    }
}

impl fmt::Display for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.http, &self.https) {
            (None, None) => f.write_str("none"),
            (Some(http), Some(https)) if http == https => f.write_str(&masked(http)),
            (http, https) => {
                let shown = |url: &Option<Url>| url.as_ref().map_or("none".to_owned(), masked);
                write!(f, "http via {}, https via {}", shown(http), shown(https))
            }
        }
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxies({self})")
    }
}

/// Whether an entry of `NO_PROXY` can mean anything: `*`, a host or domain, an address or a network, with a port or not.
/// Addresses and networks are names of no site, so that they change nothing here, and stand there for other programs.
fn is_bypass(entry: &str) -> bool {
    let is_address = |text: &str| {
        let text = text.trim_start_matches('[').trim_end_matches(']');
        text.parse::<IpAddr>().is_ok() || text.parse::<IpNet>().is_ok()
    };
    let is_host = |text: &str| {
        let text = text.strip_prefix("*.").unwrap_or(text).trim_matches('.');
        let is_label = |label: &str| {
            let mut bytes = label.bytes();
            !label.is_empty()
                && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        text.split('.').all(is_label)
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok();
    let with_port = entry.rsplit_once(':').filter(|(_, port)| is_port(port));
    let host = with_port.map_or(entry, |(host, _)| host);
    matches!(entry, "" | "*") || is_address(entry) || is_address(host) || is_host(host)
}

impl Bypass {
    /// Reads a list; an entry that means nothing is a fault.
    fn read(env: &mut Env, name: &str, text: &str) -> Self {
        let entries: Vec<&str> = text.split(',').map(str::trim).collect();
        for entry in entries.iter().filter(|entry| !is_bypass(entry)) {
            env.fault(
                name,
                format_args!("`{entry}`: must be `*`, a host, a domain, an address or a network"),
            );
        }
        Self {
            is_everything: entries.contains(&"*"),
            hosts: HostList::new(entries),
        }
    }

    fn contains(&self, host: &str) -> bool {
        self.is_everything || self.hosts.contains(host)
    }
}

/// The first of `names` that is set, with its name.
fn first(env: &mut Env, names: [&'static str; 2]) -> Option<(&'static str, String)> {
    let values = names.map(|name| env.text(name).map(|value| (name, value)));
    values.into_iter().flatten().next()
}

fn parse_first(env: &mut Env, candidates: [&Option<(&str, String)>; 2]) -> Option<Url> {
    let (name, text) = candidates.into_iter().flatten().next()?;
    parse_or_fault(env, name, text)
}

fn parse_or_fault(env: &mut Env, name: &str, text: &str) -> Option<Url> {
    let proxy = parse(text);
    if proxy.is_none() {
        env.fault(name, ACCEPTED);
    }
    proxy
}

fn parse(text: &str) -> Option<Url> {
    let url = if text.contains("://") {
        Url::parse(text)
    } else {
        // `proxy.example:3128` is common in the standard variables. Without a port it may be any word.
        let (_, port) = text.rsplit_once(':')?;
        port.parse::<u16>().ok()?;
        Url::parse(&format!("http://{text}"))
    };
    let mut url = url.ok().filter(Url::has_host)?;
    let has_path = !matches!(url.path(), "" | "/");
    if has_path || url.query().is_some() || url.fragment().is_some() {
        return None;
    }
    match url.scheme() {
        "http" | "https" | "socks5h" => {}
        // Nothing is resolved here behind a proxy, so both mean that the proxy resolves (ruling 11).
        "socks5" => url.set_scheme("socks5h").ok()?,
        _ => return None,
    }
    url.host_str().filter(|host| !host.is_empty())?;
    Some(url)
}

fn masked(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let credentials = if url.username().is_empty() && url.password().is_none() {
        ""
    } else {
        "***@"
    };
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    format!("{}://{credentials}{host}{port}", url.scheme())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(pairs: &[(&str, &str)]) -> Proxies {
        let mut env = Env::from_pairs(pairs.iter().copied());
        let proxies = Proxies::from_env(&mut env);
        env.finish().unwrap();
        proxies
    }

    fn route(proxies: &Proxies, target: &str) -> Option<String> {
        proxies
            .route(&Url::parse(target).unwrap())
            .map(Url::to_string)
    }

    #[test]
    fn proxy_own_variable_wins_for_every_scheme_and_host() {
        let proxies = proxies(&[
            ("PROXY", "http://one.example:3128"),
            ("HTTPS_PROXY", "http://two.example"),
            ("NO_PROXY", "*"),
        ]);
        let expected = Some("http://one.example:3128/".to_owned());
        assert_eq!(route(&proxies, "https://a.example/"), expected);
        assert_eq!(route(&proxies, "http://a.example/"), expected);
    }

    #[test]
    fn proxy_standard_variables_count_by_scheme() {
        let proxies = proxies(&[
            ("https_proxy", "two.example:81"),
            ("ALL_PROXY", "all.example:80"),
        ]);
        assert_eq!(
            route(&proxies, "https://a.example/").as_deref(),
            Some("http://two.example:81/")
        );
        assert_eq!(
            route(&proxies, "http://a.example/").as_deref(),
            Some("http://all.example/")
        );
    }

    #[test]
    fn proxy_without_a_scheme_needs_its_port() {
        for (text, address) in [
            ("h:80", "http://h/"),
            ("u:p@h:3128", "http://u:p@h:3128/"),
            ("[::1]:3128", "http://[::1]:3128/"),
            ("http://h", "http://h/"),
            ("socks5h://h/", "socks5h://h/"),
        ] {
            let route = route(&proxies(&[("PROXY", text)]), "https://a.example/");
            assert_eq!(route.as_deref(), Some(address), "{text}");
        }
    }

    #[test]
    fn proxy_bypass_is_by_label_and_star_is_everything() {
        let some = proxies(&[
            ("ALL_PROXY", "http://p.example"),
            ("no_proxy", ".b.example, c.example"),
        ]);
        assert_eq!(route(&some, "https://x.b.example/"), None);
        assert_eq!(route(&some, "https://c.example/"), None);
        assert!(route(&some, "https://notc.example/").is_some());
        let all = proxies(&[("ALL_PROXY", "http://p.example"), ("NO_PROXY", "a, *")]);
        assert_eq!(route(&all, "https://c.example/"), None);
    }

    #[test]
    fn proxy_bypass_that_means_nothing_is_a_fault() {
        let faults = |list: &str| {
            let pairs = [("NO_PROXY", list)];
            Env::read_pairs(&pairs, Proxies::from_env).1
        };
        let good = "localhost,127.0.0.1,::1,[::1]:80,10.0.0.0/8,fd00::/8,.svc,*.local,a_b.example:8080,,c.example.,*";
        assert_eq!(faults(good), Vec::<String>::new());
        for bad in [
            ":::",
            "a b",
            "http://a.example",
            "a..example",
            "[",
            "10.0.0.0/99",
            "*a",
        ] {
            let told = faults(&format!("a.example,{bad}"));
            assert_eq!(told.len(), 1, "{bad}: {told:?}");
            assert!(told[0].starts_with("NO_PROXY: `"), "{told:?}");
        }
    }

    #[test]
    fn proxy_socks_names_are_left_to_the_proxy() {
        let proxies = proxies(&[("PROXY", "socks5://user:pass@127.0.0.1:1080")]);
        assert_eq!(
            route(&proxies, "https://a.example/").as_deref(),
            Some("socks5h://user:pass@127.0.0.1:1080")
        );
    }

    #[test]
    fn proxy_credentials_are_masked_wherever_shown() {
        let proxies = proxies(&[("PROXY", "https://user:hunter2@p.example:8443")]);
        let shown = format!("{proxies} {proxies:?}");
        assert!(shown.contains("https://***@p.example:8443"), "{shown}");
        assert!(!shown.contains("user") && !shown.contains("hunter2"));
    }

    #[test]
    fn proxy_bad_value_is_a_fault_without_the_value() {
        for bad in [
            "ftp://u:hunter2@h",
            "http://",
            "socks5://",
            "http://u:hunter2@",
            "u:hunter2@h",
            "/nonexistent/x",
            "http://h/path",
            "http:///nonexistent/x",
            "http://h:1/?q",
            "-1",
            "soon",
            ":3128",
            "h:port",
        ] {
            for name in ["PROXY", "HTTPS_PROXY", "http_proxy", "ALL_PROXY"] {
                let (_, faults) = Env::read_pairs(&[(name, bad)], Proxies::from_env);
                assert_eq!(faults, [format!("{name}: {ACCEPTED}")], "{bad}");
            }
        }
    }

    #[test]
    fn proxy_host_is_known_in_any_case() {
        let proxies = proxies(&[("PROXY", "socks5h://Gluetun:1080")]);
        assert!(proxies.is_proxy_host("gluetun"));
        assert!(!proxies.is_proxy_host("gluetun.example"));
    }
}
