//! Pairs that only ffmpeg makes one file of: sent as they come, without a length, and never ended cleanly unless whole.

use std::path::Path;

use serde_json::{Value, json};

use super::judge::told;
use super::{ID, PAIR, Pair, entry, link, made, text};
use crate::harness::upstream::youtube::{Track, Video, joinable_tracks, joinable_webm_tracks};
use crate::harness::upstream::{Fault, Rule};
use crate::harness::{Builder, Stage, eventually};

/// Picture in MP4, sound in WebM.
const MIXED: &str = "136+251";

/// A video whose picture and sound are in different containers.
async fn mixed(settings: impl FnOnce(Builder) -> Builder) -> Option<Pair> {
    let [picture, _] = made(joinable_tracks().await)?;
    let [_, sound] = made(joinable_webm_tracks().await)?;
    Some(Pair::on(Stage::with(settings).await, [picture, sound]))
}

/// A file holds the packets of both tracks, as they are and when they were.
async fn assert_holds_both(pair: &Pair, file: &[u8]) {
    let dir = tempfile::tempdir().expect("a folder");
    let [picture, sound] = pair.files();
    for (name, bytes) in [("joined", file), ("v", &picture), ("a", &sound)] {
        std::fs::write(dir.path().join(name), bytes).expect("a file");
    }
    for track in ["v", "a"] {
        let ours = packets(dir.path(), "joined", track).await;
        let theirs = packets(dir.path(), track, track).await;
        assert_eq!(ours.len(), theirs.len(), "{track}");
        for ((ours, our_time), (theirs, their_time)) in ours.iter().zip(&theirs) {
            assert_eq!(ours, theirs, "{track} at {their_time}");
            // Other ticks per second round differently.
            assert!(
                (our_time - their_time).abs() < 0.002,
                "{our_time} for {their_time}"
            );
        }
    }
}

/// Hash and time of each packet.
async fn packets(dir: &Path, file: &str, track: &str) -> Vec<(String, f64)> {
    let arguments = format!(
        "-v error -select_streams {track} -show_entries packet=pts_time,data_hash -show_data_hash md5 -of json {file}"
    );
    let told: Value = told("ffprobe", &arguments, dir)
        .await
        .parse()
        .expect("JSON");
    let packet = |packet: &Value| {
        let time = text(packet, "/pts_time").parse().expect("a time");
        (text(packet, "/data_hash"), time)
    };
    let packets = told["packets"].as_array().expect("packets");
    packets.iter().map(packet).collect()
}

#[tokio::test]
async fn tracks_of_two_containers_are_one_file_of_unknown_length() {
    let Some(pair) = mixed(|builder| builder).await else {
        return;
    };
    let body = pair.resolve().await;
    let offered = entry(&body, MIXED);
    let sum: usize = pair.files().iter().map(bytes::Bytes::len).sum();
    for (key, value) in [
        ("extension", json!("mp4")),
        ("filesize", json!(null)),
        ("filesize_approx", json!(sum)),
        ("merged", json!(true)),
    ] {
        assert_eq!(offered[key], value, "{key}");
    }
    let link = link(&body, MIXED);
    let answer = pair.get(&link).await;
    pair.assert_head(&link, &answer).await;
    let part = pair.get_range(&link, "bytes=100-200").await;
    for told in [&answer, &part] {
        assert_eq!(told.status.as_u16(), 200);
        assert_eq!(told.header("accept-ranges"), "none");
        assert_eq!(told.header("estimated-content-length"), sum.to_string());
        assert_eq!(told.header("content-length"), "");
        assert_eq!(told.header("content-type"), "video/mp4");
    }
    assert!(answer.is_whole && part.is_whole);
    assert_holds_both(&pair, &answer.body).await;
    pair.stage.assert_well().await;
}

