//! Why an address gives nothing.

use std::time::Duration;

use crate::extract::{ExtractError, Refusal, Unavailable};
use crate::net::NoEgress;
use crate::services::AccountError;
use crate::transfer::Busy;

/// Why an address gave no extraction.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The text holds no usable address.
    #[error("not an address")]
    BadUrl,
    /// An address of a site that isn't served.
    #[error("unsupported host")]
    UnsupportedHost {
        /// Names of the sites that are.
        served: Vec<&'static str>,
    },
    /// An address of a known site that names no single post.
    #[error("unsupported address: {0:?}")]
    Refused(Refusal),
    /// The site gave nothing.
    #[error(transparent)]
    Extract(#[from] ExtractError),
    /// Too many extractions at once.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The extraction took longer than its deadline.
    #[error("extraction took longer than {} seconds", .0.as_secs())]
    Timeout(Duration),
    /// No way out to the site may be taken now.
    #[error(transparent)]
    NoEgress(#[from] NoEgress),
    /// The account that the site was to be asked by can't be used.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The work panicked; it is in the log.
    #[error("extraction failed inside")]
    Internal,
}

impl ResolveError {
    /// Whether what is asked for may not be seen from where it was asked for.
    pub fn is_closed(&self) -> bool {
        matches!(
            self,
            Self::Extract(
                ExtractError::RegionBlocked { .. }
                    | ExtractError::Unavailable {
                        reason: Unavailable::RegionBlocked,
                        ..
                    }
            )
        )
    }

    /// The word for metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::BadUrl | Self::UnsupportedHost { .. } | Self::Refused(_) => "refused",
            Self::Extract(error) => error.as_str(),
            Self::Busy(_) => "busy",
            Self::Timeout(_) => "timeout",
            Self::NoEgress(_) => "no_egress",
            Self::Account(_) => "account",
            Self::Internal => "internal",
        }
    }
}
