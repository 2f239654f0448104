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
