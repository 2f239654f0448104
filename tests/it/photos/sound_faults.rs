//! MP3 while something breaks: the track, the encoder, the client. Nothing is ended as if it were whole.

use bytes::Bytes;
use http::Method;

use super::sound::{NOT_MP3, assert_mp3, hold, link, mp3, seconds, serve, track};
use super::stage::{Photos, children};
use crate::harness::upstream::tiktok::Item;
use crate::harness::upstream::{Fault, Rule};
use crate::harness::{assert_refusal, eventually};

#[tokio::test]
async fn broken_track_is_resumed_and_the_sound_is_whole() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    let track = track(&photos, 20.0).await;
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
    let track = track(&photos, 20.0).await;
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
    let track = track(&photos, 30.0).await;
    let item = serve(&photos, &track);
    let link = link(&photos, &item).await;
    // The beginning is known then, and the rest never comes.
    assert_eq!(photos.stage.api().head(&link).await.status, 200);
    let _held = hold(&photos, &track);
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
    assert!(!children(photos.stage.server.pid()).is_empty());
    drop(client);
    photos.assert_nothing_left().await;
    eventually("its places are free", async || {
        let health = photos.stage.api().get("/health").await.json();
        let is_free = health["streams"]["active"] == 0 && health["workers"]["active"] == 0;
        is_free.then_some(())
    })
    .await;
}

#[tokio::test]
async fn encoder_that_floods_its_standard_error_is_read_all_the_same() {
    let flood = "head -c 8000000 /dev/zero | tr '\\0' 'x' >&2; exec \"$real\" \"$@\"";
    let Some((photos, item)) = with_impostor(flood).await else {
        return;
    };
    let answer = photos.get(&link(&photos, &item).await).await;
    assert_mp3(&answer);
    photos.assert_nothing_left().await;
}

#[tokio::test]
async fn track_that_becomes_another_is_looked_at_anew() {
    let Some(photos) = Photos::new().await else {
        return;
    };
    let track = track(&photos, 3.0).await;
    let item = serve(&photos, &track);
    let link = link(&photos, &item).await;
    assert_mp3(&photos.get(&link).await);
    let other = photos.studio.tone("tone.webm", 5.0, "libopus").await;
    photos.put(&item, super::sound::SOUND, &other, "audio/webm");
    let answer = photos.get(&link).await;
    assert_mp3(&answer);
    assert!((seconds(&photos.studio.probe(&answer.body).await) - 5.0).abs() < 0.1);
    photos.assert_nothing_left().await;
}
