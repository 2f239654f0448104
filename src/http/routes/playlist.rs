//! `POST /playlist`: the address of a list in, its posts out.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use serde_json::{Map, Value};

use crate::extract::Part;
use crate::http::error::ApiError;
use crate::http::listing::{Listing, listing};
use crate::http::openapi::{OfResolving, PlaylistRequest};
use crate::http::{AppState, fields, json};

/// Entries when the client names no limit.
const DEFAULT_LIMIT: usize = 100;
/// Most entries of one answer, about 2 MiB; a higher limit counts as this one, and the rest is behind the cursor.
const MAX_LIMIT: usize = 5000;

/// A link to a list in, its posts out.
#[utoipa::path(
    post,
    path = "/playlist",
    operation_id = "playlist",
    tag = "resolve",
    request_body(content(
        (PlaylistRequest = "application/json"),
        (PlaylistRequest = "application/x-www-form-urlencoded"),
    )),
    responses((status = 200, description = "A part of the list", body = Listing), OfResolving),
    security((), ("api_key" = []), ("bearer" = []))
)]
pub(in crate::http) async fn list(
    State(app): State<AppState>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let fields = fields::posted(&app, &headers, body).await?;
    let url = fields::url(&fields)?;
    let part = part(&fields)?;
    let listed = app.lister.list(&url, part).await;
    let listed = listed.map_err(|error| ApiError::of_list(error.as_ref()))?;
    json::no_store(&listing(&listed))
}

fn part(fields: &Map<String, Value>) -> Result<Part, ApiError> {
    let limit = match fields.get("limit") {
        None | Some(Value::Null) => DEFAULT_LIMIT,
        Some(value) => fields::number(value)
            .and_then(|limit| usize::try_from(limit).ok())
            .filter(|limit| *limit > 0)
            .ok_or_else(|| ApiError::invalid("body", "limit", "a number from 1 on"))?
            .min(MAX_LIMIT),
    };
    let cursor = match fields.get("cursor") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.is_empty() => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(_) => return Err(ApiError::invalid("body", "cursor", "a string")),
    };
    Ok(Part { cursor, limit })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(fields: &Value) -> Result<Part, &'static str> {
        part(fields.as_object().unwrap()).map_err(|error| error.code())
    }

    #[test]
    fn part_is_read_and_its_limit_capped() {
        let part = |cursor: Option<&str>, limit| {
            let cursor = cursor.map(str::to_owned);
            Ok(Part { cursor, limit })
        };
        assert_eq!(read(&json!({})), part(None, DEFAULT_LIMIT));
        assert_eq!(
            read(&json!({"limit": 7, "cursor": "abc"})),
            part(Some("abc"), 7)
        );
        assert_eq!(read(&json!({"limit": "7", "cursor": ""})), part(None, 7));
        assert_eq!(
            read(&json!({"limit": 1_000_000, "cursor": null})),
            part(None, MAX_LIMIT)
        );
    }

    #[test]
    fn part_of_another_type_is_refused() {
        for fields in [
            json!({"limit": 0}),
            json!({"limit": -1}),
            json!({"limit": "many"}),
            json!({"limit": 1.5}),
            json!({"cursor": 7}),
        ] {
            assert_eq!(read(&fields), Err("invalid_field"), "{fields}");
        }
    }
}
