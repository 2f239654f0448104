//! The facts about a video beside those that every site tells.

use serde_json::{Value, json};

use super::{ID, Site};
use crate::harness::Stage;
use crate::harness::upstream::tiktok::Item;
use crate::harness::upstream::youtube::Video;

#[tokio::test]
async fn further_facts_stand_in_the_body() {
    let site = Site::new().await;
    let body = site.resolve(Video::new(ID)).await;
    for (pointer, expected) in [
        ("/tags", json!(["harbour", "autumn"])),
        ("/category", json!("Travel & Events")),
        ("/age_limit", json!(0)),
        ("/unlisted", json!(false)),
        ("/short", json!(false)),
        ("/live_status", json!("not_live")),
        (
            "/chapters",
            json!([
                { "title": "The crane", "start": 0, "end": 60_000 },
                { "title": "The water", "start": 60_000, "end": 150_000 },
                { "title": "The way home", "start": 150_000, "end": 213_000 },
            ]),
        ),
        (
            "/thumbnails/0",
            json!({
                "url": format!("https://i.ytimg.com/vi/{ID}/hq720.jpg"), "width": 1280, "height": 720,
            }),
        ),
    ] {
        assert_eq!(body.pointer(pointer), Some(&expected), "{pointer}");
    }
    assert_eq!(body["thumbnails"].as_array().map(Vec::len), Some(3));
    site.assert_well().await;
}

#[tokio::test]
async fn recording_and_adult_video_are_marked() {
    let site = Site::new().await;
    let video = Video::new(ID)
        .with("/videoDetails/isLiveContent", json!(true))
        .with(
            "/microformat/playerMicroformatRenderer/isFamilySafe",
            json!(false),
        )
        .with(
            "/microformat/playerMicroformatRenderer/isUnlisted",
            json!(true),
        )
        .with(
            "/microformat/playerMicroformatRenderer/isShortsEligible",
            json!(true),
        );
    let body = site.resolve(video).await;
    let facts = ["live_status", "age_limit", "unlisted", "short"].map(|key| body[key].clone());
    assert_eq!(
        facts,
        [json!("was_live"), json!(18), json!(true), json!(true)]
    );
}

#[tokio::test]
async fn chapters_of_the_page_are_asked_for_on_demand() {
    let site = Site::with(|builder| builder.env("YOUTUBE_DETAILS", "1")).await;
    let chapter = |title: &str, start: u64| json!({ "chapterRenderer": { "title": { "simpleText": title }, "timeRangeStartMillis": start } });
    let markers = json!([{ "value": { "chapters": [chapter("One", 0), chapter("Two", 90_000)] } }]);
    let bar = json!({ "multiMarkersPlayerBarRenderer": { "markersMap": markers } });
    let bar = json!({ "decoratedPlayerBarRenderer": { "playerBar": bar } });
    let overlay = json!({ "playerOverlayRenderer": { "decoratedPlayerBarRenderer": bar } });
    let body = site
        .resolve(Video::new(ID).with("/next/playerOverlays", overlay))
        .await;
    assert_eq!(
        body["chapters"],
        json!([
            { "title": "One", "start": 0, "end": 90_000 },
            { "title": "Two", "start": 90_000, "end": 213_000 },
        ])
    );
    assert_eq!(site.asked("/next"), 1);
}

#[tokio::test]
async fn keys_are_absent_where_there_is_nothing_to_tell() {
    let stage = Stage::new().await;
    let body = stage.resolve(&Item::video("7524919459643919781")).await;
    for key in [
        "tags",
        "category",
        "chapters",
        "captions",
        "thumbnails",
        "live_status",
    ] {
        assert_eq!(body.get(key), None::<&Value>, "{key}");
    }
}
