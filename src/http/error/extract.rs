//! What extraction says, as answers: refused addresses, posts that can't be had, sites that turn us away.

use std::time::Duration;

use http::StatusCode;

use super::{ApiError, internal, whole_seconds};
use crate::extract::{Block, ExtractError, Refusal, Unavailable};
use crate::net::{NetError, Phase};
use crate::services::ResolveError;

/// `Retry-After` when the site turned us away and said nothing itself.
const BLOCKED_RETRY: Duration = Duration::from_secs(5);

/// `Retry-After` while the site works on a new video, which takes it minutes.
const PROCESSING_RETRY: Duration = Duration::from_secs(300);

impl ApiError {
    /// Why a list was not listed: as for a post, in the words of a list.
    pub(in crate::http) fn of_list(error: &ResolveError) -> Self {
        let mut told = Self::from(error);
        let message = match told.0.code {
            "not_found" => {
                "Playlist not found. Please check the URL and make sure the playlist exists."
            }
            "private" => "This playlist is private.",
            "login_required" => "This playlist requires login/authentication",
            _ => return told,
        };
        message.clone_into(&mut told.0.message);
        told
    }
}

impl From<&ResolveError> for ApiError {
    fn from(error: &ResolveError) -> Self {
        match error {
            ResolveError::BadUrl => bad_url(),
            ResolveError::UnsupportedHost { served } => unsupported_host(served),
            ResolveError::Refused(refusal) => refused(*refusal),
            ResolveError::Extract(error) => extract(error),
            ResolveError::Busy(busy) => (*busy).into(),
            ResolveError::Timeout(after) => Self::new(
                StatusCode::GATEWAY_TIMEOUT,
                "upstream_timeout",
                format!("Request timeout after {} seconds", after.as_secs()),
            ),
            ResolveError::NoEgress(none) => blocked(Block::Forbidden, Some(none.retry_after)),
            ResolveError::Account(error) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_field",
                format!("`account` {error}"),
            ),
            ResolveError::Internal => internal(),
        }
    }
}

fn bad_url() -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "bad_url", "Invalid URL")
}

/// Clients match the beginning of the sentence (api.md §7), so further sites stand behind it.
fn unsupported_host(served: &[&str]) -> ApiError {
    let (first, further) = served.split_at(served.len().min(2));
    let mut message = format!("Only {} URLs are supported", first.join(" and "));
    if !further.is_empty() {
        message = format!("{message} (and {} on this server)", further.join(", "));
    }
    ApiError::new(StatusCode::BAD_REQUEST, "unsupported_host", message)
}

fn refused(refusal: Refusal) -> ApiError {
    let (code, message) = match refusal {
        Refusal::BadUrl => return bad_url(),
        Refusal::BadCursor => (
            "invalid_cursor",
            "`cursor` is no `next_cursor` of an earlier answer",
        ),
        Refusal::Playlist => (
            "unsupported_url",
            "This link names a playlist: send it to POST /playlist, which lists its posts",
        ),
        Refusal::NotAPlaylist => (
            "unsupported_url",
            "Only links to playlists can be listed: send a link to a single post to POST /resolve",
        ),
        Refusal::NotAPost => (
            "unsupported_url",
            "Only links to single posts are supported: a video or photo post, or a short link to one",
        ),
        Refusal::Live => (
            "live_unsupported",
            "Live broadcasts are not supported: send a link to a video or photo post",
        ),
    };
    ApiError::new(StatusCode::BAD_REQUEST, code, message)
}

fn extract(error: &ExtractError) -> ApiError {
    match error {
        ExtractError::Unavailable { reason, .. } => unavailable(*reason),
        ExtractError::RegionBlocked { available_in, .. } => region_blocked(available_in),
        ExtractError::Blocked {
            block, retry_after, ..
        } => blocked(*block, *retry_after),
        ExtractError::CookiesNeeded { advice, .. } => ApiError::new(
            StatusCode::BAD_GATEWAY,
            "cookies_needed",
            format!("The site wants fresh cookies: {advice}"),
        ),
        ExtractError::Refused(refusal) => refused(*refusal),
        ExtractError::Net(error) => net(error),
        ExtractError::Upstream { .. } => upstream_error(),
        _ => ApiError::new(
            StatusCode::BAD_GATEWAY,
            "extraction_failed",
            "Extraction failed",
        ),
    }
}

