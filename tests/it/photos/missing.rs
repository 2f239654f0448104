//! Without ffmpeg, or without a directory for temporary files: the server runs, says so, and offers what it can do.

use std::os::unix::fs::PermissionsExt;

use http::Method;

use super::stage::ID;
use crate::harness::upstream::tiktok::Item;
use crate::harness::upstream::{Media, Payload, Upstream};
use crate::harness::{Builder, ENCODERS, Stage, address, assert_refusal, entry, fetch, text};

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
    let with = Builder::new(&upstream).ffmpeg_with(&ENCODERS).start().await;
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
            .ffmpeg_with(&ENCODERS)
    })
    .await;
    let health = stage.api().get("/health").await.json();
    assert_eq!(health["degraded"], serde_json::json!(["temp"]));
    let body = stage.resolve(&Item::photo(ID, 1)).await;
    assert!(body.get("download_slideshow_link").is_none());
    stage.assert_well().await;
}

/// What `/health` says of FFmpeg, and whether slideshow and MP3 are offered.
async fn offered(stage: &Stage) -> (bool, bool, bool, bool) {
    let health = stage.api().get("/health").await.json();
    let track = "https://v77.tiktokcdn.com/a/b/video/tos/test/sound/?a=1180&mime_type=audio_mp4";
    let item = Item::photo(ID, 1).with("/music/playUrl", track.into());
    let body = stage.resolve(&item).await;
    let is_degraded = health["degraded"] == serde_json::json!(["ffmpeg"]);
    let has_mp3 = body["download_link"]["mp3"] != entry(&body, "audio")["url"];
    let has_video = body.get("download_slideshow_link").is_some();
    (health["ffmpeg"] == true, is_degraded, has_video, has_mp3)
}

#[tokio::test]
async fn program_that_is_no_working_ffmpeg_counts_as_none() {
    for script in [
        "not for running",
        "#!/nowhere/sh\n",
        "#!/bin/sh\nexit 1\n",
        "#!/bin/sh\nkill -9 $$\n",
        "#!/bin/sh\necho something else\n",
    ] {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("ffmpeg");
        std::fs::write(&path, script).expect("file");
        let is_program = script.starts_with("#!");
        let mode = if is_program { 0o755 } else { 0o644 };
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("mode");
        let stage =
            Stage::with(|builder| builder.env("FFMPEG_PATH", &path.to_string_lossy())).await;
        assert_eq!(
            offered(&stage).await,
            (false, true, false, false),
            "{script}"
        );
    }
}

#[tokio::test]
async fn ffmpeg_that_hangs_counts_as_none_and_holds_nothing_up_for_long() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("ffmpeg");
    std::fs::write(&path, "#!/bin/sh\nsleep 600 & sleep 600\n").expect("file");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("mode");
    let stage = Stage::with(|builder| builder.env("FFMPEG_PATH", &path.to_string_lossy())).await;
    assert_eq!(offered(&stage).await, (false, true, false, false));
    assert!(super::stage::children(stage.server.pid()).is_empty());
}

#[tokio::test]
async fn encoder_that_is_lacking_takes_only_its_own_offer_along() {
    for (encoders, has_video, has_mp3) in [
        (&["libx264", "aac"][..], true, false),
        (&["aac", "libmp3lame"][..], false, true),
    ] {
        let stage = Stage::with(|builder| builder.ffmpeg_with(encoders)).await;
        let expected = (true, true, has_video, has_mp3);
        assert_eq!(offered(&stage).await, expected, "{encoders:?}");
    }
}
