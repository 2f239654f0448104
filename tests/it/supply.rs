//! What the binary and the tools beside it are made of, held against `deny.toml`: licences, versions that come twice, sources,
//! advisories; and that none of our code is unsafe.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use semver::{Version, VersionReq};
use serde_json::{Value, json};
use toml::Table;

use crate::harness::{run, skip};

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

/// The packages of this repository: the server, its benchmarks, its fuzzer. Each has a lock file of its own.
const PACKAGES: [&str; 3] = [".", "bench", "fuzz"];

/// What cargo knows of every crate that may be linked, all features taken. Asked without a network: `None`, said aloud,
/// where a tool was never built, so that its crates aren't here.
async fn packages_of(folder: &str) -> Option<Vec<Value>> {
    let variables = ["CARGO_HOME", "RUSTUP_HOME", "HOME"];
    let kept: BTreeMap<&str, String> = variables
        .into_iter()
        .filter_map(|name| Some((name, std::env::var_os(name)?.to_string_lossy().into_owned())))
        .collect();
    let arguments = [
        "metadata",
        "--format-version=1",
        "--all-features",
        "--locked",
        "--offline",
        "--filter-platform=x86_64-unknown-linux-gnu",
    ];
    let output = run(env!("CARGO"), arguments, &kept, &root().join(folder)).await;
    let said = String::from_utf8_lossy(&output.stderr);
    if folder != "."
        && ["download", "no matching package"]
            .iter()
            .any(|word| said.contains(word))
    {
        skip(
            "registry",
            &format!("the crates of `{folder}` are not on this machine"),
        );
        return None;
    }
    assert!(output.status.success(), "{folder}: {said}");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let nodes = metadata["resolve"]["nodes"].as_array().expect("nodes");
    let used: BTreeSet<&str> = nodes
        .iter()
        .filter_map(|node| node["id"].as_str())
        .collect();
    let packages = metadata["packages"].as_array().expect("packages");
    let is_used = |package: &&Value| package["id"].as_str().is_some_and(|id| used.contains(id));
    Some(packages.iter().filter(is_used).cloned().collect())
}

/// Those of the server.
async fn packages() -> Vec<Value> {
    packages_of(".").await.expect("the server has been built")
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

/// What is allowed of one crate beyond that.
fn exceptions(rules: &Table) -> BTreeMap<&str, BTreeSet<&str>> {
    let entries = rules["licenses"]["exceptions"].as_array().expect("a list");
    entries
        .iter()
        .map(|entry| {
            let name = entry["crate"].as_str().expect("a text");
            (name, texts(&entry["allow"], None))
        })
        .collect()
}

#[tokio::test]
async fn everything_linked_is_allowed() {
    let rules = rules();
    let allowed = texts(&rules["licenses"]["allow"], None);
    let exceptions = exceptions(&rules);
    let banned = texts(&rules["bans"]["deny"], Some("crate"));
    let mut sources = BTreeSet::new();
    for folder in PACKAGES {
        let mut licenses = BTreeMap::<String, usize>::new();
        for package in packages_of(folder).await.unwrap_or_default() {
            let name = package["name"].as_str().expect("a name");
            let license = package["license"].as_str().unwrap_or_default();
            if package["source"].is_null() {
                assert_eq!(license, "MIT", "{name} is our own");
                continue;
            }
            let beyond = exceptions.get(name).into_iter().flatten();
            let allowed = allowed.iter().chain(beyond).copied().collect();
            assert!(is_met(license, &allowed), "{name}: {license}");
            let source = package["source"].as_str().unwrap_or_default();
            assert!(is_from_registry(source), "{name}: {source}");
            sources.insert(source.to_owned());
            assert!(!banned.contains(name), "{name}");
            *licenses.entry(license.to_owned()).or_default() += 1;
        }
        println!(
            "`{folder}`: {} crates: {licenses:#?}",
            licenses.values().sum::<usize>()
        );
    }
    assert_eq!(sources.len(), 1, "{sources:?}");
}

fn is_from_registry(source: &str) -> bool {
    source.starts_with("registry+") || source.starts_with("sparse+")
}

/// Why a dependency that a crate declares is none that `[sources]` and `bans.wildcards` let be, if so.
fn fault_of(dependency: &Value, is_own: bool) -> Option<&'static str> {
    let source = dependency["source"].as_str();
    let is_path = dependency["path"].is_string();
    match () {
        () if !dependency["registry"].is_null() => Some("of another registry than cargo's own"),
        () if source.is_some_and(|source| !is_from_registry(source)) => Some("of no registry"),
        () if is_path && !is_own => Some("of a folder"),
        // Packages that nobody publishes may name a folder alone (`allow-wildcard-paths`).
        () if dependency["req"] == "*" && !is_path => Some("of any version"),
        () => None,
    }
}

