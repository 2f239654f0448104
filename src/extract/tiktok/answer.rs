//! What an answer to a page request means. Pure.

use http::StatusCode;
use memchr::memmem;

use super::challenge::{self, Challenge};
use super::identity::PageIdentity;
use super::response::web::{Item, VideoDetail};
use super::{SITE, page, status};
use crate::extract::hop::retry_after;
use crate::extract::{Block, ExtractError, Unavailable};
use crate::net::Page;

/// What a page holds.
#[derive(Debug)]
pub(super) enum Reading {
    /// The post that was asked for.
    Post(Box<Item>),
    /// Work to be done before the page is given.
    Challenge(Challenge),
}

/// Reads the answer to a request for the post with this id.
///
/// # Errors
/// `Unavailable` and `Upstream` as the page's status says, `Blocked` for the pages that turn us away, `Shape` for
/// everything that is none of these.
pub(super) fn read(
    page: &Page,
    id: &str,
    identity: &PageIdentity,
) -> Result<Reading, ExtractError> {
    if let Some(item) = read_post(&page.body, id)? {
        return Ok(Reading::Post(Box::new(item)));
    }
    if let Some(challenge) = challenge::parse(&page.body) {
        return Ok(Reading::Challenge(challenge));
    }
    Err(refusal(page, identity))
}

/// The post with this id in a page; `None` when the page carries no data.
///
/// # Errors
/// As [`read`], for what the data say.
pub(super) fn read_post(html: &[u8], id: &str) -> Result<Option<Item>, ExtractError> {
    let detail = page::detail(html).map_err(|source| ExtractError::Shape {
        site: SITE,
        step: "page data",
        source: Some(source.into()),
    })?;
    detail
        .or_else(|| page::legacy(html, id))
        .map(|detail| read_detail(detail, id))
        .transpose()
}

/// The post in a page's data.
fn read_detail(detail: VideoDetail, id: &str) -> Result<Item, ExtractError> {
    status::check(detail.status_code.unwrap_or(0), detail.status_msg.text())?;
    let item = detail
        .item_info
        .into_inner()
        .and_then(|info| info.item_struct.into_inner())
        .ok_or_else(|| shape("post in the page data"))?;
    if item.id.text() != id {
        return Err(shape("id of the post"));
    }
    let is_hidden = item.video.is_none() && item.image_post.is_none();
    if is_hidden && *item.is_content_classified == Some(true) {
        return Err(status::unavailable(
            SITE,
            Unavailable::AgeRestricted,
            "isContentClassified",
        ));
    }
    Ok(item)
}

/// What an answer without data means.
fn refusal(page: &Page, identity: &PageIdentity) -> ExtractError {
    let says = |marks: &[String]| {
        marks
            .iter()
            .any(|mark| memmem::find(&page.body, mark.as_bytes()).is_some())
    };
    match page.status {
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            status::unavailable(SITE, Unavailable::NotFound, "no such page")
        }
        StatusCode::TOO_MANY_REQUESTS => blocked(page, Block::RateLimited),
        _ if says(&identity.captcha_marks) => blocked(page, Block::Captcha),
        _ if says(&identity.maintenance_marks) => blocked(page, Block::Maintenance),
        StatusCode::FORBIDDEN => blocked(page, Block::Forbidden),
        status if status.is_server_error() => ExtractError::Upstream {
            site: SITE,
            code: i64::from(status.as_u16()),
        },
        _ => shape("page"),
    }
}

