//! Days of use in minutes: short streams, extractions, upstreams that fail and clients that leave, and among them videos
//! that are rendered, sound that is made into MP3, and files that are joined. Memory must not grow, and everything must be
//! given back.

mod client;
#[path = "../../../../tests/it/harness/held.rs"]
mod held;
mod jobs;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::{Bench, MIB};
use crate::Result;
use crate::client::get;
use crate::report::{Goal, Row, progress};
use crate::subjects::Subject;
use client::{Client, PER_POST};
use held::{Held, figure};
use jobs::Jobs;

/// Short streams of a whole run. A third of it is over in little more than a minute, of which the second half is too short to
/// tell memory that grows from what a rendered video takes for a while.
const STREAMS: usize = 600_000;
/// Of a quick one.
const QUICK_STREAMS: usize = 20_000;
/// Clients at once.
const CLIENTS: usize = 24;
/// Memory counts for so many requests.
const SLOPE_REQUESTS: f64 = 50_000.0;
/// How often memory is looked at.
const SAMPLE: Duration = Duration::from_millis(250);
/// Idle figures count from here on.
const SETTLE: Duration = Duration::from_secs(3);
/// Seconds for which rendered videos are kept: over when the load is, or soon after.
const KEEP: &str = "30";
/// How long what is kept for later (connections to upstreams, videos) may stay.
const PATIENCE: Duration = Duration::from_secs(150);
/// What a panic leaves in the log.
const PANIC: &str = "panicked at";

/// What came of requests, by kind, and what should not have.
#[derive(Debug, Default)]
struct Tally {
    seen: BTreeMap<&'static str, usize>,
    failures: BTreeMap<String, usize>,
}

impl Tally {
    fn note(&mut self, outcome: Result<&'static str>) {
        match outcome {
            Ok(kind) => *self.seen.entry(kind).or_default() += 1,
            Err(error) => *self.failures.entry(error.to_string()).or_default() += 1,
        }
    }

    fn add(&mut self, other: Self) {
        for (kind, count) in other.seen {
            *self.seen.entry(kind).or_default() += count;
        }
        for (error, count) in other.failures {
            *self.failures.entry(error).or_default() += count;
        }
    }
}

async fn held_by(subject: &Subject, temp: &Path) -> Result<Held> {
    Ok(Held {
        tasks: metric(subject.port, "serverrs_tasks").await?,
        descriptors: metric(subject.port, "process_open_fds").await?,
        children: subject.process.children(),
        files: files_below(temp),
    })
}

fn files_below(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let count = |entry: fs::DirEntry| match entry.path() {
        path if path.is_dir() => files_below(&path),
        _ => 1,
    };
    entries.map(count).sum()
}

/// A figure of `/metrics`.
async fn metric(port: u16, name: &str) -> Result<usize> {
    let (_, page) = get(port, "/metrics").await?;
    let page = String::from_utf8(page)?;
    let found = figure(&page, name).ok_or_else(|| format!("no {name} in /metrics"))?;
    Ok(found)
}

