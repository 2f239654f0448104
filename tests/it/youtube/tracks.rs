//! One of several sound tracks: their formats are numbered anew in every answer of the site, their links are not.

use serde_json::{Value, json};

use super::{ID, Site, assert_file};
use crate::harness::upstream::youtube::{Track, Video, joinable_tracks};
use crate::harness::{TestServer, assert_refusal, entry, link, skip, text};

const ENGLISH: (&str, &str) = ("en.4", "English original");
const GERMAN: (&str, &str) = ("de.3", "German");
const FRENCH: (&str, &str) = ("fr.3", "French");

fn sound((id, name): (&str, &str)) -> Track {
    Track::of(140, 213).spoken(id, name, false)
}

fn video(sounds: &[(&str, &str)]) -> Video {
    let sounds = sounds.iter().copied().map(sound);
    Video::new(ID).with_tracks(std::iter::once(Track::of(136, 213)).chain(sounds).collect())
}

/// The link of the sound in a language.
fn spoken(body: &Value, language: &str) -> String {
    let entries = body["data"]["video_data"].as_array().expect("video_data");
    let is_meant = |entry: &&Value| entry["has_video"] == false && entry["language"] == language;
    text(entries.iter().find(is_meant).expect("a track"), "/url")
}

impl Site {
    /// Puts another state of the video on the site, and lets the server see it.
    async fn change(&self, video: Video) -> Value {
        let request = json!({ "url": video.url(), "no_cache": true }).to_string();
        self.youtube.video(video);
        let answer = self.stage.api().post("/resolve", &request).await;
        assert_eq!(answer.status, 200);
        answer.json()
    }
}

#[tokio::test]
async fn link_keeps_its_track_when_the_numbers_change() {
    let site = Site::new().await;
    let before = site.resolve(video(&[ENGLISH, GERMAN])).await;
    let links =
        [("en", ENGLISH), ("de", GERMAN)].map(|(code, track)| (spoken(&before, code), track));
    let after = site.change(video(&[FRENCH, ENGLISH, GERMAN])).await;
    let numbers = |body: &Value| {
        let entries = body["data"]["video_data"].as_array().expect("video_data");
        let of = |code: &str| {
            let is_meant = |entry: &&Value| entry["language"] == code;
            text(
                entries.iter().find(is_meant).expect("a track"),
                "/format_id",
            )
        };
        ["en", "de"].map(of)
    };
    assert_ne!(
        numbers(&before),
        numbers(&after),
        "they were given out anew"
    );
    for (link, track) in &links {
        assert_file(&site.get(link).await, &sound(*track));
    }
    // One track alone has no number at all.
    site.change(video(&[GERMAN])).await;
    assert_file(&site.get(&links[1].0).await, &sound(GERMAN));
    let gone = site.get(&links[0].0).await;
    assert_refusal(&gone, 404, "format_not_found");
    site.assert_well().await;
}

#[tokio::test]
async fn instance_that_never_saw_the_numbers_gives_the_track_too() {
    let site = Site::new().await;
    let body = site.resolve(video(&[ENGLISH, GERMAN])).await;
    let link = spoken(&body, "de");
    site.youtube.video(video(&[GERMAN, FRENCH, ENGLISH]));
    let other = TestServer::start(&site.stage.upstream).await;
    let link = link.replace(site.stage.server.base(), other.base());
    assert_file(&other.api().get(&link).await, &sound(GERMAN));
    site.assert_well().await;
}

#[tokio::test]
async fn track_goes_on_in_the_middle_under_another_number() {
    use crate::harness::upstream::{Fault, Rule};
    let site = Site::new().await;
    let body = site.resolve(video(&[ENGLISH, GERMAN])).await;
    let link = spoken(&body, "de");
    site.youtube.video(video(&[FRENCH, ENGLISH, GERMAN]));
    let reset = Fault::Reset { at: 300_000 };
    let world = site.stage.world();
    world.fault(Rule::path_prefix("/videoplayback", reset).first(2));
    site.youtube.revoke_within(1..600_000);
    assert_file(&site.get(&link).await, &sound(GERMAN));
    site.assert_well().await;
}

#[tokio::test]
async fn link_without_a_track_goes_by_its_number() {
    let (site, body) = Site::of(vec![Track::of(136, 213), Track::of(140, 213)]).await;
    let link = link(&body, "140");
    site.change(video(&[GERMAN, ENGLISH])).await;
    // The nearest of its kind: the original.
    assert_file(&site.get(&link).await, &sound(ENGLISH));
    site.assert_well().await;
}

/// Real files, so that they can be joined: the same picture, and the same sound said to be of two languages.
async fn joinable() -> Option<Vec<Track>> {
    let tracks = joinable_tracks().await;
    if tracks.is_none() {
        skip("ffmpeg", "there is none that makes the tracks");
    }
    Some(tracks?.to_vec())
}

#[tokio::test]
async fn joined_file_keeps_its_sound_when_the_numbers_change() {
    let Some(tracks) = joinable().await else {
        return;
    };
    let site = Site::new().await;
    let spoken = |(id, name): (&str, &str)| tracks[1].clone().spoken(id, name, false);
    let video = |sounds: &[(&str, &str)]| {
        let sounds = sounds.iter().copied().map(spoken);
        Video::new(ID).with_tracks(std::iter::once(tracks[0].clone()).chain(sounds).collect())
    };
    let before = site.resolve(video(&[ENGLISH, GERMAN])).await;
    let first = text(&before, "/data/video_data/0/url");
    let whole = site.get(&first).await;
    assert_eq!((whole.status.as_u16(), whole.is_whole), (200, true));
    let after = site.change(video(&[FRENCH, ENGLISH, GERMAN])).await;
    let pairs = [&before, &after].map(|body| text(body, "/data/video_data/0/format_id"));
    assert_ne!(pairs[0], pairs[1], "the sound has another number");
    assert!(entry(&after, &pairs[1])["merged"] == true);
    let seen = site.media_asked().len();
    let again = site.get(&first).await;
    assert_eq!(again.sha256(), whole.sha256());
    assert_eq!(
        again.header("etag"),
        whole.header("etag"),
        "a download goes on"
    );
    for read in &site.media_asked()[seen..] {
        let xtags = read.address.split("xtags=").nth(1).unwrap_or_default();
        assert!(xtags.is_empty() || xtags.contains("lang%3Den"), "{xtags}");
    }
    site.change(video(&[GERMAN, FRENCH])).await;
    assert_refusal(&site.get(&first).await, 404, "format_not_found");
    site.assert_well().await;
}

#[tokio::test]
async fn link_says_no_track_where_there_is_one() {
    let site = Site::new().await;
    let one = site.resolve(Video::new(ID)).await;
    let two = site.change(video(&[ENGLISH, GERMAN])).await;
    assert!(link(&one, "140").len() < spoken(&two, "en").len());
}
