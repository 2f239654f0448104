//! Clients whose addresses the player script completes.

use serde_json::{Value, json};

use super::script::{ANDROID, PAGE, Script, TV, VISIONOS, playable, refusing};
use crate::extract::{Content, ExtractError, Extraction};

const ID: &str = "dQw4w9WgXcQ";
const SMALL: &str = include_str!("../../../../tests/fixtures/youtube/player_small.js");
const DISCOVERY: &str =
    r"var s='https:\/\/www.youtube.com\/s\/player\/0a1b2c3d\/www-widgetapi.vflset\/a.js';";

/// An answer whose addresses are ciphered.
fn ciphered(itag: u32) -> Value {
    let address =
        "https%3A%2F%2Fr1.googlevideo.com%2Fvideoplayback%3Fa%3D%252C%26n%3DIlLiA21ny7gqA2m4p37";
    json!({
        "playabilityStatus": {"status": "OK"},
        "videoDetails": {"videoId": ID, "title": "t", "lengthSeconds": "10"},
        "streamingData": {"formats": [{
            "itag": itag,
            "signatureCipher": format!("s=0123456789&sp=sig&url={address}"),
            "mimeType": "video/mp4; codecs=\"avc1.42001E, mp4a.40.2\"",
            "width": 640, "height": 360, "quality": "medium",
        }]},
    })
}

/// The first client doesn't play it.
fn script() -> Script {
    Script::default()
        .with(
            VISIONOS,
            "player",
            refusing("UNPLAYABLE", "This video is not available"),
        )
        .with(PAGE, "iframe_api", json!(DISCOVERY))
}

fn addresses(extraction: &Extraction) -> Vec<&str> {
    let Content::Video { formats } = &extraction.content else {
        panic!("no video");
    };
    formats
        .iter()
        .map(|format| format.urls[0].as_str())
        .collect()
}

#[tokio::test]
async fn addresses_are_completed_by_the_script_of_the_site() {
    let script = script()
        .with(PAGE, "base.js", json!(SMALL))
        .with(TV, "player", ciphered(18));
    let extraction = script.extract(ID, &[], "").await.unwrap();
    // What the small player makes of them: its own tests say so in other words.
    assert_eq!(
        addresses(&extraction),
        ["https://r1.googlevideo.com/videoplayback?a=%2C&n=4meKV6NCpO8hLJ8Tuwc&sig=28765439"]
    );
    assert!(extraction.session.headers[0].1.contains("SMART-TV"));
    let calls = script.calls();
    let player = calls
        .iter()
        .find(|asked| asked.client == TV && asked.path == "player");
    let playback = &player.unwrap().body["playbackContext"]["contentPlaybackContext"];
    assert_eq!(playback["signatureTimestamp"], 20_123);
    let pages: Vec<_> = calls.iter().filter(|asked| asked.client == PAGE).collect();
    assert_eq!(pages.len(), 2, "one to find the script, one for it");
    assert!(pages.iter().all(|asked| !asked.takes_cookies));
}

#[tokio::test]
async fn script_is_found_and_fetched_once_for_many_videos() {
    let script = script()
        .with(PAGE, "base.js", json!(SMALL))
        .with(TV, "player", ciphered(18));
    let site = super::script::site(&[]);
    for _ in 0..3 {
        script.extract_with(&site, ID, "").await.unwrap();
    }
    let order = script.order();
    for path in ["page iframe_api", "page base.js"] {
        let fetches = order.iter().filter(|asked| asked.as_str() == path).count();
        assert_eq!(fetches, 1, "{path}: {order:?}");
    }
}

#[tokio::test]
async fn script_of_no_use_leads_to_the_next_client() {
    for body in ["not a player", "var x={signatureTimestamp:20123};"] {
        let script = script()
            .with(PAGE, "base.js", json!(body))
            .with(TV, "player", ciphered(18))
            .with(
                ANDROID,
                "reel_item_watch",
                json!({"playerResponse": playable(ID, 18)}),
            );
        let extraction = script.extract(ID, &[], "").await.unwrap();
        assert_eq!(
            addresses(&extraction),
            ["https://r1.googlevideo.com/videoplayback?itag=18"],
            "{body}"
        );
    }
}

#[tokio::test]
async fn address_of_a_foreign_host_never_reaches_the_script() {
    let mut answer = ciphered(18);
    answer["streamingData"]["formats"][0]["signatureCipher"] =
        json!("s=0123456789&sp=sig&url=https%3A%2F%2Fevil.example%2Fv%3Fn%3Dabc");
    let script = script()
        .with(PAGE, "base.js", json!(SMALL))
        .with(TV, "player", answer);
    let error = script.extract(ID, &[], "").await.unwrap_err();
    assert!(matches!(error, ExtractError::Unavailable { .. }), "{error}");
}
