//! Playlists on air: the shipped binary between the simulated site, real FFmpeg and a recording ingest.

mod again;
mod ahead;
mod away;
mod copy;
mod crashes;
mod egress;
mod encoding;
mod ends;
mod faults;
mod full;
mod kept;
mod keys;
mod left;
mod plays;
mod refused;
mod saved;
mod scheduled;
pub(crate) mod srt;
mod starts;
mod target;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use serverrs::broadcast::flv::TagKind;

pub(super) use crashes::impostor;
pub(super) use plays::seen_of_children;

use super::{CANARY, LIST, TOKEN, ask, made, route};
use crate::harness::ingest::{Ingest, Manner, Publication};
use crate::harness::upstream::Upstream;
use crate::harness::upstream::youtube::{Layout, Playlist, Refusal, Track, Video, YouTube};
use crate::harness::{Builder, Stage, TestServer, run, skip};

/// How long a test waits for what takes an encoder some seconds.
const PATIENCE: Duration = Duration::from_secs(90);

/// A shape of items: size and rate of the picture, rate of the sound.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    size: &'static str,
    fps: &'static str,
    rate: u32,
    /// Options of the container.
    container: &'static str,
}

/// The index at the end, as cameras write it.
pub(super) const WIDE: Shape = Shape {
    size: "640x360",
    fps: "25",
    rate: 44_100,
    container: "-f mp4",
};
const UPRIGHT: Shape = Shape {
    size: "180x320",
    fps: "30000/1001",
    rate: 48_000,
    container: "-movflags faststart -f mp4",
};
pub(super) const SMALL: Shape = Shape {
    size: "320x240",
    fps: "15",
    rate: 22_050,
    container: "-f mp4",
};

/// A file of so many seconds; each begins with a white flash.
pub(super) async fn film(shape: Shape, seconds: u32, dir: &Path) -> Bytes {
    film_with("null", shape, seconds, dir).await
}

/// The same with grain, so that each second has many bytes, which no pipe holds.
pub(super) async fn grainy_film(shape: Shape, seconds: u32, dir: &Path) -> Bytes {
    film_with("noise=alls=40:allf=t", shape, seconds, dir).await
}

/// The same through a filter.
async fn film_with(filter: &str, shape: Shape, seconds: u32, dir: &Path) -> Bytes {
    let Shape {
        size,
        fps,
        rate,
        container,
    } = shape;
    let flash = "drawbox=c=white:t=fill:enable='lt(mod(t,1),0.2)'";
    let arguments = format!(
        "-threads 1 -f lavfi -i color=c=black:s={size}:r={fps}:d={seconds},{flash},{filter} \
         -f lavfi -i sine=frequency=440:sample_rate={rate}:duration={seconds} -c:v libx264 -preset ultrafast \
         -pix_fmt yuv420p -g 30 -c:a aac {container} -y film.mp4"
    );
    ffmpeg(&arguments, dir).await;
    std::fs::read(dir.join("film.mp4")).unwrap().into()
}

/// A profile for busy machines.
pub(super) fn small() -> Value {
    json!({"width": 320, "height": 180, "fps": 30, "video_kbps": 300, "audio_kbps": 64, "preset": "ultrafast", "gop_s": 1})
}

/// Runs FFmpeg in a directory.
async fn ffmpeg(arguments: &str, dir: &Path) -> Output {
    let arguments = format!("-v error -nostdin {arguments}");
    let none = BTreeMap::new();
    let output = run("ffmpeg", arguments.split_whitespace(), &none, dir).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    output
}

/// A video of the site that is this one file.
pub(super) fn video(id: &str, file: Bytes, seconds: u32) -> Video {
    let track = Track::of(18, seconds.into()).holding_bytes(file);
    let video = Video::new(id)
        .with("/videoDetails/lengthSeconds", json!(seconds.to_string()))
        .with_tracks(vec![track]);
    // Merged files are for the app alone.
    ["VISIONOS", "TVHTML5", "WEB_EMBEDDED_PLAYER"]
        .into_iter()
        .fold(video, |video, client| {
            video.refusing_client(client, Refusal::NotAvailable)
        })
}

/// Whether there is an FFmpeg with the encoder that broadcasts need.
pub(crate) async fn has_ffmpeg() -> bool {
    let mut command = tokio::process::Command::new("ffmpeg");
    command
        .args(["-hide_banner", "-encoders"])
        .stdin(std::process::Stdio::null());
    let output = command.output().await;
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("libx264"))
}

