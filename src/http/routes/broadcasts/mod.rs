//! `/broadcasts`: playlists on air. Closed to everybody without `BROADCAST_API_TOKEN`, for they make the server start
//! programs and open connections.

mod air;
mod error;
mod logs;
mod records;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use sha2::{Digest, Sha256};

use crate::broadcast::Broadcasts;
use crate::config::Secret;
use crate::http::AppState;
use crate::http::error::ApiError;

/// Every route of the family.
pub(in crate::http) fn router() -> Router<AppState> {
    Router::new()
        .route("/broadcasts", get(records::list).post(records::create))
        .route(
            "/broadcasts/{id}",
            get(records::show)
                .patch(records::change)
                .delete(records::delete),
        )
        .route("/broadcasts/{id}/items", get(records::items))
        .route("/broadcasts/{id}/logs", get(logs::show))
        .route("/broadcasts/{id}/events", get(logs::events_of))
        .route("/broadcasts/{id}/status", get(air::status))
        .route("/broadcasts/{id}/start", post(air::start))
        .route("/broadcasts/{id}/stop", post(air::stop))
        .route("/broadcasts/{id}/restart", post(air::restart))
        .route("/broadcasts/{id}/skip", post(air::skip))
        .route("/broadcasts/{id}/refresh", post(air::refresh))
        .route("/broadcasts/validate", post(air::validate))
}

/// Lets pass who shows the token.
pub(in crate::http) async fn guard(
    State(app): State<AppState>,
    request: Request,
    next: Next,
) -> Response {
    let Some(token) = &app.broadcast.token else {
        return ApiError::new(
            StatusCode::FORBIDDEN,
            "broadcast_disabled",
            "Broadcasts are off: `BROADCAST_API_TOKEN` is not set on this server",
        )
        .into_response();
    };
    let shown = request.headers().get(AUTHORIZATION);
    if shown.is_some_and(|shown| is_token(shown, token)) {
        return next.run(request).await;
    }
    let error = ApiError::new(
        StatusCode::UNAUTHORIZED,
        "unauthorized",
        "`Authorization: Bearer` with the token of this server's broadcasts is needed",
    );
    let mut response = error.into_response();
    let scheme = HeaderValue::from_static("Bearer");
    response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
    response
}

/// Compares digests, so that the time it takes tells nothing of the token.
fn is_token(shown: &HeaderValue, token: &Secret) -> bool {
    let shown = shown.as_bytes();
    let Some((scheme, shown)) = shown.split_at_checked("Bearer ".len()) else {
        return false;
    };
    let is_same = Sha256::digest(shown) == Sha256::digest(token.reveal());
    scheme.eq_ignore_ascii_case(b"Bearer ") && is_same
}

/// What answers, once the token was right.
fn broadcasts(app: &AppState) -> Result<&Broadcasts, ApiError> {
    app.broadcasts.as_ref().ok_or_else(|| {
        ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "broadcast_unavailable",
            "The database of broadcasts could not be opened; the log says why",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_must_be_the_whole_one() {
        let token = Secret::new("secret".to_owned());
        for (shown, expected) in [
            ("Bearer secret", true),
            ("bearer secret", true),
            ("Bearer secre", false),
            ("Bearer secret ", false),
            ("Basic secret", false),
            ("Bearer ", false),
            ("secret", false),
            ("", false),
        ] {
            let header = HeaderValue::from_static(shown);
            assert_eq!(is_token(&header, &token), expected, "{shown}");
        }
    }
}
