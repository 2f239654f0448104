//! The figures, in order.

mod bytes;
mod crowd;
mod delay;
mod extraction;
mod joined;
mod overload;
mod slideshow;
mod soak;
mod start;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::cdn::Recordings;
use crate::report::{Report, progress};
use crate::subjects::{self, Cdn, Subject};
use crate::{Result, machine};

const MIB: f64 = 1024.0 * 1024.0;
const GIB: f64 = 1024.0 * MIB;

/// What is to be run.
pub(crate) struct Plan {
    /// Binary of serverrs.
    pub(crate) server: PathBuf,
    /// Where the table goes.
    pub(crate) results: PathBuf,
    /// Configuration of nginx, with names to be filled in.
    pub(crate) nginx_template: PathBuf,
    /// What the sites answer.
    pub(crate) recordings: Recordings,
    /// Which parts.
    pub(crate) selection: Selection,
    /// Fewer and smaller.
    pub(crate) is_quick: bool,
}

/// The part that runs only when it is asked for, and fails when a goal is not met.
const SOAK: &str = "soak";

impl Plan {
    /// One of two amounts.
    fn amount<T>(&self, whole: T, quick: T) -> T {
        if self.is_quick { quick } else { whole }
    }
}

/// The parts of a run that were asked for.
pub(crate) struct Selection(Option<String>);

impl Selection {
    /// The parts named in `list`, or all.
    pub(crate) fn new(list: Option<String>) -> Self {
        Self(list)
    }

    fn has(&self, part: &str) -> bool {
        self.0
            .as_ref()
            .is_none_or(|list| list.split(',').any(|name| name == part))
    }

    fn names(&self, part: &str) -> bool {
        self.0.is_some() && self.has(part)
    }
}

/// One run with its helpers.
struct Bench {
    plan: Plan,
    cdn: Cdn,
    report: Report,
}

/// Runs the plan.
pub(crate) async fn run(plan: Plan) -> Result<()> {
    let began = Instant::now();
    let load = machine::load_average();
    let folder = Folder::new()?;
    let facts = machine::facts(&plan.server, &load);
    raise_descriptor_limit()?;
    let cdn = Cdn::start(&folder.0, &plan.recordings).await?;
    let mut bench = Bench {
        plan,
        cdn,
        report: Report::default(),
    };
    bench.all().await?;
    let elapsed = began.elapsed().as_secs();
    bench.report.write(&bench.plan.results, &facts, elapsed)?;
    bench.cdn.process.stop().await?;
    let is_failed = bench.plan.selection.names(SOAK) && !bench.report.is_met();
    if is_failed {
        return Err("a goal is not met".into());
    }
    Ok(())
}

impl Bench {
    async fn all(&mut self) -> Result<()> {
        if self.plan.selection.has("start") {
            self.start().await?;
        }
        if self.plan.selection.has("extraction") {
            self.extraction().await?;
        }
        if self.plan.selection.has("overload") {
            self.overload().await?;
        }
        if self.plan.selection.has("bytes") {
            self.bytes().await?;
        }
        if self.plan.selection.has("delay") {
            self.delay().await?;
        }
        if self.plan.selection.has("joined") {
            self.joined().await?;
        }
        if self.plan.selection.has("slideshow") {
            self.slideshow().await?;
        }
        if self.plan.selection.has("crowd") {
            self.crowd().await?;
        }
        if self.plan.selection.names(SOAK) {
            self.soak().await?;
        }
        Ok(())
    }

    async fn serverrs(&self, settings: &[(&str, &str)]) -> Result<Subject> {
        let subject = subjects::serverrs(&self.plan.server, &self.cdn, settings).await?;
        progress(&format!("serverrs is process {}", subject.process.id()));
        Ok(subject)
    }

    async fn nginx(&self) -> Result<Subject> {
        subjects::nginx(&self.plan.nginx_template, &self.cdn).await
    }
}

/// A folder of this run, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("serverrs-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What can't be removed is left to the system.
        let _ = std::fs::remove_dir_all(Path::new(&self.0));
    }
}

fn raise_descriptor_limit() -> Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    Ok(setrlimit(Resource::Nofile, raised)?)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The middle one of `values`.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
