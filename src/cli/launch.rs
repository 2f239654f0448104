//! `serverrs launch`: how the server starts FFmpeg; not for people.

use std::ffi::OsString;
use std::process::ExitCode;

use super::complain;
use crate::media::launch::{Bounds, Program, replace};
use crate::process;

/// Exit code for a program that can't be run, as shells have it.
const NOT_RUN: u8 = 127;

/// What the child may use, and what it is to become.
#[derive(Debug, clap::Args)]
pub(super) struct Launch {
    #[arg(long)]
    parent: u32,
    #[arg(long)]
    cpu_seconds: u64,
    #[arg(long)]
    address_space: u64,
    #[arg(long)]
    file_bytes: u64,
    program: OsString,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Becomes the program.
pub(super) fn run(launch: &Launch) -> ExitCode {
    let bounds = Bounds {
        cpu_seconds: launch.cpu_seconds,
        address_space: launch.address_space,
        file_bytes: launch.file_bytes,
    };
    let mark = process::mark(launch.parent);
    let program = Program {
        file: &launch.program,
        arguments: &launch.arguments,
        mark: mark.as_ref().map(|(name, value)| (*name, value.as_str())),
    };
    let error = replace(launch.parent, bounds, program);
    complain(&format!("{}: {error}", launch.program.display()));
    ExitCode::from(NOT_RUN)
}
