//! Which errors a kind of route has.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::{RefOr, Response};

use crate::http::openapi::{ANYWHERE, SITE, refusals};

type Responses = BTreeMap<String, RefOr<Response>>;

/// Errors of every route of the family.
const FAMILY: [(u16, &str); 3] = [
    (401, "The token of broadcasts is wanted"),
    (403, "Broadcasts are off on this server"),
    (503, "The database can't be used, or the server is stopping"),
];

const NOT_FOUND: (u16, &str) = (404, "There is no such broadcast");
const INVALID: (u16, &str) = (422, "A field or parameter can't be used; `detail` names it");
const TOO_LARGE: (u16, &str) = (413, "The body is too large");
const NO_LIST: (u16, &str) = (400, "`playlist_id` names no list of a site that is served");
const CONFLICT: (u16, &str) = (409, "Its state, or that of the server, does not allow it");

fn of(own: &[(u16, &str)]) -> Responses {
    refusals(&[&ANYWHERE[..], &FAMILY, own].concat())
}

/// Errors of routes about all broadcasts.
pub(in crate::http::routes::broadcasts) struct OfAll;

impl IntoResponses for OfAll {
    fn responses() -> Responses {
        of(&[INVALID])
    }
}

/// Errors of making one.
pub(in crate::http::routes::broadcasts) struct OfMaking;

impl IntoResponses for OfMaking {
    fn responses() -> Responses {
        of(&[NO_LIST, CONFLICT, TOO_LARGE, INVALID])
    }
}

/// Errors of looking at one.
pub(in crate::http::routes::broadcasts) struct OfOne;

impl IntoResponses for OfOne {
    fn responses() -> Responses {
        of(&[NOT_FOUND, INVALID])
    }
}

/// Errors of following one.
pub(in crate::http::routes::broadcasts) struct OfFollowing;

impl IntoResponses for OfFollowing {
    fn responses() -> Responses {
        of(&[NOT_FOUND, INVALID, (429, "Too many follow it already")])
    }
}

/// Errors of changing, starting and ending one.
pub(in crate::http::routes::broadcasts) struct OfChanging;

impl IntoResponses for OfChanging {
    fn responses() -> Responses {
        of(&[NO_LIST, NOT_FOUND, CONFLICT, TOO_LARGE, INVALID])
    }
}

/// Errors of reading its list at the site.
pub(in crate::http::routes::broadcasts) struct OfReading;

impl IntoResponses for OfReading {
    fn responses() -> Responses {
        let own = [NO_LIST, CONFLICT, TOO_LARGE, INVALID];
        refusals(&[&ANYWHERE[..], &FAMILY, &SITE, &own].concat())
    }
}
