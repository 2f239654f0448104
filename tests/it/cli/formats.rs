//! `get -f`: what of a post.

use std::collections::BTreeMap;

use super::{Bench, ID, SAVED};
use crate::harness::upstream::tiktok::Item;
use crate::harness::upstream::youtube::{Video, YouTube, joinable_tracks};
use crate::harness::upstream::{Media, Payload};
use crate::harness::{address, run, skip};

#[tokio::test]
async fn selectors_and_ids_choose_among_the_formats() {
    let (bench, item, url) = Bench::with_video().await;
    let listed = bench.run(&["info", &url]).await;
    let line = listed.text().lines().find(|line| line.contains("576x1024"));
    let id = line
        .and_then(|line| line.split_whitespace().next())
        .expect("an id");
    let small = bench.file(&item, "/video/bitrateInfo/2/PlayAddr/UrlList/0");
    for format in [id, "b[height<=1024]"] {
        let done = bench.run(&["get", &url, "-f", format, "-o", "-"]).await;
        done.assert_code(0);
        assert!(done.stdout == small.payload.whole(), "{format}");
    }
}

#[tokio::test]
async fn format_that_is_not_there_is_unavailable_and_one_that_can_not_be_read_is_usage() {
    let (bench, _, url) = Bench::with_video().await;
    for (format, code, word) in [
        ("slideshow", 69, "format_not_found"),
        ("zip", 69, "format_not_found"),
        ("b[height<=10]", 69, "format_not_found"),
        ("b[height<", 64, "invalid_selector"),
    ] {
        let done = bench.run(&["get", &url, "-f", format]).await;
        done.assert_code(code);
        assert!(done.stderr.contains(word), "{format}: {}", done.stderr);
    }
    assert_eq!(bench.names(), [""; 0]);
}

#[tokio::test]
async fn sound_is_saved_as_mp3() {
    let (bench, item, url) = Bench::with_video().await;
    // What a frame of MP3 begins with; the rest is not looked at.
    let bytes = [b"\xff\xfb\x90\x00", &*vec![7; 90_000]].concat();
    let sound = Media::of(Payload::Bytes(bytes.into()), "audio/mpeg");
    bench
        .world()
        .media(&address(&item, "/music/playUrl"), sound);
    let done = bench.run(&["get", &url, "-f", "mp3", "-o", "-"]).await;
    done.assert_code(0);
    assert!(done.stdout == bench.file(&item, "/music/playUrl").payload.whole());
    bench.run(&["get", &url, "-f", "mp3"]).await.assert_code(0);
    assert_eq!(bench.names(), [SAVED.replace(".mp4", ".mp3")]);
}

#[tokio::test]
async fn photos_come_as_one_archive_or_alone() {
    let bench = Bench::open().await;
    let item = Item::photo(ID, 3);
    let url = bench.serve(&item);
    for number in 0..3 {
        // What a JPEG begins with; the rest is not looked at.
        let bytes = [b"\xff\xd8\xff\xe0", &[number; 4000][..]].concat();
        let picture = Media::of(Payload::Bytes(bytes.into()), "image/jpeg");
        let pointer = format!("/imagePost/images/{number}/imageURL/urlList/0");
        bench.world().media(&address(&item, &pointer), picture);
    }
    bench.run(&["get", &url]).await.assert_code(0);
    bench
        .run(&["get", &url, "-f", "image-2"])
        .await
        .assert_code(0);
    let stem = SAVED.trim_end_matches(".mp4");
    assert_eq!(
        bench.names(),
        [format!("{stem}.zip"), format!("{stem}_2.jpg")]
    );
    let zip = bench.path(&format!("{stem}.zip"));
    let listed = run(
        "python3",
        ["-m", "zipfile", "-t", zip.to_str().expect("text")],
        &BTreeMap::new(),
        bench.dir.path(),
    )
    .await;
    assert!(listed.status.success(), "{listed:?}");
    let second = bench.file(&item, "/imagePost/images/1/imageURL/urlList/0");
    let saved = std::fs::read(bench.path(&format!("{stem}_2.jpg"))).expect("the file");
    assert!(saved == second.payload.whole());
}

#[tokio::test]
async fn two_tracks_come_as_one_file_that_plays() {
    let Some(tracks) = joinable_tracks().await else {
        return skip("ffmpeg", "it is not installed, or makes no such files");
    };
    let bench = Bench::open().await;
    let youtube = YouTube::open(bench.world());
    let video = Video::new("harbour0001").with_tracks(tracks.to_vec());
    let url = video.url();
    youtube.video(video);
    let done = bench.run(&["get", &url, "-o", "a.mp4"]).await;
    done.assert_code(0);
    assert_eq!(bench.names(), ["a.mp4"]);
    let probe = "-v error -show_entries stream=codec_type -of csv=p=0 a.mp4";
    let probed = run(
        "ffprobe",
        probe.split(' '),
        &BTreeMap::new(),
        bench.dir.path(),
    )
    .await;
    let streams = String::from_utf8(probed.stdout).expect("text");
    assert_eq!(
        streams.split_whitespace().collect::<Vec<_>>(),
        ["video", "audio"]
    );
}
