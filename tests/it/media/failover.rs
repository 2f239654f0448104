//! When an address fails: the other mirror, one more look at the page, and then a plain word.

use serde_json::json;

use crate::harness::upstream::tiktok::{Gear, Item, WWW};
use crate::harness::upstream::{Fault, Progress, Rule, TunnelFault};
use crate::harness::{Stage, address, assert_refusal, eventually, link, text};

const ID: &str = "7524919459643919761";
const PLAY: &str = "h264_720p_1490112";
const FIRST: &str = "v16-webapp-prime.tiktok.com";
const SECOND: &str = "v19-webapp-prime.tiktok.com";

async fn stage() -> (Stage, Item, String) {
    let stage = Stage::new().await;
    let item = Item::video(ID);
    let link = link(&stage.resolve(&item).await, PLAY);
    (stage, item, link)
}

fn asked(stage: &Stage, host: &str) -> usize {
    stage.world().look(|traffic| traffic.to_host(host).count())
}

#[tokio::test]
async fn second_mirror_takes_over_whatever_the_first_one_says() {
    let faults = [
        Fault::Status(403),
        Fault::Status(404),
        Fault::Status(500),
        Fault::Status(503),
        Fault::Status(204),
        Fault::RetryAfter("5"),
        Fault::CloseBeforeHead,
        Fault::ResetBeforeHead,
        Fault::GarbageHead,
        Fault::Html {
            content_type: "text/html",
        },
        Fault::Html {
            content_type: "video/mp4",
        },
        Fault::Blanks("<"),
        Fault::Gzip,
        Fault::NegativeLength,
        Fault::TwoLengths,
        Fault::ShiftedRange(5),
        Fault::NoContentRange,
        Fault::Short { at: 0 },
        Fault::Redirect {
            status: 302,
            to: "https://evil.example/".to_owned(),
        },
        Fault::HugeHeader(2_000_000),
    ];
    let (stage, item, link) = stage().await;
    let whole = stage.file(&item, "/video/playAddr").payload.sha256();
    for fault in faults {
        stage.world().clear_faults();
        stage.world().fault(Rule::host(FIRST, fault.clone()));
        let before = asked(&stage, SECOND);
        let answer = stage.api().get(&link).await;
        assert_eq!(
            (answer.status.as_u16(), answer.sha256()),
            (200, whole.clone()),
            "{fault:?}"
        );
        assert!(asked(&stage, SECOND) > before, "{fault:?}");
    }
    assert_eq!(stage.pages_asked(), 1, "a mirror is cheaper than a page");
    stage.assert_well().await;
}

#[tokio::test]
async fn mirror_that_can_not_be_reached_is_passed_over() {
    for fault in [
        TunnelFault::Refused(502),
        TunnelFault::Closed,
        TunnelFault::UnknownCa,
        TunnelFault::WrongName,
        TunnelFault::Expired,
    ] {
        let (stage, item, link) = stage().await;
        stage.world().tunnel_fault(FIRST, fault.clone());
        let answer = stage.api().get(&link).await;
        assert_eq!(
            answer.sha256(),
            stage.file(&item, "/video/playAddr").payload.sha256(),
            "{fault:?}"
        );
        assert_eq!(asked(&stage, FIRST), 0, "{fault:?}");
        stage.assert_well().await;
    }
}

/// Fails unless a link whose addresses begin so gives nothing, and little is read of what they go on with.
async fn assert_blanks_are_left(stage: &Stage, link: &str, path: &str) {
    for start in ["<", "{"] {
        stage.world().clear_faults();
        stage
            .world()
            .fault(Rule::path_prefix(path, Fault::Blanks(start)));
        let answer = stage.api().get(link).await;
        assert_refusal(&answer, 502, "upstream_error");
    }
    let taken = eventually("all answers are over", async || {
        stage.world().look(|traffic| {
            let blanks = traffic.records.iter();
            let blanks = blanks.filter(|record| record.target.starts_with(path));
            let taken = blanks.map(|record| {
                let is_over = record.progress != Progress::Sending;
                is_over.then_some(record.taken)
            });
            taken.collect::<Option<Vec<_>>>()
        })
    })
    .await;
    assert!(taken.len() >= 4, "{taken:?}");
    let most = taken.into_iter().max().unwrap_or_default();
    assert!(most < 32 * 1024 * 1024, "{most} bytes");
    stage.assert_well().await;
}

