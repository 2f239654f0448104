//! Tracks that end, change or lie: survived, or an error, never a wrong file that looks right.

use bytes::Bytes;
use serde_json::json;

use super::{ID, PAIR, PAST_HEADS, Pair, link};
use crate::harness::upstream::youtube::{Track, Video};
use crate::harness::upstream::{Fault, Rule};

#[tokio::test]
async fn ended_addresses_are_replaced_before_the_first_byte() {
    let Some(pair) = Pair::open().await else {
        return;
    };
    let body = pair.resolve().await;
    pair.youtube.revoke();
    let answer = pair.get(&link(&body, PAIR)).await;
    assert!(answer.is_whole && answer.body == pair.expected(&body));
    pair.stage.assert_well().await;
}

#[tokio::test]
async fn file_goes_on_under_new_addresses() {
    let Some(pair) = Pair::open().await else {
        return;
    };
    let body = pair.resolve().await;
    for track in ["136", "140"] {
        let reset = Rule::parameter("itag", track, Fault::Reset { at: 20_000 });
        pair.stage
            .world()
            .fault(reset.at_offset(PAST_HEADS).first(1));
    }
    pair.youtube.revoke_within(5_000..u64::MAX);
    let answer = pair.get(&link(&body, PAIR)).await;
    assert!(answer.is_whole && answer.body == pair.expected(&body));
    pair.stage.assert_well().await;
}

#[tokio::test]
async fn another_file_is_not_mixed_in() {
    for changed in [0, 1] {
        let Some(pair) = Pair::open().await else {
            return;
        };
        let body = pair.resolve().await;
        let whole = pair.expected(&body);
        let track = ["136", "140"][changed];
        let reset = Rule::parameter("itag", track, Fault::Reset { at: 20_000 });
        pair.stage
            .world()
            .fault(reset.at_offset(PAST_HEADS).first(1));
        pair.youtube.revoke_within(5_000..u64::MAX);
        let mut tracks = pair.tracks.clone();
        tracks[changed] = tracks[changed]
            .clone()
            .with("lastModified", json!("1700000000000000"));
        pair.youtube
            .video(Video::new(ID).with_tracks(tracks.to_vec()));
        let answer = pair.get(&link(&body, PAIR)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.is_whole),
            (200, false),
            "{track}"
        );
        assert!(whole.starts_with(&answer.body), "{track}");
    }
}

#[tokio::test]
async fn replaced_tracks_make_another_file_with_another_name() {
    let Some(pair) = Pair::open().await else {
        return;
    };
    let body = pair.resolve().await;
    let link = link(&body, PAIR);
    let before = pair.stage.api().head(&link).await.header("etag").to_owned();
    let mut tracks = pair.tracks.clone();
    tracks[1] = tracks[1]
        .clone()
        .with("lastModified", json!("1700000000000000"));
    pair.youtube
        .video(Video::new(ID).with_tracks(tracks.to_vec()));
    pair.resolve_with(json!({ "no_cache": true })).await;
    let answer = pair.get(&link).await;
    assert!(answer.is_whole && answer.status == 200);
    assert_ne!(answer.header("etag"), before);
}

#[tokio::test]
async fn tracks_replaced_under_a_link_are_delivered_as_they_are_now() {
    let Some(pair) = Pair::open().await else {
        return;
    };
    let body = pair.resolve().await;
    let link = link(&body, PAIR);
    let before = pair.stage.api().head(&link).await.header("etag").to_owned();
    pair.youtube.revoke();
    let mut tracks = pair.tracks.clone();
    tracks[0] = tracks[0]
        .clone()
        .with("lastModified", json!("1700000000000000"));
    pair.youtube
        .video(Video::new(ID).with_tracks(tracks.to_vec()));
    let answer = pair.get(&link).await;
    assert_eq!((answer.status.as_u16(), answer.is_whole), (200, true));
    assert!(answer.body == pair.expected(&body));
    assert_ne!(answer.header("etag"), before);
    pair.stage.assert_well().await;
}

