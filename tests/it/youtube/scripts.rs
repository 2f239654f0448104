//! Clients whose addresses need the player script: asked when the first one doesn't play.

use super::{ID, Site, assert_file};
use crate::harness::link;
use crate::harness::upstream::Record;
use crate::harness::upstream::youtube::{Refusal, Track, Video};

/// A video that VISIONOS doesn't play.
fn for_others(id: &str) -> Video {
    Video::new(id).refusing_client("VISIONOS", Refusal::NotAvailable)
}

fn scripts(site: &Site) -> usize {
    let is_script = |record: &&Record| record.target.ends_with("/base.js");
    site.stage
        .world()
        .look(|traffic| traffic.records.iter().filter(is_script).count())
}

#[tokio::test]
async fn ciphered_video_plays_at_full_speed() {
    let site = Site::new().await;
    site.youtube.refuse_plain_n();
    let body = site.resolve(for_others(ID)).await;
    for itag in [18, 140, 137] {
        let answer = site.get(&link(&body, &itag.to_string())).await;
        assert_file(&answer, &Track::of(itag, 213));
    }
    site.assert_well().await;
}

#[tokio::test]
async fn embedded_player_stands_in_for_the_television() {
    let site = Site::new().await;
    let video = for_others(ID).refusing_client("TVHTML5", Refusal::NotAvailable);
    let body = site.resolve(video).await;
    assert_file(&site.get(&link(&body, "140")).await, &Track::of(140, 213));
    site.assert_well().await;
}

#[tokio::test]
async fn age_gate_is_passed_where_the_embedded_player_may() {
    let site = Site::new().await;
    let video = ["VISIONOS", "WEB", "TVHTML5", "ANDROID"]
        .into_iter()
        .fold(Video::new(ID), |video, client| {
            video.refusing_client(client, Refusal::Age)
        });
    let body = site.resolve(video).await;
    assert_file(&site.get(&link(&body, "140")).await, &Track::of(140, 213));
    site.assert_well().await;
}

#[tokio::test]
async fn script_is_fetched_once_for_many_videos() {
    let site = Site::new().await;
    for number in 0..4 {
        site.resolve(for_others(&format!("ciphered{number:03}")))
            .await;
    }
    assert_eq!(scripts(&site), 1);
    site.assert_well().await;
}

#[tokio::test]
async fn first_client_needs_no_script() {
    let site = Site::new().await;
    site.resolve(Video::new(ID)).await;
    assert_eq!(scripts(&site), 0);
}
