//! Cost of player scripts: loading one, one challenge, one signature.
//!
//! Uses the small player of the tests and, when they are there, the recorded ones of `SERVERRS_FIXTURES`. The work is
//! done on the solver's own thread, so CPU time is printed besides the wall time that the benchmark shows.

#![expect(clippy::expect_used, reason = "a benchmark that can not run stops")]

use std::fmt;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use divan::Bencher;
use futures_util::future::BoxFuture;
use serverrs::extract::ExtractError;
use serverrs::extract::youtube::js::{Knowledge, Limits, PlayerKey, ScriptSource, Solver, solver};
use tokio::runtime::Runtime;

const SMALL: &str = include_str!("../tests/fixtures/youtube/player_small.js");

/// A signature of the usual length.
const SIGNATURE: &str = "AOq0QJ8wRgIhAL1xgPZf0Y6uT3rj2Vw9cKkN5bMmXeD4sQvHhRyUtGzIAiEAo7nB8CpWlFJdS_EaTqLk1ixOY-gfZ3mVrN2uP4wKcM=";

/// Calls counted for the CPU time of one.
const CALLS: u32 = 50;

/// A player script at hand.
#[derive(Clone)]
struct Player {
    name: String,
    script: Bytes,
}

impl fmt::Display for Player {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl ScriptSource for Player {
    fn fetch<'a>(&'a self, _: &'a PlayerKey) -> BoxFuture<'a, Result<Bytes, ExtractError>> {
        Box::pin(async { Ok(self.script.clone()) })
    }
}

/// A solver with one player, and challenges that never repeat.
struct Bench {
    runtime: Runtime,
    solver: Arc<dyn Solver>,
    key: PlayerKey,
    source: Player,
    challenges: AtomicU64,
}

impl Bench {
    fn new(source: &Player) -> Self {
        let id = if source.name == "small" {
            "00000000"
        } else {
            &source.name
        };
        Self {
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .expect("a runtime"),
            solver: solver(Limits::default(), Knowledge::default()).expect("the feature is on"),
            key: PlayerKey::new(id).expect("an id"),
            source: source.clone(),
            challenges: AtomicU64::new(0),
        }
    }

    fn solve(&self, n: &[String], signatures: &[String]) {
        let solving = self.solver.solve(&self.key, &self.source, n, signatures);
        divan::black_box(self.runtime.block_on(solving).expect("solved"));
    }

    /// Solves a challenge that was not asked before.
    fn n(&self) {
        let at = self.challenges.fetch_add(1, Ordering::Relaxed);
        self.solve(&[format!("ZdZIqFPQK{at:06}")], &[]);
    }
}

fn players() -> Vec<Player> {
    let small = Player {
        name: "small".to_owned(),
        script: Bytes::from_static(SMALL.as_bytes()),
    };
    let mut players = vec![small];
    players.extend(recorded());
    players
}

#[expect(clippy::disallowed_methods, reason = "names where the recordings are")]
fn recorded() -> Vec<Player> {
    let place = std::env::var("SERVERRS_FIXTURES").map_or_else(
        |_| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures"),
        PathBuf::from,
    );
    let Ok(entries) = std::fs::read_dir(place.join("youtube/players")) else {
        return Vec::new();
    };
    let mut players: Vec<Player> = entries
        .filter_map(|entry| read(&entry.ok()?.path()))
        .collect();
    players.sort_by(|a, b| a.name.cmp(&b.name));
    players
}

fn read(path: &std::path::Path) -> Option<Player> {
    let name = path
        .file_name()?
        .to_str()?
        .strip_suffix(".json.gz")?
        .to_owned();
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).ok()?)
        .read_to_string(&mut text)
        .ok()?;
    let exchange: serde_json::Value = serde_json::from_str(&text).ok()?;
    let script = Bytes::from(exchange["response"]["text"].as_str()?.to_owned());
    Some(Player { name, script })
}

#[divan::bench(args = players(), sample_count = 10, sample_size = 1)]
fn load_and_first_challenge(bencher: Bencher<'_, '_>, player: &Player) {
    bencher
        .with_inputs(|| Bench::new(player))
        .bench_refs(|bench| bench.n());
}

#[divan::bench(args = players(), sample_count = 50, sample_size = 1)]
fn challenge(bencher: Bencher<'_, '_>, player: &Player) {
    let bench = Bench::new(player);
    bench.n();
    bencher.bench_local(|| bench.n());
}

#[divan::bench(args = players())]
fn known_signature(bencher: Bencher<'_, '_>, player: &Player) {
    let bench = Bench::new(player);
    let signature = [SIGNATURE.to_owned()];
    bench.solve(&[], &signature);
    bencher.bench_local(|| bench.solve(&[], &signature));
}

/// CPU time of all threads of this process, where the system tells it (Linux: `/proc/<pid>/task/<tid>/schedstat`).
fn cpu() -> Option<Duration> {
    let tasks = std::fs::read_dir("/proc/self/task").ok()?;
    let nanos = tasks.filter_map(|task| {
        let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Some(Duration::from_nanos(nanos.sum()))
}

/// Prints the CPU time of `work`, divided by `times`.
#[expect(clippy::print_stdout, reason = "the result of the benchmark")]
fn print_cpu(what: &str, player: &Player, times: u32, work: impl FnOnce()) {
    let (before, start) = (cpu(), Instant::now());
    work();
    let wall = start.elapsed() / times;
    if let (Some(before), Some(after)) = (before, cpu()) {
        let cpu = after.saturating_sub(before) / times;
        println!("{what} {player}: {cpu:.2?} CPU, {wall:.2?} wall");
    }
}

fn main() {
    // All stay until the end: a thread that ends takes its CPU time out of the sum.
    let benches: Vec<Bench> = players().iter().map(Bench::new).collect();
    for bench in &benches {
        print_cpu("load and first challenge", &bench.source, 1, || bench.n());
        print_cpu("challenge", &bench.source, CALLS, || {
            (0..CALLS).for_each(|_| bench.n());
        });
        let lengths: Vec<String> = (1..=CALLS as usize)
            .map(|cut| SIGNATURE[cut..].to_owned())
            .collect();
        print_cpu("signature of a new length", &bench.source, CALLS, || {
            bench.solve(&[], &lengths);
        });
    }
    divan::main();
}
