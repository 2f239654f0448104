//! Parts of a file (RFC 9110 §14).

use http::Method;

use crate::harness::upstream::tiktok::Item;
use crate::harness::upstream::{Fault, Rule};
use crate::harness::{Stage, address, assert_bare_refusal, assert_refusal, fetch, link};

const ID: &str = "7524919459643919711";
const PLAY: &str = "h264_720p_1490112";
/// Bytes of the file.
const SIZE: u64 = 600_011;

/// A stage, and a link to a file of [`SIZE`] bytes.
async fn stage() -> (Stage, Item, String) {
    let stage = Stage::new().await;
    let item = Item::video(ID);
    let link = link(&stage.resolve(&item).await, PLAY);
    (stage, item, link)
}

#[tokio::test]
async fn satisfiable_ranges_give_their_bytes() {
    let (stage, item, link) = stage().await;
    let payload = stage.file(&item, "/video/playAddr").payload;
    for (range, part) in [
        ("bytes=0-0", 0..1),
        ("bytes=10-19", 10..20),
        ("BYTES=10-19", 10..20),
        ("bytes=600010-", SIZE - 1..SIZE),
        ("bytes=1000-", 1000..SIZE),
        ("bytes=0-", 0..SIZE),
        ("bytes=-1", SIZE - 1..SIZE),
        ("bytes=-500", SIZE - 500..SIZE),
        ("bytes=-9999999", 0..SIZE),
        ("bytes=600000-9999999", 600_000..SIZE),
        ("bytes=5-99999999999999999999999", 5..SIZE),
    ] {
        let answer = stage.api().get_range(&link, range).await;
        assert_eq!(
            (answer.status.as_u16(), answer.is_whole),
            (206, true),
            "{range}"
        );
        assert_eq!(
            answer.header("content-range"),
            format!("bytes {}-{}/{SIZE}", part.start, part.end - 1),
            "{range}"
        );
        assert_eq!(
            answer.header("content-length"),
            (part.end - part.start).to_string(),
            "{range}"
        );
        assert_eq!(answer.body, payload.slice(part), "{range}");
    }
    stage.assert_well().await;
}

#[tokio::test]
async fn range_past_the_end_is_refused_with_the_size() {
    let (stage, _, link) = stage().await;
    for range in [
        "bytes=600011-",
        "bytes=600011-700000",
        "bytes=99999999999999999999999-",
        "bytes=-0",
    ] {
        let answer = stage.api().get_range(&link, range).await;
        assert_refusal(&answer, 416, "range_not_satisfiable");
        assert_eq!(
            answer.header("content-range"),
            format!("bytes */{SIZE}"),
            "{range}"
        );
        let head = fetch(
            stage
                .api()
                .request(Method::HEAD, &link)
                .header("range", range),
        )
        .await;
        assert!(
            head.status == 200 || head.status == 416,
            "{range}: {}",
            head.status
        );
    }
    stage.assert_well().await;
}

#[tokio::test]
async fn headers_that_are_no_single_range_are_ignored() {
    let (stage, item, link) = stage().await;
    let whole = stage.file(&item, "/video/playAddr").payload.sha256();
    for range in [
        "bytes=0-1,5-6",
        "bytes=5-2",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "items=0-5",
        "bytes 0-5",
        "bytes=0-5x",
        "bytes=0x1-5",
    ] {
        let answer = stage.api().get_range(&link, range).await;
        assert_eq!(
            (answer.status.as_u16(), answer.sha256()),
            (200, whole.clone()),
            "{range}"
        );
        assert!(!answer.headers.contains_key("content-range"), "{range}");
    }
}

#[tokio::test]
async fn only_the_asked_part_is_fetched_from_the_site() {
    let (stage, item, link) = stage().await;
    stage.api().get_range(&link, "bytes=1000-1099").await;
    let at = address(&item, "/video/playAddr");
    let asked = stage
        .world()
        .records()
        .into_iter()
        .find(|record| record.address == at)
        .expect("a request");
    assert_eq!(
        (asked.header("range"), asked.status, asked.taken),
        (Some("bytes=1000-1099"), 206, 100)
    );
}

#[tokio::test]
async fn site_without_ranges_gives_the_whole_file_and_says_so() {
    let (stage, item, link) = stage().await;
    stage.world().fault(Rule::host(
        "v16-webapp-prime.tiktok.com",
        Fault::IgnoreRange,
    ));
    let answer = stage.api().get_range(&link, "bytes=10-19").await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("accept-ranges")),
        (200, "none")
    );
    assert_eq!(
        answer.sha256(),
        stage.file(&item, "/video/playAddr").payload.sha256()
    );
}

#[tokio::test]
async fn site_that_refuses_a_range_it_has_is_not_believed() {
    let (stage, item, link) = stage().await;
    stage.world().fault(Rule::host(
        "v16-webapp-prime.tiktok.com",
        Fault::Unsatisfiable,
    ));
    let answer = stage.api().get_range(&link, "bytes=10-19").await;
    assert_eq!(answer.status, 206, "the other mirror has it");
    assert_eq!(
        answer.body,
        stage.file(&item, "/video/playAddr").payload.slice(10..20)
    );
}

#[tokio::test]
async fn refused_head_has_no_body() {
    let (stage, _, link) = stage().await;
    assert_bare_refusal(
        &stage.api().head(&link.replace("data=", "data=x")).await,
        400,
    );
}

#[tokio::test]
async fn suffix_is_given_by_a_site_that_knows_no_suffix_ranges() {
    for fault in [
        Fault::SuffixIgnored,
        Fault::SuffixRefused(416),
        Fault::SuffixRefused(400),
    ] {
        let (stage, item, link) = stage().await;
        let payload = stage.file(&item, "/video/playAddr").payload;
        stage
            .world()
            .fault(Rule::path_prefix("/video/", fault.clone()));
        for (range, part) in [
            ("bytes=-1", SIZE - 1..SIZE),
            ("bytes=-500", SIZE - 500..SIZE),
            ("bytes=-9999999", 0..SIZE),
        ] {
            let answer = stage.api().get_range(&link, range).await;
            let content_range = format!("bytes {}-{}/{SIZE}", part.start, part.end - 1);
            assert_eq!(
                (answer.status.as_u16(), answer.header("content-range")),
                (206, content_range.as_str()),
                "{fault:?} {range}"
            );
            assert_eq!(answer.body, payload.slice(part), "{fault:?} {range}");
        }
        stage.assert_well().await;
    }
}

#[tokio::test]
async fn range_that_stands_there_twice_is_ignored() {
    let (stage, item, link) = stage().await;
    let request = stage.api().request(Method::GET, &link);
    let answer = fetch(
        request
            .header("range", "bytes=0-9")
            .header("range", "bytes=5-19"),
    )
    .await;
    let whole = stage.file(&item, "/video/playAddr").payload.sha256();
    assert_eq!((answer.status.as_u16(), answer.sha256()), (200, whole));
}
