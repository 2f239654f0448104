//! Settings of broadcasts.

use std::path::PathBuf;

use crate::config::{Env, Origins, Secret};

/// Settings of broadcasts.
#[derive(Debug, Clone)]
pub struct BroadcastConfig {
    /// `BROADCAST_API_TOKEN`: what a caller must show; without it the whole family is off.
    pub token: Option<Secret>,
    /// `BROADCAST_API_CORS`: origins whose pages may use the family; none by default.
    pub cors_origins: Option<Origins>,
    /// `BROADCAST_DB` (`data/serverrs.db`): the database.
    pub database: PathBuf,
}

impl BroadcastConfig {
    /// Reads the variables named at the fields.
    pub fn from_env(env: &mut Env) -> Self {
        Self {
            token: env.secret("BROADCAST_API_TOKEN"),
            cors_origins: Origins::from_env(env, "BROADCAST_API_CORS"),
            database: env
                .path("BROADCAST_DB")
                .unwrap_or_else(|| PathBuf::from("data/serverrs.db")),
        }
    }
}
