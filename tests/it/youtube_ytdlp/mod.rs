//! The same YouTube addresses through yt-dlp and through this server, both on the simulated upstream: what they say is
//! the same, but for the table in `differences.rs`, and the bytes are the same.

mod differences;
mod lists;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use self::differences::{DIFFERENCES, Facts, Stream};
use crate::harness::upstream::youtube::{Track, Video, YouTube, recordings};
use crate::harness::upstream::{Upstream, recorded, sha256_hex};
use crate::harness::{PythonEnv, TestServer, link, skip, text};
use crate::ytdlp::{run_yt_dlp, yt_dlp};

/// Both programs on one upstream with these videos.
struct Pair {
    upstream: Upstream,
    server: TestServer,
    yt_dlp: PythonEnv,
    youtube: YouTube,
    videos: Vec<Video>,
}

impl Pair {
    async fn new(videos: Vec<Video>) -> Option<Self> {
        let yt_dlp = yt_dlp().await?;
        let upstream = Upstream::start().await;
        let youtube = YouTube::open(&upstream.world);
        for video in &videos {
            youtube.video(video.clone());
        }
        let server = TestServer::start(&upstream).await;
        Some(Self {
            upstream,
            server,
            yt_dlp,
            youtube,
            videos,
        })
    }

    async fn run_yt_dlp(&self, arguments: &[&str]) -> String {
        // Manifests are not simulated.
        let fixed = ["--extractor-args", "youtube:skip=hls,dash"];
        let arguments = fixed.iter().chain(arguments);
        let arguments: Vec<String> = arguments.map(|text| (*text).to_owned()).collect();
        run_yt_dlp(&self.yt_dlp, &self.upstream, self.server.dir(), &arguments).await
    }

    /// What yt-dlp says of all videos, by id.
    async fn their_facts(&self) -> BTreeMap<String, Facts> {
        let urls: Vec<String> = self.videos.iter().map(Video::url).collect();
        let mut arguments = vec!["--dump-json"];
        arguments.extend(urls.iter().map(String::as_str));
        let lines = self.run_yt_dlp(&arguments).await;
        let parse = |line| -> Value { serde_json::from_str(line).expect("a line of JSON") };
        lines
            .lines()
            .map(parse)
            .map(|json| (text(&json, "/id"), their_facts(&json)))
            .collect()
    }

    /// Compares all videos; returns which differences of the table showed.
    async fn compare(&self) -> BTreeSet<&'static str> {
        let mut all_theirs = self.their_facts().await;
        let mut shown = BTreeSet::new();
        for video in &self.videos {
            let mut theirs = all_theirs.remove(&video.id()).expect("yt-dlp extracts it");
            let mut ours = our_facts(&self.server.api().resolve(&video.url()).await);
            for difference in DIFFERENCES {
                let before = (theirs.clone(), ours.clone());
                (difference.settle)(&video.id(), &mut theirs, &mut ours);
                if before != (theirs.clone(), ours.clone()) {
                    shown.insert(difference.about);
                }
            }
            assert_eq!(
                ours,
                theirs,
                "left: serverrs, right: yt-dlp: {}",
                video.url()
            );
        }
        self.assert_well();
        shown
    }

    /// Downloads one format of a video with both.
    async fn compare_file(&self, video: &Video, id: &str) {
        let body = self.server.api().resolve(&video.url()).await;
        let ours = self.server.api().get(&link(&body, id)).await;
        assert!(ours.status == 200 && ours.is_whole, "{id}: {}", ours.status);
        let file = self.server.dir().join(format!("{}-{id}", video.id()));
        let output = file.to_string_lossy().into_owned();
        self.run_yt_dlp(&["--quiet", "--format", id, "--output", &output, &video.url()])
            .await;
        let theirs = std::fs::read(&file).expect("yt-dlp's file");
        assert_eq!(
            ours.sha256(),
            sha256_hex(&theirs),
            "{id} of {}",
            video.url()
        );
    }

    fn assert_well(&self) {
        self.upstream.world.assert_no_unknown();
        let throttled = self
            .upstream
            .world
            .look(|traffic| traffic.throttled.clone());
        assert_eq!(throttled, Vec::<String>::new());
    }
}

/// Maps the JSON of yt-dlp. It names handles with `@`, bit rates in thousands, and codecs in full.
fn their_facts(json: &Value) -> Facts {
    let string = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
    let number = |key: &str| json[key].as_u64().unwrap_or(0);
    let formats = json["formats"].as_array().expect("formats").iter();
    let formats = formats.filter(|format| format["protocol"] == "https");
    // The worst first.
    let streams = formats.rev().map(|format| Stream {
        id: text(format, "/format_id"),
        extension: text(format, "/ext"),
        video: family(&format["vcodec"]),
        audio: family(&format["acodec"]),
        size: [format["width"].as_u64(), format["height"].as_u64()],
        fps: format["fps"].as_f64().map(whole),
        bitrate: format["tbr"].as_f64().map(|tbr| whole(tbr * 1000.0)),
        bytes: format["filesize"].as_u64(),
    });
    Facts {
        title: string("title"),
        description: string("description"),
        channel: string("channel"),
        channel_id: string("channel_id"),
        handle: string("uploader_id").trim_start_matches('@').to_owned(),
        cover: string("thumbnail"),
        seconds: number("duration"),
        plays: number("view_count"),
        likes: number("like_count"),
        created_at: json["timestamp"].as_u64(),
        streams: by_class(streams.collect()),
    }
}

