//! Settings of the API.

use http::HeaderValue;
use url::Url;

use super::{Env, Secret};

/// Settings of the API.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// `CORS_ORIGINS` (`*`): origins whose pages may read the answers.
    pub cors_origins: Origins,
    /// `METRICS_TOKEN` (none, or `METRICS_TOKEN_FILE`): what `/metrics` wants to be shown; unset, it is open.
    pub metrics_token: Option<Secret>,
    /// `DOCS` (1): whether `/docs` and `/openapi.json` are there.
    pub has_docs: bool,
}

/// Origins of `CORS_ORIGINS` or `BROADCAST_API_CORS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// `*`
    Any,
    /// These alone.
    These(Vec<HeaderValue>),
}

impl HttpConfig {
    /// Reads the variables named at the fields.
    pub fn from_env(env: &mut Env) -> Self {
        let cors_origins = Origins::from_env(env, "CORS_ORIGINS").unwrap_or(Origins::Any);
        let metrics_token = env.secret("METRICS_TOKEN");
        env.must_fit_header("METRICS_TOKEN", metrics_token.as_slice());
        Self {
            cors_origins,
            metrics_token,
            has_docs: env.flag("DOCS", true),
        }
    }
}

impl Origins {
    /// Reads the list in this variable; `None` when it is empty.
    pub fn from_env(env: &mut Env, name: &str) -> Option<Self> {
        let list = env.list(name);
        if list.is_empty() {
            return None;
        }
        if list.iter().any(|origin| origin == "*") {
            return Some(Self::Any);
        }
        let mut these = Vec::with_capacity(list.len());
        for origin in list {
            match header_of(&origin) {
                Some(value) => these.push(value),
                None => env.fault(
                    name,
                    format_args!(
                        "`{origin}`: must be `*` alone, or origins such as `https://example.com` by comma: scheme, \
                         host and port, without a path and without a pattern"
                    ),
                ),
            }
        }
        Some(Self::These(these))
    }
}

/// The origin as browsers send it (RFC 6454 §6.2): in lower case, and without the port of its scheme.
fn header_of(origin: &str) -> Option<HeaderValue> {
    let url = Url::parse(origin).ok()?;
    let has_scheme = matches!(url.scheme(), "http" | "https") && origin.contains("://");
    let is_pattern = url.host_str()?.contains('*');
    let has_user = !url.username().is_empty() || url.password().is_some();
    let has_more = url.path() != "/" || url.query().is_some() || url.fragment().is_some();
    if !has_scheme || is_pattern || has_user || has_more {
        return None;
    }
    HeaderValue::from_str(&url.origin().ascii_serialization()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(list: &str) -> (Option<Origins>, Vec<String>) {
        Env::read_pairs(&[("CORS_ORIGINS", list)], |env| {
            Origins::from_env(env, "CORS_ORIGINS")
        })
    }

    #[test]
    fn origins_are_as_browsers_send_them() {
        let list =
            "https://A.example/, http://b.example:80,https://c.example:8443,http://[::1]:3000";
        let (origins, faults) = read(list);
        assert_eq!(faults, Vec::<String>::new());
        let expected = [
            "https://a.example",
            "http://b.example",
            "https://c.example:8443",
            "http://[::1]:3000",
        ];
        let expected = expected.map(HeaderValue::from_static).to_vec();
        assert_eq!(origins, Some(Origins::These(expected)));
        assert_eq!(
            read("https://a.example,*"),
            (Some(Origins::Any), Vec::new())
        );
        assert_eq!(read(" , "), (None, Vec::new()));
    }

    #[test]
    fn origins_that_no_browser_sends_are_faults() {
        for wrong in [
            "http://",
            "example.com",
            "https:example.com",
            "https://*.example.com",
            "https://a.example/path",
            "https://a.example?q",
            "https://a.example#f",
            "https://user@a.example",
            "ftp://a.example",
            "null",
        ] {
            let (_, faults) = read(&format!("https://good.example,{wrong}"));
            assert_eq!(faults.len(), 1, "{wrong}: {faults:?}");
            assert!(faults[0].starts_with(&format!("CORS_ORIGINS: `{wrong}`: must be")));
        }
    }
}
