//! In front of the routes that cost something: who asks, with which key, how often.

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::AppState;
use super::error::{ApiError, whole_seconds};
use crate::observe::Refusal;
use crate::protect::{Class, Denied, Standing, Visit, client_address};
use crate::server::ClientAddr;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// Extension of every request: the client behind trusted proxies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Client(pub(super) IpAddr);

/// The client behind trusted proxies.
pub(super) fn client_of(app: &AppState, request: &Request) -> IpAddr {
    let peer = request.extensions().get::<ClientAddr>();
    let peer = peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.0.ip());
    if app.server.trusted_proxies.is_empty() {
        return peer;
    }
    let lines = request.headers().get_all(FORWARDED_FOR);
    // A line that is no text is one that can't be trusted further.
    let lines = lines.iter().map(|line| line.to_str().unwrap_or_default());
    client_address(peer, lines, |address| app.server.trusts(address))
}

/// What a group of routes is guarded with.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) app: AppState,
    pub(super) class: Class,
}

/// Lets a request in, or answers it.
pub(super) async fn admit(State(door): State<Door>, request: Request, next: Next) -> Response {
    let extensions = request.extensions();
    let route = extensions.get::<MatchedPath>();
    let client = extensions.get::<Client>();
    let visit = Visit {
        class: door.class,
        route: route.map_or("", MatchedPath::as_str),
        key: key(request.headers()),
        client: client.map_or(Ipv4Addr::UNSPECIFIED.into(), |client| client.0),
    };
    match door.app.protect.admit(visit).await {
        Ok(standing) => told(standing, next.run(request).await),
        Err(denied) => {
            let (refusal, standing) = match denied {
                Denied::Unauthorized(_) => (Refusal::Unauthorized, None),
                Denied::Forbidden => (Refusal::Forbidden, None),
                Denied::RateLimited(standing) => (Refusal::RateLimited, Some(standing)),
            };
            let class = door.class.as_str();
            door.app.requests.refused(class, refusal);
            told(standing, ApiError::from(&denied).into_response())
        }
    }
}

/// The key that a request shows.
fn key(headers: &HeaderMap) -> Option<&[u8]> {
    let own = headers.get(API_KEY).map(HeaderValue::as_bytes);
    own.map(<[u8]>::trim_ascii).or_else(|| bearer(headers))
}

/// The token of `Authorization: Bearer` (RFC 6750 §2.1).
pub(super) fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked("bearer ".len())?;
    let is_bearer = scheme.eq_ignore_ascii_case(b"bearer ");
    is_bearer.then(|| token.trim_ascii())
}

/// Tells a client how it stands against its limit (draft-ietf-httpapi-ratelimit-headers-06).
fn told(standing: Option<Standing>, mut response: Response) -> Response {
    if let Some(standing) = standing {
        let headers = response.headers_mut();
        headers.insert(LIMIT, standing.quota.requests().into());
        headers.insert(REMAINING, standing.remaining.into());
        headers.insert(RESET, whole_seconds(standing.reset).as_secs().into());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(pairs: &[(HeaderName, &'static str)]) -> Option<String> {
        let headers = pairs
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        let headers = headers.collect();
        key(&headers).map(|key| String::from_utf8_lossy(key).into_owned())
    }

    #[test]
    fn key_is_shown_in_one_of_two_headers() {
        for (pairs, expected) in [
            (&[][..], None),
            (&[(API_KEY, " k ")], Some("k")),
            (&[(AUTHORIZATION, "Bearer k")], Some("k")),
            (&[(AUTHORIZATION, "bearer  k")], Some("k")),
            (&[(AUTHORIZATION, "Basic k")], None),
            (&[(AUTHORIZATION, "Bearer")], None),
            (&[(AUTHORIZATION, "")], None),
            (&[(API_KEY, "a"), (AUTHORIZATION, "Bearer b")], Some("a")),
        ] {
            assert_eq!(shown(pairs).as_deref(), expected, "{pairs:?}");
        }
    }
}
