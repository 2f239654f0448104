//! What the binary is made of, held against `deny.toml`: licences, versions that come twice, sources.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;
use toml::Table;

use crate::harness::run;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rules() -> Table {
    let text = std::fs::read_to_string(root().join("deny.toml")).expect("deny.toml");
    text.parse().expect("TOML")
}

fn texts<'a>(list: &'a toml::Value, key: Option<&str>) -> BTreeSet<&'a str> {
    let entries = list.as_array().expect("a list").iter();
    let text = |entry: &'a toml::Value| match key {
        Some(key) => entry[key].as_str(),
        None => entry.as_str(),
    };
    entries.map(|entry| text(entry).expect("a text")).collect()
}

/// What cargo knows of every crate that may be linked; asked without a network, for everything has been built.
async fn packages() -> Vec<Value> {
    let variables = ["CARGO_HOME", "RUSTUP_HOME", "HOME"];
    let kept: BTreeMap<&str, String> = variables
        .into_iter()
        .filter_map(|name| Some((name, std::env::var_os(name)?.to_string_lossy().into_owned())))
        .collect();
    let arguments = [
        "metadata",
        "--format-version=1",
        "--locked",
        "--offline",
        "--filter-platform=x86_64-unknown-linux-gnu",
    ];
    let output = run(env!("CARGO"), arguments, &kept, root()).await;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let nodes = metadata["resolve"]["nodes"].as_array().expect("nodes");
    let used: BTreeSet<&str> = nodes
        .iter()
        .filter_map(|node| node["id"].as_str())
        .collect();
    let packages = metadata["packages"].as_array().expect("packages");
    let is_used = |package: &&Value| package["id"].as_str().is_some_and(|id| used.contains(id));
    packages.iter().filter(is_used).cloned().collect()
}

/// Whether an SPDX expression can be met by what is allowed. `/` is how older crates write `OR`.
fn is_met(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    any_of(&mut rest, allowed) && rest.is_empty()
}

fn any_of(rest: &mut &[&str], allowed: &BTreeSet<&str>) -> bool {
    let mut is_met = all_of(rest, allowed);
    while let ["OR", after @ ..] = *rest {
        *rest = after;
        is_met |= all_of(rest, allowed);
    }
    is_met
}

fn all_of(rest: &mut &[&str], allowed: &BTreeSet<&str>) -> bool {
    let mut is_met = one(rest, allowed);
    while let ["AND", after @ ..] = *rest {
        *rest = after;
        is_met &= one(rest, allowed);
    }
    is_met
}

fn one(rest: &mut &[&str], allowed: &BTreeSet<&str>) -> bool {
    match *rest {
        ["(", after @ ..] => {
            *rest = after;
            let is_met = any_of(rest, allowed);
            *rest = rest.strip_prefix(&[")"]).expect("a closing parenthesis");
            is_met
        }
        [license, "WITH", exception, after @ ..] => {
            *rest = after;
            allowed.contains(&*format!("{license} WITH {exception}"))
        }
        [license, after @ ..] => {
            *rest = after;
            allowed.contains(license)
        }
        [] => false,
    }
}

#[test]
fn expressions_are_read_as_spdx() {
    let allowed = BTreeSet::from(["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"]);
    for met in [
        "MIT",
        "MIT OR GPL-3.0",
        "GPL-2.0/MIT",
        "(GPL-3.0 OR MIT) AND ISC",
        "Apache-2.0 WITH LLVM-exception",
        "GPL-3.0 AND ISC OR MIT",
    ] {
        assert!(is_met(met, &allowed), "{met}");
    }
    for refused in [
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "Apache-2.0",
        "(MIT OR ISC) AND GPL-3.0",
        "",
    ] {
        assert!(!is_met(refused, &allowed), "{refused}");
    }
}

#[tokio::test]
async fn everything_linked_is_allowed() {
    let rules = rules();
    let allowed = texts(&rules["licenses"]["allow"], None);
    let banned = texts(&rules["bans"]["deny"], Some("crate"));
    let mut sources = BTreeSet::new();
    for package in packages().await {
        let name = package["name"].as_str().expect("a name");
        if name == env!("CARGO_PKG_NAME") {
            continue;
        }
        let license = package["license"].as_str().unwrap_or_default();
        assert!(is_met(license, &allowed), "{name}: {license}");
        let source = package["source"].as_str().unwrap_or_default();
        assert!(source.starts_with("registry+"), "{name}: {source}");
        sources.insert(source.to_owned());
        assert!(!banned.contains(name), "{name}");
    }
    assert_eq!(sources.len(), 1, "{sources:?}");
}

/// The first numbers of a version, up to one that isn't zero: versions that share them can stand for each other.
fn line(version: &str) -> String {
    let mut numbers = version.split('.');
    match numbers.next() {
        Some("0") => format!("0.{}", numbers.next().unwrap_or_default()),
        major => major.unwrap_or_default().to_owned(),
    }
}

#[tokio::test]
async fn versions_that_come_twice_are_explained() {
    let rules = rules();
    let explained = texts(&rules["bans"]["skip"], Some("crate"));
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in packages().await {
        let text = |key: &str| package[key].as_str().expect("a text").to_owned();
        versions
            .entry(text("name"))
            .or_default()
            .insert(line(&text("version")));
    }
    let mut twice = BTreeSet::new();
    for (name, lines) in &versions {
        // The newest one is the one to be.
        let older = lines.len() - 1;
        twice.extend(
            lines
                .iter()
                .take(older)
                .map(|line| format!("{name}@{line}")),
        );
    }
    let twice: BTreeSet<&str> = twice.iter().map(String::as_str).collect();
    let unexplained: Vec<_> = twice.difference(&explained).collect();
    let gone: Vec<_> = explained.difference(&twice).collect();
    assert!(unexplained.is_empty(), "{unexplained:?}");
    assert!(gone.is_empty(), "no longer twice: {gone:?}");
}
