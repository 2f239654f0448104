//! JSON in and out.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use bytes::BytesMut;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, EXPECT};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt;
use serde::Serialize;

use super::error::ApiError;

/// Largest request body in bytes (ruling 8).
const MAX_BODY: usize = 64 * 1024;

/// Bytes of a larger body that are read and thrown away: a client that is still writing when the connection closes
/// gets a reset in place of the answer.
const MAX_DISCARDED: usize = 1024 * 1024;

/// An answer that must not be stored, because it holds links or figures of the moment.
pub(super) fn no_store<T: Serialize>(value: &T) -> Result<Response, ApiError> {
    let body = serde_json::to_vec(value).map_err(|error| {
        tracing::error!(err = %error, "answer could not be written as JSON");
        ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "Unexpected server error",
        )
    })?;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, body).into_response())
}

/// Reads a request body, bounded in bytes and time.
pub(super) async fn read_body(
    headers: &HeaderMap,
    body: Body,
    limit: Duration,
) -> Result<Bytes, ApiError> {
    read_body_of(headers, body, limit, MAX_BODY).await
}

/// As [`read_body`], of at most `most` bytes.
pub(super) async fn read_body_of(
    headers: &HeaderMap,
    body: Body,
    limit: Duration,
    most: usize,
) -> Result<Bytes, ApiError> {
    let too_large = || too_large(most);
    let announced = body.size_hint().lower();
    let is_too_large = announced > most as u64;
    // Nothing to throw away: it would not be read to its end, or the client waits to be asked for it (RFC 9110 §10.1.1).
    if announced > MAX_DISCARDED as u64 || (is_too_large && headers.contains_key(EXPECT)) {
        return Err(too_large());
    }
    match tokio::time::timeout(limit, collect(body, most)).await {
        Ok(collected) => collected,
        Err(_) if is_too_large => Err(too_large()),
        Err(_) => Err(ApiError::new(
            StatusCode::REQUEST_TIMEOUT,
            "body_timeout",
            format!("Request body took longer than {} seconds", limit.as_secs()),
        )),
    }
}

async fn collect(mut body: Body, most: usize) -> Result<Bytes, ApiError> {
    let mut kept = BytesMut::new();
    let mut taken: usize = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| incomplete())?;
        let data = frame.into_data().unwrap_or_default();
        taken = taken.saturating_add(data.len());
        if taken > MAX_DISCARDED {
            break;
        }
        if taken <= most {
            kept.extend_from_slice(&data);
        }
    }
    if taken > most {
        return Err(too_large(most));
    }
    Ok(kept.freeze())
}

fn incomplete() -> ApiError {
    ApiError::new(
        StatusCode::BAD_REQUEST,
        "body_incomplete",
        "Request body ended early",
    )
}

fn too_large(most: usize) -> ApiError {
    ApiError::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body_too_large",
        format!("Request body is larger than {most} bytes"),
    )
}

/// Whether the request says its body is an HTML form.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            let kind = value.split(';').next().unwrap_or_default().trim();
            kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
        })
}
