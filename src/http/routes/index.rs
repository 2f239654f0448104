//! `GET /`: what this server is and what it can be asked.

use axum::response::Response;
use serde::Serialize;

use crate::http::error::ApiError;
use crate::http::json;

#[derive(Serialize)]
struct Index {
    name: &'static str,
    version: &'static str,
    endpoints: [&'static str; 10],
}

/// The routes, as JSON.
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
            "GET /health",
            "GET /livez",
            "GET /readyz",
            "GET /metrics",
        ],
    })
}
