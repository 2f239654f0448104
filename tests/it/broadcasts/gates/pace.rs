//! How soon a broadcast is on air.

use std::time::{Duration, Instant};

use serde_json::json;
use serverrs::broadcast::flv::TagKind;

use super::{LIST, Studio, assert_within, marks, video};
use crate::harness::film::MIXED;
use crate::harness::ingest::{Manner, shown_at};
use crate::harness::lateness::Lateness;
use crate::harness::upstream::youtube::{Layout, Playlist};

/// From the request to the first message of media, which may be the slate's.
const MEDIA: Duration = Duration::from_millis(1500);
/// From the request to the first picture of an item.
const PICTURE: Duration = Duration::from_secs(3);

/// What two starts of the same list may differ by.
const SLACK: Duration = Duration::from_millis(300);
/// Where the site tells of pages of lists.
const PAGES: &str = "/youtubei/v1/browse";

/// A start.
struct Begun {
    /// From the request to the first picture of an item, less what the machine was late by.
    picture: Duration,
    /// What the site was asked before the first byte of a file, besides pages of the list: those come beside it.
    asked: Vec<String>,
}

/// Starts a list of so many videos, of which the first one can be played.
async fn begin(length: usize) -> Option<Begun> {
    let studio = Studio::new([Manner::Keep]).await?;
    let list = Playlist::new(LIST, Layout::Lockup, length);
    let film = MIXED[0].film(12, studio.dir.path()).await.unwrap();
    studio.youtube.video(video(&list.entries[0].id, film, 12));
    studio.youtube.playlist(list);
    let record = studio.make(json!({})).await;
    let lateness = Lateness::watch();
    let from = Instant::now();
    studio.post(&record, "start").await;
    studio
        .until(&record, "a second of the item", |status| {
            status["now"]["position_ms"].as_u64() >= Some(1000)
        })
        .await;
    let got = studio.only();
    let flash = marks(&studio, &got).await.flashes[0];
    let pictures = got.played().filter(|got| got.tag.kind == TagKind::Video);
    let mut of_item = pictures.skip_while(|got| (shown_at(&got.tag) - flash).abs() > 0.5);
    let picture = of_item.next().expect("the picture of the flash").at;
    let first = got.played().next().expect("media").at;
    println!("a list of {length}:");
    assert_within(MEDIA, "start to media", from, first, &lateness);
    assert_within(PICTURE, "start to picture", from, picture, &lateness);
    let asked = studio.stage.world().records().into_iter();
    let asked = asked
        .map(|record| {
            let path = record.target.split('?').next().unwrap_or_default();
            path.to_owned()
        })
        .take_while(|path| path != "/videoplayback")
        .filter(|path| path != PAGES);
    Some(Begun {
        picture: (picture - from).saturating_sub(lateness.between(from, picture)),
        asked: asked.collect(),
    })
}

#[tokio::test]
async fn list_of_1000_is_on_air_as_soon_as_one_of_3() {
    let (Some(short), Some(long)) = (begin(3).await, begin(1000).await) else {
        return;
    };
    let (few, many) = (short.asked.len(), long.asked.len());
    println!("asked before the first file: {few}, {many}");
    assert!(many <= few + 1, "{:?}, {:?}", long.asked, short.asked);
    let limit = short.picture * 3 / 2 + SLACK;
    assert!(
        long.picture <= limit,
        "{:?}, {:?}",
        long.picture,
        short.picture
    );
}
