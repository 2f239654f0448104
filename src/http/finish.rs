//! The outermost layer: request id, the bodies of errors, the headers that every answer has, one log line.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use http_body::{Body as _, Frame, SizeHint};
use tracing::{Instrument, Span, info, info_span};

use super::AppState;
use super::error::ApiError;
use super::guard::{self, Client};
use crate::observe::RequestLabels;
use crate::transfer::{Outcome, Report};

/// Longest request target in bytes (ruling 8).
const MAX_TARGET: usize = 16 * 1024;

/// What stands for the route of a request that has none.
const NO_ROUTE: &str = "none";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Refuses targets that are too long before anything looks at them.
pub(super) async fn target_limit(request: Request, next: Next) -> Response {
    let target = request
        .uri()
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    if target > MAX_TARGET {
        return ApiError::new(
            StatusCode::URI_TOO_LONG,
            "target_too_long",
            format!("Request target is longer than {MAX_TARGET} bytes"),
        )
        .into_response();
    }
    next.run(request).await
}

/// Runs a request inside its span and finishes its answer.
pub(super) async fn finish(
    State(app): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    let request_id = format!("{:016x}", rand::random::<u64>());
    let is_head = request.method() == Method::HEAD;
    let method_label = known_method(request.method());
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or(NO_ROUTE, |path| template(path.as_str()));
    let client = guard::client_of(&app, &request);
    let span = info_span!("request", request_id, method = %request.method(), route, %client);
    request.extensions_mut().insert(Client(client));
    let started = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        write_error(&mut response, &error, &request_id, is_head);
    }
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        headers.insert(REQUEST_ID, value);
    }
    let status = response.status().as_u16();
    let labels = RequestLabels {
        route,
        method: method_label,
        status,
    };
    app.requests.answered(labels, started.elapsed());
    let report = response.extensions_mut().remove::<Report>();
    response.map(|body| {
        // An empty body is never polled, and neither is one of an answer to HEAD.
        let outcome = if is_head || body.is_end_stream() {
            "complete"
        } else {
            "aborted"
        };
        let line = Line {
            span,
            status,
            started,
            bytes: 0,
            outcome,
            report,
        };
        Body::new(Logged { body, line })
    })
}

/// Templates of the routes, as labels of metrics and names in the log.
pub(super) const ROUTES: [&str; 26] = [
    "/",
    "/tiktok",
    "/resolve",
    "/playlist",
    "/stream",
    "/download",
    "/download-slideshow",
    "/broadcasts",
    "/broadcasts/validate",
    "/broadcasts/{id}",
    "/broadcasts/{id}/items",
    "/broadcasts/{id}/logs",
    "/broadcasts/{id}/events",
    "/broadcasts/{id}/status",
    "/broadcasts/{id}/start",
    "/broadcasts/{id}/stop",
    "/broadcasts/{id}/restart",
    "/broadcasts/{id}/skip",
    "/broadcasts/{id}/refresh",
    "/health",
    "/livez",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/docs",
    "/docs/{file}",
];

fn template(path: &str) -> &'static str {
    ROUTES
        .into_iter()
        .find(|route| *route == path)
        .unwrap_or(NO_ROUTE)
}

/// What a client may invent must not become a label.
fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn write_error(response: &mut Response, error: &ApiError, request_id: &str, is_head: bool) {
    let body = error.body(request_id);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    if !is_head {
        *response.body_mut() = Body::from(body);
    }
}

/// The log line of a request, written when its answer is over, however it ends.
struct Line {
    span: Span,
    status: u16,
    started: Instant,
    bytes: u64,
    outcome: &'static str,
    /// Of the transfer that makes the answer, if one does: it knows better how it ended.
    report: Option<Report>,
}

impl Line {
    fn outcome(&self) -> &'static str {
        let outcome = self.report.as_ref().and_then(Report::outcome);
        outcome.map_or(self.outcome, Outcome::as_str)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let elapsed_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        info!(
            parent: &self.span,
            status = self.status,
            bytes = self.bytes,
            elapsed_ms,
            host = self.report.as_ref().map(Report::host),
            resumes = self.report.as_ref().map(Report::resumes),
            outcome = self.outcome(),
            "request finished"
        );
    }
}

/// A body that counts what passes. The body goes first, so that its end is known to the line.
struct Logged {
    body: Body,
    line: Line,
}

impl http_body::Body for Logged {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                self.line.bytes = self.line.bytes.saturating_add(length as u64);
                // A body of known length is not polled again after its last byte.
                if self.body.is_end_stream() {
                    self.line.outcome = "complete";
                }
            }
            Poll::Ready(Some(Err(_))) => self.line.outcome = "broken",
            Poll::Ready(None) => self.line.outcome = "complete",
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
