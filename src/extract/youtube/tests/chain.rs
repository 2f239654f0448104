//! Who is asked, in which order, with what, and what is reported.

use futures_util::future::BoxFuture;
use serde_json::json;

use super::recorded;
use super::script::{ANDROID, Script, VISIONOS, VISITOR, WEB, playable, refusing, site};
use crate::extract::youtube::VideoId;
use crate::extract::youtube::auth::AccountCookies;
use crate::extract::youtube::innertube::{Answer, Ask, Call};
use crate::extract::{Block, Content, ExtractError, Extraction, Unavailable};
use crate::net::NetError;

const ID: &str = "dQw4w9WgXcQ";

fn formats(extraction: &Extraction) -> Vec<&str> {
    match &extraction.content {
        Content::Video { formats } => formats.iter().map(|format| format.id.as_str()).collect(),
        Content::Slideshow { .. } => Vec::new(),
    }
}

fn unavailable(error: &ExtractError) -> Option<Unavailable> {
    match error {
        ExtractError::Unavailable { reason, .. } => Some(*reason),
        _ => None,
    }
}

fn block(error: &ExtractError) -> Option<Block> {
    match error {
        ExtractError::Blocked { block, .. } => Some(*block),
        _ => None,
    }
}

#[tokio::test]
async fn first_client_plays_and_metadata_are_asked_beside_it() {
    let script = Script::default()
        .with(VISIONOS, "player", playable(ID, 18))
        .with(
            WEB,
            "player",
            json!({"videoDetails": {"videoId": ID}, "microformat": {
            "playerMicroformatRenderer": {"category": "Music", "likeCount": "7"}}}),
        );
    let extraction = script.extract(ID, &[], "").await.unwrap();
    assert_eq!(formats(&extraction), ["18"]);
    assert_eq!(extraction.facts.category.as_deref(), Some("Music"));
    assert_eq!(extraction.statistics.likes, Some(7));
    let mut order = script.order();
    order.sort();
    assert_eq!(order, ["1 player", "101 player"]);
    assert!(extraction.session.headers[0].1.contains("Safari"));
}

#[tokio::test]
async fn requests_are_those_of_the_client() {
    let script = Script::default().with(VISIONOS, "player", playable(ID, 18));
    script.extract(ID, &[], "").await.unwrap();
    let calls = script.calls();
    let find = |client: &str, path: &str| {
        calls
            .iter()
            .find(|asked| asked.client == client && asked.path == path)
            .unwrap()
    };
    let player = find(VISIONOS, "player");
    assert_eq!(player.body["videoId"], ID);
    assert_eq!(player.body["contentCheckOk"], true);
    assert_eq!(player.body["context"]["client"]["clientName"], "VISIONOS");
    assert_eq!(player.body["context"]["client"]["visitorData"], VISITOR);
    assert_eq!(player.body["context"]["client"]["hl"], "en");
    assert_eq!(player.body["cpn"].as_str().unwrap().len(), 16);
    assert!(
        player.query.starts_with("prettyPrint=false&t=")
            && player.query.ends_with(&format!("&id={ID}"))
    );
    assert_eq!(player.headers["x-goog-visitor-id"], VISITOR);
    assert_eq!(player.headers["x-youtube-client-version"], "1.02");
    assert_eq!(player.headers["content-type"], "application/json");
    assert!(!player.takes_cookies && !player.headers.contains_key("authorization"));
    let web = find(WEB, "player");
    assert!(
        web.query
            .ends_with("&$fields=microformat,videoDetails,playabilityStatus"),
        "{}",
        web.query
    );
    assert!(web.takes_cookies);
    assert_eq!(web.headers["origin"], "https://www.youtube.com");
}

#[tokio::test]
async fn visitor_id_is_asked_for_once_and_a_configured_one_never() {
    let script = Script::default().with(VISIONOS, "player", playable(ID, 18));
    let site = site(&[]);
    script.extract_with(&site, ID, "").await.unwrap();
    script.extract_with(&site, ID, "").await.unwrap();
    let asked = script
        .calls()
        .iter()
        .filter(|asked| asked.path == "visitor_id")
        .count();
    assert_eq!(asked, 2, "once per client");
    let script = Script::default().with(VISIONOS, "player", playable(ID, 18));
    script
        .extract(ID, &[("YOUTUBE_VISITOR_DATA", "mine")], "")
        .await
        .unwrap();
    assert!(
        script
            .calls()
            .iter()
            .all(|asked| asked.path != "visitor_id")
    );
    assert!(
        script
            .calls()
            .iter()
            .all(|asked| asked.headers["x-goog-visitor-id"] == "mine")
    );
}