impl Bench {
    pub(super) async fn soak(&mut self) -> Result<()> {
        jobs::make(self.cdn.folder()).await?;
        let subject = self.serverrs(&[("SLIDESHOW_KEEP", KEEP)]).await?;
        let temp = self.cdn.folder().join("temp");
        sleep(SETTLE).await;
        let idle = held_by(&subject, &temp).await?;
        let streams = self.plan.amount(STREAMS, QUICK_STREAMS);
        let (began, done) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
        let load = tokio::spawn(load(subject.port, streams / PER_POST, Arc::clone(&done)));
        let (samples, most_children) = watch(&subject, &done, &load).await;
        let tally = load.await??;
        let elapsed = began.elapsed();
        let after = rest(&subject, &temp, idle).await?;
        self.report.note(format!(
            "{} requests in {} s: {:?}; at most {most_children} children; idle at first {idle:?}, at the end {after:?}",
            done.load(Ordering::Relaxed),
            elapsed.as_secs(),
            tally.seen
        ));
        if !tally.failures.is_empty() {
            self.report.note(format!("failures: {:?}", tally.failures));
        }
        let slope = slope(second_half(&samples)) * SLOPE_REQUESTS / MIB;
        let panics = metric(subject.port, "serverrs_http_panics_total").await?
            + fs::read_to_string(self.cdn.folder().join("serverrs.log"))?
                .matches(PANIC)
                .count();
        let highest = samples.iter().map(|(_, bytes)| *bytes).fold(0.0, f64::max);
        let resting = subject.process.resident() as f64 / MIB;
        let is_drained = subject.process.end().await?;
        let failures: usize = tally.failures.values().sum();
        let most = |most: f64| Some(Goal::AtMost(most));
        let above = |after: usize, idle: usize| after.saturating_sub(idle) as f64;
        let none = most(0.0);
        for (figure, value, goal) in [
            ("failures", failures as f64, none),
            ("panics", panics as f64, none),
            (
                "RSS per 50,000 requests over the second half, MiB",
                slope,
                most(1.0),
            ),
            ("highest RSS, MiB", highest / MIB, None),
            ("RSS at rest, MiB", resting, None),
            (
                "descriptors left",
                above(after.descriptors, idle.descriptors),
                none,
            ),
            ("tasks left", above(after.tasks, idle.tasks), none),
            ("children left", above(after.children, idle.children), none),
            ("temporary files left", above(after.files, idle.files), none),
            (
                "ends with something to cut",
                f64::from(u8::from(!is_drained)),
                none,
            ),
        ] {
            self.report
                .add(Row::own(format!("soak: {figure}"), value, goal));
        }
        Ok(())
    }
}

/// Clients that take post after post until all are done.
async fn load(port: u16, posts: usize, done: Arc<AtomicUsize>) -> Result<Tally> {
    let next = Arc::new(AtomicUsize::new(0));
    let jobs = Arc::new(Jobs::new(port).await?);
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let client = Client {
            port,
            source: number + 1,
            next: Arc::clone(&next),
            done: Arc::clone(&done),
            jobs: Arc::clone(&jobs),
            tally: Tally::default(),
        };
        clients.spawn(client.run(posts));
    }
    let mut all = Tally::default();
    while let Some(tally) = clients.join_next().await {
        all.add(tally?);
    }
    Ok(all)
}

/// Requests done and resident bytes of the server alone, until the load is over; and the most children that were seen.
async fn watch<T>(
    subject: &Subject,
    done: &AtomicUsize,
    load: &tokio::task::JoinHandle<T>,
) -> (Vec<(f64, f64)>, usize) {
    let (mut samples, mut most_children) = (Vec::new(), 0);
    let mut said = Instant::now();
    while !load.is_finished() {
        sleep(SAMPLE).await;
        let count = done.load(Ordering::Relaxed);
        let bytes = subject.process.own_resident();
        most_children = most_children.max(subject.process.children());
        samples.push((count as f64, bytes as f64));
        if said.elapsed() >= Duration::from_secs(15) {
            said = Instant::now();
            progress(&format!("{count} requests, {} MiB", bytes >> 20));
        }
    }
    (samples, most_children)
}

/// Waits until the server holds no more than it did at first, or for as long as it may take.
async fn rest(subject: &Subject, temp: &Path, idle: Held) -> Result<Held> {
    let began = Instant::now();
    loop {
        let held = held_by(subject, temp).await?;
        if held.is_within(idle) || began.elapsed() >= PATIENCE {
            return Ok(held);
        }
        sleep(SETTLE).await;
    }
}

fn second_half(samples: &[(f64, f64)]) -> &[(f64, f64)] {
    let last = samples.last().map_or(0.0, |(count, _)| *count);
    let from = samples.partition_point(|(count, _)| *count < last / 2.0);
    &samples[from..]
}

/// The line through the points that lies closest to them: by how much it rises for one.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len().max(1) as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let over: f64 = points
        .iter()
        .map(|point| (point.0 - x) * (point.1 - y))
        .sum();
    let under: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    if under > 0.0 { over / under } else { 0.0 }
}
