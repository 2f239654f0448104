//! Sound as MP3: passed through, transcoded, of known length where the track says its own.

use bytes::Bytes;
use http::Method;
use serde_json::Value;

use super::stage::{ID, Photos};
use crate::harness::upstream::tiktok::Item;
use crate::harness::upstream::{Fault, Gate, Rule};
use crate::harness::{Fetched, address, assert_refusal, eventually, fetch, text};

const SOUND: &str = "/music/playUrl";
const NOT_MP3: &str =
    "https://v77.tiktokcdn.com/a/b/video/tos/test/sound/?a=1180&mime_type=audio_mp4";

/// A photo post with this sound, which the site doesn't call MP3.
fn serve(photos: &Photos, sound: &Bytes) -> Item {
    let item = Item::photo(ID, 1).with(SOUND, NOT_MP3.into());
    photos.stage.serve(&item);
    photos.put(&item, SOUND, sound, "audio/mp4");
    item
}

async fn link(photos: &Photos, item: &Item) -> String {
    text(&photos.resolve(item).await, "/download_link/mp3")
}

async fn mp3(photos: &Photos, sound: &Bytes) -> (String, Fetched) {
    let item = serve(photos, sound);
    let link = link(photos, &item).await;
    let answer = photos.get(&link).await;
    (link, answer)
}

fn seconds(facts: &Value) -> f64 {
    let stream = facts["streams"][0]["duration"]
        .as_str()
        .expect("a duration");
    stream.parse().expect("seconds")
}

fn assert_mp3(answer: &Fetched) {
    assert_eq!(
        (answer.status.as_u16(), answer.is_whole),
        (200, true),
        "{}",
        String::from_utf8_lossy(&answer.body[..answer.body.len().min(500)])
    );
    assert_eq!(
        (answer.header("content-type"), answer.header("x-filename")),
        ("audio/mpeg", "harbour_keeper.mp3")
    );
}

#[tokio::test]
async fn track_is_transcoded_with_exact_length_ranges_and_tags() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    let track = photos
        .studio
        .tone("tone.m4a", 7.3, "aac -movflags +faststart")
        .await;
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
    assert!(asked <= 2, "more than the file and its tail: {asked}");
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
async fn track_of_unknown_length_is_sent_in_chunks() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    let track = photos.studio.tone("tone.webm", 5.0, "libopus").await;
    let (link, answer) = mp3(&photos, &track).await;
    assert_mp3(&answer);
    let first = photos.stage.api().get_range(&link, "bytes=0-0").await;
    assert!(
        first.status == 200 && first.body == answer.body,
        "{}",
        first.body.len()
    );
    assert!(!answer.headers.contains_key("content-length"));
    assert_eq!(answer.header("accept-ranges"), "none");
    assert!((seconds(&photos.studio.probe(&answer.body).await) - 5.0).abs() < 0.1);
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
async fn broken_track_is_resumed_and_the_sound_is_whole() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    let track = photos
        .studio
        .tone("tone.m4a", 20.0, "aac -movflags +faststart")
        .await;
    let item = serve(&photos, &track);
    let link = link(&photos, &item).await;
    let whole = photos.get(&link).await;
    assert_mp3(&whole);
    let at = Fault::Reset {
        at: track.len() as u64 / 2,
    };
    photos
        .stage
        .world()
        .fault(Rule::address(NOT_MP3, at).besides_tail().nth(1));
    let again = photos.get(&link).await;
    assert!(again.is_whole && again.body == whole.body);
}

#[tokio::test]
async fn track_that_stays_broken_is_never_ended_as_if_it_were_whole() {
    for (name, codec) in [
        ("tone.m4a", "aac -movflags +faststart"),
        ("tone.webm", "libopus"),
    ] {
        let Some(photos) = Photos::new().await else {
            return;
        };
        let track = photos.studio.tone(name, 20.0, codec).await;
        let item = serve(&photos, &track);
        let link = link(&photos, &item).await;
        let from = track.len() as u64 * 3 / 4;
        let unreachable = Rule::address(NOT_MP3, Fault::TailUnreachable { from });
        photos.stage.world().fault(unreachable.besides_tail());
        let answer = photos.get(&link).await;
        let is_refused = answer.status.as_u16() == 502;
        assert!(
            is_refused || !answer.is_whole,
            "{name}: {}",
            answer.body.len()
        );
        photos.assert_nothing_left().await;
    }
}

#[tokio::test]
async fn bytes_that_are_no_sound_are_refused() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    let (_, answer) = mp3(&photos, &Bytes::from_static(&[7; 5000])).await;
    assert_refusal(&answer, 502, "upstream_error");
    photos.assert_nothing_left().await;
}

async fn with_impostor(script: &str) -> Option<(Photos, Item)> {
    let photos = Photos::with(|studio, builder| {
        let impostor = studio.impostor(script);
        builder
            .env("FFMPEG_PATH", &impostor.to_string_lossy())
            .env("STREAM_IDLE_TIMEOUT", "1")
    })
    .await?;
    let track = photos
        .studio
        .tone("tone.m4a", 20.0, "aac -movflags +faststart")
        .await;
    let item = serve(&photos, &track);
    Some((photos, item))
}

#[tokio::test]
async fn encoder_that_fails_breaks_the_answer_off() {
    for script in [
        "exit 1",
        "kill -9 $$",
        "exec sleep 600",
        "sleep 600 & exit 0",
        // All the bytes, and still not well.
        "\"$real\" \"$@\"; exit 1",
        "\"$real\" \"$@\"; kill -9 $$",
        // Well, but half of the sound.
        "\"$real\" \"$@\" | head -c 200000; exit 0",
    ] {
        let Some((photos, item)) = with_impostor(script).await else {
            return;
        };
        let link = link(&photos, &item).await;
        let answer = photos.get(&link).await;
        assert!(
            answer.status != 200 || !answer.is_whole,
            "{script}: {}",
            answer.body.len()
        );
        photos.assert_nothing_left().await;
        photos.stage.assert_well().await;
    }
}

#[tokio::test]
async fn client_that_leaves_takes_the_encoder_along() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    let track = photos
        .studio
        .tone("tone.m4a", 30.0, "aac -movflags +faststart")
        .await;
    let item = serve(&photos, &track);
    let link = link(&photos, &item).await;
    // The beginning is known then, and the rest never comes.
    assert_eq!(photos.stage.api().head(&link).await.status, 200);
    let stall = Fault::Stall {
        at: track.len() as u64 / 2,
        gate: Gate::new(),
    };
    photos
        .stage
        .world()
        .fault(Rule::address(NOT_MP3, stall).besides_tail());
    let mut client = photos
        .stage
        .api()
        .request(Method::GET, &link)
        .send()
        .await
        .expect("an answer");
    let mut taken = 0;
    while taken < 10_000 {
        taken += client.chunk().await.expect("bytes").expect("more").len();
    }
    assert!(!super::stage::children(photos.stage.server.pid()).is_empty());
    drop(client);
    photos.assert_nothing_left().await;
    eventually("its places are free", async || {
        let health = photos.stage.api().get("/health").await.json();
        let is_free = health["streams"]["active"] == 0 && health["workers"]["active"] == 0;
        is_free.then_some(())
    })
    .await;
}
