//! One target under libFuzzer: the one that `FUZZ_TARGET` names.
#![no_main]
#![expect(
    clippy::disallowed_methods,
    reason = "a program beside the server, with a variable of its own"
)]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serverrs::fuzz::{TARGETS, Target};

static CHOSEN: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET: the name of a target");
    let found = TARGETS.iter().find(|target| target.name == name);
    found.unwrap_or_else(|| panic!("no target `{name}`"))
});

fuzz_target!(|data: &[u8]| (CHOSEN.run)(data));
