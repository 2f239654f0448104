//! `GET` and `HEAD` of `/stream` and `/download`: the bytes of a link.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, IF_NONE_MATCH, IF_RANGE, RANGE};
use http::{HeaderMap, HeaderName, Method, StatusCode};

use crate::http::error::ApiError;
use crate::http::{AppState, headers};
use crate::services::Delivery;
use crate::transfer::Ask;

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

/// Opens the link and passes its bytes.
pub(in crate::http) async fn deliver(
    State(app): State<AppState>,
    method: Method,
    RawQuery(query): RawQuery,
    request_headers: HeaderMap,
) -> Result<Response, ApiError> {
    let parameters = Parameters::of(&query.unwrap_or_default());
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
    let ask = Ask {
        range: text(&request_headers, &RANGE),
        if_range: text(&request_headers, &IF_RANGE),
        is_head: method == Method::HEAD,
    };
    let delivery = app.deliverer.deliver(&token, ask).await?;
    let if_none_match = text(&request_headers, &IF_NONE_MATCH);
    Ok(respond(
        delivery,
        parameters.is_inline,
        if_none_match.as_deref(),
    ))
}

fn respond(delivery: Delivery, is_inline: bool, if_none_match: Option<&str>) -> Response {
    let head = &delivery.transfer.head;
    let mut headers = headers::media(&delivery.link, head, is_inline);
    if headers::is_not_modified(if_none_match, head.etag.as_deref()) {
        headers.remove(CONTENT_LENGTH);
        headers.remove(ACCEPT_RANGES);
        headers.remove(CONTENT_RANGE);
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

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}
