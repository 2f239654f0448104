//! `serverrs completions` and `serverrs man`: what shells and manuals are made of, from the command line itself.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::exit::{CODES, Exit};
use super::{Arguments, complain, put};

const PROGRAM: &str = env!("CARGO_PKG_NAME");

/// Which shell.
#[derive(Debug, clap::Args)]
pub(super) struct Completions {
    shell: Shell,
}

/// Where to.
#[derive(Debug, clap::Args)]
pub(super) struct Manual {
    /// Folder for one page per command; without it the main page goes to standard output
    dir: Option<PathBuf>,
}

/// The command line without what isn't for people.
fn command() -> clap::Command {
    let whole = Arguments::command();
    let commands = whole.get_subcommands();
    let shown = commands.filter(|command| !command.is_hide_set()).cloned();
    clap::Command::new(PROGRAM)
        .version(env!("CARGO_PKG_VERSION"))
        .about(env!("CARGO_PKG_DESCRIPTION"))
        .after_long_help(CODES)
        .disable_help_subcommand(true)
        .subcommands(shown)
}

/// Prints completions.
pub(super) fn completions(completions: &Completions) -> ExitCode {
    // Into memory first: the library gives up with a panic when a pipe is closed.
    let mut script = Vec::new();
    clap_complete::generate(completions.shell, &mut command(), PROGRAM, &mut script);
    put(&script).into()
}

/// Prints the manual page, or writes all of them.
pub(super) fn manual(manual: &Manual) -> ExitCode {
    let command = command();
    let Some(dir) = &manual.dir else {
        let mut page = Vec::new();
        return match clap_mangen::Man::new(command).render(&mut page) {
            Ok(()) => put(&page).into(),
            Err(error) => {
                complain(&error.to_string());
                Exit::Software.into()
            }
        };
    };
    match write_all(command, dir) {
        Ok(()) => Exit::Ok.into(),
        Err(error) => {
            complain(&format!("{}: {error}", dir.display()));
            Exit::CantCreate.into()
        }
    }
}

fn write_all(command: clap::Command, dir: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    clap_mangen::generate_to(command, dir)
}
