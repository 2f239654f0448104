//! Sound as MP3: passed through, transcoded, of known length where the track says its own.

use bytes::Bytes;
use http::Method;
use serde_json::Value;

use super::stage::{ID, Photos, assert_whole};
use crate::harness::upstream::tiktok::Item;
use crate::harness::upstream::{Fault, Gate, Rule};
use crate::harness::{Fetched, address, entry, fetch, text};

pub(super) const SOUND: &str = "/music/playUrl";
pub(super) const NOT_MP3: &str =
    "https://v77.tiktokcdn.com/a/b/video/tos/test/sound/?a=1180&mime_type=audio_mp4";

/// A photo post with this sound, which the site doesn't call MP3.
pub(super) fn serve(photos: &Photos, sound: &Bytes) -> Item {
    let item = Item::photo(ID, 1).with(SOUND, NOT_MP3.into());
    photos.stage.serve(&item);
    photos.put(&item, SOUND, sound, "audio/mp4");
    item
}

/// Half of `track` comes, and no more until the gate is opened.
pub(super) fn hold(photos: &Photos, track: &Bytes) -> Gate {
    let gate = Gate::new();
    let stall = Fault::Stall {
        at: track.len() as u64 / 2,
        gate: gate.clone(),
    };
    let stall = Rule::address(NOT_MP3, stall).besides_tail();
    photos.stage.world().fault(stall);
    gate
}

/// A tone as AAC whose index stands in front of it.
pub(super) async fn track(photos: &Photos, seconds: f64) -> Bytes {
    let codec = "aac -movflags +faststart";
    photos.studio.tone("tone.m4a", seconds, codec).await
}

pub(super) async fn link(photos: &Photos, item: &Item) -> String {
    text(&photos.resolve(item).await, "/download_link/mp3")
}

pub(super) async fn mp3(photos: &Photos, sound: &Bytes) -> (String, Fetched) {
    let item = serve(photos, sound);
    let link = link(photos, &item).await;
    let answer = photos.get(&link).await;
    (link, answer)
}

pub(super) fn seconds(facts: &Value) -> f64 {
    let stream = facts["streams"][0]["duration"]
        .as_str()
        .expect("a duration");
    stream.parse().expect("seconds")
}

pub(super) fn assert_mp3(answer: &Fetched) {
    assert_whole(answer);
    assert_eq!(
        (answer.header("content-type"), answer.header("x-filename")),
        ("audio/mpeg", "harbour_keeper.mp3")
    );
}

#[tokio::test]
async fn cover_that_does_not_come_is_left_out() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    let track = track(&photos, 1.0).await;
    let item = serve(&photos, &track);
    let cover = photos.studio.picture("cover.jpg", "red", "64x64").await;
    photos.put(&item, "/music/coverLarge", &cover, "image/jpeg");
    let gate = Gate::new();
    let stall = Fault::StallBeforeHead(gate.clone());
    let at = address(&item, "/music/coverLarge");
    photos.stage.world().fault(Rule::address(&at, stall));
    let answer = photos.get(&link(&photos, &item).await).await;
    assert_mp3(&answer);
    let facts = photos.studio.probe(&answer.body).await;
    assert_eq!(facts["streams"].as_array().map(Vec::len), Some(1));
    assert!(photos.stage.world().count(&at) > 0);
    gate.open();
}

#[tokio::test]
async fn track_is_transcoded_with_exact_length_ranges_and_tags() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    let track = track(&photos, 7.3).await;
    let item = serve(&photos, &track);
    let cover = photos.studio.picture("cover.jpg", "red", "64x64").await;
    photos.put(&item, "/music/coverLarge", &cover, "image/jpeg");
    let link = link(&photos, &item).await;
    let whole = photos.get(&link).await;
    assert_mp3(&whole);
    assert_eq!(whole.header("content-length"), whole.body.len().to_string());
    assert_eq!(whole.header("accept-ranges"), "bytes");
    let facts = photos.studio.probe(&whole.body).await;
    let stream = &facts["streams"][0];
    assert_eq!(
        (&stream["codec_name"], &stream["bit_rate"]),
        (&"mp3".into(), &"192000".into())
    );
    assert!((seconds(&facts) - 7.3).abs() < 0.1, "{facts:#}");
    let tags = &facts["format"]["tags"];
    assert_eq!(
        (&tags["title"], &tags["artist"]),
        (&"Sea song".into(), &"The Harbour Band".into())
    );
    assert_eq!(facts["streams"][1]["codec_name"], "mjpeg", "no cover");
    assert!(photos.studio.loudness(&whole.body, 0.2, 7.2).await > -40.0);

    let api = photos.stage.api();
    let head = api.head(&link).await;
    for name in [
        "content-length",
        "content-type",
        "etag",
        "x-filename",
        "accept-ranges",
    ] {
        assert_eq!(head.header(name), whole.header(name), "{name}");
    }
    let total = whole.body.len();
    for (from, to) in [
        (0, 10),
        (5, total),
        (total / 2, total / 2 + 20_000),
        (total - 1, total),
    ] {
        let part = api
            .get_range(&link, &format!("bytes={from}-{}", to - 1))
            .await;
        assert_eq!(
            (part.status.as_u16(), part.is_whole),
            (206, true),
            "{from}..{to}"
        );
        assert!(part.body == whole.body.slice(from..to), "{from}..{to}");
    }
    let request = api
        .request(Method::GET, &link)
        .header("range", "bytes=1000-");
    let resumed = fetch(request.header("if-range", whole.header("etag"))).await;
    assert_eq!(
        (resumed.status.as_u16(), resumed.body.len()),
        (206, total - 1000)
    );
    photos.assert_nothing_left().await;
    photos.stage.assert_well().await;
}

