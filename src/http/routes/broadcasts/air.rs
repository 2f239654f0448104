//! Broadcasts on air: started, stopped, skipped, looked at.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::described::{
    Broadcast, BroadcastFields, BroadcastRefreshed, BroadcastRestart, BroadcastStart,
    BroadcastStatus, BroadcastValid, OfChanging, OfOne, OfReading,
};
use super::{Id, broadcasts, records};
use crate::broadcast::Start;
use crate::http::error::ApiError;
use crate::http::{AppState, fields, json as answer};

/// Longest time that a reply to `stop` is held, in seconds.
const MAX_WAIT: u64 = 60;
/// What a switch of a body must be.
const FLAG: &str = "true or false";

/// Puts it on air. Done twice it is done once.
#[utoipa::path(
    post,
    path = "/broadcasts/{id}/start",
    operation_id = "startBroadcast",
    tag = "broadcasts",
    params(Id),
    request_body = Option<BroadcastStart>,
    responses(
        (status = 202, description = "It starts; the record", body = Broadcast),
        (status = 200, description = "It was on air already; the record", body = Broadcast),
        OfChanging,
    ),
    security(("broadcast_token" = []))
)]
pub(super) async fn start(
    State(app): State<AppState>,
    Id(id): Id,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let mut fields = records::read(&app, &headers, body).await?;
    let start = Start {
        index: take(&mut fields, "index", "a number from 0 on")?,
        from_position: take(&mut fields, "from_position", FLAG)?.unwrap_or(false),
    };
    none_left(&fields, "`index` and `from_position`")?;
    let (record, is_news) = broadcasts(&app)?.start(&id, start).await?;
    let status = if is_news {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    with_status(status, &record.to_json())
}

/// Ends it.
#[utoipa::path(
    post,
    path = "/broadcasts/{id}/stop",
    operation_id = "stopBroadcast",
    tag = "broadcasts",
    params(
        Id,
        ("wait" = Option<u64>, Query, description = "Seconds that the reply waits for the end, 60 at most"),
    ),
    responses(
        (status = 202, description = "It ends; the record", body = Broadcast),
        (status = 200, description = "It was not on air; the record", body = Broadcast),
        OfOne,
    ),
    security(("broadcast_token" = []))
)]
pub(super) async fn stop(
    State(app): State<AppState>,
    Id(id): Id,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let wait = match fields::in_query(&query.unwrap_or_default(), "wait") {
        Some(value) => value
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

/// Ends it, if it is on air, and starts it again.
#[utoipa::path(
    post,
    path = "/broadcasts/{id}/restart",
    operation_id = "restartBroadcast",
    tag = "broadcasts",
    params(Id),
    request_body = Option<BroadcastRestart>,
    responses(
        (status = 202, description = "It starts again; the record", body = Broadcast),
        OfChanging,
    ),
    security(("broadcast_token" = []))
)]
pub(super) async fn restart(
    State(app): State<AppState>,
    Id(id): Id,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let mut fields = records::read(&app, &headers, body).await?;
    let from_start = take(&mut fields, "from_start", FLAG)?.unwrap_or(false);
    none_left(&fields, "`from_start`")?;
    let start = Start {
        index: None,
        from_position: !from_start,
    };
    let record = broadcasts(&app)?.restart(&id, start).await?;
    with_status(StatusCode::ACCEPTED, &record.to_json())
}

/// Leaves the item that is on air.
#[utoipa::path(
    post,
    path = "/broadcasts/{id}/skip",
    operation_id = "skipBroadcastItem",
    tag = "broadcasts",
    params(Id),
    responses(
        (status = 202, description = "The next item comes; the record", body = Broadcast),
        OfChanging,
    ),
    security(("broadcast_token" = []))
)]
pub(super) async fn skip(State(app): State<AppState>, Id(id): Id) -> Result<Response, ApiError> {
    let record = broadcasts(&app)?.skip(&id).await?;
    with_status(StatusCode::ACCEPTED, &record.to_json())
}

/// Reads the list anew.
#[utoipa::path(
    post,
    path = "/broadcasts/{id}/refresh",
    operation_id = "refreshBroadcast",
    tag = "broadcasts",
    params(Id),
    responses(
        (status = 200, description = "What changed", body = BroadcastRefreshed),
        OfReading,
    ),
    security(("broadcast_token" = []))
)]
pub(super) async fn refresh(State(app): State<AppState>, Id(id): Id) -> Result<Response, ApiError> {
    let (added, removed) = broadcasts(&app)?.refresh(&id).await?;
    answer::no_store(&json!({"added": added, "removed": removed}))
}

/// Shows what it does.
#[utoipa::path(
    get,
    path = "/broadcasts/{id}/status",
    operation_id = "broadcastStatus",
    tag = "broadcasts",
    params(Id),
    responses(
        (status = 200, description = "What it does", body = BroadcastStatus),
        OfOne,
    ),
    security(("broadcast_token" = []))
)]
pub(super) async fn status(State(app): State<AppState>, Id(id): Id) -> Result<Response, ApiError> {
    answer::no_store(&broadcasts(&app)?.status(&id).await?)
}

/// Reads the list and checks the target; makes nothing.
#[utoipa::path(
    post,
    path = "/broadcasts/validate",
    operation_id = "validateBroadcast",
    tag = "broadcasts",
    request_body = BroadcastFields,
    responses(
        (status = 200, description = "It could be made", body = BroadcastValid),
        OfReading,
    ),
    security(("broadcast_token" = []))
)]
pub(super) async fn validate(
    State(app): State<AppState>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let fields = records::read(&app, &headers, body).await?;
    answer::no_store(&broadcasts(&app)?.validate(fields).await?)
}

/// Takes a field out of a body, so that what nobody knows is left. Null says as little as a field that is left out.
fn take<T: DeserializeOwned>(
    fields: &mut Map<String, Value>,
    name: &'static str,
    kind: &'static str,
) -> Result<Option<T>, ApiError> {
    let value = fields.remove(name).unwrap_or_default();
    serde_json::from_value(value).map_err(|_| ApiError::invalid("body", name, kind))
}

/// A field that nobody knows is a known one misspelt: without it something else would be done than what was meant.
fn none_left(fields: &Map<String, Value>, known: &str) -> Result<(), ApiError> {
    let Some(name) = fields.keys().next() else {
        return Ok(());
    };
    let message = format!("`{name}` is no field of this request: it takes {known}");
    let detail = json!([{"type": "value_error", "loc": ["body", name], "msg": message}]);
    Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_field", message).detail(detail))
}

fn with_status(status: StatusCode, body: &Value) -> Result<Response, ApiError> {
    let mut response = answer::no_store(body)?;
    *response.status_mut() = status;
    Ok(response)
}
