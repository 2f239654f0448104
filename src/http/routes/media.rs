//! `GET` and `HEAD` of `/stream` and `/download`: the bytes of a link.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT_RANGES, CONTENT_LENGTH};
use http::{Extensions, HeaderMap, Method, StatusCode};

use crate::http::error::ApiError;
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

/// Opens the link and passes its bytes.
pub(in crate::http) async fn deliver(
    State(app): State<AppState>,
    method: Method,
    RawQuery(query): RawQuery,
    request_headers: HeaderMap,
    extensions: Extensions,
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
    let ask = ask(&method, &request_headers, &extensions);
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