#[tokio::test]
async fn track_that_is_mp3_passes_through_byte_for_byte() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    let track = photos.studio.tone("tone.mp3", 2.0, "libmp3lame").await;
    // Whatever the site calls it.
    let (_, answer) = mp3(&photos, &track).await;
    assert_mp3(&answer);
    assert!(answer.body == track);
    let item = photos.serve(
        "7524919459643919104",
        std::slice::from_ref(&track),
        Some(&track),
    );
    let link = link(&photos, &item).await;
    let answer = photos.get(&link).await;
    assert_mp3(&answer);
    assert!(answer.body == track);
    let asked = photos
        .stage
        .world()
        .look(|traffic| traffic.of(&address(&item, SOUND)).count());
    assert!(
        asked <= 3,
        "more than a look, the file and its tail: {asked}"
    );
}

#[tokio::test]
async fn track_with_its_index_at_the_end_is_read_whole_first() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    let track = photos.studio.tone("tone.m4a", 5.0, "aac").await;
    let (_, answer) = mp3(&photos, &track).await;
    assert_mp3(&answer);
    assert!((seconds(&photos.studio.probe(&answer.body).await) - 5.0).abs() < 0.1);
    photos.assert_nothing_left().await;
}

#[tokio::test]
async fn sound_inside_a_video_is_taken_out() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    let arguments = "-f lavfi -i testsrc=s=64x64:d=3 -f lavfi -i sine=440:d=3 -c:v libx264 -c:a aac -movflags +faststart";
    let video = photos.studio.make("video.mp4", arguments).await;
    let item = Item::video(ID).without("/music/playUrl");
    photos.stage.serve(&item);
    let smallest = "/video/bitrateInfo/3/PlayAddr/UrlList";
    for mirror in 0..2 {
        let pointer = format!("{smallest}/{mirror}");
        photos.put(&item, &pointer, &video, "video/mp4");
    }
    let link = link(&photos, &item).await;
    let answer = photos.get(&link).await;
    assert_mp3(&answer);
    let facts = photos.studio.probe(&answer.body).await;
    assert_eq!(facts["streams"][0]["codec_name"], "mp3");
    assert!((seconds(&facts) - 3.0).abs() < 0.1, "{facts:#}");
}

#[tokio::test]
async fn track_that_the_site_wrongly_calls_mp3_is_transcoded_all_the_same() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    for (number, name, codec) in [
        (1, "tone.m4a", "aac -movflags +faststart"),
        (2, "tone.aac", "aac -f adts"),
    ] {
        let track = photos.studio.tone(name, 2.0, codec).await;
        let id = format!("752491945964391923{number}");
        let item = photos.serve(&id, std::slice::from_ref(&track), Some(&track));
        let body = photos.resolve(&item).await;
        // The site's word is the extension of its own entry.
        assert_eq!(entry(&body, "audio")["extension"], "mp3", "{body:#}");
        let answer = photos.get(&text(&body, "/download_link/mp3")).await;
        assert_mp3(&answer);
        let facts = photos.studio.probe(&answer.body).await;
        assert_eq!(facts["streams"][0]["codec_name"], "mp3", "{name}");
        assert!((seconds(&facts) - 2.0).abs() < 0.1, "{facts:#}");
    }
}

#[tokio::test]
async fn transcoded_sound_is_what_ffmpeg_makes_of_the_track_frame_by_frame() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    let track = track(&photos, 4.0).await;
    let (_, answer) = mp3(&photos, &track).await;
    assert_mp3(&answer);
    let options =
        "-i tone.m4a -ac 2 -ar 48000 -c:a libmp3lame -b:a 192k -reservoir 0 -write_xing 0";
    let expected = photos.studio.make("expected.mp3", options).await;
    let (made, expected) = (
        photos
            .studio
            .framehash(&answer.body, "-map 0:a -c copy")
            .await,
        photos.studio.framehash(&expected, "-map 0:a -c copy").await,
    );
    // At the end a frame of silence more or less is possible.
    let common = expected.len().min(made.len());
    assert!(made.len().abs_diff(expected.len()) <= 2 && common > 160);
    assert_eq!(made[..common - 1], expected[..common - 1]);
}
