//! Whole files.

use std::collections::BTreeMap;

use http::Method;

use super::{PAIR, Pair, link, text};
use crate::harness::upstream::sha256_hex;
use crate::harness::{fetch, run};

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
    let before = pair.stage.world().records().len();
    let head = pair.stage.api().head(&link).await;
    assert_eq!(pair.reads_since(before), []);
    let whole = pair.get(&link).await;
    for name in [
        "content-length",
        "content-type",
        "content-disposition",
        "accept-ranges",
        "etag",
    ] {
        assert_eq!(head.header(name), whole.header(name), "{name}");
    }
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
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

/// Frames of a file as ffmpeg decodes them, hashed.
async fn frames(dir: &std::path::Path, file: &str, track: &str) -> String {
    let arguments = format!(
        "-nostdin -v error -threads 1 -copyts -i {file} -map 0:{track} -fps_mode passthrough -f framehash -"
    );
    let output = run(
        "ffmpeg",
        arguments.split_whitespace(),
        &BTreeMap::new(),
        dir,
    )
    .await;
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && stderr.is_empty(),
        "{file}: {stderr}"
    );
    let text = String::from_utf8(output.stdout).expect("text");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.collect::<Vec<_>>().join("\n")
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
    for (track, source) in [("v", "v.mp4"), ("a", "a.mp4")] {
        let ours = frames(dir.path(), "joined.mp4", track).await;
        assert!(ours.lines().count() > 100);
        assert_eq!(
            sha256_hex(ours.as_bytes()),
            sha256_hex(frames(dir.path(), source, track).await.as_bytes())
        );
    }
    let arguments = "-v error -show_entries format=duration:format_tags joined.mp4".split(' ');
    let probe = run("ffprobe", arguments, &BTreeMap::new(), dir.path()).await;
    let told = String::from_utf8_lossy(&probe.stdout).into_owned();
    for (tag, pointer) in [
        ("title", "/title"),
        ("artist", "/author/nickname"),
        ("comment", "/url"),
    ] {
        let line = format!("TAG:{tag}={}", text(&body, pointer));
        assert!(told.lines().any(|told| told == line), "{line} in {told}");
    }
    assert!(told.contains("duration=8.0"), "{told}");
    assert!(probe.stderr.is_empty());
}
