//! Covers inside of files: only where they are asked for, and the same for every part of a download.

use bytes::Bytes;
use serde_json::{Value, json};

use super::judge::told;
use super::{PAIR, Pair, assembly, entry, link, text};
use crate::harness::upstream::{Fault, Media, Payload, Rule};

/// A JPEG.
async fn picture() -> Bytes {
    let dir = tempfile::tempdir().expect("a folder");
    let make = "-v error -f lavfi -i color=red:s=64x64 -frames:v 1 cover.jpg";
    told("ffmpeg", make, dir.path()).await;
    std::fs::read(dir.path().join("cover.jpg"))
        .expect("a picture")
        .into()
}

async fn with_cover(pair: &Pair) -> Value {
    let fields = json!({ "cover": true, "no_cache": true });
    pair.resolve_with(fields).await.json()
}

#[tokio::test]
async fn cover_is_in_the_file_where_it_is_asked_for() {
    let Some(pair) = Pair::open().await else {
        return;
    };
    let plain = pair.resolve().await;
    let address = text(&plain, "/cover");
    let jpeg = picture().await;
    let media = Media::of(Payload::Bytes(jpeg.clone()), "image/jpeg");
    pair.stage.world().media(&address, media);
    let whole = pair.get(&link(&plain, PAIR)).await;
    assert_eq!(pair.stage.world().count(&address), 0, "nobody asked for it");

    let body = with_cover(&pair).await;
    let said = assembly::Said::of(&body).with_cover(jpeg.clone());
    let expected = assembly::assemble(&pair.files(), &said, None);
    assert!(expected.len() > whole.body.len() + jpeg.len());
    assert_eq!(entry(&body, PAIR)["filesize"], json!(expected.len()));
    let link = link(&body, PAIR);
    let answer = pair.get(&link).await;
    assert!(answer.is_whole && answer.body == expected);
    pair.assert_head(&link, &answer).await;
    for name in ["content-length", "etag"] {
        assert_ne!(whole.header(name), answer.header(name), "{name}");
    }
    let rest = pair.get_range(&link, "bytes=1000-").await;
    assert!(rest.status == 206 && rest.body == expected[1000..]);
    assert_eq!(pair.stage.world().count(&address), 1, "it is kept");

    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("joined"), &answer.body).expect("a file");
    let probe = "-v error -show_entries stream=codec_name:stream_disposition=attached_pic -of csv=p=0 joined";
    let streams = told("ffprobe", probe, dir.path()).await;
    assert!(streams.contains("mjpeg,1"), "{streams}");
    pair.stage.assert_well().await;
}

#[tokio::test]
async fn cover_that_cannot_be_had_is_left_out() {
    let Some(pair) = Pair::open().await else {
        return;
    };
    let plain = pair.resolve().await;
    let address = text(&plain, "/cover");
    let page = Media::of(Payload::Bytes(Bytes::from_static(b"<html>")), "text/html");
    pair.stage.world().media(&address, page);
    pair.stage
        .world()
        .fault(Rule::address(&address, Fault::Status(404)).first(1));
    let whole = pair.get(&link(&plain, PAIR)).await;
    let body = with_cover(&pair).await;
    let answer = pair.get(&link(&body, PAIR)).await;
    assert!(answer.is_whole && answer.body == whole.body);
    assert_eq!(answer.header("etag"), whole.header("etag"));
    assert_eq!(entry(&body, PAIR)["filesize"], json!(whole.body.len()));
}
