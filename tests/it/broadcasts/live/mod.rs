//! What is on air at the site, among the items of a list (`allow_live`).

mod egress;
mod endless;
mod faults;
mod hostile;
mod misses;
mod plays;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::air::{Studio, assert_smooth, longest_gap, video};
use super::gates::marks;
use super::{LIST, get, route};
use crate::harness::film::MIXED;
use crate::harness::ingest::{Marks, Publication};
use crate::harness::run;
use crate::harness::upstream::youtube::{Layout, Playlist, Reel, Show, State};

/// Seconds of a segment.
const SEGMENT: u32 = 2;

/// Cuts a film of so many marked seconds into segments, with these options.
async fn reel(studio: &Studio, seconds: u32, options: &str) -> Reel {
    reel_in(studio.dir.path(), seconds, options).await
}

/// The same in a directory.
async fn reel_in(dir: &Path, seconds: u32, options: &str) -> Reel {
    let film = MIXED[0].film(seconds, dir).await.unwrap();
    std::fs::write(dir.join("whole.mp4"), film).unwrap();
    let arguments = format!(
        "-v error -nostdin -y -i whole.mp4 -c copy {options} -f hls -hls_time {SEGMENT} -hls_list_size 0 \
         -hls_fmp4_init_filename cut-init -hls_segment_filename cut-%d cut.m3u8"
    );
    let output = run(
        "ffmpeg",
        arguments.split_whitespace(),
        &BTreeMap::new(),
        dir,
    )
    .await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let mut segments: Vec<_> = (0..)
        .map_while(|number| taken(dir, &format!("cut-{number}")))
        .collect();
    // Frames of sound don't end where pictures do: what is left of them is one more.
    let count = (seconds / SEGMENT) as usize;
    assert!(segments.len() >= count, "{} segments", segments.len());
    segments.truncate(count);
    Reel {
        init: taken(dir, "cut-init"),
        segments,
    }
}

/// Takes a file away.
fn taken(dir: &Path, name: &str) -> Option<bytes::Bytes> {
    let bytes = std::fs::read(dir.join(name)).ok()?;
    std::fs::remove_file(dir.join(name)).unwrap();
    Some(bytes.into())
}

/// Puts shows on the site, and a film of three seconds behind them.
async fn list(studio: &Studio, shows: Vec<Show>) -> Playlist {
    let mut list = Playlist::new(LIST, Layout::Classic, shows.len() + 1);
    for number in 1..=shows.len() {
        list = list.with_state(number, State::Live);
    }
    let last = list.entries.last_mut().unwrap();
    last.seconds = 3;
    studio.youtube.playlist(list.clone());
    let film = MIXED[0].film(3, studio.dir.path()).await.unwrap();
    for (entry, show) in list.entries.iter().zip(shows) {
        studio.youtube.air(&entry.id, show);
    }
    let last = list.entries.last().unwrap();
    studio.youtube.video(video(&last.id, film, 3));
    list
}

/// State and reason of each item.
async fn fared(studio: &Studio, record: &Value) -> Vec<(String, String)> {
    let items = get(studio.server(), &format!("{}/items", route(record))).await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let items = items["items"].as_array().unwrap();
    let pairs = items
        .iter()
        .map(|item| (text(&item["state"]), text(&item["reason"])));
    pairs.collect()
}

/// Plays until the end; what came, and its marks.
async fn played(studio: &Studio, record: &Value) -> (Publication, Marks) {
    studio
        .until(record, "the end", |status| status["status"] == "stopped")
        .await;
    let got = studio.only();
    let marks = marks(studio, &got).await;
    (got, marks)
}

/// How often something was asked for whose address ends so.
fn asked(studio: &Studio, end: &str) -> usize {
    studio.stage.world().look(|traffic| {
        let asked = traffic.records.iter().map(|record| &record.target);
        asked.filter(|target| target.ends_with(end)).count()
    })
}

/// The flashes are those of a show of so many seconds from its beginning, and of the film behind it: each once, in order.
#[track_caller]
fn assert_whole(marks: &Marks, seconds: usize) {
    let of = |second: usize| 255.0 - 10.0 * (second % 16) as f64;
    let wanted: Vec<f64> = (0..seconds).chain(0..3).map(of).collect();
    let first = f64::from(marks.levels[0]);
    let levels: Vec<f64> = marks.levels.iter().map(|level| f64::from(*level)).collect();
    assert_eq!(levels.len(), wanted.len(), "{levels:?}");
    for (level, wanted) in levels.iter().zip(wanted) {
        // The first is the brightest; what the encoder makes of it shifts all.
        assert!((level - first - (wanted - 255.0)).abs() < 6.0, "{levels:?}");
    }
}
