//! The command line: one file per subcommand.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod health;
mod key;
mod launch;
mod pin;
mod serve;

/// Exit code of a configuration that can't be used (`EX_CONFIG` of sysexits).
const EXIT_CONFIG: u8 = 78;

/// Turns a TikTok link into facts and download links, and streams the bytes.
#[derive(Debug, Parser)]
#[command(version, about, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server (the default). Settings come from the environment and `.env`; see `.env.example`.
    Serve,
    /// Ask the server on this machine for its health; exit code 0 if it is well. For `HEALTHCHECK` and monitors.
    Health,
    /// Print a new random value for `ENCRYPTION_KEY`.
    Key,
    /// Used by the server to start FFmpeg within bounds.
    #[command(hide = true)]
    Launch(launch::Launch),
}

/// Runs what the command line asks for.
pub fn run() -> ExitCode {
    match Arguments::parse().command.unwrap_or(Command::Serve) {
        Command::Serve => serve::run(),
        Command::Health => health::run(),
        Command::Key => key::run(),
        Command::Launch(launch) => launch::run(&launch),
    }
}

/// Writes one line for people; a closed pipe is no reason to fail.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Writes one line for people on standard error.
fn complain(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
