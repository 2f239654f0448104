//! Broadcasts on air: started, stopped, skipped, looked at.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use super::{broadcasts, records};
use crate::broadcast::Start;
use crate::http::error::ApiError;
use crate::http::{AppState, fields, json as answer};

/// Longest time that a reply to `stop` is held, in seconds.
const MAX_WAIT: u64 = 60;

/// `POST /broadcasts/{id}/start`.
pub(super) async fn start(
    State(app): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let fields = records::read(&app, &headers, body).await?;
    let start = Start {
        index: index(&fields)?,
        from_position: fields.get("from_position").is_some_and(fields::is_true),
    };
    let (record, is_news) = broadcasts(&app)?.start(&id, start).await?;
    let status = if is_news {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    with_status(status, &record.to_json())
}

/// `POST /broadcasts/{id}/stop`.
pub(super) async fn stop(
    State(app): State<AppState>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = query.unwrap_or_default();
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let wait = match pairs.find(|(name, _)| name == "wait") {
        Some((_, value)) => value
            .parse()
            .map_err(|_| ApiError::invalid("query", "wait", "a number of seconds"))?,
        None => 0,
    };
    let wait = Duration::from_secs(wait.min(MAX_WAIT));
    let (record, has_run) = broadcasts(&app)?.stop(&id, wait).await?;
    let status = if has_run {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    with_status(status, &record.to_json())
}

/// `POST /broadcasts/{id}/restart`.
pub(super) async fn restart(
    State(app): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let fields = records::read(&app, &headers, body).await?;
    let start = Start {
        index: None,
        from_position: !fields.get("from_start").is_some_and(fields::is_true),
    };
    let record = broadcasts(&app)?.restart(&id, start).await?;
    with_status(StatusCode::ACCEPTED, &record.to_json())
}

/// `POST /broadcasts/{id}/skip`.
pub(super) async fn skip(
    State(app): State<AppState>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let record = broadcasts(&app)?.skip(&id).await?;
    with_status(StatusCode::ACCEPTED, &record.to_json())
}

/// `POST /broadcasts/{id}/refresh`.
pub(super) async fn refresh(
    State(app): State<AppState>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let (added, removed) = broadcasts(&app)?.refresh(&id).await?;
    answer::no_store(&json!({"added": added, "removed": removed}))
}

/// `GET /broadcasts/{id}/status`.
pub(super) async fn status(
    State(app): State<AppState>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    answer::no_store(&broadcasts(&app)?.status(&id).await?)
}

/// `POST /broadcasts/validate`.
pub(super) async fn validate(
    State(app): State<AppState>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let fields = records::read(&app, &headers, body).await?;
    answer::no_store(&broadcasts(&app)?.validate(fields).await?)
}

fn index(fields: &Map<String, Value>) -> Result<Option<u32>, ApiError> {
    match fields.get("index") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let index = fields::number(value).and_then(|index| u32::try_from(index).ok());
            let index =
                index.ok_or_else(|| ApiError::invalid("body", "index", "a number from 0 on"))?;
            Ok(Some(index))
        }
    }
}

fn with_status(status: StatusCode, body: &Value) -> Result<Response, ApiError> {
    let mut response = answer::no_store(body)?;
    *response.status_mut() = status;
    Ok(response)
}
