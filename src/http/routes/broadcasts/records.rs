//! Broadcasts as records: made, shown, changed, deleted.

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::header::LOCATION;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

use super::broadcasts;
use crate::broadcast::{Broadcast, Start, Status};
use crate::http::error::ApiError;
use crate::http::{AppState, fields, json as answer};

/// Largest body: a thousand names of files.
const MAX_BODY: usize = 256 * 1024;
/// Broadcasts of one answer when the client names no limit.
const DEFAULT_LIMIT: usize = 50;
/// Most broadcasts of one answer.
const MAX_LIMIT: usize = 200;

/// `POST /broadcasts`.
pub(super) async fn create(
    State(app): State<AppState>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let fields = read(&app, &headers, body).await?;
    let broadcasts = broadcasts(&app)?;
    let mut made = broadcasts.create(fields).await?;
    if is_set(&query.unwrap_or_default(), "start") {
        made = broadcasts.start(&made.id, Start::default()).await?.0;
    }
    let mut response = answer::no_store(&made.to_json())?;
    *response.status_mut() = StatusCode::CREATED;
    if let Ok(place) = HeaderValue::from_str(&format!("/broadcasts/{}", made.id)) {
        response.headers_mut().insert(LOCATION, place);
    }
    Ok(response)
}

/// `GET /broadcasts`.
pub(super) async fn list(
    State(app): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let Page {
        status,
        limit,
        cursor,
    } = Page::read(&query.unwrap_or_default())?;
    let (found, has_more) = broadcasts(&app)?.list(status, cursor, limit).await?;
    let last = found.last().filter(|_| has_more);
    answer::no_store(&json!({
        "next_cursor": last.map(|last| &last.id),
        "broadcasts": found.iter().map(Broadcast::to_json).collect::<Vec<_>>(),
    }))
}

/// `GET /broadcasts/{id}`.
pub(super) async fn show(
    State(app): State<AppState>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    answer::no_store(&broadcasts(&app)?.get(&id).await?.to_json())
}

/// `PATCH /broadcasts/{id}`.
pub(super) async fn change(
    State(app): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let patch = read(&app, &headers, body).await?;
    let changed = broadcasts(&app)?.change(&id, patch).await?;
    answer::no_store(&changed.to_json())
}

/// `DELETE /broadcasts/{id}`.
pub(super) async fn delete(
    State(app): State<AppState>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let is_forced = is_set(&query.unwrap_or_default(), "force");
    broadcasts(&app)?.delete(&id, is_forced).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `GET /broadcasts/{id}/items`.
pub(super) async fn items(
    State(app): State<AppState>,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let items = broadcasts(&app)?.items(&id).await?;
    answer::no_store(&json!({ "items": items }))
}

/// Whether a switch of the query is on.
fn is_set(query: &str, switch: &str) -> bool {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.any(|(name, value)| name == switch && matches!(value.as_ref(), "1" | "true"))
}

/// A JSON object; nothing for no body.
pub(super) async fn read(
    app: &AppState,
    headers: &HeaderMap,
    body: Body,
) -> Result<Map<String, Value>, ApiError> {
    let body = answer::read_body_of(headers, body, app.server.body_timeout, MAX_BODY).await?;
    if body.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    fields::read(&body, false)
}

struct Page {
    status: Option<Status>,
    limit: usize,
    cursor: Option<String>,
}

impl Page {
    fn read(query: &str) -> Result<Self, ApiError> {
        let mut page = Self {
            status: None,
            limit: DEFAULT_LIMIT,
            cursor: None,
        };
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "status" => {
                    let status = Status::read(&value)
                        .ok_or_else(|| ApiError::invalid("query", "status", "a known status"))?;
                    page.status = Some(status);
                }
                "limit" => page.limit = limit(&value, MAX_LIMIT)?,
                "cursor" => page.cursor = Some(value.into_owned()),
                _ => {}
            }
        }
        Ok(page)
    }
}

/// A number of entries, from 1 to `most`.
pub(super) fn limit(text: &str, most: usize) -> Result<usize, ApiError> {
    let limit = text.parse().ok().filter(|limit| *limit > 0);
    let limit: usize =
        limit.ok_or_else(|| ApiError::invalid("query", "limit", "a number from 1 on"))?;
    Ok(limit.min(most))
}