/// A track with other bytes than its index says.
fn with_bytes(track: &Track, change: impl FnOnce(&mut Vec<u8>)) -> Track {
    let mut bytes = track.whole(ID).to_vec();
    change(&mut bytes);
    track.clone().holding_bytes(Bytes::from(bytes))
}

fn places(file: &[u8], kind: [u8; 4]) -> Vec<usize> {
    let windows = file.windows(4).enumerate();
    windows
        .filter(|(_, window)| *window == kind)
        .map(|(at, _)| at)
        .collect()
}

#[tokio::test]
async fn index_that_lies_about_its_first_run_is_an_error_before_the_first_byte() {
    let Some(pair) = Pair::open().await else {
        return;
    };
    let lying = with_bytes(&pair.tracks[0], |bytes| {
        let at = places(bytes, *b"moof")[0];
        bytes[at..at + 4].copy_from_slice(b"free");
    });
    let tracks = vec![lying, pair.tracks[1].clone()];
    pair.youtube.video(Video::new(ID).with_tracks(tracks));
    let body = pair.resolve().await;
    let answer = pair.get(&link(&body, PAIR)).await;
    assert_eq!(answer.status.as_u16(), 502);
    assert_eq!(answer.json()["error_code"], "upstream_error");
}

#[tokio::test]
async fn run_that_is_not_the_one_of_the_index_breaks_off() {
    let changes: [fn(&mut Vec<u8>); 3] = [
        |bytes| {
            let at = places(bytes, *b"tfdt")[2];
            bytes[at + 8..at + 12].fill(9);
        },
        |bytes| {
            let at = places(bytes, *b"mdat")[2];
            bytes[at - 1] ^= 4;
        },
        |bytes| {
            let at = places(bytes, *b"tfhd")[2];
            bytes[at + 11] = 7;
        },
    ];
    for change in changes {
        let Some(pair) = Pair::open().await else {
            return;
        };
        let whole = pair.expected(&pair.resolve().await);
        let tracks = vec![with_bytes(&pair.tracks[0], change), pair.tracks[1].clone()];
        pair.youtube.video(Video::new(ID).with_tracks(tracks));
        let body = pair.resolve_with(json!({ "no_cache": true })).await.json();
        let answer = pair.get(&link(&body, PAIR)).await;
        assert_eq!((answer.status.as_u16(), answer.is_whole), (200, false));
        assert!(answer.body.len() < whole.len() && whole.starts_with(&answer.body));
        pair.stage
            .server
            .assert_logged("not what its index says")
            .await;
    }
}

#[tokio::test]
async fn upstream_of_another_length_is_an_error() {
    let Some(pair) = Pair::open().await else {
        return;
    };
    let body = pair.resolve().await;
    let total = pair.files()[1].len() as u64 + 1;
    let wrong = Rule::parameter("itag", "140", Fault::WrongTotal(total));
    pair.stage.world().fault(wrong.at_offset(PAST_HEADS));
    let answer = pair.get(&link(&body, PAIR)).await;
    assert_eq!(answer.status.as_u16(), 502);
    assert_eq!(answer.json()["error_code"], "upstream_error");
}

#[tokio::test]
async fn file_without_an_index_is_an_error_without_ffmpeg() {
    let Some(pair) = Pair::with(|builder| builder.env("FFMPEG_PATH", "/nowhere")).await else {
        return;
    };
    let cut = with_bytes(&pair.tracks[1], |bytes| {
        let at = places(bytes, *b"sidx")[0];
        bytes[at..at + 4].copy_from_slice(b"free");
    });
    let tracks = vec![pair.tracks[0].clone(), cut];
    pair.youtube.video(Video::new(ID).with_tracks(tracks));
    let body = pair.resolve().await;
    let answer = pair.get(&link(&body, PAIR)).await;
    assert_eq!(answer.status.as_u16(), 502);
    let message = answer.json()["message"].to_string();
    assert!(message.contains("sidx"), "{message}");
}
