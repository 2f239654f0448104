//! `get` again, after it was stopped: goes on where it was, or begins anew; never a file of two.

use std::path::PathBuf;

use bytes::Bytes;

use super::{Bench, DEFAULT_FILE, SAVED, length, signal};
use crate::harness::upstream::tiktok::Item;
use crate::harness::upstream::{Fault, Gate, Media, Payload, Rule};
use crate::harness::{address, eventually};

/// Bytes that come before the upstream falls silent.
const BEFORE: u64 = 300_000;
const FILE: &str = "/video/tos/test/tos-test-ve-0068c001/";

/// The file stops after [`BEFORE`] until the gate is opened.
fn hold(bench: &Bench) -> Gate {
    let gate = Gate::new();
    let stall = Fault::Stall {
        at: BEFORE,
        gate: gate.clone(),
    };
    let stall = Rule::path_prefix(FILE, stall).besides_tail();
    bench.world().fault(stall);
    gate
}

/// A download that was stopped half-way.
struct Stopped {
    bench: Bench,
    item: Item,
    url: String,
}

impl Stopped {
    async fn by(signal_name: &str, code: Option<i32>) -> Self {
        let (bench, item, url) = Bench::with_video().await;
        let gate = hold(&bench);
        let stopped = Self { bench, item, url };
        let mut child = stopped.bench.start(&["get", &stopped.url]);
        eventually("the part has what came", async || {
            (length(&stopped.part()) == BEFORE).then_some(())
        })
        .await;
        signal(&child, signal_name).await;
        let status = child.wait().await.expect("an end");
        assert_eq!(status.code(), code, "{status}");
        gate.open();
        stopped.bench.world().clear_faults();
        let part = format!("{SAVED}.part");
        assert_eq!(
            stopped.bench.names(),
            [part.clone(), format!("{part}.json")]
        );
        stopped
    }

    fn part(&self) -> PathBuf {
        self.bench.path(&format!("{SAVED}.part"))
    }

    fn whole(&self) -> Bytes {
        self.bench.file(&self.item, DEFAULT_FILE).payload.whole()
    }

