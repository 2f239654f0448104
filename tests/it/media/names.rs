//! File names and types: safe on every system, right on most.

use serde_json::{Value, json};

use crate::harness::upstream::tiktok::Item;
use crate::harness::upstream::{Media, Payload};
use crate::harness::{Stage, address, link, text};

const PLAY: &str = "h264_720p_1490112";

/// A post's id that differs with `number`.
fn id(number: usize) -> String {
    format!("75249194596439{number:05}")
}

#[tokio::test]
async fn odd_authors_give_safe_names() {
    let stage = Stage::new().await;
    let long = "long.".repeat(40);
    let long_ascii = format!("{}.mp4", "long_".repeat(12));
    let long_full = format!(
        "attachment; filename=\"{long_ascii}\"; filename*=UTF-8''{}.mp4",
        "long.".repeat(12).trim_end_matches('.')
    );
    for (number, (author, x_filename, disposition)) in [
        ("white_house", "white_house.mp4", "attachment; filename=\"white_house.mp4\""),
        ("José 日本 user", "Jos_____user.mp4", "attachment; filename=\"Jos_____user.mp4\"; filename*=UTF-8''Jos%C3%A9%20%E6%97%A5%E6%9C%AC%20user.mp4"),
        ("日本", "video.mp4", "attachment; filename=\"video.mp4\"; filename*=UTF-8''%E6%97%A5%E6%9C%AC.mp4"),
        ("../../etc/passwd", "____etc_passwd.mp4", "attachment; filename=\"____etc_passwd.mp4\"; filename*=UTF-8''_.._etc_passwd.mp4"),
        ("a\r\nSet-Cookie: x=1", "a__Set_Cookie__x_1.mp4", "attachment; filename=\"a__Set_Cookie__x_1.mp4\"; filename*=UTF-8''aSet-Cookie_%20x%3D1.mp4"),
        ("\"quoted\"; x", "_quoted___x.mp4", "attachment; filename=\"_quoted___x.mp4\"; filename*=UTF-8''_quoted_%3B%20x.mp4"),
        ("", "video.mp4", "attachment; filename=\"video.mp4\""),
        ("___", "video.mp4", "attachment; filename=\"video.mp4\""),
        ("CON", "video.mp4", "attachment; filename=\"video.mp4\""),
        ("a\u{202e}4pm", "a_4pm.mp4", "attachment; filename=\"a_4pm.mp4\"; filename*=UTF-8''a4pm.mp4"),
        (&long, &long_ascii, &long_full),
    ]
    .into_iter()
    .enumerate()
    {
        let item = Item::video(&id(number)).with("/author/uniqueId", author.into());
        stage.serve(&item);
        let url = format!("https://www.tiktok.com/video/{}", id(number));
        let body = stage.api().resolve(&url).await;
        let head = stage.api().head(&link(&body, PLAY)).await;
        assert_eq!(head.status, 200, "{author}");
        assert_eq!(head.header("x-filename"), x_filename, "{author}");
        assert_eq!(head.header("content-disposition"), disposition, "{author}");
        assert!(!head.headers.contains_key("set-cookie"), "{author}");
    }
}

#[tokio::test]
async fn pictures_have_the_type_and_ending_of_what_comes() {
    let stage = Stage::new().await;
    let item = Item::photo(&id(90), 1);
    let body = stage.resolve(&item).await;
    let at = address(&item, "/imagePost/images/0/imageURL/urlList/0");
    let link = text(&body, "/download_link/no_watermark/0");
    for (upstream, content_type, ending) in [
        ("image/jpeg", "image/jpeg", "jpg"),
        ("image/webp", "image/webp", "webp"),
        ("image/png", "image/png", "png"),
        ("image/gif", "image/gif", "gif"),
        ("image/avif", "image/avif", "avif"),
        ("Image/HEIC; x=1", "image/heic", "heic"),
        ("image/heif", "image/heic", "heic"),
        (
            "application/octet-stream",
            "application/octet-stream",
            "jpg",
        ),
        ("image/svg+xml", "application/octet-stream", "jpg"),
    ] {
        stage.world().media(&at, Media::random(9, 4001, upstream));
        let image = stage.api().get(&link).await;
        assert_eq!(
            (image.status.as_u16(), image.body.len()),
            (200, 4001),
            "{upstream}"
        );
        assert_eq!(image.header("content-type"), content_type, "{upstream}");
        assert_eq!(
            image.header("x-filename"),
            format!("harbour_keeper_1.{ending}"),
            "{upstream}"
        );
    }
    stage.assert_well().await;
}

#[tokio::test]
async fn sound_that_is_no_mp3_is_not_called_so() {
    // With ffmpeg it becomes MP3.
    let stage = Stage::with(|builder| builder.env("FFMPEG_PATH", "/nowhere")).await;
    let track = "https://v77.tiktokcdn.com/a/b/video/tos/test/sound/?a=1180&mime_type=audio_mp4";
    let item = Item::video(&id(91)).with("/music/playUrl", track.into());
    let body = stage.resolve(&item).await;
    let sound = stage.api().get(&text(&body, "/download_link/mp3")).await;
    assert_eq!(
        (sound.header("content-type"), sound.header("x-filename")),
        ("audio/mp4", "harbour_keeper.m4a")
    );
    assert_eq!(
        sound.sha256(),
        stage.file(&item, "/music/playUrl").payload.sha256()
    );
}

#[tokio::test]
async fn text_under_a_media_address_is_never_passed_on() {
    let stage = Stage::new().await;
    for (number, (content_type, bytes)) in [
        (
            "text/html; charset=utf-8",
            &b"<html>Access Denied</html>"[..],
        ),
        ("application/json", b"{\"code\":1}"),
        ("video/mp4", b"<!DOCTYPE html><html>Access Denied</html>"),
        ("image/jpeg", b"  <HTML><head>"),
    ]
    .into_iter()
    .enumerate()
    {
        let item = Item::photo(&id(92 + number), 1);
        let body = stage.resolve(&item).await;
        let list = item
            .json()
            .pointer("/imagePost/images/0/imageURL/urlList")
            .and_then(Value::as_array)
            .expect("a list");
        for address in list {
            let page = Media::of(Payload::Bytes(bytes.into()), content_type);
            stage
                .world()
                .media(address.as_str().expect("an address"), page);
        }
        let image = stage
            .api()
            .get(&text(&body, "/download_link/no_watermark/0"))
            .await;
        let refused = crate::harness::assert_refusal(&image, 502, "upstream_error");
        assert_eq!(refused["code"], json!(502), "{content_type}");
    }
}
