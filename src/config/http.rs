//! Settings of the API.

use http::HeaderValue;

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
        Self {
            cors_origins: Origins::from_env(env, "CORS_ORIGINS").unwrap_or(Origins::Any),
            metrics_token: env.secret("METRICS_TOKEN"),
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
            match HeaderValue::from_str(origin.trim_end_matches('/')) {
                Ok(value) if origin.starts_with("http://") || origin.starts_with("https://") => {
                    these.push(value);
                }
                _ => env.fault(
                    name,
                    format_args!("`{origin}`: must be `*` or origins like `https://example.com`"),
                ),
            }
        }
        Some(Self::These(these))
    }
}
