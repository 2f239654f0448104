//! Without ffmpeg, or without a directory for temporary files: the server runs, says so, and offers what it can do.

use http::Method;

use super::stage::ID;
use crate::harness::upstream::tiktok::Item;
use crate::harness::upstream::{Media, Payload, Upstream};
use crate::harness::{Builder, Stage, address, assert_refusal, entry, fetch, text};

const NO_FFMPEG: (&str, &str) = ("FFMPEG_PATH", "/nowhere/ffmpeg");

#[tokio::test]
async fn server_without_ffmpeg_offers_pictures_and_native_sound() {
    let stage = Stage::with(|builder| builder.env(NO_FFMPEG.0, NO_FFMPEG.1)).await;
    let health = stage.api().get("/health").await.json();
    assert_eq!(
        (&health["status"], &health["ffmpeg"], &health["degraded"]),
        (&"ok".into(), &false.into(), &serde_json::json!(["ffmpeg"]))
    );
    let track = "https://v77.tiktokcdn.com/a/b/video/tos/test/sound/?a=1180&mime_type=audio_mp4";
    let item = Item::photo(ID, 1).with("/music/playUrl", track.into());
    let body = stage.resolve(&item).await;
    assert!(body.get("download_slideshow_link").is_none());
    let entries = body["data"]["video_data"].as_array().expect("entries");
    assert!(entries.iter().all(|entry| entry["format"] != "slideshow"));
    assert_eq!(body["download_link"]["mp3"], entry(&body, "audio")["url"]);
    let sound = stage.api().get(&text(&body, "/download_link/mp3")).await;
    assert_eq!(
        (
            sound.status.as_u16(),
            sound.header("content-type"),
            sound.header("x-filename")
        ),
        (200, "audio/mp4", "harbour_keeper.m4a")
    );
    assert!(body["download_link"]["zip"].is_string());
}

#[tokio::test]
async fn links_of_a_server_with_ffmpeg_are_answered_by_one_without() {
    let upstream = Upstream::start().await;
    let with = Builder::new(&upstream)
        .env("FFMPEG_PATH", "/bin/true")
        .start()
        .await;
    let without = Builder::new(&upstream)
        .env(NO_FFMPEG.0, NO_FFMPEG.1)
        .start()
        .await;
    let track = "https://v77.tiktokcdn.com/a/b/video/tos/test/sound/?a=1180&mime_type=audio_mp4";
    let item = Item::photo(ID, 1).with("/music/playUrl", track.into());
    let post = crate::harness::upstream::tiktok::Post::new(&item);
    let url = post.url();
    post.serve(&upstream.world);
    let bytes = [&b"\0\0\0\x18ftypM4A \0\0\0\0M4A isom"[..], &[7; 5000]].concat();
    let media = Media::of(Payload::Bytes(bytes.clone().into()), "audio/mp4");
    upstream
        .world
        .media(&address(&item, "/music/playUrl"), media);
    let body = with.api().resolve(&url).await;
    let elsewhere = |link: &str| {
        let (_, path) = link.split_once("://").expect("an address");
        path[path.find('/').expect("a path")..].to_owned()
    };
    let video = elsewhere(&text(&body, "/download_slideshow_link"));
    assert_refusal(&without.api().get(&video).await, 501, "ffmpeg_missing");
    let stream = elsewhere(&text(&body, "/data/video_data/0/url"));
    assert_refusal(&without.api().get(&stream).await, 501, "ffmpeg_missing");
    let sound = elsewhere(&text(&body, "/download_link/mp3"));
    let sound = fetch(without.api().request(Method::GET, &sound)).await;
    assert_eq!(
        (
            sound.status.as_u16(),
            sound.header("content-type"),
            sound.header("x-filename")
        ),
        (200, "audio/mp4", "harbour_keeper.m4a")
    );
    assert_eq!(sound.body, bytes);
}

#[tokio::test]
async fn server_without_a_temporary_directory_runs_and_says_so() {
    let stage = Stage::with(|builder| {
        builder
            .file("in-the-way", "a file")
            .env("TEMP_DIR", "in-the-way/temp")
            .env("FFMPEG_PATH", "/bin/true")
    })
    .await;
    let health = stage.api().get("/health").await.json();
    assert_eq!(health["degraded"], serde_json::json!(["temp"]));
    let body = stage.resolve(&Item::photo(ID, 1)).await;
    assert!(body.get("download_slideshow_link").is_none());
    stage.assert_well().await;
}