#[tokio::test]
async fn white_space_without_end_is_not_read() {
    let (stage, item, link) = stage().await;
    let path = |address: &str| {
        let url = url::Url::parse(address).expect("an address");
        url.path().to_owned()
    };
    let video = path(&address(&item, "/video/playAddr"));
    assert_blanks_are_left(&stage, &link, &video).await;
    let stage = Stage::new().await;
    let item = Item::photo(ID, 1);
    let body = stage.resolve(&item).await;
    let picture = path(&address(&item, "/imagePost/images/0/imageURL/urlList/0"));
    let (folder, _) = picture.rsplit_once('/').expect("a path");
    let link = text(&body, "/download_link/no_watermark/0");
    assert_blanks_are_left(&stage, &link, folder).await;
}

#[tokio::test]
async fn addresses_that_all_fail_are_asked_for_anew_once() {
    for status in [403, 404, 410] {
        let (stage, item, link) = stage().await;
        stage
            .world()
            .fault(Rule::host(FIRST, Fault::Status(status)).first(1));
        stage
            .world()
            .fault(Rule::host(SECOND, Fault::Status(status)).first(1));
        let answer = stage.api().get(&link).await;
        assert_eq!(
            (answer.status.as_u16(), stage.pages_asked()),
            (200, 2),
            "{status}"
        );
        assert_eq!(
            answer.sha256(),
            stage.file(&item, "/video/playAddr").payload.sha256()
        );
        stage.assert_well().await;
    }
}

#[tokio::test]
async fn file_that_stays_away_is_told_apart() {
    for (status, code) in [
        (403, "upstream_forbidden"),
        (404, "upstream_gone"),
        (410, "upstream_gone"),
        (500, "upstream_error"),
    ] {
        let (stage, _, link) = stage().await;
        stage
            .world()
            .fault(Rule::path_prefix("/video/", Fault::Status(status)));
        assert_refusal(&stage.api().get(&link).await, 502, code);
        let pages = if status == 500 { 1 } else { 2 };
        assert_eq!(
            stage.pages_asked(),
            pages,
            "{status}: one more look at most"
        );
        // Each of at most three tries asks for the beginning and for the end.
        assert!(
            asked(&stage, FIRST) <= 6 && asked(&stage, SECOND) <= 6,
            "{status}: bounded"
        );
        let head = stage.api().head(&link).await;
        crate::harness::assert_bare_refusal(&head, 502);
        stage.assert_well().await;
    }
}

#[tokio::test]
async fn site_that_limits_us_is_named_with_its_wait() {
    let (stage, _, link) = stage().await;
    stage
        .world()
        .fault(Rule::path_prefix("/video/", Fault::RetryAfter("17")));
    let refused = stage.api().get(&link).await;
    assert_refusal(&refused, 503, "upstream_rate_limited");
    assert_eq!(refused.header("retry-after"), "17");
}

#[tokio::test]
async fn post_that_is_gone_meanwhile_is_not_found() {
    let (stage, _, link) = stage().await;
    stage
        .world()
        .fault(Rule::path_prefix("/video/", Fault::Status(403)));
    stage.world().fault(Rule::host(WWW, Fault::Status(404)));
    assert_refusal(&stage.api().get(&link).await, 404, "not_found");
}