#[tokio::test]
async fn pair_that_needs_ffmpeg_is_not_offered_without() {
    let Some(pair) = mixed(|builder| builder.env("FFMPEG_PATH", "/nowhere")).await else {
        return;
    };
    let body = pair.resolve().await;
    let entries = body["data"]["video_data"].as_array().expect("video_data");
    assert!(entries.iter().all(|entry| entry["merged"] == false));
}

#[tokio::test]
async fn pair_without_room_for_its_pipes_is_refused() {
    for (name, value, status, code) in [
        ("TEMP_MIN_FREE_MB", "1000000000", 503, "busy"),
        // Pipes hold no bytes.
        ("TEMP_QUOTA_MB", "0", 200, ""),
    ] {
        let Some(pair) = mixed(|builder| builder.env(name, value)).await else {
            return;
        };
        let link = link(&pair.resolve().await, MIXED);
        let answer = pair.get(&link).await;
        assert_eq!(answer.status.as_u16(), status, "{name}");
        if status == 200 {
            assert!(answer.is_whole);
        } else {
            let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
            assert_eq!(body["error_code"], code, "{name}");
            assert_ne!(answer.header("retry-after"), "");
        }
        pair.stage.assert_well().await;
    }
}

#[tokio::test]
async fn file_without_an_index_goes_through_ffmpeg() {
    let Some(pair) = Pair::open().await else {
        return;
    };
    let mut bytes = pair.files()[0].to_vec();
    let sidx = bytes.windows(4).position(|kind| kind == b"sidx");
    let sidx = sidx.expect("an index");
    bytes[sidx..sidx + 4].copy_from_slice(b"free");
    let picture = pair.tracks[0].clone().holding_bytes(bytes.into());
    let tracks = vec![picture, pair.tracks[1].clone()];
    pair.youtube.video(Video::new(ID).with_tracks(tracks));
    let body = pair.resolve().await;
    let answer = pair.get(&link(&body, PAIR)).await;
    assert_eq!((answer.status.as_u16(), answer.is_whole), (200, true));
    assert_eq!(answer.header("accept-ranges"), "none");
    assert_holds_both(&pair, &answer.body).await;
}

#[tokio::test]
async fn track_that_breaks_off_never_makes_a_file_that_looks_whole() {
    let Some(pair) = mixed(|builder| builder.env("STREAM_IDLE_TIMEOUT", "1")).await else {
        return;
    };
    let body = pair.resolve().await;
    let link = link(&body, MIXED);
    // As many breaks as a transfer survives get it no further than some thousand bytes.
    let at = 300;
    for track in ["136", "251"] {
        for fault in [Fault::Reset { at }, Fault::Short { at }] {
            let rule = Rule::parameter("itag", track, fault);
            pair.stage.world().fault(rule);
            let answer = pair.get(&link).await;
            pair.stage.world().clear_faults();
            let is_refused = answer.status.is_server_error();
            assert!(is_refused || !answer.is_whole, "{track}");
        }
    }
    // A break that passes is survived: the track is taken up again.
    for (track, at) in [("136", 150_000), ("251", 50_000)] {
        let rule = Rule::parameter("itag", track, Fault::Reset { at });
        pair.stage.world().fault(rule.first(1));
        let answer = pair.get(&link).await;
        pair.stage.world().clear_faults();
        assert_eq!((answer.status.as_u16(), answer.is_whole), (200, true));
        assert_holds_both(&pair, &answer.body).await;
    }
}

#[tokio::test]
async fn client_that_leaves_takes_ffmpeg_with_it() {
    let Some(pair) = mixed(|builder| builder.env("MAX_WORKERS", "2")).await else {
        return;
    };
    let body = pair.resolve().await;
    let slow = Rule::path_prefix("/videoplayback", Fault::Rate(100_000));
    pair.stage.world().fault(slow.at_offset(0));
    let request = pair
        .stage
        .api()
        .request(http::Method::GET, &link(&body, MIXED));
    let mut response = request.send().await.expect("an answer");
    response.chunk().await.expect("a piece");
    let health = pair.stage.api().get("/health").await.json();
    assert_eq!(health["workers"]["active"], 1);
    drop(response);
    eventually("no worker runs", async || {
        let health = pair.stage.api().get("/health").await.json();
        (health["workers"]["active"] == 0 && health["streams"]["active"] == 0).then_some(())
    })
    .await;
    pair.stage.world().clear_faults();
    let left = pair.stage.server.dir().join("temp");
    eventually("no pipe is left", async || {
        let jobs = std::fs::read_dir(&left).ok()?.flatten();
        let files = jobs.filter_map(|run| std::fs::read_dir(run.path()).ok());
        (files.flatten().count() == 0).then_some(())
    })
    .await;
}