fn unavailable(reason: Unavailable) -> ApiError {
    let (status, code, message) = match reason {
        Unavailable::NotFound => (
            StatusCode::NOT_FOUND,
            "not_found",
            "Video not found. Please check the URL and make sure the video exists.",
        ),
        Unavailable::Private => (StatusCode::FORBIDDEN, "private", "This video is private."),
        Unavailable::AgeRestricted => (
            StatusCode::FORBIDDEN,
            "age_restricted",
            "This content is age restricted and requires login/authentication",
        ),
        Unavailable::RegionBlocked => (
            StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS,
            "region_blocked",
            "This content is not available in the region of this server",
        ),
        Unavailable::UnderReview => (
            StatusCode::FORBIDDEN,
            "private",
            "This video is under review and not public.",
        ),
        Unavailable::MembersOnly => (
            StatusCode::FORBIDDEN,
            "members_only",
            "This video is only for members of its channel",
        ),
        Unavailable::PremiumOnly => (
            StatusCode::FORBIDDEN,
            "premium_only",
            "This video is only for subscribers of the site",
        ),
        Unavailable::PaymentRequired => (
            StatusCode::FORBIDDEN,
            "payment_required",
            "This video must be bought or rented",
        ),
        Unavailable::Drm => (
            StatusCode::FORBIDDEN,
            "drm_protected",
            "This video is protected by DRM",
        ),
        Unavailable::Live => return refused(Refusal::Live),
        Unavailable::Upcoming { starts_at } => return upcoming(starts_at),
        Unavailable::Processing => return processing(),
        _ => (
            StatusCode::FORBIDDEN,
            "login_required",
            "This content requires login/authentication",
        ),
    };
    ApiError::new(status, code, message)
}

/// A post that is withheld here, but not there.
fn region_blocked(available_in: &[String]) -> ApiError {
    let mut error = unavailable(Unavailable::RegionBlocked);
    let further = "; `available_countries` says where it is";
    error.0.message.push_str(further);
    error.0.available_countries = available_in.to_vec();
    error
}

/// A broadcast that is announced; `starts_at` is a Unix second.
fn upcoming(starts_at: Option<u64>) -> ApiError {
    let mut error = ApiError::new(
        StatusCode::BAD_REQUEST,
        "live_unsupported",
        "This broadcast has not begun yet, and live broadcasts are not supported",
    );
    error.0.starts_at = starts_at;
    error
}

fn processing() -> ApiError {
    ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "processing",
        "The site is still processing this video, try again later",
    )
    .retry(PROCESSING_RETRY)
}

pub(super) fn blocked(block: Block, retry_after: Option<Duration>) -> ApiError {
    let (code, message) = match block {
        Block::ProtocolOnly => return needs_sabr(block),
        Block::RateLimited => (
            "upstream_rate_limited",
            with_advice("The site limits our requests, try again later", block),
        ),
        Block::BotCheck => (
            "bot_check",
            with_advice("The site takes this server for a robot", block),
        ),
        _ => (
            "ip_blocked",
            // Clients match this sentence whole (api.md §7).
            "Service temporarily unavailable due to IP block, retrying with different endpoint"
                .to_owned(),
        ),
    };
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, code, message)
        .retry(retry_after.unwrap_or(BLOCKED_RETRY))
}

fn needs_sabr(block: Block) -> ApiError {
    let message = "The site offers this video only by a protocol of its own";
    ApiError::new(
        StatusCode::BAD_GATEWAY,
        "needs_sabr",
        with_advice(message, block),
    )
}

/// What happened, and what the operator can do about it.
fn with_advice(message: &str, block: Block) -> String {
    match block.advice() {
        Some(advice) => format!("{message}: {advice}"),
        None => message.to_owned(),
    }
}

pub(super) fn net(error: &NetError) -> ApiError {
    match error {
        NetError::Timeout { phase, .. } if *phase != Phase::Connect => ApiError::new(
            StatusCode::GATEWAY_TIMEOUT,
            "upstream_timeout",
            "The site did not answer in time",
        ),
        NetError::Suspended { retry_after, .. } => ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "upstream_unavailable",
            "The site has failed many times in a row, try again shortly",
        )
        .retry(whole_seconds(*retry_after)),
        _ => upstream_error(),
    }
}

pub(super) fn upstream_error() -> ApiError {
    ApiError::new(
        StatusCode::BAD_GATEWAY,
        "upstream_error",
        "The site could not be reached or gave a broken answer",
    )
}
