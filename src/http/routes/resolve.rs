//! `POST /tiktok` and `POST /resolve`: an address in, facts and links out.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::app::App;
use crate::extract::Extraction;
use crate::extract::selector::Selector;
use crate::http::error::ApiError;
use crate::http::openapi::{OfResolving, ResolveRequest};
use crate::http::wire::{Parts, Post};
use crate::http::{AppState, fields, json, wire};
use crate::services::{
    CaptionLinks, Choice, Entry, Offers, PairWish, ResolveError, Span, Terms, Wish,
};

const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

/// What a request asks for.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Asked {
    url: String,
    no_cache: bool,
    choice: Option<Choice>,
    pairs: PairWish,
}

impl Asked {
    /// Everything of the post at an address, or in a text that holds one.
    pub(crate) fn of(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            ..Self::default()
        }
    }
}

/// What is known and offered of a post.
#[derive(Debug)]
pub(crate) struct Answer {
    /// What the site said.
    pub(crate) extraction: Arc<Extraction>,
    /// What can be had of it.
    pub(crate) offers: Offers,
    captions: Vec<CaptionLinks>,
    /// What the request chose among the offers.
    selected: Option<Entry>,
    is_hit: bool,
}

impl Answer {
    /// The body of the answer; links begin with `base`.
    pub(crate) fn body(&self, base: &str) -> impl Serialize {
        let parts = Parts {
            extraction: &self.extraction,
            offers: &self.offers,
            captions: &self.captions,
            selected: self.selected.as_ref(),
        };
        wire::post(parts, base)
    }
}

/// A link to a post in, facts and download links out.
#[utoipa::path(
    post,
    path = "/resolve",
    operation_id = "resolve",
    tag = "resolve",
    request_body(content(
        (ResolveRequest = "application/json"),
        (ResolveRequest = "application/x-www-form-urlencoded"),
    )),
    responses(
        (status = 200, description = "What the post is, and links to its files", body = Post, headers(("X-Cache" = String, description = "`hit` or `miss`"))),
        OfResolving,
    ),
    security((), ("api_key" = []), ("bearer" = []))
)]
pub(in crate::http) async fn resolve(
    State(app): State<AppState>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let asked = parse(&fields::posted(&app, &headers, body).await?)?;
    let answer = answer(&app, &asked).await?;
    let mut response = json::no_store(&answer.body(&app.base_url))?;
    let cache = if answer.is_hit { "hit" } else { "miss" };
    response
        .headers_mut()
        .insert(X_CACHE, HeaderValue::from_static(cache));
    Ok(response)
}

/// Resolves an address and seals links to what is asked for.
pub(in crate::http) async fn answer(app: &App, asked: &Asked) -> Result<Answer, ApiError> {
    let wish = Wish {
        no_cache: asked.no_cache,
    };
    let resolved = app
        .resolver
        .resolve(&asked.url, wish)
        .await
        .map_err(|error| ApiError::from(error.as_ref()))?;
    let extraction = resolved.extraction;
    let Some(extractor) = app.resolver.extractor(&extraction.site) else {
        return Err(ApiError::from(&ResolveError::Internal));
    };
    let max_height = asked.pairs.max_height.or(extractor.max_height());
    let wish = PairWish {
        max_height,
        ..asked.pairs
    };
    let pairs = app.joiner.pairs(extractor, &extraction, wish).await;
    if wish.span.is_some() && pairs.is_empty() {
        return Err(no_clips());
    }
    let terms = Terms {
        max_height,
        pairs,
        is_clip: asked.pairs.span.is_some(),
    };
    let offers = app
        .minter
        .mint(extractor.as_ref(), &extraction, &terms)
        .await;
    let selected = match &asked.choice {
        Some(choice) => Some(
            choice
                .among(&extraction, &offers)
                .cloned()
                .ok_or_else(ApiError::format_not_found)?,
        ),
        None => None,
    };
    Ok(Answer {
        captions: app.minter.captions(&extraction).await,
        extraction,
        offers,
        selected,
        is_hit: resolved.is_hit,
    })
}

/// The same, under the name that it had first.
#[utoipa::path(
    post,
    path = "/tiktok",
    operation_id = "resolve_by_first_name",
    tag = "resolve",
    request_body(content(
        (ResolveRequest = "application/json"),
        (ResolveRequest = "application/x-www-form-urlencoded"),
    )),
    responses(
        (status = 200, description = "What the post is, and links to its files", body = Post, headers(("X-Cache" = String, description = "`hit` or `miss`"))),
        OfResolving,
    ),
    security((), ("api_key" = []), ("bearer" = []))
)]
pub(in crate::http) async fn by_first_name(
    app: State<AppState>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    resolve(app, headers, body).await
}

fn parse(fields: &Map<String, Value>) -> Result<Asked, ApiError> {
    Ok(Asked {
        url: fields::url(fields)?,
        no_cache: fields.get("no_cache").is_some_and(fields::is_true),
        choice: choice(fields)?,
        pairs: PairWish {
            span: span(fields)?,
            has_cover: fields.get("cover").is_some_and(fields::is_true),
            is_exact: fields.get("exact").is_some_and(fields::is_true),
            max_height: fields
                .get("max_height")
                .and_then(fields::number)
                .and_then(|height| u32::try_from(height).ok()),
        },
    })
}

