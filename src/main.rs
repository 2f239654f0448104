//! serverrs: the binary; everything is in the library.

use std::process::ExitCode;

/// Gives the memory of a peak back to the system within seconds, which the system's own allocator never does while
/// something small lives above it. Its settings are in `.cargo/config.toml`.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    serverrs::cli::run()
}