fn blocked(page: &Page, block: Block) -> ExtractError {
    ExtractError::Blocked {
        site: SITE,
        block,
        retry_after: retry_after(&page.headers),
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
    use std::time::Duration;

    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue};

    use super::*;
    use crate::config::Env;
    use crate::extract::tiktok::identity::Identity;

    fn answer(status: u16, body: &str) -> Page {
        Page {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            location: None,
        }
    }

    fn read_page(page: &Page) -> Result<Reading, ExtractError> {
        read(page, "7", &Identity::from_env(&mut Env::default()).page)
    }

    fn read_body(status: u16, body: &str) -> Result<Reading, ExtractError> {
        read_page(&answer(status, body))
    }

    fn data(detail: &str) -> String {
        format!(
            r#"<script id="__UNIVERSAL_DATA_FOR_REHYDRATION__">{{"__DEFAULT_SCOPE__":{{"webapp.video-detail":{detail}}}}}</script>"#
        )
    }

    fn block(status: u16, body: &str) -> Block {
        match read_body(status, body) {
            Err(ExtractError::Blocked { block, .. }) => block,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn post_with_the_right_id_is_taken() {
        let body = data(r#"{"statusCode":0,"itemInfo":{"itemStruct":{"id":"7"}}}"#);
        assert!(matches!(read_body(200, &body), Ok(Reading::Post(_))));
    }

    #[test]
    fn other_id_missing_post_and_broken_data_are_shape_errors() {
        for detail in [
            r#"{"itemInfo":{"itemStruct":{"id":"8"}}}"#,
            r#"{"statusCode":0,"itemInfo":{}}"#,
            r#"{"statusCode":0}"#,
            "{",
        ] {
            let read = read_body(200, &data(detail));
            assert!(
                matches!(read, Err(ExtractError::Shape { .. })),
                "{detail}: {read:?}"
            );
        }
    }

    #[test]
    fn status_comes_before_the_post() {
        let body = data(r#"{"statusCode":"10216","itemInfo":{"itemStruct":{"id":"7"}}}"#);
        assert!(matches!(
            read_body(200, &body),
            Err(ExtractError::Unavailable {
                reason: Unavailable::Private,
                ..
            })
        ));
    }

    #[test]
    fn classified_post_without_media_is_behind_the_age_gate() {
        let body = data(r#"{"itemInfo":{"itemStruct":{"id":"7","isContentClassified":true}}}"#);
        assert!(matches!(
            read_body(200, &body),
            Err(ExtractError::Unavailable {
                reason: Unavailable::AgeRestricted,
                ..
            })
        ));
        let shown =
            data(r#"{"itemInfo":{"itemStruct":{"id":"7","isContentClassified":true,"video":{}}}}"#);
        assert!(read_body(200, &shown).is_ok());
    }

    #[test]
    fn pages_that_turn_us_away_are_told_apart() {
        assert_eq!(
            block(200, "<div id=captcha-verify-container>"),
            Block::Captcha
        );
        assert_eq!(
            block(200, "<title>Site Under Maintenance</title>"),
            Block::Maintenance
        );
        assert_eq!(
            block(503, "<h1>Site Under Maintenance</h1>"),
            Block::Maintenance
        );
        assert_eq!(block(403, "Access Denied"), Block::Forbidden);
        assert_eq!(block(429, ""), Block::RateLimited);
    }

    #[test]
    fn retry_after_is_kept() {
        let mut page = answer(429, "");
        page.headers
            .insert(http::header::RETRY_AFTER, HeaderValue::from_static("17"));
        assert!(matches!(
            read_page(&page),
            Err(ExtractError::Blocked { retry_after: Some(after), .. }) if after == Duration::from_secs(17)
        ));
    }

    #[test]
    fn empty_unknown_missing_and_failing_pages() {
        for body in ["", "<html>hello</html>", "Please wait..."] {
            assert!(
                matches!(read_body(200, body), Err(ExtractError::Shape { .. })),
                "{body}"
            );
        }
        assert!(matches!(
            read_body(404, ""),
            Err(ExtractError::Unavailable {
                reason: Unavailable::NotFound,
                ..
            })
        ));
        assert!(matches!(
            read_body(502, ""),
            Err(ExtractError::Upstream { code: 502, .. })
        ));
    }

    #[test]
    fn challenge_is_seen_whatever_the_status() {
        let body = r#"Please wait...<p id="cs" class="e30"></p><p id="wci" class="c"></p>"#;
        for status in [200, 403] {
            assert!(matches!(read_body(status, body), Ok(Reading::Challenge(_))));
        }
    }
}
