//! The command line: one file per subcommand.

use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::runtime::Runtime;

mod desk;
mod doctor;
mod exit;
mod get;
mod health;
mod info;
mod key;
mod launch;
mod paper;
mod pick;
mod pin;
mod serve;
mod text;

use exit::Exit;

use crate::process;

/// Turns a link to a post into facts and download links, and streams the bytes without storing them.
#[derive(Debug, Parser)]
#[command(
    version,
    about = env!("CARGO_PKG_DESCRIPTION"),
    after_long_help = exit::CODES,
    disable_help_subcommand = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server (the default). Settings come from the environment and `.env`; see `.env.example`
    Serve,
    /// Download a post, without a server
    #[command(after_long_help = get::NOTES)]
    Get(get::Get),
    /// Show what a post is and which formats it has, without a server
    Info(info::Info),
    /// Ask the server on this machine for its health; exit code 0 if it is well. For `HEALTHCHECK` and monitors
    Health,
    /// Look for what is wrong: settings, way out, and each site from name to last byte. The output is safe to show
    #[command(after_long_help = doctor::NOTES)]
    Doctor(doctor::Doctor),
    /// Print a new random value for `ENCRYPTION_KEY`
    Key,
    /// Print completions for a shell
    Completions(paper::Completions),
    /// Print the manual page, or write one per command into a folder
    Man(paper::Manual),
    /// Used by the server to start FFmpeg within bounds
    #[command(hide = true)]
    Launch(launch::Launch),
}

/// Runs what the command line asks for.
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(message) => return explain(&message),
    };
    let command = arguments.command.unwrap_or(Command::Serve);
    // What becomes FFmpeg knows no secret, and has to write to its own `/proc/self`.
    if !matches!(command, Command::Launch(_))
        && let Err(error) = process::keep_to_itself()
    {
        complain(&format!("core files can't be turned off: {error}"));
    }
    match command {
        Command::Serve => serve::run(),
        Command::Get(get) => get::run(&get),
        Command::Info(info) => info::run(&info),
        Command::Health => health::run(),
        Command::Doctor(doctor) => doctor::run(&doctor),
        Command::Key => key::run(),
        Command::Completions(completions) => paper::completions(&completions),
        Command::Man(manual) => paper::manual(&manual),
        Command::Launch(launch) => launch::run(&launch),
    }
}

/// Help, the version, or what is wrong with the command line.
fn explain(message: &clap::Error) -> ExitCode {
    let text = message.render().to_string();
    if message.use_stderr() {
        complain(text.trim_end());
        return Exit::Usage.into();
    }
    put(text.as_bytes()).into()
}

/// What runs everything: a thread per processor.
///
/// # Errors
/// Threads can't be started, which was said.
fn runtime() -> Result<Runtime, Exit> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().build().map_err(|error| {
        complain(&format!("runtime: {error}"));
        Exit::Software
    })
}

/// Writes one line for people; a closed pipe is no reason to fail.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Writes one line for people on standard error.
fn complain(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Writes the result of a command. A reader who closes the pipe has seen enough; anything else is a failure.
fn put(bytes: &[u8]) -> Exit {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Exit::Ok,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Exit::Ok,
        Err(error) => {
            complain(&format!("standard output: {error}"));
            Exit::Io
        }
    }
}
