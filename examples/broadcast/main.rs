//! Hours of a list on air, looked at from outside: `bench/broadcast.sh` builds and calls it.
//!
//! The shipped binary plays five mixed films of twelve seconds in a loop, from the simulated site to an ingest in this
//! program. Every ten seconds the server's process and what arrived are looked at: memory, descriptors, children,
//! database; gaps, times that go back, flashes and tones after decoding. The figures go into a section of a file.

#[path = "../../tests/it/harness/film.rs"]
mod film;
#[path = "../../tests/it/harness/held.rs"]
#[expect(dead_code, reason = "test code, of which this needs a part")]
mod held;
#[path = "../../tests/it/harness/ingest/mod.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    reason = "test code, of which this needs a part"
)]
mod ingest;
#[path = "../../tests/it/harness/lateness.rs"]
mod lateness;
mod process;
mod report;
mod studio;
#[path = "../../tests/it/harness/task.rs"]
mod task;
#[path = "../../tests/it/harness/upstream/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    clippy::expect_used,
    clippy::panic,
    reason = "test code, of which this needs a part"
)]
mod upstream;
mod watch;

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use report::Report;
use studio::Studio;
use watch::Watch;

/// Any failure ends the run.
type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const USAGE: &str = "usage: broadcast --server FILE --results FILE [--minutes N]";
/// From one look to the next.
const STEP: Duration = Duration::from_secs(10);

/// What is to be done.
struct Plan {
    server: PathBuf,
    results: PathBuf,
    minutes: u64,
}

impl Plan {
    fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let (mut server, mut results, mut minutes) = (None, None, 120);
        while let Some(argument) = arguments.next() {
            let value = arguments.next().ok_or(USAGE)?;
            match argument.as_str() {
                "--server" => server = Some(PathBuf::from(value).canonicalize()?),
                "--results" => results = Some(PathBuf::from(value)),
                "--minutes" => minutes = value.parse()?,
                _ => return Err(USAGE.into()),
            }
        }
        Ok(Self {
            server: server.ok_or(USAGE)?,
            results: results.ok_or(USAGE)?,
            minutes,
        })
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let plan = Plan::from_arguments(std::env::args().skip(1))?;
    let load = process::load_average();
    let mut studio = Studio::open(&plan.server).await?;
    let mut watch = Watch::default();
    let begin = Instant::now();
    let mut tick = tokio::time::interval(STEP);
    say(watch::HEADER);
    while begin.elapsed() < Duration::from_secs(60 * plan.minutes) {
        tokio::select! {
            _ = tick.tick() => {}
            _ = tokio::signal::ctrl_c() => break,
        }
        say(&watch.look(&mut studio, begin.elapsed()).await?);
    }
    let status = studio.status().await?;
    let ran = begin.elapsed();
    studio.close().await?;
    let report = Report {
        watch: &watch,
        status: &status,
        ran,
        load,
        server: &plan.server,
    };
    let text = report.text().await?;
    say(&text);
    report::replace_section(&plan.results, &text)?;
    Ok(())
}

fn say(text: &str) {
    // Nobody to tell when it fails.
    let _ = writeln!(std::io::stdout(), "{text}");
}
