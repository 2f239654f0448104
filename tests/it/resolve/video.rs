//! Video posts: which formats there are, in which order, and which of them the links pick.

use serde_json::{Value, json};

use super::body::assert_video;
use crate::harness::upstream::tiktok::{Gear, Item, samples};
use crate::harness::{Stage, entry, link, text};

const ID: &str = "7524919459643919601";
const BASE: &str = "https://media.example.com/dl";

const PORTRAIT_540: Gear = Gear {
    name: "normal_540_0",
    codec: "h264",
    width: 576,
    height: 1024,
    bitrate: 942_113,
    size: 40_003,
};
const PORTRAIT_1080_HEVC: Gear = Gear {
    name: "adapt_lowest_1080_1",
    codec: "bytevc1",
    width: 1080,
    height: 1920,
    bitrate: 1_197_885,
    size: 70_001,
};

async fn stage() -> Stage {
    Stage::with(|builder| builder.env("BASE_URL", &format!("{BASE}/"))).await
}

fn ids(body: &Value) -> Vec<&str> {
    let entries = body["data"]["video_data"].as_array().expect("video_data");
    entries
        .iter()
        .map(|entry| entry["format_id"].as_str().expect("format_id"))
        .collect()
}

/// The format id that a key of `download_link` leads to.
fn picked<'a>(body: &'a Value, key: &str) -> Option<&'a str> {
    let link = body["download_link"].get(key)?;
    let entries = body["data"]["video_data"].as_array().expect("video_data");
    let entry = entries.iter().find(|entry| entry["url"] == *link);
    entry.unwrap_or_else(|| panic!("{key} is no entry's link"))["format_id"].as_str()
}

#[tokio::test]
async fn samples_have_every_field_with_its_type() {
    let stage = stage().await;
    for item in samples() {
        let body = stage.resolve(&item).await;
        if item.json()["imagePost"].is_object() {
            super::body::assert_picker(&body, BASE);
        } else {
            assert_video(&body, BASE);
        }
    }
    stage.assert_well().await;
}

#[tokio::test]
async fn facts_are_those_of_the_page() {
    let stage = stage().await;
    let body = stage.resolve(&Item::video(ID)).await;
    assert_eq!(body["platform"], "tiktok");
    assert_eq!(body["id"], ID);
    assert_eq!(
        body["url"],
        format!("https://www.tiktok.com/@harbour.keeper/video/{ID}")
    );
    assert_eq!(body["title"], "Morning light over the bay 🌊 #sea & sand");
    assert_eq!(body["description"], body["title"]);
    assert_eq!(body["artist"], "The Harbour Band");
    assert_eq!(
        (&body["duration"], &body["music_duration"]),
        (&json!(31_000), &json!(60_000))
    );
    assert_eq!(
        (&body["create_time"], &body["region"]),
        (&json!(1_752_031_845), &json!("NO"))
    );
    assert!(text(&body, "/cover").contains("origin-cover"));
    assert_eq!(body["author"]["nickname"], "Harbour Keeper");
    assert_eq!(body["author"]["displayName"], "Harbour Keeper");
    assert_eq!(body["author"]["uniqueId"], "harbour.keeper");
    assert_eq!(body["author"]["handle"], "harbour.keeper");
    assert_eq!(body["author"]["id"], "6812345678901234567");
    assert_eq!(body["author"]["signature"], "Boats, mostly.");
    assert_eq!(
        body["author"]["url"],
        "https://www.tiktok.com/@harbour.keeper"
    );
    for (key, size) in [
        ("avatar", "1080"),
        ("avatarLarger", "1080"),
        ("avatarMedium", "720"),
        ("avatarThumb", "100"),
    ] {
        assert!(
            text(&body["author"], &format!("/{key}")).contains(&format!("avatar-{size}")),
            "{key}"
        );
    }
    assert_eq!(
        body["statistics"],
        json!({
            "play_count": 2_200_000, "digg_count": 139_300, "comment_count": 3048, "share_count": 2774,
            "repost_count": 2774, "save_count": 8042, "collect_count": 8042,
        })
    );
}

