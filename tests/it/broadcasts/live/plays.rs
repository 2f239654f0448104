//! What goes well.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    Show, Studio, asked, assert_smooth, assert_whole, fared, list, longest_gap, played, reel,
};
use crate::broadcasts::air::seen_of_children;
use crate::broadcasts::{get, route};
use crate::harness::ingest::Manner;
use crate::harness::upstream::youtube::{Layout, Playlist, Video};

#[tokio::test]
async fn live_item_is_played_to_its_end_and_the_next_one_follows() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let show = Show::new(reel(&studio, 20, "").await);
    list(&studio, vec![show]).await;
    let record = studio.start(json!({ "allow_live": true })).await;
    let running = studio
        .until(&record, "on air", |status| {
            status["status"] == "running" && status["now"]["position_ms"].as_u64() > Some(1000)
        })
        .await;
    let now = &running["now"];
    assert_eq!(
        (&now["source"], &now["duration_ms"]),
        (&json!("live"), &Value::Null)
    );
    assert_eq!(
        now["title"],
        "The harbour from above & \u{ab}beyond\u{bb} \u{1f342}"
    );
    let processes = seen_of_children();
    let (got, marks) = played(&studio, &record).await;
    assert_smooth(&got);
    assert_whole(&marks, 20);
    let offsets = marks.offsets();
    assert_eq!(offsets.len(), 23);
    let is_together = |offset: &f64| (-40.0..=60.0).contains(offset);
    assert!(offsets.iter().all(is_together), "{offsets:?}");
    let gap = longest_gap(&got);
    assert!(gap < Duration::from_secs(1), "{gap:?} without a message");
    let ok = || ("ok".to_owned(), String::new());
    assert_eq!(fared(&studio, &record).await, [ok(), ok()]);
    // The program is told of addresses on this machine alone.
    assert!(processes.contains("ffmpeg") && !processes.contains("googlevideo"));
    studio.stage.assert_well().await;
}

#[tokio::test]
async fn sound_of_its_own_comes_with_its_picture() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let picture = reel(&studio, 16, "-map 0:v").await;
    let sound = reel(&studio, 16, "-map 0:a").await;
    list(&studio, vec![Show::split(picture, sound)]).await;
    let record = studio.start(json!({ "allow_live": true })).await;
    let (got, marks) = played(&studio, &record).await;
    assert_smooth(&got);
    assert_whole(&marks, 16);
    assert_eq!(marks.tones.len(), 19);
    let offsets = marks.offsets();
    assert_eq!(offsets.len(), 19);
    let is_together = |offset: &f64| (-60.0..=80.0).contains(offset);
    assert!(offsets.iter().all(is_together), "{offsets:?}");
    studio.stage.assert_well().await;
}

#[tokio::test]
async fn sound_that_is_cut_and_counted_otherwise_comes_with_its_picture() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let picture = reel(&studio, 16, "-map 0:v").await;
    // Half a second is missing at its beginning.
    let sound = reel(&studio, 17, "-map 0:a -ss 0.5").await;
    let show = Show::split(picture, sound).with_sound_from(7000, 500);
    list(&studio, vec![show]).await;
    let record = studio.start(json!({ "allow_live": true })).await;
    let (got, marks) = played(&studio, &record).await;
    assert_smooth(&got);
    assert_whole(&marks, 16);
    // The first tone is not in it.
    let offsets = marks.offsets();
    assert!((17..=19).contains(&offsets.len()), "{offsets:?}");
    let is_together = |offset: &f64| (-60.0..=80.0).contains(offset);
    assert!(offsets[1..].iter().all(is_together), "{offsets:?}");
    studio.stage.assert_well().await;
}

#[tokio::test]
async fn encrypted_segments_are_played() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let show = Show::new(reel(&studio, 12, "").await).encrypted(*b"0123456789abcdef");
    list(&studio, vec![show]).await;
    let record = studio.start(json!({ "allow_live": true })).await;
    let (got, marks) = played(&studio, &record).await;
    assert_smooth(&got);
    assert_whole(&marks, 12);
    assert_eq!(asked(&studio, "/sq/key/file/key"), 1, "readings of the key");
    studio.stage.assert_well().await;
}

#[tokio::test]
async fn fragments_and_times_that_begin_anew_are_one_item() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let mp4 = reel(&studio, 12, "-hls_segment_type fmp4").await;
    assert!(mp4.init.is_some());
    // The second half has the times of the first.
    let mut ts = reel(&studio, 6, "").await;
    let again = reel(&studio, 12, "").await;
    ts.segments.extend_from_slice(&again.segments[..3]);
    let ts = Show::new(ts).breaking_at(3);
    list(&studio, vec![Show::new(mp4), ts]).await;
    let record = studio.start(json!({ "allow_live": true })).await;
    let (got, marks) = played(&studio, &record).await;
    assert_smooth(&got);
    assert_eq!(marks.levels.len(), 12 + 6 + 6 + 3, "{:?}", marks.levels);
    let even = |pair: &&[f64]| !(900.0..=1100.0).contains(&(pair[1] - pair[0]));
    let uneven = marks.flashes.windows(2).filter(even).count();
    // The slate may stand between items and runs.
    assert!(uneven <= 3, "{:?}", marks.flashes);
    studio.stage.assert_well().await;
}

