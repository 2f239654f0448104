//! Errors to the client: the one place that picks status codes (api.md §7 as ruled by 10, 25 and 37).

use std::any::Any;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_RANGE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};
use tracing::error;

use crate::extract::selector::SelectorError;
use crate::extract::{Block, ExtractError, Refusal, Unavailable};
use crate::links::LinkError;
use crate::media::ffmpeg::FfmpegError;
use crate::media::fmp4::Fault;
use crate::net::{NetError, Phase};
use crate::services::{ArchiveError, DeliverError, OriginError, ResolveError, SlideshowError};
use crate::temp::TempError;
use crate::transfer::{Busy, TransferError};

/// `Retry-After` when the site turned us away and said nothing itself.
const BLOCKED_RETRY: Duration = Duration::from_secs(5);

/// `Retry-After` while the site works on a new video, which takes it minutes.
const PROCESSING_RETRY: Duration = Duration::from_secs(300);

/// `Retry-After` when there is no room for temporary files: a rendering gives its own back within seconds.
const NO_ROOM_RETRY: Duration = Duration::from_secs(10);

/// Longest `Retry-After` that is passed on.
const MAX_RETRY: Duration = Duration::from_secs(3600);

/// An error answer. As a response it has no body yet: [`super::finish`] writes it, because it knows the request id.
#[derive(Debug, Clone)]
pub(super) struct ApiError(Box<Facts>);

#[derive(Debug, Clone)]
struct Facts {
    status: StatusCode,
    code: &'static str,
    message: String,
    detail: Option<Value>,
    retry_after: Option<Duration>,
    total: Option<u64>,
    starts_at: Option<u64>,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Facts {
            status,
            code,
            message: message.into(),
            detail: None,
            retry_after: None,
            total: None,
            starts_at: None,
        }))
    }

    /// The stable machine word.
    #[cfg(test)]
    pub(super) fn code(&self) -> &'static str {
        self.0.code
    }

    fn retry(mut self, after: Duration) -> Self {
        self.0.retry_after = Some(after.clamp(Duration::from_secs(1), MAX_RETRY));
        self
    }

    fn detail(mut self, detail: Value) -> Self {
        self.0.detail = Some(detail);
        self
    }

    /// A missing parameter, with FastAPI's `detail` list that clients of ServerPY read.
    pub(super) fn missing(place: &'static str, name: &'static str, message: &'static str) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "missing_field", message)
            .detail(json!([{"type": "missing", "loc": [place, name], "msg": "Field required"}]))
    }

    /// A parameter of the wrong type.
    pub(super) fn invalid(place: &'static str, name: &'static str, kind: &'static str) -> Self {
        let message = format!("`{name}` must be {kind}");
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid_field",
            message.clone(),
        )
        .detail(json!([{"type": "type_error", "loc": [place, name], "msg": message}]))
    }

    /// A format selector that can't be read, and where.
    pub(super) fn invalid_selector(error: &SelectorError) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "invalid_selector",
            format!(
                "`selector`: {} at position {}, counted from 0",
                error.message, error.at
            ),
        )
    }

    /// A format that the post doesn't have, or that isn't offered.
    pub(super) fn format_not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "format_not_found",
            "Requested format not found",
        )
    }

    /// The body as it is sent.
    pub(super) fn body(&self, request_id: &str) -> Vec<u8> {
        self.facts(Some(request_id)).to_string().into_bytes()
    }

    /// What the body says; without a request id where the answer has begun long before.
    pub(super) fn facts(&self, request_id: Option<&str>) -> Value {
        let error = &self.0;
        let detail = error.detail.clone().unwrap_or_else(|| json!(error.message));
        let mut body = json!({
            "status": "error",
            "code": error.status.as_u16(),
            "error": error.message,
            "message": error.message,
            "detail": detail,
            "error_code": error.code,
            "success": false,
        });
        let extras = [
            (
                "retry_after",
                error.retry_after.map(|after| after.as_secs()),
            ),
            ("starts_at", error.starts_at),
        ];
        if let Some(fields) = body.as_object_mut() {
            let request_id = request_id.map(|id| ("request_id".to_owned(), json!(id)));
            fields.extend(request_id);
            let known = extras
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)));
            fields.extend(known.map(|(name, value)| (name.to_owned(), json!(value))));
        }
        body
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let error = &self.0;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = error.status;
        if let Some(after) = error.retry_after {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(after.as_secs()));
        }
        if let Some(total) = error.total
            && let Ok(value) = HeaderValue::from_str(&format!("bytes */{total}"))
        {
            response.headers_mut().insert(CONTENT_RANGE, value);
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// The answer to a handler that panicked; the panic is logged, the server goes on.
#[expect(
    clippy::needless_pass_by_value,
    reason = "signature of the panic layer"
)]
pub(super) fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let message = panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    error!(message, "a handler panicked");
    internal().into_response()
}

fn internal() -> ApiError {
    ApiError::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "Unexpected server error",
    )
}

impl From<Busy> for ApiError {
    fn from(busy: Busy) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            "Server is busy, try again shortly",
        )
        .retry(busy.retry_after)
    }
}

impl From<LinkError> for ApiError {
    fn from(error: LinkError) -> Self {
        let (code, message) = match error {
            LinkError::Invalid => ("link_invalid", "Invalid or corrupted encrypted data"),
            LinkError::Expired => ("link_expired", "Encrypted data has expired"),
        };
        Self::new(StatusCode::BAD_REQUEST, code, message)
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
            ResolveError::Internal => internal(),
        }
    }
}

