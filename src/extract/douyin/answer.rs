//! What Douyin's answers mean. Pure.

use std::collections::HashMap;

use serde::Deserialize;

use super::SITE;
use super::identity::AnswerKind;
use crate::extract::hop::retry_after;
use crate::extract::lenient::{List, Object};
use crate::extract::tiktok::challenge::{self, Challenge};
use crate::extract::tiktok::page::assigned;
use crate::extract::tiktok::response::app::{Aweme, Filter};
use crate::extract::tiktok::status::{by_message, unavailable};
use crate::extract::{Block, ExtractError, Unavailable};
use crate::net::Page;

/// What an answer holds.
#[derive(Debug)]
pub(super) enum Reading {
    /// The post that was asked for.
    Post(Box<Aweme>),
    /// Work to be done first.
    Challenge(Challenge),
    /// Nothing: this visitor is not answered.
    Nothing,
}

/// Answer of the web's detail call.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Detail {
    aweme_detail: Object<Aweme>,
    filter_detail: Object<Filter>,
}

/// The routes in the share page's script; a route without a post has no `videoInfoRes`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RouterData {
    loader_data: HashMap<String, Object<Route>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Route {
    video_info_res: Object<VideoInfo>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct VideoInfo {
    item_list: List<Aweme>,
    filter_list: List<Filter>,
}

/// Reads the answer of a way for the post with this id.
///
/// # Errors
/// `Unavailable` when Douyin says why it shows no post, `Blocked` and `Upstream` by HTTP status, `Shape` for another
/// post's data.
pub(super) fn read(page: &Page, kind: AnswerKind, id: &str) -> Result<Reading, ExtractError> {
    let (posts, filters) = match kind {
        AnswerKind::Detail => detail(&page.body),
        AnswerKind::Share => share(&page.body),
    };
    if !posts.is_empty() {
        return posts
            .into_iter()
            .find(|post| post.aweme_id.text() == id)
            .map(|post| Reading::Post(Box::new(post)))
            .ok_or_else(|| shape("id of the post"));
    }
    if let Some(filter) = filters.first() {
        let word = filter.filter_reason.text();
        let reason = by_message(word).unwrap_or(Unavailable::NotFound);
        return Err(unavailable(SITE, reason, word));
    }
    if let Some(challenge) = challenge::parse(&page.body) {
        return Ok(Reading::Challenge(challenge));
    }
    refusal(page)
}

fn detail(body: &[u8]) -> (Vec<Aweme>, Vec<Filter>) {
    let detail: Detail = serde_json::from_slice(body).unwrap_or_default();
    let told = |filter: &Filter| filter.filter_reason.is_some();
    (
        detail.aweme_detail.into_inner().into_iter().collect(),
        detail
            .filter_detail
            .into_inner()
            .filter(told)
            .into_iter()
            .collect(),
    )
}

fn share(body: &[u8]) -> (Vec<Aweme>, Vec<Filter>) {
    let data: Option<RouterData> = assigned(body, "window._ROUTER_DATA");
    let infos = data
        .into_iter()
        .flat_map(|data| data.loader_data.into_values())
        .filter_map(|route| route.into_inner()?.video_info_res.into_inner());
    let (mut posts, mut filters) = (Vec::new(), Vec::new());
    for info in infos {
        posts.extend(info.item_list.into_vec());
        filters.extend(info.filter_list.into_vec());
    }
    (posts, filters)
}

/// What an answer without data means.
fn refusal(page: &Page) -> Result<Reading, ExtractError> {
    let blocked = |block| {
        Err(ExtractError::Blocked {
            site: SITE,
            block,
            retry_after: retry_after(&page.headers),
        })
    };
    match page.status.as_u16() {
        429 => blocked(Block::RateLimited),
        403 => blocked(Block::Forbidden),
        code @ 500.. => Err(ExtractError::Upstream {
            site: SITE,
            code: i64::from(code),
        }),
        _ => Ok(Reading::Nothing),
    }
}

/// Something was not where it was expected.
pub(super) fn shape(step: &'static str) -> ExtractError {
    ExtractError::Shape {
        site: SITE,
        step,
        source: None,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, StatusCode};

    use super::*;

    fn read_body(kind: AnswerKind, status: u16, body: &str) -> Result<Reading, ExtractError> {
        let page = Page {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            location: None,
        };
        read(&page, kind, "7")
    }

    fn router(info: &str) -> String {
        format!(
            r#"<script>window._ROUTER_DATA = {{"loaderData":{{"a":null,"video_(id)/page":{{"videoInfoRes":{info}}}}}}};</script>"#
        )
    }

    #[test]
    fn post_is_found_in_both_answers() {
        let detail = r#"{"aweme_detail":{"aweme_id":"7"},"status_code":0}"#;
        let share = router(r#"{"item_list":[{"aweme_id":"7"}]}"#);
        for (kind, body) in [(AnswerKind::Detail, detail), (AnswerKind::Share, &share)] {
            assert!(matches!(read_body(kind, 200, body), Ok(Reading::Post(_))));
        }
    }

    #[test]
    fn other_post_is_a_shape_error() {
        let body = r#"{"aweme_detail":{"aweme_id":"8"}}"#;
        let read = read_body(AnswerKind::Detail, 200, body);
        assert!(matches!(read, Err(ExtractError::Shape { .. })));
    }

    #[test]
    fn reason_of_a_filter_is_told() {
        let detail = r#"{"aweme_detail":null,"filter_detail":{"filter_reason":"status_self_see","aweme_id":"7"}}"#;
        let share = router(r#"{"item_list":[],"filter_list":[{"filter_reason":"whatever"}]}"#);
        for (kind, body, expected) in [
            (AnswerKind::Detail, detail, Unavailable::Private),
            (AnswerKind::Share, share.as_str(), Unavailable::NotFound),
        ] {
            assert!(matches!(
                read_body(kind, 200, body),
                Err(ExtractError::Unavailable { reason, .. }) if reason == expected
            ));
        }
    }

    #[test]
    fn empty_and_foreign_bodies_are_nothing() {
        for body in ["", "<html></html>", r#"{"aweme_detail":null}"#, "null"] {
            let read = read_body(AnswerKind::Detail, 200, body);
            assert!(matches!(read, Ok(Reading::Nothing)), "{body}");
        }
        assert!(matches!(
            read_body(AnswerKind::Share, 403, ""),
            Err(ExtractError::Blocked { .. })
        ));
        assert!(matches!(
            read_body(AnswerKind::Share, 500, ""),
            Err(ExtractError::Upstream { .. })
        ));
    }

    #[test]
    fn challenge_in_a_script_is_seen() {
        let body = r#"<script>var wci="_wafchallengeid",cs="e30"</script>Please wait..."#;
        let read = read_body(AnswerKind::Share, 200, body);
        assert!(matches!(read, Ok(Reading::Challenge(_))));
    }
}