#[test]
fn dependencies_of_other_sources_and_of_any_version_are_seen() {
    let path = json!({ "req": "*", "source": null, "registry": null, "path": "/a" });
    let plain = json!({ "req": "^1", "source": "registry+https://a.example/b", "registry": null });
    assert_eq!(fault_of(&path, true), None);
    assert_eq!(fault_of(&plain, false), None);
    let changed = |key: &str, value: &str| {
        let mut changed = plain.clone();
        changed[key] = value.into();
        changed
    };
    for (dependency, fault) in [
        (path, "of a folder"),
        (changed("req", "*"), "of any version"),
        (
            changed("source", "git+https://a.example/b"),
            "of no registry",
        ),
        (
            changed("registry", "https://a.example/b"),
            "of another registry than cargo's own",
        ),
    ] {
        assert_eq!(fault_of(&dependency, false), Some(fault), "{dependency}");
    }
}

#[tokio::test]
async fn every_crate_comes_from_the_one_registry_in_versions_that_are_named() {
    let rules = rules();
    for (part, rule) in [
        ("sources", "unknown-registry"),
        ("sources", "unknown-git"),
        ("bans", "wildcards"),
    ] {
        assert_eq!(rules[part][rule].as_str(), Some("deny"), "{part}.{rule}");
    }
    for exception in ["allow-registry", "allow-git", "allow-org", "private"] {
        assert!(rules["sources"].get(exception).is_none(), "{exception}");
    }
    assert_eq!(rules["bans"]["allow-wildcard-paths"].as_bool(), Some(true));
    let mut sources = BTreeSet::new();
    for folder in PACKAGES {
        sources.extend(lock_of(folder).into_iter().filter_map(|package| {
            let source = package.get("source")?;
            Some(source.as_str().expect("a text").to_owned())
        }));
        let manifest = manifest_of(folder);
        for replaced in ["patch", "replace"] {
            assert!(manifest.get(replaced).is_none(), "{folder}: [{replaced}]");
        }
        let mut declared = 0;
        for package in packages_of(folder).await.unwrap_or_default() {
            let is_own = package["source"].is_null();
            // An empty list of registries: nobody may publish it.
            assert!(!is_own || package["publish"] == json!([]), "{folder}");
            for dependency in package["dependencies"].as_array().expect("a list") {
                let fault = fault_of(dependency, is_own);
                assert_eq!(fault, None, "{}: {dependency}", package["name"]);
                declared += 1;
            }
        }
        println!("`{folder}`: {declared} dependencies declared by its crates");
    }
    assert_eq!(sources.len(), 1, "{sources:?}");
}

fn manifest_of(folder: &str) -> Table {
    let text = std::fs::read_to_string(root().join(folder).join("Cargo.toml"));
    text.expect("Cargo.toml").parse().expect("TOML")
}

/// The crates of a lock file.
fn lock_of(folder: &str) -> Vec<toml::Value> {
    let lock = std::fs::read_to_string(root().join(folder).join("Cargo.lock")).expect("Cargo.lock");
    let lock: Table = lock.parse().expect("TOML");
    lock["package"].as_array().expect("packages").clone()
}

/// The versions of every crate in a lock file.
fn locked(folder: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut versions = BTreeMap::<String, BTreeSet<String>>::new();
    for package in lock_of(folder) {
        let text = |key: &str| package[key].as_str().expect("a text").to_owned();
        if let Some(source) = package.get("source") {
            assert!(source.as_str().is_some_and(is_from_registry), "{package:?}");
            assert!(package.get("checksum").is_some(), "{package:?}");
        }
        versions
            .entry(text("name"))
            .or_default()
            .insert(text("version"));
    }
    versions
}

#[test]
fn tools_are_locked_to_what_the_server_is_locked_to() {
    let server = locked(".");
    for folder in &PACKAGES[1..] {
        for (name, versions) in locked(folder) {
            let same = server.get(&name).unwrap_or(&versions);
            assert!(
                versions.is_subset(same),
                "{folder}: {name} {versions:?}, not {same:?}"
            );
        }
    }
    // The fuzzer links the server, with all that this needs.
    let manifest = manifest_of(".");
    let fuzzer = locked("fuzz");
    let dependencies = manifest["dependencies"].as_table().expect("a table").iter();
    let is_optional = |value: &toml::Value| value.get("optional").is_some();
    let missing: Vec<&String> = dependencies
        .filter(|(name, value)| !is_optional(value) && !fuzzer.contains_key(*name))
        .map(|(name, _)| name)
        .collect();
    assert!(missing.is_empty(), "fuzz/Cargo.lock lacks {missing:?}");
}