#[tokio::test]
async fn live_item_passes_through_as_it_is() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let first = reel(&studio, 6, "").await;
    let mut both = reel(&studio, 8, "").await;
    both.segments.extend(first.segments);
    let list = list(&studio, vec![Show::new(both).breaking_at(4)]).await;
    let fields = json!({ "allow_live": true, "video_mode": "copy", "start_with_slate": false });
    let record = studio.start(fields).await;
    let (got, marks) = played(&studio, &record).await;
    assert_eq!(marks.levels.len(), 8 + 6 + 3, "{:?}", marks.levels);
    // The profile of its own encoder, not that of ours: baseline, not main.
    let video = &got.records()[0];
    assert_eq!(video[6], 66, "{video:?}");
    let path = format!("{}/logs?limit=100", route(&record));
    let logs = get(studio.server(), &path).await;
    let rows = logs["logs"].as_array().unwrap().iter();
    // The film behind it announces its sound at greater length, and is not like it.
    let encoded = rows.filter(|row| row["message"].as_str().unwrap().contains("encoded from"));
    let encoded: Vec<&Value> = encoded.map(|row| &row["item_id"]).collect();
    assert_eq!(encoded, [&list.entries[1].id]);
    studio.stage.assert_well().await;
}

#[tokio::test]
async fn live_and_announced_items_are_skipped_where_they_are_not_wanted() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let film = super::MIXED[0].film(3, studio.dir.path()).await.unwrap();
    let entries = Playlist::new(super::LIST, Layout::Classic, 3);
    let ids: Vec<&str> = entries.entries.iter().map(|entry| &*entry.id).collect();
    studio.youtube.playlist(entries.clone());
    studio.youtube.air(ids[0], Show::listing("#EXTM3U\n"));
    studio
        .youtube
        .video(Video::new(ids[1]).upcoming(2_000_000_000));
    studio.youtube.video(super::video(ids[2], film, 3));
    for (allow_live, first) in [(false, "is_live"), (true, "unsupported_format")] {
        let record = studio.start(json!({ "allow_live": allow_live })).await;
        studio
            .until(&record, "the end", |status| status["status"] == "stopped")
            .await;
        let skipped = |reason: &str| ("skipped".to_owned(), reason.to_owned());
        let ok = ("ok".to_owned(), String::new());
        let wanted = [skipped(first), skipped("is_upcoming"), ok];
        assert_eq!(fared(&studio, &record).await, wanted);
    }
    studio.stage.assert_well().await;
}

#[tokio::test]
async fn live_item_ends_after_the_minutes_of_its_broadcast() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let show = Show::new(reel(&studio, 80, "").await);
    list(&studio, vec![show]).await;
    let fields = json!({ "allow_live": true, "max_item_minutes": 1 });
    let record = studio.start(fields).await;
    studio
        .until(&record, "some of it", |status| {
            status["now"]["position_ms"].as_u64() > Some(30_000)
        })
        .await;
    let (got, marks) = played(&studio, &record).await;
    assert_smooth(&got);
    assert_whole(&marks, 60);
    studio.stage.assert_well().await;
}

#[tokio::test]
async fn stopped_broadcast_joins_what_is_on_air_where_it_is() {
    let Some(studio) = Studio::new([Manner::Keep, Manner::Keep]).await else {
        return;
    };
    let list = list(&studio, vec![Show::new(reel(&studio, 40, "").await)]).await;
    let record = studio.start(json!({ "allow_live": true })).await;
    studio
        .until(&record, "some of it", |status| {
            status["now"]["position_ms"].as_u64() > Some(3000)
        })
        .await;
    studio.post(&record, "stop?wait=30").await;
    let shown = studio
        .youtube
        .on_air(&list.entries[0].id, |show| show.shown());
    studio.post(&record, "start").await;
    studio
        .until(&record, "the end", |status| status["status"] == "stopped")
        .await;
    let all = studio.ingest.publications();
    let marks = super::marks(&studio, &all[1]).await;
    // Three segments lie between the end of the window and where it is joined, and one comes with each reading.
    let most = 40 - 2 * (shown - 3) + 3;
    let (least, got) = (most - 4, marks.flashes.len());
    assert!((least..=most).contains(&got), "{got} of {least} to {most}");
    studio.stage.assert_well().await;
}
