//! Parts of a video by `start` and `end`.

use serde_json::{Value, json};
use serverrs::media::Clip;

use super::{ID, PAIR, Pair, assembly, entry, link};
use crate::harness::upstream::youtube::{Track, Video};

fn expected(pair: &Pair, body: &Value, start_ms: u64, end_ms: Option<u64>) -> Vec<u8> {
    let clip = Clip { start_ms, end_ms };
    assembly::assemble(&pair.files(), &assembly::Said::of(body), Some(clip))
}

#[tokio::test]
async fn clip_is_the_one_of_the_pure_room() {
    let Some(pair) = Pair::open().await else {
        return;
    };
    for (fields, start_ms, end_ms) in [
        (json!({ "start": 2.5, "end": 5 }), 2500, Some(5000)),
        (json!({ "start": "4" }), 4000, None),
        (json!({ "end": 1 }), 0, Some(1000)),
    ] {
        let body = pair.resolve_with(fields.clone()).await.json();
        let whole = expected(&pair, &body, start_ms, end_ms);
        assert_eq!(
            entry(&body, PAIR)["filesize"],
            json!(whole.len()),
            "{fields}"
        );
        let link = link(&body, PAIR);
        let answer = pair.get(&link).await;
        assert_eq!(answer.header("content-length"), whole.len().to_string());
        assert!(answer.is_whole && answer.body == whole, "{fields}");
        let half = whole.len() / 2;
        let part = pair.get_range(&link, &format!("bytes={half}-")).await;
        assert!(part.status == 206 && part.body == whole[half..], "{fields}");
    }
    let all = pair.resolve().await;
    let clip = pair
        .resolve_with(json!({ "start": 1, "end": 2 }))
        .await
        .json();
    let size = |body: &Value| entry(body, PAIR)["filesize"].as_u64().expect("a size");
    assert!(size(&clip) < size(&all) / 2);
    pair.stage.assert_well().await;
}

#[tokio::test]
async fn answer_about_a_clip_offers_nothing_but_the_clip() {
    let Some(pair) = Pair::open().await else {
        return;
    };
    let body = pair.resolve_with(json!({ "start": 2 })).await.json();
    let entries = body["data"]["video_data"].as_array().expect("video_data");
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["merged"], true);
    assert!(body["download_link"].get("mp3").is_none());
}

#[tokio::test]
async fn clips_that_cannot_be_are_refused() {
    let Some(pair) = Pair::open().await else {
        return;
    };
    for fields in [
        json!({ "start": -1 }),
        json!({ "start": 3, "end": 2 }),
        json!({ "end": "x" }),
    ] {
        let answer = pair.resolve_with(fields.clone()).await;
        assert_eq!(answer.status.as_u16(), 422, "{fields}");
        assert_eq!(answer.json()["error_code"], "invalid_field");
    }
    let body = pair.resolve_with(json!({ "start": 100 })).await.json();
    let answer = pair.get(&link(&body, PAIR)).await;
    assert_eq!(answer.status.as_u16(), 400);
    assert_eq!(answer.json()["error_code"], "clip_out_of_range");
    pair.youtube
        .video(Video::new(ID).with_tracks(vec![Track::of(248, 8), Track::of(140, 8)]));
    let answer = pair
        .resolve_with(json!({ "start": 1, "no_cache": true }))
        .await;
    assert_eq!(answer.status.as_u16(), 422);
    assert_eq!(answer.json()["error_code"], "clip_unsupported");
}
