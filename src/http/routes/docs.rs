//! `GET /openapi.json`, `/docs` and its files: the API documents itself, without anything from elsewhere.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::not_found;
use crate::http::error::ApiError;
use crate::http::openapi::Anywhere;
use crate::http::{AppState, swagger};

/// The page may load what lies beside it and nothing else, and nobody may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const REFERRER_POLICY: HeaderName = HeaderName::from_static("referrer-policy");

const PAGE: &str = include_str!("docs/index.html");
const START: &str = include_str!("docs/start.js");

/// This document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "openapi",
    tag = "operate",
    responses((status = 200, description = "The document", body = serde_json::Value, content_type = "application/json"), Anywhere)
)]
pub(in crate::http) async fn document(State(app): State<AppState>) -> Response {
    let text = app.document.get().cloned().unwrap_or_default();
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}

/// This document as a page for people.
#[utoipa::path(
    get,
    path = "/docs",
    operation_id = "docs",
    tag = "operate",
    responses((status = 200, description = "The page", body = String, content_type = "text/html; charset=utf-8"), Anywhere)
)]
pub(in crate::http) async fn page() -> Response {
    framed("text/html; charset=utf-8", PAGE.as_bytes())
}

/// The files of that page.
#[utoipa::path(
    get,
    path = "/docs/{file}",
    operation_id = "docs_file",
    tag = "operate",
    params(("file" = String, Path, description = "Name of the file", example = "start.js")),
    responses(
        (status = 200, description = "The file", content(
            (String = "text/css; charset=utf-8"),
            (String = "text/javascript; charset=utf-8"),
            (String = "image/png"),
        )),
        (status = 404, description = "There is no such file", body = crate::http::openapi::ErrorBody),
        Anywhere,
    )
)]
pub(in crate::http) async fn file(
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    match name.as_str() {
        "start.js" => Ok(framed("text/javascript; charset=utf-8", START.as_bytes())),
        name => match swagger::file(name) {
            Some(file) => Ok(file.respond(&headers)),
            None => Err(not_found().await),
        },
    }
}

fn framed(kind: &'static str, text: &'static [u8]) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(kind)),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, text).into_response()
}