#[tokio::test]
async fn made_for_kids_falls_back_to_the_reel() {
    let (Some(refused), Some(reel)) = (
        recorded::body("player/visionos_unplayable_not_available.json"),
        recorded::body("player/android_reel_fallback_ok.json"),
    ) else {
        return;
    };
    let script =
        Script::default()
            .with(VISIONOS, "player", refused)
            .with(ANDROID, "reel_item_watch", reel);
    let extraction = script.extract("it3OtbTxQk0", &[], "").await.unwrap();
    assert_eq!(formats(&extraction), ["18"]);
    assert_eq!(extraction.id, "it3OtbTxQk0");
    assert!(
        extraction.session.headers[0]
            .1
            .starts_with("com.google.android.youtube/")
    );
    let reel = script
        .calls()
        .into_iter()
        .find(|asked| asked.client == ANDROID && asked.path != "visitor_id");
    let reel = reel.unwrap();
    assert_eq!(reel.body["playerRequest"]["videoId"], "it3OtbTxQk0");
    assert_eq!(reel.body["disablePlayerResponse"], false);
    assert!(reel.query.contains("$fields=playerResponse"));
}

#[tokio::test]
async fn sabr_only_answer_goes_on_and_is_said_in_the_end() {
    let sabr = json!({
        "playabilityStatus": {"status": "OK"},
        "videoDetails": {"videoId": ID},
        "streamingData": {"serverAbrStreamingUrl": "https://r1.googlevideo.com/x",
            "adaptiveFormats": [{"itag": 137, "mimeType": "video/mp4; codecs=\"avc1\""}]},
    });
    let script = Script::default()
        .with(VISIONOS, "player", sabr.clone())
        .with(ANDROID, "reel_item_watch", json!({"playerResponse": sabr}));
    let error = script.extract(ID, &[], "").await.unwrap_err();
    assert_eq!(block(&error), Some(Block::ProtocolOnly), "{error}");
    assert_eq!(script.order().last().unwrap(), "3 reel_item_watch");
}

#[tokio::test]
async fn answer_for_another_video_is_refused() {
    let script = Script::default()
        .with(VISIONOS, "player", playable("aaaaaaaaaaa", 18))
        .with(
            ANDROID,
            "reel_item_watch",
            json!({"playerResponse": playable(ID, 18)}),
        );
    let extraction = script.extract(ID, &[], "").await.unwrap();
    assert_eq!(extraction.id, ID);
    assert!(
        extraction.session.headers[0]
            .1
            .starts_with("com.google.android.youtube/")
    );
}

