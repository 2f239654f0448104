//! What is said of pairs.

use serde_json::json;

use super::{ID, PAIR, Pair, entry, text};
use crate::harness::Stage;
use crate::harness::upstream::Record;
use crate::harness::upstream::youtube::{Track, Video, YouTube};

#[tokio::test]
async fn default_pair_comes_first_with_its_exact_size() {
    let Some(pair) = Pair::open().await else {
        return;
    };
    let body = pair.resolve().await;
    let first = &body["data"]["video_data"][0];
    assert_eq!(first["format_id"], PAIR);
    assert_eq!(first["filesize"], json!(pair.expected(&body).len()));
    for (key, value) in [
        ("format", json!("video-720p")),
        ("extension", json!("mp4")),
        ("vcodec", json!("h264")),
        ("acodec", json!("aac")),
        ("has_video", json!(true)),
        ("has_audio", json!(true)),
        ("merged", json!(true)),
        ("watermark", json!(false)),
    ] {
        assert_eq!(first[key], value, "{key}");
    }
    for key in ["no_watermark", "no_watermark_hd"] {
        assert_eq!(body["download_link"][key], first["url"], "{key}");
    }
    // FFmpeg puts a table behind the runs, which is looked at.
    let reads = pair.reads_since(0);
    assert_eq!(reads.len(), 4, "head and tail of each track: {reads:?}");
    assert!(
        reads
            .iter()
            .all(|(_, range)| range.end - range.start < 5000)
    );
    pair.resolve().await;
    assert_eq!(pair.reads_since(0).len(), 4, "heads are kept");
}

#[tokio::test]
async fn sizes_of_all_pairs_are_found_out_when_asked_for() {
    let Some(pair) = Pair::open().await else {
        return;
    };
    let small = pair.tracks[0]
        .clone()
        .with("itag", json!(135))
        .with("width", json!(854))
        .with("height", json!(480))
        .with("qualityLabel", json!("480p"));
    let tracks = [pair.tracks.to_vec(), vec![small]].concat();
    pair.youtube.video(Video::new(ID).with_tracks(tracks));
    let body = pair.resolve_with(json!({})).await.json();
    let other = entry(&body, "135+140");
    assert_eq!(other["filesize"], json!(null));
    let sum: u64 = pair.files().iter().map(|file| file.len() as u64).sum();
    assert_eq!(other["filesize_approx"], json!(sum));
    assert_eq!(body["download_link"]["no_watermark"], other["url"]);
    let body = pair.resolve_with(json!({ "exact": true })).await.json();
    let size = pair.expected(&body).len();
    for id in [PAIR, "135+140"] {
        assert_eq!(entry(&body, id)["filesize"], json!(size), "{id}");
    }
}

#[tokio::test]
async fn pairs_take_the_meant_sound() {
    let stage = Stage::new().await;
    let youtube = YouTube::open(stage.world());
    let sound = |id: &str, name: &str, is_default| Track::of(140, 213).spoken(id, name, is_default);
    let video = Video::new(ID).with_tracks(vec![
        Track::of(137, 213),
        Track::of(248, 213),
        sound("de.3", "German", true),
        sound("en.4", "English original", false),
        Track::of(251, 213),
    ]);
    let url = video.url();
    youtube.video(video);
    let body = stage.api().resolve(&url).await;
    let entries = body["data"]["video_data"].as_array().expect("video_data");
    let pairs: Vec<String> = entries
        .iter()
        .filter(|entry| entry["merged"] == true)
        .map(|entry| text(entry, "/format_id"))
        .collect();
    assert_eq!(pairs, ["137+140-1", "248+251"]);
    assert_eq!(entry(&body, "140-1")["language"], "en");
}

#[tokio::test]
async fn tracks_that_are_no_media_leave_the_answer_whole() {
    let stage = Stage::new().await;
    let youtube = YouTube::open(stage.world());
    let video = Video::new(ID);
    let url = video.url();
    youtube.video(video);
    let body = stage.api().resolve(&url).await;
    let first = &body["data"]["video_data"][0];
    assert_eq!(first["filesize"], json!(null));
    let media = || {
        let records = stage.world().records();
        let is_media = |record: &&Record| record.host.ends_with(".googlevideo.com");
        records.iter().filter(is_media).count()
    };
    let asked = media();
    stage.api().resolve(&url).await;
    assert_eq!(media(), asked, "nobody asks twice for what is no head");
    let answer = stage.api().get(&text(first, "/url")).await;
    assert_eq!(answer.status.as_u16(), 502, "before the first byte");
    assert_eq!(answer.json()["error_code"], "extraction_failed");
}
