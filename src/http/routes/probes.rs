//! `GET /livez` and `GET /readyz`: for what restarts the server, and for what sends it clients.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::error::ApiError;
use crate::http::openapi::Anywhere;
use crate::http::{AppState, json};

#[derive(Serialize, ToSchema)]
struct Alive {
    status: &'static str,
}

/// Whether clients should be sent here, and how well each site answers.
#[derive(Serialize, ToSchema)]
struct Ready {
    /// `ready`, or `draining` once the server comes to its end.
    status: &'static str,
    sites: BTreeMap<&'static str, Site>,
}

/// Ages are seconds; null when it has not happened since the start.
#[derive(Serialize, ToSchema)]
#[schema(as = SiteState)]
struct Site {
    last_good_age_seconds: Option<f64>,
    last_failure_age_seconds: Option<f64>,
}

/// The process answers, which is all that this says: also while it drains.
#[utoipa::path(
    get,
    path = "/livez",
    operation_id = "livez",
    tag = "operate",
    responses((status = 200, description = "It does", body = Alive), Anywhere)
)]
pub(in crate::http) async fn live() -> Result<Response, ApiError> {
    json::no_store(&Alive { status: "ok" })
}

/// Whether clients may come.
///
/// 200 while they may, 503 once the server drains. Sites that fail are told of and don't count: other servers
/// would fare no better, and what is cached is still served.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readyz",
    tag = "operate",
    responses(
        (status = 200, description = "Clients may come", body = Ready),
        (status = 503, description = "The server drains", body = Ready),
        Anywhere,
    )
)]
pub(in crate::http) async fn ready(State(app): State<AppState>) -> Result<Response, ApiError> {
    let is_draining = app.lifecycle.is_draining();
    let extractions = app.resolver.extractions();
    let sites = app.resolver.extractors().iter().map(|extractor| {
        let state = extractions.state(extractor.site());
        let site = Site {
            last_good_age_seconds: state.good_age.map(seconds),
            last_failure_age_seconds: state.failure_age.map(seconds),
        };
        (extractor.site(), site)
    });
    let answer = json::no_store(&Ready {
        status: if is_draining { "draining" } else { "ready" },
        sites: sites.collect(),
    })?;
    if is_draining {
        return Ok((StatusCode::SERVICE_UNAVAILABLE, answer).into_response());
    }
    Ok(answer)
}

/// To the millisecond.
fn seconds(age: Duration) -> f64 {
    age.as_millis() as f64 / 1000.0
}
