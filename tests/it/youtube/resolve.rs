//! The answer about a video, and what it costs the site.

use serde_json::{Value, json};

use super::{ID, Site, muxed_only};
use crate::harness::upstream::youtube::{Refusal, Track, Video};
use crate::harness::{entry, text};

/// Bytes of the sound track in AAC, as the simulated site has it.
const SOUND: u64 = 700_001;

fn ids(body: &Value) -> Vec<String> {
    let entries = body["data"]["video_data"]
        .as_array()
        .expect("video_data")
        .iter();
    entries.map(|entry| text(entry, "/format_id")).collect()
}

#[tokio::test]
async fn facts_are_those_of_the_site() {
    let site = Site::new().await;
    let body = site.resolve(Video::new(ID)).await;
    let title = "The harbour from above & \u{ab}beyond\u{bb} \u{1f342}";
    for (pointer, expected) in [
        ("/status", json!("tunnel")),
        ("/code", json!(0)),
        ("/platform", json!("youtube")),
        ("/id", json!(ID)),
        (
            "/url",
            json!(format!("https://www.youtube.com/watch?v={ID}")),
        ),
        ("/title", json!(title)),
        ("/duration", json!(213_000)),
        ("/author/nickname", json!("Harbour Keeper")),
        ("/author/displayName", json!("Harbour Keeper")),
        ("/author/uniqueId", json!("harbour.keeper")),
        ("/author/handle", json!("harbour.keeper")),
        ("/author/id", json!("UCharbourKeeper000000000")),
        ("/statistics/play_count", json!(2_213_574)),
        ("/statistics/digg_count", json!(139_300)),
        ("/statistics/comment_count", json!(0)),
        ("/statistics/share_count", json!(0)),
        // 2026-10-06T00:30:08-07:00
        ("/create_time", json!(1_791_271_808)),
        ("/data/author", json!("Harbour Keeper")),
        ("/data/title", json!(title)),
        ("/data/duration", json!(213_000)),
    ] {
        assert_eq!(body.pointer(pointer), Some(&expected), "{pointer}");
    }
    assert!(text(&body, "/description").starts_with("Filmed from the old crane.\n\n0:00"));
    assert!(text(&body, "/cover").starts_with(&format!("https://i.ytimg.com/vi/{ID}/")));
    assert!(body["download_link"].get("watermark").is_none());
    site.assert_well().await;
}

#[tokio::test]
async fn both_routes_give_the_same_body() {
    let site = Site::new().await;
    let url = Video::new(ID).url();
    site.youtube.video(Video::new(ID));
    let body = json!({ "url": url }).to_string();
    let mut bodies = Vec::new();
    for route in ["/tiktok", "/resolve"] {
        let answer = site.stage.api().post(route, &body).await;
        assert_eq!(answer.status, 200, "{route}");
        bodies.push(answer.json());
    }
    assert_eq!(bodies[0]["title"], bodies[1]["title"]);
    assert_eq!(ids(&bodies[0]), ids(&bodies[1]));
}

