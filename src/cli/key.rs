//! `serverrs key`: a new key.

use std::process::ExitCode;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::say;

/// Prints 32 random bytes as text.
pub(super) fn run() -> ExitCode {
    let bytes: [u8; 32] = rand::random();
    say(&BASE64_URL_SAFE_NO_PAD.encode(bytes));
    ExitCode::SUCCESS
}