/// Server, site and ingest.
pub(super) struct Studio {
    pub(super) stage: Stage,
    pub(super) youtube: YouTube,
    pub(super) ingest: Ingest,
    pub(super) dir: tempfile::TempDir,
}

impl Studio {
    /// `None` when there is no FFmpeg here.
    pub(super) async fn new(manners: impl Into<Vec<Manner>>) -> Option<Self> {
        Self::with(manners, |builder| builder).await
    }

    pub(super) async fn with(
        manners: impl Into<Vec<Manner>>,
        settings: impl FnOnce(Builder) -> Builder,
    ) -> Option<Self> {
        if !has_ffmpeg().await {
            skip("ffmpeg", "ffmpeg is not installed");
            return None;
        }
        let ingest = Ingest::start(manners);
        let stage = Stage::with(|builder| {
            settings(
                builder
                    .env("STREAM_TEMP_DIR", "streams")
                    .env("BROADCAST_API_TOKEN", TOKEN)
                    .env(
                        "BROADCAST_ALLOW_PRIVATE_TARGETS",
                        &format!("127.0.0.1:{}", ingest.port),
                    ),
            )
        })
        .await;
        Some(Self {
            youtube: YouTube::open(stage.world()),
            stage,
            ingest,
            dir: tempfile::tempdir().unwrap(),
        })
    }

    /// One whose database outlives its server.
    pub(super) async fn lasting(manners: impl Into<Vec<Manner>>) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let database = database(dir.path());
        let keep = |builder: Builder| builder.env("BROADCAST_DB", &database);
        let studio = Self::with(manners, keep).await?;
        Some(Self { dir, ..studio })
    }

    /// Another server over the database of [`Studio::lasting`].
    pub(super) async fn successor(&self) -> TestServer {
        successor(&self.stage.upstream, &self.ingest, self.dir.path()).await
    }

    pub(super) fn server(&self) -> &TestServer {
        &self.stage.server
    }

    /// Puts a list of films on the site.
    pub(super) async fn list(&self, films: &[(Shape, u32)]) -> Playlist {
        let list = Playlist::new(LIST, Layout::Classic, films.len());
        self.youtube.playlist(list.clone());
        for (entry, (shape, seconds)) in list.entries.iter().zip(films) {
            let file = film(*shape, *seconds, self.dir.path()).await;
            self.youtube.video(video(&entry.id, file, *seconds));
        }
        list
    }

    /// Makes a broadcast of the list.
    pub(super) async fn make(&self, fields: Value) -> Value {
        let mut all = json!({
            "stream_source": "playlist_direct",
            "target_url": self.ingest.url(),
            "stream_key": CANARY,
            "profile": small(),
        });
        let all_fields = all.as_object_mut().unwrap();
        all_fields.extend(fields.as_object().unwrap().clone());
        made(self.server(), all).await
    }

    pub(super) async fn start(&self, fields: Value) -> Value {
        let record = self.make(fields).await;
        let answer = self.post(&record, "start").await;
        assert_eq!(answer["status"], "starting");
        record
    }

    pub(super) async fn post(&self, record: &Value, what: &str) -> Value {
        let path = format!("{}/{what}", route(record));
        let answer = ask(self.server(), Method::POST, &path, None).await;
        assert!(answer.status.is_success(), "{}", answer.json());
        answer.json()
    }

    /// Waits until this holds of the status; returns it.
    pub(super) async fn until(
        &self,
        record: &Value,
        what: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Value {
        until(self.server(), record, what, holds).await
    }

    /// Plays it to its end.
    pub(super) async fn to_the_end(&self, record: &Value) -> Value {
        self.until(record, "the end", |status| status["status"] == "stopped")
            .await
    }

    /// The list with what became of each item.
    pub(super) async fn items(&self, record: &Value) -> Vec<Value> {
        let path = format!("{}/items", route(record));
        let items = super::get(self.server(), &path).await;
        items["items"].as_array().unwrap().clone()
    }

    /// What its log says, the newest first.
    pub(super) async fn messages(&self, record: &Value) -> String {
        let path = format!("{}/logs?limit=500", route(record));
        super::get(self.server(), &path).await.to_string()
    }

    /// What came over the only connection.
    pub(super) fn only(&self) -> Publication {
        let mut all = self.ingest.publications();
        assert_eq!(all.len(), 1, "connections");
        all.remove(0)
    }

    /// Flashes in what came over a connection.
    pub(super) async fn flashes(&self, publication: &Publication) -> usize {
        flashes(publication, self.dir.path()).await
    }
}

