//! Conditional requests (RFC 9110 §13).

use http::{HeaderValue, Method};

use crate::harness::upstream::tiktok::Item;
use crate::harness::upstream::{Fault, Media, Rule};
use crate::harness::{Fetched, Stage, assert_refusal, fetch, link};

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

/// One day before, the day, and one day after the last change of the file.
const DAYS: [&str; 3] = [
    "Mon, 05 Oct 2026 07:28:00 GMT",
    "Tue, 06 Oct 2026 07:28:00 GMT",
    "Wed, 07 Oct 2026 07:28:00 GMT",
];

#[tokio::test]
async fn conditions_are_held_in_the_order_of_the_rfc() {
    let (stage, file, link) = stage().await;
    assert_eq!(file.last_modified, DAYS[1]);
    let etag = file.etag.as_str();
    let weak = &format!("W/{etag}");
    let past = ("range", "bytes=9999999-");
    let part = ("range", "bytes=0-9");
    for (headers, status) in [
        (vec![("if-match", etag)], 200),
        (vec![("if-match", "*"), part], 206),
        (vec![("if-match", "\"x\"")], 412),
        (vec![("if-match", weak)], 412),
        (vec![("if-match", "\"x\""), past], 412),
        (vec![("if-match", "\"x\""), ("if-match", etag)], 200),
        (vec![("if-match", "\"x\""), ("if-none-match", etag)], 412),
        (vec![("if-match", etag), ("if-none-match", etag)], 304),
        (
            vec![("if-match", etag), ("if-unmodified-since", DAYS[0])],
            200,
        ),
        (vec![("if-unmodified-since", DAYS[0])], 412),
        (vec![("if-unmodified-since", DAYS[1])], 200),
        (vec![("if-unmodified-since", "yesterday")], 200),
        (vec![("if-modified-since", DAYS[0])], 200),
        (vec![("if-modified-since", DAYS[1])], 304),
        (vec![("if-modified-since", DAYS[2]), past], 304),
        (
            vec![("if-modified-since", DAYS[2]), ("if-none-match", "\"x\"")],
            200,
        ),
        (
            vec![
                ("if-modified-since", DAYS[2]),
                ("if-modified-since", DAYS[2]),
            ],
            200,
        ),
        (
            vec![("if-none-match", "\"x\""), ("if-none-match", weak)],
            304,
        ),
        (vec![("if-none-match", etag), past], 304),
        (vec![("if-none-match", "\"x\""), past], 416),
        (
            vec![("if-none-match", "\"x\""), part, ("if-range", etag)],
            206,
        ),
        (
            vec![("if-none-match", "\"x\""), part, ("if-range", "\"x\"")],
            200,
        ),
        (vec![part, ("if-range", etag), ("if-range", etag)], 200),
    ] {
        let answer = get(&stage, &link, &headers).await;
        assert_eq!(answer.status.as_u16(), status, "{headers:?}");
        match status {
            200 => assert_eq!(answer.sha256(), file.payload.sha256(), "{headers:?}"),
            206 => assert_eq!(answer.body, file.payload.slice(0..10), "{headers:?}"),
            304 => assert!(answer.body.is_empty(), "{headers:?}"),
            412 => drop(assert_refusal(&answer, 412, "precondition_failed")),
            _ => drop(assert_refusal(&answer, 416, "range_not_satisfiable")),
        }
        let request = stage.api().request(Method::HEAD, &link);
        let head = headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        assert_eq!(fetch(head).await.status.as_u16(), status, "{headers:?}");
    }
    stage.assert_well().await;
}

#[tokio::test]
async fn if_range_that_is_no_text_gives_the_whole() {
    let (stage, file, link) = stage().await;
    let odd = HeaderValue::from_bytes(b"\"\xe9\"").expect("a header");
    let request = stage.api().request(Method::GET, &link);
    let whole = fetch(request.header("range", "bytes=0-9").header("if-range", odd)).await;
    assert_eq!(
        (whole.status.as_u16(), whole.sha256()),
        (200, file.payload.sha256())
    );
}

#[tokio::test]
async fn answer_without_a_body_costs_no_transfer() {
    let (stage, file, link) = stage().await;
    for (name, value, status) in [
        ("if-none-match", file.etag.as_str(), 304),
        ("if-match", "\"x\"", 412),
    ] {
        let answer = get(&stage, &link, &[(name, value)]).await;
        assert_eq!(answer.status, status);
    }
    // The tail is asked for when an answer promises it.
    let asked: Vec<_> = stage.world().look(|traffic| {
        let to_files = traffic
            .records
            .iter()
            .filter(|record| record.target.starts_with("/video/"));
        to_files
            .map(|record| record.header("range").unwrap_or_default().to_owned())
            .collect()
    });
    assert_eq!(asked, ["bytes=0-", "bytes=0-"]);
    let logs = stage.server.logs();
    assert!(
        !logs.contains("client_gone") && !logs.contains("transfer ended"),
        "{logs}"
    );
    let health = stage.api().get("/health").await.json();
    assert_eq!(health["streams"]["active"], 0);
}