#[tokio::test]
async fn formats_come_best_first_and_h264_in_hd_before_all() {
    let stage = stage().await;
    let body = stage.resolve(&Item::video(ID)).await;
    assert_eq!(
        ids(&body),
        [
            "h264_720p_1490112",
            "bytevc1_1080p_1197885",
            "bytevc1_720p_549720",
            "h264_540p_942113",
            "download",
            "audio",
        ]
    );
    let first = entry(&body, "h264_720p_1490112");
    for (key, value) in [
        ("format", json!("video-720p")),
        ("quality", json!("720p")),
        ("extension", json!("mp4")),
        ("width", json!(720)),
        ("height", json!(1280)),
        ("vcodec", json!("h264")),
        ("acodec", json!("aac")),
        ("bitrate", json!(1_490_112)),
        ("filesize", json!(600_011)),
        ("watermark", json!(false)),
        ("merged", json!(false)),
    ] {
        assert_eq!(first[key], value, "{key}");
    }
    assert_eq!(entry(&body, "bytevc1_1080p_1197885")["vcodec"], "hevc");
    assert_eq!(entry(&body, "download")["watermark"], true);
    let sound = entry(&body, "audio");
    assert_eq!(
        (&sound["extension"], &sound["acodec"]),
        (&json!("mp3"), &json!("mp3"))
    );
    assert!(text(&body, "/audio").contains("-sound/"));
}

#[tokio::test]
async fn links_pick_small_hd_marked_and_sound() {
    let stage = stage().await;
    let body = stage.resolve(&Item::video(ID)).await;
    assert_eq!(picked(&body, "no_watermark"), Some("h264_540p_942113"));
    assert_eq!(picked(&body, "no_watermark_hd"), Some("h264_720p_1490112"));
    assert_eq!(picked(&body, "watermark"), Some("download"));
    assert_eq!(
        picked(&body, "watermark_hd"),
        None,
        "its size is not known to be HD"
    );
    assert_eq!(picked(&body, "mp3"), Some("audio"));
}

#[tokio::test]
async fn portrait_576_by_1024_is_no_hd_and_both_clean_keys_are_there() {
    let stage = stage().await;
    let only = stage
        .resolve(&Item::video(ID).with_gears(&[PORTRAIT_540]))
        .await;
    assert_eq!(picked(&only, "no_watermark"), Some("h264_540p_942113"));
    assert_eq!(picked(&only, "no_watermark_hd"), Some("h264_540p_942113"));
    let item = Item::video("7524919459643919602").with_gears(&[PORTRAIT_1080_HEVC, PORTRAIT_540]);
    let body = stage.resolve(&item).await;
    assert_eq!(picked(&body, "no_watermark"), Some("h264_540p_942113"));
    assert_eq!(
        picked(&body, "no_watermark_hd"),
        Some("bytevc1_1080p_1197885")
    );
    assert_video(&body, BASE);
}

#[tokio::test]
async fn max_height_limits_the_picks_by_the_short_side_and_by_the_name() {
    let stage = stage().await;
    let url = stage.serve(&Item::video(ID));
    for (limit, hd) in [
        (json!(1080), "h264_720p_1490112"),
        (json!(720), "h264_720p_1490112"),
        (json!(719), "h264_540p_942113"),
        (json!("576"), "h264_540p_942113"),
        (json!(540), "h264_540p_942113"),
        (json!(100), "h264_720p_1490112"),
        (json!("tall"), "h264_720p_1490112"),
        (Value::Null, "h264_720p_1490112"),
    ] {
        let request = json!({ "url": url, "max_height": limit }).to_string();
        let answer = stage.api().post("/resolve", &request).await;
        assert_eq!(answer.status, 200);
        let body = answer.json();
        assert_eq!(picked(&body, "no_watermark_hd"), Some(hd), "{limit}");
        assert_eq!(ids(&body).len(), 6, "{limit}: all stay selectable");
    }
}

