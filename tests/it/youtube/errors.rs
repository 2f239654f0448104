//! What clients are told when YouTube gives nothing.

use serde_json::json;

use super::{ID, Site};
use crate::harness::upstream::youtube::{API, Refusal, Video, WWW, refusals};
use crate::harness::upstream::{Answer, Fault, Page, Rule, recorded};
use crate::harness::{assert_refusal, skip};

/// Id number `n`: refusals of a missing video are remembered.
fn id(n: usize) -> String {
    format!("refused{n:04}")
}

#[tokio::test]
async fn refusals_have_their_codes() {
    let site = Site::new().await;
    for (number, (refusal, status, code)) in [
        (Refusal::BotCheck, 503, "bot_check"),
        (Refusal::Captcha, 503, "bot_check"),
        (Refusal::Age, 403, "age_restricted"),
        (Refusal::AgeCheck, 403, "age_restricted"),
        (Refusal::Private, 403, "private"),
        (Refusal::Members, 403, "members_only"),
        (Refusal::Premium, 403, "premium_only"),
        (Refusal::Payment, 403, "payment_required"),
        (Refusal::Country, 451, "region_blocked"),
        (Refusal::NotAvailable, 404, "not_found"),
        (Refusal::Processing, 503, "processing"),
        (Refusal::SignIn, 403, "login_required"),
        (Refusal::RateLimit, 503, "upstream_rate_limited"),
        (Refusal::Missing, 404, "not_found"),
        (Refusal::Removed, 404, "not_found"),
        (Refusal::Empty, 404, "not_found"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("{refusal:?}");
        let answer = site.post(Video::new(&id(number)).refusing(refusal)).await;
        assert_eq!(answer.json()["error_code"], code, "{name}");
        assert_refusal(&answer, status, code);
        assert_eq!(
            answer.headers.contains_key("retry-after"),
            status == 503,
            "{name}"
        );
    }
    site.assert_well().await;
}

#[tokio::test]
async fn videos_that_cannot_be_delivered_say_why() {
    let site = Site::new().await;
    for (number, (video, status, code)) in [
        (Video::new(&id(30)).encrypted(), 403, "drm_protected"),
        (Video::new(&id(31)).sabr_only(), 502, "needs_sabr"),
        (Video::new(&id(32)).live(), 400, "live_unsupported"),
        (
            Video::new(&id(33)).naming("another0001"),
            502,
            "extraction_failed",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = site.post(video).await;
        assert_eq!(answer.json()["error_code"], code, "{number}");
        assert_refusal(&answer, status, code);
    }
    site.assert_well().await;
}

#[tokio::test]
async fn withheld_video_says_where_it_is_not() {
    let site = Site::new().await;
    let told = json!(["NO", "DE", "NO", "de", "XXX", 7, "\u{c4}"]);
    let countries = "/microformat/playerMicroformatRenderer/availableCountries";
    let withheld = |id: &str| Video::new(id).with(countries, told.clone());
    // Whoever is told of the block: all clients, or the one that is asked first.
    for (number, video) in [
        withheld(&id(60)).refusing(Refusal::Country),
        withheld(&id(61)).refusing_client("VISIONOS", Refusal::Country),
    ]
    .into_iter()
    .enumerate()
    {
        let body = assert_refusal(&site.post(video).await, 451, "region_blocked");
        assert_eq!(body["available_countries"], json!(["DE", "NO"]), "{number}");
        let message = body["message"].as_str().expect("a message");
        assert!(message.contains("`available_countries`"), "{message}");
    }
    // Nobody knows: the key is not there.
    let nowhere = Video::new(&id(62)).with(countries, json!([]));
    let answer = site.post(nowhere.refusing(Refusal::Country)).await;
    let body = assert_refusal(&answer, 451, "region_blocked");
    assert!(body.get("available_countries").is_none(), "{body}");
    assert!(!body["message"].as_str().expect("a message").contains('`'));
}

#[tokio::test]
async fn request_that_no_client_is_understood_with_is_a_change_of_the_site() {
    let site = Site::new().await;
    for host in [API, WWW] {
        for path in ["player", "reel/reel_item_watch"] {
            let answer = Answer::new(400, "application/json", r#"{"error":{"code":400}}"#);
            let page = Page::new(host, &format!("/youtubei/v1/{path}"), vec![answer]);
            site.stage.world().page(page.with_method("POST"));
        }
    }
    let answer = site.post(Video::new(ID)).await;
    assert_refusal(&answer, 502, "extraction_failed");
}

#[tokio::test]
async fn announced_broadcast_says_when_it_begins() {
    let site = Site::new().await;
    let answer = site.post(Video::new(ID).upcoming(1_800_000_000)).await;
    let body = answer.json();
    assert_eq!(
        (answer.status.as_u16(), &body["error_code"]),
        (400, &json!("live_unsupported"))
    );
    assert_eq!(body["starts_at"], 1_800_000_000);
}

#[tokio::test]
async fn recorded_refusals_have_their_codes() {
    let Some(folder) = recorded::folder() else {
        return skip("fixtures", "the folder with recordings is not there");
    };
    let site = Site::new().await;
    for (number, (name, refusal)) in refusals(&folder).into_iter().enumerate() {
        let (status, code) = match name {
            "err_age_web" => (403, "age_restricted"),
            "err_bot_check_minimal" => (503, "bot_check"),
            "err_geo" => (451, "region_blocked"),
            "err_members_only" => (403, "members_only"),
            "err_private" => (403, "private"),
            "err_unavailable_web" => (404, "not_found"),
            "web_scheduled_live" => (400, "live_unsupported"),
            other => panic!("{other} is not known here"),
        };
        let answer = site
            .post(Video::new(&id(40 + number)).refusing(refusal))
            .await;
        let body = answer.json();
        assert_eq!(
            (answer.status.as_u16(), &body["error_code"]),
            (status, &json!(code)),
            "{name}"
        );
    }
    site.assert_well().await;
}

#[tokio::test]
async fn bot_check_says_what_the_operator_can_do() {
    let site = Site::new().await;
    let answer = site.post(Video::new(ID).refusing(Refusal::BotCheck)).await;
    let body = assert_refusal(&answer, 503, "bot_check");
    let message = body["message"].as_str().expect("a message");
    assert!(
        message.contains("cookie") && message.contains("PROXY"),
        "{message}"
    );
    assert!(
        body["retry_after"]
            .as_u64()
            .is_some_and(|seconds| seconds >= 60),
        "{body:#}"
    );
}

#[tokio::test]
async fn suspected_visitor_comes_back_as_another_one() {
    let site = Site::new().await;
    site.resolve(Video::new(ID)).await;
    let before = site.asked("/visitor_id");
    site.youtube.suspect_visitors();
    let body = site.resolve(Video::new("harbour0002")).await;
    assert_eq!(body["id"], "harbour0002");
    assert!(site.asked("/visitor_id") > before);
    site.assert_well().await;
}

#[tokio::test]
async fn one_answer_gone_wrong_is_asked_for_again() {
    for fault in [
        Fault::Status(500),
        Fault::Status(404),
        Fault::CloseBeforeHead,
        Fault::Short { at: 20 },
    ] {
        let site = Site::new().await;
        site.stage
            .world()
            .fault(Rule::path_prefix("/youtubei/v1/player", fault.clone()).first(1));
        let answer = site.post(Video::new(ID)).await;
        assert_eq!(answer.status, 200, "{fault:?}");
    }
}

#[tokio::test]
async fn limit_of_the_interface_is_not_asked_against() {
    let site = Site::new().await;
    site.stage.world().fault(Rule::path_prefix(
        "/youtubei/v1/player",
        Fault::RetryAfter("17"),
    ));
    let body = assert_refusal(
        &site.post(Video::new(ID)).await,
        503,
        "upstream_rate_limited",
    );
    assert_eq!(body["retry_after"], 17);
    assert_eq!(
        site.asked("/player"),
        2,
        "VISIONOS and WEB, no further client"
    );
}

#[tokio::test]
async fn interface_that_is_down_is_a_gateway_error() {
    let site = Site::new().await;
    site.stage
        .world()
        .fault(Rule::path_prefix("/youtubei/", Fault::Status(503)));
    assert_refusal(&site.post(Video::new(ID)).await, 502, "upstream_error");
}

#[tokio::test]
async fn lists_and_channels_name_the_route_for_lists() {
    let site = Site::new().await;
    for path in [
        "playlist?list=PLharbour00000000000000",
        "watch?list=PLharbour00000000000000",
        "embed/videoseries?list=PLharbour00000000000000",
    ] {
        let answer = site.stage.post(&format!("https://{WWW}/{path}")).await;
        let body = assert_refusal(&answer, 400, "unsupported_url");
        let message = body["message"].as_str().expect("a message");
        assert!(message.contains("/playlist"), "{path}: {message}");
    }
    for path in [
        "@harbour.keeper",
        "channel/UCharbourKeeper000000000",
        "feed/trending",
        "",
    ] {
        let answer = site.stage.post(&format!("https://{WWW}/{path}")).await;
        assert_refusal(&answer, 400, "unsupported_url");
    }
    assert_eq!(site.stage.world().records().len(), 0, "nothing is fetched");
}

#[tokio::test]
async fn malformed_ids_and_foreign_hosts_are_refused_unasked() {
    let site = Site::new().await;
    for address in [
        "https://youtube.com/watch?v=123",
        "https://youtu.be/short",
        "https://www.youtube.com/watch?v=harbour0001x",
        "https://www.youtube.com/shorts/../../x",
    ] {
        let answer = site.stage.post(address).await;
        let code = answer.json()["error_code"].clone();
        assert!(
            answer.status == 400 && (code == "bad_url" || code == "unsupported_url"),
            "{address}: {code}"
        );
    }
    for address in [
        "https://www.youtube.com.evil.example/watch?v=harbour0001",
        "https://evil.example/?youtube.com/watch?v=harbour0001",
        "https://youtube.com@evil.example/watch?v=harbour0001",
    ] {
        let answer = site.stage.post(address).await;
        assert_eq!(answer.status, 400, "{address}");
    }
    assert_eq!(site.stage.world().records().len(), 0, "nothing is fetched");
}
