//! `If-Range` and `If-None-Match` (RFC 9110 §13).

use http::Method;

use crate::harness::upstream::tiktok::Item;
use crate::harness::upstream::{Fault, Media, Rule};
use crate::harness::{Fetched, Stage, fetch, link};

const ID: &str = "7524919459643919721";
const PLAY: &str = "h264_720p_1490112";

async fn stage() -> (Stage, Media, String) {
    let stage = Stage::new().await;
    let item = Item::video(ID);
    let link = link(&stage.resolve(&item).await, PLAY);
    let file = stage.file(&item, "/video/playAddr");
    (stage, file, link)
}

async fn get(stage: &Stage, link: &str, headers: &[(&str, &str)]) -> Fetched {
    let request = stage.api().request(Method::GET, link);
    fetch(headers.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    }))
    .await
}

#[tokio::test]
async fn range_of_the_same_file_is_given() {
    let (stage, file, link) = stage().await;
    for validator in [&file.etag, &file.last_modified] {
        let part = get(
            &stage,
            &link,
            &[("range", "bytes=100-199"), ("if-range", validator)],
        )
        .await;
        assert_eq!(
            (part.status.as_u16(), &part.body),
            (206, &file.payload.slice(100..200)),
            "{validator}"
        );
    }
    let open = get(
        &stage,
        &link,
        &[("range", "bytes=600000-"), ("if-range", &file.etag)],
    )
    .await;
    assert_eq!(
        (open.status.as_u16(), open.header("content-range")),
        (206, "bytes 600000-600010/600011")
    );
    stage.assert_well().await;
}

#[tokio::test]
async fn range_of_another_file_gives_the_whole_one() {
    let (stage, file, link) = stage().await;
    let weak = format!("W/{}", file.etag);
    for validator in [
        "\"other\"",
        &weak,
        "Mon, 05 Oct 2026 07:28:00 GMT",
        "yesterday",
        "\"",
        "",
    ] {
        for range in ["bytes=100-199", "bytes=100-", "bytes=9999999-"] {
            let whole = get(&stage, &link, &[("range", range), ("if-range", validator)]).await;
            assert_eq!(
                (whole.status.as_u16(), whole.sha256()),
                (200, file.payload.sha256()),
                "{range} {validator}"
            );
        }
    }
    stage.assert_well().await;
}

#[tokio::test]
async fn if_range_is_held_against_the_file_as_it_is_now() {
    let (stage, file, link) = stage().await;
    let replaced = Fault::Replaced {
        etag: "\"new\"".to_owned(),
        seed: 7,
    };
    stage.world().fault(Rule::path_prefix("/video/", replaced));
    let whole = get(
        &stage,
        &link,
        &[("range", "bytes=100-199"), ("if-range", &file.etag)],
    )
    .await;
    assert_eq!(
        (
            whole.status.as_u16(),
            whole.header("etag"),
            whole.body.len()
        ),
        (200, "\"new\"", 600_011)
    );
    let part = get(
        &stage,
        &link,
        &[("range", "bytes=100-199"), ("if-range", "\"new\"")],
    )
    .await;
    assert_eq!(
        (part.status.as_u16(), &part.body),
        (206, &whole.body.slice(100..200))
    );
}

#[tokio::test]
async fn file_that_the_client_has_is_not_sent_again() {
    let (stage, file, link) = stage().await;
    let list = format!("\"a\", {}, \"b\"", file.etag);
    let weak = format!("W/{}", file.etag);
    for known in [&file.etag, &list, &weak, "*"] {
        for range in ["", "bytes=0-9"] {
            let answer = get(&stage, &link, &[("if-none-match", known), ("range", range)]).await;
            assert_eq!(
                (answer.status.as_u16(), answer.body.len()),
                (304, 0),
                "{known}"
            );
            assert_eq!(answer.header("etag"), file.etag);
            assert_eq!(answer.header("cache-control"), "no-cache");
            assert_eq!(answer.header("access-control-allow-origin"), "*");
            assert!(
                !answer.headers.contains_key("content-length")
                    && !answer.headers.contains_key("content-range")
            );
        }
    }
    let other = get(&stage, &link, &[("if-none-match", "\"other\"")]).await;
    assert_eq!(
        (other.status.as_u16(), other.sha256()),
        (200, file.payload.sha256())
    );
    let head = fetch(
        stage
            .api()
            .request(Method::HEAD, &link)
            .header("if-none-match", &file.etag),
    )
    .await;
    assert_eq!(head.status, 304);
    stage.assert_well().await;
}