impl From<DeliverError> for ApiError {
    fn from(error: DeliverError) -> Self {
        match error {
            DeliverError::Link(error) => error.into(),
            DeliverError::Busy(busy) => busy.into(),
            DeliverError::Origin(error) => origin(&error),
            DeliverError::Transfer(error) => transfer(&error),
            DeliverError::Join(fault) => not_joinable(fault),
            DeliverError::Archive(error) => archive(&error),
            DeliverError::Slideshow(error) => Self::from(error.as_ref()),
            DeliverError::Temp(error) => temp(&error),
        }
    }
}

/// Two tracks of which the server can't make the file that a link names.
fn not_joinable(fault: Fault) -> ApiError {
    if fault == Fault::ClipOutside {
        return ApiError::new(
            StatusCode::BAD_REQUEST,
            "clip_out_of_range",
            "The part asked for begins after the end of the video",
        );
    }
    ApiError::new(
        StatusCode::BAD_GATEWAY,
        "extraction_failed",
        format!("Picture and sound of this format can't be joined: {fault}"),
    )
}

impl From<&SlideshowError> for ApiError {
    fn from(error: &SlideshowError) -> Self {
        let failed = |status, code, message: &str| Self::new(status, code, message);
        match error {
            SlideshowError::NotPhotos => not_photos(),
            SlideshowError::NoPictures => {
                failed(StatusCode::BAD_REQUEST, "no_images", "No images found")
            }
            SlideshowError::NoFfmpeg => failed(
                StatusCode::NOT_IMPLEMENTED,
                "ffmpeg_missing",
                "This server can't make videos: it has no ffmpeg, or no temporary directory",
            ),
            SlideshowError::Picture { number } => picture("slideshow_fetch_failed", *number),
            SlideshowError::Sound => failed(
                StatusCode::BAD_GATEWAY,
                "slideshow_fetch_failed",
                "The sound could not be fetched or is broken",
            ),
            SlideshowError::TimedOut | SlideshowError::Ffmpeg(FfmpegError::TimedOut) => failed(
                StatusCode::GATEWAY_TIMEOUT,
                "slideshow_timeout",
                "Making the video took too long",
            ),
            SlideshowError::Busy(busy) => (*busy).into(),
            SlideshowError::Temp(error) => temp(error),
            _ => failed(
                StatusCode::INTERNAL_SERVER_ERROR,
                "slideshow_failed",
                "The video could not be made",
            ),
        }
    }
}

fn origin(error: &OriginError) -> ApiError {
    match error {
        OriginError::Resolve(error) => ApiError::from(error.as_ref()),
        OriginError::FormatGone => ApiError::format_not_found(),
    }
}

fn not_photos() -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "not_image_post",
        "Only image posts are supported",
    )
}

fn picture(code: &'static str, number: usize) -> ApiError {
    let message = format!("Image {number} could not be fetched or is broken");
    ApiError::new(StatusCode::BAD_GATEWAY, code, message)
}

fn archive(error: &ArchiveError) -> ApiError {
    match error {
        ArchiveError::NotPhotos => not_photos(),
        ArchiveError::Picture { number } => picture("upstream_error", *number),
        ArchiveError::TooLarge => ApiError::new(
            StatusCode::BAD_GATEWAY,
            "upstream_error",
            "The images are too large for one file",
        ),
    }
}

/// No room: a quota that will be free again is being busy, a full disk is not.
fn temp(error: &TempError) -> ApiError {
    match error {
        TempError::Busy => ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            "Server is busy, try again shortly",
        )
        .retry(NO_ROOM_RETRY),
        TempError::Full => ApiError::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "insufficient_storage",
            "The server has no space left for this",
        ),
        _ => internal(),
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

fn blocked(block: Block, retry_after: Option<Duration>) -> ApiError {
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

fn net(error: &NetError) -> ApiError {
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
        // Counted in whole seconds, and none too early.
        .retry(*retry_after + Duration::from_millis(999)),
        _ => upstream_error(),
    }
}

fn upstream_error() -> ApiError {
    ApiError::new(
        StatusCode::BAD_GATEWAY,
        "upstream_error",
        "The site could not be reached or gave a broken answer",
    )
}

fn unsatisfiable(total: u64) -> ApiError {
    let mut error = ApiError::new(
        StatusCode::RANGE_NOT_SATISFIABLE,
        "range_not_satisfiable",
        format!("Requested range not satisfiable, the file has {total} bytes"),
    );
    error.0.total = Some(total);
    error
}

fn transfer(error: &TransferError<OriginError>) -> ApiError {
    match error {
        TransferError::Unsatisfiable { total } => unsatisfiable(*total),
        TransferError::PreconditionFailed => ApiError::new(
            StatusCode::PRECONDITION_FAILED,
            "precondition_failed",
            "The file is not the one that `If-Match` or `If-Unmodified-Since` names",
        ),
        TransferError::Forbidden => ApiError::new(
            StatusCode::BAD_GATEWAY,
            "upstream_forbidden",
            "The site refuses to deliver this file",
        ),
        TransferError::Gone => ApiError::new(
            StatusCode::BAD_GATEWAY,
            "upstream_gone",
            "The site does not have this file any more",
        ),
        TransferError::RateLimited { retry_after } => blocked(Block::RateLimited, *retry_after),
        TransferError::Net(error) => net(error),
        TransferError::Refresh(OriginError::Resolve(error)) => ApiError::from(error.as_ref()),
        _ => upstream_error(),
    }
}