fn database(dir: &Path) -> String {
    dir.join("db").to_string_lossy().into_owned()
}

/// A server over the database in a directory, which may send to an ingest.
async fn successor(upstream: &Upstream, ingest: &Ingest, dir: &Path) -> TestServer {
    let targets = format!("127.0.0.1:{}", ingest.port);
    Builder::new(upstream)
        .env("STREAM_TEMP_DIR", "streams")
        .env("BROADCAST_API_TOKEN", TOKEN)
        .env("BROADCAST_ALLOW_PRIVATE_TARGETS", &targets)
        .env("BROADCAST_DB", &database(dir))
        .start()
        .await
}

/// News of a broadcast: what changes at once, figures every second.
async fn follow(server: &TestServer, record: &Value) -> reqwest::Response {
    let path = format!("{}/events?stats_interval=1", route(record));
    let request = server.api().request(Method::GET, &path);
    let request = request.header("authorization", format!("Bearer {TOKEN}"));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer
}

/// Waits until this holds of the status; returns it.
pub(crate) async fn until(
    server: &TestServer,
    record: &Value,
    what: &str,
    holds: impl Fn(&Value) -> bool,
) -> Value {
    let path = format!("{}/status", route(record));
    let asking = async {
        loop {
            let mut news = follow(server, record).await;
            loop {
                let status = super::get(server, &path).await;
                if holds(&status) {
                    return Some(status);
                }
                // It stays so.
                if status["status"] == "failed" {
                    return None;
                }
                // What breaks off is followed anew.
                let Ok(Some(_)) = news.chunk().await else {
                    break;
                };
            }
        }
    };
    let Ok(Some(status)) = tokio::time::timeout(PATIENCE, asking).await else {
        let status = super::get(server, &path).await;
        let logs = super::get(server, &format!("{}/logs?limit=100", route(record))).await;
        panic!("not within {PATIENCE:?}: {what}; {status:#} {logs:#}");
    };
    status
}

/// Decodes what came and counts how often it becomes white.
async fn flashes(publication: &Publication, dir: &Path) -> usize {
    std::fs::write(dir.join("got.flv"), publication.flv()).unwrap();
    flashes_in_file(dir).await
}

/// The same of the file `got.flv`.
async fn flashes_in_file(dir: &Path) -> usize {
    let arguments = "-i got.flv -map 0:v:0 -vf crop=60:60,scale=1:1 -vsync passthrough -f rawvideo -pix_fmt gray -";
    let levels = ffmpeg(arguments, dir).await.stdout;
    let bright: Vec<bool> = levels.iter().map(|level| *level > 128).collect();
    let first = usize::from(bright.first() == Some(&true));
    first + bright.windows(2).filter(|pair| !pair[0] && pair[1]).count()
}

/// A server that has broadcasts and keeps their files, and no ingest.
pub(super) async fn keeping_stage() -> Stage {
    let settings = |builder: Builder| {
        builder
            .env("BROADCAST_API_TOKEN", TOKEN)
            .env("STREAM_TEMP_DIR", "streams")
    };
    Stage::with(settings).await
}

/// Ends a program as the system does when memory runs out.
pub(super) async fn kill(pid: u64) {
    let killed = tokio::process::Command::new("kill")
        .args(["-9", &pid.to_string()])
        .status()
        .await;
    assert!(killed.unwrap().success());
}

/// One timeline without a step: times never go back, pictures are even, configuration records came once.
#[track_caller]
pub(super) fn assert_smooth(publication: &Publication) {
    let pictures = publication.times(TagKind::Video);
    let steps = pictures
        .windows(2)
        .map(|pair| i64::from(pair[1]) - i64::from(pair[0]));
    let uneven: Vec<i64> = steps.filter(|step| !(32..=35).contains(step)).collect();
    assert_eq!(uneven, Vec::<i64>::new(), "steps between pictures");
    let sounds = publication.times(TagKind::Audio);
    let steps = sounds
        .windows(2)
        .map(|pair| i64::from(pair[1]) - i64::from(pair[0]));
    let uneven: Vec<i64> = steps.filter(|step| !(0..=43).contains(step)).collect();
    assert_eq!(uneven, Vec::<i64>::new(), "steps between sounds");
    assert_eq!(publication.records().len(), 2, "configuration records");
}

/// The longest time between two messages of media.
pub(super) fn longest_gap(publication: &Publication) -> Duration {
    let played: Vec<_> = publication.played().collect();
    let gaps = played.windows(2).map(|pair| pair[1].at - pair[0].at);
    gaps.max().unwrap_or_default()
}
