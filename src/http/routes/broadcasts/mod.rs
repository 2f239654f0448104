//! `/broadcasts`: playlists on air. Closed to everybody without `BROADCAST_API_TOKEN`, for they make the server start
//! programs and open connections.

mod air;
#[expect(
    dead_code,
    reason = "only described: the room `broadcast` reads and writes it"
)]
mod described;
mod error;
mod logs;
mod records;

use axum::extract::{FromRequestParts, Path, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use sha2::{Digest, Sha256};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::broadcast::{BroadcastError, Broadcasts};
use crate::config::Secret;
use crate::http::AppState;
use crate::http::error::ApiError;

/// Every route of the family, with its description.
pub(in crate::http) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(records::list, records::create))
        .routes(routes!(records::show, records::change, records::delete))
        .routes(routes!(records::items))
        .routes(routes!(logs::show))
        .routes(routes!(logs::events_of))
        .routes(routes!(air::status))
        .routes(routes!(air::start))
        .routes(routes!(air::stop))
        .routes(routes!(air::restart))
        .routes(routes!(air::skip))
        .routes(routes!(air::refresh))
        .routes(routes!(air::validate))
}

/// The id in a path. What is no text is no id of any broadcast.
#[derive(IntoParams)]
#[into_params(names("id"), parameter_in = Path)]
struct Id(
    /// Id of the broadcast
    String,
);

impl FromRequestParts<AppState> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.map(|Path(id)| Self(id))
            .map_err(|_| BroadcastError::NotFound.into())
    }
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
