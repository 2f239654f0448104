//! The fields of a posted body: a JSON object, or an HTML form that says the same.
#![cfg_attr(
    not(test),
    deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

use std::borrow::Cow;

use axum::body::{Body, Bytes};
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use super::error::ApiError;
use super::{AppState, json};

const URL_MISSING: &str = "URL parameter is required";

/// Reads a JSON object under any content type (`curl -d` calls it a form), or a form.
pub(super) fn read(body: &Bytes, is_form: bool) -> Result<Map<String, Value>, ApiError> {
    let is_object = body.trim_ascii_start().starts_with(b"{");
    if is_form && !is_object {
        return Ok(url::form_urlencoded::parse(body)
            .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
            .collect());
    }
    serde_json::from_slice(body).map_err(|_| {
        ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid_json",
            "Invalid JSON body",
        )
    })
}

/// Reads and parses what is posted: [`read`] of a body that [`json::read_body`] bounds.
pub(super) async fn posted(
    app: &AppState,
    headers: &HeaderMap,
    body: Body,
) -> Result<Map<String, Value>, ApiError> {
    let body = json::read_body(headers, body, app.server.body_timeout).await?;
    read(&body, json::is_form(headers))
}

/// The value of the first parameter of a query that has this name.
pub(super) fn in_query<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let (_, value) = pairs.find(|(of, _)| of == name)?;
    Some(value)
}

/// The posted address, which every request needs.
pub(super) fn url(fields: &Map<String, Value>) -> Result<String, ApiError> {
    let url = match fields.get("url") {
        Some(Value::String(url)) => url.trim(),
        Some(Value::Null) | None => return Err(ApiError::missing("body", "url", URL_MISSING)),
        Some(_) => return Err(ApiError::invalid("body", "url", "a string")),
    };
    if url.is_empty() {
        return Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "missing_field",
            URL_MISSING,
        ));
    }
    Ok(url.to_owned())
}

/// A number, which a form writes as text.
pub(super) fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// Whether a flag is set.
pub(super) fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(flag) => *flag,
        Value::String(text) => text == "1" || text == "true",
        _ => false,
    }
}

/// Seconds, with a fraction or without, as milliseconds; a form writes them as text.
pub(super) fn milliseconds(value: &Value) -> Option<u64> {
    /// A year: no video is as long, and every number up to it is exact.
    const MOST: f64 = 365.0 * 86_400.0;
    let seconds = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    if !(0.0..=MOST).contains(&seconds) {
        return None;
    }
    let ms = std::time::Duration::from_secs_f64(seconds).as_millis();
    u64::try_from(ms).ok()
}
