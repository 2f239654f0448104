//! Cuts, refused addresses, pauses, programs that are killed.

use serde_json::json;

use super::{Show, Studio, assert_smooth, assert_whole, fared, list, marks, played, reel};
use crate::harness::ingest::Manner;
use crate::harness::upstream::youtube::{LARGE_SEGMENTS, Video};
use crate::harness::upstream::{Fault, Progress, Rule};

#[tokio::test]
async fn cut_segments_and_refused_addresses_lose_nothing() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let show = Show::new(reel(&studio, 24, "").await);
    let list = list(&studio, vec![show]).await;
    let id = list.entries[0].id.clone();
    let cut = Rule::path_prefix("/videoplayback/id/", Fault::Reset { at: 6_000 });
    studio.stage.world().fault(cut);
    let record = studio.start(json!({ "allow_live": true })).await;
    studio
        .until(&record, "on air", |status| {
            status["now"]["source"] == "live"
        })
        .await;
    studio.youtube.on_air(&id, Show::revoke);
    studio
        .until(&record, "new addresses", |status| {
            status["faults"]["url_refreshes"].as_u64() > Some(0)
        })
        .await;
    let (got, marks) = played(&studio, &record).await;
    assert_smooth(&got);
    assert_whole(&marks, 24);
    let (cuts, refused) = studio.stage.world().look(|traffic| {
        let reads = traffic.records.iter();
        let cuts = reads.filter(|record| record.progress == Progress::Cut);
        (cuts.count(), traffic.refused.len())
    });
    assert!(
        cuts >= 12 && refused >= 1,
        "{cuts} cuts, {refused} answers 403"
    );
    studio.stage.assert_well().await;
}

#[tokio::test]
async fn live_item_that_comes_too_slowly_goes_on_with_fewer_lines() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let reel = reel(&studio, 32, "").await;
    let bytes: usize = reel.segments.iter().map(bytes::Bytes::len).sum();
    // Half of what is played.
    let slow = Fault::Rate(bytes as u64 / 32 / 2);
    studio.stage.world().fault(Rule::host(LARGE_SEGMENTS, slow));
    let list = list(&studio, vec![Show::in_two_sizes(&reel)]).await;
    let record = studio.start(json!({ "allow_live": true })).await;
    let (got, marks) = played(&studio, &record).await;
    assert_smooth(&got);
    assert_whole(&marks, 32);
    let logs = studio.messages(&record).await;
    assert_eq!(logs.matches("with at most 480 lines").count(), 1, "{logs}");
    let id = &list.entries[0].id;
    let of_size = |itag: u32| {
        let segment = format!("/videoplayback/id/{id}.1/");
        let itag = format!("/itag/{itag}/");
        studio.stage.world().look(|traffic| {
            let asked = traffic.records.iter().map(|record| &record.target);
            asked
                .filter(|target| target.starts_with(&segment) && target.contains(&itag))
                .count()
        })
    };
    // 20 s at half the pace are five segments of two seconds; the rest comes in the other size.
    let (large, small) = (of_size(95), of_size(93));
    assert!(
        (5..=8).contains(&large) && small >= 8,
        "{large} large, {small} small"
    );
    let ok = || ("ok".to_owned(), String::new());
    assert_eq!(fared(&studio, &record).await, [ok(), ok()]);
    studio.stage.assert_well().await;
}

#[tokio::test]
async fn pause_shows_the_slate_and_what_comes_after_it_is_played() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let mut show = Show::new(reel(&studio, 14, "").await);
    show.pause();
    let list = list(&studio, vec![show]).await;
    let id = list.entries[0].id.clone();
    let record = studio.start(json!({ "allow_live": true })).await;
    // Longer than the program may be silent.
    studio
        .until(&record, "the pause", |status| {
            status["now"]["source"] == "live"
                && status["pids"].as_array().is_some_and(Vec::is_empty)
        })
        .await;
    studio.youtube.on_air(&id, Show::go_on);
    let (got, marks) = played(&studio, &record).await;
    assert_smooth(&got);
    assert_whole(&marks, 14);
    let ok = || ("ok".to_owned(), String::new());
    assert_eq!(fared(&studio, &record).await, [ok(), ok()]);
    studio.stage.assert_well().await;
}

#[tokio::test]
async fn item_that_the_site_calls_over_has_ended() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let mut show = Show::new(reel(&studio, 12, "").await).endless();
    show.pause();
    let list = list(&studio, vec![show]).await;
    let id = list.entries[0].id.clone();
    let record = studio.start(json!({ "allow_live": true })).await;
    studio
        .until(&record, "on air", |status| {
            status["now"]["source"] == "live"
        })
        .await;
    studio.youtube.video(Video::new(&id));
    studio.youtube.on_air(&id, Show::revoke);
    let (got, marks) = played(&studio, &record).await;
    assert_smooth(&got);
    assert_whole(&marks, 6);
    let ok = || ("ok".to_owned(), String::new());
    assert_eq!(fared(&studio, &record).await, [ok(), ok()]);
}

#[tokio::test]
async fn killed_program_is_followed_by_one_that_goes_on() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let mut show = Show::new(reel(&studio, 30, "").await);
    show.pause();
    let list = list(&studio, vec![show]).await;
    let id = list.entries[0].id.clone();
    let record = studio.start(json!({ "allow_live": true })).await;
    let running = studio
        .until(&record, "on air", |status| {
            status["now"]["position_ms"].as_u64() > Some(1000) && status["pid"].is_u64()
        })
        .await;
    let pid = running["pid"].as_u64().unwrap().to_string();
    let killed = tokio::process::Command::new("kill")
        .args(["-9", &pid])
        .status()
        .await;
    assert!(killed.unwrap().success());
    studio.youtube.on_air(&id, Show::go_on);
    studio
        .until(&record, "the end", |status| status["status"] == "stopped")
        .await;
    let got = studio.only();
    assert_smooth(&got);
    let marks = marks(&studio, &got).await;
    // What the program held is played again from the beginning of its segment.
    let count = marks.flashes.len();
    assert!((33..=35).contains(&count), "{count} flashes");
    let ok = || ("ok".to_owned(), String::new());
    assert_eq!(fared(&studio, &record).await, [ok(), ok()]);
    studio.stage.assert_well().await;
}

#[tokio::test]
async fn item_that_brings_nothing_is_skipped() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let empty = Show::listing("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n");
    list(&studio, vec![empty]).await;
    let record = studio.start(json!({ "allow_live": true })).await;
    studio
        .until(&record, "the end", |status| {
            matches!(status["status"].as_str(), Some("stopped" | "failed"))
        })
        .await;
    let silent = ("skipped".to_owned(), "live_silent".to_owned());
    assert_eq!(fared(&studio, &record).await[0], silent);
}
