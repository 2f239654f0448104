//! Pairs in WebM: files as those in MP4 are.

use http::Method;
use serde_json::json;
use serverrs::media::Clip;

use super::judge::{assert_same_frames, assert_seeks, told};
use super::ranges::{RANGES, assert_ranges, random_ranges};
use super::{Pair, WEBM_PAIR, assembly, entry, link, text};
use crate::harness::fetch;

#[tokio::test]
async fn webm_pair_is_offered_with_its_exact_size() {
    let Some(pair) = Pair::open_webm().await else {
        return;
    };
    let body = pair.resolve().await;
    let first = &body["data"]["video_data"][0];
    for (key, value) in [
        ("format_id", json!(WEBM_PAIR)),
        ("filesize", json!(pair.expected(&body).len())),
        ("extension", json!("webm")),
        ("vcodec", json!("vp9")),
        ("acodec", json!("opus")),
        ("merged", json!(true)),
    ] {
        assert_eq!(first[key], value, "{key}");
    }
    assert_eq!(body["download_link"]["no_watermark"], first["url"]);
    // The end of the index is told, so one read of each does.
    assert_eq!(pair.reads_since(0).len(), 2);
}

#[tokio::test]
async fn webm_file_is_the_one_of_the_pure_room() {
    let Some(pair) = Pair::open_webm().await else {
        return;
    };
    let body = pair.resolve().await;
    let expected = pair.expected(&body);
    let link = link(&body, WEBM_PAIR);
    let before = pair.stage.world().records().len();
    let answer = pair.get(&link).await;
    assert_eq!((answer.status.as_u16(), answer.is_whole), (200, true));
    assert!(answer.body == expected);
    assert_eq!(pair.reads_since(before).len(), 2, "one read of each track");
    pair.assert_head(&link, &answer).await;
    for (name, value) in [
        ("content-length", &*expected.len().to_string()),
        ("content-type", "video/webm"),
        ("accept-ranges", "bytes"),
    ] {
        assert_eq!(answer.header(name), value);
    }
    assert!(
        answer
            .header("content-disposition")
            .contains("harbour_keeper.webm")
    );
    let request = pair.stage.api().request(Method::GET, &link);
    let rest = request
        .header("range", "bytes=50000-")
        .header("if-range", answer.header("etag"));
    let rest = fetch(rest).await;
    assert!(rest.status == 206 && rest.body == expected[50_000..]);
    let request = pair.stage.api().request(Method::GET, &link);
    let known = fetch(request.header("if-none-match", answer.header("etag"))).await;
    assert_eq!(known.status.as_u16(), 304);
    pair.stage.assert_well().await;
}

#[tokio::test]
async fn webm_parts_are_those_of_the_whole() {
    let Some(pair) = Pair::open_webm().await else {
        return;
    };
    let body = pair.resolve().await;
    let whole = pair.expected(&body);
    let link = link(&body, WEBM_PAIR);
    assert_ranges(&pair, &link, &whole, random_ranges(whole.len(), RANGES)).await;
    // Around the beginning of each cluster.
    let is_cluster = |at: &usize| whole[*at..].starts_with(&[0x1F, 0x43, 0xB6, 0x75]);
    let clusters: Vec<usize> = (0..whole.len()).filter(is_cluster).collect();
    assert!(clusters.len() >= 6, "{clusters:?}");
    let around = clusters
        .iter()
        .flat_map(|at| [at - 1, *at, at + 1, at + 20]);
    assert_ranges(
        &pair,
        &link,
        &whole,
        around.map(|at| (at, at + 40)).collect(),
    )
    .await;
}

#[tokio::test]
async fn middle_of_a_webm_run_is_reached_in_one_read() {
    let Some(pair) = Pair::open_webm().await else {
        return;
    };
    let body = pair.resolve().await;
    let whole = pair.expected(&body);
    let before = pair.stage.world().records().len();
    let start = whole.len() / 2;
    let part = pair
        .get_range(
            &link(&body, WEBM_PAIR),
            &format!("bytes={start}-{}", start + 99),
        )
        .await;
    assert!(part.body == whole[start..start + 100]);
    let reads = pair.reads_since(before);
    assert_eq!(reads.len(), 1, "{reads:?}");
}

#[tokio::test]
async fn webm_file_decodes_as_its_tracks_after_every_seek() {
    let Some(pair) = Pair::open_webm().await else {
        return;
    };
    let body = pair.resolve().await;
    let joined = pair.get(&link(&body, WEBM_PAIR)).await.body;
    let dir = tempfile::tempdir().expect("a folder");
    let [picture, sound] = pair.files();
    for (name, bytes) in [("joined", &joined), ("v", &picture), ("a", &sound)] {
        std::fs::write(dir.path().join(name), bytes).expect("a file");
    }
    assert_same_frames(dir.path(), "joined", ["v", "a"]).await;
    let probe = "-v error -show_entries format=duration:format_tags joined";
    let told = told("ffprobe", probe, dir.path()).await;
    let title = format!("TAG:TITLE={}", text(&body, "/title"));
    assert!(
        told.contains(&title) && told.contains("duration=8.0"),
        "{told}"
    );
    assert_seeks(dir.path(), "joined", ["v", "a"]).await;
}

#[tokio::test]
async fn webm_clip_is_the_one_of_the_pure_room() {
    let Some(pair) = Pair::open_webm().await else {
        return;
    };
    let fields = json!({ "start": 2.5, "end": 5 });
    let body = pair.resolve_with(fields).await.json();
    let clip = Clip {
        start_ms: 2500,
        end_ms: Some(5000),
    };
    let said = assembly::Said::of(&body);
    let whole = assembly::assemble(&pair.files(), &said, Some(clip));
    assert!(whole.len() < pair.expected(&body).len() * 2 / 3);
    assert_eq!(entry(&body, WEBM_PAIR)["filesize"], json!(whole.len()));
    let answer = pair.get(&link(&body, WEBM_PAIR)).await;
    assert!(answer.is_whole && answer.body == whole);
    let late = pair.resolve_with(json!({ "start": 100 })).await.json();
    let answer = pair.get(&link(&late, WEBM_PAIR)).await;
    assert_eq!(answer.json()["error_code"], "clip_out_of_range");
}

#[tokio::test]
async fn cues_that_lie_are_told() {
    let Some(pair) = Pair::open_webm().await else {
        return;
    };
    let whole = pair.expected(&pair.resolve().await);
    let lying = |at: usize| {
        let mut bytes = pair.files()[0].to_vec();
        let cluster = [0x1F, 0x43, 0xB6, 0x75];
        let places = bytes.windows(4).enumerate();
        let places = places.filter(|(_, found)| *found == cluster);
        let place = places.map(|(place, _)| place).nth(at).expect("a cluster");
        bytes[place] ^= 1;
        pair.tracks[0].clone().holding_bytes(bytes.into())
    };
    for (at, is_early) in [(0, true), (3, false)] {
        let tracks = vec![lying(at), pair.tracks[1].clone()];
        pair.youtube.video(pair.video().with_tracks(tracks));
        let fresh = json!({ "no_cache": true, "exact": true });
        let body = pair.resolve_with(fresh).await.json();
        let answer = pair.get(&link(&body, WEBM_PAIR)).await;
        if is_early {
            assert!(answer.status.is_server_error(), "{}", answer.status);
        } else {
            assert_eq!((answer.status.as_u16(), answer.is_whole), (200, false));
            assert!(whole.starts_with(&answer.body));
        }
    }
}