#[tokio::test]
async fn pictures_and_sound_fall_over_too() {
    let stage = Stage::new().await;
    let item = Item::photo(ID, 1);
    let body = stage.resolve(&item).await;
    let jpeg = address(&item, "/imagePost/images/0/imageURL/urlList/0");
    stage
        .world()
        .fault(Rule::address(&jpeg, Fault::Status(404)));
    let image = stage
        .api()
        .get(&text(&body, "/download_link/no_watermark/0"))
        .await;
    assert_eq!(
        (image.status.as_u16(), image.header("content-type")),
        (200, "image/webp")
    );
    assert_eq!(image.header("x-filename"), "harbour_keeper_1.webp");
    let track = address(&item, "/music/playUrl");
    stage
        .world()
        .fault(Rule::address(&track, Fault::Status(403)).first(1));
    let sound = stage.api().get(&text(&body, "/download_link/mp3")).await;
    assert_eq!((sound.status.as_u16(), stage.pages_asked()), (200, 2));
    assert_eq!(
        sound.sha256(),
        stage.file(&item, "/music/playUrl").payload.sha256()
    );
}

#[tokio::test]
async fn format_that_the_page_no_longer_has_gives_the_nearest() {
    let (stage, item, link) = stage().await;
    let gear = Gear {
        name: "normal_540_0",
        codec: "h264",
        width: 576,
        height: 1024,
        bitrate: 900_001,
        size: 50_021,
    };
    let changed = Item::video(ID).with_gears(&[gear]);
    let first = address(&item, "/video/playAddr");
    for at in [&first, &first.replace(FIRST, SECOND)] {
        stage.world().fault(Rule::address(at, Fault::Status(403)));
    }
    stage.serve(&changed);
    let answer = stage.api().get(&link).await;
    assert_eq!(
        answer.status,
        200,
        "{}",
        String::from_utf8_lossy(&answer.body)
    );
    assert_eq!(
        answer.sha256(),
        stage.file(&changed, "/video/playAddr").payload.sha256()
    );
}

#[tokio::test]
async fn sound_that_the_post_no_longer_has_is_not_found() {
    let stage = Stage::new().await;
    let item = Item::video(ID);
    let body = stage.resolve(&item).await;
    stage.serve(&Item::video(ID).without("/music"));
    let request =
        json!({ "url": format!("https://{WWW}/@a/video/{ID}"), "no_cache": true }).to_string();
    assert_eq!(stage.api().post("/tiktok", &request).await.status, 200);
    assert_refusal(
        &stage.api().get(&text(&body, "/download_link/mp3")).await,
        404,
        "format_not_found",
    );
}

#[tokio::test]
async fn broken_file_is_resumed_from_where_it_broke() {
    let (stage, item, link) = stage().await;
    stage
        .world()
        .fault(Rule::host(FIRST, Fault::Reset { at: 100_000 }));
    let answer = stage.api().get(&link).await;
    assert!(answer.is_whole);
    assert_eq!(
        answer.sha256(),
        stage.file(&item, "/video/playAddr").payload.sha256()
    );
    stage.assert_well().await;
}

#[tokio::test]
async fn file_whose_end_is_out_of_reach_is_an_error_and_no_cut_file() {
    let (stage, _, link) = stage().await;
    stage.world().fault(Rule::path_prefix(
        "/video/",
        Fault::TailUnreachable { from: 300_000 },
    ));
    assert_refusal(&stage.api().get(&link).await, 502, "upstream_error");
    stage.assert_well().await;
}

#[tokio::test]
async fn file_that_loses_its_end_later_does_not_look_whole() {
    let (stage, _, link) = stage().await;
    assert_eq!(stage.api().get(&link).await.status, 200);
    let unreachable = Fault::TailUnreachable { from: 300_000 };
    stage
        .world()
        .fault(Rule::path_prefix("/video/", unreachable));
    let answer = stage.api().get(&link).await;
    assert_eq!((answer.status.as_u16(), answer.is_whole), (200, false));
    assert!(answer.body.len() <= 300_000);
    stage.assert_well().await;
}
