//! Why a post is not played.

use std::sync::Arc;

use crate::extract::{ExtractError, Refusal, Unavailable};
use crate::services::ResolveError;
use crate::services::feed::FeedError;

/// Why a post is not played.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlayoutError {
    /// The site gives nothing.
    #[error(transparent)]
    Resolve(#[from] Arc<ResolveError>),
    /// It was on air, and is no more.
    #[error("it is on air no more")]
    Over,
    /// It has nothing that is wanted, or no picture.
    #[error("no format that can be played")]
    NoFormat,
    /// Its bytes can't be had.
    #[error("no bytes: {0}")]
    Bytes(String),
    /// The site refuses its bytes, also at new addresses.
    #[error("no bytes: {0}")]
    Refused(String),
}

impl PlayoutError {
    /// A stable word for it.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Resolve(error) => resolve_reason(error),
            Self::Over => "live_ended",
            Self::NoFormat => "no_format",
            Self::Bytes(_) | Self::Refused(_) => "upstream_error",
        }
    }

    /// Whether the site says no to this file, rather than nothing.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// Whether it is on air now, so that there is no file of it.
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Resolve(error) if resolve_reason(error) == "is_live")
    }

    /// Whether another try may do better before long.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Resolve(error) => match &**error {
                ResolveError::Extract(ExtractError::Unavailable { reason, .. }) => {
                    *reason == Unavailable::Processing
                }
                ResolveError::Extract(
                    ExtractError::Refused(_) | ExtractError::RegionBlocked { .. },
                )
                | ResolveError::BadUrl
                | ResolveError::UnsupportedHost { .. }
                | ResolveError::Refused(_) => false,
                _ => true,
            },
            Self::NoFormat | Self::Over => false,
            Self::Bytes(_) | Self::Refused(_) => true,
        }
    }
}

impl From<FeedError> for PlayoutError {
    fn from(error: FeedError) -> Self {
        use crate::transfer::TransferError::{Forbidden, Gone};
        let message = error.to_string();
        match error {
            FeedError::Transfer(Forbidden | Gone) => Self::Refused(message),
            _ => Self::Bytes(message),
        }
    }
}

fn resolve_reason(error: &ResolveError) -> &'static str {
    match error {
        ResolveError::Extract(ExtractError::Unavailable { reason, .. }) => match reason {
            Unavailable::NotFound => "not_found",
            Unavailable::Private | Unavailable::UnderReview => "private",
            Unavailable::AgeRestricted => "age_restricted",
            Unavailable::RegionBlocked => "region_blocked",
            Unavailable::MembersOnly => "members_only",
            Unavailable::PremiumOnly => "premium_only",
            Unavailable::PaymentRequired => "payment_required",
            Unavailable::Drm => "drm_protected",
            Unavailable::Upcoming { .. } => "is_upcoming",
            Unavailable::Live => "is_live",
            Unavailable::Processing => "processing",
            Unavailable::LoginRequired => "login_required",
        },
        ResolveError::Extract(ExtractError::RegionBlocked { .. }) => "region_blocked",
        ResolveError::Refused(Refusal::Live) => "is_live",
        ResolveError::Refused(_) | ResolveError::BadUrl | ResolveError::UnsupportedHost { .. } => {
            "unsupported_url"
        }
        ResolveError::Extract(ExtractError::Blocked { .. }) => "ip_blocked",
        ResolveError::Busy(_) => "busy",
        ResolveError::Timeout(_) => "upstream_timeout",
        ResolveError::Account(_) => "account_unavailable",
        _ => "extraction_failed",
    }
}