#[tokio::test]
async fn single_tracks_are_offered_with_their_exact_sizes() {
    let site = Site::new().await;
    let body = site.resolve(Video::new(ID)).await;
    let sound = entry(&body, "140");
    assert!(text(sound, "/format").starts_with("audio-"), "{sound:#}");
    assert_eq!(
        (
            &sound["extension"],
            &sound["filesize"],
            &sound["acodec"],
            &sound["vcodec"]
        ),
        (&json!("m4a"), &json!(SOUND), &json!("aac"), &Value::Null)
    );
    assert_eq!(
        (&sound["has_audio"], &sound["has_video"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(entry(&body, "251")["extension"], "webm");
    for (id, codec, extension, size) in [
        ("137", "h264", "mp4", 12_345_678),
        ("248", "vp9", "webm", 6_000_007),
        ("399", "av1", "mp4", 5_000_011),
    ] {
        let picture = entry(&body, id);
        assert_eq!(picture["format"], "mute-1080p", "{id}");
        assert_eq!(
            (
                &picture["vcodec"],
                &picture["acodec"],
                &picture["extension"],
                &picture["filesize"]
            ),
            (&json!(codec), &Value::Null, &json!(extension), &json!(size)),
            "{id}"
        );
        assert_eq!(
            (&picture["width"], &picture["height"], &picture["fps"]),
            (&json!(1920), &json!(1080), &json!(25))
        );
        assert_eq!(
            (&picture["merged"], &picture["watermark"]),
            (&json!(false), &json!(false))
        );
    }
    let link = text(&body, "/download_link/mp3");
    assert!(link.contains("/stream?data="), "{link}");
}

#[tokio::test]
async fn muxed_file_is_offered_when_nothing_else_plays() {
    let site = Site::new().await;
    let body = site.resolve(muxed_only()).await;
    assert_eq!(ids(&body), ["18"]);
    let only = entry(&body, "18");
    assert_eq!(
        (&only["format"], &only["merged"]),
        (&json!("video-360p"), &json!(false))
    );
    for key in ["no_watermark", "no_watermark_hd"] {
        assert_eq!(body["download_link"][key], only["url"], "{key}");
    }
    site.assert_well().await;
}

#[tokio::test]
async fn original_sound_comes_before_dubs_and_even_loudness() {
    let sound = |id: &str, name: &str, is_default| Track::of(140, 213).spoken(id, name, is_default);
    let tracks = vec![
        Track::of(137, 213),
        sound("de.3", "German", true),
        sound("en.4", "English original", false),
        sound("en.2", "English descriptive", false),
        Track::of(251, 213).drc(),
    ];
    let (site, body) = Site::of(tracks).await;
    let entries = body["data"]["video_data"]
        .as_array()
        .expect("video_data")
        .iter();
    let first = entries
        .clone()
        .find(|entry| entry["has_video"] == false)
        .expect("a sound track");
    let answer = site.get(&text(first, "/url")).await;
    let original = Track::of(140, 213).spoken("en.4", "English original", false);
    assert_eq!(answer.sha256(), original.sha256(ID));
    assert_eq!(
        entries.filter(|entry| entry["has_video"] == false).count(),
        4
    );
    site.assert_well().await;
}

#[tokio::test]
async fn every_form_of_address_leads_to_the_video() {
    let site = Site::new().await;
    site.youtube.video(Video::new(ID));
    for address in [
        "https://www.youtube.com/watch?v=ID",
        "http://youtube.com/watch?app=desktop&v=ID&t=90",
        "https://m.youtube.com/watch?v=ID",
        "https://music.youtube.com/watch?v=ID&list=RDAMVMharbour0001",
        "https://www.youtube.com/watch?v=ID&list=PLharbour00000000000000&index=3",
        "https://youtu.be/ID?si=abc",
        "https://www.youtube.com/shorts/ID",
        "https://www.youtube.com/live/ID?feature=share",
        "https://www.youtube.com/embed/ID",
        "https://www.youtube-nocookie.com/embed/ID",
        "https://www.youtube.com/v/ID",
        "Look at this: https://youtu.be/ID !",
        "ID",
        "  ID\n",
    ] {
        let body = site.stage.api().resolve(&address.replace("ID", ID)).await;
        assert_eq!(body["id"], ID, "{address}");
    }
    assert_eq!(
        site.asked("/player"),
        2,
        "VISIONOS and the facts of WEB, once each"
    );
    site.assert_well().await;
}

#[tokio::test]
async fn facts_of_the_page_may_be_missing() {
    let site = Site::new().await;
    let body = site
        .resolve(Video::new(ID).refusing_client("WEB", Refusal::BotCheck))
        .await;
    assert_eq!(
        (
            &body["statistics"]["play_count"],
            &body["statistics"]["digg_count"]
        ),
        (&json!(2_213_574), &json!(0))
    );
    assert_eq!(body["author"]["uniqueId"], "UCharbourKeeper000000000");
}
