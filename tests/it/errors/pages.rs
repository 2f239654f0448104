//! What the site says instead of a post.

use http::Method;
use serde_json::{Value, json};

use crate::harness::upstream::tiktok::{
    Challenge, Item, Post, WWW, captcha, gzip_bomb, login_redirect, maintenance, oversize,
    status_page,
};
use crate::harness::upstream::{Answer, Fault, Page, Rule};
use crate::harness::{Stage, assert_refusal, eventually, fetch, link};

/// A post that answers only this; returns its address.
fn page(stage: &Stage, number: usize, answer: Answer) -> String {
    let id = format!("75249194596439{number:05}");
    stage
        .world()
        .page(Page::new(WWW, &format!("/@*/video/{id}"), vec![answer]));
    format!("https://{WWW}/@user/video/{id}")
}

/// A page whose data are a text.
fn text_for_data(text: &str) -> Answer {
    let script = "<script id=\"__UNIVERSAL_DATA_FOR_REHYDRATION__\" type=\"application/json\">";
    Answer::html(format!("{script}{}</script>", json!(text)))
}

#[tokio::test]
async fn log_repeats_no_answer_that_can_not_be_read() {
    const TEXT: &str = "what-the-site-said";
    let mut stage = Stage::new().await;
    let url = page(&stage, 0, text_for_data(TEXT));
    assert_refusal(&stage.post(&url).await, 502, "extraction_failed");
    // A transfer that asks the site anew in its middle.
    let item = Item::video("7524919459643919762");
    let link = link(&stage.resolve(&item).await, "h264_720p_1490112");
    stage.world().page(Page::new(
        WWW,
        &format!("/@*/video/{}", item.id()),
        vec![text_for_data(TEXT)],
    ));
    let file = |fault| Rule::path_prefix("/video/", fault).besides_tail();
    stage
        .world()
        .fault(file(Fault::Reset { at: 10_007 }).nth(1));
    stage.world().fault(file(Fault::Status(403)).since(2));
    let answer = stage.api().get(&link).await;
    assert!(answer.status == 200 && !answer.is_whole);
    stage.server.wait_for_log("refresh failed").await;
    let logs = stage.server.logs();
    assert!(!logs.contains(TEXT), "{logs}");
    stage.assert_well().await;
}

