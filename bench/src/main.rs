//! Measures the whole: the shipped binary between a fast CDN and its clients, beside nginx, in one run.
//!
//! `bench/run.sh` builds and calls it; `bench/README.md` says what is measured and how.

mod cdn;
mod client;
mod load;
mod machine;
mod measure;
mod payload;
mod process;
mod report;
mod subjects;

use std::path::PathBuf;
use std::process::ExitCode;

use cdn::Recordings;
use measure::{Plan, Selection};

/// Any failure ends the run.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

const USAGE: &str = "usage: bench run --server FILE --results FILE --nginx-template FILE \
                     [--recording FILE] [--players FOLDER] [--only PART,…] [--quick]";

#[tokio::main]
async fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Vec<String>) -> Result<()> {
    let mut arguments = arguments.into_iter();
    match arguments.next().as_deref() {
        Some("cdn") => {
            let folder = PathBuf::from(arguments.next().ok_or("no folder")?);
            let mut recordings = Recordings::default();
            while let (Some(option), Some(path)) = (arguments.next(), arguments.next()) {
                match option.as_str() {
                    "--recording" => recordings.page = Some(path.into()),
                    "--players" => recordings.players = Some(path.into()),
                    _ => return Err(USAGE.into()),
                }
            }
            cdn::run(&folder, &recordings).await
        }
        Some("run") => measure::run(plan(arguments)?).await,
        _ => Err(USAGE.into()),
    }
}

fn plan(mut arguments: impl Iterator<Item = String>) -> Result<Plan> {
    let (mut server, mut results, mut template) = (None, None, None);
    let (mut recordings, mut only, mut is_quick) = (Recordings::default(), None, false);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(USAGE);
        match argument.as_str() {
            "--server" => server = Some(PathBuf::from(value()?)),
            "--results" => results = Some(PathBuf::from(value()?)),
            "--nginx-template" => template = Some(PathBuf::from(value()?)),
            "--recording" => recordings.page = Some(PathBuf::from(value()?)),
            "--players" => recordings.players = Some(PathBuf::from(value()?)),
            "--only" => only = Some(value()?),
            "--quick" => is_quick = true,
            _ => return Err(USAGE.into()),
        }
    }
    Ok(Plan {
        // The child has a working directory of its own.
        server: server.ok_or(USAGE)?.canonicalize()?,
        results: results.ok_or(USAGE)?,
        nginx_template: template.ok_or(USAGE)?,
        recordings,
        selection: Selection::new(only),
        is_quick,
    })
}