/// What is forbidden can't be allowed again anywhere in a package.
#[test]
fn unsafe_code_is_forbidden_everywhere() {
    for folder in PACKAGES {
        let manifest = manifest_of(folder);
        assert_eq!(
            manifest["lints"]["rust"]["unsafe_code"].as_str(),
            Some("forbid"),
            "{folder}"
        );
    }
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

/// What an advisory says of versions.
struct Advisory {
    id: String,
    is_withdrawn: bool,
    /// Versions that it doesn't speak of.
    good: Vec<VersionReq>,
}

impl Advisory {
    /// Reads an entry of the database of RustSec: facts in TOML, fenced, above the text.
    fn parse(text: &str) -> Self {
        let fenced = text.split("```").nth(1).expect("a fence");
        let facts: Table = fenced.trim_start_matches("toml").parse().expect("TOML");
        let advisory = &facts["advisory"];
        let versions = facts.get("versions");
        let good = ["patched", "unaffected"].into_iter().flat_map(|kind| {
            let list = versions.and_then(|versions| versions.get(kind)?.as_array());
            list.into_iter().flatten()
        });
        Self {
            id: advisory["id"].as_str().expect("an id").to_owned(),
            is_withdrawn: advisory.get("withdrawn").is_some(),
            good: good
                .map(|one| VersionReq::parse(one.as_str().expect("a text")).expect("versions"))
                .collect(),
        }
    }

    fn speaks_of(&self, version: &Version) -> bool {
        !self.is_withdrawn && !self.good.iter().any(|good| good.matches(version))
    }
}

/// The advisories about a crate.
fn advisories(database: &Path, name: &str) -> Vec<Advisory> {
    let files = std::fs::read_dir(database.join("crates").join(name));
    let files = files.into_iter().flatten().flatten();
    let texts = files.map(|file| std::fs::read_to_string(file.path()).expect("an advisory"));
    texts.map(|text| Advisory::parse(&text)).collect()
}

#[test]
fn advisory_speaks_of_versions_that_are_neither_patched_nor_unaffected() {
    let text = |more: &str| {
        format!(
            "```toml\n[advisory]\nid = \"RUSTSEC-0000-0001\"\n{more}[versions]\n\
             patched = [\">= 1.2.3\", \">= 1.1.9, < 1.2.0\"]\nunaffected = [\"< 1.0.0\"]\n```\n# Title\n"
        )
    };
    let advisory = Advisory::parse(&text(""));
    for (version, is_meant) in [
        ("0.9.0", false),
        ("1.0.0", true),
        ("1.1.9", false),
        ("1.2.2", true),
        ("2.0.0", false),
    ] {
        let version = Version::parse(version).expect("a version");
        assert_eq!(advisory.speaks_of(&version), is_meant, "{version}");
    }
    let withdrawn = Advisory::parse(&text("withdrawn = \"2026-01-01\"\n"));
    assert!(!withdrawn.speaks_of(&Version::new(1, 0, 0)));
    let open = Advisory::parse("```toml\n[advisory]\nid = \"RUSTSEC-0000-0002\"\n```\n");
    assert!(open.speaks_of(&Version::new(1, 0, 0)));
}

/// With a copy of the database of RustSec, whose folder `SERVERRS_ADVISORIES` names.
#[test]
fn advisories_about_what_is_used_are_explained() {
    let Some(database) = std::env::var_os("SERVERRS_ADVISORIES").map(PathBuf::from) else {
        skip(
            "advisories",
            "`SERVERRS_ADVISORIES` names no copy of the database of RustSec",
        );
        return;
    };
    assert!(database.join("crates").is_dir(), "{}", database.display());
    let rules = rules();
    let explained = texts(&rules["advisories"]["ignore"], Some("id"));
    let mut packages = BTreeSet::new();
    for (name, versions) in PACKAGES.into_iter().flat_map(locked) {
        packages.extend(versions.into_iter().map(|version| (name.clone(), version)));
    }
    let (mut read, mut open) = (0, Vec::new());
    for (name, version) in &packages {
        let version = Version::parse(version).expect("a version");
        let all = advisories(&database, name);
        read += all.len();
        let meant = all.iter().filter(|advisory| advisory.speaks_of(&version));
        let meant = meant.filter(|advisory| !explained.contains(advisory.id.as_str()));
        open.extend(meant.map(|advisory| format!("{name} {version}: {}", advisory.id)));
    }
    assert!(read > 0, "not one advisory: is that the database?");
    assert!(open.is_empty(), "{open:#?}");
    println!(
        "{} packages, {read} advisories about some of them, none applies",
        packages.len()
    );
}