/// As [`mixed`], with the sound in two languages under one itag: other bytes, of which the site says the same.
async fn dubbed() -> Option<(Pair, [Track; 2])> {
    let mut pair = mixed(|builder| builder).await?;
    let sound = pair.tracks[1].clone();
    let mut bytes = pair.files()[1].to_vec();
    // The last byte of the last packet of each cluster.
    let clusters = bytes.windows(4).enumerate().skip(1);
    let clusters = clusters.filter(|(_, id)| *id == [0x1F, 0x43, 0xB6, 0x75]);
    let ends: Vec<usize> = clusters.map(|(at, _)| at).chain([bytes.len()]).collect();
    ends[1..].iter().for_each(|end| bytes[end - 1] ^= 1);
    let other = sound.clone().holding_bytes(bytes.into());
    let sounds = [
        sound.spoken("en.4", "English original", false),
        other.spoken("de.3", "German", false),
    ];
    pair.tracks[1] = sounds[0].clone();
    let tracks = [&pair.tracks[..1], &sounds].concat();
    pair.youtube.video(Video::new(ID).with_tracks(tracks));
    Some((pair, sounds))
}

impl Pair {
    /// Numbers the sounds anew, by one more.
    fn renumber(&self, [english, german]: &[Track; 2]) {
        let french = german.clone().spoken("fr.3", "French", false);
        let sounds = [french, english.clone(), german.clone()];
        let tracks = [&self.tracks[..1], &sounds].concat();
        self.youtube.video(Video::new(ID).with_tracks(tracks));
    }
}

#[tokio::test]
async fn remuxed_pair_keeps_its_sound_when_the_numbers_change() {
    let Some((pair, sounds)) = dubbed().await else {
        return;
    };
    let before = pair.resolve().await;
    let english = text(&before, "/data/video_data/0/url");
    let whole = pair.get(&english).await;
    assert_eq!((whole.status.as_u16(), whole.is_whole), (200, true));
    assert_holds_both(&pair, &whole.body).await;
    pair.renumber(&sounds);
    let after = pair.resolve_with(json!({ "no_cache": true })).await.json();
    let first = [&before, &after].map(|body| &body["data"]["video_data"][0]);
    assert!(first.iter().all(|entry| entry["language"] == "en"));
    assert_ne!(first[0]["format_id"], first[1]["format_id"]);
    let answer = pair.get(&english).await;
    assert_eq!((answer.status.as_u16(), answer.is_whole), (200, true));
    assert_holds_both(&pair, &answer.body).await;
    assert_eq!(answer.header("etag"), whole.header("etag"));
    pair.stage.assert_well().await;
}

#[tokio::test]
async fn remuxed_sound_goes_on_in_the_middle_under_another_number() {
    let Some((pair, sounds)) = dubbed().await else {
        return;
    };
    let english = text(&pair.resolve().await, "/data/video_data/0/url");
    pair.renumber(&sounds);
    let broken = Rule::parameter("itag", "251", Fault::Reset { at: 5000 });
    pair.stage.world().fault(broken.first(1));
    pair.youtube.revoke_within(1..u64::MAX);
    let answer = pair.get(&english).await;
    assert_eq!((answer.status.as_u16(), answer.is_whole), (200, true));
    assert_holds_both(&pair, &answer.body).await;
    pair.stage.assert_well().await;
}