    /// Runs the command again; returns the first bytes that it asked for of the file.
    async fn again(&self) -> Vec<u64> {
        let before = self.bench.world().records().len();
        let done = self.bench.run(&["get", &self.url]).await;
        done.assert_code(0);
        let saved = std::fs::read(self.bench.path(SAVED)).expect("the file");
        assert!(saved == self.whole(), "{} bytes", saved.len());
        assert_eq!(self.bench.names(), [SAVED]);
        let records = self.bench.world().records().split_off(before);
        let ranges = records.iter().filter_map(|record| record.header("range"));
        let starts = ranges.filter_map(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
        starts
            .map(|start| start.parse().expect("a number"))
            .collect()
    }

    /// Puts another file behind all addresses of the default one.
    fn replace(&self, media: &Media) {
        for number in 0..3 {
            let pointer = format!("/video/bitrateInfo/1/PlayAddr/UrlList/{number}");
            self.bench
                .world()
                .media(&address(&self.item, &pointer), media.clone());
        }
        let play = address(&self.item, "/video/playAddr");
        self.bench.world().media(&play, media.clone());
    }
}

#[tokio::test]
async fn stopped_by_ctrl_c_it_goes_on() {
    let stopped = Stopped::by("INT", Some(130)).await;
    assert_eq!(stopped.again().await, [BEFORE - 64 * 1024]);
}

#[tokio::test]
async fn killed_it_goes_on() {
    let stopped = Stopped::by("KILL", None).await;
    assert_eq!(stopped.again().await, [BEFORE - 64 * 1024]);
}

#[tokio::test]
async fn file_that_has_changed_is_begun_anew() {
    let stopped = Stopped::by("TERM", Some(143)).await;
    let old = stopped.bench.file(&stopped.item, DEFAULT_FILE);
    let new = Media {
        needs: old.needs.clone(),
        ..Media::random(4711, old.payload.len(), &old.content_type)
    };
    stopped.replace(&new);
    assert!(stopped.again().await.len() <= 2);
    let saved = std::fs::read(stopped.bench.path(SAVED)).expect("the file");
    assert!(saved == new.payload.whole());
}

#[tokio::test]
async fn file_that_has_changed_under_the_same_names_is_begun_anew() {
    let stopped = Stopped::by("HUP", Some(129)).await;
    let mut new = stopped.bench.file(&stopped.item, DEFAULT_FILE);
    new.payload = Payload::Random {
        seed: 4712,
        length: new.payload.len(),
    };
    stopped.replace(&new);
    let asked = stopped.again().await;
    assert_eq!(asked, [BEFORE - 64 * 1024, 0]);
}

#[tokio::test]
async fn part_that_was_damaged_is_begun_anew() {
    let stopped = Stopped::by("KILL", None).await;
    let mut part = std::fs::read(stopped.part()).expect("the part");
    // As a power cut leaves it: the length is there, the bytes are not.
    part[250_000..].fill(0);
    std::fs::write(stopped.part(), part).expect("the part");
    assert_eq!(stopped.again().await, [BEFORE - 64 * 1024, 0]);
}

#[tokio::test]
async fn part_that_was_whole_already_gets_its_name() {
    let stopped = Stopped::by("KILL", None).await;
    std::fs::write(stopped.part(), stopped.whole()).expect("the part");
    let length = stopped.whole().len() as u64;
    assert_eq!(stopped.again().await, [length - 64 * 1024]);
}

#[tokio::test]
async fn part_longer_than_the_file_keeps_nothing_of_its_end() {
    let stopped = Stopped::by("KILL", None).await;
    let mut part = stopped.whole().to_vec();
    part.extend_from_slice(b"of another process");
    std::fs::write(stopped.part(), part).expect("the part");
    stopped.again().await;
}

#[tokio::test]
async fn part_without_its_note_is_begun_anew() {
    for note in [None, Some("{\"site\":\"tiktok\""), Some("")] {
        let stopped = Stopped::by("KILL", None).await;
        let place = stopped.bench.path(&format!("{SAVED}.part.json"));
        match note {
            None => std::fs::remove_file(place).expect("the note"),
            Some(text) => std::fs::write(place, text).expect("the note"),
        }
        assert_eq!(stopped.again().await, [0]);
    }
}

#[tokio::test]
async fn part_of_another_format_is_begun_anew() {
    let stopped = Stopped::by("KILL", None).await;
    let other = "b[height<=1024]";
    let done = stopped.bench.run(&["get", &stopped.url, "-f", other]).await;
    done.assert_code(0);
    let saved = std::fs::read(stopped.bench.path(SAVED)).expect("the file");
    let pointer = "/video/bitrateInfo/2/PlayAddr/UrlList/0";
    let small = stopped.bench.file(&stopped.item, pointer).payload.whole();
    assert!(saved == small, "{} bytes", saved.len());
}

#[tokio::test]
async fn site_that_can_not_be_reached_costs_nothing_of_the_part() {
    let stopped = Stopped::by("KILL", None).await;
    let fault = Rule::path_prefix("/", Fault::Status(503));
    stopped.bench.world().fault(fault);
    let done = stopped.bench.run(&["get", &stopped.url]).await;
    done.assert_code(75);
    assert_eq!(length(&stopped.part()), BEFORE);
    stopped.bench.world().clear_faults();
    assert_eq!(stopped.again().await, [BEFORE - 64 * 1024]);
}

#[tokio::test]
async fn second_process_leaves_the_part_of_the_first_alone() {
    let (bench, item, url) = Bench::with_video().await;
    let gate = hold(&bench);
    let first = bench.start(&["get", &url]);
    let part = bench.path(&format!("{SAVED}.part"));
    eventually("the first has begun", async || {
        (length(&part) == BEFORE).then_some(())
    })
    .await;
    let second = bench.run(&["get", &url]).await;
    second.assert_code(75);
    assert!(
        second.stderr.contains("another process"),
        "{}",
        second.stderr
    );
    gate.open();
    let done = first.wait_with_output().await.expect("an end");
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    let saved = std::fs::read(bench.path(SAVED)).expect("the file");
    assert!(saved == bench.file(&item, DEFAULT_FILE).payload.whole());
}
