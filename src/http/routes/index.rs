//! `GET /`: what this server is and what it can be asked.

use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::error::ApiError;
use crate::http::json;
use crate::http::openapi::Anywhere;

#[derive(Serialize, ToSchema)]
struct Index {
    name: &'static str,
    version: &'static str,
    endpoints: [&'static str; 14],
}

/// What can be asked here.
#[utoipa::path(
    get,
    path = "/",
    operation_id = "index",
    tag = "operate",
    responses((status = 200, description = "Name, version and routes", body = Index), Anywhere)
)]
pub(in crate::http) async fn show() -> Result<Response, ApiError> {
    json::no_store(&Index {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        endpoints: [
            "POST /tiktok",
            "POST /resolve",
            "POST /playlist",
            "GET /stream?data=",
            "GET /download?data=",
            "GET /download-slideshow?url=",
            "GET /broadcasts",
            "POST /broadcasts",
            "GET /health",
            "GET /livez",
            "GET /readyz",
            "GET /metrics",
            "GET /openapi.json",
            "GET /docs",
        ],
    })
}
