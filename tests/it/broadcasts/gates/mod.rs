//! The acceptance gates of broadcasts: the shipped binary between the simulated site, real FFmpeg and a recording ingest,
//! and figures of what arrived there.
//!
//! Times are those of the ingest. What the machine itself was late by meanwhile is taken off ([`Lateness`]); a busy one
//! may still need a second try, which the runner shows.

mod arrival;
mod faults;
mod pace;
mod restart;
mod secrets;
mod targets;

use std::time::{Duration, Instant};

use serde_json::Value;
use serverrs::broadcast::flv::Tag;

use super::LIST;
use super::air::{Studio, assert_smooth, kill, video};
use crate::harness::film::Shape;
use crate::harness::ingest::{Marks, Publication};
use crate::harness::lateness::Lateness;
use crate::harness::upstream::sha256_hex;
use crate::harness::upstream::youtube::{Layout, Playlist};

/// Longest time without a message on a quiet machine.
const GAP: Duration = Duration::from_millis(250);
/// Longest time without a message on any machine.
const HARD_GAP: Duration = Duration::from_secs(1);

/// Puts a list of films on the site.
async fn list(studio: &Studio, films: &[(Shape, u32)]) -> Playlist {
    let list = Playlist::new(LIST, Layout::Classic, films.len());
    studio.youtube.playlist(list.clone());
    for (entry, (shape, seconds)) in list.entries.iter().zip(films) {
        let film = shape.film(*seconds, studio.dir.path()).await.unwrap();
        studio.youtube.video(video(&entry.id, film, *seconds));
    }
    list
}

/// The parameter by which addresses name the file of a video.
fn file_of(video: &str) -> String {
    format!("o-{}", &sha256_hex(video.as_bytes())[..20])
}

/// Flashes and tones of all that came over a connection.
pub(super) async fn marks(studio: &Studio, publication: &Publication) -> Marks {
    let tags: Vec<Tag> = publication
        .media
        .iter()
        .map(|got| got.tag.clone())
        .collect();
    Marks::of(&tags, studio.dir.path()).await.unwrap()
}

/// How many different flashes these are; two levels nearer to each other are one.
fn different(levels: &[u8]) -> usize {
    let mut levels = levels.to_vec();
    levels.sort_unstable();
    levels.dedup_by(|next, kept| next.abs_diff(*kept) < 5);
    levels.len()
}

/// Nobody waited for a message for longer than the gate allows.
#[track_caller]
fn assert_no_gap(publication: &Publication, lateness: &Lateness) {
    let times: Vec<Instant> = publication.played().map(|got| got.at).collect();
    let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max();
    println!("longest gap: {longest:?}, gate {GAP:?}");
    for pair in times.windows(2) {
        let (gap, late) = (pair[1] - pair[0], lateness.between(pair[0], pair[1]));
        assert!(
            gap <= HARD_GAP + late && gap <= GAP + late,
            "{gap:?} without a message; the machine was late by {late:?}"
        );
    }
}

/// Plays a broadcast to its end; what came over its only connection, smooth and without a gap.
async fn whole(studio: &Studio, record: &Value, lateness: &Lateness) -> Publication {
    studio.to_the_end(record).await;
    let got = studio.only();
    assert_smooth(&got);
    assert_no_gap(&got, lateness);
    got
}

/// This took no longer than the gate allows.
#[track_caller]
fn assert_within(limit: Duration, what: &str, from: Instant, to: Instant, lateness: &Lateness) {
    let (time, late) = (
        to.saturating_duration_since(from),
        lateness.between(from, to),
    );
    println!("{what}: {time:?}, gate {limit:?}; the machine was late by {late:?}");
    assert!(
        time <= limit + late,
        "{what}: {time:?}, more than {limit:?}; the machine was late by {late:?}"
    );
}

/// Tones come with their flashes.
#[track_caller]
fn assert_together(marks: &Marks, tones: usize) {
    let offsets = marks.offsets();
    let (least, most) = offsets
        .iter()
        .fold((f64::MAX, f64::MIN), |(least, most), offset| {
            (least.min(*offset), most.max(*offset))
        });
    println!("sound after picture: {least:.1} to {most:.1} ms, gate -40 to 60");
    assert_eq!(marks.tones.len(), tones, "tones");
    assert!(offsets.len() >= tones, "tones without flash: {marks:?}");
    assert!(least >= -40.0 && most <= 60.0, "{offsets:?}");
}
