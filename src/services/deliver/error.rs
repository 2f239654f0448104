//! Why a link gives no bytes.

use std::sync::Arc;

use crate::links::LinkError;
use crate::media::Mismatch;
use crate::services::archive::ArchiveError;
use crate::services::feed::FeedError;
use crate::services::{JoinError, OriginError, SlideshowError};
use crate::temp::TempError;
use crate::transfer::{Busy, TransferError};

/// Why a link gives no bytes; decided before the head goes out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeliverError {
    /// The link is not ours, or too old.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Too many transfers at once.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// No addresses for it.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// The upstream gave nothing usable.
    #[error(transparent)]
    Transfer(TransferError<OriginError>),
    /// Two tracks that don't make one file.
    #[error("not joinable: {0}")]
    Join(Mismatch),
    /// No archive of the pictures.
    #[error(transparent)]
    Archive(#[from] Arc<ArchiveError>),
    /// No video of the pictures.
    #[error(transparent)]
    Slideshow(#[from] Arc<SlideshowError>),
    /// No room for temporary files.
    #[error(transparent)]
    Temp(TempError),
}

impl From<JoinError> for DeliverError {
    fn from(error: JoinError) -> Self {
        match error {
            JoinError::Fault(fault) => Self::Join(fault),
            JoinError::Origin(error) => Self::Origin(error),
            JoinError::Transfer(error) => error.into(),
            JoinError::Busy(busy) => Self::Busy(busy),
        }
    }
}

impl From<TransferError<OriginError>> for DeliverError {
    fn from(error: TransferError<OriginError>) -> Self {
        match error {
            TransferError::Refresh(error) => Self::Origin(error),
            error => Self::Transfer(error),
        }
    }
}

impl From<FeedError> for DeliverError {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::Transfer(error) => error.into(),
            FeedError::Busy(error) => error.into(),
            FeedError::Temp(error) => Self::Temp(error),
            FeedError::Missing => Self::Transfer(TransferError::Unusable("no sound in it")),
            FeedError::Broken(_) => Self::Transfer(TransferError::Unusable("broke off")),
            FeedError::TooLarge(_) => Self::Transfer(TransferError::Unusable("too large")),
        }
    }
}