/// Maps the body of `POST /tiktok`. yt-dlp lists no pairs of tracks, so those stay out.
fn our_facts(body: &Value) -> Facts {
    let entries = body["data"]["video_data"]
        .as_array()
        .expect("video_data")
        .iter()
        .filter(|entry| entry["merged"] == false);
    let optional = |value: &Value| value.as_str().map(str::to_owned);
    let streams = entries.map(|entry| Stream {
        id: text(entry, "/format_id"),
        extension: text(entry, "/extension"),
        video: optional(&entry["vcodec"]),
        audio: optional(&entry["acodec"]),
        size: [entry["width"].as_u64(), entry["height"].as_u64()],
        fps: entry["fps"].as_u64(),
        bitrate: entry["bitrate"].as_u64(),
        bytes: entry["filesize"].as_u64(),
    });
    Facts {
        title: text(body, "/title"),
        description: text(body, "/description"),
        channel: text(body, "/author/nickname"),
        channel_id: text(body, "/author/id"),
        handle: text(body, "/author/handle"),
        cover: text(body, "/cover"),
        seconds: body["duration"].as_u64().expect("a duration") / 1000,
        plays: body["statistics"]["play_count"].as_u64().expect("a count"),
        likes: body["statistics"]["digg_count"].as_u64().expect("a count"),
        created_at: body["create_time"].as_u64(),
        streams: by_class(streams.collect()),
    }
}

/// The best first, in three classes: picture and sound, sound, picture.
fn by_class(streams: Vec<Stream>) -> Vec<Stream> {
    let class = |stream: &Stream| match (&stream.video, &stream.audio) {
        (Some(_), Some(_)) => 0,
        (None, _) => 1,
        (Some(_), None) => 2,
    };
    let mut streams = streams;
    streams.sort_by_key(class);
    streams
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates are small and positive"
)]
fn whole(number: f64) -> u64 {
    number.round() as u64
}

/// The family of a codec's full name; `None` for none.
fn family(codec: &Value) -> Option<String> {
    let name = codec.as_str().filter(|name| *name != "none")?;
    let family = match name.split('.').next()? {
        "avc1" => "h264",
        "hev1" | "hvc1" => "hevc",
        "vp9" | "vp09" => "vp9",
        "av01" => "av1",
        "mp4a" => "aac",
        "ac-3" => "ac3",
        "ec-3" => "eac3",
        other => other,
    };
    Some(family.to_owned())
}

fn dubbed() -> Video {
    let sound = |id: &str, name: &str, is_default| Track::of(140, 213).spoken(id, name, is_default);
    Video::new("harbour0002").with_tracks(vec![
        Track::of(137, 213),
        sound("de.3", "German", true),
        sound("en.4", "English original", false),
        sound("en.2", "English descriptive", false),
        Track::of(251, 213).drc(),
        Track::of(251, 213),
    ])
}

#[tokio::test]
async fn made_up_videos_differ_only_as_the_table_says_and_in_all_its_ways() {
    let nameless = Video::new("harbour0003").with(
        "/microformat/playerMicroformatRenderer/ownerProfileUrl",
        Value::Null,
    );
    let videos = vec![Video::new("harbour0001"), dubbed(), nameless];
    let Some(pair) = Pair::new(videos).await else {
        return;
    };
    let shown = pair.compare().await;
    let listed: BTreeSet<&str> = DIFFERENCES
        .iter()
        .map(|difference| difference.about)
        .collect();
    assert_eq!(shown, listed, "left: shown, right: listed");
}

#[tokio::test]
async fn recorded_videos_differ_only_as_the_table_says() {
    let Some(folder) = recorded::folder() else {
        return skip("fixtures", "the folder with recordings is not there");
    };
    let videos = recordings(&folder)
        .into_iter()
        .map(|recording| recording.video);
    let Some(pair) = Pair::new(videos.collect()).await else {
        return;
    };
    pair.compare().await;
}

#[tokio::test]
async fn downloaded_files_are_the_same() {
    let Some(pair) = Pair::new(vec![Video::new("harbour0001")]).await else {
        return;
    };
    for id in ["140", "251", "136"] {
        pair.compare_file(&pair.videos[0], id).await;
    }
    pair.assert_well();
}
