//! What the documents say, held against the project: links that lead somewhere, names that exist.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::names_asked_for;
use crate::harness::{Builder, run};

/// Names of older servers, of compose files, and of the tests, which the server asks nobody for.
const FOREIGN: [&str; 19] = [
    "YT_DLP_PATH",
    "MEMORY_LIMIT",
    "NODE_ENV",
    "DOWNLOAD_TIMEOUT",
    "CLEANUP_MAX_AGE",
    "COOKIES_DIR",
    "EXTRA_CA",
    "GRAFANA_PASSWORD",
    "RTMP_ALLOW",
    "STREAM_API_KEY",
    "TRUST_PROXY",
    "WG_KEY_1",
    "WG_KEY_2",
    "SERVERRS_ADVISORIES",
    "SERVERRS_CHILD_OF",
    "SERVERRS_PROOFS",
    "SERVERRS_REQUIRE",
    "SERVERRS_TARGET",
    "AUTHOR_ID",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

/// Path and text of every document.
fn documents() -> Vec<(PathBuf, String)> {
    let paths = [root(), &root().join("docs")]
        .map(|folder| files(folder, "md"))
        .concat();
    assert!(paths.len() >= 8, "{paths:?}");
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a document");
        (path, text)
    };
    paths.into_iter().map(read).collect()
}

/// Texts between single backticks, blocks of code left out.
fn quoted(text: &str) -> Vec<String> {
    let outside: Vec<&str> = text.split("```").step_by(2).collect();
    let parts = outside
        .iter()
        .flat_map(|part| part.split('`').skip(1).step_by(2));
    parts.map(str::to_owned).collect()
}

fn is_name(text: &str, is_letter: fn(&char) -> bool) -> bool {
    text.contains('_')
        && text.starts_with(|char| is_letter(&char))
        && text
            .chars()
            .all(|char| char == '_' || char.is_ascii_digit() || is_letter(&char))
}

#[test]
fn links_lead_to_files_that_are_there() {
    for (path, text) in documents() {
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            if target.starts_with("http") {
                continue;
            }
            let file = target.split('#').next().unwrap_or_default();
            let place = path.parent().expect("a folder").join(file);
            assert!(place.exists(), "{path:?}: {target}");
        }
    }
}

#[test]
fn variables_that_are_named_exist() {
    let asked = names_asked_for();
    let mut count = 0;
    for (path, text) in documents() {
        for name in quoted(&text) {
            let name = name.split('=').next().unwrap_or_default();
            if !is_name(name, char::is_ascii_uppercase) || FOREIGN.contains(&name) {
                continue;
            }
            assert!(asked.iter().any(|known| known == name), "{path:?}: {name}");
            count += 1;
        }
    }
    assert!(count > 40, "{count}");
}

/// Variables that the documents, the code and the compose files of ServerPY, `ServerJS` and their relatives name.
const OF_OLDER_SERVERS: [&str; 42] = [
    "API_KEY",
    "BASE_URL",
    "CACHE_MAX_ENTRIES",
    "CACHE_TTL",
    "CHUNK_SIZE",
    "CLEANUP_INTERVAL",
    "CLEANUP_MAX_AGE",
    "COOKIES_DIR",
    "COOKIES_PATH",
    "CORS_ORIGINS",
    "DOWNLOAD_TIMEOUT",
    "ENCRYPTION_KEY",
    "EXTRA_CA",
    "FFMPEG_PATH",
    "FFMPEG_TIMEOUT",
    "GLUETUN_API_KEY",
    "GLUETUN_CONTROL_PORT",
    "GLUETUN_PASSWORD",
    "GLUETUN_USERNAME",
    "GRAFANA_PASSWORD",
    "INSTANCE_ID",
    "INSTANCE_REGION",
    "LOG_LEVEL",
    "MAX_WORKERS",
    "MEMORY_LIMIT",
    "NODE_ENV",
    "PORT",
    "PROXY",
    "QUEUE_SIZE",
    "RATE_LIMIT_PER_MINUTE",
    "REDIS_HOST",
    "REDIS_PORT",
    "REDIS_URL",
    "RTMP_ALLOW",
    "STREAM_API_KEY",
    "STREAM_TEMP_DIR",
    "TEMP_DIR",
    "TRUST_PROXY",
    "USER_AGENT",
    "WG_KEY_1",
    "YTDLP_TIMEOUT",
    "YT_DLP_PATH",
];

const MIGRATION: &str = include_str!("../../docs/migration.md");

/// The names in the first column of the table below a heading of the page on migration.
fn first_column(heading: &str) -> Vec<String> {
    let (_, section) = MIGRATION.split_once(heading).expect("the section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with('|'));
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    cells.flat_map(quoted).collect()
}

#[test]
fn every_variable_of_older_servers_has_its_row() {
    let rows = first_column("\n## Variables\n");
    let missing: Vec<_> = OF_OLDER_SERVERS
        .iter()
        .filter(|name| !rows.iter().any(|row| row == *name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[tokio::test]
async fn every_field_of_health_has_its_row() {
    let server = Builder::offline()
        .env("EGRESS", "home=direct")
        .env("GLUETUN_CONTROL_URL", "http://127.0.0.1:1")
        .env("BROADCAST_API_TOKEN", "a-token-of-tests-7f3c")
        .env("STREAM_TEMP_DIR", "streams")
        .start()
        .await;
    let health = server.api().get("/health").await.json();
    let rows = first_column("\n## Health and monitoring\n");
    for field in health.as_object().expect("fields").keys() {
        // `extractor` and `degraded` stand in the rows of the fields that they explain.
        let is_there = rows
            .iter()
            .any(|row| row.split('.').next() == Some(field.as_str()));
        let is_explained = MIGRATION.contains(&format!("`{field}`"));
        assert!(is_there || is_explained, "{field}");
    }
}

/// All code of one folder and those below it.
fn code(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut text = String::new();
    for entry in entries.map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            text.push_str(&code(&entry));
        } else if entry.extension().is_some_and(|found| found == "rs") {
            text.push_str(&std::fs::read_to_string(&entry).expect("code"));
        }
    }
    text
}

#[test]
fn words_of_the_api_that_are_named_exist() {
    let code = code(&root().join("src"));
    let mut count = 0;
    for (path, text) in documents() {
        for word in quoted(&text) {
            if is_name(&word, char::is_ascii_lowercase) {
                assert!(code.contains(&word), "{path:?}: {word}");
                count += 1;
            }
        }
    }
    assert!(count > 60, "{count}");
}

#[tokio::test]
async fn exit_codes_are_those_of_the_help() {
    let program = env!("CARGO_BIN_EXE_serverrs");
    let help = run(program, ["--help"], &BTreeMap::new(), root()).await;
    let help = String::from_utf8(help.stdout).expect("text");
    let words: Vec<&str> = help.split_whitespace().collect();
    let help = words.join(" ");
    let page = std::fs::read_to_string(root().join("docs/command-line.md")).expect("the page");
    let (_, table) = page.split_once("## Exit codes").expect("the codes");
    let rows = table
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let rows: Vec<_> = rows.filter_map(|row| row.split_once(" | ")).collect();
    assert!(rows.len() >= 11, "{rows:?}");
    for (code, text) in rows {
        let line = format!("{code} {}", text.replace('`', ""));
        assert!(help.contains(&line), "`{line}` is not in the help: {help}");
    }
}