#[tokio::test]
async fn status_codes_and_their_messages_are_told_apart() {
    let stage = Stage::new().await;
    for (number, (code, message, status, error_code)) in [
        (10204, "item doesn't exist", 404, "not_found"),
        (10204, "item is status_deleted", 404, "not_found"),
        (10204, "", 404, "not_found"),
        (10217, "", 404, "not_found"),
        (10221, "user banned", 404, "not_found"),
        (10204, "status_self_see", 403, "private"),
        (10216, "", 403, "private"),
        (10222, "", 403, "private"),
        (10204, "status_reviewing", 403, "private"),
        (10204, "status_audit_not_pass", 403, "private"),
        (10204, "content_classification", 403, "age_restricted"),
        (10204, "cross_border_violation", 451, "region_blocked"),
        (10204, "person_geo_fencing", 451, "region_blocked"),
        (10204, "copyright_geo_filter", 451, "region_blocked"),
        (10231, "", 451, "region_blocked"),
        (10101, "SysErrPanic", 502, "upstream_error"),
        (
            100_004,
            "canary https://v16.tiktokcdn.com/?signature=1",
            502,
            "upstream_error",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let url = page(&stage, number, status_page(code, message));
        let before = stage.pages_asked();
        assert_refusal(&stage.post(&url).await, status, error_code);
        let asked = stage.pages_asked() - before;
        assert_eq!(asked, if status == 502 { 2 } else { 1 }, "{code} {message}");
    }
    stage.assert_well().await;
}

#[tokio::test]
async fn deleted_and_private_posts_have_the_words_that_clients_match() {
    let stage = Stage::new().await;
    let gone = stage
        .post(&page(&stage, 20, status_page(10204, "item doesn't exist")))
        .await;
    assert_eq!(
        gone.json()["message"],
        "Video not found. Please check the URL and make sure the video exists."
    );
    let private = stage.post(&page(&stage, 21, status_page(10222, ""))).await;
    assert_eq!(private.json()["error"], "This video is private.");
    let login = stage.post(&page(&stage, 22, login_redirect())).await;
    let body = assert_refusal(&login, 403, "login_required");
    assert_eq!(body["detail"], "This content requires login/authentication");
}

#[tokio::test]
async fn classified_post_without_media_is_age_restricted() {
    let stage = Stage::new().await;
    let item = Item::video("7524919459643919823")
        .with("/isContentClassified", true.into())
        .without("/video");
    let url = stage.serve(&item);
    assert_refusal(&stage.post(&url).await, 403, "age_restricted");
}

#[tokio::test]
async fn walls_are_tried_three_times_and_named_a_block() {
    let stage = Stage::new().await;
    for (number, wall) in [captcha(), maintenance()].into_iter().enumerate() {
        let url = page(&stage, 30 + number, wall);
        let before = stage.pages_asked();
        let body = assert_refusal(&stage.post(&url).await, 503, "ip_blocked");
        assert_eq!(
            body["message"],
            "Service temporarily unavailable due to IP block, retrying with different endpoint"
        );
        assert_eq!(
            (&body["retry_after"], stage.pages_asked() - before),
            (&json!(5), 3)
        );
    }
    let url = page(&stage, 32, Answer::status(403));
    assert_refusal(&stage.post(&url).await, 503, "ip_blocked");
    stage.assert_well().await;
}

#[tokio::test]
async fn wall_that_falls_lets_the_post_through() {
    let stage = Stage::new().await;
    for (number, walls) in [
        vec![captcha()],
        vec![maintenance(), captcha()],
        vec![Answer::status(502)],
        vec![Answer::html("")],
    ]
    .into_iter()
    .enumerate()
    {
        let item = Item::video(&format!("75249194596439{:05}", 40 + number));
        let url = stage.serve_post(Post::new(&item).after(walls));
        assert_eq!(stage.post(&url).await.status, 200, "{number}");
    }
    stage.assert_well().await;
}

#[tokio::test]
async fn limit_of_the_site_is_passed_on_with_its_wait() {
    let stage = Stage::new().await;
    let url = page(&stage, 50, Answer::status(429).header("Retry-After", "17"));
    let body = assert_refusal(&stage.post(&url).await, 503, "upstream_rate_limited");
    assert_eq!(body["retry_after"], 17);
    let url = page(
        &stage,
        51,
        Answer::status(429).header("Retry-After", "99999999999"),
    );
    let body = assert_refusal(&stage.post(&url).await, 503, "upstream_rate_limited");
    assert!(
        body["retry_after"]
            .as_u64()
            .is_some_and(|seconds| seconds <= 3600),
        "{body:#}"
    );
    assert_eq!(stage.pages_asked(), 2, "asking again makes it worse");
}

#[tokio::test]
async fn trouble_of_the_site_is_tried_once_more() {
    let stage = Stage::new().await;
    for (number, status) in [500, 502, 503, 504].into_iter().enumerate() {
        let url = page(&stage, 60 + number, Answer::status(status));
        let before = stage.pages_asked();
        assert_refusal(&stage.post(&url).await, 502, "upstream_error");
        assert_eq!(stage.pages_asked() - before, 2, "{status}");
    }
    stage.assert_well().await;
}

#[tokio::test]
async fn page_of_an_unknown_shape_is_a_failed_extraction() {
    let stage = Stage::new().await;
    let data = |json: &str| {
        Answer::html(format!(
            "<script id=\"__UNIVERSAL_DATA_FOR_REHYDRATION__\" type=\"application/json\">{json}</script>"
        ))
    };
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let other = json!({ "__DEFAULT_SCOPE__": { "webapp.video-detail": { "statusCode": 0, "itemInfo": {
        "itemStruct": Item::video("7524919459643919999").json() } } } });
    for (number, answer) in [
        Answer::html(""),
        Answer::html("<html><body>hello</body></html>"),
        Answer::new(200, "application/json", "{}"),
        Answer::html(vec![0xff; 5000]),
        data(""),
        data("{"),
        data("{}"),
        data("{\"__DEFAULT_SCOPE__\":{}}"),
        data("{\"__DEFAULT_SCOPE__\":{\"webapp.video-detail\":7}}"),
        data(&deep),
        data(&other.to_string()),
    ]
    .into_iter()
    .enumerate()
    {
        let url = page(&stage, 70 + number, answer);
        let body = assert_refusal(&stage.post(&url).await, 502, "extraction_failed");
        assert_eq!(body["message"], "Extraction failed");
    }
    stage.assert_well().await;
}

#[tokio::test]
async fn post_without_any_medium_is_a_failed_extraction() {
    let stage = Stage::new().await;
    let bare = Item::video("7524919459643919824")
        .with("/video", json!({}))
        .without("/music");
    let url = stage.serve(&bare);
    assert_refusal(&stage.post(&url).await, 502, "extraction_failed");
}

#[tokio::test]
async fn challenge_is_solved_and_one_without_a_solution_is_given_up() {
    let stage = Stage::new().await;
    for (number, challenge) in [
        Challenge::solvable(73),
        Challenge::solvable(0).without_return_cookie(),
    ]
    .into_iter()
    .enumerate()
    {
        let item = Item::video(&format!("75249194596439{:05}", 90 + number));
        let url = stage.serve_post(Post::new(&item).behind(challenge));
        let before = stage.pages_asked();
        let body = stage.api().resolve(&url).await;
        assert_eq!(stage.pages_asked() - before, 2);
        let link = body["download_link"]["no_watermark"]
            .as_str()
            .expect("a link");
        assert_eq!(
            stage.api().get(link).await.status,
            200,
            "with the cookie of the second page"
        );
    }
    let item = Item::video("7524919459643919892");
    let url = stage.serve_post(Post::new(&item).behind(Challenge::unsolvable()));
    let solving = stage.post(&url);
    let meanwhile = fetch(stage.api().request(Method::GET, "/health"));
    let (refused, health) = tokio::join!(solving, meanwhile);
    assert_refusal(&refused, 502, "extraction_failed");
    assert_eq!(health.status, 200, "others are served while it computes");
    stage.assert_well().await;
}

#[tokio::test]
async fn page_without_end_and_gzip_bomb_take_no_memory() {
    let stage = Stage::new().await;
    let resident = async || -> u64 {
        let health: Value = stage.api().get("/health").await.json();
        health["memory"]["rss_bytes"].as_u64().expect("bytes")
    };
    let before = resident().await;
    let grown = async || resident().await.saturating_sub(before);
    for (number, answer) in [oversize(64 << 20), gzip_bomb(512)].into_iter().enumerate() {
        let url = page(&stage, 110 + number, answer);
        assert_refusal(&stage.post(&url).await, 502, "upstream_error");
    }
    // Neither was held whole; freed memory goes back to the system within seconds, not at once.
    let most = grown().await;
    assert!(most < 64 << 20, "{most} bytes more");
    eventually("memory given back", async || {
        (grown().await < 16 << 20).then_some(())
    })
    .await;
    stage.assert_well().await;
}

#[tokio::test]
async fn redirect_of_the_page_outside_is_not_followed() {
    let stage = Stage::new().await;
    for (number, to) in [
        "https://evil.example/@user/video/7524919459643900120",
        "http://127.0.0.1/",
        "https://169.254.169.254/latest/",
        "https://www.tiktok.com.evil.example/",
        "https://www.tiktok.com:8443/@user/video/7524919459643900124",
        "https://user@www.tiktok.com/@user/video/7524919459643900125",
        "file:///etc/passwd",
    ]
    .into_iter()
    .enumerate()
    {
        let url = page(&stage, 120 + number, Answer::redirect(302, to));
        assert_refusal(&stage.post(&url).await, 502, "upstream_error");
    }
    let tunnels = stage.world().look(|traffic| traffic.tunnels.clone());
    assert!(
        tunnels.iter().all(|tunnel| tunnel == "www.tiktok.com:443"),
        "{tunnels:?}"
    );
    stage.assert_well().await;
}

#[tokio::test]
async fn redirect_of_the_page_to_plain_http_is_not_followed() {
    let stage = Stage::new().await;
    let id = "7524919459643900130";
    let to = format!("http://{WWW}/@real.name/video/{id}");
    let url = page(&stage, 130, Answer::redirect(301, &to));
    let refused = stage.post(&url).await;
    assert!(
        stage
            .world()
            .records()
            .iter()
            .all(|record| record.address.starts_with("https://"))
    );
    assert_refusal(&refused, 502, "upstream_error");
}

#[tokio::test]
async fn redirect_of_the_page_to_its_real_name_is_followed() {
    let stage = Stage::new().await;
    let item = Item::video("7524919459643919825");
    let url = stage.serve(&item);
    let posted = url.replace("@harbour.keeper", "@old.name");
    let redirect = Fault::Redirect {
        status: 301,
        to: url,
    };
    stage.world().fault(Rule::address(&posted, redirect));
    assert_eq!(stage.post(&posted).await.status, 200);
    stage.assert_well().await;
}
