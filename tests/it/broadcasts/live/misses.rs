//! Answers of status 200 that are not what was asked for, keys that change, dates by another clock, segments that come slowly.

use serde_json::json;

use super::{Show, Studio, asked, assert_smooth, assert_whole, fared, list, marks, played, reel};
use crate::harness::ingest::Manner;
use crate::harness::upstream::{Fault, Rule};

const VARIANTS: &str = "/api/manifest/hls_variant/";
const PLAYLISTS: &str = "/api/manifest/hls_playlist/";
const SEGMENTS: &str = "/videoplayback/id/";

/// A page of a server in trouble, with status 200.
const PAGE: Fault = Fault::Html {
    content_type: "text/html",
};

#[tokio::test]
async fn pages_in_place_of_playlists_and_segments_lose_nothing() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let show = Show::new(reel(&studio, 24, "").await);
    list(&studio, vec![show]).await;
    let world = studio.stage.world();
    world.fault(Rule::path_prefix(VARIANTS, PAGE).nth(1));
    for number in 4..=7 {
        world.fault(Rule::path_prefix(PLAYLISTS, PAGE).nth(number));
    }
    for number in [1, 4, 5, 9] {
        world.fault(Rule::path_prefix(SEGMENTS, PAGE).nth(number));
    }
    let record = studio.start(json!({ "allow_live": true })).await;
    let (got, marks) = played(&studio, &record).await;
    assert_smooth(&got);
    assert_whole(&marks, 24);
    assert_eq!(asked(&studio, "/file/seg.ts"), 12 + 4);
    let ok = || ("ok".to_owned(), String::new());
    assert_eq!(fared(&studio, &record).await, [ok(), ok()]);
    studio.stage.assert_well().await;
}

#[tokio::test]
async fn playlists_that_are_cut_lose_and_repeat_nothing() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let show = Show::new(reel(&studio, 28, "").await);
    list(&studio, vec![show]).await;
    // In the midst of its head, of the name of a host, and of entries behind others: nothing tells that more should follow.
    for (number, at) in [(2, 30), (5, 100), (8, 460), (11, 640)] {
        let cut = Fault::CloseDelimitedShort { at };
        let rule = Rule::path_prefix(PLAYLISTS, cut).nth(number);
        studio.stage.world().fault(rule);
    }
    let record = studio.start(json!({ "allow_live": true })).await;
    let (got, marks) = played(&studio, &record).await;
    assert_smooth(&got);
    assert_whole(&marks, 28);
    let ok = || ("ok".to_owned(), String::new());
    assert_eq!(fared(&studio, &record).await, [ok(), ok()]);
    studio.stage.assert_well().await;
}

#[tokio::test]
async fn key_that_changes_at_its_address_is_read_again() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let keys = [*b"0123456789abcdef", *b"fedcba9876543210"];
    let show = Show::new(reel(&studio, 16, "").await).rekeyed_at(4, keys);
    list(&studio, vec![show]).await;
    let record = studio.start(json!({ "allow_live": true })).await;
    let (got, marks) = played(&studio, &record).await;
    assert_smooth(&got);
    assert_whole(&marks, 16);
    assert_eq!(asked(&studio, "/sq/key/file/key"), 2, "readings of the key");
    studio.stage.assert_well().await;
}

#[tokio::test]
async fn sound_that_is_dated_by_another_clock_is_heard() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let picture = reel(&studio, 16, "-map 0:v").await;
    let sound = reel(&studio, 16, "-map 0:a").await;
    let show = Show::split(picture, sound).with_sound_from(7000, 3_600_000);
    list(&studio, vec![show]).await;
    let record = studio.start(json!({ "allow_live": true })).await;
    let (got, marks) = played(&studio, &record).await;
    assert_smooth(&got);
    assert_whole(&marks, 16);
    // It is paired by the ends of the playlists, which are a segment apart here.
    let tones = marks.tones.len();
    assert!((16..=19).contains(&tones), "{tones} tones");
    studio.stage.assert_well().await;
}

#[tokio::test]
async fn picture_is_played_without_its_sound_until_that_is_there() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let picture = reel(&studio, 20, "-map 0:v").await;
    let sound = reel(&studio, 20, "-map 0:a").await;
    // Where times break, another run begins.
    let mut show = Show::split(picture, sound)
        .with_sound_from(7000, 0)
        .breaking_at(4);
    show.pause();
    show.mute(true);
    let list = list(&studio, vec![show]).await;
    let record = studio.start(json!({ "allow_live": true })).await;
    studio
        .until(&record, "a picture", |status| {
            status["now"]["position_ms"].as_u64() > Some(1000)
        })
        .await;
    studio.youtube.on_air(&list.entries[0].id, |show| {
        show.mute(false);
        show.go_on();
    });
    let (got, marks) = played(&studio, &record).await;
    assert_smooth(&got);
    assert_whole(&marks, 20);
    // Eight seconds are before the break. Behind it nothing is dated, and the ends of both lists are a segment apart.
    let tones = marks.tones.len();
    assert!((12..=15).contains(&tones), "{:?}", marks.tones);
    let ok = || ("ok".to_owned(), String::new());
    assert_eq!(fared(&studio, &record).await, [ok(), ok()]);
    studio.stage.assert_well().await;
}

#[tokio::test]
async fn segments_that_take_longer_than_a_body_may_be_silent_are_read_once() {
    let Some(studio) = Studio::new([Manner::Keep]).await else {
        return;
    };
    let reel = reel(&studio, 6, "").await;
    let sizes = || reel.segments.iter().map(bytes::Bytes::len);
    let (least, most) = (sizes().min().unwrap(), sizes().max().unwrap());
    let rate = most as u64 / 18;
    assert!(least as u64 / rate > 11, "{least} to {most} bytes");
    let slow = Rule::path_prefix(SEGMENTS, Fault::Rate(rate));
    studio.stage.world().fault(slow);
    list(&studio, vec![Show::new(reel)]).await;
    let record = studio.start(json!({ "allow_live": true })).await;
    studio
        .until(&record, "the end", |status| status["status"] == "stopped")
        .await;
    let got = studio.only();
    assert_smooth(&got);
    assert_whole(&marks(&studio, &got).await, 6);
    for number in 0..3 {
        let times = asked(&studio, &format!("/sq/{number}/file/seg.ts"));
        assert_eq!(times, 1, "requests for segment {number}");
    }
    let ok = || ("ok".to_owned(), String::new());
    assert_eq!(fared(&studio, &record).await, [ok(), ok()]);
    studio.stage.assert_well().await;
}
