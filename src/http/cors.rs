//! Pages of other origins may call the API: it has no cookies, so `*` without credentials (api.md §5, C26).

use std::time::Duration;

use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, AUTHORIZATION, CONTENT_DISPOSITION, CONTENT_LENGTH,
    CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE, ORIGIN, RANGE, RETRY_AFTER,
};
use http::{HeaderName, Method};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::headers;
use crate::config::{HttpConfig, Origins};

/// The layer that answers preflights and marks every response, errors included.
pub(super) fn layer(config: &HttpConfig) -> CorsLayer {
    let methods = [Method::GET, Method::POST, Method::HEAD, Method::OPTIONS];
    of(&config.cors_origins).allow_methods(methods)
}

/// The layer of broadcasts, whose token a page would have to know.
pub(super) fn broadcast_layer(origins: &Origins) -> CorsLayer {
    let methods = [
        Method::GET,
        Method::POST,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ];
    of(origins).allow_methods(methods)
}

fn of(origins: &Origins) -> CorsLayer {
    let origin = match origins {
        Origins::Any => AllowOrigin::any(),
        Origins::These(origins) => AllowOrigin::list(origins.clone()),
    };
    CorsLayer::new()
        .allow_origin(origin)
        .allow_headers([
            ORIGIN,
            CONTENT_TYPE,
            CONTENT_LENGTH,
            ACCEPT_ENCODING,
            AUTHORIZATION,
            RANGE,
            IF_RANGE,
            IF_NONE_MATCH,
            HeaderName::from_static("x-api-key"),
        ])
        .expose_headers([
            CONTENT_DISPOSITION,
            HeaderName::from_static("x-filename"),
            CONTENT_LENGTH,
            CONTENT_RANGE,
            ACCEPT_RANGES,
            ETAG,
            RETRY_AFTER,
            headers::ESTIMATED_LENGTH,
            HeaderName::from_static("x-request-id"),
            HeaderName::from_static("ratelimit-limit"),
            HeaderName::from_static("ratelimit-remaining"),
            HeaderName::from_static("ratelimit-reset"),
        ])
        .max_age(Duration::from_secs(600))
}
