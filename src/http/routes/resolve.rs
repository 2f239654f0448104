//! `POST /tiktok` and `POST /resolve`: an address in, facts and links out.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::http::error::ApiError;
use crate::http::{AppState, fields, json, wire};
use crate::services::{ResolveError, Wish};

const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    url: String,
    no_cache: bool,
    max_height: Option<u32>,
}

/// Resolves the posted address.
pub(in crate::http) async fn resolve(
    State(app): State<AppState>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let body = json::read_body(&headers, body, app.body_timeout).await?;
    let asked = parse(&body, json::is_form(&headers))?;
    let wish = Wish {
        no_cache: asked.no_cache,
    };
    let resolved = app
        .resolver
        .resolve(&asked.url, wish)
        .await
        .map_err(|error| ApiError::from(error.as_ref()))?;
    let extraction = &resolved.extraction;
    let Some(extractor) = app.resolver.extractor(&extraction.site) else {
        return Err(ApiError::from(&ResolveError::Internal));
    };
    let offers = app
        .minter
        .mint(extractor.as_ref(), extraction, asked.max_height)
        .await;
    let mut response = json::no_store(&wire::post(extraction, &offers, &app.base_url))?;
    let cache = if resolved.is_hit { "hit" } else { "miss" };
    response
        .headers_mut()
        .insert(X_CACHE, HeaderValue::from_static(cache));
    Ok(response)
}

fn parse(body: &Bytes, is_form: bool) -> Result<Asked, ApiError> {
    let fields = fields::read(body, is_form)?;
    Ok(Asked {
        url: fields::url(&fields)?,
        no_cache: fields.get("no_cache").is_some_and(fields::is_true),
        max_height: fields
            .get("max_height")
            .and_then(fields::number)
            .and_then(|height| u32::try_from(height).ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(body: &'static str, is_form: bool) -> Result<Asked, &'static str> {
        parse(&Bytes::from_static(body.as_bytes()), is_form).map_err(|error| error.code())
    }

    #[test]
    fn form_and_json_say_the_same() {
        let asked = Asked {
            url: "https://x.com/a b".to_owned(),
            no_cache: true,
            max_height: Some(720),
        };
        assert_eq!(
            parsed(
                r#"{"url":" https://x.com/a b ","no_cache":true,"max_height":720,"z":[]}"#,
                false
            )
            .as_ref(),
            Ok(&asked)
        );
        assert_eq!(
            parsed(
                "url=https%3A%2F%2Fx.com%2Fa+b&no_cache=1&max_height=720",
                true
            )
            .as_ref(),
            Ok(&asked)
        );
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
        ] {
            assert_eq!(parsed(body, false).unwrap_err(), code, "{body}");
        }
        assert_eq!(parsed("", true).unwrap_err(), "missing_field");
        assert!(parsed("{\"url\":\"x\"}", true).is_ok());
    }
}
