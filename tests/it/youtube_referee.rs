//! yt-dlp as a referee of the simulated YouTube: it takes its interface, pages, lists and media for the real ones.

use std::path::Path;

use serde_json::Value;

use crate::harness::upstream::youtube::{
    Layout, Mix, PAGE, Playlist, Refusal, State, Track, Video, YouTube,
};
use crate::harness::upstream::{Upstream, sha256_hex};
use crate::harness::{PythonEnv, skip};
use crate::ytdlp::{run_yt_dlp, yt_dlp};

const ID: &str = "harbour0001";
/// Manifests are not simulated.
const NO_MANIFESTS: [&str; 2] = ["--extractor-args", "youtube:skip=hls,dash"];

/// What yt-dlp prints, line by line.
async fn lines(upstream: &Upstream, dir: &Path, arguments: &[&str]) -> Option<Vec<Value>> {
    let yt_dlp = yt_dlp().await?;
    let arguments = NO_MANIFESTS.iter().chain(arguments);
    let arguments: Vec<String> = arguments.map(|text| (*text).to_owned()).collect();
    let printed = run_yt_dlp(&yt_dlp, upstream, dir, &arguments).await;
    let parse = |line| serde_json::from_str(line).expect("a line of JSON");
    Some(printed.lines().map(parse).collect())
}

async fn site() -> (Upstream, YouTube) {
    let upstream = Upstream::start().await;
    let youtube = YouTube::open(&upstream.world);
    (upstream, youtube)
}

#[tokio::test]
async fn yt_dlp_plays_a_video_and_gets_the_files() {
    let (upstream, youtube) = site().await;
    let video = Video::new(ID);
    let url = video.url();
    youtube.video(video.clone());
    let dir = tempfile::tempdir().expect("temporary directory");
    let arguments = [
        "--no-simulate",
        "--dump-json",
        "--output",
        "%(format_id)s",
        "--format",
        "all",
        &url,
    ];
    let Some(printed) = lines(&upstream, dir.path(), &arguments).await else {
        return;
    };

    let details = &video.json()["videoDetails"];
    let told = printed.first().expect("a line for each format");
    assert_eq!(
        (&told["title"], &told["channel"]),
        (&details["title"], &details["author"])
    );
    assert_eq!(
        (&told["view_count"], &told["like_count"]),
        (&2_213_574.into(), &139_300.into())
    );
    assert_eq!(
        (&told["uploader_id"], &told["duration"]),
        (&"@harbour.keeper".into(), &213.into())
    );
    assert_eq!(printed.len(), 8, "every single track");
    for json in &printed {
        let (id, size) = (
            json["format_id"].as_str().expect("an id"),
            json["filesize"].as_u64(),
        );
        let file = std::fs::read(dir.path().join(id)).expect("yt-dlp's file");
        assert_eq!(Some(file.len() as u64), size, "{id}");
        let track = Track::of(id.parse().expect("an itag"), 213);
        assert_eq!(sha256_hex(&file), track.sha256(ID), "{id}");
    }
    upstream.world.assert_no_unknown();
    upstream.world.look(|traffic| {
        assert_eq!((&traffic.throttled, &traffic.refused), (&vec![], &vec![]));
    });
}

#[tokio::test]
async fn yt_dlp_lists_playlists_of_both_layouts() {
    for layout in [Layout::Classic, Layout::Lockup] {
        let (upstream, youtube) = site().await;
        let list = Playlist::new("PLharbour00000000000000", layout, 2 * PAGE + 30)
            .with_state(3, State::Private)
            .with_state(4, State::Deleted);
        youtube.playlist(list.clone());
        let dir = tempfile::tempdir().expect("temporary directory");
        let arguments = ["--flat-playlist", "--dump-json", &list.url()];
        let Some(printed) = lines(&upstream, dir.path(), &arguments).await else {
            return;
        };
        let theirs: Vec<&Value> = printed.iter().map(|entry| &entry["id"]).collect();
        let ours: Vec<&str> = list.entries.iter().map(|entry| entry.id.as_str()).collect();
        assert_eq!(theirs, ours, "{layout:?}");
        assert_eq!(printed[0]["duration"], 61.0, "{layout:?}");
        upstream.world.assert_no_unknown();
    }
}

#[tokio::test]
async fn yt_dlp_walks_along_a_mix() {
    let (upstream, youtube) = site().await;
    let mix = Mix::new(ID);
    youtube.mix(mix.clone());
    let dir = tempfile::tempdir().expect("temporary directory");
    let arguments = [
        "--flat-playlist",
        "--dump-json",
        "--playlist-end",
        "60",
        &mix.url(),
    ];
    let Some(printed) = lines(&upstream, dir.path(), &arguments).await else {
        return;
    };
    let theirs = printed
        .iter()
        .map(|entry| entry["id"].as_str().unwrap_or_default().to_owned());
    let ours: Vec<String> = (0..60).map(|at| mix.video_id(at)).collect();
    assert_eq!(theirs.collect::<Vec<_>>(), ours);
    upstream.world.assert_no_unknown();
}

/// yt-dlp with its solver of player scripts and a runtime for it.
async fn scripted() -> Option<PythonEnv> {
    let packages = ["yt-dlp==2026.10.26", "yt-dlp-ejs==0.8.0", "deno==2.9.8"];
    match PythonEnv::with("ytdlp-deno-venv-2026.10.26", &packages).await {
        Ok(environment) => Some(environment),
        Err(reason) => {
            skip("ytdlp-deno", &reason);
            None
        }
    }
}

#[tokio::test]
async fn yt_dlp_solves_the_made_up_script() {
    let Some(yt_dlp) = scripted().await else {
        return;
    };
    let (upstream, youtube) = site().await;
    youtube.refuse_plain_n();
    let video = Video::new(ID).refusing_client("VISIONOS", Refusal::NotAvailable);
    let url = video.url();
    youtube.video(video);
    let dir = tempfile::tempdir().expect("temporary directory");
    let runtime = format!("deno:{}", yt_dlp.python().with_file_name("deno").display());
    let arguments = [
        "--js-runtimes",
        &runtime,
        "--no-simulate",
        "--print",
        "format_id",
        "--format",
        "18,140,137",
        "--output",
        "%(format_id)s",
        &url,
    ];
    let arguments = NO_MANIFESTS.iter().chain(&arguments);
    let arguments: Vec<String> = arguments.map(|text| (*text).to_owned()).collect();
    let printed = run_yt_dlp(&yt_dlp, &upstream, dir.path(), &arguments).await;
    assert_eq!(printed, "18\n140\n137\n");
    for itag in [18, 140, 137] {
        let file = std::fs::read(dir.path().join(itag.to_string())).expect("yt-dlp's file");
        assert_eq!(sha256_hex(&file), Track::of(itag, 213).sha256(ID), "{itag}");
    }
    upstream.world.assert_no_unknown();
    upstream.world.look(|traffic| {
        assert_eq!((&traffic.throttled, &traffic.refused), (&vec![], &vec![]));
    });
}