/// `format_id` or `selector`.
fn choice(fields: &Map<String, Value>) -> Result<Option<Choice>, ApiError> {
    let text = |name: &'static str| match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.trim()).filter(|text| !text.is_empty())),
        Some(_) => Err(ApiError::invalid("body", name, "a string")),
    };
    // Ids of formats look like numbers at some sites, and are written so.
    let number = fields.get("format_id").and_then(Value::as_u64);
    let id = match number {
        Some(number) => Some(number.to_string()),
        None => text("format_id")?.map(str::to_owned),
    };
    match (id, text("selector")?) {
        (None, None) => Ok(None),
        (Some(id), None) => Ok(Some(Choice::Format(id))),
        (None, Some(rule)) => match rule.parse::<Selector>() {
            Ok(selector) => Ok(Some(Choice::Selector(selector))),
            Err(error) => Err(ApiError::invalid_selector(&error)),
        },
        (Some(_), Some(_)) => Err(ApiError::invalid(
            "body",
            "selector",
            "given without `format_id`",
        )),
    }
}

/// The part of the video that is asked for by `start` and `end`, in seconds.
fn span(fields: &Map<String, Value>) -> Result<Option<Span>, ApiError> {
    let moment = |name: &'static str| match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => fields::milliseconds(value)
            .map(Some)
            .ok_or_else(|| ApiError::invalid("body", name, "a number of seconds")),
    };
    let (start, end_ms) = (moment("start")?, moment("end")?);
    if start.is_none() && end_ms.is_none() {
        return Ok(None);
    }
    let start_ms = start.unwrap_or(0);
    if end_ms.is_some_and(|end| end <= start_ms) {
        return Err(ApiError::invalid("body", "end", "after `start`"));
    }
    Ok(Some(Span { start_ms, end_ms }))
}

fn no_clips() -> ApiError {
    ApiError::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "clip_unsupported",
        "No part of this post can be cut out: leave `start` and `end` away",
    )
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;

    use super::*;

    fn parsed(body: &str, is_form: bool) -> Result<Asked, &'static str> {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let asked = fields::read(&body, is_form).and_then(|fields| parse(&fields));
        asked.map_err(|error| error.code())
    }

    #[test]
    fn form_and_json_say_the_same() {
        let asked = Asked {
            url: "https://x.com/a b".to_owned(),
            no_cache: true,
            choice: Some(Choice::Format("137".to_owned())),
            pairs: PairWish {
                span: Some(Span {
                    start_ms: 1500,
                    end_ms: Some(4000),
                }),
                has_cover: true,
                is_exact: true,
                max_height: Some(720),
            },
        };
        assert_eq!(
            parsed(
                r#"{"url":" https://x.com/a b ","no_cache":true,"max_height":720,"format_id":"137","exact":true,"cover":true,"start":1.5,"end":4,"z":[]}"#,
                false
            )
            .as_ref(),
            Ok(&asked)
        );
        assert_eq!(
            parsed(
                "url=https%3A%2F%2Fx.com%2Fa+b&no_cache=1&max_height=720&format_id=137&exact=1&cover=1&start=1.5&end=4",
                true
            )
            .as_ref(),
            Ok(&asked)
        );
    }

    #[test]
    fn choice_is_one_of_two_texts() {
        for (field, code) in [
            ("\"format_id\":true", "invalid_field"),
            ("\"format_id\":-1", "invalid_field"),
            ("\"selector\":[]", "invalid_field"),
            ("\"format_id\":\"18\",\"selector\":\"b\"", "invalid_field"),
            ("\"selector\":\"b[height<\"", "invalid_selector"),
        ] {
            let refused = parsed(&format!("{{\"url\":\"x\",{field}}}"), false);
            assert_eq!(refused.unwrap_err(), code, "{field}");
        }
        let number = parsed("{\"url\":\"x\",\"format_id\":18}", false).unwrap();
        assert_eq!(number.choice, Some(Choice::Format("18".to_owned())));
        let none = "{\"url\":\"x\",\"format_id\":\"\",\"selector\":null}";
        assert_eq!(parsed(none, false).unwrap().choice, None);
    }

    #[test]
    fn bodies_without_a_usable_url_are_told_apart() {
        for (body, code) in [
            ("", "invalid_json"),
            ("[]", "invalid_json"),
            ("\"x\"", "invalid_json"),
            ("{\"url\":", "invalid_json"),
            ("{}", "missing_field"),
            ("{\"url\":null}", "missing_field"),
            ("{\"url\":7}", "invalid_field"),
            ("{\"url\":\"  \"}", "missing_field"),
            ("{\"url\":\"x\",\"start\":-1}", "invalid_field"),
            ("{\"url\":\"x\",\"start\":\"soon\"}", "invalid_field"),
            ("{\"url\":\"x\",\"end\":1e300}", "invalid_field"),
            ("{\"url\":\"x\",\"start\":5,\"end\":5}", "invalid_field"),
        ] {
            assert_eq!(parsed(body, false).unwrap_err(), code, "{body}");
        }
        assert_eq!(parsed("", true).unwrap_err(), "missing_field");
        assert!(parsed("{\"url\":\"x\"}", true).is_ok());
    }
}
