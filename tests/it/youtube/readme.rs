//! The samples of docs/api.md, as they stand there but for the address of the server, against the simulated site.

use std::collections::BTreeMap;
use std::path::Path;

use super::Site;
use crate::harness::upstream::sha256_hex;
use crate::harness::upstream::youtube::{Layout, Playlist, Track, Video, joinable_tracks};
use crate::harness::{PythonEnv, has_tool, run, skip, text};

const API: &str = include_str!("../../../docs/api.md");
/// What the samples name.
const VIDEO: &str = "aqz-KE-bpKQ";
const LIST: &str = "PLMC9KNkIncKtPzgY-5rmhvj7fax8fdxoj";
const POST: &str = "https://www.tiktok.com/@user/video/7524919459643919624";

/// The first block of code in this language below a heading.
fn sample(heading: &str, language: &str) -> String {
    let below = API
        .split(&format!("\n### {heading}\n"))
        .nth(1)
        .expect("the heading");
    let start = format!("```{language}\n");
    let block = below.split(&start).nth(1).expect("a block of code");
    block.split("```").next().expect("its end").to_owned()
}

/// A site with what the samples name, and its tracks.
async fn site() -> Option<(Site, [Track; 2])> {
    let Some(tracks) = joinable_tracks().await else {
        skip("ffmpeg", "there is none that makes the tracks");
        return None;
    };
    let site = Site::new().await;
    let video = Video::new(VIDEO).with_tracks(tracks.to_vec());
    site.youtube.video(video);
    site.youtube
        .playlist(Playlist::new(LIST, Layout::Lockup, 130));
    Some((site, tracks))
}

impl Site {
    /// Runs a sample with the server's own address in a folder of its own; what it printed, and the files it left.
    async fn run_sample(
        &self,
        program: &Path,
        arguments: &[&str],
        code: &str,
    ) -> (String, BTreeMap<String, Vec<u8>>) {
        let folder = tempfile::tempdir().expect("temporary directory");
        let code = code.replace("http://localhost:3021", self.stage.server.base());
        let arguments = arguments.iter().copied().chain([&*code]);
        let output = run(program, arguments, &BTreeMap::new(), folder.path()).await;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{printed}{complaints}\n{code}");
        let files = std::fs::read_dir(folder.path()).expect("the folder");
        let read = |entry: std::fs::DirEntry| {
            let bytes = std::fs::read(entry.path()).expect("a file");
            (entry.file_name().to_string_lossy().into_owned(), bytes)
        };
        (
            printed,
            files.map(|entry| read(entry.expect("an entry"))).collect(),
        )
    }

    /// The joined file, by the link that the samples follow.
    async fn joined(&self) -> Vec<u8> {
        let url = format!("https://www.youtube.com/watch?v={VIDEO}");
        let body = self.stage.api().resolve(&url).await;
        let joined = self
            .get(&text(&body, "/download_link/no_watermark_hd"))
            .await;
        assert_eq!((joined.status.as_u16(), joined.is_whole), (200, true));
        assert_eq!(&joined.body[4..8], b"ftyp");
        joined.body.to_vec()
    }
}

#[tokio::test]
async fn youtube_samples_of_the_shell_do_what_they_say() {
    for tool in ["curl", "jq"] {
        if !has_tool(tool).await {
            return skip("clients", &format!("{tool} is not installed"));
        }
    }
    let Some((site, tracks)) = site().await else {
        return;
    };
    let code = sample("YouTube with curl and jq", "sh");
    let (printed, files) = site.run_sample(Path::new("sh"), &["-euc"], &code).await;
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["harbour_keeper.m4a", "harbour_keeper.mp4"],
        "{printed}"
    );
    assert_eq!(
        sha256_hex(&files["harbour_keeper.m4a"]),
        tracks[1].sha256(VIDEO)
    );
    assert_eq!(files["harbour_keeper.mp4"], site.joined().await);
    let lines: Vec<&str> = printed
        .lines()
        .filter(|line| line.contains("\tavailable\t"))
        .collect();
    assert_eq!(lines.len(), 130, "{printed}");
    site.assert_well().await;
}

#[tokio::test]
async fn sample_in_python_downloads_a_video_of_youtube() {
    let python = match PythonEnv::with("clients-venv", &["requests==2.32.5"]).await {
        Ok(environment) => environment.python(),
        Err(reason) => return skip("clients", &reason),
    };
    let Some((site, _)) = site().await else {
        return;
    };
    let code = sample("Python", "python");
    assert!(code.contains(POST), "{code}");
    let code = code.replace(POST, &format!("https://youtu.be/{VIDEO}"));
    let (_, files) = site.run_sample(&python, &["-c"], &code).await;
    assert_eq!(
        files.into_iter().collect::<Vec<_>>(),
        [("harbour_keeper.mp4".to_owned(), site.joined().await)]
    );
    site.assert_well().await;
}

#[tokio::test]
async fn sample_in_javascript_downloads_a_video_of_youtube() {
    if !has_tool("node").await {
        return skip("clients", "node is not installed");
    }
    let Some((site, _)) = site().await else {
        return;
    };
    let code = sample("JavaScript", "js");
    assert!(code.contains(POST), "{code}");
    let code = code.replace(POST, &format!("https://youtu.be/{VIDEO}"));
    let code = format!("{code}\nprocess.stdout.write(`${{bytes.length}}`);");
    let (printed, _) = site
        .run_sample(Path::new("node"), &["--input-type=module", "-e"], &code)
        .await;
    assert_eq!(printed, site.joined().await.len().to_string());
    site.assert_well().await;
}