#[tokio::test]
async fn unplayable_and_silent_gears_are_not_offered() {
    let stage = stage().await;
    let landscape = samples()
        .pop()
        .expect("the last sample is the landscape post");
    let body = stage.resolve(&landscape).await;
    assert_eq!(ids(&body), ["h264_720p_1200345", "download", "audio"]);
    assert_eq!(body["title"], landscape.json()["desc"], "not cut");
    assert_eq!(
        body["statistics"]["play_count"], 2_213_574,
        "the newer counts win"
    );
    assert_eq!(body["artist"], "The Harbour Band & Friends, Someone Else");
}

#[tokio::test]
async fn post_without_counts_music_and_names_has_no_nulls() {
    let stage = stage().await;
    let item = Item::video(ID)
        .without("/stats")
        .without("/statsV2")
        .without("/music")
        .without("/author")
        .without("/video/downloadAddr")
        .without("/video/duration")
        .with("/desc", Value::Null);
    let body = stage.resolve(&item).await;
    assert_video(&body, BASE);
    assert_eq!(body["statistics"]["play_count"], 0);
    assert_eq!(
        (&body["title"], &body["description"]),
        (&json!(""), &json!(""))
    );
    assert_eq!(
        (&body["duration"], &body["music_duration"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(
        (&body["author"]["nickname"], &body["author"]["uniqueId"]),
        (&json!("unknown"), &json!("unknown"))
    );
    assert_eq!(body["artist"], "unknown");
    assert_eq!(body["author"]["avatar"], body["cover"]);
    assert_eq!(body["music"], Value::Null);
    assert!(body["download_link"].get("watermark").is_none());
    assert!(
        text(&body, "/audio").contains("/video/"),
        "the sound inside the first format"
    );
}

#[tokio::test]
async fn counts_as_text_or_beyond_sense_become_integers() {
    let stage = stage().await;
    let item = Item::video(ID)
        .with("/statsV2/playCount", "17".into())
        .with("/statsV2/diggCount", json!(3.0))
        .with("/statsV2/commentCount", json!(-5))
        .with("/statsV2/shareCount", json!("many"))
        .with("/statsV2/collectCount", Value::Null);
    let body = stage.resolve(&item).await;
    assert_video(&body, BASE);
    assert_eq!(
        (
            &body["statistics"]["play_count"],
            &body["statistics"]["digg_count"]
        ),
        (&json!(17), &json!(3))
    );
}

#[tokio::test]
async fn play_address_alone_is_a_format() {
    let stage = stage().await;
    let item = Item::video(ID).without("/video/bitrateInfo");
    let body = stage.resolve(&item).await;
    assert_eq!(ids(&body), ["play", "download", "audio"]);
    assert_eq!(picked(&body, "no_watermark_hd"), Some("play"));
    assert_video(&body, BASE);
}

#[tokio::test]
async fn marked_file_is_never_passed_off_as_clean() {
    let stage = stage().await;
    let item = Item::video(ID)
        .without("/video/bitrateInfo")
        .without("/video/playAddr");
    let body = stage.resolve(&item).await;
    assert_eq!(ids(&body), ["download", "audio"]);
    assert_eq!(picked(&body, "watermark"), Some("download"));
    assert_eq!(
        (
            picked(&body, "no_watermark"),
            picked(&body, "no_watermark_hd")
        ),
        (None, None)
    );
}

#[tokio::test]
async fn first_entry_plays() {
    let stage = Stage::new().await;
    let item = Item::video(ID);
    let body = stage.resolve(&item).await;
    let first = text(&body, "/data/video_data/0/url");
    assert_eq!(first, link(&body, "h264_720p_1490112"));
    let file = stage.api().get(&first).await;
    assert_eq!(
        file.sha256(),
        stage.file(&item, "/video/playAddr").payload.sha256()
    );
    assert_eq!(file.header("content-type"), "video/mp4");
    stage.assert_well().await;
}
