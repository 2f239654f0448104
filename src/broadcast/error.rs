//! Why a request about broadcasts is refused.

use std::sync::Arc;

use super::settings::FieldFault;
use super::store::StoreError;
use crate::services::ResolveError;

/// Why a request about broadcasts is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BroadcastError {
    /// No such broadcast.
    #[error("no such broadcast")]
    NotFound,
    /// Fields that can't be used.
    #[error("fields that can't be used: {0:?}")]
    Invalid(Vec<FieldFault>),
    /// A playlist that can't be read.
    #[error("playlist: {0}")]
    Playlist(Arc<ResolveError>),
    /// It is on air, and that can't be done then; the field, if one is meant.
    #[error("the broadcast is running")]
    Running(Option<String>),
    /// It isn't on air, and that can't be done then.
    #[error("the broadcast is not running")]
    NotRunning,
    /// The server is about to end.
    #[error("the server is stopping")]
    Draining,
    /// As many are on air as may be.
    #[error("{0} broadcasts are running")]
    TooMany(usize),
    /// Its key was sealed under another `ENCRYPTION_KEY`.
    #[error("the stream key can't be read")]
    KeyUnreadable,
    /// Its target may not be dialled.
    #[error("target: {0}")]
    TargetForbidden(String),
    /// Too many follow it.
    #[error("too many followers")]
    TooManyFollowers,
    /// A stream key can't be kept, because the server's own key is lost with the process.
    #[error("`ENCRYPTION_KEY` is not set")]
    NoServerKey,
    /// The database can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BroadcastError {
    /// A field that can't be used.
    pub fn field(field: &'static str, message: impl std::fmt::Display) -> Self {
        Self::Invalid(vec![FieldFault::new(field, message)])
    }
}
