//! The other ways to a post: TikTok's app API, and Douyin as far as it answers.

use serde_json::{Value, json};

use crate::harness::upstream::recorded::{douyin, folder};
use crate::harness::upstream::tiktok::{
    AppApi, DouyinDetail, WWW, captcha, serve_douyin_share, status_page,
};
use crate::harness::upstream::{Answer, Page};
use crate::harness::{Stage, assert_refusal, skip, text};

const ID: &str = "7589936417128647921";

/// A post as apps and Douyin's web tell it, with its files on `host`.
fn aweme(host: &str) -> Value {
    let url = |name: &str| format!("https://{host}/{name}/?a=1&mime_type=video_mp4&&b=%7C");
    let gear = |name: &str, codec: &str, lines: u32, bitrate: u64| {
        json!({
            "gear_name": name, "bit_rate": bitrate, "is_bytevc1": i32::from(codec == "bytevc1"), "FPS": 30, "format": "mp4",
            "play_addr": {
                "url_list": [url(name)], "url_key": format!("v{ID}_{codec}_{lines}p_{bitrate}"),
                "data_size": 30_000 + bitrate, "width": lines, "height": lines * 16 / 9,
            },
        })
    };
    json!({
        "aweme_id": ID,
        "desc": "A boat, a bay",
        "create_time": 1_752_031_845,
        "author": { "uid": "681", "unique_id": "keeper", "nickname": "The Keeper", "sec_uid": "MS4w" },
        "statistics": { "play_count": 0, "digg_count": 7, "comment_count": 2, "share_count": 1, "collect_count": 3 },
        "music": { "id_str": "9", "title": "Sea", "author": "Band", "duration": 12,
            "play_url": { "url_list": [format!("https://{host}/sound/?mime_type=audio_mpeg")] } },
        "video": {
            "duration": 31_500, "width": 720, "height": 1280,
            "play_addr": { "url_list": [url("normal_720")], "data_size": 30_720, "width": 720, "height": 1280 },
            "bit_rate": [gear("normal_720", "h264", 720, 720), gear("adapt_1080", "bytevc1", 1080, 900)],
        },
    })
}

/// The first entry's file is the one of the first gear.
async fn assert_plays(stage: &Stage, body: &Value) {
    let file = stage.api().get(&text(body, "/data/video_data/0/url")).await;
    assert_eq!(
        (file.status.as_u16(), file.header("content-type")),
        (200, "video/mp4")
    );
    assert_eq!(file.body.len(), 30_720);
    stage.assert_well().await;
}

#[tokio::test]
async fn app_api_answers_when_the_page_does_not() {
    let stage = Stage::with(|builder| builder.env("TIKTOK_DEVICE_ID", "7250000000000000001")).await;
    let page = Page::new(WWW, &format!("/@*/video/{ID}"), vec![captcha()]);
    stage.world().page(page);
    AppApi::Knows(aweme("v16m.tiktokcdn-us.com")).serve(stage.world());
    let body = stage
        .api()
        .resolve(&format!("https://{WWW}/@keeper/video/{ID}"))
        .await;
    assert_eq!(
        (&body["platform"], &body["id"]),
        (&"tiktok".into(), &ID.into())
    );
    assert_eq!(
        (&body["title"], &body["duration"]),
        (&"A boat, a bay".into(), &31_500.into())
    );
    assert_eq!(body["author"]["uniqueId"], "keeper");
    let asked = stage
        .world()
        .records()
        .into_iter()
        .find(|record| record.method == "POST")
        .expect("a request to the API");
    assert!(
        asked.target.contains("device_id=7250000000000000001"),
        "{}",
        asked.target
    );
    assert_eq!(asked.header("x-argus"), Some(""));
    assert_plays(&stage, &body).await;
}

#[tokio::test]
async fn app_api_is_not_asked_about_posts_that_are_gone_or_without_being_configured() {
    let stage = Stage::with(|builder| builder.env("TIKTOK_DEVICE_ID", "7250000000000000001")).await;
    let page = Page::new(
        WWW,
        &format!("/@*/video/{ID}"),
        vec![status_page(10204, "status_deleted")],
    );
    stage.world().page(page);
    let url = format!("https://{WWW}/@keeper/video/{ID}");
    assert_refusal(&stage.post(&url).await, 404, "not_found");
    stage.assert_well().await;
    let bare = Stage::new().await;
    bare.world()
        .page(Page::new(WWW, &format!("/@*/video/{ID}"), vec![captcha()]));
    assert_refusal(&bare.post(&url).await, 503, "ip_blocked");
    bare.assert_well().await;
}

#[tokio::test]
async fn app_api_that_refuses_leaves_the_pages_reason() {
    let stage = Stage::with(|builder| builder.env("TIKTOK_DEVICE_ID", "7250000000000000001")).await;
    stage.world().page(Page::new(
        WWW,
        &format!("/@*/video/{ID}"),
        vec![Answer::status(403)],
    ));
    AppApi::Refuses.serve(stage.world());
    assert_refusal(
        &stage
            .post(&format!("https://{WWW}/@keeper/video/{ID}"))
            .await,
        503,
        "ip_blocked",
    );
    stage.assert_well().await;
}

