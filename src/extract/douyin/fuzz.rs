//! Answers of both ways to a post, for [`crate::fuzz`].

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::answer::{self, Reading};
use super::identity::AnswerKind;
use super::{Dialect, SITE, finish, map_aweme};
use crate::net::{MediaSession, Page};

const ID: &str = "7570000000000000005";

/// An answer about another post is an error, whatever else it says.
pub(in crate::extract) fn answer(data: &[u8]) {
    let page = Page {
        status: StatusCode::OK,
        headers: HeaderMap::new(),
        body: Bytes::copy_from_slice(data),
        location: None,
    };
    for kind in [AnswerKind::Detail, AnswerKind::Share] {
        if let Ok(Reading::Post(aweme)) = answer::read(&page, kind, ID) {
            let mapped = map_aweme(&aweme, Dialect::Douyin);
            if let Ok(extraction) = finish(SITE, mapped, MediaSession::default()) {
                assert_eq!(extraction.id, ID);
            }
        }
    }
}
