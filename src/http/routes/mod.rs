//! One file per route.

use super::error::ApiError;
use http::StatusCode;

pub(super) mod broadcasts;
pub(super) mod docs;
pub(super) mod health;
pub(super) mod index;
pub(super) mod media;
pub(super) mod metrics;
pub(super) mod playlist;
pub(super) mod probes;
pub(super) mod resolve;
pub(super) mod slideshow;
mod ways;

/// Any path that is no route.
pub(super) async fn not_found() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "route_not_found", "Route not found")
}

/// A route with another method; axum adds `Allow`.
pub(super) async fn method_not_allowed() -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "Method Not Allowed",
    )
}