#[tokio::test]
async fn douyin_answers_the_headers_of_its_own_player() {
    let stage = Stage::new().await;
    DouyinDetail::WithHeaders(aweme("v26-web.douyinvod.com")).serve(stage.world());
    for form in [
        "https://www.douyin.com/video/ID",
        "https://www.douyin.com/discover?modal_id=ID",
        "https://www.iesdouyin.com/share/video/ID/?region=CN",
    ] {
        let body = stage.api().resolve(&form.replace("ID", ID)).await;
        assert_eq!(
            (&body["platform"], &body["id"]),
            (&"douyin".into(), &ID.into()),
            "{form}"
        );
        assert_eq!(body["statistics"]["play_count"], 0, "never null");
        assert_plays(&stage, &body).await;
    }
}

#[tokio::test]
async fn douyin_share_page_is_the_second_try() {
    let stage = Stage::new().await;
    DouyinDetail::Empty { id: ID.to_owned() }.serve(stage.world());
    serve_douyin_share(stage.world(), &aweme("v26-web.douyinvod.com"));
    let to = format!("https://www.iesdouyin.com/share/video/{ID}/?u_code=1");
    stage.world().page(Page::new(
        "v.douyin.com",
        "/iRNBho6u/",
        vec![Answer::redirect(302, &to)],
    ));
    let body = stage
        .api()
        .resolve("8.41 复制打开抖音 https://v.douyin.com/iRNBho6u/ 看看")
        .await;
    assert_eq!(body["id"], ID);
    assert_plays(&stage, &body).await;
}

#[tokio::test]
async fn douyin_with_the_operators_cookies_is_the_third() {
    let cookies = ".douyin.com\tTRUE\t/\tTRUE\t4102444800\ts_v_web_id\tverify_canary\n";
    let stage = Stage::with(|builder| {
        builder
            .env("DOUYIN_COOKIES_PATH", "dy.txt")
            .file("dy.txt", cookies)
    })
    .await;
    DouyinDetail::WithCookie(aweme("v26-web.douyinvod.com"), "s_v_web_id=verify_canary")
        .serve(stage.world());
    stage.world().page(Page::new(
        "www.iesdouyin.com",
        &format!("/share/video/{ID}/"),
        vec![Answer::html("<html></html>")],
    ));
    let answer = stage
        .post(&format!("https://www.douyin.com/note/{ID}"))
        .await;
    assert!(!String::from_utf8_lossy(&answer.body).contains("canary"));
    assert_plays(&stage, &answer.json()).await;
    assert!(
        !stage.server.logs().contains("canary"),
        "{}",
        stage.server.logs()
    );
}

#[tokio::test]
async fn douyin_without_an_answer_names_the_cookie_file() {
    let stage = Stage::new().await;
    DouyinDetail::Empty { id: ID.to_owned() }.serve(stage.world());
    stage.world().page(Page::new(
        "www.iesdouyin.com",
        &format!("/share/video/{ID}/"),
        vec![Answer::html("<html></html>")],
    ));
    let answer = stage
        .post(&format!("https://www.douyin.com/video/{ID}"))
        .await;
    let body = assert_refusal(&answer, 502, "cookies_needed");
    for word in [
        "DOUYIN_COOKIES_PATH",
        "www.douyin.com_cookies.txt",
        "fresh cookies",
    ] {
        assert!(text(&body, "/message").contains(word), "{word}: {body:#}");
    }
    stage.assert_well().await;
}

#[tokio::test]
async fn douyin_post_that_is_filtered_says_why() {
    for (reason, status, code) in [
        ("status_self_see", 403, "private"),
        ("status_deleted", 404, "not_found"),
    ] {
        let stage = Stage::new().await;
        DouyinDetail::Filtered {
            id: ID.to_owned(),
            reason,
        }
        .serve(stage.world());
        assert_refusal(
            &stage
                .post(&format!("https://www.douyin.com/video/{ID}"))
                .await,
            status,
            code,
        );
        stage.assert_well().await;
    }
}

#[tokio::test]
async fn recorded_douyin_posts_play() {
    let Some(folder) = folder() else {
        return skip(
            "recorded",
            "SERVERRS_FIXTURES names no folder with recordings",
        );
    };
    // The files behind recorded addresses are made up, so nothing can be rendered of them.
    let stage = Stage::with(|builder| builder.env("FFMPEG_PATH", "/nowhere")).await;
    for (name, aweme) in douyin(&folder) {
        let id = text(&aweme, "/aweme_id");
        DouyinDetail::WithHeaders(aweme).serve(stage.world());
        let body = stage
            .api()
            .resolve(&format!("https://www.douyin.com/video/{id}"))
            .await;
        let first = text(&body, "/data/video_data/0/url");
        let file = stage.api().get_range(&first, "bytes=0-9").await;
        assert_eq!((file.status.as_u16(), file.body.len()), (206, 10), "{name}");
    }
    stage.assert_well().await;
}
