//! `GET` and `HEAD` of `/stream` and `/download`: the bytes of a link.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT_RANGES, CONTENT_LENGTH};
use http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode};

use crate::http::error::ApiError;
use crate::http::openapi::{LinkQuery, LinkedFile, OfMedia, RangeHeader};
use crate::http::{AppState, headers};
use crate::server::StreamReset;
use crate::services::{Delivered, Delivery, TextFile};
use crate::transfer::{Ask, Head};

const DATA_MISSING: &str = "Encrypted data parameter is required";

/// Parameters of a media request; others are ignored, and the first of a name counts.
#[derive(Debug, Default, PartialEq, Eq)]
struct Parameters {
    data: Option<String>,
    is_inline: bool,
}

impl Parameters {
    fn of(query: &str) -> Self {
        let mut parameters = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "data" if parameters.data.is_none() => parameters.data = Some(value.into_owned()),
                "inline" => parameters.is_inline = value == "1",
                _ => {}
            }
        }
        parameters
    }
}

/// The bytes of a link.
#[utoipa::path(
    get,
    path = "/stream",
    operation_id = "stream",
    tag = "media",
    params(LinkQuery, RangeHeader),
    responses(LinkedFile, OfMedia),
    security((), ("api_key" = []), ("bearer" = []))
)]
pub(in crate::http) async fn stream(
    app: State<AppState>,
    request: Request,
) -> Result<Response, ApiError> {
    deliver(app, request).await
}

/// The bytes of a link; the same as the other.
#[utoipa::path(
    get,
    path = "/download",
    operation_id = "download",
    tag = "media",
    params(LinkQuery, RangeHeader),
    responses(LinkedFile, OfMedia),
    security((), ("api_key" = []), ("bearer" = []))
)]
pub(in crate::http) async fn download(
    app: State<AppState>,
    request: Request,
) -> Result<Response, ApiError> {
    deliver(app, request).await
}

/// Opens the link and passes its bytes.
async fn deliver(State(app): State<AppState>, request: Request) -> Result<Response, ApiError> {
    let parameters = Parameters::of(request.uri().query().unwrap_or_default());
    let Some(token) = parameters.data else {
        return Err(ApiError::missing("query", "data", DATA_MISSING));
    };
    if token.trim().is_empty() {
        return Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "missing_field",
            DATA_MISSING,
        ));
    }
    let ask = ask(request.method(), request.headers(), request.extensions());
    Ok(match app.deliverer.deliver(&token, ask).await? {
        Delivered::Media(delivery) => respond(*delivery, parameters.is_inline),
        Delivered::Text(file) => respond_text(*file, parameters.is_inline),
    })
}

/// What a request asks for.
pub(super) fn ask(method: &Method, headers: &HeaderMap, extensions: &Extensions) -> Ask {
    let reset = extensions.get::<StreamReset>();
    Ask {
        give_up: reset.map(|reset| reset.0.clone()),
        ..Ask::of(method, headers)
    }
}

/// A text is sent whole, whatever range is asked for.
fn respond_text(file: TextFile, is_inline: bool) -> Response {
    let head = Head {
        total: Some(file.text.len() as u64),
        ..Head::default()
    };
    let headers = headers::media(&file.link, &head, is_inline);
    (headers, Body::from(file.text)).into_response()
}

/// Head and body of what is passed on.
pub(super) fn respond(delivery: Delivery, is_inline: bool) -> Response {
    let head = &delivery.transfer.head;
    let mut headers = headers::media(&delivery.link, head, is_inline);
    if let Some(estimate) = delivery.estimate {
        headers.insert(headers::ESTIMATED_LENGTH, HeaderValue::from(estimate));
    }
    if head.is_not_modified {
        headers.remove(CONTENT_LENGTH);
        headers.remove(ACCEPT_RANGES);
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    let status = match head.range {
        Some(_) => StatusCode::PARTIAL_CONTENT,
        None => StatusCode::OK,
    };
    let mut response = Response::new(Body::new(delivery.transfer.body));
    if let Some(report) = delivery.transfer.report {
        response.extensions_mut().insert(report);
    }
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
