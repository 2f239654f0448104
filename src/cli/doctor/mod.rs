//! `serverrs doctor`: what is wrong, and what to do about it. Its output is meant to be shown to others, so it names no
//! secret, and of addresses only the network.

mod report;
mod site;

use std::process::ExitCode;
use std::sync::Arc;

use super::desk;
use super::exit::Exit;
use crate::app::{App, Settings};
use crate::config::Env;
use crate::process;
use crate::telemetry::{self, Collected, TelemetryConfig};
use report::Report;

/// What the help says below the options.
pub(super) const NOTES: &str = "\
Each line begins with `ok`, `warn` or `fail`; below the last two stands what to do. Each site is asked \
for a post that has been public for long, or for yours, up to the last byte of its media. Nobody else \
is asked anything: the address that you are seen with (`seen as`) is what a site's own answer says, so \
a site that doesn't tell gives none.

Passwords, keys, cookies and tokens are never shown, and of addresses only the network, unless \
--show-address is given.";

/// What to look at.
#[derive(Debug, clap::Args)]
pub(super) struct Doctor {
    /// Posts to try, in place of one that is known of each site
    urls: Vec<String>,
    /// Show the whole address that a site sees
    #[arg(long)]
    show_address: bool,
}

/// Looks at everything.
pub(super) fn run(doctor: &Doctor) -> ExitCode {
    let log = telemetry::collect();
    let mut env = Env::from_process();
    // For its faults: the log itself is what is looked at here.
    TelemetryConfig::from_env(&mut env);
    let settings = Settings::from_env(&mut env);
    let facts = Facts::of(&settings);
    desk::run_with(env, settings, "stopped", async |app| {
        examine(&app, doctor, &facts, &log).await
    })
}

/// What the services don't tell once they are built.
struct Facts {
    has_key: bool,
    max_streams: usize,
}

impl Facts {
    fn of(settings: &Settings) -> Self {
        Self {
            has_key: settings.links.key.is_some(),
            max_streams: settings.services.max_streams,
        }
    }
}

async fn examine(app: &Arc<App>, doctor: &Doctor, facts: &Facts, log: &Collected) -> Exit {
    let mut report = Report::new(log.clone());
    report::title(&format!("serverrs {}", env!("CARGO_PKG_VERSION")));
    machine(app, facts, &mut report);
    for extractor in app.resolver.extractors() {
        site::examine(app, extractor, doctor, &mut report).await;
    }
    report.end()
}

/// What has nothing to do with a site.
fn machine(app: &App, facts: &Facts, report: &mut Report) {
    report.ok("settings", "read without a fault");
    if facts.has_key {
        report.ok("key", "`ENCRYPTION_KEY` is set");
    } else {
        // Told once, here, and not as a line of the log too.
        let advice = "`serverrs key` prints one: set it, and links outlive a restart";
        report.warn(
            "key",
            "`ENCRYPTION_KEY` is not set: links die with the process",
            advice,
        );
    }
    for (is_there, name, good, bad, advice) in [
        (
            app.ffmpeg.is_some(),
            "ffmpeg",
            "found",
            "not found: no slideshows, and sound as the sites have it",
            "install it, or name it with `FFMPEG_PATH`",
        ),
        (
            app.temp.is_some(),
            "temp",
            "`TEMP_DIR` can be written to",
            "`TEMP_DIR` can't be written to: no slideshows",
            "let `TEMP_DIR` name a folder that this user can write to",
        ),
    ] {
        if is_there {
            report.ok(name, good);
        } else {
            report.warn(name, bad, advice);
        }
    }
    process::raise_descriptor_limit(facts.max_streams);
    if let Some(limit) = process::descriptors().soft_limit {
        report.ok("files", &format!("{limit} may be open at once"));
    }
    report.log();
}
