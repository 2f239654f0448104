//! Broadcasts as records: made, shown, changed, deleted.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::header::LOCATION;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

use super::described::{
    Broadcast, BroadcastFields, BroadcastItems, BroadcastPage, BroadcastState, OfAll, OfChanging,
    OfMaking, OfOne,
};
use super::{Id, broadcasts};
use crate::broadcast::{self, Start, Status};
use crate::http::error::ApiError;
use crate::http::{AppState, fields, json as answer};

/// Largest body: a thousand names of files.
const MAX_BODY: usize = 256 * 1024;
/// Broadcasts of one answer when the client names no limit.
const DEFAULT_LIMIT: usize = 50;
/// Most broadcasts of one answer.
const MAX_LIMIT: usize = 200;

/// Makes a broadcast.
#[utoipa::path(
    post,
    path = "/broadcasts",
    operation_id = "createBroadcast",
    tag = "broadcasts",
    params(
        ("start" = Option<bool>, Query, description = "Start it, too"),
    ),
    request_body = BroadcastFields,
    responses(
        (status = 201, description = "The record", body = Broadcast, headers(("Location" = String, description = "Its path"))),
        OfMaking,
    ),
    security(("broadcast_token" = []))
)]
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
        made = match broadcasts.start(&made.id, Start::default()).await {
            Ok((started, _)) => started,
            Err(error) => {
                // Nobody would know of it. What it was refused for is told, not what became of taking it away.
                let _ = broadcasts.delete(&made.id, true).await;
                return Err(error.into());
            }
        };
    }
    let mut response = answer::no_store(&made.to_json())?;
    *response.status_mut() = StatusCode::CREATED;
    if let Ok(place) = HeaderValue::from_str(&format!("/broadcasts/{}", made.id)) {
        response.headers_mut().insert(LOCATION, place);
    }
    Ok(response)
}

/// Shows broadcasts.
#[utoipa::path(
    get,
    path = "/broadcasts",
    operation_id = "listBroadcasts",
    tag = "broadcasts",
    params(
        ("status" = inline(Option<BroadcastState>), Query, description = "Only those that stand so"),
        ("limit" = Option<u64>, Query, description = "Most records, 50 when left out and 200 at most", minimum = 1),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the answer before"),
    ),
    responses(
        (status = 200, description = "A part of all", body = BroadcastPage),
        OfAll,
    ),
    security(("broadcast_token" = []))
)]
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
        "broadcasts": found.iter().map(broadcast::Broadcast::to_json).collect::<Vec<_>>(),
    }))
}

/// Shows one.
#[utoipa::path(
    get,
    path = "/broadcasts/{id}",
    operation_id = "broadcast",
    tag = "broadcasts",
    params(Id),
    responses(
        (status = 200, description = "The record", body = Broadcast),
        OfOne,
    ),
    security(("broadcast_token" = []))
)]
pub(super) async fn show(State(app): State<AppState>, Id(id): Id) -> Result<Response, ApiError> {
    answer::no_store(&broadcasts(&app)?.get(&id).await?.to_json())
}

/// Changes one by a merge patch (RFC 7396): null gives a field its default again.
///
/// On air only title, description, order, schedule and what happens to items may change.
#[utoipa::path(
    patch,
    path = "/broadcasts/{id}",
    operation_id = "changeBroadcast",
    tag = "broadcasts",
    params(Id),
    request_body = BroadcastFields,
    responses(
        (status = 200, description = "The record as it is now", body = Broadcast),
        OfChanging,
    ),
    security(("broadcast_token" = []))
)]
pub(super) async fn change(
    State(app): State<AppState>,
    Id(id): Id,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let patch = read(&app, &headers, body).await?;
    let changed = broadcasts(&app)?.change(&id, patch).await?;
    answer::no_store(&changed.to_json())
}

/// Takes one away with its items and its log.
#[utoipa::path(
    delete,
    path = "/broadcasts/{id}",
    operation_id = "deleteBroadcast",
    tag = "broadcasts",
    params(
        Id,
        ("force" = Option<bool>, Query, description = "End it before, if it is on air"),
    ),
    responses(
        (status = 204, description = "It is no more"),
        OfChanging,
    ),
    security(("broadcast_token" = []))
)]
pub(super) async fn delete(
    State(app): State<AppState>,
    Id(id): Id,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let is_forced = is_set(&query.unwrap_or_default(), "force");
    broadcasts(&app)?.delete(&id, is_forced).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Shows the list.
#[utoipa::path(
    get,
    path = "/broadcasts/{id}/items",
    operation_id = "broadcastItems",
    tag = "broadcasts",
    params(Id),
    responses(
        (status = 200, description = "Every item and what became of it", body = BroadcastItems),
        OfOne,
    ),
    security(("broadcast_token" = []))
)]
pub(super) async fn items(State(app): State<AppState>, Id(id): Id) -> Result<Response, ApiError> {
    let items = broadcasts(&app)?.items(&id).await?;
    answer::no_store(&json!({ "items": items }))
}

/// Whether a switch of the query is on.
fn is_set(query: &str, switch: &str) -> bool {
    fields::in_query(query, switch).is_some_and(|value| matches!(value.as_ref(), "1" | "true"))
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
