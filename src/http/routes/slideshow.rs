//! `GET` and `HEAD` of `/download-slideshow`: a photo post as a video, or how far its rendering is.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State as Shared};
use axum::response::Response;
use futures_util::{Stream, stream};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

use super::media;
use crate::http::AppState;
use crate::http::error::ApiError;
use crate::http::openapi::{OfMedia, RangeHeader, Slideshow};
use crate::services::{State, Waiter};

const URL_MISSING: &str = "URL parameter is required";
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// How long an event stream may say nothing: proxies give up a connection that is silent for a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Parameters of a request; others are ignored, and the first of a name counts.
#[derive(Debug, Default, PartialEq, Eq)]
struct Parameters {
    url: Option<String>,
    is_inline: bool,
    wants_progress: bool,
}

impl Parameters {
    fn of(query: &str) -> Self {
        let mut parameters = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "url" if parameters.url.is_none() => parameters.url = Some(value.into_owned()),
                "inline" => parameters.is_inline = value == "1",
                "progress" => parameters.wants_progress = value == "1",
                _ => {}
            }
        }
        parameters
    }
}

/// A photo post as a video, or how far its rendering is.
#[utoipa::path(
    get,
    path = "/download-slideshow",
    operation_id = "download_slideshow",
    tag = "media",
    params(
        ("url" = String, Query, description = "The part of `download_slideshow_link` after `url=`"),
        ("inline" = Option<String>, Query, description = "`1` to show the file instead of saving it"),
        ("progress" = Option<String>, Query, description = "`1` for events about the rendering until the video is there"),
        RangeHeader,
    ),
    responses(Slideshow, OfMedia),
    security((), ("api_key" = []), ("bearer" = []))
)]
pub(in crate::http) async fn deliver(
    Shared(app): Shared<AppState>,
    method: Method,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    extensions: Extensions,
) -> Result<Response, ApiError> {
    let parameters = Parameters::of(&query.unwrap_or_default());
    let Some(token) = parameters.url else {
        return Err(ApiError::missing("query", "url", URL_MISSING));
    };
    if token.trim().is_empty() {
        return Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "missing_field",
            URL_MISSING,
        ));
    }
    if parameters.wants_progress {
        let waiter = app.deliverer.watch_slideshow(&token).await?;
        return Ok(events(waiter));
    }
    let ask = media::ask(&method, &headers, &extensions);
    let delivery = app.deliverer.deliver_slideshow(&token, ask).await?;
    Ok(media::respond(delivery, parameters.is_inline))
}

/// Server-sent events (HTML Living Standard §9.2), the last one being `done` or `error`.
fn events(waiter: Waiter) -> Response {
    let mut response = Response::new(Body::from_stream(pieces(waiter)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

fn pieces(waiter: Waiter) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> {
    stream::unfold((Some(waiter), true), |(waiter, is_first)| async move {
        let mut waiter = waiter?;
        let is_news = is_first
            || tokio::time::timeout(KEEP_ALIVE, waiter.changed())
                .await
                .is_ok();
        if !is_news {
            return Some((Ok(Bytes::from_static(b": \n\n")), (Some(waiter), false)));
        }
        let (name, data, is_over) = event(&waiter.state());
        let text = format!("event: {name}\ndata: {data}\n\n");
        // The waiter keeps the rendering alive, so it goes with the last event and not before.
        let rest = (!is_over).then_some(waiter);
        Some((Ok(text.into()), (rest, false)))
    })
}

/// Name and data of the event for a state, and whether it is the last.
fn event(state: &State) -> (&'static str, Value, bool) {
    match state {
        State::Running(progress) => {
            let eta = progress.eta.map(|eta| eta.as_secs());
            let data = json!({
                "step": progress.step.as_str(),
                "percent": progress.percent,
                "eta_s": eta,
            });
            ("progress", data, false)
        }
        State::Done(Ok(_)) => {
            let data = json!({"step": "done", "percent": 100, "eta_s": 0});
            ("done", data, true)
        }
        State::Done(Err(error)) => ("error", ApiError::from(error.as_ref()).facts(None), true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_of_a_name_counts_and_flags_are_1() {
        let parameters = Parameters::of("url=a%20b&url=c&progress=1&inline=0&x=y");
        let expected = Parameters {
            url: Some("a b".to_owned()),
            is_inline: false,
            wants_progress: true,
        };
        assert_eq!(parameters, expected);
        assert_eq!(Parameters::of("progress"), Parameters::default());
    }
}
