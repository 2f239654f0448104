//! Why two tracks can't be joined now.

use std::sync::Arc;

use crate::media::Mismatch;
use crate::services::OriginError;
use crate::transfer::{Busy, TransferError};

/// Why two tracks can't be joined now.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The files don't allow it.
    #[error("not joinable: {0}")]
    Fault(#[from] Mismatch),
    /// No addresses.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// The upstream gave nothing usable.
    #[error(transparent)]
    Transfer(#[from] TransferError<OriginError>),
    /// Too many transfers at once.
    #[error(transparent)]
    Busy(#[from] Busy),
}

impl JoinError {
    /// The error of one who asked first, for those who waited with them.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "the shape that the cache gives it in"
    )]
    pub(super) fn of_another(error: Arc<Self>) -> Self {
        match &*error {
            Self::Fault(fault) => Self::Fault(*fault),
            Self::Busy(busy) => Self::Busy(*busy),
            Self::Origin(error) | Self::Transfer(TransferError::Refresh(error)) => {
                Self::Origin(again(error))
            }
            Self::Transfer(error) => Self::Transfer(match error {
                TransferError::Forbidden => TransferError::Forbidden,
                TransferError::Gone => TransferError::Gone,
                TransferError::RateLimited { retry_after } => TransferError::RateLimited {
                    retry_after: *retry_after,
                },
                TransferError::Unusable(what) => TransferError::Unusable(what),
                _ => TransferError::Unusable("no answer"),
            }),
        }
    }
}

fn again(error: &OriginError) -> OriginError {
    match error {
        OriginError::Resolve(error) => OriginError::Resolve(Arc::clone(error)),
        OriginError::FormatGone => OriginError::FormatGone,
    }
}
