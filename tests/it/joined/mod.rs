//! Picture and sound of the simulated site, made by ffmpeg, joined by the shipped binary: the same bytes as from the
//! pure room, whole, in parts, and through everything that an upstream may do.

mod assembly;
mod changed;
mod clips;
mod covers;
mod faults;
mod judge;
mod large;
mod offered;
mod page;
mod player;
mod ranges;
mod remuxed;
mod webm;
mod whole;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::harness::upstream::Record;
use crate::harness::upstream::youtube::{
    Track, Video, YouTube, joinable_tracks, joinable_webm_tracks,
};
use crate::harness::{Builder, Fetched, Stage, entry, link, skip, text};

const ID: &str = "harbour0001";
/// Picture and sound of [`joinable_tracks`].
const PAIR: &str = "136+140";
/// Picture and sound of [`joinable_webm_tracks`].
const WEBM_PAIR: &str = "248+251";
/// Reads of the media proper begin past this; those of heads at the first byte.
const PAST_HEADS: u64 = 100;

/// Server, upstream, and a video of two tracks that can be joined.
struct Pair {
    stage: Stage,
    youtube: YouTube,
    tracks: [Track; 2],
}

impl Pair {
    /// `None`, said aloud, without ffmpeg.
    async fn open() -> Option<Self> {
        Self::with(|builder| builder).await
    }

    async fn with(settings: impl FnOnce(Builder) -> Builder) -> Option<Self> {
        let tracks = made(joinable_tracks().await)?;
        Some(Self::on(Stage::with(settings).await, tracks))
    }

    /// As [`Pair::open`], in WebM.
    async fn open_webm() -> Option<Self> {
        Self::open_webm_with(|builder| builder).await
    }

    async fn open_webm_with(settings: impl FnOnce(Builder) -> Builder) -> Option<Self> {
        let tracks = made(joinable_webm_tracks().await)?;
        Some(Self::on(Stage::with(settings).await, tracks))
    }

    /// A video of these tracks, picture and sound.
    async fn of(tracks: [Track; 2]) -> Self {
        Self::on(Stage::new().await, tracks)
    }

    fn on(stage: Stage, tracks: [Track; 2]) -> Self {
        let youtube = YouTube::open(stage.world());
        let pair = Self {
            stage,
            youtube,
            tracks,
        };
        pair.youtube.video(pair.video());
        pair
    }

    fn video(&self) -> Video {
        Video::new(ID).with_tracks(self.tracks.to_vec())
    }

    async fn resolve(&self) -> Value {
        self.stage.api().resolve(&self.video().url()).await
    }

    /// Resolves with further fields.
    async fn resolve_with(&self, fields: Value) -> Fetched {
        let mut body = json!({ "url": self.video().url() });
        let more = fields.as_object().expect("fields").clone();
        body.as_object_mut().expect("a body").extend(more);
        self.stage.api().post("/resolve", &body.to_string()).await
    }

    async fn get(&self, link: &str) -> Fetched {
        self.stage.api().get(link).await
    }

    async fn get_range(&self, link: &str, range: &str) -> Fetched {
        self.stage.api().get_range(link, range).await
    }

    /// HEAD of a link tells what GET did, without a byte of media.
    async fn assert_head(&self, link: &str, answer: &Fetched) {
        let before = self.stage.world().records().len();
        let head = self.stage.api().head(link).await;
        assert_eq!(self.reads_since(before), []);
        assert_eq!((head.status, head.body.len()), (answer.status, 0));
        for name in [
            "content-length",
            "estimated-content-length",
            "content-type",
            "content-disposition",
            "accept-ranges",
            "etag",
        ] {
            assert_eq!(head.header(name), answer.header(name), "{name}");
        }
    }

    fn files(&self) -> [Bytes; 2] {
        [self.tracks[0].whole(ID), self.tracks[1].whole(ID)]
    }

    /// The joined file as the pure room makes it.
    fn expected(&self, body: &Value) -> Vec<u8> {
        assembly::assemble(&self.files(), &assembly::Said::of(body), None)
    }

    /// Reads of media since `records` were taken: which track, and which bytes.
    fn reads_since(&self, records: usize) -> Vec<(String, std::ops::Range<u64>)> {
        let records = self.stage.world().records().split_off(records);
        let media = records
            .iter()
            .filter(|record| record.host.ends_with(".googlevideo.com"));
        media.map(read).collect()
    }
}

/// The tracks; said aloud when there are none.
fn made<T>(tracks: Option<T>) -> Option<T> {
    if tracks.is_none() {
        skip("ffmpeg", "it is not installed, or makes no such files");
    }
    tracks
}

fn read(record: &Record) -> (String, std::ops::Range<u64>) {
    let url = url::Url::parse(&record.address).expect("an address");
    let track = url.query_pairs().find(|(key, _)| key == "itag");
    let range = record.header("range").expect("a range");
    let (first, last) = range
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'))
        .expect("a range of bytes");
    let number = |text: &str| text.parse::<u64>().expect("a number");
    (
        track.expect("a track").1.into_owned(),
        number(first)..number(last) + 1,
    )
}
