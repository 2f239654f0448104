//! The systemd unit: read by systemd itself, where it is installed.

use std::collections::BTreeMap;

use tempfile::TempDir;

use crate::config::names_asked_for;
use crate::harness::{has_tool, run, skip};

const UNIT: &str = include_str!("../../../deploy/serverrs.service");
const INSTALLED: &str = "/usr/local/bin/serverrs";

fn values(name: &str) -> impl Iterator<Item = &str> {
    let lines = UNIT.lines();
    lines.filter_map(move |line| line.strip_prefix(name)?.strip_prefix('='))
}

/// Runs `systemd-analyze` on the unit with a program that is there; `None`, said aloud, without the tool.
async fn analyze(arguments: &[&str]) -> Option<(bool, String)> {
    if !has_tool("systemd-analyze").await {
        skip("systemd", "systemd-analyze is not installed");
        return None;
    }
    let dir = TempDir::new().expect("temporary directory");
    let place = dir.path().join("serverrs.service");
    let unit = UNIT.replace(INSTALLED, env!("CARGO_BIN_EXE_serverrs"));
    std::fs::write(&place, unit).expect("the unit");
    let place = place.to_str().expect("text");
    let arguments = arguments.iter().copied().chain([place]);
    let output = run("systemd-analyze", arguments, &BTreeMap::new(), dir.path()).await;
    let said = [output.stdout, output.stderr].concat();
    Some((
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    ))
}

#[tokio::test]
async fn unit_is_well_formed() {
    let Some((is_fine, said)) = analyze(&["verify"]).await else {
        return;
    };
    assert!(is_fine && !said.contains("serverrs.service:"), "{said}");
}

#[tokio::test]
async fn unit_leaves_the_server_little_to_do_harm_with() {
    // Tenths of systemd's own measure of exposure, of which 100 is the worst.
    let arguments = ["security", "--offline=true", "--no-pager", "--threshold=15"];
    let Some((is_fine, said)) = analyze(&arguments).await else {
        return;
    };
    assert!(is_fine, "{said}");
}

#[test]
fn unit_names_variables_that_exist_and_ends_as_the_server_does() {
    let asked = names_asked_for();
    let set: Vec<_> = values("Environment")
        .filter_map(|set| set.split_once('='))
        .collect();
    assert!(set.len() >= 2);
    for (name, _) in set {
        assert!(asked.iter().any(|known| known == name), "{name}");
    }
    assert_eq!(values("RestartPreventExitStatus").next(), Some("78"));
    assert_eq!(values("SuccessExitStatus").next(), Some("3"));
    assert_eq!(
        values("ExecStart").next(),
        Some("/usr/local/bin/serverrs serve")
    );
}
