//! serverrs: the binary; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    serverrs::cli::run()
}
