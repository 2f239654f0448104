//! Whole files.

use http::Method;

use super::judge::{assert_same_frames, assert_seeks, told};
use super::{PAIR, Pair, link, text};
use crate::harness::fetch;

#[tokio::test]
async fn joined_file_is_the_one_of_the_pure_room() {
    let Some(pair) = Pair::open().await else {
        return;
    };
    let body = pair.resolve().await;
    let expected = pair.expected(&body);
    for route in ["/stream", "/download"] {
        let link = link(&body, PAIR).replace("/stream", route);
        let answer = pair.get(&link).await;
        assert_eq!((answer.status.as_u16(), answer.is_whole), (200, true));
        assert_eq!(answer.header("content-length"), expected.len().to_string());
        assert_eq!(answer.header("accept-ranges"), "bytes");
        assert_eq!(answer.header("content-type"), "video/mp4");
        let etag = answer.header("etag");
        assert!(etag.starts_with('"') && etag.len() == 34, "{etag}");
        let name = answer.header("content-disposition");
        assert!(name.contains("harbour_keeper.mp4"), "{name}");
        assert!(answer.body == expected, "{}", answer.body.len());
    }
    pair.stage.assert_well().await;
}

#[tokio::test]
async fn head_tells_what_get_sends_without_a_byte_of_media() {
    let Some(pair) = Pair::open().await else {
        return;
    };
    let body = pair.resolve().await;
    let link = link(&body, PAIR);
    let whole = pair.get(&link).await;
    pair.assert_head(&link, &whole).await;
}

#[tokio::test]
async fn first_byte_needs_one_read_of_each_track() {
    let Some(pair) = Pair::open().await else {
        return;
    };
    let body = pair.resolve().await;
    let before = pair.stage.world().records().len();
    pair.get(&link(&body, PAIR)).await;
    let reads = pair.reads_since(before);
    let tracks: Vec<&str> = reads.iter().map(|(track, _)| track.as_str()).collect();
    assert_eq!(tracks.len(), 2, "{reads:?}");
    assert!(tracks.contains(&"136") && tracks.contains(&"140"));
    // No byte is read twice, and none of the heads again.
    for (track, range) in reads {
        assert!(range.start > 500, "{track} from {}", range.start);
    }
}

#[tokio::test]
async fn known_file_is_not_sent_again() {
    let Some(pair) = Pair::open().await else {
        return;
    };
    let body = pair.resolve().await;
    let link = link(&body, PAIR);
    let etag = pair.stage.api().head(&link).await.header("etag").to_owned();
    let request = pair.stage.api().request(Method::GET, &link);
    let answer = fetch(request.header("if-none-match", &etag)).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (304, 0));
}

#[tokio::test]
async fn joined_file_decodes_as_its_tracks_and_says_what_it_is() {
    let Some(pair) = Pair::open().await else {
        return;
    };
    let body = pair.resolve().await;
    let joined = pair.get(&link(&body, PAIR)).await.body;
    let dir = tempfile::tempdir().expect("a folder");
    let [picture, sound] = pair.files();
    for (name, bytes) in [
        ("joined.mp4", &joined),
        ("v.mp4", &picture),
        ("a.mp4", &sound),
    ] {
        std::fs::write(dir.path().join(name), bytes).expect("a file");
    }
    assert_same_frames(dir.path(), "joined.mp4", ["v.mp4", "a.mp4"]).await;
    assert_seeks(dir.path(), "joined.mp4", ["v.mp4", "a.mp4"]).await;
    let arguments = "-v error -show_entries format=duration:format_tags joined.mp4";
    let told = told("ffprobe", arguments, dir.path()).await;
    for (tag, pointer) in [
        ("title", "/title"),
        ("artist", "/author/nickname"),
        ("comment", "/url"),
    ] {
        let line = format!("TAG:{tag}={}", text(&body, pointer));
        assert!(told.lines().any(|told| told == line), "{line} in {told}");
    }
    assert!(told.contains("duration=8.0"), "{told}");
}
