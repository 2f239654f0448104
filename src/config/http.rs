//! Settings of the API.

use http::HeaderValue;

use super::Env;

/// Settings of the API.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// `CORS_ORIGINS` (`*`): origins whose pages may read the answers.
    pub cors_origins: Origins,
}

/// Origins of `CORS_ORIGINS`.
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
            cors_origins: origins(env),
        }
    }
}

fn origins(env: &mut Env) -> Origins {
    let list = env.list("CORS_ORIGINS");
    if list.is_empty() || list.iter().any(|origin| origin == "*") {
        return Origins::Any;
    }
    let mut these = Vec::with_capacity(list.len());
    for origin in list {
        match HeaderValue::from_str(origin.trim_end_matches('/')) {
            Ok(value) if origin.starts_with("http://") || origin.starts_with("https://") => {
                these.push(value);
            }
            _ => env.fault(
                "CORS_ORIGINS",
                format_args!("`{origin}`: must be `*` or origins like `https://example.com`"),
            ),
        }
    }
    Origins::These(these)
}