#[tokio::test]
async fn robot_check_is_answered_with_one_new_visitor_id_and_no_more() {
    let bot = refusing(
        "LOGIN_REQUIRED",
        "Sign in to confirm you\u{2019}re not a bot",
    );
    let script = Script::default()
        .with(
            VISIONOS,
            "visitor_id",
            json!({"responseContext": {"visitorData": "one"}}),
        )
        .with(
            VISIONOS,
            "visitor_id",
            json!({"responseContext": {"visitorData": "two"}}),
        )
        .with(VISIONOS, "player", bot.clone());
    let error = script.extract(ID, &[], "").await.unwrap_err();
    assert_eq!(block(&error), Some(Block::BotCheck));
    assert!(matches!(
        error,
        ExtractError::Blocked {
            retry_after: Some(_),
            ..
        }
    ));
    let visitors: Vec<_> = script
        .calls()
        .iter()
        .filter(|asked| asked.client == VISIONOS && asked.path == "player")
        .map(|asked| {
            asked.headers["x-goog-visitor-id"]
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(visitors, ["one", "two"]);
    assert!(!script.order().contains(&"3 reel_item_watch".to_owned()));
    let script =
        Script::default()
            .with(VISIONOS, "player", bot)
            .with(VISIONOS, "player", playable(ID, 18));
    assert!(script.extract(ID, &[], "").await.is_ok());
}

#[tokio::test]
async fn final_reasons_stop_the_chain() {
    for (status, reason, expected) in [
        (
            "LOGIN_REQUIRED",
            "This video is private",
            Unavailable::Private,
        ),
        (
            "UNPLAYABLE",
            "This video is available to this channel's members",
            Unavailable::MembersOnly,
        ),
        (
            "UNPLAYABLE",
            "Not made available in your country",
            Unavailable::RegionBlocked,
        ),
    ] {
        let script = Script::default().with(VISIONOS, "player", refusing(status, reason));
        let error = script.extract(ID, &[], "").await.unwrap_err();
        assert_eq!(unavailable(&error), Some(expected));
        assert!(
            !script.order().contains(&"3 reel_item_watch".to_owned()),
            "{reason}"
        );
    }
}

#[tokio::test]
async fn web_client_settles_what_the_first_leaves_open() {
    let script = Script::default()
        .with(
            VISIONOS,
            "player",
            refusing("UNPLAYABLE", "This video is not available"),
        )
        .with(
            WEB,
            "player",
            json!({
            "playabilityStatus": {"status": "UNPLAYABLE", "reason": "x in your country"},
            "videoDetails": {"videoId": ID}}),
        );
    let error = script.extract(ID, &[], "").await.unwrap_err();
    assert_eq!(unavailable(&error), Some(Unavailable::RegionBlocked));
    assert!(!script.order().contains(&"3 reel_item_watch".to_owned()));
}

#[tokio::test]
async fn most_telling_reason_is_reported() {
    let script = Script::default()
        .with(
            VISIONOS,
            "player",
            refusing("LOGIN_REQUIRED", "Sign in to confirm your age"),
        )
        .with(ANDROID, "reel_item_watch", json!({}));
    let error = script.extract(ID, &[], "").await.unwrap_err();
    assert_eq!(unavailable(&error), Some(Unavailable::AgeRestricted));
    let script = Script::default()
        .with(VISIONOS, "player", refusing("ERROR", "Video unavailable"))
        .with(ANDROID, "reel_item_watch", json!({}));
    let error = script.extract(ID, &[], "").await.unwrap_err();
    assert_eq!(unavailable(&error), Some(Unavailable::NotFound));
}

#[tokio::test]
async fn broadcasts_are_refused_with_their_start() {
    let (Some(live), Some(scheduled)) = (
        recorded::body("player/visionos_live.json"),
        recorded::body("player/web_scheduled_live.json"),
    ) else {
        return;
    };
    let script = Script::default().with(VISIONOS, "player", live);
    let error = script.extract("X4VbdwhkE10", &[], "").await.unwrap_err();
    assert_eq!(unavailable(&error), Some(Unavailable::Live));
    let script = Script::default().with(VISIONOS, "player", scheduled);
    let error = script.extract("N-yVic7BbY0", &[], "").await.unwrap_err();
    assert_eq!(
        unavailable(&error),
        Some(Unavailable::Upcoming {
            starts_at: Some(1_677_592_800)
        })
    );
}

#[tokio::test]
async fn playlist_of_both_tracks_is_taken_before_one_of_single_tracks() {
    let (Some(split), Some(both)) = (
        recorded::body("player/visionos_live.json"),
        recorded::body("player/android_reel_live_dash.json.gz"),
    ) else {
        return;
    };
    let id = "X4VbdwhkE10";
    let script = Script::default().with(VISIONOS, "player", split.clone());
    let live = script.live(id).await.unwrap().unwrap();
    assert!(live.playlist.contains("/demuxed/1/"), "{}", live.playlist);
    assert!(live.title.starts_with("lofi hip hop radio"));
    let script = script.with(ANDROID, "reel_item_watch", both);
    let live = script.live(id).await.unwrap().unwrap();
    assert!(!live.playlist.contains("/demuxed/"), "{}", live.playlist);
    assert!(live.session.headers[0].1.contains("Android"));
    // One that is over, and one whose playlist lies elsewhere.
    let script = Script::default().with(VISIONOS, "player", playable(ID, 18));
    assert_eq!(script.live(ID).await.unwrap(), None);
    let mut elsewhere = split;
    elsewhere["streamingData"]["hlsManifestUrl"] = json!("https://evil.example/index.m3u8");
    let script = Script::default().with(VISIONOS, "player", elsewhere);
    let error = script.live(id).await.unwrap_err();
    assert_eq!(block(&error), Some(Block::ProtocolOnly));
}

#[tokio::test]
async fn trouble_is_retried_once_and_throttling_never() {
    let script = Script::default()
        .with_status(VISIONOS, "player", 503, json!({}))
        .with(VISIONOS, "player", playable(ID, 18));
    assert!(script.extract(ID, &[], "").await.is_ok());
    let script = Script::default().with_status(VISIONOS, "player", 429, json!({}));
    let error = script.extract(ID, &[], "").await.unwrap_err();
    assert_eq!(block(&error), Some(Block::RateLimited));
    let players = script
        .order()
        .iter()
        .filter(|call| call.as_str() == "101 player")
        .count();
    assert_eq!(players, 1);
}

#[tokio::test]
async fn login_changes_the_order_and_is_proved_only_to_clients_that_take_it() {
    let script = Script::default().with(VISIONOS, "player", playable(ID, 18));
    script
        .extract(ID, &[], "LOGIN_INFO=x; SAPISID=secret")
        .await
        .unwrap();
    for asked in script.calls() {
        let has_proof = asked.headers.contains_key("authorization");
        assert_eq!(
            has_proof,
            asked.client == WEB,
            "{} {}",
            asked.client,
            asked.path
        );
        assert!(!format!("{:?}", asked.headers).contains("SAPISIDHASH"));
    }
}

#[tokio::test]
async fn tokens_open_more_of_a_client() {
    let reel = json!({
        "playabilityStatus": {"status": "OK"},
        "videoDetails": {"videoId": ID, "lengthSeconds": "10"},
        "streamingData": {"formats": playable(ID, 18)["streamingData"]["formats"], "adaptiveFormats": [{
            "itag": 137, "url": "https://r1.googlevideo.com/videoplayback?itag=137",
            "mimeType": "video/mp4; codecs=\"avc1.640028\"", "height": 1080, "width": 1920, "quality": "hd1080"}]},
    });
    let script = || {
        Script::default()
            .with(
                VISIONOS,
                "player",
                refusing("UNPLAYABLE", "This video is not available"),
            )
            .with(ANDROID, "reel_item_watch", json!({"playerResponse": reel}))
            .with(ANDROID, "player", reel.clone())
    };
    let without = script().extract(ID, &[], "").await.unwrap();
    assert_eq!(formats(&without), ["18"]);
    let media = script()
        .extract(ID, &[("YOUTUBE_PO_TOKENS", "android.media=ab+c=")], "")
        .await
        .unwrap();
    assert_eq!(formats(&media), ["137", "18"]);
    let Content::Video { formats: list } = &media.content else {
        panic!("a video")
    };
    assert!(
        list.iter()
            .all(|format| format.urls[0].ends_with("&pot=ab%2Bc%3D")),
        "{list:?}"
    );
    let asking = script();
    let player = asking
        .extract(ID, &[("YOUTUBE_PO_TOKENS", "android.player=tok")], "")
        .await
        .unwrap();
    assert_eq!(formats(&player), ["137", "18"]);
    let call = asking
        .calls()
        .into_iter()
        .find(|asked| asked.client == ANDROID && asked.path == "player");
    assert_eq!(
        call.unwrap().body["serviceIntegrityDimensions"]["poToken"],
        "tok"
    );
}

#[tokio::test]
async fn page_beside_the_video_is_asked_for_on_demand() {
    let script = Script::default()
        .with(VISIONOS, "player", playable(ID, 18))
        .with(WEB, "next", json!({}));
    script
        .extract(ID, &[("YOUTUBE_DETAILS", "1")], "")
        .await
        .unwrap();
    assert!(script.order().contains(&"1 next".to_owned()));
}

/// A transport on which the web client never gets an answer.
struct SilentWeb(Script);

impl Ask for SilentWeb {
    fn ask(&self, call: Call) -> BoxFuture<'_, Result<Answer, NetError>> {
        if call.headers["x-youtube-client-name"] == WEB {
            return Box::pin(std::future::pending());
        }
        self.0.ask(call)
    }
}

#[tokio::test]
async fn silent_web_client_does_not_hold_up_the_answer() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let table = include_str!("../clients.toml");
    let hasty = table.replace("extra_timeout_ms = 5000", "extra_timeout_ms = 20");
    assert_ne!(hasty, table);
    std::fs::write(file.path(), hasty).unwrap();
    let site = site(&[("YOUTUBE_CLIENTS_FILE", file.path().to_str().unwrap())]);
    let script = SilentWeb(Script::default().with(VISIONOS, "player", playable(ID, 18)));
    let account = AccountCookies::default();
    let id = VideoId::parse(ID).unwrap();
    let extraction = site.video(&script, &account, &id).await.unwrap();
    assert_eq!(formats(&extraction), ["18"]);
    assert_eq!(extraction.facts.category, None);
}
