//! Addresses that end: before the first byte, in the middle, at once; and files that are not the same afterwards.

use serde_json::json;

use super::{ID, Site, assert_file, parameter};
use crate::harness::upstream::youtube::{Track, Video};
use crate::harness::upstream::{Fault, Rule};
use crate::harness::{assert_refusal, link};

fn sound() -> Track {
    Track::of(140, 213)
}

fn tracks() -> Vec<Track> {
    vec![sound(), Track::of(136, 213)]
}

#[tokio::test]
async fn ended_address_is_replaced_before_the_first_byte() {
    let (site, body) = Site::of(tracks()).await;
    site.youtube.revoke();
    assert_file(&site.get(&link(&body, "140")).await, &sound());
    let players = site.asked("/player");
    assert!(players >= 3, "asked anew: {players}");
    site.assert_well().await;
}

#[tokio::test]
async fn new_way_out_gets_new_addresses() {
    let (site, body) = Site::of(tracks()).await;
    site.youtube.see_visitor_at("2001:db8::2");
    assert_file(&site.get(&link(&body, "140")).await, &sound());
    site.assert_well().await;
}

/// The connection breaks, and by then the address has ended.
fn end_in_the_middle(site: &Site) {
    // Of the first two reads one may be of the last byte alone, which is over before.
    let reset = Fault::Reset { at: 300_000 };
    let world = site.stage.world();
    world.fault(Rule::path_prefix("/videoplayback", reset).first(2));
    site.youtube.revoke_within(1..600_000);
}

#[tokio::test]
async fn file_goes_on_at_its_byte_under_a_new_address() {
    let (site, body) = Site::of(tracks()).await;
    end_in_the_middle(&site);
    assert_file(&site.get(&link(&body, "140")).await, &sound());
    let mut asked = site.media_asked();
    asked.retain(|record| parameter(record, "itag") == "140");
    let (first, last) = (
        asked.first().expect("a read"),
        asked.last().expect("a read"),
    );
    assert_ne!(
        parameter(first, "ei"),
        parameter(last, "ei"),
        "of another answer"
    );
    for name in ["itag", "lmt", "clen"] {
        assert_eq!(parameter(first, name), parameter(last, name), "{name}");
    }
    let range = last.header("range").expect("a part");
    assert!(!range.starts_with("bytes=0-"), "{range}");
    site.assert_well().await;
}

#[tokio::test]
async fn another_file_is_not_mixed_into_the_first() {
    for other in [
        sound().with("lastModified", json!("1700000000000000")),
        sound().sized(700_002),
    ] {
        let (site, body) = Site::of(tracks()).await;
        end_in_the_middle(&site);
        let link = link(&body, "140");
        site.youtube
            .video(Video::new(ID).with_tracks(vec![other, Track::of(136, 213)]));
        let answer = site.get(&link).await;
        assert_eq!((answer.status.as_u16(), answer.is_whole), (200, false));
        let whole = sound().whole(ID);
        assert!(
            whole.starts_with(&answer.body),
            "bytes of the first file only"
        );
    }
}

#[tokio::test]
async fn format_that_went_away_is_not_replaced_in_the_middle() {
    let (site, body) = Site::of(tracks()).await;
    end_in_the_middle(&site);
    let link = link(&body, "140");
    site.youtube
        .video(Video::new(ID).with_tracks(vec![Track::of(251, 213), Track::of(136, 213)]));
    let answer = site.get(&link).await;
    assert_eq!((answer.status.as_u16(), answer.is_whole), (200, false));
}

#[tokio::test]
async fn addresses_that_never_work_are_an_error_and_no_loop() {
    let site = Site::new().await;
    site.youtube.set_lifetime(-3600);
    let body = site.resolve(Video::new(ID)).await;
    let answer = site.get(&link(&body, "140")).await;
    assert_refusal(&answer, 502, "upstream_forbidden");
    assert!(
        site.media_asked().len() <= 6,
        "{} reads",
        site.media_asked().len()
    );
    site.stage.assert_well().await;
}

#[tokio::test]
async fn links_of_a_foreign_instance_are_asked_for_anew() {
    let site = Site::new().await;
    let body = site.resolve(Video::new(ID)).await;
    let link = link(&body, "140");
    let other = crate::harness::TestServer::start(&site.stage.upstream).await;
    let link = link.replace(site.stage.server.base(), other.base());
    site.youtube.revoke();
    assert_file(&other.api().get(&link).await, &sound());
    site.assert_well().await;
}
