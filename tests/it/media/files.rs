//! Whole files: every format, both routes, with the headers of api.md §5.

use http::Method;

use crate::harness::upstream::tiktok::Item;
use crate::harness::upstream::{Fault, Gate, Rule};
use crate::harness::{Fetched, Stage, address, fetch, link, text};

const ID: &str = "7524919459643919701";
const PLAY: &str = "h264_720p_1490112";

/// Headers that every answer with media has, and what they say.
fn assert_media_headers(answer: &Fetched, length: u64) {
    for (name, value) in [
        ("content-length", length.to_string().as_str()),
        ("accept-ranges", "bytes"),
        ("cache-control", "no-cache"),
        ("x-accel-buffering", "no"),
        ("access-control-allow-origin", "*"),
        ("x-content-type-options", "nosniff"),
        ("cross-origin-resource-policy", "cross-origin"),
        ("content-security-policy", "default-src 'none'; sandbox"),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    let exposed = answer.header("access-control-expose-headers");
    for name in [
        "content-disposition",
        "x-filename",
        "content-length",
        "content-range",
        "accept-ranges",
        "etag",
        "retry-after",
        "estimated-content-length",
        "x-request-id",
    ] {
        assert!(
            exposed.split(',').any(|exposed| exposed.trim() == name),
            "{name} is not in {exposed}"
        );
    }
    assert_eq!(answer.header("x-request-id").len(), 16);
    for name in [
        "content-encoding",
        "transfer-encoding",
        "set-cookie",
        "server",
        "vary",
        "content-range",
    ] {
        assert!(
            name == "vary" || !answer.headers.contains_key(name),
            "{name}: {:?}",
            answer.headers
        );
    }
}

#[tokio::test]
async fn every_format_gives_its_own_bytes_on_both_routes() {
    let stage = Stage::new().await;
    let item = Item::video(ID);
    let body = stage.resolve(&item).await;
    for (format, pointer, content_type, file_name) in [
        (PLAY, "/video/playAddr", "video/mp4", "harbour_keeper.mp4"),
        (
            "bytevc1_1080p_1197885",
            "/video/bitrateInfo/0/PlayAddr/UrlList/0",
            "video/mp4",
            "harbour_keeper.mp4",
        ),
        (
            "h264_540p_942113",
            "/video/bitrateInfo/2/PlayAddr/UrlList/0",
            "video/mp4",
            "harbour_keeper.mp4",
        ),
        (
            "download",
            "/video/downloadAddr",
            "video/mp4",
            "harbour_keeper.mp4",
        ),
        (
            "audio",
            "/music/playUrl",
            "audio/mpeg",
            "harbour_keeper.mp3",
        ),
    ] {
        let file = stage.file(&item, pointer);
        let stream = link(&body, format);
        for link in [stream.replace("/stream?", "/download?"), stream] {
            let answer = stage.api().get(&link).await;
            assert_eq!(
                (answer.status.as_u16(), answer.is_whole),
                (200, true),
                "{format}"
            );
            assert_eq!(answer.sha256(), file.payload.sha256(), "{format}");
            assert_media_headers(&answer, file.payload.len());
            assert_eq!(answer.header("content-type"), content_type);
            assert_eq!(
                (answer.header("etag"), answer.header("last-modified")),
                (file.etag.as_str(), file.last_modified.as_str())
            );
            assert_eq!(answer.header("x-filename"), file_name);
        }
    }
    stage.assert_well().await;
}

#[tokio::test]
async fn head_says_what_get_would_say_and_takes_almost_nothing() {
    let stage = Stage::new().await;
    let item = Item::video(ID);
    let body = stage.resolve(&item).await;
    for format in [PLAY, "audio"] {
        let link = link(&body, format);
        let (head, get) = (stage.api().head(&link).await, stage.api().get(&link).await);
        assert_eq!((head.status, head.body.len()), (get.status, 0));
        let names = |answer: &Fetched| {
            let mut lines: Vec<_> = answer
                .headers
                .iter()
                .map(|(name, value)| format!("{name}: {value:?}"))
                .collect();
            lines.retain(|line| !line.starts_with("date:") && !line.starts_with("x-request-id:"));
            lines.sort();
            lines
        };
        assert_eq!(names(&head), names(&get));
    }
    let records = stage.world().records().into_iter();
    let of_file = records.filter(|record| record.address == address(&item, "/video/playAddr"));
    // The head's requests come first: a byte of either end.
    let asked: Vec<_> = of_file.take(2).collect();
    let mut ranges: Vec<_> = asked.iter().map(|record| record.header("range")).collect();
    ranges.sort();
    assert_eq!(ranges, [Some("bytes=0-0"), Some("bytes=600010-600010")]);
    assert!(asked.iter().all(|record| record.taken == 1));
}

#[tokio::test]
async fn inline_shows_the_file_in_the_browser() {
    let stage = Stage::new().await;
    let link = link(&stage.resolve(&Item::video(ID)).await, PLAY);
    for (query, kind) in [
        ("&inline=1", "inline"),
        ("&inline=0", "attachment"),
        ("&inline", "attachment"),
        ("&unknown=1&data=other", "attachment"),
        ("", "attachment"),
    ] {
        let head = stage.api().head(&format!("{link}{query}")).await;
        let named =
            format!("{kind}; filename=\"harbour_keeper.mp4\"; filename*=UTF-8''harbour.keeper.mp4");
        assert_eq!(
            (head.status.as_u16(), head.header("content-disposition")),
            (200, named.as_str()),
            "{query}"
        );
    }
}

#[tokio::test]
async fn length_that_the_site_does_not_tell_is_not_made_up() {
    let stage = Stage::new().await;
    let item = Item::photo(ID, 1);
    let body = stage.resolve(&item).await;
    let picture = "/imagePost/images/0/imageURL/urlList/0";
    let at = address(&item, picture);
    stage.world().fault(Rule::address(&at, Fault::IgnoreRange));
    stage.world().fault(Rule::address(&at, Fault::Chunked));
    let answer = stage
        .api()
        .get(&text(&body, "/download_link/no_watermark/0"))
        .await;
    assert_eq!((answer.status.as_u16(), answer.is_whole), (200, true));
    assert_eq!(answer.sha256(), stage.file(&item, picture).payload.sha256());
    assert!(!answer.headers.contains_key("content-length"));
}

#[tokio::test]
async fn head_waits_for_the_site_before_it_goes_out() {
    let stage = Stage::new().await;
    let item = Item::video(ID);
    let link = link(&stage.resolve(&item).await, PLAY);
    let gate = Gate::new();
    let at = address(&item, "/video/playAddr");
    stage
        .world()
        .fault(Rule::address(&at, Fault::StallBeforeHead(gate.clone())));
    let mut request = Box::pin(stage.api().request(Method::GET, &link).send());
    tokio::select! {
        early = &mut request => panic!("{early:?} came before the site's answer"),
        () = stage.world().wait_for("the CDN is asked", |traffic| traffic.of(&at).count() > 0) => {}
    }
    gate.open();
    assert_eq!(request.await.expect("an answer").status(), 200);
}

#[tokio::test]
async fn upstream_headers_that_are_none_of_the_clients_business_stay_away() {
    let stage = Stage::new().await;
    let item = Item::video(ID);
    let link = link(&stage.resolve(&item).await, PLAY);
    stage.world().fault(Rule::address(
        &address(&item, "/video/playAddr"),
        Fault::ManyHeaders(50),
    ));
    let answer = stage.api().get(&link).await;
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .headers
            .keys()
            .all(|name| !name.as_str().starts_with("x-many")),
        "{:?}",
        answer.headers
    );
}

#[tokio::test]
async fn padded_link_with_white_space_opens() {
    let stage = Stage::new().await;
    let link = link(&stage.resolve(&Item::video(ID)).await, PLAY);
    let padded = link.replace("data=", "data=%20%0A") + "%3D%3D%20";
    let answer = fetch(stage.api().request(Method::HEAD, &padded)).await;
    assert_eq!(answer.status, 200);
}
