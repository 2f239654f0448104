//! Guards the house: who may import whom, which crates and words stay in which room, what every file must have.
//!
//! Reads `src/` as text. Comments, and tests at the bottom of a file or in files of their own, may name anything.

mod rules;
mod source;

use std::path::{Path, PathBuf};

use rules::{SHARED, check};

fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    let name = |path: &Path| path.strip_prefix(&root).unwrap().display().to_string();
    files
        .iter()
        .map(|path| (name(path), std::fs::read_to_string(path).unwrap()))
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn sources_keep_the_rules() {
    let sources = sources();
    assert!(sources.len() > 10, "src/ not found");
    let sites: Vec<&str> = sources
        .iter()
        .filter_map(|(file, _)| file.strip_prefix("extract/")?.strip_suffix("/mod.rs"))
        .filter(|folder| !SHARED.contains(folder))
        .collect();
    let faults: Vec<String> = sources
        .iter()
        .flat_map(|(file, text)| check(file, text, &sites))
        .collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// What the checker says about a file of this text.
fn faults(file: &str, code: &str) -> Vec<String> {
    check(
        file,
        &format!("//! Doc.\n{code}"),
        &["tiktok", "douyin", "other"],
    )
}

#[track_caller]
fn refused(file: &str, code: &str) {
    assert!(!faults(file, code).is_empty(), "passed in {file}: {code}");
}

#[track_caller]
fn accepted(file: &str, code: &str) {
    assert_eq!(faults(file, code), Vec::<String>::new(), "{code}");
}

#[test]
fn upward_and_sideward_imports_are_refused() {
    refused("net/client.rs", "use crate::extract::Source;");
    refused("net/client.rs", "use super::super::services::Resolve;");
    refused("net/mod.rs", "use super::{config::Env, links};");
    refused(
        "net/mod.rs",
        "fn f() { let x = crate::transfer::Head { a: 1 }; }",
    );
    refused("transfer/mod.rs", "use crate::links::Link;");
    refused("links/token.rs", "use crate::{clock::Clock, extract};");
    refused("services/resolve.rs", "pub use crate::http::wire;");
    refused("config/env.rs", "use crate::net::NetError;");
    refused("services/resolve.rs", "use crate::unheard_of::Thing;");
}

#[test]
fn downward_imports_are_accepted() {
    accepted(
        "net/client.rs",
        "use super::{HostList, Jar};\nuse crate::config::Env;",
    );
    accepted(
        "services/resolve.rs",
        "use crate::{extract::{self, Source}, links::Link};",
    );
    accepted(
        "http/error.rs",
        "use crate::net::NetError;\nuse crate::links::LinkError;",
    );
    accepted(
        "extract/tiktok/map.rs",
        "use super::super::Format;\nuse crate::net::Client;",
    );
    accepted(
        "app.rs",
        "use crate::services::Resolve;\npub(crate) struct App;",
    );
}

#[test]
fn sites_do_not_know_each_other() {
    refused("extract/tiktok/map.rs", "use crate::extract::other::X;");
    refused("extract/tiktok/map.rs", "use super::super::other::X;");
    accepted("extract/mod.rs", "fn f() { other::Site::new(); }");
    accepted(
        "extract/tiktok/map.rs",
        "use crate::extract::lenient::Text;",
    );
    accepted("extract/tiktok/map.rs", "use super::request::fetch;");
    accepted("extract/douyin/mod.rs", "use crate::extract::tiktok::map;");
    refused("extract/tiktok/mod.rs", "use crate::extract::douyin::url;");
}

#[test]
fn crates_stay_in_their_rooms() {
    refused("services/resolve.rs", "use axum::Json;");
    refused("services/resolve.rs", "fn f(x: ::axum::Json) {}");
    refused("cli/serve.rs", "use tower_http::cors;");
    refused("extract/mod.rs", "fn f() -> reqwest::Error { g() }");
    refused("net/mod.rs", "use std::{env, fs};");
    refused("net/mod.rs", "fn f() { std::env::var(\"A\"); }");
    refused("app.rs", "use dotenvy as d;");
    refused(
        "services/deliver.rs",
        "use tokio::{process::Command, time};",
    );
    accepted(
        "http/mod.rs",
        "use axum::Router;\nuse tower_http::cors::CorsLayer;",
    );
    accepted("server/mod.rs", "use axum::Router;");
    accepted("net/mod.rs", "use reqwest::Client;\nuse std::{fs, io};");
    accepted("media/ffmpeg.rs", "use tokio::process::Command;");
    accepted("net/mod.rs", "const V: &str = env!(\"CARGO_PKG_VERSION\");");
}

#[test]
fn words_of_sites_stay_with_the_sites() {
    refused("services/resolve.rs", "fn f(is_tiktok: bool) {}");
    refused("net/mod.rs", "const HOST: &str = \"www.YouTube.com\";");
    refused("http/routes/resolve.rs", "const A: &str = \"tiktok\";");
    refused("services/resolve.rs", "const A: &str = \"/tiktok\";");
    refused("links/link.rs", "fn f() { let s = r#\"Douyin\"#; }");
    refused("transfer/mod.rs", "fn itag() {}");
    accepted(
        "http/routes/mod.rs",
        "fn f() { route(\"/tiktok\", post(resolve)); }",
    );
    accepted(
        "extract/tiktok/url.rs",
        "const HOST: &str = \"tiktok.com\";",
    );
    accepted(
        "extract/mod.rs",
        "mod tiktok;\nfn f() { tiktok::TikTok::new(); }",
    );
    accepted(
        "lib.rs",
        "// The first site is TikTok.\n/* itag */ pub mod net;",
    );
    accepted("net/mod.rs", "fn monitage() {}");
}

#[test]
fn comments_strings_and_tests_are_no_imports() {
    accepted(
        "net/mod.rs",
        "// use crate::http::x;\n/* crate::http /* nested */ axum::x */",
    );
    accepted(
        "net/mod.rs",
        "const A: &str = \"crate::http::x // \\\" axum::\";",
    );
    accepted(
        "net/mod.rs",
        "const A: &str = r#\"crate::http::x \" axum::\"#;",
    );
    accepted(
        "net/mod.rs",
        "#[cfg(test)]\nmod tests { use crate::http::x; const S: &str = \"tiktok\"; }",
    );
    accepted("net/tests.rs", "use crate::http::x;");
    accepted("net/tests/slow.rs", "use axum::Router;");
    refused(
        "net/mod.rs",
        "fn f<'a>(c: char) { let q = '\"'; crate::http::x('\\'') }",
    );
    refused(
        "net/mod.rs",
        "const A: &str = \"http://x\"; use crate::http::x;",
    );
}

#[test]
fn every_file_has_its_doc_and_nothing_left_to_do() {
    assert!(!check("net/mod.rs", "use std::io;\n", &[]).is_empty());
    let unfinished = ["to", "do!()"].concat();
    refused("net/mod.rs", &format!("fn f() {{ {unfinished} }}"));
    let note = ["// TO", "DO later"].concat();
    refused("net/tests.rs", &note);
    accepted("net/mod.rs", "/// Says what is to do.\nfn todos() {}");
}
