//! Errors to the client: the one place that picks status codes (api.md §7 as ruled by 10, 25 and 37).

use std::any::Any;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_RANGE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};
use tracing::error;

use crate::extract::selector::SelectorError;
use crate::links::LinkError;
use crate::protect::{Denied, KeyFault};
use crate::transfer::Busy;

mod deliver;
mod extract;

/// Longest `Retry-After` that is passed on.
const MAX_RETRY: Duration = Duration::from_secs(3600);

/// What a client without a key is asked for (RFC 6750 §3).
const CHALLENGE: &str = "Bearer realm=\"serverrs\"";

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
    challenge: bool,
    available_countries: Vec<String>,
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
            challenge: false,
            available_countries: Vec::new(),
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

    /// Replaces the `detail` of the body, which is the message else.
    pub(in crate::http) fn detail(mut self, detail: Value) -> Self {
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

    /// No API key or token, or none that counts.
    pub(super) fn unauthorized(message: &'static str) -> Self {
        let mut error = Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message);
        error.0.challenge = true;
        error
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
            if !error.available_countries.is_empty() {
                let countries = json!(error.available_countries);
                fields.insert("available_countries".to_owned(), countries);
            }
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
        if error.challenge {
            response
                .headers_mut()
                .insert(WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
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
pub(super) fn panicked(panic: &(dyn Any + Send + 'static)) -> Response {
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

impl From<&Denied> for ApiError {
    fn from(denied: &Denied) -> Self {
        match denied {
            Denied::Unauthorized(KeyFault::Missing) => Self::unauthorized(
                "An API key is needed: send it as `X-API-Key` or `Authorization: Bearer`",
            ),
            Denied::Unauthorized(KeyFault::Unknown) => {
                Self::unauthorized("This API key is not known here")
            }
            Denied::Unauthorized(KeyFault::Expired) => {
                Self::unauthorized("This API key has expired")
            }
            Denied::Forbidden => Self::new(
                StatusCode::FORBIDDEN,
                "forbidden",
                "This API key is not for this route",
            ),
            Denied::RateLimited(standing) => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limited",
                format!(
                    "More than {} requests a minute, try again shortly",
                    standing.quota.requests()
                ),
            )
            .retry(whole_seconds(standing.retry_after.unwrap_or_default())),
        }
    }
}

/// Counted in whole seconds, and none too early.
pub(super) fn whole_seconds(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs() + u64::from(time.subsec_nanos() > 0))
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
