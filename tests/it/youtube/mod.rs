//! YouTube through the shipped binary, on the simulated site.

mod captions;
mod choice;
mod download;
mod errors;
mod expiry;
mod facts;
mod family;
mod hostile;
mod lists;
mod login;
mod picks;
mod provider;
mod readme;
mod resolve;
mod scripts;
mod state;
mod tracks;
mod trips;

use http::StatusCode;
use serde_json::Value;

use crate::harness::upstream::Record;
use crate::harness::upstream::youtube::{Refusal, Track, Video, YouTube};
use crate::harness::{Builder, Fetched, Stage};

const ID: &str = "harbour0001";

/// Server, upstream and the site.
struct Site {
    stage: Stage,
    youtube: YouTube,
}

impl Site {
    async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    async fn with(settings: impl FnOnce(Builder) -> Builder) -> Self {
        let stage = Stage::with(settings).await;
        let youtube = YouTube::open(stage.world());
        Self { stage, youtube }
    }

    /// A site with one video of these formats, and the answer about it.
    async fn of(tracks: Vec<Track>) -> (Self, Value) {
        let site = Self::new().await;
        let body = site.resolve(Video::new(ID).with_tracks(tracks)).await;
        (site, body)
    }

    /// Puts a video on the site and resolves it.
    async fn resolve(&self, video: Video) -> Value {
        let url = video.url();
        self.youtube.video(video);
        self.stage.api().resolve(&url).await
    }

    /// Puts a video on the site and posts its address.
    async fn post(&self, video: Video) -> Fetched {
        let url = video.url();
        self.youtube.video(video);
        self.stage.post(&url).await
    }

    async fn get(&self, link: &str) -> Fetched {
        self.stage.api().get(link).await
    }

    /// Requests to the hosts of media so far.
    fn media_asked(&self) -> Vec<Record> {
        let mut records = self.stage.world().records();
        records.retain(|record| record.host.ends_with(".googlevideo.com"));
        records
    }

    /// Requests to the interface so far whose path ends so.
    fn asked(&self, path: &str) -> usize {
        let is_meant = |record: &&Record| {
            let target = record.target.split('?').next().unwrap_or_default();
            target.starts_with("/youtubei/v1/") && target.ends_with(path)
        };
        self.stage
            .world()
            .look(|traffic| traffic.records.iter().filter(is_meant).count())
    }

    /// Everything asked for was in order, and nothing was read in a way that the site slows down.
    async fn assert_well(&self) {
        self.stage.assert_well().await;
        let throttled = self.stage.world().look(|traffic| traffic.throttled.clone());
        assert_eq!(throttled, Vec::<String>::new());
    }
}

/// A video that only the app for Android plays: the muxed file alone.
fn muxed_only() -> Video {
    ["VISIONOS", "TVHTML5", "WEB_EMBEDDED_PLAYER"]
        .into_iter()
        .fold(Video::new(ID), |video, client| {
            video.refusing_client(client, Refusal::NotAvailable)
        })
}

/// The answer is the whole file.
fn assert_file(answer: &Fetched, track: &Track) {
    assert_eq!((answer.status, answer.is_whole), (StatusCode::OK, true));
    assert_eq!(answer.sha256(), track.sha256(ID));
}

/// The value of a parameter of an address.
fn parameter(record: &Record, name: &str) -> String {
    let url = url::Url::parse(&record.address).expect("an address");
    let mut pairs = url.query_pairs();
    let found = pairs.find(|(key, _)| key == name);
    found
        .unwrap_or_else(|| panic!("no {name} in {url}"))
        .1
        .into_owned()
}
