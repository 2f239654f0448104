//! `get` on a terminal, which `script` (util-linux) plays.

use super::{Bench, SAVED, ended};
use crate::harness::upstream::{Fault, Rule};
use crate::harness::{has_tool, skip};

#[tokio::test]
async fn terminal_gets_a_bar_with_rate_and_time_left() {
    if !has_tool("script").await {
        return skip("script", "it is not installed");
    }
    let (bench, _, url) = Bench::with_video().await;
    bench
        .world()
        .fault(Rule::path_prefix("/video/tos/", Fault::Rate(400_000)).besides_tail());
    let program = env!("CARGO_BIN_EXE_serverrs");
    let line = format!("stty cols 120; '{program}' get '{url}'");
    let shown = async |term: &str| {
        let mut script = bench.under("script", &["-qec", &line, "typescript"]);
        script.env("TERM", term);
        let done = ended(script).await;
        done.assert_code(0);
        done.text().to_owned()
    };
    let bar = shown("xterm").await;
    for part in ["\u{1b}[", "iB/s", " left", "%", SAVED] {
        assert!(bar.contains(part), "{part:?}: {bar:?}");
    }
    std::fs::remove_file(bench.path(SAVED)).expect("the file");
    let lines = shown("dumb").await;
    assert!(lines.contains("585.95 KiB in "), "{lines:?}");
    assert!(!lines.contains('\u{1b}'), "{lines:?}");
    assert!(bench.path(SAVED).is_file());
}

#[tokio::test]
async fn media_are_not_poured_into_a_terminal() {
    if !has_tool("script").await {
        return skip("script", "it is not installed");
    }
    let (bench, _, url) = Bench::with_video().await;
    let program = env!("CARGO_BIN_EXE_serverrs");
    let line = format!("'{program}' get '{url}' -o -");
    let script = bench.under("script", &["-qec", &line, "typescript"]);
    let done = ended(script).await;
    done.assert_code(64);
    assert!(
        done.text().contains("standard output is a terminal"),
        "{}",
        done.text()
    );
}
